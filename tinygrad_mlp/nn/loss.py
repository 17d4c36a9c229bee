"""Losses as modules: how wrong a prediction is, as one number.

This file knows what a loss must be asked and how to say what was asked wrongly. The
mathematics is in `functional.losses`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp import functional as F
from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.functional.comparing import REDUCTIONS, no_reduction, pairs
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.parameter import Buffer
from tinygrad_mlp.nn.trail import users_line
from tinygrad_mlp.ops import mse
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = [
    "MSE",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
]


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


class _Comparison(Loss):
    """A loss of entries; it broadcasts only if told to."""

    short = "MSE"
    broadcast: bool

    def __init__(self, *wrong: Any, reduction: str = "mean", broadcast: bool = False) -> None:
        super().__init__(*wrong, reduction=reduction)
        self.broadcast = broadcast

    def _both(self, prediction: Any, target: Any) -> tuple[Tensor, Tensor]:
        """The two as tensors of one shape."""
        prediction, target = astensor(prediction), astensor(target)
        if prediction.shape != target.shape and not self.broadcast:
            raise self._pairs(prediction, target)
        return prediction, target

    def _pairs(self, prediction: Tensor, target: Tensor) -> ShapeError:
        return pairs(self.short, prediction.shape, target.shape, where=users_line())


class MSELoss(_Comparison):
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
        if prediction.shape != target.shape:
            if not self.broadcast:
                raise self._pairs(prediction, target)
        elif self.reduction == "mean":
            return mse(prediction, target)  # type: ignore[no-any-return]
        return F.mse_loss(  # type: ignore[no-any-return]
            prediction, target, reduction=self.reduction, broadcast=self.broadcast
        )


MSE = MSELoss


class L1Loss(_Comparison):
    """The mean absolute error; arguments as for `MSELoss`.

    >>> L1Loss()([1.0, 2.0], [1.0, 4.0])
    Tensor(1., shape=())
    """

    usage, short = "l1_loss", "L1"

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        p, t = self._both(prediction, target)
        return F.l1_loss(p, t, reduction=self.reduction, broadcast=self.broadcast)  # type: ignore[no-any-return]


class HuberLoss(_Comparison):
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
        if not delta > 0:
            raise UsageError(f"delta is {delta!r}", why="it is a distance", fix="Use delta=1.0.")
        self.delta = delta

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        p, t = self._both(prediction, target)
        return F.huber_loss(  # type: ignore[no-any-return]
            p, t, delta=self.delta, reduction=self.reduction, broadcast=self.broadcast
        )


class BCELoss(_Comparison):
    """Binary cross-entropy of probabilities; prefer `BCEWithLogitsLoss`, without the Sigmoid.

    Args:
        weight: Multiplied into the loss of each entry; broadcasts.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> BCELoss()([0.5], [1.0])
    Tensor(0.69314718, shape=())
    """

    usage, short = "binary_cross_entropy", "BCE"
    weight: Buffer | None

    def __init__(self, *wrong: Any, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(*wrong, reduction=reduction)
        self.weight = _buffer(weight)

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        p, t = self._both(prediction, target)
        return F.binary_cross_entropy(p, t, weight=self.weight, reduction=self.reduction)  # type: ignore[no-any-return]


class BCEWithLogitsLoss(_Comparison):
    """Binary cross-entropy of what would go into a Sigmoid: exact for logits of any size.

    Args:
        weight: Multiplied into the loss of each entry; broadcasts.
        pos_weight: Multiplied into the positive part only; broadcasts.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        UsageError: If the prediction comes out of a Sigmoid already.

    >>> BCEWithLogitsLoss()([0.0], [1.0])
    Tensor(0.69314718, shape=())
    """

    usage, short = "binary_cross_entropy_with_logits", "BCEWithLogits"
    weight: Buffer | None
    pos_weight: Buffer | None

    def __init__(
        self,
        *wrong: Any,
        weight: Any = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(*wrong, reduction=reduction)
        self.weight, self.pos_weight = _buffer(weight), _buffer(pos_weight)

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare two tensors of one shape."""
        p, t = self._both(prediction, target)
        _refuse_squashed(self, p, instead="Leave the last Sigmoid out, or use BCELoss().")
        return F.binary_cross_entropy_with_logits(  # type: ignore[no-any-return]
            p, t, weight=self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class CrossEntropyLoss(Loss):
    """The negative log-probability of the right class, from logits.

    Args:
        weight: (classes,): how much each class counts; the mean is weighted too.
        reduction: ``"mean"`` over samples, ``"sum"`` or ``"none"``.
        label_smoothing: This much of each target is spread evenly over all classes.

    Called with (samples, classes) and class numbers (samples,), or probabilities of the shape
    of the logits; a single sample, and further axes behind the classes, work too.

    Raises:
        UsageError: If the prediction comes out of a Softmax or Sigmoid already.

    >>> CrossEntropyLoss()([[0.0, 0.0]], np.array([1]))
    Tensor(0.69314718, shape=())
    """

    usage = "cross_entropy"
    weight: Buffer | None
    label_smoothing: float

    def __init__(
        self,
        *wrong: Any,
        weight: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(*wrong, reduction=reduction)
        self.weight, self.label_smoothing = _buffer(weight), label_smoothing

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare logits with class numbers or with probabilities."""
        p = astensor(prediction)
        if not isinstance(target, Tensor | np.ndarray):
            target = np.asarray(target)  # a list of whole numbers is a list of classes
        _refuse_squashed(self, p, instead="Leave it out: the loss applies softmax itself.")
        return F.cross_entropy(  # type: ignore[no-any-return]
            p,
            astensor(target),
            weight=self.weight,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


def _buffer(weight: Any) -> Buffer | None:
    return None if weight is None else Buffer(weight)


def _refuse_squashed(loss: Loss, prediction: Tensor, *, instead: str) -> None:
    """Raise if a prediction went through a Sigmoid or Softmax: it would be squashed twice."""
    made_by = "" if prediction.scope is None else type(prediction.scope[1]).__name__
    op = "" if prediction.op is None else prediction.op.name.capitalize()
    squashed = made_by if made_by in {"Sigmoid", "Softmax"} else op
    if squashed in {"Sigmoid", "Softmax"}:
        raise UsageError(
            f"{type(loss).__name__} got the output of {squashed}",
            where=users_line(),
            why="it takes logits, and probabilities would be squashed a second time",
            fix=instead,
        )
