"""JAX on the CPU: one compiled call per step, and `lax.scan`, one compiled call per epoch.

Knows jax and the task. Parameters are donated, so that a step may update them in place. Dispatch is
asynchronous: an epoch ends when its last result is ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import base
from benchmarks.workloads import Array, Task

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)


def loss_fn(parameters: Any, x: Any, y: Any) -> Any:
    for w, b in parameters:
        x = jax.nn.sigmoid(x @ w.T + b)
    return jnp.mean((x - y) ** 2)


def make_step(lr: float) -> Any:
    def step(parameters: Any, batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_fn)(parameters, *batch)
        return jax.tree.map(lambda p, g: p - lr * g, parameters, gradients), loss

    return step


class Train(base.StepTrainer):
    """One compiled call per step."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        pairs = zip(task.weights, task.biases, strict=True)
        self.parameters = [(jnp.array(w), jnp.array(b)) for w, b in pairs]
        self.batches = [
            (jnp.array(x), jnp.array(y)) for x, y in zip(task.inputs, task.targets, strict=True)
        ]
        self.compiled = jax.jit(make_step(task.learning_rate), donate_argnums=0)

    def step(self, x: Any, y: Any) -> Any:
        self.parameters, loss = self.compiled(self.parameters, (x, y))
        return loss

    def epoch(self) -> None:
        super().epoch()
        jax.block_until_ready(self.parameters)

    def weights(self) -> Sequence[Array]:
        return [np.asarray(w) for w, _ in self.parameters]


class Scan(base.Trainer):
    """One compiled call per epoch."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        pairs = zip(task.weights, task.biases, strict=True)
        self.parameters = [(jnp.array(w), jnp.array(b)) for w, b in pairs]
        self.data = (jnp.array(task.inputs), jnp.array(task.targets))
        step = make_step(task.learning_rate)
        self.compiled = jax.jit(lambda p, data: jax.lax.scan(step, p, data), donate_argnums=0)

    def epoch(self) -> None:
        self.parameters, losses = self.compiled(self.parameters, self.data)
        jax.block_until_ready(losses)

    def losses(self) -> Sequence[float]:
        self.parameters, losses = self.compiled(self.parameters, self.data)
        return [float(loss) for loss in np.asarray(losses)]

    def weights(self) -> Sequence[Array]:
        return [np.asarray(w) for w, _ in self.parameters]


class Chain(base.Chain):
    """JAX without `jit`: what its own tracing of one operation costs."""

    def forward(self) -> Any:
        def chain(a: Any, b: Any) -> Any:
            for _ in range(self.length):
                a = a + b
            return a

        return jax.vjp(chain, 1.0, 1e-9)

    def backward(self, root: Any) -> tuple[float, float]:
        value, pullback = root
        a, b = pullback(jnp.ones_like(value))
        return a, b
