"""Wording: a program said in such words as native code has.

This file knows what takes another form on the way to native code: random numbers are drawn
outside and handed in, and an entry that is looked up by its number is a sum over all entries of
which one is not left out. It does not know how the words become code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mlp.program.buffers import Made
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.program.lowering import primitive, reduction
from tinygrad_mlp.program.native.values import NotNativeError

__all__ = ["Draw", "Worded", "worded"]


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers that a step needs: an equation, and which argument is its generator."""

    equation: Equation
    argument: int

    def __call__(self, generator: Any) -> Any:
        """Draw them."""
        return self.equation.op.forward(generator, **self.equation.attrs)


@dataclass(frozen=True, eq=False)
class Worded:
    """A program in other words.

    Attributes:
        program: The program; what is drawn has become its last inputs.
        made: Its memory, without generators among the arguments.
        draws: What is drawn, in order.
        numbers: Which of the arguments are handed on.
        limits: Which inputs are numbers of entries, and of how many.
    """

    program: Program
    made: Made
    draws: list[Draw]
    numbers: list[int]
    limits: dict[int, int]


def worded(program: Program, made: Made) -> Worded:
    """Say a program in other words.

    Args:
        program: The program, lowered and simplified.
        made: Its form with buffers.

    Raises:
        NotNativeError: If an entry is looked up by a number that is computed.
    """
    generators = {id(c.before): i for i, c in enumerate(made.arguments) if _is_generator(c)}
    draws = [
        Draw(e, generators[id(e.inputs[0])])
        for e in program.equations
        if not e.pure and len(e.inputs) == 1
    ]
    drawn = {id(d.equation.output) for d in draws}
    limits: dict[int, int] = {}
    equations: list[Equation] = []
    for e in program.equations:
        if e.op.name == "take_along_axis":
            equations += _looked_up(e, program, equations, limits)
        elif id(e.output) not in drawn:
            equations.append(e)
    inputs = [*program.inputs, *(d.equation.output for d in draws)]
    numbers = [i for i, c in enumerate(made.arguments) if not _is_generator(c)]
    return Worded(
        replace(program, equations=equations, inputs=inputs),
        replace(made, arguments=[made.arguments[i] for i in numbers]),
        draws,
        numbers,
        limits,
    )


def _is_generator(cell: Cell) -> bool:
    return cell.before is not None and isinstance(cell.before.value, np.random.Generator)


def _looked_up(
    e: Equation, program: Program, before: list[Equation], limits: dict[int, int]
) -> list[Equation]:
    """``x[i]`` along an axis as the sum of ``x`` where ``i == 0, 1, 2 …``, and 0 elsewhere."""
    x, places, axis = e.inputs
    shape = tuple(np.shape(x if type(x) is not Var else x.value))
    axis = axis % len(shape)
    if e.output.shape[axis] != 1 or type(places) is not Var:
        raise NotNativeError(e.op.name)
    made = {id(known.output): known for known in before}
    source = places
    while id(source) in made and made[id(source)].op.name in _VIEWS:
        source = made[id(source)].inputs[0]
    number = next((i for i, v in enumerate(program.inputs) if v is source), None)
    if number is None:
        raise NotNativeError(f"{e.op.name} by numbers that are computed")
    limits[number] = min(shape[axis], limits.get(number, shape[axis]))
    entries = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    hit = Var(program, np.broadcast_to(np.zeros((), bool), shape))
    chosen = Var(program, np.broadcast_to(np.zeros((), e.output.dtype), shape))
    total = {"axis": axis, "keepdims": True}
    return [
        replace(e, op=primitive(np.equal), inputs=(places, entries), attrs={}, output=hit),
        replace(e, op=primitive(np.where), inputs=(hit, x, 0.0), attrs={}, output=chosen),
        replace(e, op=reduction(np.add), inputs=(chosen,), attrs=total),
    ]


_VIEWS = {"reshape", "transpose", "getitem", "expand_dims", "squeeze"}
