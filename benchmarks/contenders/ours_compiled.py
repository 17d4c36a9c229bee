"""tinygrad_mlp, compiled: the loop of `ours`, with the step turned into a program.

Knows the package's `compile` and how a whole epoch is one call of `scan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tinygrad_mlp as tg
from benchmarks.contenders import base, ours
from benchmarks.workloads import Array, Task


class Numpy(ours.Train):
    """NumPy alone. The first two steps, which are recorded, are run and undone here."""

    backend: ClassVar[str] = "numpy"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.compiled = tg.compile(super().step, backend=self.backend)
        for x, y in self.batches[:2]:
            self.compiled(x, y)
        for layer, w, b in zip(self.linear, task.weights, task.biases, strict=True):
            layer.weight.data = w.copy()
            assert layer.bias is not None
            layer.bias.data = b.copy()

    def step(self, x: Any, y: Any) -> Any:
        return self.compiled(x, y)

    def epoch(self) -> None:
        step = self.compiled
        for x, y in self.batches:
            step(x, y)


class Native(Numpy):
    """Machine code of LLVM's."""

    backend: ClassVar[str] = "native"


class NumpyScan(base.Trainer):
    """NumPy alone, an epoch in one call."""

    stepper: ClassVar[type[Numpy]] = Numpy

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.steps = self.stepper(task)

    def epoch(self) -> None:
        self.steps.compiled.scan(self.task.inputs, self.task.targets)

    def losses(self) -> Sequence[float]:
        losses: list[float] = self.steps.compiled.scan(self.task.inputs, self.task.targets).tolist()
        return losses

    def weights(self) -> Sequence[Array]:
        return self.steps.weights()


class NativeScan(NumpyScan):
    """Machine code, an epoch in one call."""

    stepper: ClassVar[type[Numpy]] = Native
