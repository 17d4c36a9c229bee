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
from tinygrad_mlp.optim import Optimizer, Schedule
from tinygrad_mlp.training.run import Callback, Run

__all__ = ["BestWeights", "EarlyStopping", "ReduceOnPlateau", "Scheduled"]


class Scheduled(Callback):
    """Sets the learning rate of every group before each step: its first one times a schedule.

    When training is over, every group has its first rate again.

    Args:
        schedule: From a step, counted from 0, to a factor; see `optim.schedules`.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.first: list[float] = []

    def begin(self, run: Run) -> None:
        """Note the rates that the optimiser begins with."""
        if run.step == 0:  # else a checkpoint has told them already
            self.first = _rates(run.optimizer)
        run.cleanup.callback(lambda: _set_rates(run.optimizer, self.first))

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


def _rates(optimizer: Optimizer) -> list[float]:
    return [float(group.lr) for group in optimizer.groups]


def _set_rates(optimizer: Optimizer, rates: list[float]) -> None:
    for group, rate in zip(optimizer.groups, rates, strict=False):  # more may have been added
        group.lr = rate


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

    def begin(self, run: Run) -> None:
        """Forget an earlier training."""
        if run.step == 0:  # else a checkpoint has told what is best already
            self.best, self.best_epoch = math.inf, 0

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

    def begin(self, run: Run) -> None:
        """Forget the weights of an earlier training."""
        super().begin(run)
        if run.step == 0:
            self.weights = {}

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


class ReduceOnPlateau(_Monitor):
    """Makes the learning rates smaller whenever a training no longer gets better.

    When training is over, every group has its first rate again.

    Args:
        factor: By what the rate of every group is multiplied.
        patience: How many epochs in a row may be no better than the best before that.
        min_lr: No rate becomes smaller than this.
        monitor, mode, min_delta: What is better; by default a lower ``val_loss``.

    Raises:
        UsageError: For a factor that makes nothing smaller, or beside a schedule.

    >>> from tinygrad_mlp import fit, nn, optim
    >>> model = nn.Linear(1, 1, init=nn.init.zeros())
    >>> optimizer = optim.SGD(model.parameters(), lr=0.3)
    >>> X = np.array([[0.0], [1.0]])
    >>> history = fit(
    ...     model, (X, X), loss=nn.L1Loss(), optimizer=optimizer, epochs=60,
    ...     callbacks=[ReduceOnPlateau(0.5, patience=3)],
    ... )
    >>> history.loss[-1] < 0.01, optimizer.lr
    (True, 0.3)
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 5,
        *,
        min_lr: float = 0.0,
        monitor: str | None = None,
        mode: str = "min",
        min_delta: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 < factor < 1:
            raise UsageError(
                f"factor is {factor!r}", why="it makes a rate smaller", fix="Use factor=0.1."
            )
        self.factor, self.patience, self.min_lr = factor, patience, min_lr
        self.since = 0
        self.first: list[float] = []

    def begin(self, run: Run) -> None:
        """Note the rates that the optimiser begins with."""
        super().begin(run)
        if any(isinstance(callback, Scheduled) for callback in run.callbacks):
            raise UsageError(
                "ReduceOnPlateau beside a schedule",
                why="the schedule sets the rates anew before every step",
                fix="Use one of the two.",
            )
        if run.step == 0:
            self.since, self.first = 0, _rates(run.optimizer)
        run.cleanup.callback(lambda: _set_rates(run.optimizer, self.first))

    def epoch(self, run: Run) -> None:
        """Make the rates smaller when patience has run out; then it begins anew."""
        if self.better(run):
            self.since = run.epoch
        elif run.epoch - self.since >= self.patience:
            self.since = run.epoch
            for group in run.optimizer.groups:
                group.lr = max(group.lr * self.factor, min(group.lr, self.min_lr))

    def state(self) -> dict[str, Any]:
        """The best epoch, the latest change and the first rates."""
        return {**super().state(), "since": self.since, "first": self.first}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        super().restore(state)
        self.since, self.first = state["since"], state["first"]
