"""Losses of probabilities: how unlikely a model found what was so.

This file knows logits, probabilities and logarithms of them, and which loss takes which. The
mathematics is in `functional.losses`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp import functional as F
from tinygrad_mlp.errors import IndexingError, ShapeError, UsageError
from tinygrad_mlp.functional.comparing import REDUCTIONS, compare, reduced
from tinygrad_mlp.nn.loss import Loss
from tinygrad_mlp.nn.parameter import Buffer
from tinygrad_mlp.ops import take_along_axis
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "KLDivLoss", "NLLLoss"]


class BCELoss(Loss):
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
        return self._of(F.binary_cross_entropy, prediction, target, weight=self.weight)  # type: ignore[no-any-return]


class BCEWithLogitsLoss(Loss):
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
        p = prediction if isinstance(prediction, Tensor) else astensor(prediction)
        _refuse_squashed(self, p, instead="Leave the last Sigmoid out, or use BCELoss().")
        return self._of(  # type: ignore[no-any-return]
            F.binary_cross_entropy_with_logits,
            p,
            target,
            weight=self.weight,
            pos_weight=self.pos_weight,
        )


class _OfClasses(Loss):
    """A loss of classes: they may weigh differently, and some targets may not count at all."""

    weight: Buffer | None
    ignore_index: int | None

    def __init__(
        self,
        *wrong: Any,
        weight: Any = None,
        ignore_index: int | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(*wrong, reduction=reduction)
        if ignore_index is not None and not isinstance(ignore_index, int | np.integer):
            raise UsageError(
                f"ignore_index is {ignore_index!r}",
                why="it is what stands for a class in a target",
                fix="Use ignore_index=-100.",
            )
        self.weight, self.ignore_index = _buffer(weight), ignore_index

    def share(self, part: Tensor, whole: Tensor) -> Any:
        """As for every loss; a mean over classes that weigh differently is one over weights."""
        plain = self.weight is None and self.ignore_index is None
        if plain or self.reduction != "mean" or part.dtype.kind == "f":
            return super().share(part, whole)
        return self._counted(part).sum() / self._counted(whole).sum()

    def _counted(self, target: Tensor) -> Any:
        """How much each target counts: the weight of its class, 0 if it is to be ignored."""
        if self.ignore_index is None:
            return self.weight[target]  # type: ignore[index] # this or that is there
        kept = target != self.ignore_index
        if self.weight is None:
            return kept.astype(float)
        return np.where(kept, self.weight[np.where(kept, target, 0)], 0.0)

    def _over_targets(self, losses: Any, target: Tensor) -> Any:
        """Weighted losses, without those to be ignored, as one number."""
        if self.ignore_index is not None:
            losses = np.where(target != self.ignore_index, losses, 0.0)
        if self.reduction != "mean":
            return reduced(losses, self.reduction)
        if self.ignore_index is None and self.weight is None:
            return losses.mean()
        return losses.sum() / self._counted(target).sum().astype(losses.dtype)

    def _known(self, target: Tensor) -> Tensor:
        """The classes, with one that exists where the target is to be ignored."""
        if self.ignore_index is None:
            return target
        return np.where(target != self.ignore_index, target, 0)  # type: ignore[return-value]


class CrossEntropyLoss(_OfClasses):
    """The negative log-probability of the right class, from logits.

    Args:
        weight: (classes,): how much each class counts; the mean is weighted too.
        ignore_index: Samples with this target do not count, neither in the loss nor in the mean.
            PyTorch's is -100.
        reduction: ``"mean"`` over samples, ``"sum"`` or ``"none"``.
        label_smoothing: This much of each target is spread evenly over all classes.

    Called with (samples, classes) and class numbers (samples,), or probabilities of the shape
    of the logits, as one-hot rows are; a single sample, and further axes behind the classes, work
    too.

    Raises:
        UsageError: If the prediction comes out of a Softmax or Sigmoid already.

    >>> CrossEntropyLoss()([[0.0, 0.0]], np.array([1]))
    Tensor(0.69314718, shape=())
    """

    usage, short = "cross_entropy", "CrossEntropy"
    label_smoothing: float

    def __init__(
        self,
        *wrong: Any,
        weight: Any = None,
        ignore_index: int | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(*wrong, weight=weight, ignore_index=ignore_index, reduction=reduction)
        if not 0 <= label_smoothing <= 1:
            raise UsageError(
                f"label_smoothing is {label_smoothing!r}",
                why="it is a share of each target",
                fix="Use 0 to 1, such as 0.1.",
            )
        self.label_smoothing = float(label_smoothing)

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare logits with class numbers or with probabilities."""
        p = prediction if isinstance(prediction, Tensor) else astensor(prediction)
        t = target if isinstance(target, Tensor) else _classes(target)
        _refuse_squashed(self, p, instead="Leave it out: the loss applies softmax itself.")
        if self.ignore_index is not None and t.dtype.kind in "iu":
            losses = F.cross_entropy(
                p,
                self._known(t),
                weight=self.weight,
                label_smoothing=self.label_smoothing,
                reduction="none",
            )
            return self._over_targets(losses, t)  # type: ignore[no-any-return]
        try:
            return F.cross_entropy(  # type: ignore[no-any-return]
                p,
                t,
                weight=self.weight,
                label_smoothing=self.label_smoothing,
                reduction=self.reduction,
            )
        except ShapeError:
            if t.shape != p.shape or t.dtype.kind == "f":
                raise
            return self.forward(p, t.astype(p.dtype))  # one-hot rows of whole numbers
        except IndexingError as error:
            if p.shape[0 if p.ndim == 1 else 1] > 1:
                raise
            raise _one_class(error) from None


class NLLLoss(_OfClasses):
    """The negative log-probability of the right class, from log-probabilities.

    `CrossEntropyLoss` of logits is the same as this of `LogSoftmax`.

    Args:
        weight: (classes,): how much each class counts; the mean is weighted too.
        ignore_index: Samples with this target do not count. PyTorch's is -100.
        reduction: ``"mean"`` over samples, ``"sum"`` or ``"none"``.

    Called with (samples, classes) and class numbers (samples,); a single sample, and further axes
    behind the classes, work too.

    >>> NLLLoss()(np.log([[0.5, 0.5]]), np.array([1]))
    Tensor(0.69314718, shape=())
    """

    usage, short = "cross_entropy", "NLL"

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare log-probabilities with class numbers."""
        p = astensor(prediction)
        t = target if isinstance(target, Tensor) else _classes(target)
        axis = 0 if p.ndim == 1 else 1
        samples = p.shape[:axis] + p.shape[axis + 1 :]
        if t.shape != samples or t.dtype.kind not in "iu":
            raise ShapeError(
                f"NLL compares {p.shape} with {t.shape} of {t.dtype}",
                why=f"axis {axis} counts {p.shape[axis]} classes",
                fix=f"Give class numbers of shape {samples}; NLLLoss takes no probabilities.",
            )
        known = self._known(t)
        losses: Any = -take_along_axis(p, np.expand_dims(known, axis), axis).reshape(samples)
        if self.weight is not None:
            losses = losses * self.weight[known]
        return self._over_targets(losses, t)  # type: ignore[no-any-return]


class KLDivLoss(Loss):
    """How far predicted probabilities are from those of the target: ``Σ t (log t - prediction)``.

    Source: Kullback, Leibler, "On information and sufficiency" (1951), equation 2.4.

    Args:
        reduction: ``"batchmean"`` divides the sum by the number of samples, which is the
            divergence itself; ``"mean"`` over all entries, ``"sum"`` or ``"none"``.
        log_target: Whether the target holds logarithms too.

    Called with log-probabilities, as of `LogSoftmax`, and probabilities of the same shape.

    >>> KLDivLoss(reduction="batchmean")(np.log([[0.5, 0.5]]), [[1.0, 0.0]])
    Tensor(0.69314718, shape=())
    """

    usage, short = "cross_entropy", "KLDiv"
    reductions = (*REDUCTIONS, "batchmean")
    log_target: bool

    def __init__(self, *wrong: Any, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(*wrong, reduction=reduction)
        self.log_target = log_target

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """Compare log-probabilities with probabilities of one shape."""
        p, t = astensor(prediction), astensor(target)
        compare(self.short, p, t)
        if self.log_target:
            losses: Any = np.exp(t) * (t - p)
        else:
            own = np.log(np.where(t > 0, t, 1.0))  # 0 log 0 is 0
            losses = t * own - t * p
        if self.reduction == "batchmean":
            return losses.sum() / len(losses)  # type: ignore[no-any-return]
        return reduced(losses, self.reduction)  # type: ignore[no-any-return]


def _one_class(error: IndexingError) -> IndexingError:
    """The error for a class that cannot be, where the model gives one number per sample."""
    return IndexingError(
        f"{error.what.replace('cross_entropy', 'CrossEntropyLoss')} and one output per sample",
        why="it takes one output for each class, and a softmax over one is always 1",
        fix="Give the last layer as many outputs as there are classes; or, for two classes, use "
        "BCEWithLogitsLoss() with y.reshape(-1, 1).",
    )


def _classes(target: Any) -> Tensor:
    """A target as a tensor; a list of whole numbers is one of classes."""
    return astensor(target if isinstance(target, np.ndarray) else np.asarray(target))


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
            why="it takes logits, and probabilities would be squashed a second time",
            fix=instead,
        )
