"""The runner: a program tied to the tensors whose numbers it changes.

This file knows how state gets into the memory of the generated function and back, and who else
may be looking at it. The memory is written in place only while nobody but the tensors and the
runner holds it: whoever kept ``w.data`` of an earlier step, or a graph that used it, keeps it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import tick
from tinygrad_mlp.program.buffers import Made, buffered
from tinygrad_mlp.program.guards import Fact, checker, tests
from tinygrad_mlp.program.ir import Cell, Program
from tinygrad_mlp.program.memory import lives_on
from tinygrad_mlp.program.passes import unclamped
from tinygrad_mlp.program.scalars import scalars
from tinygrad_mlp.tensor import Tensor

__all__ = ["Runner", "StaleError"]

_SLOT = {"data": "_data", "grad": "_grad"}


class StaleError(Exception):
    """A parameter has another shape or dtype than the program was made for."""


class Runner:
    """Runs one program.

    Args:
        program: The program, lowered and simplified.
        kept: What it relies on.
        single: Whether it returns one thing and not a tuple.
        slow: What to call with the arguments when a guard does not hold.
    """

    def __init__(
        self, program: Program, kept: list[Fact], *, single: bool, slow: Callable[..., Any]
    ) -> None:
        self.program = program
        self.made: Made = buffered(program)
        self.scalar_text = scalars(unclamped(program), self.made)
        self._make = _built(self.made.text, self.made.constants)["make"]
        self._make_scalars = _built(self.scalar_text, {})["make"] if self.scalar_text else None
        self.cells = [cell for region in self.made.regions for cell in region.cells]
        self.rest = [c for c in program.writes if not lives_on(c)]
        self.space: dict[str, Any] = {}
        self._home()
        self.single = single
        self.text = self._write(kept, single=single, slow=slow)
        exec(compile(self.text, "<compiled step>", "exec"), self.space)
        self.call: Callable[..., Any] = self.space["call"]
        self.fits = checker(program, kept)

    # -- memory ------------------------------------------------------------------------------

    def _home(self) -> None:
        """New memory for all state; then count who holds it: nobody but the tensors and us."""
        self._move()
        self.space["counts"] = [*map(sys.getrefcount, self.space["held"])]

    def _move(self) -> None:
        """New memory for all state, with what the tensors hold in it."""
        flats = [np.empty(region.size, region.dtype) for region in self.made.regions]
        views: list[Array] = []
        for flat, region in zip(flats, self.made.regions, strict=True):
            for cell, start, end in region.spans():
                view = flat[start:end].reshape(cell.after.shape)
                held = getattr(cell.owner, _SLOT[cell.slot])
                if held is not None:
                    _fill(view, held)
                views.append(view)
        self.views = views
        space = self.space
        self.careful = space["careful"] = self._make(*flats)
        space["step"], space["epoch"] = (
            self._make_scalars(*flats) if self._make_scalars else (self.careful, None)
        )
        space["held"] = [*views, *flats]
        for i, (cell, view) in enumerate(zip(self.cells, views, strict=True)):
            setattr(cell.owner, _SLOT[cell.slot], view)
            space[f"view_{i}"] = view

    @property
    def forms(self) -> dict[str, str]:
        """The sources of what runs, by the name of the form."""
        forms = {"scalars": self.scalar_text, "buffers": self.made.text, "call": self.text}
        return {name: text for name, text in forms.items() if text}

    def settle(self) -> None:
        """Take over what was assigned from outside; move away from who holds the memory."""
        expected = list(self.space["counts"])
        moved = []
        for i, cell in enumerate(self.cells):
            if getattr(cell.owner, _SLOT[cell.slot]) is not self.views[i]:
                expected[i] -= 1
                moved.append(i)
        counts = [*map(sys.getrefcount, self.space["held"])]
        if any(now > then for now, then in zip(counts, expected, strict=True)):
            self._home()
            return
        for i in moved:
            cell, view = self.cells[i], self.views[i]
            held = getattr(cell.owner, _SLOT[cell.slot])
            if held is not None and (cell.before is not None or cell.slot == "data"):
                _fill(view, held)
            setattr(cell.owner, _SLOT[cell.slot], view)

    # -- a whole epoch -----------------------------------------------------------------------

    def scan(self, *arrays: Array) -> list[Array]:
        """A step for each entry along the first axis of every array."""
        space = self.space
        space["prepare"]()
        given = space["given"]()
        rows = None
        if space["epoch"] is not None and len(arrays[0]) and arrays:
            try:
                rows = space["epoch"](*arrays, *given)
            except (ArithmeticError, ValueError):
                rows = None  # nothing has been written yet
        if rows is None:
            step = self.careful
            each = zip(*(a if a.ndim > 1 else map(np.asarray, a) for a in arrays), strict=True)
            rows = [step(*xs, *given) for xs in each]
        space["finish"]()
        count = len(self.program.outputs)
        if count == 1:
            return [np.array(rows)]
        return [np.array([row[k] for row in rows]) for k in range(count)]

    # -- the function that is called ---------------------------------------------------------

    def _write(self, kept: list[Fact], *, single: bool, slow: Callable[..., Any]) -> str:
        """The source of ``call``: guards, the step, and its results as tensors."""
        space = self.space
        space.update(
            Tensor=Tensor, array=np.asarray, getrefcount=sys.getrefcount, settle=self.settle,
            slow=slow, leaf=leaf,
        )  # fmt: skip
        names = [f"x{i}" for i in range(len(self.program.inputs))]
        test = " and ".join(tests(self.program, kept, space)) or "True"
        for i, cell in enumerate([*self.cells, *self.rest]):
            space[f"owner_{i}"] = cell.owner
        slots = {i: _SLOT[c.slot] for i, c in enumerate([*self.cells, *self.rest])}
        arguments = [self._argument(i, c) for i, c in enumerate(self.made.arguments)]
        prepare, finish = self._prepare(slots), self._finish(slots)
        given = ", ".join([*names, *arguments])
        run = [f"results = step({given})"]
        if self._make_scalars:
            run = [
                "try:",
                f"    results = step({given})",
                "except (ArithmeticError, ValueError):",
                f"    results = careful({given})",
            ]
        give = "leaf(array(results))"
        if not single:
            alone = len(self.program.outputs) == 1
            give = f"({give},)" if alone else "tuple([leaf(array(r)) for r in results])"
        unpack = []
        for n in names:
            test = test.replace(f"type({n}) is ndarray and ", "")
            unpack += [
                f"if type({n}) is not ndarray:",
                f"    if type({n}) is not Tensor or {n}.op is not None:",
                f"        return slow({', '.join(names)})",
                f"    {n} = {n}._data",
            ]
        guard = [
            "try:",
            f"    ready = {test}",
            "except Exception:",
            "    ready = False",
            "if not ready:",
            f"    return slow({', '.join(names)})",
        ]
        parts = {
            f"def call({', '.join(names)}):": [
                *unpack, *guard, *prepare, *run, *finish, f"return {give}",
            ],
            "def prepare():": prepare,
            "def finish():": finish or ["return None"],
            "def given():": [f"return ({', '.join(arguments)}{',' * (len(arguments) == 1)})"],
        }  # fmt: skip
        return "\n".join(
            line for head, body in parts.items() for line in (head, *(f"    {b}" for b in body))
        )

    def _prepare(self, slots: dict[int, str]) -> list[str]:
        """Gradients that are written anew show at once; then see who holds the memory."""
        grads = [i for i, c in enumerate(self.cells) if c.slot == "grad" and c.before is None]
        dirty = [
            f"owner_{i}.{slots[i]} is not view_{i}"
            for i in range(len(self.cells))
            if i not in grads
        ]
        dirty.append("[*map(getrefcount, held)] != counts")
        moved = {id(c.owner) for c in self.cells if c.slot == "data"}
        return [
            *(f"owner_{i}._grad = view_{i}" for i in grads),
            # An eager step may follow: let it see that these gradients are new.
            *(f"owner_{i}.stale = False" for i in grads if id(self.cells[i].owner) not in moved),
            f"if {' or '.join(dirty)}:",
            "    settle()",
        ]

    def _finish(self, slots: dict[int, str]) -> list[str]:
        """Cells that are left with nothing, or always with the same."""
        lines = []
        for i, cell in enumerate(self.rest, len(self.cells)):
            self.space[f"constant_{i}"] = cell.after
            value = "None" if cell.after is None else f"constant_{i}.copy()"
            lines.append(f"owner_{i}.{slots[i]} = {value}")
        return lines

    def _argument(self, i: int, cell: Cell) -> str:
        """How the content of a cell that is only read gets to the step."""
        self.space[f"given_{i}"] = cell.owner
        if not cell.slot:
            return f"given_{i}"
        return f"given_{i}.{_SLOT[cell.slot] if isinstance(cell.owner, Tensor) else cell.slot}"


def _fill(view: Array, held: Array) -> None:
    if held.shape != view.shape or held.dtype != view.dtype:
        raise StaleError
    view[...] = held


def _built(text: str, constants: dict[str, Array]) -> dict[str, Any]:
    space: dict[str, Any] = {"np": np, **constants}
    exec(compile(text, "<compiled step>", "exec"), space)
    return space


_new = object.__new__
_NOTHING: dict[str, Any] = {}


def leaf(array: Array) -> Tensor:
    """A tensor without history, made faster than by calling `Tensor`."""
    t: Tensor = _new(Tensor)
    t._data = array
    t._grad = t.name = t.op = t.hooks = t.site = t.scope = None
    t.requires_grad = False
    t.inputs = t.values = ()
    t.attrs = _NOTHING
    t.birth = tick()
    t.written = 0
    return t
