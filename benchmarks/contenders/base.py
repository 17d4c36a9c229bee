"""What a contender is: something that trains a task, and something that adds numbers in a chain.

Knows the two shapes of work and how a step differs from a whole epoch. Knows no framework and no
clock. A contender subclasses `StepTrainer` (or `Trainer`, when one call covers an epoch) and, where
it has a graph of single operations, `Chain`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from benchmarks.workloads import Array, Task


class Trainer(ABC):
    """Trains one task. Making it may be slow; `epoch` is what is timed.

    Each contender gets the data in its own kind of array, made beforehand, and computes the loss in
    every step, as training does; it is not turned into a Python number unless `losses` asks.
    """

    bias: ClassVar[bool] = True

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def epoch(self) -> None:
        """Train on each batch of the task once, in order. Done when the work is done."""

    @abstractmethod
    def losses(self) -> Sequence[float]:
        """Train one epoch like `epoch`, and return the loss before each step."""

    @abstractmethod
    def weights(self) -> Sequence[Array]:
        """The current weights, (out, in), as NumPy arrays."""


class StepTrainer(Trainer):
    """A trainer whose user writes the loop: one call of `step` per batch."""

    batches: Sequence[tuple[Any, Any]]

    @abstractmethod
    def step(self, x: Any, y: Any) -> Any:
        """Forward, backward and update on one batch; the loss, in the contender's own type."""

    def epoch(self) -> None:
        step = self.step
        for x, y in self.batches:
            step(x, y)

    def losses(self) -> Sequence[float]:
        return [float(self.step(x, y)) for x, y in self.batches]


class Chain(ABC):
    """`y = a`, then `length` times `y = y + b`, on scalars: the graph where overhead is all."""

    def __init__(self, length: int) -> None:
        self.length = length

    @abstractmethod
    def forward(self) -> Any:
        """Build the graph of `length` additions; its last node."""

    @abstractmethod
    def backward(self, root: Any) -> tuple[float, float]:
        """Run the backward pass from `root`: the gradients of a and b, which are 1 and `length`."""
