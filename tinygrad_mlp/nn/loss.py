"""Losses as modules: how wrong a prediction is, as one number.

This file knows what a loss must be asked and how to say what was asked wrongly. The
mathematics is in `functional`.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.functional import REDUCTIONS, no_reduction, pairs, reduced
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.trail import users_line
from tinygrad_mlp.ops import mse
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["MSE", "Loss", "MSELoss"]


class Loss(Module):
    """The base of losses: a function of a prediction and a target.

    Args:
        reduction: ``"mean"`` over all entries, ``"sum"``, or ``"none"``.
    """

    usage = "mse_loss"
    """The function of the same mathematics, for messages."""

    reduction: str

    def __init__(self, *wrong: Any, reduction: str = "mean") -> None:
        name = type(self).__name__
        if wrong:
            raise UsageError(
                f"{name}(...) makes a loss",
                fix=f"Call it: {name}()(pred, y), or {self.usage}(pred, y).",
            )
        if reduction not in REDUCTIONS:
            raise no_reduction(reduction)
        self.reduction = reduction

    def _explained(self, error: Exception, given: int) -> Exception | None:
        if given == 2 or not isinstance(error, TypeError):
            return super()._explained(error, given)
        name = type(self).__name__
        return UsageError(
            f"{name} was called with {given} argument{'' if given == 1 else 's'}",
            where=users_line(),
            why="it compares a prediction with a target",
            fix=f"loss_fn = {name}(); loss = loss_fn(model(x), y).",
        )

    def extra_repr(self) -> str:
        """Its reduction, if it is not the usual one."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class MSELoss(Loss):
    """The mean squared error, ``mean((prediction - target)²)`` over all entries.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        broadcast: Allow a prediction and a target of different shapes.

    Raises:
        ShapeError: If the shapes differ: a mean over broadcast pairs is not what was meant.

    >>> MSELoss()([[1.0], [2.0]], [[1.0], [4.0]])
    Tensor(2., shape=())
    """

    broadcast: bool

    def __init__(self, *wrong: Any, reduction: str = "mean", broadcast: bool = False) -> None:
        super().__init__(*wrong, reduction=reduction)
        self.broadcast = broadcast

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        if not isinstance(prediction, Tensor):
            prediction = astensor(prediction)
        if not isinstance(target, Tensor):
            target = astensor(target)
        if prediction.shape != target.shape:
            if not self.broadcast:
                raise self._pairs(prediction, target)
        elif self.reduction == "mean":
            return mse(prediction, target)  # type: ignore[no-any-return]
        return reduced((prediction - target) ** 2, self.reduction)  # type: ignore[no-any-return]

    def _pairs(self, prediction: Tensor, target: Tensor) -> ShapeError:
        return pairs("MSE", prediction.shape, target.shape, where=users_line())


MSE = MSELoss
