"""The compiled step: record twice, compare, then run the generated function.

This file knows when a step has to be recorded, which of its programs fits a call, and how many
of them are kept. How programs are made and run is for other files to know.
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import CaptureError, TrainingWarning, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import users_line
from tinygrad_mlp.program import passes
from tinygrad_mlp.program.arguments import Arguments, Given
from tinygrad_mlp.program.capture import Recording, capture
from tinygrad_mlp.program.compare import same
from tinygrad_mlp.program.guards import Fact, agreed, facts
from tinygrad_mlp.program.ir import Cell, Program
from tinygrad_mlp.program.lowering import lowered
from tinygrad_mlp.program.runner import Runner, StaleError
from tinygrad_mlp.program.source import Source, numpy_source
from tinygrad_mlp.program.surroundings import Surroundings, changes, copied
from tinygrad_mlp.program.surroundings import same as alike
from tinygrad_mlp.program.xla import XlaStep
from tinygrad_mlp.tensor import Tensor

__all__ = ["CompiledStep", "built", "held", "optimised"]

KEPT = 8
"""How many programs of one step are kept: one for each shape, dtype and mode."""

PATIENCE = 6
"""After so many recordings in a row that fit no other, it is said why."""

Key = tuple[tuple[str, ...], tuple[tuple[tuple[int, ...], Any], ...]]


class Pending(NamedTuple):
    """A recording that waits for another one to agree with it.

    Attributes:
        key: Names, shapes and dtypes of the arguments.
        recording: What was seen.
        program: Its program, without what nothing depends on.
        facts: What it relies on.
        changed: What the step changed around itself.
        drawn: The generators around it that it drew from, unseen.
    """

    key: Key
    recording: Recording
    program: Program
    facts: dict[Any, Fact]
    changed: set[str]
    drawn: set[int]


def optimised(program: Program) -> Program:
    """A program made smaller, equal up to the last bits of products."""
    return passes.run(
        program,
        [
            lowered,
            passes.constants,
            passes.algebra,
            passes.common_subexpressions,
            passes.early_products,
            passes.dead_code,
        ],
    )


class CompiledStep:
    """A training step that runs as the straight-line program that it was recorded as.

    Args:
        step: A function of tensors: forward, backward, update; it returns tensors.
        backend: ``"numpy"``, ``"native"``, ``"jax"``, or ``"auto"`` for what suits.
        devices: For JAX: the devices that share each batch, or their number.

    It is called like the step itself. The first two calls run the eager step and record it; from
    the third on the generated function runs. Both update the same parameters, so the two can be
    mixed freely. Another shape, dtype or mode is recorded anew.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")

    __call__: Callable[..., Any]
    """What runs now: the function of the latest program, or what looks for one that fits."""

    def __init__(
        self, step: Callable[..., Any], backend: str = "auto", devices: Any = None
    ) -> None:
        self.step = step
        self.backend, self.devices = backend, devices
        self.__name__ = getattr(step, "__name__", "step")
        self.__doc__ = step.__doc__ or self.__doc__
        self.arguments = Arguments(step, self.__name__)
        self.__signature__ = self.arguments.signature
        self.captures = 0
        self._pending: list[Pending] = []
        self._changing = threading.RLock()
        self._runners: list[tuple[Any, Program, tuple[str, ...]]] = []
        self._source: Source | None = None
        self._alone, self._reason = 0, ""
        self.__call__ = self._choose

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledStep:
        """The same step, or a copy of it, that is recorded anew: programs belong to one model."""
        twin = CompiledStep(copy.deepcopy(self.step, memo), self.backend, self.devices)
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledStep, (self.step, self.backend, self.devices)

    def scan(self, *arguments: Any, **named: Any) -> Any:
        """Run one step for each entry along the first axis of every argument: an epoch in a call.

        Args:
            *arguments: Arrays whose ``a[i]`` are the arguments of step number i.
            **named: The same, by name.

        Returns:
            What the step returns, for all steps: the losses, as one tensor.

        >>> import numpy as np
        >>> from tinygrad_mlp import Tensor
        >>> w = Tensor([0.0], name="w")
        >>> def step(x):
        ...     w.data = w.data + x.data
        ...     return w * 1.0
        >>> CompiledStep(step).scan(np.ones((4, 1))).tolist()
        [[1.0], [2.0], [3.0], [4.0]]
        """
        given = self._arrays(arguments, named)
        arrays = given.values
        count = self._length(arrays)
        rows: list[Any] = []
        result: Any = None
        while len(rows) < count:
            first = given._replace(values=tuple(np.asarray(a[len(rows)]) for a in arrays))
            runner, program = next(
                ((r, p) for r, p, names in self._runners if _fits(r, names, first)), (None, None)
            )
            if runner is not None and program is not None:
                if not _repeats(program):
                    result = first.passed_to(self._choose)
                    rows.append(result if isinstance(result, tuple) else (result,))
                    continue
                try:
                    found = runner.scan(*([a[len(rows) :] for a in arrays] if rows else arrays))
                except StaleError:
                    self._runners = [pair for pair in self._runners if pair[0] is not runner]
                    continue
                return self._joined(rows, found, single=runner.single)
            result = self._record(first)
            rows.append(result if isinstance(result, tuple) else (result,))
        return self._joined(rows, [], single=not isinstance(result, tuple))

    @staticmethod
    def _length(arrays: tuple[Array, ...]) -> int:
        lengths = {len(a) if a.ndim else -1 for a in arrays}
        if len(lengths) != 1 or lengths <= {-1, 0}:
            raise UsageError(
                f"scan() of arrays of shapes {', '.join(str(a.shape) for a in arrays)}",
                why="the first axis counts the steps",
                fix="Pass arrays of shape (steps, batch, …), with the same number of steps.",
            )
        return lengths.pop()

    @staticmethod
    def _joined(rows: list[Any], found: list[Array], *, single: bool) -> Any:
        """The results of recorded steps, and behind them those of the program."""
        columns = [[t.data for t in column] for column in zip(*rows, strict=True)]
        if found:
            columns = columns or [[] for _ in found]
            joined = [
                np.concatenate([np.stack(c), f]) if c else f
                for c, f in zip(columns, found, strict=True)
            ]
        else:
            joined = [np.stack(c) for c in columns]
        return Tensor(joined[0]) if single else tuple(map(Tensor, joined))

    # -- what one can look at ----------------------------------------------------------------

    @property
    def program(self) -> Program:
        """The step as equations, as it was recorded, without what nothing depends on.

        Raises:
            CaptureError: Before the second call, because only two recordings can be compared.
        """
        return self._latest()[1]

    @property
    def source(self) -> str:
        """The step as a NumPy function: the backpropagation you would have written by hand.

        It imports NumPy and nothing else, and computes what the eager step does, bit for bit.

        Raises:
            CaptureError: Before the second call, because only two recordings can be compared.
        """
        program = self.program
        if self._source is None:
            self._source = numpy_source(program, self.__name__)
        return self._source.text

    @property
    def executed(self) -> dict[str, str]:
        """What really runs: ``"buffers"``, NumPy in place, and for tiny steps ``"scalars"``.

        With the native backend, ``"native"`` is the text that LLVM compiled; a step that cannot be
        said so runs in one of the other forms, and ``"not native"`` says why.
        """
        forms: dict[str, str] = self._latest()[0].forms
        return forms

    def save(self, path: str | Path) -> None:
        """Write `source` to a file."""
        Path(path).write_text(self.source, encoding="utf-8")

    def _latest(self) -> tuple[Any, Program, tuple[str, ...]]:
        if not self._runners:
            if self._reason:
                raise CaptureError(
                    f"the step could not be compiled: {self._reason} differs from step to step",
                    fix="Let every step find the same things around itself.",
                )
            raise CaptureError(
                "the step has not been compiled yet", fix="Call it twice, then look at it."
            )
        return self._runners[0]

    def __repr__(self) -> str:
        remark = self._runners[0][0].remark if self._runners else ""
        return (
            f"<compiled {self.__name__}: {len(self._runners)} of {KEPT} programs, "
            f"{self.captures} recordings{f', {remark}' if remark else ''}>"
        )

    # -- which program -----------------------------------------------------------------------

    def _choose(self, *arguments: Any, **named: Any) -> Any:
        """Find the program that fits, or record one."""
        given = self._arrays(arguments, named)
        for i, (runner, _, names) in enumerate(self._runners):
            if _fits(runner, names, given):
                self._runners.insert(0, self._runners.pop(i))
                self._source = None
                self._take(runner)
                try:
                    return runner.run(given)
                except StaleError:
                    self._runners.pop(0)
                    self.__call__ = self._choose
                    break
        return self._record(given)

    def _take(self, runner: Any) -> None:
        """Let the next call begin with a program's own function, if that can be called so."""
        self.__call__ = runner.call if runner.open and self.arguments.fixed else self._choose

    def _arrays(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Given:
        """The arguments in the order of the signature, as arrays."""
        given = self.arguments.given(arguments, named)
        return given._replace(values=tuple(map(_array, given.values, given.labels)))

    def _record(self, given: Given) -> Any:
        """Run the step itself and watch it; make a program of two recordings that agree."""
        new = self._watched(given)
        result = new.recording.result
        single = not isinstance(result, tuple)
        try:
            with self._changing:
                self._pair(new, given.names, single=single)
        except CaptureError:
            new.recording.abandon()  # what is refused has not happened
            raise
        return Tensor(result) if single else tuple(map(Tensor, result))

    def _watched(self, given: Given) -> Pending:
        """One recording, with what the step found around itself and what it changed there."""
        arrays = given.values
        key = given.names, tuple((a.shape, a.dtype) for a in arrays)
        step = self.step if not given.names else lambda *ts: given.passed_to(self.step, ts)
        before = _around(
            self.step, [m for p in self._pending for m in p.recording.modules.values()]
        )
        contents = [(m, copied(vars(m))) for m in before.modules.values()]
        recording = capture(step, arrays, given.labels)
        self.captures += 1
        after = _around(self.step, recording.modules.values())
        program = passes.run(recording.program, [passes.dead_code, passes.unread_cells])
        return Pending(
            key,
            recording,
            program,
            facts(after, recording, program),
            set(changes(before.facts, after.facts, contents)),
            _drawn(before, after) - {id(cell.owner) for cell in recording.program.cells},
        )

    def _pair(self, new: Pending, names: tuple[str, ...], *, single: bool) -> None:
        """Compile, if an earlier recording agrees; else let the new one wait for another."""
        earlier = [p for p in self._pending if p.key == new.key]
        partner = next(((p, k) for p in earlier if (k := _agreement(p, new)) is not None), None)
        if partner is not None:
            self._pending.remove(partner[0])
            same(partner[0].program, new.program)
        _refuse_changes(earlier, new)
        if partner is not None:
            try:
                self._compile(new.program, partner[1], names, single=single)
            except CaptureError:
                self._pending.append(partner[0])  # the next call shall hear the same
                raise
            self._alone = 0
            return
        self._pending = [*self._pending[1 - KEPT :], new]
        self._alone += bool(earlier)
        if earlier and self._alone == PATIENCE - 1:
            self._say_why(earlier, new)

    def _say_why(self, earlier: list[Pending], new: Pending) -> None:
        """Warn that no two recordings agree, so that every step is recorded."""
        self._reason = _difference(earlier[-1], new)
        warnings.warn(
            f"{self.__name__} has been recorded {PATIENCE} times, and no two recordings agree: "
            f"{self._reason} differs from step to step. It runs, but without being compiled.",
            TrainingWarning,
            stacklevel=5,
        )

    def _compile(
        self, program: Program, kept: list[Fact], names: tuple[str, ...], *, single: bool
    ) -> None:
        runner: Any
        slow = self._choose
        if self.backend == "jax":
            runner = XlaStep(program, kept, single=single, slow=slow, devices=self.devices)
        else:
            kind = Runner
            if self.backend == "native":
                from tinygrad_mlp.program.native import NativeRunner

                kind = NativeRunner
            runner = kind(
                optimised(program), kept, single=single, slow=slow, arguments=self.arguments
            )
        runner.program.forget()
        program.forget()
        self._runners.insert(0, (runner, program, names))
        self._source = None
        self._take(runner)
        if len(self._runners) > KEPT:
            self._runners.pop()
            warnings.warn(
                f"{self.__name__} has been compiled {self.captures // 2} times, for as many "
                f"shapes and modes; only {KEPT} are kept. Give batches one size (drop_last=True).",
                TrainingWarning,
                stacklevel=4,
            )


def _around(step: Callable[..., Any], modules: Iterable[Any]) -> Surroundings:
    around = Surroundings()
    around.look(step, modules)
    return around


def _agreement(one: Pending, other: Pending) -> list[Fact] | None:
    """What two recordings of one step both rely on; None if they are of different steps."""
    if _left(one) != _left(other) or other.changed - one.changed:
        return None
    return agreed(one.facts, other.facts)


def _left(pending: Pending) -> set[tuple[int, str]]:
    """The cells that a step writes."""
    return {(id(cell.owner), cell.slot) for cell in pending.recording.program.writes}


def _drawn(before: Surroundings, after: Surroundings) -> set[int]:
    """The random generators that are no longer where they were."""
    return {g for g, state in before.states.items() if after.states.get(g, state) != state}


def _refuse_changes(earlier: list[Pending], new: Pending) -> None:
    """Refuse a step that changes something around itself, or draws numbers unseen, every time."""
    if not earlier:
        return
    for name in sorted(new.changed & earlier[-1].changed):
        raise CaptureError(
            f"the step changed {name} in Python",
            where=users_line(),
            why="a compiled step runs equations, and no equation says how it changes",
            fix="Change it outside the step, or keep it in a Tensor or nn.Buffer and compute it.",
        )
    if new.drawn:
        raise CaptureError(
            "the step drew numbers from a generator in Python",
            where=users_line(),
            why="they would be frozen: a compiled step runs equations, and none draws them",
            fix="Draw outside, and pass the numbers as an argument of the step.",
        )


def _difference(one: Pending, other: Pending) -> str:
    """What two recordings that do not agree do not agree about, in words."""
    for key in one.facts.keys() ^ other.facts.keys():
        if key[0] == "around":
            return str(key[-1])
    for key in one.facts.keys() & other.facts.keys():
        if not alike(one.facts[key].value, other.facts[key].value):
            return str(key[-1]) if key[0] == "around" else "an attribute of a module"
    return "what the step reads or writes"


def _repeats(program: Program) -> bool:
    """Whether a program leaves gradients as it needs to find them: there, or not there."""
    return not any(
        cell.slot == "grad"
        and (
            (cell.absent and cell.after is not None)
            or (cell.before is not None and cell.after is None)
        )
        for cell in program.cells
    )


def _fits(runner: Any, names: tuple[str, ...], given: Given) -> bool:
    return names == given.names and bool(runner.fits(*given.values))


def _array(a: Any, label: str) -> Array:
    if isinstance(a, Tensor):
        if a.op is not None:
            raise UsageError(
                f"the argument {label!r} of a compiled step has a history",
                why="gradients could not flow out of the program",
                fix=f"Pass {label}.detach(), or compute it inside the step.",
            )
        if a.requires_grad:
            raise UsageError(
                f"the argument {label!r} of a compiled step needs a gradient",
                why="a program is given arrays, and your tensor would not receive its gradient",
                fix=f"Let the step find it around itself, as it finds its parameters; or pass "
                f"{label}.detach() and return tg.grad(...) of it.",
            )
        return a.data
    return np.asarray(a)


def built(source: Source) -> Callable[..., Any]:
    """The function that a source defines."""
    space: dict[str, Any] = {}
    exec(compile(source.text, f"<compiled {source.name}>", "exec"), space)
    return space[source.name]  # type: ignore[no-any-return]


def held(cell: Cell) -> Any:
    """What a cell holds now."""
    return getattr(cell.owner, cell.slot) if cell.slot else cell.owner
