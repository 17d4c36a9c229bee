"""Ops that gather many numbers into few: sum, mean, max, min.

This file knows axes, `keepdims` and how a gradient spreads back over what was gathered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.ops.axes import normal_axes, truth
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.notation import PRODUCT, Notation
from tinygrad_mlp.ops.record import Array, Op
from tinygrad_mlp.ops.shaping import broadcast_to

__all__ = ["bind_axes", "max_", "mean", "min_", "reductions", "spread", "sum_"]


def bind_axes(
    x: Array, axis: Any = None, keepdims: Any = False
) -> tuple[tuple[Array], dict[str, Any]]:
    """Normalise the axes."""
    if keepdims is not False and keepdims is not True:
        keepdims = truth(keepdims)
    return (x,), {"axis": normal_axes(axis, x), "keepdims": keepdims}


def kept(g: Array, x: Array, axis: tuple[int, ...]) -> Array:
    """`g` with the reduced axes put back as axes of length 1."""
    return g.reshape(tuple(1 if i in axis else n for i, n in enumerate(x.shape)))


def spread(g: Array, x: Array, axis: tuple[int, ...]) -> Array:
    """`g` repeated over what was reduced."""
    return broadcast_to(kept(g, x, axis), shape=x.shape)


def count(x: Array, axis: tuple[int, ...]) -> int:
    """How many entries each result was gathered from."""
    return math.prod(x.shape[i] for i in axis)


def reductions(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Draw a shape without empty axes, some of its axes and `keepdims`."""
    shape, axis = pick(
        (
            ((), ()),
            ((3,), (0,)),
            ((3, 2), (0,)),
            ((2, 3), (1,)),
            ((2, 3), (0, 1)),
            ((2, 1, 3), (0, 2)),
            ((2, 3), ()),
            ((1, 1), (1,)),
        )
    )
    return (shape,), {"axis": axis, "keepdims": pick((False, True))}


def over(sign: str, latex: str) -> Notation:
    """Write a big operator; its axes show when they are not all of them."""

    def text(attrs: Any, shapes: Any) -> str:
        whole = len(attrs["axis"]) == len(shapes[0])
        return f"{sign} <0>" if whole else f"{sign}[axis {_list(attrs['axis'])}] <0>"

    def tex(attrs: Any, shapes: Any) -> str:
        whole = len(attrs["axis"]) == len(shapes[0])
        return f"{latex} <0>" if whole else rf"{latex}_{{\text{{axis {_list(attrs['axis'])}}}}} <0>"

    return Notation(text, tex, PRODUCT, (PRODUCT,))


def _list(axis: tuple[int, ...]) -> str:
    return ", ".join(map(str, axis))


sum_ = Op(
    "sum",
    lambda x, axis, keepdims: np.add.reduce(x, axis, keepdims=keepdims),
    lambda g, y, x, axis, keepdims: spread(g, x, axis),
    bind=bind_axes,
    numpy=(np.sum,),
    notation=over("Σ", r"\sum"),
    domain=Domain(case=reductions),
    doc="The sum over axes.",
)


def mean_forward(x: Array, axis: Any, keepdims: Any) -> Array:
    """The sum divided by how many they are; of half precision in float32, as in NumPy."""
    if x.dtype.char == "e":
        return mean_forward(x.astype(np.float32), axis, keepdims).astype(x.dtype)
    return np.add.reduce(x, axis, keepdims=keepdims) / count(x, axis)


def share(g: Array, n: int) -> Array:
    """``g / n``; in two steps where `n` is no number of half precision."""
    return g / n if n < 2**15 or g.dtype.char != "e" else g / 2.0**10 / (n / 2**10)


mean = Op(
    "mean",
    mean_forward,
    lambda g, y, x, axis, keepdims: spread(share(g, count(x, axis)), x, axis),
    bind=bind_axes,
    numpy=(np.mean,),
    notation=over("mean", r"\operatorname{mean}"),
    domain=Domain(case=reductions),
    doc="The mean over axes.",
)


def extremum_rule(g: Array, y: Array, x: Array, axis: Any, keepdims: Any) -> Array:
    """The extreme entries share the gradient equally."""
    hit = (x == kept(y, x, axis)).astype(x.dtype)
    return hit * (kept(g, x, axis) / hit.sum(axis=axis, keepdims=True))


def _gap(x: Array, axis: tuple[int, ...], keepdims: Any, sign: int) -> Array:
    """How far the extreme entry is from the next one."""
    rest = tuple(i for i in range(x.ndim) if i not in axis)
    rows = x.transpose(rest + axis).reshape([x.shape[i] for i in rest] + [count(x, axis)])
    ordered = np.sort(sign * rows, axis=-1)
    return ordered[..., -1] - ordered[..., -2] if rows.shape[-1] > 1 else np.inf


def _extremum(name: str, ufunc: np.ufunc, numpy: tuple[Callable[..., Array], ...], s: int) -> Op:
    return Op(
        name,
        lambda x, axis, keepdims: ufunc.reduce(x, axis, keepdims=keepdims),
        extremum_rule,
        bind=bind_axes,
        numpy=numpy,
        notation=over(name, rf"\{name}"),
        domain=Domain(
            case=reductions,
            kink=lambda x, axis, keepdims: _gap(x, axis, keepdims, s),
            analytic=False,
        ),
        doc=f"The {name}imum over axes; entries that are equally extreme share the gradient.",
    )


max_ = _extremum("max", np.maximum, (np.max, np.amax), 1)
min_ = _extremum("min", np.minimum, (np.min, np.amin), -1)
