"""What is told of samples: quantiles, covariances, sums and means without what is no number.

This file knows compositions and states no derivative. A quantile lies between two neighbours in
ascending order, so its gradient goes back to those two; nan takes no part and gets no gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError, UsageError
from tinygrad_mlp.ops.arithmetic import cast
from tinygrad_mlp.ops.arranging import moveaxis
from tinygrad_mlp.ops.axes import normal_axes, truth
from tinygrad_mlp.ops.ordering import sort, take
from tinygrad_mlp.ops.record import READERS, Array, answers, value
from tinygrad_mlp.ops.reduction import count, mean, sum_
from tinygrad_mlp.ops.rounding import isnan
from tinygrad_mlp.ops.selection import clip, logical_not, where
from tinygrad_mlp.ops.shaping import concatenate, reshape, transpose

__all__ = ["corrcoef", "cov", "median", "nanmean", "nansum", "percentile", "quantile"]


def floats(x: Any) -> Array:
    """`x` in a dtype of real numbers."""
    x = value(x)
    return x if x.dtype.kind == "f" else cast(x, np.float64)


def ascending(x: Array, axes: tuple[int, ...], what: str) -> Array:
    """The entries over axes in ascending order, along one new last axis."""
    n = count(x, axes)
    if n == 0:
        raise UsageError(f"the {what} of no numbers", fix="Give an axis that is not empty.")
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    return sort(reshape(transpose(x, rest + axes), (*(x.shape[i] for i in rest), n)))


def or_nan(y: Array, rows: Array) -> Array:
    """`y`, but nan where there is one among the entries: they stand last in ascending order."""
    return where(isnan(rows[..., -1]), np.nan, y)


def kept_shape(x: Array, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of `x` with axes of length 1 in the place of those that were gathered."""
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


@answers(np.median)
def median(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The one in the middle, or the mean of the two in the middle."""
    x = value(x)
    axes = normal_axes(axis, x)
    rows = ascending(x, axes, "median")
    n = rows.shape[-1]
    middle = mean(rows[..., (n - 1) // 2 : n // 2 + 1], -1)
    middle = or_nan(middle, rows) if x.dtype.kind == "f" else middle
    return reshape(middle, kept_shape(x, axes)) if truth(keepdims) else middle


@answers(np.quantile)
def quantile(
    x: Array, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False
) -> Array:
    """Below it lies the part `q` of the entries; between two entries it is a straight line."""
    if method != "linear":
        raise UnsupportedError(f"np.quantile with method={method!r}", fix='Use method="linear".')
    if type(q) in READERS:
        raise UnsupportedError(
            "np.quantile with a tensor for q",
            why="no gradient flows there",
            fix="Use q.data, or a number.",
        )
    q = np.asarray(q, np.float64)
    if not np.all((q >= 0) & (q <= 1)):
        raise UsageError(f"a quantile at {q}", why="q is a part of the whole", fix="Give 0 to 1.")
    x = floats(x)
    axes = normal_axes(axis, x)
    rows = ascending(x, axes, "quantile")
    place = q * (rows.shape[-1] - 1)
    below = np.floor(place).astype(int)
    above = np.ceil(place).astype(int)
    low, high = take(rows, below, -1), take(rows, above, -1)
    y = low + (high - low) * np.asarray(place - below, x.dtype)
    y = or_nan(moveaxis(y, tuple(range(y.ndim - q.ndim, y.ndim)), tuple(range(q.ndim))), rows)
    return reshape(y, q.shape + kept_shape(x, axes)) if truth(keepdims) else y


@answers(np.percentile)
def percentile(
    x: Array, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False
) -> Array:
    """`quantile`, with `q` in hundredths."""
    part = q if type(q) in READERS else np.asarray(q, np.float64) / 100
    return quantile(x, part, axis, method=method, keepdims=keepdims)


@answers(np.nansum)
def nansum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The sum of what are numbers."""
    x = value(x)
    return sum_(where(isnan(x), 0.0, x) if x.dtype.kind == "f" else x, axis, keepdims)


@answers(np.nanmean)
def nanmean(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean of what are numbers."""
    x = value(x)
    if x.dtype.kind != "f":
        return mean(x, axis, keepdims)
    numbers = cast(logical_not(isnan(x)), x.dtype)
    return nansum(x, axis, keepdims) / sum_(numbers, axis, keepdims)


@answers(np.cov)
def cov(
    m: Array,
    y: Array | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
) -> Array:
    """How variables vary together; each row is a variable, each column a sample."""
    rows = _variables(m, rowvar)
    if y is not None:
        rows = concatenate((rows, _variables(y, rowvar)), 0)
    off = ddof if ddof is not None else 0 if bias else 1
    d = rows - mean(rows, 1, keepdims=True)
    c = d @ d.mT / (rows.shape[1] - off)
    return reshape(c, tuple(n for n in c.shape if n != 1))


def _variables(m: Array, rowvar: bool) -> Array:
    m = floats(m)
    if m.ndim > 2:
        raise ShapeError(
            f"the covariance of an array of shape {m.shape}",
            why="there is one axis of variables and one of samples",
            fix="Use m.reshape(m.shape[0], -1).",
        )
    if m.ndim < 2:
        return reshape(m, (1, -1))
    return m if rowvar or m.shape[0] == 1 else m.mT


@answers(np.corrcoef)
def corrcoef(x: Array, y: Array | None = None, rowvar: bool = True) -> Array:
    """Covariances in units of the deviations: from -1 to 1."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    n = c.shape[0]
    deviation = np.sqrt(c[np.arange(n), np.arange(n)])
    return clip(c / reshape(deviation, (n, 1)) / deviation, -1.0, 1.0)
