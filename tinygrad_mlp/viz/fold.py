"""What is drawn as one box: closed modules, repeated blocks, stretches of a long graph.

This file knows how to make a graph small enough to look at. It decides which nodes share a box
(a `Unit`) and does not know what is written on it. Units of ops are stretches of the order of
computation, so joining them never makes a circle. Nothing recurses; a million nodes are fine.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from tinygrad_mlp.graph import Node
from tinygrad_mlp.origin import Scope
from tinygrad_mlp.viz.labels import thousands

__all__ = ["FULL", "MODULES", "Depth", "Unit", "chain_of", "plan"]

FULL = 300
"""Up to so many nodes a graph is drawn in full, and so many boxes remain of a folded one."""
MODULES = 5_000
"""Up to so many nodes closing modules is enough; beyond, stretches are folded until it fits."""
LONGEST = 64
"""Repeated blocks are looked for up to this length."""

Depth: TypeAlias = int | Literal["auto", "all", "leaves"]
"""How many levels of modules stay open: a number, all of them, all but the innermost calls
(``leaves``), or whatever fits (``auto``)."""


@dataclass(slots=True)
class Unit:
    """What becomes one box.

    Attributes:
        kind: ``leaf``, ``op``, ``module``, ``repeat`` or ``stretch``.
        nodes: The nodes in it, oldest first.
        scope: The module call that it lies in (for a closed module: its own).
        times: How often its block repeats.
        block: How many of its boxes make up one repetition.
        inside: Leaves that only this unit reads, drawn with it.
    """

    kind: str
    nodes: list[Node]
    scope: Scope = None
    times: int = 1
    block: Sequence[str] = ()
    inside: Sequence[Node] = ()

    @property
    def last(self) -> Node:
        """The newest node: what comes out."""
        return self.nodes[-1]


def chain_of(scope: Scope) -> list[Any]:
    """The module calls that a node lies in, outermost first."""
    chain = []
    while scope is not None:
        chain.append(scope)
        scope = scope[0]
    return chain[::-1]


def plan(
    nodes: Sequence[Node],
    *,
    depth: Depth = "auto",
    fold: bool | None = None,
    given: Container[int] = (),
) -> tuple[list[Unit], str]:
    """Decide which nodes share a box.

    Args:
        nodes: The graph, oldest first.
        depth: How many levels of modules stay open.
        fold: Whether repeated blocks are folded; by default only if the graph is very large.
        given: Births of nodes that are shown as if they were data, whatever made them.

    Returns:
        The units in the order of computation, and what to say about it, if anything.
    """
    ops = [node for node in nodes if node.op is not None and node.birth not in given]
    leaves = [node for node in nodes if node.op is None or node.birth in given]
    if depth == "auto":
        depth = _fitting_depth(ops, len(nodes))
    units = _closed(ops, depth)
    huge = fold is None and len(nodes) > MODULES and len(units) > FULL
    if fold or huge:
        units = _repeats(units, at_least=2 if fold else 3)
    if huge and len(units) > FULL:
        units = _stretches(units)
    return _with_leaves(units, leaves, gather=huge), _note(nodes, units)


def _note(nodes: Sequence[Node], units: Sequence[Unit]) -> str:
    folded = sum(unit.kind in {"repeat", "stretch"} for unit in units)
    closed = sum(unit.kind == "module" for unit in units)
    if not folded and not closed:
        return ""
    what = [f"{closed} closed modules" if closed > 1 else "1 closed module"] if closed else []
    what += [f"{folded} folded blocks" if folded > 1 else "1 folded block"] if folded else []
    return f"{thousands(len(nodes))} nodes, with {' and '.join(what)}"


# -- modules ---------------------------------------------------------------------------------


def _fitting_depth(ops: Sequence[Node], size: int) -> Depth:
    """The deepest level at which the graph is small enough, or the outermost."""
    if size <= FULL:
        return "all"
    deepest = max((len(chain_of(scope)) for scope in _distinct(ops)), default=0)
    for depth in range(deepest - 1, 0, -1):
        if len(_closed(ops, depth)) <= FULL:
            return depth
    return 0


def _distinct(ops: Iterable[Node]) -> list[Scope]:
    return list({id(node.scope): node.scope for node in ops}.values())


def _closed(ops: Sequence[Node], depth: Depth) -> list[Unit]:
    """One unit per op, or per module call that is closed at this depth."""
    closed: dict[int, Scope] = {}
    if depth != "all":
        scopes = _distinct(ops)
        outer = {id(call) for scope in scopes for call in chain_of(scope)[:-1]}
        for scope in scopes:
            chain = chain_of(scope)
            if depth == "leaves":
                closed[id(scope)] = scope if scope and id(scope) not in outer else None
            elif isinstance(depth, int):
                closed[id(scope)] = chain[depth] if len(chain) > depth else None
    if not any(closed.values()):
        return [Unit("op", [node], node.scope) for node in ops]
    units: list[Unit] = []
    for node in ops:
        call = closed.get(id(node.scope))
        if call is not None and units and units[-1].kind == "module" and units[-1].scope is call:
            units[-1].nodes.append(node)
        else:
            kind = "op" if call is None else "module"
            units.append(Unit(kind, [node], node.scope if call is None else call))
    return units


# -- repeated blocks -------------------------------------------------------------------------


def _repeats(units: list[Unit], at_least: int) -> list[Unit]:
    """Join blocks that follow each other and do the same."""
    codes = _codes(units)
    taken = np.zeros(len(units), bool)
    runs: list[tuple[int, int, int]] = []  # start, length of the block, times
    for block in range(1, min(LONGEST, len(units) // at_least) + 1):
        same = (codes[:-block] == codes[block:]) & ~taken[:-block] & ~taken[block:]
        padded = np.concatenate(([False], same, [False])).astype(np.int8)
        (starts,) = np.nonzero(np.diff(padded) == 1)
        (stops,) = np.nonzero(np.diff(padded) == -1)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            times = (stop - start) // block + 1
            if times >= at_least and not taken[start : start + block * times].any():
                taken[start : start + block * times] = True
                runs.append((start, block, times))
    result, position = [], 0
    for start, block, times in sorted(runs):
        result += units[position:start]
        position = start + block * times
        members = units[start:position]
        result.append(
            Unit(
                "repeat",
                [node for unit in members for node in unit.nodes],
                members[0].scope,
                times,
                [_title(unit) for unit in members[:block]],
            )
        )
    return result + units[position:]


def _codes(units: Sequence[Unit]) -> Any:
    """A number per unit: equal for units that do the same with what is equally far back."""
    position = {node.birth: i for i, unit in enumerate(units) for node in unit.nodes}
    known: dict[Any, int] = {}
    codes = []
    for i, unit in enumerate(units):
        reads: list[Any] = []
        for node in unit.nodes:
            for k, x in enumerate(node.inputs):
                at = None if x is None else position.get(x.birth)
                if at is not None:
                    reads.append(i - at)
                elif x is not None and not x.requires_grad:
                    reads.append(1)  # data at the beginning stands where a block's output would
                else:
                    reads.append(np.shape(node.values[k + 1]))
        what = (unit.kind, _title(unit), unit.last.shape, tuple(reads), len(unit.nodes))
        codes.append(known.setdefault(what, len(known)))
    return np.array(codes, dtype=np.int64)


def _title(unit: Unit) -> str:
    if unit.kind == "module" and unit.scope is not None:
        return type(unit.scope[1]).__name__
    return str(unit.last.op.name)


# -- what still does not fit -----------------------------------------------------------------


def _stretches(units: list[Unit]) -> list[Unit]:
    """Join neighbours, whatever they are, until few enough units remain."""
    size = -(-len(units) // FULL)
    result = []
    for start in range(0, len(units), size):
        part = units[start : start + size]
        nodes = [node for unit in part for node in unit.nodes]
        result.append(Unit("stretch", nodes, None, 1, [_title(unit) for unit in part[:3]]))
    return result


def _with_leaves(units: list[Unit], leaves: Sequence[Node], *, gather: bool) -> list[Unit]:
    """Give every leaf a unit, unless one closed unit alone reads it."""
    readers: dict[int, list[int]] = {leaf.birth: [] for leaf in leaves}
    for number, unit in enumerate(units):
        for node in unit.nodes:
            for x in node.inputs:
                if x is not None and x.birth in readers:
                    seen = readers[x.birth]
                    if not seen or seen[-1] != number:
                        seen.append(number)
    own: dict[Any, Unit] = {}
    inside: dict[int, list[Node]] = {}
    for leaf in leaves:
        reading = readers[leaf.birth]
        one = units[reading[0]] if len(reading) == 1 else None
        if one is not None and one.kind != "op" and leaf.op is None and leaf.requires_grad:
            inside.setdefault(reading[0], []).append(leaf)
            continue
        key = (tuple(reading), leaf.requires_grad) if gather else leaf.birth
        if key in own:
            own[key].nodes.append(leaf)
        else:
            own[key] = Unit("leaf", [leaf], leaf.scope)
    for number, mine in inside.items():
        units[number].inside = mine
    return sorted([*own.values(), *units], key=lambda unit: unit.last.birth)
