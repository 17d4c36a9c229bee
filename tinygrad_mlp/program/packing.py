"""Packing: many small equations that say the same become one over a flat buffer.

This file knows when equations of the same kind may run as one: their operands can lie side by
side in memory, and none needs the result of another. Every parameter takes the same update, so
an update of six arrays is one call; so are the slopes of all activations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.program.ir import Equation, Program, Var

__all__ = ["Packed", "packed"]

_LARGEST = 1 << 18


@dataclass(slots=True, eq=False)
class Packed:
    """A program with groups of equations that run as one.

    Attributes:
        lines: The equations in order; a group stands in one place.
        packs: The variables that lie side by side, for each pack.
        place: For each variable in a pack: which pack, and where in it.
    """

    lines: list[list[Equation]] = field(default_factory=list)
    packs: list[tuple[Var, ...]] = field(default_factory=list)
    place: dict[int, tuple[int, int]] = field(default_factory=dict)


def packed(program: Program, layable: set[int], given: set[int]) -> Packed:
    """Find what can run as one.

    Args:
        program: The program, lowered.
        layable: The variables whose memory may be chosen, by ``id``.
        given: Those among them that are there when the step begins.
    """
    result = Packed()
    groups: dict[int, list[Equation]] = {}
    when = {id(e.output): i for i, e in enumerate(program.equations)}
    candidates = [e for e in program.equations if _flat(e)]
    tried: set[Any] = set()
    progress = True
    while progress:
        progress = False
        for kind, equations in _kinds(candidates, result, groups).items():
            mark = (kind, tuple(id(e) for e in equations))
            if len(equations) < 2 or mark in tried:
                continue
            tried.add(mark)
            last = max(when.get(id(x), -1) for e in equations for x in e.inputs)
            if last >= _first_use(equations, program, when, groups):
                continue
            if not _lay(equations, result, layable, given):
                continue
            for e in equations:
                groups[id(e)] = equations
                when[id(e.output)] = last
            progress = True
    result.lines = _scheduled(program, groups, when)
    return result


def _flat(e: Equation) -> bool:
    """Whether it works entry by entry on arrays of one shape and dtype, and on numbers."""
    y = e.output
    arrays = [x for x in e.inputs if np.ndim(x if type(x) is not Var else x.value)]
    return (
        isinstance(e.op.forward, np.ufunc)
        and e.op.forward.nout == 1
        and e.op.name != "matmul"
        and bool(arrays)
        and y.ndim > 0
        and 0 < y.size <= _LARGEST
        and all(type(x) is Var and x.shape == y.shape and x.dtype == y.dtype for x in arrays)
    )


def _kinds(
    candidates: list[Equation], found: Packed, groups: dict[int, Any]
) -> dict[Any, list[Equation]]:
    """Equations that are not grouped yet, by what they do and to which packs."""
    kinds: dict[Any, list[Equation]] = {}
    for e in candidates:
        if id(e) in groups:
            continue
        operands = tuple(_operand(x, found) for x in (*e.inputs, e.output))
        kinds.setdefault((e.op, e.phase, e.output.dtype.str, operands), []).append(e)
    result = {}
    for kind, found_ones in kinds.items():
        equations = found_ones
        places = [_places(e, found) for e in equations]
        known = [p for p in places if p]
        if known:  # in the order of the packs that they read and write
            equations = [e for _, e in sorted(zip(places, equations, strict=True),
                                              key=lambda pair: pair[0][0])]  # fmt: skip
        result[kind] = equations
    return result


def _operand(x: Any, found: Packed) -> Any:
    if type(x) is not Var:
        return ("number", repr(x))
    if x.ndim == 0:
        return ("scalar", id(x))
    return ("pack", found.place[id(x)][0]) if id(x) in found.place else "free"


def _places(e: Equation, found: Packed) -> tuple[int, ...]:
    return tuple(found.place[id(x)][1] for x in (*e.inputs, e.output) if id(x) in found.place)


def _first_use(
    equations: list[Equation],
    program: Program,
    when: dict[int, int],
    groups: dict[int, list[Equation]],
) -> int:
    """Where one of the results is needed first; a group runs right behind its place."""
    outputs = {id(e.output) for e in equations}
    uses = (e for e in program.equations if any(id(x) in outputs for x in e.inputs))
    return min(
        (when[id(e.output)] + (id(e) in groups) for e in uses), default=len(program.equations)
    )


def _lay(equations: list[Equation], found: Packed, layable: set[int], given: set[int]) -> bool:
    """Lay operands and results side by side, if all of them can be.

    What lies in a pack already must be all of it, in its order. What is there when the step begins
    lies beside its like only: the memory of the tensors is elsewhere.
    """
    columns = [
        tuple(e.inputs[i] for e in equations)
        for i, x in enumerate(equations[0].inputs)
        if type(x) is Var and x.ndim
    ]
    columns.append(tuple(e.output for e in equations))
    new: list[tuple[Any, ...]] = []
    for column in columns:
        ids = [id(v) for v in column]
        if ids in [[id(v) for v in c] for c in new] or _is_pack(column, found):
            continue
        if any(id(v) not in layable or id(v) in found.place for v in column):
            return False
        if len({id(v) in given for v in column}) != 1:
            return False
        if len({id(v) for v in column}) != len(column):
            return False
        if any(v is w for other in new for v in column for w in other):
            return False
        new.append(column)
    for column in new:
        for i, v in enumerate(column):
            found.place[id(v)] = (len(found.packs), i)
        found.packs.append(column)
    return True


def _is_pack(column: tuple[Any, ...], found: Packed) -> bool:
    first = found.place.get(id(column[0]))
    return first is not None and list(map(id, found.packs[first[0]])) == list(map(id, column))


def _scheduled(
    program: Program, groups: dict[int, list[Equation]], when: dict[int, int]
) -> list[list[Equation]]:
    """Each group where the last of its inputs is known; everything else where it stood."""
    order = {id(e.output): i for i, e in enumerate(program.equations)}
    due: dict[int, list[list[Equation]]] = {}
    for group in {id(g): g for g in groups.values()}.values():
        due.setdefault(when[id(group[0].output)], []).append(group)
    lines: list[list[Equation]] = []
    for i in range(-1, len(program.equations)):
        if i >= 0 and id(program.equations[i]) not in groups:
            lines.append([program.equations[i]])
        lines += sorted(due.get(i, []), key=lambda g: min(order[id(e.output)] for e in g))
    return lines
