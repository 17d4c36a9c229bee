"""Losses as modules: how wrong a prediction is, as one number.

This file knows what a loss must be asked and how to say what was asked wrongly, and the losses
that measure distances; those of probabilities are in `likelihood.py`. The mathematics is in
`functional.losses`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp import functional as F
from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.functional.comparing import REDUCTIONS, no_reduction, pairs
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops import mse
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["MSE", "HuberLoss", "L1Loss", "Loss", "MSELoss", "SmoothL1Loss"]


class Loss(Module):
    """The base of losses: a function of a prediction and a target.

    Args:
        reduction: ``"mean"`` over all entries, ``"sum"``, or ``"none"``.
    """

    usage = "mse_loss"
    """The function of the same mathematics, for messages."""

    short = "MSE"
    """What messages call it."""

    reductions: tuple[str, ...] = REDUCTIONS
    reduction: str

    def __init__(self, *wrong: Any, reduction: str = "mean") -> None:
        name = type(self).__name__
        if wrong:
            raise UsageError(
                f"{name}(...) makes a loss",
                fix=f"Call it: {name}()(pred, y), or {self.usage}(pred, y).",
            )
        if reduction not in self.reductions:
            raise no_reduction(reduction)
        self.reduction = reduction

    def share(self, part: Tensor, whole: Tensor) -> Any:
        """How much the loss of some samples counts in that of all: `fit` adds parts up with it.

        Args:
            part: The targets of some samples.
            whole: The targets of all of them.

        >>> MSELoss().share(Tensor([1.0]), Tensor([1.0, 2.0, 3.0, 4.0]))
        0.25
        >>> MSELoss(reduction="sum").share(Tensor([1.0]), Tensor([1.0, 2.0]))
        1.0
        """
        return 1.0 if self.reduction == "sum" else len(part) / len(whole)

    def _of(self, function: Any, prediction: Any, target: Any, **options: Any) -> Any:
        """The function of two tensors; where their shapes differ, the error is this loss's."""
        p = prediction if isinstance(prediction, Tensor) else astensor(prediction)
        t = target if isinstance(target, Tensor) else astensor(target)
        try:
            return function(p, t, reduction=self.reduction, **options)
        except ShapeError as error:
            if error.compared is None:
                raise
            refusal = pairs(self.short, *error.compared)
            raise _of_classes(refusal, t.data) or refusal from None

    def _explained(self, error: Exception, given: int) -> Exception | None:
        if given == 2 or not isinstance(error, TypeError):
            return super()._explained(error, given)
        name = type(self).__name__
        return UsageError(
            f"{name} was called with {given} argument{'' if given == 1 else 's'}",
            why="it compares a prediction with a target",
            fix=f"loss_fn = {name}(); loss = loss_fn(model(x), y).",
        )

    def extra_repr(self) -> str:
        """Its reduction, if it is not the usual one."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class _Distance(Loss):
    """A loss of entries; it broadcasts only if told to."""

    broadcast: bool

    def __init__(self, *wrong: Any, reduction: str = "mean", broadcast: bool = False) -> None:
        super().__init__(*wrong, reduction=reduction)
        self.broadcast = broadcast


class MSELoss(_Distance):
    """The mean squared error, ``mean((prediction - target)²)`` over all entries.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        broadcast: Allow a prediction and a target of different shapes.

    Raises:
        ShapeError: If the shapes differ: a mean over broadcast pairs is not what was meant.

    >>> MSELoss()([[1.0], [2.0]], [[1.0], [4.0]])
    Tensor(2., shape=())
    """

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        if not isinstance(prediction, Tensor):
            prediction = astensor(prediction)
        if not isinstance(target, Tensor):
            target = astensor(target)
        if prediction.shape == target.shape:
            if self.reduction == "mean":
                return mse(prediction, target)  # type: ignore[no-any-return]
            return F.mse_loss(prediction, target, reduction=self.reduction)  # type: ignore[no-any-return]
        return self._of(F.mse_loss, prediction, target, broadcast=self.broadcast)  # type: ignore[no-any-return]


MSE = MSELoss


class L1Loss(_Distance):
    """The mean absolute error; arguments as for `MSELoss`.

    >>> L1Loss()([1.0, 2.0], [1.0, 4.0])
    Tensor(1., shape=())
    """

    usage, short = "l1_loss", "L1"

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return self._of(F.l1_loss, prediction, target, broadcast=self.broadcast)  # type: ignore[no-any-return]


class HuberLoss(_Distance):
    """Squared error near the target, absolute error from `delta` on; see `functional.huber_loss`.

    >>> HuberLoss(reduction="sum")([0.0, 0.0], [1.0, 3.0])
    Tensor(3., shape=())
    """

    usage, short = "huber_loss", "Huber"
    delta: float

    def __init__(
        self,
        *wrong: Any,
        reduction: str = "mean",
        delta: float = 1.0,
        broadcast: bool = False,
    ) -> None:
        super().__init__(*wrong, reduction=reduction, broadcast=broadcast)
        self.delta = _distance("delta", delta)

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        return self._of(  # type: ignore[no-any-return]
            F.huber_loss, prediction, target, delta=self.delta, broadcast=self.broadcast
        )


class SmoothL1Loss(_Distance):
    """`HuberLoss` divided by where it becomes straight: from `beta` on, its slope is 1.

    ``½ d² / β`` for ``|d| < β``, else ``|d| - ½ β``.

    Source: Girshick, "Fast R-CNN" (2015), equation 3, with PyTorch's β.

    >>> SmoothL1Loss(reduction="sum")([0.0, 0.0], [1.0, 3.0])
    Tensor(3., shape=())
    """

    usage, short = "huber_loss", "SmoothL1"
    beta: float

    def __init__(
        self,
        *wrong: Any,
        reduction: str = "mean",
        beta: float = 1.0,
        broadcast: bool = False,
    ) -> None:
        super().__init__(*wrong, reduction=reduction, broadcast=broadcast)
        self.beta = _distance("beta", beta)

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        huber = self._of(
            F.huber_loss, prediction, target, delta=self.beta, broadcast=self.broadcast
        )
        return huber / self.beta  # type: ignore[no-any-return]


def _of_classes(error: ShapeError, target: Any) -> ShapeError | None:
    """The error for a target that holds a class number where a number per output is compared."""
    p, t = error.compared or ((), ())
    if not (len(p) == 2 and p[1] > 1 and t == p[:1] and isinstance(target, np.ndarray)):
        return None
    if not (((target >= 0) & (target < p[1])).all() and (target == target.astype(int)).all()):
        return None
    index = "y" if target.dtype.kind in "iu" else "y.astype(int)"
    told = ShapeError(
        error.what,
        why="whole numbers below the number of outputs look like classes",
        fix=f"For classes use nn.CrossEntropyLoss(), or the target np.eye({p[1]})[{index}]; "
        f"else give {p[1]} numbers per sample.",
    )
    told.compared = error.compared
    return told


def _distance(name: str, value: float) -> float:
    if not value > 0:
        raise UsageError(f"{name} is {value!r}", why="it is a distance", fix=f"Use {name}=1.0.")
    return float(value)
