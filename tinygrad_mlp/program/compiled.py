"""The compiled step: record twice, compare, then run the generated function.

This file knows when a step is recorded and how what it computed goes back where it belongs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CaptureError, UnsupportedError, UsageError
from tinygrad_mlp.program.capture import Recording, capture
from tinygrad_mlp.program.compare import same
from tinygrad_mlp.program.ir import Cell, Program
from tinygrad_mlp.program.passes import dead_code, unread_cells
from tinygrad_mlp.program.source import Source, numpy_source
from tinygrad_mlp.tensor import Tensor

__all__ = ["BACKENDS", "CompiledStep", "compile_step"]

BACKENDS = ("auto", "numpy", "native", "jax")


class CompiledStep:
    """A training step that runs as the straight-line NumPy function it was recorded as.

    Args:
        step: A function of tensors: forward, backward, update; it returns tensors.
        backend: ``"numpy"``, ``"native"``, ``"jax"``, or ``"auto"`` for what suits.

    The first two calls run the eager step and record it; from the third on the generated
    function runs. Both update the same parameters, so the two can be mixed freely.
    """

    def __init__(self, step: Callable[..., Any], backend: str = "auto") -> None:
        self.step = step
        self.backend = backend
        self.__name__ = getattr(step, "__name__", "step")
        self.__doc__ = step.__doc__ or self.__doc__
        self.labels = tuple(inspect.signature(step).parameters)
        self._recorded: dict[Any, Recording] = {}
        self._functions: dict[Any, tuple[Callable[..., Any], Source]] = {}
        self._source: Source | None = None
        self._program: Program | None = None

    @property
    def source(self) -> str:
        """The step as a NumPy function: the backpropagation you would have written by hand.

        Raises:
            CaptureError: Before the second call, because only two recordings can be compared.
        """
        return self._latest().text

    @property
    def program(self) -> Program:
        """The step as equations, as it was recorded, without what nothing depends on."""
        self._latest()
        assert self._program is not None
        return self._program

    def _latest(self) -> Source:
        if self._source is None:
            raise CaptureError(
                "the step has not been compiled yet", fix="Call it twice, then look at it."
            )
        return self._source

    def save(self, path: str | Path) -> None:
        """Write `source` to a file."""
        Path(path).write_text(self.source, encoding="utf-8")

    def __call__(self, *arguments: Any) -> Any:
        arrays = tuple(a.data if isinstance(a, Tensor) else np.asarray(a) for a in arguments)
        key = tuple((a.shape, a.dtype) for a in arrays)
        ready = self._functions.get(key)
        if ready is not None:
            return self._run(*ready, arrays)
        recording = capture(self.step, arrays, self.labels[: len(arrays)])
        earlier = self._recorded.get(key)
        if earlier is None:
            self._recorded[key] = recording
        else:
            same(earlier.program, recording.program)
            self._program = unread_cells(dead_code(recording.program)).check()
            self._source = numpy_source(self._program, self.__name__)
            self._functions[key] = built(self._source), self._source
        result = recording.result
        return tuple(map(Tensor, result)) if isinstance(result, tuple) else Tensor(result)

    @staticmethod
    def _run(function: Callable[..., Any], source: Source, arrays: Any) -> Any:
        outputs, state = function(*arrays, *(_held(cell) for cell in source.arguments))
        for cell, content in zip(source.results, state, strict=True):
            setattr(cell.owner, cell.slot, content)
        return Tensor(outputs) if source.single else tuple(map(Tensor, outputs))


def built(source: Source) -> Callable[..., Any]:
    """The function that a source defines."""
    space: dict[str, Any] = {}
    exec(compile(source.text, f"<compiled {source.name}>", "exec"), space)
    return space[source.name]  # type: ignore[no-any-return]


def _held(cell: Cell) -> Any:
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
    >>> [step(np.array([1.0])).item() for _ in range(3)]
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
