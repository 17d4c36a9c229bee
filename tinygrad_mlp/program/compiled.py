"""The compiled step: record twice, compare, then run the generated function.

This file knows when a step is recorded and how what it computed goes back where it belongs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CaptureError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.capture import capture, same
from tinygrad_mlp.program.ir import Cell, Program
from tinygrad_mlp.program.source import numpy_source
from tinygrad_mlp.tensor import Tensor

__all__ = ["CompiledStep", "compile_step"]


class CompiledStep:
    """A training step that runs as the straight-line NumPy function it was recorded as.

    Args:
        step: A function of tensors: forward, backward, update; it returns tensors.

    The first two calls run the eager step and record it; from the third on the generated
    function runs. Both update the same parameters, so the two can be mixed freely.
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        self.step = step
        self.labels = tuple(inspect.signature(step).parameters)
        self._recorded: dict[Any, Program] = {}
        self._functions: dict[Any, tuple[Callable[..., Any], Program]] = {}
        self._source = ""

    @property
    def source(self) -> str:
        """The step as a NumPy function: the backpropagation you would have written by hand.

        Raises:
            CaptureError: Before the second call, because only two recordings can be compared.
        """
        if not self._source:
            raise CaptureError(
                "the step has not been compiled yet", fix="Call it twice, then read .source."
            )
        return self._source

    def __call__(self, *arguments: Any) -> Any:
        arrays = tuple(a.data if isinstance(a, Tensor) else np.asarray(a) for a in arguments)
        key = tuple((a.shape, a.dtype) for a in arrays)
        ready = self._functions.get(key)
        if ready is not None:
            return self._run(*ready, arrays)
        program, result = capture(self.step, arrays, self.labels[: len(arrays)])
        earlier = self._recorded.get(key)
        if earlier is None:
            self._recorded[key] = program
        else:
            same(earlier, program)
            self._functions[key] = self._generate(program), program
        if isinstance(result, tuple):
            return tuple(Tensor(r) for r in result)
        return Tensor(result)

    def _generate(self, program: Program) -> Callable[..., Any]:
        self._source, constants = numpy_source(program)
        space: dict[str, Any] = {"np": np, **constants}
        exec(compile(self._source, "<compiled step>", "exec"), space)
        return space["step"]  # type: ignore[no-any-return]

    def _run(self, function: Callable[..., Any], program: Program, arrays: Any) -> Any:
        outputs, state = function(*arrays, *(_held(cell) for cell in program.reads))
        for cell, content in zip(program.writes, state, strict=True):
            setattr(cell.owner, cell.slot, content)
        tensors = tuple(Tensor(output) for output in outputs)
        return tensors if len(tensors) > 1 else tensors[0]


def _held(cell: Cell) -> Array:
    return getattr(cell.owner, cell.slot)


def compile_step(step: Callable[..., Any]) -> CompiledStep:
    """Turn a training step into a program; see `CompiledStep`."""
    return CompiledStep(step)
