"""Curves that are known at points: between them, below them, and one rolled over another.

This file knows one record without a rule, the place of a number among others; the rest is composed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.ops.arithmetic import cast
from tinygrad_mlp.ops.axes import place
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.indexing import getitem
from tinygrad_mlp.ops.ordering import BACKWARDS, along, diff
from tinygrad_mlp.ops.products import dot
from tinygrad_mlp.ops.record import Array, Op, answers, value
from tinygrad_mlp.ops.reduction import sum_
from tinygrad_mlp.ops.selection import clip, where
from tinygrad_mlp.ops.shaping import concatenate, reshape

__all__ = ["convolve", "interp", "searchsorted", "trapezoid"]


def _among(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    known = pick((np.array([-1.0, 0.0, 0.0, 2.5]), np.array([0.5])))
    return (known, pick(((), (3,), (2, 3), (0,)))), {"side": pick(("left", "right"))}


searchsorted = Op(
    "searchsorted",
    lambda a, v, side="left": np.searchsorted(a, v, side),
    bind=lambda a, v, side="left": ((value(a), value(v)), {"side": side}),
    numpy=(np.searchsorted,),
    domain=Domain(case=_among, analytic=False),
    doc="The places at which numbers would be put in among others, which are in ascending order.",
)


@answers(np.interp)
def interp(x: Array, xp: Array, fp: Array, left: Any = None, right: Any = None) -> Array:
    """Straight lines between the points ``(xp, fp)``; the ends go on beyond them as they are.

    `xp` is in ascending order. Gradients flow to all three. As NumPy defines it, in float64.
    """
    x, xp, fp = (cast(value(part), np.float64) for part in (x, xp, fp))
    n = xp.shape[0] if xp.ndim == 1 else 0
    if n == 0 or fp.shape != xp.shape:
        raise ShapeError(
            f"np.interp between points of shapes {xp.shape} and {fp.shape}",
            why="xp and fp are the two coordinates of the same points",
            fix="Give two vectors of the same length.",
        )
    right = fp[-1] if right is None else right
    left = fp[0] if left is None else left
    y = fp[0]
    if n > 1:
        i = clip(searchsorted(xp, x, side="right") - 1, 0, n - 2)
        (start, end), (low, high) = ((getitem(p, i), getitem(p, i + 1)) for p in (xp, fp))
        y = low + (high - low) * ((x - start) / (end - start))
    y = where(x > xp[-1], right, where(x == xp[-1], fp[-1], y))
    return where(x < xp[0], left, y)


@answers(np.trapezoid)
def trapezoid(y: Array, x: Array | None = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The area below a curve of straight lines."""
    y = value(y)
    axis = place(axis, y)
    both = along(y, axis, slice(1, None)) + along(y, axis, slice(-1))
    if x is None:
        return sum_(both, axis) * (dx / 2.0)
    x = value(x)
    if x.ndim == 1:
        widths = reshape(diff(x), (-1, *(1,) * (y.ndim - axis - 1)))
    else:
        widths = diff(x, axis=axis)
    return sum_(widths * both / 2.0, axis)


@answers(np.convolve)
def convolve(a: Array, v: Array, mode: str = "full") -> Array:
    """One vector rolled over another, backwards: sums of the products of what meets."""
    a, v = value(a), value(v)
    if a.ndim > 1 or v.ndim > 1 or 0 in {a.size, v.size}:
        raise ShapeError(
            f"np.convolve of shapes {a.shape} and {v.shape}",
            why="it is of two vectors that are not empty",
            fix="Use t.reshape(-1), or one row at a time.",
        )
    if mode not in {"full", "same", "valid"}:
        raise UsageError(f"np.convolve with mode={mode!r}", fix='Use "full", "same" or "valid".')
    a, v = reshape(a, (-1,)), reshape(v, (-1,))
    if a.size < v.size:
        a, v = v, a
    n, m = a.size, v.size
    before, length = {
        "full": (m - 1, n + m - 1),
        "same": (m // 2, n),
        "valid": (0, n - m + 1),
    }[mode]
    behind = length - (n - m + 1) - before
    ends = [np.zeros(k, a.dtype) for k in (before, behind)]
    rolled = concatenate((ends[0], a, ends[1]), 0) if before or behind else a
    return dot(rolled[np.arange(length)[:, None] + np.arange(m)], v[BACKWARDS])
