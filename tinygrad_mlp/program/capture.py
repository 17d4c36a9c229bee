"""Capture: run the eager step itself, with program variables in the place of arrays.

This file knows what has to be watched while a step runs: the cells that it reads and writes, and
which rule of the chain rule is at work. It does not know the step. The engine, the modules and
the optimiser are the ones that always run; variables inside their tensors do the writing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from tinygrad_mlp import cells
from tinygrad_mlp.errors import CaptureError
from tinygrad_mlp.graph import names
from tinygrad_mlp.ops import READERS, Array, Attrs, Op
from tinygrad_mlp.origin import scope_modules, tick
from tinygrad_mlp.program.ir import Cell, Edge, Program, Var, apply_var
from tinygrad_mlp.tensor import Tensor

__all__ = ["Recording", "capture"]

_SLOTS = {"data": "_data", "grad": "_grad"}
_NUMBERS = (float, int, np.floating, np.random.Generator)
_one_at_a_time = threading.Lock()  # threads that capture wait for each other


class Recording(cells.Watcher):
    """The watcher of one recording, and afterwards what it saw.

    Attributes:
        program: What was written down.
        modules: Every module that was called, by id.
        arguments: The tensors that it was given.
        arrays: The arrays that took part and that no tensor held.
        result: What the step returned, with arrays in the place of tensors.
    """

    captures: ClassVar[bool] = True

    def __init__(self) -> None:
        self.program = Program()
        self.began = tick()
        self.known: dict[tuple[int, str], Cell] = {}
        self.nodes: list[Tensor] = []
        self.ops: dict[int, Op] = {}  # nodes forget theirs with keep_graph=False
        self.modules: dict[int, Any] = {}
        self.arguments: list[Tensor] = []
        self.arrays: list[Array] = []
        self.result: Any = None

    # -- what the watched ask ----------------------------------------------------------------

    def read(self, owner: Any, slot: str, held: Any) -> Any:  # noqa: PLR0911 - a line for each kind
        """The content of a cell, as a variable; noted the first time."""
        if type(held) is Var:
            return held
        known = self.known.get((id(owner), slot))
        if isinstance(owner, Tensor):
            if owner.birth > self.began:
                return held  # made by this step: a constant of it
            if held is None:
                if known is None:
                    self._note(owner, slot, None, None).absent = True
                return None
            if known is not None:
                return held  # written meanwhile, and not by an equation: a constant of the step
        elif isinstance(held, bool) or not isinstance(held, _NUMBERS):
            return held  # a flag steers the step: it is part of its key
        elif known is not None:
            return known.before
        variable = Var(self.program, held)
        self._note(owner, slot, variable, held)
        if isinstance(owner, Tensor):
            setattr(owner, _SLOTS[slot], variable)
        return variable

    def wrote(self, owner: Any, slot: str) -> None:
        """Note a cell before it is overwritten."""
        if owner.birth > self.began:
            if any(owner is t for t in self.arguments):
                raise _written_argument(owner, slot)
            return
        known = self.known.get((id(owner), slot))
        if known is None:
            self._note(owner, slot, None, getattr(owner, _SLOTS[slot]))
        elif self.program.phase == "forward":
            known.absent = False  # zero_grad() before backward: it need not have been None

    def phase(self, name: str) -> None:
        """Note that the step goes over to another part."""
        self.program.phase = name

    def _note(self, owner: Any, slot: str, before: Var | None, held: Any) -> Cell:
        cell = Cell(owner, slot, before, held)
        self.known[id(owner), slot] = cell
        self.program.cells.append(cell)
        return cell

    def apply(self, op: Op, inputs: tuple[Array, ...], values: list[Array], attrs: Attrs) -> Array:
        """Apply an op to variables in the place of what tensors hold: that writes an equation."""
        for i, x in enumerate(inputs):
            if isinstance(x, Tensor):
                values[i] = self.read(x, "data", x._data)
                self._watch_gradient(x)
            elif isinstance(x, np.ndarray):
                self.arrays.append(x)
        return op.apply(values, attrs)

    def recorded(self, node: Tensor, op: Op, inputs: tuple[Array, ...]) -> None:
        """Remember the tensor, and the modules that were being called."""
        self.nodes.append(node)
        self.ops[node.birth] = op
        for module in scope_modules(node.scope):
            self.modules[id(module)] = module

    def draw(self, op: Op, inputs: tuple[Array, ...], attrs: Attrs) -> Any:
        """The generators' reader: a generator is a cell, and drawing an equation."""
        if cells.mine() is not self:  # another thread draws meanwhile
            return op.forward(*inputs, **attrs)
        lifted = tuple(
            self.read(x, "", x) if isinstance(x, np.random.Generator) else x for x in inputs
        )
        return apply_var(op, lifted, attrs)

    def pulling(self, pullback: Callable[..., Array]) -> Callable[..., Array]:
        """`pullback`, with a note of the edge whose rule is running."""

        def noting(op: Op, i: int, g: Array, values: tuple[Array, ...], attrs: Attrs) -> Array:
            outer = self.program.edge
            self.program.edge = Edge(op, i, _inside(g), tuple(map(_inside, values)), attrs)
            try:
                return pullback(op, i, g, values, attrs)
            finally:
                self.program.edge = outer

        return noting

    def _watch_gradient(self, x: Tensor) -> None:
        """Backward may add to this leaf's gradient: note the cell before it does."""
        if x.op is None and x.requires_grad and (id(x), "grad") not in self.known:
            self.read(x, "grad", x._grad)

    # -- the end -----------------------------------------------------------------------------

    def finish(self, result: Any) -> None:
        """Put numbers back into everything that outlives the step."""
        self.program.outputs = [_inside(t) for t in _several(result)]
        self._name()
        for cell in self.program.cells:
            if isinstance(cell.owner, Tensor):
                attribute = _SLOTS[cell.slot]
                cell.after = getattr(cell.owner, attribute)
                if isinstance(cell.after, Tensor):  # after create_graph=True
                    cell.after = _inside(cell.after)
                if type(cell.after) is Var:
                    setattr(cell.owner, attribute, _own(cell.after.value))
            else:
                cell.after = cell.before
                self._refuse_change(cell)
        self.program.recording = False
        values = tuple(_own(v.value) if type(v) is Var else v for v in self.program.outputs)
        self.result = values if isinstance(result, tuple) else values[0]

    def abandon(self) -> None:
        """The step failed: give everything back what it held."""
        for cell in self.program.cells:
            if isinstance(cell.owner, Tensor):
                setattr(cell.owner, _SLOTS[cell.slot], cell.held)
        self.program.recording = False

    @staticmethod
    def _refuse_change(cell: Cell) -> None:
        if not cell.slot or getattr(cell.owner, cell.slot) is cell.held:
            return
        raise CaptureError(
            f"the step changed {cell.slot} from {cell.held} to "
            f"{getattr(cell.owner, cell.slot)} in Python",
            why="a compiled step runs equations, and no equation says how it changes",
            fix="Change it between steps: call scheduler.step() outside the compiled function.",
        )

    def _name(self) -> None:
        """Call variables what the user calls the tensors that held them."""
        owners = [cell.owner for cell in self.program.cells if isinstance(cell.owner, Tensor)]
        nodes = {t.birth: t for t in (*owners, *self.nodes)}
        called = names(_Named(nodes[b], self.ops.get(b)) for b in sorted(nodes))
        called.update(self._names_of_state(called))
        for cell in self.program.cells:
            if isinstance(cell.owner, Tensor):
                cell.name = called[cell.owner.birth] + (".grad" if cell.slot == "grad" else "")
            else:
                cell.name = cell.slot or "generator"
            if cell.before is not None:
                cell.before.name = cell.name
        for node in nodes.values():
            for held, label in ((node._data, ""), (node._grad, "d_")):
                if type(held) is Var and not held.name:
                    held.name = label + called[node.birth]

    def _names_of_state(self, called: dict[int, str]) -> Iterator[tuple[int, str]]:
        """What an optimiser remembers of ``w``: ``w.momentum_buffer``."""
        groups = {id(c.owner): c.owner for c in self.program.cells if hasattr(c.owner, "state")}
        for group in groups.values():
            for p, state in zip(group.params, group.state, strict=True):
                for name, t in state.items():
                    if t.birth in called:
                        yield t.birth, f"{called.get(p.birth, 'p')}.{name}"


class _Named:
    """What the namer asks a node."""

    def __init__(self, node: Tensor, op: Op | None) -> None:
        self.name, self.birth, self.site, self.scope = node.name, node.birth, node.site, node.scope
        self.op = op


def _inside(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


def _own(value: Array) -> Array:
    """An array that nobody else sees: a rule may have handed out what is another's too."""
    return value.copy(order="K") if isinstance(value, np.ndarray) else value


def _several(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _written_argument(owner: Tensor, slot: str) -> CaptureError:
    return CaptureError(
        f"the step writes {owner.name}.{slot}, and {owner.name!r} is one of its arguments",
        why="a program is given arrays, and what it writes would not reach your tensor",
        fix=f"Let the step find {owner.name!r} around itself, as it finds its parameters.",
    )


def _check_result(result: Any) -> None:
    """Refuse what is no tensor and no tuple of tensors, before the step has had any effect."""
    for part in _several(result) or (None,):
        if not isinstance(part, Tensor | np.ndarray | np.generic | float | int | Var):
            kind = "nothing" if part is None else f"a {type(part).__name__}"
            raise CaptureError(
                f"the step returned {kind}" + (" in a tuple" if part is not result else ""),
                why="a compiled step returns tensors",
                fix="Return the loss, or a tuple of tensors: return loss, prediction.",
            )


@contextmanager
def _watching(recording: Recording) -> Iterator[None]:
    if cells.capturing():
        raise CaptureError("a step is being captured already", fix="Compile the outer step only.")
    with _one_at_a_time:
        READERS[np.random.Generator] = recording.draw
        end = cells.watch(recording)
        try:
            yield
        finally:
            end()
            del READERS[np.random.Generator]


def capture(
    step: Callable[..., Any], arguments: tuple[Array, ...], labels: tuple[str, ...]
) -> Recording:
    """Run `step` once and write down what it does.

    Args:
        step: A function of tensors that returns a tensor or a tuple of them.
        arguments: Arrays for its arguments.
        labels: What the arguments are called.

    Raises:
        CaptureError: If the step looks at a value, or keeps one outside the tensors.
    """
    recording = Recording()
    tensors = []
    for array, label in zip(arguments, labels, strict=True):
        t = Tensor(array, name=label)
        variable = Var(recording.program, t._data, label)
        recording.program.inputs.append(variable)
        recording.arguments.append(t)
        t._data = variable  # type: ignore[assignment]
        tensors.append(t)
    try:
        with _watching(recording):
            result = step(*tensors)
        _check_result(result)
        recording.finish(result)
        recording.program.check()
    except BaseException:
        recording.abandon()
        raise
    return recording
