"""The lesson's own class: an MLP with backpropagation as it is taught, one sample at a time.

A transcription of what its readers know: methods and attributes by their names, weights (in, out),
no bias, a sigmoid everywhere, a new array per operation. Its update follows half the sum of
squares, so the learning rate doubles to take the same step as the mean of one output. Knows NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from benchmarks.contenders.base import StepTrainer
from benchmarks.workloads import Array, Task


class MLP:
    def __init__(self, weights: Sequence[Array]) -> None:
        self.weights = [w.copy() for w in weights]
        self.activations: list[Array] = [np.zeros(len(w)) for w in weights]
        self.activations.append(np.zeros(weights[-1].shape[1]))
        self.derivatives: list[Array] = [np.zeros_like(w) for w in weights]

    def forward_propagate(self, inputs: Array) -> Array:
        activations = inputs
        self.activations[0] = activations
        for i, w in enumerate(self.weights):
            net_inputs = np.dot(activations, w)
            activations = self._sigmoid(net_inputs)
            self.activations[i + 1] = activations
        return activations

    def back_propagate(self, error: Array) -> None:
        for i in reversed(range(len(self.derivatives))):
            delta = error * self._sigmoid_derivative(self.activations[i + 1])
            self.derivatives[i] = np.outer(self.activations[i], delta)
            error = np.dot(delta, self.weights[i].T)

    def gradient_descent(self, learning_rate: float) -> None:
        for i, derivatives in enumerate(self.derivatives):
            self.weights[i] += learning_rate * derivatives

    def train_one(self, inputs: Array, target: Array, learning_rate: float) -> float:
        output = self.forward_propagate(inputs)
        self.back_propagate(target - output)
        self.gradient_descent(learning_rate)
        return self._mse(target, output)

    def _sigmoid(self, x: Array) -> Array:
        y: Array = 1.0 / (1 + np.exp(-x))
        return y

    def _sigmoid_derivative(self, y: Array) -> Array:
        slope: Array = y * (1.0 - y)
        return slope

    def _mse(self, target: Array, output: Array) -> float:
        return float(np.average((target - output) ** 2))


class Train(StepTrainer):
    bias: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.mlp = MLP([w.T for w in task.weights])
        self.lr = 2 * task.learning_rate
        self.batches = [(x[0], y[0]) for x, y in zip(task.inputs, task.targets, strict=True)]

    def step(self, x: Array, y: Array) -> float:
        return self.mlp.train_one(x, y, self.lr)

    def weights(self) -> Sequence[Array]:
        return [w.T for w in self.mlp.weights]
