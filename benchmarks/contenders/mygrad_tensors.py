"""MyGrad: NumPy tensors with `backward`. Knows mygrad and the task.

It runs as it is installed, and again with its memory guarding (locking the arrays that a graph
uses) switched off, as its documentation advises where speed matters. The sigmoid is its fused
operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import mygrad as mg
from mygrad.nnet.activations import sigmoid

from benchmarks.contenders import base
from benchmarks.workloads import Array, Task


class Train(base.StepTrainer):
    guarding: ClassVar[bool] = True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.lr = task.learning_rate
        pairs = zip(task.weights, task.biases, strict=True)
        self.parameters = [(mg.tensor(w.copy()), mg.tensor(b.copy())) for w, b in pairs]
        self.batches = list(zip(task.inputs, task.targets, strict=True))

    def step(self, x: Any, y: Any) -> Any:
        for w, b in self.parameters:
            x = sigmoid(mg.matmul(x, w.T) + b)
        loss = mg.mean((x - y) ** 2)
        loss.backward()
        for w, b in self.parameters:
            w.data -= self.lr * w.grad
            b.data -= self.lr * b.grad
        return loss

    def epoch(self) -> None:
        switch_guarding(on=self.guarding)
        super().epoch()

    def losses(self) -> Sequence[float]:
        return [self.step(x, y).item() for x, y in self.batches]

    def weights(self) -> Sequence[Array]:
        return [w.data for w, _ in self.parameters]


class TrainUnguarded(Train):
    guarding: ClassVar[bool] = False


def switch_guarding(*, on: bool) -> None:
    """Memory guarding is one switch for the whole process."""
    if on:
        mg.turn_memory_guarding_on()
    else:
        mg.turn_memory_guarding_off()


class Chain(base.Chain):
    def __init__(self, length: int) -> None:
        super().__init__(length)
        switch_guarding(on=True)
        self.a = mg.tensor(1.0)
        self.b = mg.tensor(1e-9)

    def forward(self) -> Any:
        y, b = self.a, self.b
        for _ in range(self.length):
            y = y + b
        return y

    def backward(self, root: Any) -> tuple[float, float]:
        root.backward()
        return self.a.grad, self.b.grad
