"""The program: a training step as a straight line of equations.

This file knows variables, equations, cells and how to print, check and run them. It does not
know how a step is captured nor how a program is turned into code.

A variable stands where an array could stand (it is an `Operand`) and remembers the value that
it had while the step was recorded. Applying a record to variables appends an equation: that is
the variables' reader, and all there is to capture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_mlp.errors import CaptureError, TinygradError
from tinygrad_mlp.ops import READERS, Array, Attrs, Op, Operand
from tinygrad_mlp.origin import Scope, Site, here, place, user_site

__all__ = ["Cell", "Check", "Edge", "Equation", "Program", "Var", "computed", "evaluate"]


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
    __array__ = item = tolist = view = _decides  # type: ignore[assignment]

    def expect(self, test: Callable[[Array], None]) -> None:
        """Test the number that it was, and let every run test its own, if it is an input's."""
        if not np.size(self.value):
            return
        test(np.asarray(self.value))
        made = {id(e.output): e for e in self.program.equations}
        x, path = self, []
        while id(x) in made:
            e = made[id(x)]
            if e.op.name not in _VIEWS or len(e.inputs) != 1:
                return
            path.append(e)
            x = e.inputs[0]
        if any(x is v for v in self.program.inputs):
            check = Check(x, tuple(path[::-1]), test, user_site(), here.scope)
            self.program.checks.append(check)

    def copy(self) -> Var:
        """Itself: a variable is never written in place."""
        return self

    def ravel(self) -> Any:
        """All entries in one row."""
        return self.reshape(-1)


class Edge(NamedTuple):
    """A step of the chain rule: the rule that equations of the backward pass came from."""

    op: Op
    i: int
    g: Any
    values: tuple[Array, ...]
    attrs: Attrs


@dataclass(slots=True, eq=False)
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
        edge: The rule that it came from, in the backward pass.
    """

    op: Op
    inputs: tuple[Array, ...]
    attrs: Attrs
    output: Var
    site: Site = None
    scope: Scope = None
    phase: str = "forward"
    edge: Edge | None = None

    @property
    def pure(self) -> bool:
        """Whether it may be dropped or merged: drawing moves the generator on, so it may not."""
        return not any(type(x) is Var and isinstance(x.value, np.random.Generator)
                       for x in self.inputs)  # fmt: skip


@dataclass(slots=True, eq=False)
class Cell:
    """A place that outlives the step.

    Attributes:
        owner: The tensor, optimiser or generator.
        slot: Which of the owner's places; a generator is read as itself.
        before: The variable that stands for the content at the start; None if the step
            wrote it without reading it.
        held: What it held when the recording began.
        after: What it holds at the end: a variable, a constant, or None.
        absent: The step relies on its holding None at the start.
        name: What it is called in the generated code.
    """

    owner: Any
    slot: str
    before: Var | None
    held: Any
    after: Any = None
    absent: bool = False
    name: str = ""

    @property
    def changed(self) -> bool:
        """Whether the step leaves something else in it than it found."""
        return self.after is not (self.before if self.before is not None else self.held)


@dataclass(slots=True, eq=False)
class Check:
    """Something that an input has to be like, which was looked at while the step was recorded.

    Attributes:
        source: The input.
        path: The equations from there to what is looked at: other shapes, or a part of it.
        test: Takes an array, and raises where it is wrong.
        site: The user's instruction that asked.
        scope: The module call that asked.
    """

    source: Var
    path: tuple[Equation, ...]
    test: Callable[[Array], None]
    site: Site = None
    scope: Scope = None

    def __call__(self, array: Array) -> None:
        """Look at an array; what is raised is what the step itself would have raised there."""
        for e in self.path:
            array = e.op.forward(array, **e.attrs)
        if not array.size:
            return
        try:
            self.test(array)
        except TinygradError:
            outer, here.scope = here.scope, self.scope
            try:
                self.test(array)
            except TinygradError as e:
                where = str(place(self.site) or "")
                raise type(e)(e.what, where=where, why=e.why, fix=e.fix) from None
            finally:
                here.scope = outer

    def of_rows(self, arrays: Array) -> None:
        """Look at one array for each step, and raise for the first that is wrong."""
        if not self.path:
            try:
                return self.test(arrays) if arrays.size else None
            except TinygradError:
                pass
        for array in arrays:
            self(np.asarray(array))
        return None


@dataclass(slots=True, eq=False)
class Program:
    """One training step, straight.

    Attributes:
        inputs: The variables that stand for the step's arguments.
        cells: The places it reads and writes.
        equations: What it computes, in order.
        outputs: What it returns: variables and constants.
        checks: What its inputs have to be like.
        phase: The part of the step that is being recorded.
        edge: The rule that is being recorded.
        recording: Whether the recording is still going on.
    """

    inputs: list[Var] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    phase: str = "forward"
    edge: Edge | None = None
    recording: bool = True

    @property
    def reads(self) -> list[Cell]:
        """The cells whose content at the start matters."""
        return [cell for cell in self.cells if cell.before is not None]

    @property
    def writes(self) -> list[Cell]:
        """The cells that the step leaves changed."""
        return [cell for cell in self.cells if cell.changed]

    @property
    def results(self) -> list[Any]:
        """Everything that has to be known at the end: outputs and new contents of cells."""
        return [*self.outputs, *(cell.after for cell in self.writes)]

    def checks_by_input(self) -> Iterator[tuple[int, Check]]:
        """Each check, and the number of the input that it looks at."""
        for check in self.checks:
            yield next(i for i, v in enumerate(self.inputs) if v is check.source), check

    def with_equations(self, equations: list[Equation]) -> Program:
        """The same step computed by other equations, which define the same results."""
        return replace(self, equations=equations)

    def forget(self) -> None:
        """Let go of the numbers of the recording; shapes and dtypes stay."""
        for e in self.equations:
            e.output.value = _outline(e.output.value)
            if e.edge is not None:
                e.edge = e.edge._replace(
                    g=_outline(e.edge.g), values=tuple(map(_outline, e.edge.values))
                )
        for cell in self.cells:
            cell.held = _outline(cell.held)
            if cell.before is not None:
                cell.before.value = _outline(cell.before.value)
        for v in self.inputs:
            v.value = _outline(v.value)

    def check(self) -> Program:
        """Make sure that every variable is defined once and before it is used.

        Returns:
            Itself, so that passes can end with it.

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
        for v in self.results:
            if type(v) is Var and id(v) not in defined:
                raise CaptureError(
                    f"the step leaves {v!r} behind, which no equation defines",
                    why="a value of an earlier step was kept outside a tensor",
                    fix="Keep what outlives a step in a Tensor.",
                )
        return self

    def __str__(self) -> str:
        from tinygrad_mlp.program.printing import lines

        return "\n".join(lines(self))


def evaluate(program: Program, values: Mapping[int, Array]) -> list[Array]:
    """Run a program, equation by equation: slow, plain, and what back ends are compared with.

    Args:
        program: The program.
        values: What its inputs and cells hold, by ``id`` of their variable.

    Returns:
        The results: outputs, then the new contents of the cells that are written.
    """
    known = dict(values)
    for equation in program.equations:
        inputs = [known.get(id(x), x) for x in equation.inputs]
        known[id(equation.output)] = computed(equation.op, inputs, equation.attrs)
    return [known.get(id(v), v) for v in program.results]


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
    value = computed(op, [x.value if type(x) is Var else x for x in inputs], attrs)
    output = Var(program, value)
    inputs = tuple(x.copy() if type(x) is np.ndarray else x for x in inputs)
    program.equations.append(
        Equation(op, inputs, attrs, output, user_site(), here.scope, program.phase, program.edge)
    )
    return output


def _outline(value: Any) -> Any:
    """Zeros of the same shape and dtype that take no room; masks and indices as they are."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 64:
        return np.broadcast_to(np.zeros((), value.dtype), value.shape)
    return value


_VIEWS = {"reshape", "transpose", "matrix_transpose", "getitem", "broadcast_to", "cast"}
_ARITHMETIC = {"add", "sub", "mul", "div", "neg", "power", "constant_power"}


def computed(op: Op, inputs: list[Array], attrs: Attrs) -> Array:
    """What an op gives for numbers: an array, also where NumPy gives a scalar.

    Arithmetic of Python numbers gives a Python number, as it does outside a program: ``1 - beta``
    must not make float32 parameters float64.
    """
    y = op.forward(*inputs, **attrs)
    if not isinstance(y, np.generic):
        return y
    plain = op.name in _ARITHMETIC and all(type(x) in {float, int} for x in inputs)
    return y.item() if plain else np.asarray(y)


READERS[Var] = apply_var
