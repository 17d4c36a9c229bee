"""Functions of networks without state: activations and losses, for whatever they are given.

This file knows which record or composition of records answers to the field's names. It keeps no
weights and makes no tensors: arrays in, arrays out; tensors in, tensors out; symbols in, a
formula out. Modules with the same mathematics, and with kinder errors, live in `nn`.

    from tinygrad_mlp import functional as F
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.ops import Array, linear, mse, relu, sigmoid, tanh

__all__ = ["linear", "mse_loss", "relu", "sigmoid", "tanh"]

REDUCTIONS = ("mean", "sum", "none")


def mse_loss(
    prediction: Array, target: Array, *, reduction: str = "mean", broadcast: bool = False
) -> Array:
    """The squared error ``(prediction - target)²``, averaged over all entries.

    Args:
        prediction: Any shape.
        target: The same shape.
        reduction: ``"mean"`` and ``"sum"`` give one number, ``"none"`` one per entry.
        broadcast: Allow shapes that differ, and compare by NumPy's broadcasting.

    Raises:
        ShapeError: If the shapes differ and `broadcast` is not set.
        UsageError: If there is no such reduction.

    >>> import numpy as np
    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    if prediction.shape != target.shape:
        if not broadcast:
            raise pairs("mse_loss", prediction.shape, target.shape)
    elif reduction == "mean":
        return mse(prediction, target)
    return reduced((prediction - target) ** 2, reduction)


def reduced(losses: Array, reduction: str) -> Array:
    """The losses of all entries as their mean, their sum, or as they are."""
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise no_reduction(reduction)


def no_reduction(reduction: Any) -> UsageError:
    """The error for a reduction that does not exist."""
    return UsageError(
        f"there is no reduction {reduction!r}",
        fix=f"Use one of {', '.join(map(repr, REDUCTIONS))}.",
    )


def pairs(loss: str, p: tuple[int, ...], t: tuple[int, ...], where: str = "") -> ShapeError:
    """The error for a prediction and a target whose shapes differ.

    >>> print(pairs("MSE", (4, 1), (4,)))
    MSE compares (4, 1) with (4,): broadcasting would make 4×4 = 16 pairs. Use target.reshape(4, 1).
    """
    sizes = ", ".join(map(str, p))
    fix = f"Use target.reshape({sizes or '()'})."
    if math.prod(p) != math.prod(t):
        fix = f"Give a target of shape {p}, or broadcast=True if it is meant."
    try:
        spread = np.broadcast_shapes(p, t)
    except ValueError:
        why = "every prediction needs one target"
    else:
        count = math.prod(spread)
        grid = "×".join(map(str, spread))
        why = f"broadcasting would make {grid}{f' = {count}' if len(spread) > 1 else ''} pairs"
    return ShapeError(f"{loss} compares {p} with {t}", where=where, why=why, fix=fix)
