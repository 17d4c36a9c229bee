"""Two recordings of one step: what differs between them would be frozen by compiling.

This file knows how to tell programs apart and how to say what differs. It does not know what is
done with a program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CaptureError
from tinygrad_mlp.origin import place
from tinygrad_mlp.program.ir import Equation, Program, Var

__all__ = ["same"]


def same(first: Program, second: Program) -> None:
    """Compare two recordings of one step.

    Raises:
        CaptureError: Naming the line, if the step took another path or used another number.
    """
    numbers = _numbers(first), _numbers(second)
    for a, b in zip(first.equations, second.equations, strict=False):
        wiring = [
            [n.get(id(x), "constant") for x in e.inputs]
            for n, e in zip(numbers, (a, b), strict=True)
        ]
        if a.op is not b.op or wiring[0] != wiring[1] or not _equal(a.attrs, b.attrs):
            raise CaptureError(
                f"the step took another path the second time: {a.op.name}, then {b.op.name}",
                where=_where(b),
                why="a compiled step runs the same equations every time",
                fix="Decide with np.where, or compile the two paths apart.",
            )
        for x, z in zip(a.inputs, b.inputs, strict=True):
            if type(x) is not Var and not _equal(x, z):
                other = _short(z) if _short(z) != _short(x) else "another one"
                raise CaptureError(
                    f"{a.op.name} used {_short(x)} the first time and {other} the second",
                    where=_where(b),
                    why="a number that no Tensor holds would be frozen",
                    fix="Keep it in a Tensor, or pass it as an argument of the step; a number of "
                    'an optimiser is read with optim.hyper(group, "lr").',
                )
    if len(first.equations) != len(second.equations):
        raise CaptureError(
            f"the step ran {len(first.equations)} ops the first time "
            f"and {len(second.equations)} the second",
            why="a compiled step runs the same equations every time",
            fix="Make every step do the same, or compile the paths apart.",
        )
    for x, z in zip(first.outputs, second.outputs, strict=False):
        known = [n.get(id(v)) for n, v in zip(numbers, (x, z), strict=True)]
        if known[0] != known[1] or (known[0] is None and not _equal(x, z)):
            raise CaptureError(
                f"the step returned {_short(x)} the first time and {_short(z)} the second",
                why="what is no result of an equation would be frozen",
                fix="Return tensors, computed from the arguments.",
            )
    for left, then in zip(_left(first), _left(second), strict=False):
        if left != then:
            raise CaptureError(
                "the step left something else behind the second time",
                why="a number that no equation computes would be frozen",
                fix="Keep what changes from step to step in a Tensor, and compute it there.",
            )


def _left(program: Program) -> Iterator[tuple[Any, ...]]:
    """What the step leaves in each cell: the number of a variable, or the constant itself."""
    numbers = _numbers(program)
    for cell in program.writes:
        after = cell.after
        constant = None if type(after) is Var or after is None else np.asarray(after).tobytes()
        yield id(cell.owner), cell.slot, numbers.get(id(after)), constant


def _where(equation: Equation) -> str:
    return str(place(equation.site) or "")


def _numbers(program: Program) -> dict[int, str]:
    """A number for each variable that two recordings of one step have in common."""
    numbers = {id(v): f"input {i}" for i, v in enumerate(program.inputs)}
    for cell in program.reads:
        numbers[id(cell.before)] = f"cell {id(cell.owner)} {cell.slot}"
    numbers |= {id(e.output): f"equation {i}" for i, e in enumerate(program.equations)}
    return numbers


def _equal(x: Any, z: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic | float):
        return np.asarray(x).dtype == np.asarray(z).dtype and np.array_equal(
            x, z, equal_nan=np.asarray(x).dtype.kind == "f"
        )
    return type(x) is type(z) and bool(x == z)


def _short(x: Any) -> str:
    if type(x) is Var:
        return repr(x)
    return str(x) if np.ndim(x) == 0 else f"an array of shape {np.shape(x)}"
