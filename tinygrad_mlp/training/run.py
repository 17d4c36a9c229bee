"""Run: one training under way, and who is told about it.

This file knows the counts that a training needs to go on after an interruption, and the
moments at which a callback is told. It does not know what a step does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from tinygrad_mlp.data import DataLoader
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.optim import Optimizer
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.training.history import History

__all__ = ["Callback", "Run"]

MOMENTS = ("begin", "before", "after", "epoch", "end")


class Callback:
    """Something that is told how a training goes; a subclass defines the moments it needs.

    >>> class Loud(Callback):
    ...     def epoch(self, run):
    ...         print(f"epoch {run.epoch}: {run.numbers['loss']:.3f}")
    """

    def begin(self, run: Run) -> None:
        """Before the first step, or the first after an interruption."""

    def before(self, run: Run) -> None:
        """Before every step."""

    def after(self, run: Run) -> None:
        """After every step; ``run.error`` is its loss."""

    def epoch(self, run: Run) -> None:
        """After every epoch; ``run.numbers`` are what the history got."""

    def end(self, run: Run) -> None:
        """After the last epoch."""

    def state(self) -> dict[str, Any]:
        """What must not be lost in an interruption: numbers, texts, arrays, dicts of them."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""


class _Told(Callback):
    """A plain function as a callback: it is told of every epoch."""

    def __init__(self, function: Callable[[Run], None]) -> None:
        self.function = function

    def epoch(self, run: Run) -> None:
        self.function(run)


class Run:
    """One training: its parts, its counts, and its callbacks.

    Attributes:
        model, optimizer, loader, history: The parts.
        epochs: How many there will be.
        epoch: Epochs that are done.
        batch: Batches that are done in the present one.
        step: Steps that are done in all.
        error: The loss of the latest step.
        numbers: What the history got from the latest epoch.
        stopped: Set by `stop`.
        cleanup: An `ExitStack`: what is put into it is done when training is over, after an
            error or an interruption too.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loader: DataLoader,
        epochs: int,
        callbacks: Iterable[Any],
    ) -> None:
        self.model, self.optimizer, self.loader = model, optimizer, loader
        self.history, self.epochs = History(), epochs
        self.epoch = self.batch = self.step = 0
        self.total, self.samples = 0.0, 0
        self.error = float("nan")
        self.numbers: dict[str, float] = {}
        self.stopped = False
        self.cleanup = ExitStack()
        self.order_state: Any = None  # the loader's generator as the present epoch began
        self.after_order: Callable[[], None] | None = None  # once, when that order is drawn again
        self.callbacks = [_as_callback(c) for c in callbacks]
        self._listeners = {
            moment: [
                getattr(c, moment)
                for c in self.callbacks
                if getattr(type(c), moment) is not getattr(Callback, moment)
            ]
            for moment in MOMENTS
        }

    def tell(self, moment: str) -> None:
        """Tell everybody who wants to know."""
        for listener in self._listeners[moment]:
            listener(self)

    def stop(self) -> None:
        """End the training after the present epoch."""
        self.stopped = True

    def batches(self) -> Iterator[tuple[Tensor, ...]]:
        """What is left of the present epoch."""
        if self.after_order is None:
            self.order_state = self.loader.rng.bit_generator.state
        for batch in self.loader.epoch(skip=self.batch):
            self._order_drawn()
            self.batch += 1
            yield batch
        self._order_drawn()

    def _order_drawn(self) -> None:
        if self.after_order is not None:
            self.after_order()
            self.after_order = None

    def took(self, error: float, samples: int) -> None:
        """Count a step."""
        self.step += 1
        self.error = error
        self.total += error * samples
        self.samples += samples

    def close_epoch(self) -> float:
        """Count an epoch and return its mean loss."""
        mean = self.total / max(self.samples, 1)
        self.epoch += 1
        self.batch, self.total, self.samples = 0, 0.0, 0
        return mean


def _as_callback(callback: Any) -> Callback:
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type) and issubclass(callback, Callback):
        raise UsageError(
            f"a callback is the class {callback.__name__}", fix=f"Write {callback.__name__}()."
        )
    if callable(callback):
        return _Told(callback)
    raise UsageError(
        f"a callback is of type {type(callback).__name__}",
        fix="Pass Callback objects, or functions that take the run.",
    )
