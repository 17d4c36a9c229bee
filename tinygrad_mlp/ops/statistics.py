"""Ops that gather numbers by more than adding: variance, norms, products, positions.

This file knows var, std and norm as records, and prod, average and their like as compositions.
sum, mean, max and min are in `reduction.py`, and with them what all reductions share.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError, UsageError
from tinygrad_mlp.ops.arithmetic import abs_, cast, div
from tinygrad_mlp.ops.axes import normal_axes, truth
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.ordering import gathered
from tinygrad_mlp.ops.record import Array, Op, answers, value
from tinygrad_mlp.ops.reduction import (
    bind_axes,
    count,
    kept,
    max_,
    mean,
    min_,
    over,
    reductions,
    spread,
    sum_,
)
from tinygrad_mlp.ops.selection import where
from tinygrad_mlp.ops.shaping import concatenate, reshape, transpose
from tinygrad_mlp.ops.trigonometric import nonzero

__all__ = [
    "all_",
    "any_",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "norm",
    "norm2",
    "prod",
    "ptp",
    "std",
    "var",
]


def bind_spread(
    x: Array, axis: Any = None, *, ddof: float = 0, keepdims: bool = False
) -> tuple[tuple[Array], dict[str, Any]]:
    """Normalise the axes; `ddof` is taken off the number of entries."""
    xs, attrs = bind_axes(x, axis, keepdims=keepdims)
    return xs, {**attrs, "ddof": ddof}


def several(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Draw as `reductions` does, but never gather from one entry alone."""
    single = (((), ()), ((2, 3), ()), ((1, 1), (1,)))
    return reductions(lambda options: pick([s for s in options if s not in single]))


def _spreads(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shapes, attrs = several(pick)
    return shapes, {**attrs, "ddof": pick((0, 1))}


def centred(x: Array, axis: tuple[int, ...]) -> Array:
    """`x` without its mean over axes."""
    return x - mean.apply((x,), {"axis": axis, "keepdims": True})


def var_forward(x: Array, axis: Any, ddof: float, keepdims: Any) -> Array:
    """The mean square distance from the mean; of half precision in float32, so that sums fit."""
    if x.dtype.char == "e":
        return var_forward(x.astype(np.float32), axis, ddof, keepdims).astype(x.dtype)
    d = x - np.add.reduce(x, axis, keepdims=True) / count(x, axis)
    return np.add.reduce(d * d, axis, keepdims=keepdims) / (count(x, axis) - ddof)


var = Op(
    "var",
    var_forward,
    lambda g, y, x, axis, ddof, keepdims: (
        2.0 / (count(x, axis) - ddof) * kept(g, x, axis) * centred(x, axis)
    ),
    bind=bind_spread,
    numpy=(np.var,),
    notation=over("var", r"\operatorname{var}"),
    domain=Domain(case=_spreads),
    same_as=lambda x, axis, ddof, keepdims: (
        (centred(x, axis) ** 2).sum(axis, keepdims=keepdims) / (count(x, axis) - ddof)
    ),
    doc="The variance over axes: the mean square distance from the mean.",
)

# Where all entries are equal the slope is taken to be 0, as in PyTorch.
std = Op(
    "std",
    lambda x, axis, ddof, keepdims: np.sqrt(var_forward(x, axis, ddof, keepdims)),
    lambda g, y, x, axis, ddof, keepdims: (
        1.0 / (count(x, axis) - ddof) * kept(g / nonzero(y), x, axis) * centred(x, axis)
    ),
    bind=bind_spread,
    numpy=(np.std,),
    notation=over("std", r"\operatorname{std}"),
    domain=Domain(
        case=_spreads,
        kink=lambda x, axis, ddof, keepdims: np.sqrt(var_forward(x, axis, ddof, keepdims)) / 10,
        analytic=False,
    ),
    same_as=lambda x, axis, ddof, keepdims: np.sqrt(var(x, axis, ddof=ddof, keepdims=keepdims)),
    doc="The standard deviation over axes; where all entries are equal its slope is 0.",
)

norm2 = Op(
    "norm",
    lambda x, axis, keepdims: np.sqrt(np.add.reduce(x * x, axis, keepdims=keepdims)),
    lambda g, y, x, axis, keepdims: kept(g, x, axis) * (x / kept(nonzero(y), x, axis)),
    bind=bind_axes,
    notation=over("norm", r"\operatorname{norm}"),
    domain=Domain(
        case=reductions,
        kink=lambda x, axis, keepdims: np.sqrt(np.add.reduce(x * x, axis)) / 10,
        analytic=False,
    ),
    doc="The Euclidean length over axes; at 0 its slope is taken to be 0.",
)


@answers(np.linalg.norm)
def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """NumPy's norms of vectors and the Frobenius norm of matrices."""
    x = value(x)
    x = x if x.dtype.kind == "f" else cast(x, np.float64)
    if ord is None or (ord == 2 and len(normal_axes(axis, x)) == 1):
        return norm2(x, axis, keepdims=keepdims)
    axes = normal_axes(axis, x)
    if ord == "fro" and len(axes) == 2:
        return norm2(x, axis, keepdims=keepdims)
    if len(axes) != 1 or isinstance(ord, str) or ord == 0:
        raise UnsupportedError(
            f"np.linalg.norm with ord={ord!r} over {len(axes)} axes",
            why="it needs singular values, or jumps",
            fix='Closest: ord="fro", or ord=2 along one axis.',
        )
    if math.isinf(ord):
        return (max_ if ord > 0 else min_)(abs_(x), axes, keepdims=keepdims)
    if ord == 1:
        return sum_(abs_(x), axes, keepdims=keepdims)
    return _power_norm(abs_(x), ord, axes, keepdims)


def _power_norm(size: Array, n: float, axes: tuple[int, ...], keepdims: bool) -> Array:
    """``(Σ size^n)^(1/n)``, whose slope at sizes of 0 is taken to be 0, as that of the length."""
    zero = size == 0
    powers = where(zero, 1.0, size) ** n
    if n > 0:
        total, gone = sum_(where(zero, 0.0, powers), axes, keepdims=keepdims), all_
    else:  # one size of 0 outweighs all others
        total, gone = sum_(powers, axes, keepdims=keepdims), any_
    nothing = gone(zero, axes, keepdims=keepdims)
    return where(nothing, 0.0, where(nothing, 1.0, total) ** (1 / n))


@answers(np.prod)
def prod(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The product over axes: halves are multiplied until one number is left.

    So every derivative is exact, of numbers that are 0 too, where ``y / x`` would fail.
    """
    x, keepdims = gathered(value(x)), truth(keepdims)
    axes = normal_axes(axis, x)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
    n = count(x, axes)
    if n == 0:
        return reshape(sum_(x, axes), shape) + x.dtype.type(1)
    y = reshape(transpose(x, rest + axes), (*(x.shape[i] for i in rest), n))
    while n > 1:
        product = y[..., : n // 2] * y[..., n // 2 : n // 2 * 2]
        y = concatenate((product, y[..., -1:]), -1) if n % 2 else product
        n = y.shape[-1]
    return reshape(y, shape)


@answers(np.ptp)
def ptp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The distance from the least to the largest."""
    return max_(x, axis, keepdims=keepdims) - min_(x, axis, keepdims=keepdims)


@answers(np.average)
def average(x: Array, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Array:
    """The mean, each entry counted as often as its weight says."""
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    x, weights = value(x), value(weights)
    if weights.shape != x.shape:
        if np.ndim(axis) != 0 or axis is None or weights.ndim != 1:
            raise UsageError(
                f"weights of shape {weights.shape} for entries of shape {x.shape}",
                fix="Give weights of the same shape, or a vector of them and one axis.",
            )
        (place,) = normal_axes(axis, x)
        weights = reshape(weights, (-1, *(1,) * (x.ndim - place - 1)))
    total = sum_(spread_like(weights, x), axis, keepdims=keepdims)
    return div(sum_(x * weights, axis, keepdims=keepdims), total)


def spread_like(weights: Array, x: Array) -> Array:
    """`weights` repeated to the shape of `x`."""
    return weights if weights.shape == x.shape else spread(weights, x, ())


# -- positions and counts: whole numbers, through which no gradient flows --------------------

argmax = Op(
    "argmax",
    lambda x, axis=None, keepdims=False: np.argmax(x, axis, keepdims=keepdims),
    bind=lambda x, axis=None, keepdims=False: ((x,), {"axis": axis, "keepdims": truth(keepdims)}),
    numpy=(np.argmax,),
    doc="The position of the largest entry.",
)
argmin = Op(
    "argmin",
    lambda x, axis=None, keepdims=False: np.argmin(x, axis, keepdims=keepdims),
    bind=lambda x, axis=None, keepdims=False: ((x,), {"axis": axis, "keepdims": truth(keepdims)}),
    numpy=(np.argmin,),
    doc="The position of the least entry.",
)


any_ = Op(
    "any",
    lambda x, axis=None, keepdims=False: np.any(x, axis, keepdims=keepdims),
    bind=bind_axes,
    numpy=(np.any,),
    doc="Whether one entry at least is true.",
)
all_ = Op(
    "all",
    lambda x, axis=None, keepdims=False: np.all(x, axis, keepdims=keepdims),
    bind=bind_axes,
    numpy=(np.all,),
    doc="Whether all entries are true.",
)
count_nonzero = Op(
    "count_nonzero",
    lambda x, axis=None, keepdims=False: np.count_nonzero(x, axis, keepdims=keepdims),
    bind=bind_axes,
    numpy=(np.count_nonzero,),
    doc="How many entries are not 0.",
)
