"""The compiled step: record twice, compare, then run the generated function.

This file knows when a step has to be recorded, which of its programs fits a call, and how many
of them are kept. How programs are made and run is for other files to know.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CaptureError, TrainingWarning, UnsupportedError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.program import passes
from tinygrad_mlp.program.capture import Recording, capture
from tinygrad_mlp.program.compare import same
from tinygrad_mlp.program.guards import Fact, agreed, facts
from tinygrad_mlp.program.ir import Cell, Program
from tinygrad_mlp.program.lowering import lowered
from tinygrad_mlp.program.runner import Runner, StaleError
from tinygrad_mlp.program.source import Source, numpy_source
from tinygrad_mlp.tensor import Tensor

__all__ = ["BACKENDS", "CompiledStep", "compile_step", "optimised"]

BACKENDS = ("auto", "numpy", "native", "jax")
KEPT = 8
"""How many programs of one step are kept: one for each shape, dtype and mode."""

Key = tuple[tuple[tuple[int, ...], Any], ...]


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

    The first two calls run the eager step and record it; from the third on the generated
    function runs. Both update the same parameters, so the two can be mixed freely. Another
    shape, dtype or mode is recorded anew.
    """

    def __init__(self, step: Callable[..., Any], backend: str = "auto") -> None:
        self.step = step
        self.backend = backend
        self.__name__ = getattr(step, "__name__", "step")
        self.__doc__ = step.__doc__ or self.__doc__
        self.labels = tuple(inspect.signature(step).parameters)
        self.captures = 0
        self._pending: list[tuple[Key, Recording, dict[Any, Fact]]] = []
        self._runners: list[tuple[Runner, Program]] = []
        self._call: Callable[..., Any] = self._choose
        self._source: Source | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Run one step, compiled as soon as two recordings agree."""
        return self._call(*arguments)

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
        """What really runs: ``"buffers"``, NumPy in place, and for tiny steps ``"scalars"``."""
        runner = self._latest()[0]
        forms = {"scalars": runner.scalar_text, "buffers": runner.made.text, "call": runner.text}
        return {name: text for name, text in forms.items() if text}

    def save(self, path: str | Path) -> None:
        """Write `source` to a file."""
        Path(path).write_text(self.source, encoding="utf-8")

    def _latest(self) -> tuple[Runner, Program]:
        if not self._runners:
            raise CaptureError(
                "the step has not been compiled yet", fix="Call it twice, then look at it."
            )
        return self._runners[0]

    def __repr__(self) -> str:
        return (
            f"<compiled {self.__name__}: {len(self._runners)} of {KEPT} programs, "
            f"{self.captures} recordings>"
        )

    # -- which program -----------------------------------------------------------------------

    def _choose(self, *arguments: Any) -> Any:
        """Find the program that fits, or record one."""
        arrays = tuple(_array(a, self.labels[i]) for i, a in enumerate(arguments))
        for i, (runner, _) in enumerate(self._runners):
            if len(arrays) == len(runner.program.inputs) and runner.fits(*arrays):
                self._runners.insert(0, self._runners.pop(i))
                self._source = None
                self._call = runner.call
                try:
                    return runner.call(*arrays)
                except StaleError:
                    self._runners.pop(0)
                    self._call = self._choose
                    break
        return self._record(arrays)

    def _record(self, arrays: tuple[Array, ...]) -> Any:
        key = tuple((a.shape, a.dtype) for a in arrays)
        recording = capture(self.step, arrays, self.labels[: len(arrays)])
        self.captures += 1
        program = passes.run(recording.program, [passes.dead_code, passes.unread_cells])
        found = facts(self.step, recording, program)
        for i, (other, earlier, theirs) in enumerate(self._pending):
            kept = agreed(theirs, found) if other == key else None
            if kept is not None:
                del self._pending[i]
                same(earlier.program, recording.program)
                self._compile(program, kept, single=not isinstance(recording.result, tuple))
                break
        else:
            self._pending = [*self._pending[1 - KEPT :], (key, recording, found)]
        result = recording.result
        return tuple(map(Tensor, result)) if isinstance(result, tuple) else Tensor(result)

    def _compile(self, program: Program, kept: list[Fact], *, single: bool) -> None:
        runner = Runner(optimised(program), kept, single=single, slow=self._choose)
        self._runners.insert(0, (runner, program))
        self._source = None
        self._call = runner.call
        if len(self._runners) > KEPT:
            self._runners.pop()
            warnings.warn(
                f"{self.__name__} has been compiled {self.captures // 2} times, for as many "
                f"shapes and modes; only {KEPT} are kept. Give batches one size (drop_last=True).",
                TrainingWarning,
                stacklevel=4,
            )


def _array(a: Any, label: str) -> Array:
    if isinstance(a, Tensor):
        if a.op is not None:
            raise UsageError(
                f"the argument {label!r} of a compiled step has a history",
                why="gradients could not flow out of the program",
                fix=f"Pass {label}.detach(), or compute it inside the step.",
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


def compile_step(step: Callable[..., Any] | None = None, *, backend: str = "auto") -> Any:
    """Turn a training step into a program: the backpropagation you would write by hand.

    Args:
        step: A function of tensors that runs forward, backward and the update, and returns the
            loss (or a tuple of tensors). Without it, the result is a decorator.
        backend: What runs the program: ``"numpy"``, ``"jax"`` (extra ``[jax]``), ``"native"``, or
            ``"auto"``.

    Returns:
        A `CompiledStep`, which is called like `step`.

    >>> import numpy as np
    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True, name="w")
    >>> @compile_step
    ... def step(x):
    ...     loss = ((x * w) ** 2).sum()
    ...     w.grad = None
    ...     loss.backward()
    ...     w.data = w.data - 0.1 * w.grad
    ...     return loss
    >>> [round(step(np.array([1.0])).item(), 4) for _ in range(3)]
    [1.0, 0.64, 0.4096]
    """
    if backend not in BACKENDS:
        raise UsageError(
            f"there is no backend {backend!r}", fix=f"Use one of {', '.join(BACKENDS)}."
        )
    if backend == "native":
        raise UnsupportedError(
            "the native backend is not there yet", fix='Use backend="auto", which is fast too.'
        )
    if step is None:
        return lambda function: CompiledStep(function, backend)
    if not callable(step):
        raise UsageError(
            f"compile() takes a function, got {type(step).__name__}",
            fix="Write def step(x, y): … and compile(step).",
        )
    return CompiledStep(step, backend)
