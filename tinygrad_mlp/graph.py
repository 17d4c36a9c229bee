"""The graph: the only traversal and the only namer.

This file knows nodes: anything with ``birth``, ``inputs``, ``requires_grad``, ``name``,
``site`` and ``scope``. It does not know what a node computes. Pictures, explanations and the
doctor all walk the graph through `ancestors` and say `names`; backward takes the newest first.

A node is born after its inputs, so the order of births *is* a topological order: collect what
is reachable, sort by birth, done. Nothing searches and nothing recurses, whatever the depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from tinygrad_mlp import errors
from tinygrad_mlp.origin import Place, Scope, Site, place, scope_modules

__all__ = [
    "Cut",
    "Node",
    "ancestors",
    "cut",
    "describe",
    "held",
    "module_path",
    "names",
    "noted",
    "title",
]

_birth = attrgetter("birth")

Node: TypeAlias = Any
"""A value with a place in the graph; the only kind that is shipped is `Tensor`."""


def ancestors(root: Node, *, through_constants: bool = False) -> list[Node]:
    """Everything that `root` was computed from and `root` itself, oldest first.

    Args:
        root: Where to start.
        through_constants: Collect what needs no gradient as well, as pictures do.
    """
    found = [root]
    seen = {root.birth}
    for node in found:  # grows while it is walked
        for x in node.inputs:
            if x is not None and (x.requires_grad or through_constants):
                birth = x.birth
                if birth not in seen:
                    seen.add(birth)
                    found.append(x)
    found.sort(key=_birth)
    return found


def held(nodes: Iterable[Node]) -> dict[int, Any]:
    """What each node held when the graph used it, by birth: a weight may have moved on since."""
    result: dict[int, Any] = {}
    for node in nodes:
        if node.values:
            result[node.birth] = node.values[0]
            for x, value in zip(node.inputs, node.values[1:], strict=True):
                if x is not None:
                    result[x.birth] = value
        else:
            result.setdefault(node.birth, node.data)
    return result


def module_path(scope: Scope) -> str:
    """The path of the innermost module in the outermost one, as in ``layers.2``."""
    modules = scope_modules(scope)
    if not modules:
        return ""
    root, innermost = modules[0], modules[-1]
    return next((path for path, module in root.named_modules() if module is innermost), "")


def names(nodes: Iterable[Node]) -> dict[int, str]:
    """A name for every node, by birth: each name is used once.

    A node is called, in this order of preference: by the ``name=`` that it was given, by its
    path in the model, by the variable that the user assigned it to, by its op.
    """
    nodes = list(nodes)
    paths = _parameter_paths(nodes)
    results = _results(nodes)
    taken: dict[str, int] = {}
    result: dict[int, str] = {}
    # Given names first, then paths, then variables: whoever comes first has the plain name.
    for node in sorted(nodes, key=lambda node: (not node.name, node.birth not in paths)):
        wanted = node.name or paths.get(node.birth) or _variable(node, results)
        if wanted is None:
            wanted = "input" if node.op is None else node.op.name
        count = taken[wanted] = taken.get(wanted, 0) + 1
        while count > 1 and f"{wanted}_{count}" in taken:
            count += 1
        result[node.birth] = wanted if count == 1 else f"{wanted}_{count}"
        taken.setdefault(result[node.birth], 1)
    return result


def _variable(node: Node, results: dict[int, int]) -> str | None:
    """The variable that holds the node, unless only a shipped module ever held it."""
    call = _shipped_call(node.scope)
    if call is not None and results[id(call)] != node.birth:
        return None
    spot = place(node.site)
    return None if spot is None else spot.variable


def _results(nodes: Iterable[Node]) -> dict[int, int]:
    """The last node that each call of a shipped module made: what the user's variable got."""
    last: dict[int, int] = {}
    for node in nodes:
        call = _shipped_call(node.scope)
        if call is not None:
            last[id(call)] = node.birth if node.op is not None else 0
    return last


def _shipped_call(scope: Scope) -> Scope:
    """The call of a shipped module that a node was made in, as the user's own line made it."""
    call = None
    while scope is not None and type(scope[1]).__module__.startswith(f"{__package__}."):
        call, scope = scope, scope[0]
    return call


def _parameter_paths(nodes: Iterable[Node]) -> dict[int, str]:
    """Paths of the parameters of every model that took part."""
    roots: dict[int, Any] = {}
    for node in nodes:
        for module in scope_modules(node.scope)[:1]:
            roots.setdefault(id(module), module)
    return {
        parameter.birth: path
        for module in roots.values()
        for path, parameter in module.named_parameters()
    }


class Cut(NamedTuple):
    """Where a path ends that a gradient could have taken.

    Attributes:
        how: By what: ``detach()``, ``no_grad()``, or an op without a rule.
        site: Where.
        birth: Of the tensor on the far side, which does need a gradient.
        name: What that one is called.
    """

    how: str
    site: Site
    birth: int
    name: str | None

    @property
    def place(self) -> Place | None:
        """The user's line."""
        return place(self.site)

    def __str__(self) -> str:
        at = f" at {self.place}" if self.place else ""
        return f"cut{at} by {self.how}" + (f" on {self.name!r}" if self.name else "")


def noted(how: str, site: Site, x: Node) -> dict[str, Any]:
    """The note that a node without history carries if it was computed from `x`."""
    return {"cut": how, "at": site, "of": x.birth, "name": x.name, "made": x.site}


def cut(node: Node) -> Cut | None:
    """Read the note: where the history of a node was cut off, if it was."""
    note = node.attrs
    if node.op is not None or "cut" not in note:
        return None
    spot = place(note["made"])
    name = note["name"] or (spot.variable if spot else None)
    return Cut(note["cut"], note["at"], note["of"], name)


def title(node: Node) -> str | None:
    """What a node is called by itself: its name, or the variable it was assigned to."""
    spot = place(node.site)
    return node.name or (spot.variable if spot else None)


def _called(x: Any) -> str:
    name = title(x) if hasattr(x, "site") else None
    return repr(name) if name else ""


errors.called = _called  # so that a message can say which tensor, also where ops are bound


def describe(node: Node, name: Callable[[Node], str] | None = None) -> str:
    """Say in a few words which node is meant: ``'h' (train.py:7, mul)``."""
    spot = place(node.site)
    title = name(node) if name else node.name or (spot.variable if spot else None)
    facts = [str(spot)] if spot else []
    if node.op is not None:
        facts.append(node.op.name)
    return (repr(title) if title else "a tensor") + (f" ({', '.join(facts)})" if facts else "")
