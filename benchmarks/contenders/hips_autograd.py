"""HIPS/autograd: the gradient of a plain NumPy function. Knows autograd and the task.

The sigmoid is the tanh form of its own examples. The update is in place, as NumPy allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autograd
import autograd.numpy as anp

from benchmarks.contenders import base
from benchmarks.workloads import Array, Task


def loss_fn(parameters: Any, x: Any, y: Any) -> Any:
    for w, b in parameters:
        x = 0.5 * (anp.tanh(0.5 * (anp.dot(x, w.T) + b)) + 1.0)
    return anp.mean((x - y) ** 2)


class Train(base.StepTrainer):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.lr = task.learning_rate
        pairs = zip(task.weights, task.biases, strict=True)
        self.parameters = [(w.copy(), b.copy()) for w, b in pairs]
        self.value_and_grad = autograd.value_and_grad(loss_fn)
        self.batches = list(zip(task.inputs, task.targets, strict=True))

    def step(self, x: Any, y: Any) -> Any:
        loss, gradients = self.value_and_grad(self.parameters, x, y)
        for (w, b), (w_gradient, b_gradient) in zip(self.parameters, gradients, strict=True):
            w -= self.lr * w_gradient
            b -= self.lr * b_gradient
        return loss

    def weights(self) -> Sequence[Array]:
        return [w for w, _ in self.parameters]


class Chain(base.Chain):
    def forward(self) -> Any:
        def chain(ab: Any) -> Any:
            y, b = ab
            for _ in range(self.length):
                y = y + b
            return y

        return autograd.make_vjp(chain)((1.0, 1e-9))

    def backward(self, root: Any) -> tuple[float, float]:
        vjp, _ = root
        a, b = vjp(1.0)
        return a, b
