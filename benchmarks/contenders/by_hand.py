"""Hand-written NumPy: the step that a competent person writes who wants it fast and readable.

Every intermediate has its buffer and every operation writes into one; weights are updated in place.
No fusion across layers, no flattened parameters: tricks that would stop it being this network's
plain text are left to the compiler's rows. Knows NumPy and the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.contenders.base import StepTrainer
from benchmarks.workloads import Array, Task


@dataclass(eq=False, slots=True)
class Layer:
    """A linear layer with its sigmoid, and a buffer for each thing that a step computes."""

    w: Array
    w_transposed: Array
    b: Array
    y: Array
    slope: Array
    delta: Array
    w_gradient: Array
    b_gradient: Array


class Train(StepTrainer):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.lr = task.learning_rate
        self.layers = []
        for w, b in zip(task.weights, task.biases, strict=True):
            w, b = w.copy(), b.copy()
            y = np.empty((task.workload.batch, len(b)), w.dtype)
            buffers = (np.empty_like(y), np.empty_like(y), np.empty_like(w), np.empty_like(b))
            self.layers.append(Layer(w, w.T, b, y, *buffers))
        self.backwards = self.layers[::-1]
        self.seed = 2.0 / self.layers[-1].y.size
        self.batches = list(zip(task.inputs, task.targets, strict=True))

    def step(self, x: Array, y: Array) -> np.floating[Any]:
        h = x
        inputs = []
        for layer in self.layers:
            inputs.append(h)
            h = layer.y
            np.dot(inputs[-1], layer.w_transposed, out=h)
            h += layer.b
            np.negative(h, out=h)
            np.exp(h, out=h)
            h += 1.0
            np.reciprocal(h, out=h)

        delta = self.layers[-1].delta
        np.subtract(h, y, out=delta)
        loss = np.vdot(delta, delta) / delta.size
        delta *= self.seed

        for layer in self.backwards:
            h, slope, delta = layer.y, layer.slope, layer.delta
            np.subtract(1.0, h, out=slope)
            slope *= h
            delta *= slope
            x = inputs.pop()
            np.dot(delta.T, x, out=layer.w_gradient)
            delta.sum(axis=0, out=layer.b_gradient)
            if inputs:
                np.dot(delta, layer.w, out=self.layers[len(inputs) - 1].delta)
            layer.w_gradient *= self.lr
            layer.w -= layer.w_gradient
            layer.b_gradient *= self.lr
            layer.b -= layer.b_gradient
        return loss

    def weights(self) -> Sequence[Array]:
        return [layer.w for layer in self.layers]
