"""PyTorch on the CPU, eager: the training loop of its tutorials. Knows torch and the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from benchmarks import threads
from benchmarks.contenders import base
from benchmarks.workloads import Array, Task

torch.set_num_threads(threads.count())


class Train(base.StepTrainer):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        layers: list[Any] = []
        for w, b in zip(task.weights, task.biases, strict=True):
            dtype = getattr(torch, task.workload.dtype)
            layer = nn.Linear(w.shape[1], w.shape[0], dtype=dtype)
            layer.weight.data = torch.tensor(w)
            layer.bias.data = torch.tensor(b)
            layers += [layer, nn.Sigmoid()]
        self.model = nn.Sequential(*layers)
        self.loss_fn = nn.MSELoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=task.learning_rate)
        self.batches = list(zip(torch.tensor(task.inputs), torch.tensor(task.targets), strict=True))

    def step(self, x: Any, y: Any) -> Any:
        loss = self.loss_fn(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def losses(self) -> Sequence[float]:
        return [self.step(x, y).item() for x, y in self.batches]

    def weights(self) -> Sequence[Array]:
        return [layer.weight.detach().numpy() for layer in self.model[::2]]


class Chain(base.Chain):
    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.a = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        self.b = torch.tensor(1e-9, dtype=torch.float64, requires_grad=True)

    def forward(self) -> Any:
        y, b = self.a, self.b
        for _ in range(self.length):
            y = y + b
        return y

    def backward(self, root: Any) -> tuple[float, float]:
        self.a.grad = self.b.grad = None
        root.backward()
        return self.a.grad, self.b.grad
