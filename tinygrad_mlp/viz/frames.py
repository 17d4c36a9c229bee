"""The frames of a picture: which module calls its boxes stand in.

This file knows module calls (scopes) and how they nest. It does not know what is written in a box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tinygrad_mlp.graph import module_path
from tinygrad_mlp.origin import Scope
from tinygrad_mlp.viz.fold import Unit, chain_of
from tinygrad_mlp.viz.labels import clean
from tinygrad_mlp.viz.model import Group, Node

__all__ = ["Frames", "calls_around", "module_title", "without_lonely"]


class Frames:
    """The groups of a picture, made as boxes ask for them."""

    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}
        self._paths: dict[str, str] = {}

    @property
    def groups(self) -> list[Group]:
        """The groups so far; each after the one that it lies in."""
        return list(self._groups.values())

    def group(self, chain: Sequence[Any]) -> str | None:
        """The key of the innermost group of a chain of module calls."""
        parent: str | None = None
        for call in chain:
            if id(call) not in self._groups:
                key = f"g{len(self._groups)}"
                self._groups[id(call)] = Group(key=key, title=module_title(call), parent=parent)
                self._paths[key] = module_path(call)
            parent = self._groups[id(call)].key
        return parent

    def short(self, name: str, group: str | None) -> str:
        """A parameter's name without the path that its frame shows already."""
        path = self._paths.get(group or "", "")
        return name.removeprefix(f"{path}.") if path else name


def module_title(scope: Scope) -> str:
    """The path and the class of a module call."""
    if scope is None:
        return ""
    path, kind = module_path(scope), type(scope[1]).__name__
    return clean(f"{path} · {kind}" if path else kind, 48)


def calls_around(units: Sequence[Unit]) -> dict[int, list[Any]]:
    """The module calls that every unit stands in; parameters stand with their readers."""
    calls: dict[int, list[Any]] = {}
    readers: dict[int, list[list[Any]]] = {}
    for unit in units:
        if unit.kind == "leaf":
            continue
        chain = chain_of(unit.scope)
        if unit.kind == "module":
            chain = chain[:-1]
        calls[id(unit)] = chain
        for node in unit.nodes:
            for x in node.inputs:
                if x is not None and x.op is None and x.requires_grad:
                    readers.setdefault(x.birth, []).append(chain)
    for unit in units:
        if unit.kind == "leaf":
            calls[id(unit)] = _common(readers.get(unit.last.birth, [[]]))
    return calls


def _common(chains: Sequence[list[Any]]) -> list[Any]:
    """The calls that all chains begin with."""
    shared = []
    for calls in zip(*chains, strict=False):
        if any(call is not calls[0] for call in calls):
            break
        shared.append(calls[0])
    return shared


def without_lonely(boxes: list[Node], groups: list[Group]) -> tuple[list[Node], list[Group]]:
    """Take away frames round a single box: the box itself says which module it is."""
    parents = {group.key: group.parent for group in groups}
    contents = Counter(box.group for box in boxes if box.group)
    contents.update(group.parent for group in groups if group.parent)
    lonely = {group.key for group in groups if contents[group.key] < 2}

    def nearest(key: str | None) -> str | None:
        while key in lonely:
            key = parents[key] if key else None
        return key

    left = [replace(g, parent=nearest(g.parent)) for g in groups if g.key not in lonely]
    return [replace(box, group=nearest(box.group)) for box in boxes], left
