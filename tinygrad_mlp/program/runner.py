"""The runner: a program tied to the tensors whose numbers it changes.

This file knows how state gets into the memory of the generated function and back, and who else
may be looking at it. The memory is written in place only while nobody but the tensors and the
runner holds it: whoever kept ``w.data`` of an earlier step, or a graph that used it, keeps it.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import tick
from tinygrad_mlp.program.arguments import Arguments, Given, WayIn, missing
from tinygrad_mlp.program.buffers import Made, buffered
from tinygrad_mlp.program.guards import Fact, checker, tests
from tinygrad_mlp.program.ir import Cell, Program, Var
from tinygrad_mlp.program.memory import Region, lives_on
from tinygrad_mlp.program.passes import unclamped
from tinygrad_mlp.program.scalars import apart, scalars
from tinygrad_mlp.tensor import NOTHING, Tensor, leaf

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
        arguments: How it is called.

    Attributes:
        remark: What is to be said about how it runs.
    """

    remark = ""

    def __init__(
        self,
        program: Program,
        kept: list[Fact],
        *,
        single: bool,
        slow: Callable[..., Any],
        arguments: Arguments,
    ) -> None:
        self.program, self.single = program, single
        self.made: Made = buffered(program)
        self._make = _built(self.made.text, self.made.constants)["make"]
        self.scalar_text: str | None = None
        self._make_quick = self._quick(program)
        self.cells = [cell for region in self.made.regions for cell in region.cells]
        self.rest = [c for c in program.writes if not lives_on(c)]
        self.turns: list[None] = [None]  # who takes it out may run, and puts it back
        self.space: dict[str, Any] = {}
        self._move()
        self._names(slow)
        way_in = arguments.way_in(len(program.inputs))
        self._write(kept, way_in, single=single)  # now all names inside are known
        numbers = itertools.chain(*self._numbers())
        way_in = arguments.way_in(len(program.inputs), {*self.space, *_WORDS, *numbers})
        self.open = way_in.open
        self.text = self._write(kept, way_in, single=single)
        exec(compile(self.text, _FILE, "exec"), self.space)
        self._count()
        self.call: Callable[..., Any] = self.space["call"]
        self.call.__qualname__ = arguments.name  # where Python itself refuses a call
        self._fits = checker(program, kept)
        self.scan = self._in_turn(self.scan)  # type: ignore[method-assign]

    def fits(self, *arrays: Any) -> bool:
        """Whether the program is right for these arguments, and for what the tensors hold now."""
        return self._fits(*arrays) and all(map(_still, self.cells))

    def run(self, given: Given) -> Any:
        """One step."""
        return given.passed_to(self.call) if self.open else self.call(*given.values)

    def _quick(self, program: Program) -> Callable[..., Any] | None:
        """What makes a quicker step on this memory, and an epoch of it; None if nothing does."""
        self.scalar_text = scalars(unclamped(program), self.made)
        return _built(self.scalar_text, {})["make"] if self.scalar_text else None

    # -- memory ------------------------------------------------------------------------------

    def _home(self) -> None:
        """New memory for all state; then count who holds it: nobody but the tensors and us."""
        self._move()
        self._count()

    def _count(self) -> None:
        space = self.space
        space["counts"] = [*map(sys.getrefcount, space["held"])]
        space["total"] = space["holders"]()

    def _move(self) -> None:
        """New memory for all state, with what the tensors hold in it.

        All regions are cut from one array, which is what every view of the memory holds on to,
        views of views too.
        """
        whole, flats = _cut(self.made.regions)
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
            self._make_quick(*flats) if self._make_quick else (self.careful, None)
        )
        space["held"] = [*views, whole]
        space["memory"] = whole
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

    def settled(self) -> bool:
        """Settle, if the tensors hold what the program is for; else leave no gradient of it."""
        try:
            self.settle()
        except StaleError:
            for cell, view in zip(self.cells, self.views, strict=True):
                if cell.slot == "grad" and cell.before is None and cell.owner._grad is view:
                    cell.owner._grad = None
            return False
        return True

    # -- one thread after the other ----------------------------------------------------------

    def wait(self) -> None:
        """Take the turn when another thread is done: all of them write to the same memory."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            scan = frame.f_code.co_name == "alone" and frame.f_locals.get("self") is self
            if scan or frame.f_globals is self.space:
                raise UsageError(
                    "a compiled step was called while it was running",
                    why="it would overwrite what it is computing",
                    fix="Call the step itself, or compile it a second time.",
                )
            frame = frame.f_back
        while True:
            try:
                return self.turns.pop()
            except IndexError:
                time.sleep(_PAUSE)

    def _in_turn(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def alone(*arrays: Any) -> Any:
            for i, check in self.program.checks_by_input():
                check.of_rows(arrays[i])
            try:
                self.turns.pop()
            except IndexError:
                self.wait()
            try:
                return function(*arrays)
            finally:
                self.turns.append(None)

        return alone

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

    def _names(self, slow: Callable[..., Any]) -> None:
        """What the source of ``call`` calls things."""
        space = self.space
        space.update(
            ndarray=np.ndarray, Tensor=Tensor, array=np.array, asarray=np.asarray, new=_new,
            nothing=NOTHING, tick=tick, getrefcount=sys.getrefcount, settle=self.settle, slow=slow,
            leaf=leaf, missing=missing, settled=self.settled, wait=self.wait,
            take=self.turns.pop, give=self.turns.append,
        )  # fmt: skip
        for i, cell in enumerate([*self.cells, *self.rest]):
            space[f"owner_{i}"] = cell.owner

    def _write(self, kept: list[Fact], way_in: WayIn, *, single: bool) -> str:
        """The source of ``call``: guards, the step, and its results as tensors."""
        slots = {i: _SLOT[c.slot] for i, c in enumerate([*self.cells, *self.rest])}
        arguments = [self._argument(i, c) for i, c in enumerate(self.made.arguments)]
        prepare, finish = self._prepare(slots), self._finish(slots)
        names = way_in.names
        numbers = self._numbers()
        test = tests(self.program, kept, self.space, names, lengths=not numbers)
        taken_apart = [
            f"    {apart(name, v.shape, own)}"
            for name, v, own in zip(names, self.program.inputs, numbers, strict=False)
        ]
        run = self._run([*names, *arguments])
        unpack = []
        for n in names:
            unpack += [
                f"if type({n}) is not ndarray:",
                f"    if type({n}) is not Tensor or {n}.op is not None:",
                f"        return slow({way_in.passed})",
                f"    {n} = {n}._data",
            ]
        guard = [
            "try:",
            *_lines("    ready = ", "and", [*way_in.tests, *test]),
            *taken_apart,
            "except Exception:",
            "    ready = False",
            "if not ready:",
            f"    return slow({way_in.passed})",
        ]
        parts = {
            f"def call({way_in.parameters}):": [
                *unpack, *guard, *self._checks(names),
                "try:", "    take()", "except IndexError:", "    wait()",
                "try:",
                *(f"    {line}" for line in [
                    *prepare, "    if not settled():", f"        return slow({way_in.passed})",
                    *run, *finish, *self._give(single=single),
                ]),
                "finally:", "    give(None)",
            ],
            "def prepare():": [*prepare, "    settle()"],
            "def holders():": [f"return {self._holders()}"],
            "def finish():": finish or ["return None"],
            "def given():": [f"return ({', '.join(arguments)}{',' * (len(arguments) == 1)})"],
        }  # fmt: skip
        return "\n".join(
            line for head, body in parts.items() for line in (head, *(f"    {b}" for b in body))
        )

    def _checks(self, names: list[str]) -> list[str]:
        """Look at arguments as the step itself does, before anything is written."""
        lines = []
        for k, (i, check) in enumerate(self.program.checks_by_input()):
            self.space[f"check_{k}"] = check
            lines.append(f"check_{k}({names[i]})")
        return lines

    def _run(self, given: list[str]) -> list[str]:
        """One step of what runs on what is given, as lines that leave its ``results``."""
        if not self._make_quick:
            return [f"results = step({', '.join(given)})"]
        numbers = [name for own in self._numbers() for name in own]
        rest = given[len(self.program.inputs) :]
        return [
            "try:",
            f"    results = step({', '.join([*numbers, *rest])})",
            "except (ArithmeticError, ValueError):",
            f"    results = careful({', '.join(given)})",
        ]

    def _numbers(self) -> list[list[str]]:
        """What ``call`` calls the numbers in each argument, if the step takes them one by one."""
        if not self.scalar_text:
            return []
        count = itertools.count()
        return [[f"number_{next(count)}" for _ in range(v.size)] for v in self.program.inputs]

    def _give(self, *, single: bool) -> list[str]:
        """The results as tensors. One is made on the spot, which saves a call."""
        outputs = self.program.outputs
        if not single:
            several = "tuple([leaf(asarray(r)) for r in results])"
            return [f"return {'(leaf(asarray(results)),)' if len(outputs) == 1 else several}"]
        numbers = all(np.ndim(v.value if type(v) is Var else v) == 0 for v in outputs)
        return [
            "result = new(Tensor)",
            f"result._data = {'array' if numbers else 'asarray'}(results)",
            *(f"result.{line}" for line in _LEAF),
            "return result",
        ]

    def _holders(self) -> str:
        """How many hold the memory. While the tensors hold theirs, a sum can only grow."""
        views = [f"view_{i}" for i in range(len(self.cells))]
        if len(views) > _FEW:
            return "sum(map(getrefcount, held))"
        return " + ".join(f"getrefcount({name})" for name in [*views, "memory"])

    def _prepare(self, slots: dict[int, str]) -> list[str]:
        """Gradients that are written anew show at once; then see who holds the memory."""
        grads = [i for i, c in enumerate(self.cells) if c.slot == "grad" and c.before is None]
        dirty = [
            f"owner_{i}.{slots[i]} is not view_{i}"
            for i in range(len(self.cells))
            if i not in grads
        ]
        dirty.append(f"{self._holders()} != total")
        moved = {id(c.owner) for c in self.cells if c.slot == "data"}
        return [
            *(f"owner_{i}._grad = view_{i}" for i in grads),
            # An eager step may follow: let it see that these gradients are new.
            *(f"owner_{i}.stale = False" for i in grads if id(self.cells[i].owner) not in moved),
            *_lines("if ", "or", dirty, ":"),
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


def _still(cell: Cell) -> bool:
    """Whether a tensor holds an array as it did when the step was recorded."""
    held = getattr(cell.owner, _SLOT[cell.slot])
    if held is None or (cell.slot == "grad" and cell.before is None):
        return True
    return held.shape == cell.after.shape and held.dtype == cell.after.dtype  # type: ignore[no-any-return]


def _fill(view: Array, held: Array) -> None:
    if held.shape != view.shape or held.dtype != view.dtype:
        raise StaleError
    view[...] = held


def _built(text: str, constants: dict[str, Array]) -> dict[str, Any]:
    space: dict[str, Any] = {"np": np, **constants}
    exec(compile(text, "<compiled step>", "exec"), space)
    return space


def _cut(regions: list[Region]) -> tuple[Array, list[Array]]:
    """One array of bytes, and in it an array for each region; each begins a line of the cache."""
    sizes = [region.size * region.dtype.itemsize for region in regions]
    starts = [0, *np.cumsum([-(-size // _LINE) * _LINE for size in sizes]).tolist()]
    whole = np.empty(starts[-1] + _LINE, np.uint8)
    first = -whole.ctypes.data % _LINE
    return whole, [
        whole[first + start : first + start + size].view(region.dtype)
        for region, start, size in zip(regions, starts, sizes, strict=False)
    ]


def _lines(head: str, word: str, conditions: list[str], tail: str = "") -> list[str]:
    """A condition over several lines, each joined to the rest by a word."""
    if len(conditions) < 2:
        return [f"{head}{' '.join(conditions) or 'True'}{tail}"]
    inner = " " * (len(head) - len(head.lstrip()))
    first, *rest = conditions
    return [
        f"{head}(",
        f"{inner}    {first}",
        *(f"{inner}    {word} {condition}" for condition in rest),
        f"{inner}){tail}",
    ]


_FEW = 40
_PAUSE = 50e-6
"""How long a thread sleeps before it looks again whether it is its turn."""
_LINE = 64
_FILE = __file__.removesuffix("runner.py") + "<compiled step>"  # no line in it is the user's
_WORDS = ("ready", "results", "result", "type", "sum", "map", "tuple", "Exception",
          "ArithmeticError", "ValueError", "total", "counts", "prepare", "finish", "given",
          "holders", "call", "IndexError")  # fmt: skip
_new = object.__new__
_LEAF = (
    "_grad = result.name = result.op = result.hooks = result.site = result.scope = None",
    "role = 'Tensor'",
    "requires_grad = result.stale = False",
    "inputs = result.values = ()",
    "attrs = nothing",
    "birth = tick()",
)
"""What the slots of a tensor without history hold, besides its data."""
