"""The run that every contender must reproduce before it is timed: float64, written for reading.

Knows the mathematics of the workloads and nothing of speed: no buffer is reused, nothing is
written in place, everything is computed in float64 from the task's own numbers. A contender that
returns other losses, or ends the epoch with other weights, is stopped by `check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.workloads import Array, Task


class Disagreement(AssertionError):
    """A contender does not train the same network: its times would mean nothing."""


@dataclass(frozen=True, eq=False)
class Run:
    """One epoch: the loss before each step, and the weights after the last."""

    losses: Array
    weights: tuple[Array, ...]


def train(task: Task, *, bias: bool = True) -> Run:
    """Train one epoch of `task`, with or without biases, by the formulas of backpropagation."""
    weights = [w.astype(np.float64) for w in task.weights]
    biases = [b.astype(np.float64) * bias for b in task.biases]
    losses = []
    for x, target in zip(task.inputs, task.targets, strict=True):
        activations = [x.astype(np.float64)]
        for w, b in zip(weights, biases, strict=True):
            activations.append(1 / (1 + np.exp(-(activations[-1] @ w.T + b))))
        error = activations[-1] - target
        losses.append((error**2).mean())

        gradient = 2 * error / error.size
        for i in reversed(range(len(weights))):
            y, x_in = activations[i + 1], activations[i]
            delta = gradient * y * (1 - y)
            gradient = delta @ weights[i]
            weights[i] = weights[i] - task.learning_rate * (delta.T @ x_in)
            biases[i] = biases[i] - task.learning_rate * bias * delta.sum(axis=0)
    return Run(np.array(losses), tuple(weights))


def check(
    who: str, task: Task, losses: Sequence[float], weights: Sequence[Array], expected: Run
) -> None:
    """Raise `Disagreement` unless losses and weights agree with `expected`.

    Losses agree to a relative 1e-12 (float64) or 1e-5 (float32). Weights are compared by how far
    they moved, which is what training is: to 1e-9 or 1e-2 of the largest move, and to a few units
    in the last place of the weight itself.
    """
    exact = task.workload.dtype == "float64"
    case = f"{who} on {task.workload.name!r}"
    loss_tolerance, move_tolerance = (1e-12, 1e-9) if exact else (1e-5, 1e-2)

    measured = np.asarray(losses, dtype=np.float64)
    if measured.shape != expected.losses.shape:
        raise Disagreement(f"{case}: {measured.shape} losses, expected {expected.losses.shape}")
    error = np.abs(measured / expected.losses - 1).max()
    if not error <= loss_tolerance:
        raise Disagreement(f"{case}: losses differ by {error:.1e} (limit {loss_tolerance:.0e})")

    ulp = np.finfo(task.workload.dtype).eps
    for i, (w, w_start, w_end) in enumerate(
        zip(weights, task.weights, expected.weights, strict=True)
    ):
        move = np.abs(w_end - w_start).max()
        slack = move_tolerance * move + 8 * ulp * np.abs(w_end).max()
        error = np.abs(w - w_end).max()
        if not error <= slack:
            raise Disagreement(
                f"{case}: weight {i} is off by {error:.1e} after {len(measured)} steps, "
                f"having moved by {move:.1e} (limit {slack:.1e})"
            )
