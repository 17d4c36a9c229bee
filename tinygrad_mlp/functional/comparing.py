"""What every loss needs around its formula: shapes that fit, weights, a reduction.

This file knows how losses of entries become one number, and how to say that a prediction and a
target do not fit together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["REDUCTIONS", "compare", "expect", "no_reduction", "of_data", "pairs", "reduced"]

REDUCTIONS = ("mean", "sum", "none")


def compare(loss: str, prediction: Array, target: Array, *, broadcast: bool = False) -> None:
    """Refuse to compare what broadcasting would pair in ways that nobody meant."""
    if prediction.shape != target.shape and not broadcast:
        raise pairs(loss, prediction.shape, target.shape)


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
    sizes = "-1, 1" if (p, t) == ((1, 1), (1,)) else ", ".join(map(str, p))
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
        if math.prod(p) == math.prod(t) == 1:
            why = "with more samples, broadcasting would pair each with all"
    error = ShapeError(f"{loss} compares {p} with {t}", where=where, why=why, fix=fix)
    error.compared = p, t
    return error


def of_data(error: ShapeError, name: str) -> ShapeError:
    """The error of `pairs`, where the target is a batch of data that the user calls `name`.

    A fix for the batch would be none for the data: the number of samples is another one.

    >>> print(of_data(pairs("MSE", (2, 1), (2,)), "Y"))
    MSE compares (2, 1) with (2,): broadcasting would make 2×2 = 4 pairs. Use Y.reshape(-1, 1).
    """
    if error.compared is None:
        return error
    p, t = error.compared
    if math.prod(p) != math.prod(t) or not p or p[:1] != t[:1]:
        return error
    sizes = ", ".join(map(str, (-1, *p[1:])))
    told = ShapeError(
        error.what, where=error.where, why=error.why, fix=f"Use {name}.reshape({sizes})."
    )
    told.compared = error.compared
    return told


def expect(x: Array, test: Callable[[Any], None]) -> None:
    """Run a test on numbers that have to be right: now, and in every run of a compiled step.

    Args:
        x: An array, a tensor, or what stands for one while a step is captured.
        test: Takes an array with entries, and raises where they are wrong.
    """
    known = x.data if isinstance(x, Tensor) else x
    if not isinstance(known, np.ndarray):
        getattr(known, "expect", str)(test)
    elif known.size:
        test(known)
