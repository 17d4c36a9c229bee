"""The program: a training step as a straight line of equations.

This file knows variables, equations, cells and how to print and check them. It does not know
how a step is captured nor how a program is turned into code.

A variable stands where an array could stand (it is an `Operand`) and remembers the value that
it had while the step was recorded. Applying a record to variables appends an equation: that is
the variables' reader, and all there is to capture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from tinygrad_mlp.errors import CaptureError
from tinygrad_mlp.ops import READERS, Array, Attrs, Op, Operand
from tinygrad_mlp.origin import Scope, Site, here, place, user_site

__all__ = ["Cell", "Equation", "Program", "Var"]


class Var(Operand):
    """A value of the program: an input, what a cell held, or the result of an equation.

    Args:
        program: The program that it belongs to.
        value: What it was while the step was recorded: an array, or a Python number, which
            adapts to the dtype that it meets.
        name: What it is called in the generated code.
    """

    __slots__ = ("name", "program", "value")

    def __init__(self, program: Program, value: Array, name: str = "") -> None:
        self.program = program
        self.value = value
        self.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return np.shape(self.value)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return np.ndim(self.value)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.size(self.value))

    @property
    def dtype(self) -> Any:
        """The dtype of the value."""
        return getattr(self.value, "dtype", np.dtype(type(self.value)))

    def __repr__(self) -> str:
        return f"<{self.name or 'var'}: {self.dtype}{list(self.shape)}>"

    def _decides(self, *_: Any) -> NoReturn:
        raise CaptureError(
            f"the value of {self.name or 'a tensor'} decides what happens next",
            where=str(place(user_site()) or ""),
            why="a compiled step runs the same equations every time and cannot look",
            fix="Use np.where for a choice, return the tensor to read it after the step.",
        )

    __bool__ = __float__ = __int__ = __index__ = __iter__ = __len__ = _decides
    __array__ = item = tolist = copy = view = _decides


@dataclass(slots=True)
class Equation:
    """``output = op(*inputs, **attrs)``.

    Attributes:
        op: The op.
        inputs: Variables and constants.
        attrs: The op's attributes.
        output: The variable that it defines.
        site: The user's instruction that caused it.
        scope: The module call that it happened in.
        phase: The part of the step: forward, backward, update.
    """

    op: Op
    inputs: tuple[Array, ...]
    attrs: Attrs
    output: Var
    site: Site
    scope: Scope
    phase: str


@dataclass(slots=True)
class Cell:
    """A place that outlives the step.

    Attributes:
        owner: The tensor, optimiser or generator.
        slot: Which of the owner's places.
        before: The variable that stands for the content at the start; None if the step
            wrote it without reading it.
        held: What it held when the recording began.
        after: What it holds at the end: a variable, a constant, or None.
        name: What it is called in the generated code.
    """

    owner: Any
    slot: str
    before: Var | None
    held: Any
    after: Any = None
    name: str = ""

    @property
    def changed(self) -> bool:
        """Whether the step leaves something else in it than it found."""
        return self.after is not (self.before if self.before is not None else self.held)


@dataclass(slots=True, eq=False)
class Program:
    """One training step, straight.

    Attributes:
        inputs: The variables that stand for the step's arguments.
        cells: The places it reads and writes.
        equations: What it computes, in order.
        outputs: What it returns: variables and constants.
        phase: The part of the step that is being recorded.
        recording: Whether the recording is still going on.
    """

    inputs: list[Var] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    phase: str = "forward"
    recording: bool = True

    @property
    def reads(self) -> list[Cell]:
        """The cells whose content at the start matters."""
        return [cell for cell in self.cells if cell.before is not None]

    @property
    def writes(self) -> list[Cell]:
        """The cells that the step leaves changed."""
        return [cell for cell in self.cells if cell.changed]

    def live_equations(self) -> list[Equation]:
        """The equations on which an output or a written cell depends, in order."""
        live = {id(v) for v in (*self.outputs, *(cell.after for cell in self.writes))}
        kept = []
        for equation in reversed(self.equations):
            if id(equation.output) in live:
                kept.append(equation)
                live.update(id(x) for x in equation.inputs)
        return kept[::-1]

    def check(self) -> None:
        """Make sure that every variable is defined once and before it is used.

        Raises:
            CaptureError: If it is not.
        """
        defined = {id(v) for v in self.inputs} | {id(cell.before) for cell in self.reads}
        for equation in self.equations:
            for x in equation.inputs:
                if isinstance(x, Var) and id(x) not in defined:
                    raise CaptureError(
                        f"{equation.op.name} uses {x!r} before it is defined",
                        where=str(place(equation.site) or ""),
                        why="a value of an earlier step was kept outside a tensor",
                        fix="Keep what outlives a step in a Tensor.",
                    )
            if id(equation.output) in defined:
                raise CaptureError(f"{equation.output!r} is defined twice")
            defined.add(id(equation.output))

    def __str__(self) -> str:
        names = {id(v): v.name for v in self.inputs}
        names |= {id(cell.before): cell.name for cell in self.reads}
        lines = []
        for number, equation in enumerate(self.equations):
            v = equation.output
            names[id(v)] = v.name or f"v{number}"
            parts = [names.get(id(x), repr(x)) for x in equation.inputs]
            parts += [f"{key}={value!r}" for key, value in equation.attrs.items()]
            kind = f"{v.dtype}[{', '.join(map(str, v.shape))}]"
            spot = place(equation.site)
            lines.append(
                f"{names[id(v)]}: {kind} = {equation.op.name}({', '.join(parts)})"
                + (f"  # {spot}" if spot else "")
            )
        return "\n".join(lines)


def apply_var(op: Op, inputs: tuple[Array, ...], attrs: Attrs) -> Any:
    """Apply an op to program variables: append an equation. This is the variables' reader."""
    for x in inputs:
        kind = type(x)
        if kind is not Var and kind in READERS and READERS[kind] is not apply_var:
            return READERS[kind](op, inputs, attrs)  # a tensor among them: it holds variables
    program = next(x.program for x in inputs if type(x) is Var)
    if not program.recording or any(type(x) is Var and x.program is not program for x in inputs):
        raise CaptureError(
            "a value of an earlier step was kept outside a tensor",
            where=str(place(user_site()) or ""),
            why="the compiled step would use what it was when the step was recorded",
            fix="Keep what outlives a step in a Tensor and assign to its .data.",
        )
    value = op.apply(tuple(x.value if type(x) is Var else x for x in inputs), attrs)
    output = Var(program, np.asarray(value) if isinstance(value, np.generic) else value)
    program.equations.append(
        Equation(op, inputs, attrs, output, user_site(), here.scope, program.phase)
    )
    return output


READERS[Var] = apply_var
