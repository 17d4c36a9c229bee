"""What can happen beside the steps of a training: schedules, stopping early, the best weights.

This file knows callbacks that are shipped. Each can be passed to `fit` as it is, and each is
what an argument of `fit` stands for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.optim import Schedule
from tinygrad_mlp.training.run import Callback, Run

__all__ = ["BestWeights", "EarlyStopping", "Scheduled"]


class Scheduled(Callback):
    """Sets the learning rate of every group before each step: its first one times a schedule.

    Args:
        schedule: From a step, counted from 0, to a factor; see `optim.schedules`.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.first: list[float] = []

    def begin(self, run: Run) -> None:
        """Note the rates that the optimiser was made with."""
        self.first = [float(group.lr) for group in run.optimizer.groups]

    def before(self, run: Run) -> None:
        """Set the rates."""
        factor = self.schedule(run.step)
        for group, first in zip(run.optimizer.groups, self.first, strict=True):
            group.lr = first * factor

    def state(self) -> dict[str, Any]:
        """The first rates."""
        return {"first": self.first}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the first rates."""
        self.first = state["first"]


class _Monitor(Callback):
    """The base of what looks for the best epoch.

    Args:
        monitor: A name of the history: ``"val_loss"`` or, without validation, ``"loss"``.
        mode: ``"min"`` or ``"max"``: which is better.
        min_delta: By how much an epoch must be better to count.
    """

    def __init__(
        self, monitor: str | None = None, mode: str = "min", min_delta: float = 0.0
    ) -> None:
        if mode not in {"min", "max"}:
            raise UsageError(f"mode is {mode!r}", fix='Use "min" or "max".')
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.best = math.inf
        self.best_epoch = 0

    def better(self, run: Run) -> bool:
        """Whether the latest epoch is the best so far; if so, it is noted."""
        name = self.monitor or ("val_loss" if "val_loss" in run.numbers else "loss")
        if name not in run.numbers:
            raise UsageError(
                f"{type(self).__name__} looks at {name!r}, which is not in the history",
                fix=f"It has {', '.join(run.numbers)}; for val_… pass validation=.",
            )
        value = run.numbers[name] if self.mode == "min" else -run.numbers[name]
        if not value < self.best - self.min_delta:
            return False
        self.best, self.best_epoch = value, run.epoch
        return True

    def state(self) -> dict[str, Any]:
        """The best epoch so far."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the best epoch so far."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class EarlyStopping(_Monitor):
    """Ends a training that no longer gets better.

    Args:
        patience: How many epochs in a row may be no better than the best.
        monitor, mode, min_delta: What is better; by default a lower ``val_loss``.
    """

    def __init__(
        self,
        patience: int = 5,
        *,
        monitor: str | None = None,
        mode: str = "min",
        min_delta: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience

    def epoch(self, run: Run) -> None:
        """Stop when patience has run out."""
        if not self.better(run) and run.epoch - self.best_epoch >= self.patience:
            run.stop()


class BestWeights(_Monitor):
    """Puts back, at the end, the weights of the epoch that was best.

    Args:
        monitor, mode, min_delta: What is better; by default a lower ``val_loss``.
    """

    def __init__(
        self, *, monitor: str | None = None, mode: str = "min", min_delta: float = 0.0
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.weights: dict[str, Array] = {}

    def epoch(self, run: Run) -> None:
        """Copy the weights if they are the best so far."""
        if self.better(run):
            self.weights = run.model.state_dict()

    def end(self, run: Run) -> None:
        """Put the best weights back."""
        if self.weights:
            run.model.load_state_dict(self.weights)

    def state(self) -> dict[str, Any]:
        """The best epoch and its weights."""
        return {**super().state(), "weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the best epoch and its weights."""
        super().restore(state)
        self.weights = {name: np.array(value) for name, value in state["weights"].items()}
