"""tinygrad_mlp: the loop that its users type. Knows the package's public names and the task.

It gets NumPy arrays, as users have them: making Tensors of them, with the copy, is part of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tinygrad_mlp as tg
from benchmarks.contenders import base
from benchmarks.workloads import Array, Task
from tinygrad_mlp import nn, optim


class Train(base.StepTrainer):
    """The graph is dropped as the backward pass goes: what `fit` does."""

    keep_graph: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.linear = []
        layers: list[nn.Module] = []
        for w, b in zip(task.weights, task.biases, strict=True):
            layer = nn.Linear(w.shape[1], w.shape[0], dtype=task.workload.dtype)
            layer.weight.data = w.copy()
            assert layer.bias is not None
            layer.bias.data = b.copy()
            self.linear.append(layer)
            layers += [layer, nn.Sigmoid()]
        self.model = nn.Sequential(*layers)
        self.loss_fn = nn.MSELoss()
        self.optimizer = optim.SGD(self.model.parameters(), lr=task.learning_rate)
        self.batches = list(zip(task.inputs, task.targets, strict=True))

    def step(self, x: Any, y: Any) -> Any:
        loss = self.loss_fn(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward(keep_graph=self.keep_graph)
        self.optimizer.step()
        return loss

    def losses(self) -> Sequence[float]:
        return [self.step(x, y).item() for x, y in self.batches]

    def weights(self) -> Sequence[Array]:
        return [layer.weight.data for layer in self.linear]


class TrainKept(Train):
    """The graph and every gradient in it outlive the backward pass: the default of `backward`."""

    keep_graph: ClassVar[bool] = True


class Chain(base.Chain):
    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.a = tg.Tensor(1.0, requires_grad=True)
        self.b = tg.Tensor(1e-9, requires_grad=True)

    def forward(self) -> Any:
        y, b = self.a, self.b
        for _ in range(self.length):
            y = y + b
        return y

    def backward(self, root: Any) -> tuple[float, float]:
        self.a.grad = self.b.grad = None
        root.backward()
        return self.a.grad, self.b.grad
