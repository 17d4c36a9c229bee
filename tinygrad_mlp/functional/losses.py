"""Losses: how wrong a prediction is.

This file knows their formulas. A prediction and a target must have one shape: no loss
broadcasts, since a mean over pairs that nobody meant is a number that looks right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, IndexingError, ShapeError, UsageError
from tinygrad_mlp.functional.comparing import compare, expect, reduced
from tinygrad_mlp.ops import (
    Array,
    bce_with_logits,
    cross_entropy_probs,
    getitem,
    huber,
    log_softmax,
    mse,
    softplus,
)
from tinygrad_mlp.ops import cross_entropy as at_class
from tinygrad_mlp.tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "mse_loss",
]


def mse_loss(
    prediction: Array, target: Array, *, reduction: str = "mean", broadcast: bool = False
) -> Array:
    """The squared error ``(prediction - target)²``.

    Args:
        prediction: Any shape.
        target: The same shape.
        reduction: ``"mean"`` and ``"sum"`` give one number, ``"none"`` one per entry.
        broadcast: Allow shapes that differ, and compare by NumPy's broadcasting.

    Raises:
        ShapeError: If the shapes differ and `broadcast` is not set.
        UsageError: If there is no such reduction.

    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    if prediction.shape != target.shape:
        compare("mse_loss", prediction, target, broadcast=broadcast)
    elif reduction == "mean":
        return mse(prediction, target)
    return reduced((prediction - target) ** 2, reduction)


def l1_loss(
    prediction: Array, target: Array, *, reduction: str = "mean", broadcast: bool = False
) -> Array:
    """The absolute error ``|prediction - target|``; arguments as for `mse_loss`.

    >>> float(l1_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """
    compare("l1_loss", prediction, target, broadcast=broadcast)
    return reduced(abs(prediction - target), reduction)


def huber_loss(
    prediction: Array,
    target: Array,
    *,
    delta: float = 1.0,
    reduction: str = "mean",
    broadcast: bool = False,
) -> Array:
    """Half the squared error near the target, and a straight line from `delta` on.

    Source: Huber, "Robust estimation of a location parameter" (1964), in the scaling of
    PyTorch: ``½ d²`` for ``|d| ≤ δ``, else ``δ (|d| - ½ δ)``.

    >>> float(huber_loss(np.array([0.0, 0.0]), np.array([1.0, 3.0]), reduction="sum"))
    3.0
    """
    compare("huber_loss", prediction, target, broadcast=broadcast)
    return reduced(huber(prediction, target, delta), reduction)


def binary_cross_entropy(
    prediction: Array, target: Array, *, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """``-(t log p + (1 - t) log(1 - p))`` for probabilities ``p``.

    As in PyTorch, a logarithm counts as no less than -100, so that certain mistakes cost a
    finite amount. With logits at hand, `binary_cross_entropy_with_logits` is exact everywhere.

    Args:
        prediction: Probabilities, 0 to 1.
        target: The same shape, 0 to 1.
        weight: Multiplied into the loss of each entry; broadcasts.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: If the shapes differ.
        UsageError: If a prediction is no probability.

    >>> float(binary_cross_entropy(np.array([0.5]), np.array([1.0])).round(4))
    0.6931
    """
    compare("binary_cross_entropy", prediction, target)
    _check_probabilities(prediction)
    losses = -(target * _log(prediction) + (1 - target) * _log(1 - prediction))
    return reduced(losses if weight is None else losses * weight, reduction)


def _check_probabilities(p: Array) -> None:
    known = p.data if isinstance(p, Tensor) else p
    if isinstance(known, np.ndarray) and known.size:  # values are unknown while a step is captured
        for found in (known.min(), known.max()):
            if found < 0 or found > 1:
                raise UsageError(
                    f"binary_cross_entropy got a prediction of {found:.4g}",
                    why="a probability is from 0 to 1",
                    fix="End the model with Sigmoid(), or use BCEWithLogitsLoss without one.",
                )


def _log(p: Array) -> Array:
    """The logarithm, but -100 (without slope) where it would be less."""
    tiny = p < SMALLEST_PROBABILITY
    return np.where(tiny, -100.0, np.log(np.where(tiny, 1.0, p)))


SMALLEST_PROBABILITY = 3.720075976020836e-44  # exp(-100)


def binary_cross_entropy_with_logits(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """`binary_cross_entropy` of ``σ(logits)``, exact for logits of any size.

    Args:
        logits: Any real numbers.
        target: The same shape, 0 to 1.
        weight: Multiplied into the loss of each entry; broadcasts.
        pos_weight: Multiplied into the positive part ``t log p`` only; broadcasts.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> float(binary_cross_entropy_with_logits(np.array([1000.0]), np.array([0.0])))
    1000.0
    """
    compare("binary_cross_entropy_with_logits", logits, target)
    if pos_weight is None:
        losses = bce_with_logits(logits, target)
    else:
        positive = 1 - target + target * pos_weight
        losses = (1 - target) * logits + positive * softplus(-logits)
    return reduced(losses if weight is None else losses * weight, reduction)


def cross_entropy(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """``-log softmax(logits)`` at the right class.

    Args:
        logits: (classes,), (samples, classes) or (samples, classes, ...).
        target: Class numbers, of the shape of `logits` without its class axis; or
            probabilities, of the shape of `logits`.
        weight: (classes,): how much each class counts. The mean is then weighted too.
        label_smoothing: This much of each target is spread evenly over all classes.
        reduction: ``"mean"`` over samples, ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: If the shapes do not fit.
        DTypeError: If class numbers are no whole numbers.
        IndexingError: If there is no such class.

    >>> float(cross_entropy(np.array([[0.0, 0.0]]), np.array([1])).round(4))
    0.6931
    """
    axis = 0 if logits.ndim == 1 else 1
    classes = logits.shape[axis]
    by_class = (classes,) + (1,) * (logits.ndim - axis - 1)
    weights = None if weight is None else weight.reshape(by_class)
    if target.shape == logits.shape and target.dtype.kind == "f":
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        likely = target if weights is None else target * weights
        return reduced(cross_entropy_probs(logits, likely, axis), reduction)
    _check_classes(logits.shape, target, axis)
    losses = at_class(logits, target, axis)
    if weight is None and not label_smoothing:
        return reduced(losses, reduction)
    total: Any = losses.size
    if weight is not None:
        counted = getitem(weight, (target,))
        losses, total = losses * counted, counted.sum()
    if label_smoothing:
        logs = log_softmax(logits, axis)
        smooth = -(logs if weights is None else logs * weights).sum(axis=axis) / classes
        losses = losses * (1 - label_smoothing) + smooth * label_smoothing
    return losses.sum() / total if reduction == "mean" else reduced(losses, reduction)


def _check_classes(shape: tuple[int, ...], target: Array, axis: int) -> None:
    samples = shape[:axis] + shape[axis + 1 :]
    if target.shape != samples:
        raise ShapeError(
            f"cross_entropy compares {shape} with {target.shape}",
            why=f"axis {axis} counts {shape[axis]} classes",
            fix=f"Give class numbers of shape {samples}, or probabilities of shape {shape}.",
        )
    if target.dtype.kind not in "iu":
        raise DTypeError(
            f"cross_entropy got classes of {target.dtype}",
            why="a class is a whole number",
            fix="Use target.astype(int), or probabilities for every class.",
        )

    def there_are_such(known: Any) -> None:
        for found in (known.min(), known.max()):
            if not 0 <= found < shape[axis]:
                raise IndexingError(
                    f"cross_entropy got class {found}",
                    why=f"axis {axis} counts {shape[axis]} classes, from 0 on",
                    fix=f"Number the classes 0 to {shape[axis] - 1}.",
                )

    expect(target, there_are_such)
