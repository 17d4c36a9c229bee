"""Capture: run the eager step itself, with program variables in the place of arrays.

This file knows what has to be watched while a step runs: the cells that it reads and writes.
It does not know the step. The engine, the modules and the optimiser are the ones that always
run; variables inside their tensors do the writing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp import cells
from tinygrad_mlp.errors import CaptureError
from tinygrad_mlp.graph import names
from tinygrad_mlp.ops import READERS, Array, Attrs, Op
from tinygrad_mlp.origin import place, tick
from tinygrad_mlp.program.ir import Cell, Program, Var
from tinygrad_mlp.tensor import Tensor, record

__all__ = ["capture", "same"]

_SLOTS = {"data": "_data", "grad": "_grad"}


class _Recorder:
    """The watcher of one recording."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.thread = threading.get_ident()
        self.began = tick()
        self.known: dict[tuple[int, str], Cell] = {}
        self.nodes: list[Tensor] = []

    def read(self, owner: Any, slot: str) -> Any:
        attribute = _SLOTS.get(slot, slot) if isinstance(owner, Tensor) else slot
        held = getattr(owner, attribute)
        if threading.get_ident() != self.thread or type(held) is Var or held is None:
            return held
        if isinstance(owner, Tensor) and owner.birth > self.began:
            return held  # made by this step: a constant of it
        known = self.known.get((id(owner), slot))
        if known is not None and known.before is None and isinstance(owner, Tensor):
            return held  # written before it is read: what it held does not matter
        if known is not None and known.before is not None and not isinstance(owner, Tensor):
            return known.before
        variable = Var(self.program, held)
        self._note(owner, slot, variable, held)
        if isinstance(owner, Tensor):
            setattr(owner, attribute, variable)
        return variable

    def wrote(self, owner: Any, slot: str) -> None:
        if threading.get_ident() == self.thread and owner.birth < self.began:
            if (id(owner), slot) not in self.known:
                self._note(owner, slot, None, getattr(owner, _SLOTS[slot]))

    def phase(self, name: str) -> None:
        self.program.phase = name

    def _note(self, owner: Any, slot: str, before: Var | None, held: Any) -> None:
        cell = Cell(owner, slot, before, held)
        self.known[id(owner), slot] = cell
        self.program.cells.append(cell)

    def record(self, op: Op, inputs: tuple[Array, ...], attrs: Attrs) -> Tensor:
        """The tensors' reader while recording: look into the tensors, then record as ever."""
        if threading.get_ident() == self.thread:
            for x in inputs:
                if isinstance(x, Tensor):
                    self.read(x, "data")
                    self._watch_gradient(x)
        node = record(op, inputs, attrs)
        self.nodes.append(node)
        return node

    def _watch_gradient(self, x: Tensor) -> None:
        """Backward may add to this leaf's gradient: note the cell before it does."""
        if x.op is None and x.requires_grad and (id(x), "grad") not in self.known:
            if x._grad is None:
                self.wrote(x, "grad")
            else:
                self.read(x, "grad")

    def finish(self) -> None:
        """Put numbers back into everything that outlives the step."""
        for cell in self.program.cells:
            if isinstance(cell.owner, Tensor):
                attribute = _SLOTS[cell.slot]
                cell.after = getattr(cell.owner, attribute)
                if type(cell.after) is Var:
                    setattr(cell.owner, attribute, cell.after.value)
            else:
                cell.after = cell.before
        self.program.recording = False

    def abandon(self) -> None:
        """The step failed: give everything back what it held."""
        for cell in self.program.cells:
            if isinstance(cell.owner, Tensor):
                setattr(cell.owner, _SLOTS[cell.slot], cell.held)
        self.program.recording = False


@contextmanager
def _watching(recorder: _Recorder) -> Iterator[None]:
    if cells.watcher is not None:
        raise CaptureError("a step is being captured already", fix="Compile the outer step only.")
    readers = {kind: reader for kind, reader in READERS.items() if reader is record}
    cells.watcher = recorder
    READERS.update(dict.fromkeys(readers, recorder.record))
    try:
        yield
    finally:
        cells.watcher = None
        READERS.update(readers)


def capture(step: Callable[..., Any], arguments: tuple[Array, ...], labels: tuple[str, ...]) -> Any:
    """Run `step` once and write down what it does.

    Args:
        step: A function of tensors that returns a tensor or a tuple of them.
        arguments: Arrays for its arguments.
        labels: What the arguments are called.

    Returns:
        The program, and what the step returned, as arrays.
    """
    program = Program()
    recorder = _Recorder(program)
    tensors = []
    for array, label in zip(arguments, labels, strict=True):
        t = Tensor(array, name=label)
        t._data = Var(program, t._data, label)
        program.inputs.append(t._data)
        tensors.append(t)
    try:
        with _watching(recorder):
            result = step(*tensors)
    except BaseException:
        recorder.abandon()
        raise
    outputs = result if isinstance(result, tuple) else (result,)
    program.outputs = [t._data if isinstance(t, Tensor) else t for t in outputs]
    _name(recorder)
    recorder.finish()
    program.check()
    values = tuple(v.value if type(v) is Var else v for v in program.outputs)
    return program, values if isinstance(result, tuple) else values[0]


def _name(recorder: _Recorder) -> None:
    """Call variables what the user calls the tensors that held them."""
    owners = [cell.owner for cell in recorder.program.cells if isinstance(cell.owner, Tensor)]
    nodes = {t.birth: t for t in (*owners, *recorder.nodes)}
    called = names(nodes[birth] for birth in sorted(nodes))
    for cell in recorder.program.cells:
        if isinstance(cell.owner, Tensor):
            cell.name = called[cell.owner.birth] + ("_grad" if cell.slot == "grad" else "")
        else:
            cell.name = cell.slot
        if cell.before is not None:
            cell.before.name = cell.name
    for node in nodes.values():
        for held, label in ((node._data, ""), (node._grad, "d_")):
            if type(held) is Var and not held.name:
                held.name = label + called[node.birth]


def same(first: Program, second: Program) -> None:
    """Compare two recordings of one step; what differs would be frozen by compiling.

    Raises:
        CaptureError: Naming the line, if the step took another path or used another number.
    """
    numbers = [_numbers(first), _numbers(second)]
    pairs = zip(first.equations, second.equations, strict=False)
    for a, b in pairs:
        wiring = [[n.get(id(x), "constant") for x in e.inputs]
                  for n, e in zip(numbers, (a, b), strict=True)]  # fmt: skip
        if a.op is not b.op or a.attrs != b.attrs or wiring[0] != wiring[1]:
            raise CaptureError(
                f"the step took another path the second time: {a.op.name}, then {b.op.name}",
                where=str(place(b.site) or ""),
                why="a compiled step runs the same equations every time",
                fix="Decide with np.where, or compile the two paths apart.",
            )
        for x, z in zip(a.inputs, b.inputs, strict=True):
            if type(x) is not Var and not np.array_equal(x, z, equal_nan=True):
                raise CaptureError(
                    f"{a.op.name} used {_short(x)} the first time and {_short(z)} the second",
                    where=str(place(b.site) or ""),
                    why="a number that no Tensor holds would be frozen",
                    fix="Keep it in a Tensor, or pass it as an argument of the step.",
                )
    if len(first.equations) != len(second.equations):
        raise CaptureError(
            f"the step ran {len(first.equations)} ops the first time "
            f"and {len(second.equations)} the second",
            fix="Make every step do the same, or compile the paths apart.",
        )


def _numbers(program: Program) -> dict[int, str]:
    numbers = {id(v): f"input {i}" for i, v in enumerate(program.inputs)}
    numbers |= {id(c.before): f"cell {i}" for i, c in enumerate(program.cells) if c.before is not None}
    numbers |= {id(e.output): f"equation {i}" for i, e in enumerate(program.equations)}
    return numbers


def _short(x: Any) -> str:
    return str(x) if np.ndim(x) == 0 else f"an array of shape {np.shape(x)}"
