"""What is scaled to a common size: softmax and its logarithms, layer normalisation.

This file knows their records. They are fused because the compositions overflow, lose digits or
take many nodes; each names the composition that it equals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.ops.axes import normal_axes, place
from tinygrad_mlp.ops.domain import Domain, Edge, Interval, Pick
from tinygrad_mlp.ops.notation import call
from tinygrad_mlp.ops.record import Array, Op
from tinygrad_mlp.ops.reduction import bind_axes, count, kept
from tinygrad_mlp.ops.statistics import several, var

__all__ = ["layer_norm", "log_softmax", "logsumexp", "softmax", "standard"]


def exponentials(x: Array, axis: Any) -> tuple[Array, Array]:
    """The largest entries, and ``exp(x - largest)``, which is from 0 to 1 whatever their size."""
    top = 1.0 * np.maximum.reduce(x, axis, keepdims=True)  # whole numbers become floats
    return top, np.exp(x - top)


def bind_axis(x: Array, axis: Any = -1) -> tuple[tuple[Array], dict[str, Any]]:
    """One axis, non-negative."""
    return (x,), {"axis": place(axis, x)}


def _rows(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape, axis = pick(
        (((3,), 0), ((2, 3), 1), ((2, 3), 0), ((2, 1, 3), 2), ((1, 1), 1), ((0, 3), 1))
    )
    return (shape,), {"axis": axis}


def softmax_forward(x: Array, axis: int) -> Array:
    """``exp(x) / Σ exp(x)``, computed around the largest entry."""
    _, e = exponentials(x, axis)
    return e / np.add.reduce(e, axis, keepdims=True)


softmax = Op(
    "softmax",
    softmax_forward,
    lambda g, y, x, axis: y * (g - (g * y).sum(axis=axis, keepdims=True)),
    bind=bind_axis,
    notation=call("softmax", r"\operatorname{softmax}"),
    domain=Domain(case=_rows, analytic=False, edges=(Edge(([1e20, 0.0],), ([0.0, 0.0],)),)),
    same_as=lambda x, axis: np.exp(x) / np.exp(x).sum(axis, keepdims=True),
    doc="exp(x) / Σ exp(x) along an axis: positive, and adding up to 1.",
)


def logsumexp_forward(x: Array, axis: Any, keepdims: Any) -> Array:
    """``log Σ exp(x)``, computed around the largest entry."""
    top, e = exponentials(x, axis)
    total = np.log(np.add.reduce(e, axis, keepdims=keepdims))
    return total + top.reshape(total.shape)


logsumexp = Op(
    "logsumexp",
    logsumexp_forward,
    # exp(x - y) would be less to compute, but a large y has no digits left for log Σ.
    lambda g, y, x, axis, keepdims: kept(g, x, axis) * softmax.apply((x,), {"axis": axis}),
    bind=bind_axes,
    notation=call("logsumexp", r"\operatorname{logsumexp}"),
    domain=Domain(
        case=several,
        analytic=False,
        edges=(Edge(([1e20, 1e20],), ([0.5, 0.5],)), Edge(([1e20, 0.0],), ([1.0, 0.0],))),
    ),
    same_as=lambda x, axis, keepdims: np.log(np.exp(x).sum(axis, keepdims=keepdims)),
    doc="log Σ exp(x) over axes, a smooth maximum.",
)


def log_softmax_forward(x: Array, axis: int) -> Array:
    """``x - log Σ exp(x)``, computed around the largest entry."""
    top, e = exponentials(x, axis)
    return (x - top) - np.log(np.add.reduce(e, axis, keepdims=True))


log_softmax = Op(
    "log_softmax",
    log_softmax_forward,
    lambda g, y, x, axis: g - np.exp(y) * g.sum(axis=axis, keepdims=True),
    bind=bind_axis,
    notation=call("log_softmax", r"\log \operatorname{softmax}"),
    domain=Domain(case=_rows, analytic=False, edges=(Edge(([1e20, 0.0],), ([-1.0, 1.0],)),)),
    same_as=lambda x, axis: np.log(softmax.apply((x,), {"axis": axis})),
    doc="The logarithm of softmax, without leaving the range of the dtype.",
)


# -- layer normalisation ---------------------------------------------------------------------


def standard_forward(x: Array, axis: Any, eps: float) -> Array:
    """Distances from the mean, in standard deviations."""
    d = x - np.add.reduce(x, axis, keepdims=True) / count(x, axis)
    return d / np.sqrt(np.add.reduce(d * d, axis, keepdims=True) / count(x, axis) + eps)


def standard_rule(g: Array, y: Array, x: Array, axis: tuple[int, ...], eps: float) -> Array:
    """``(g - mean g - y mean(g y)) / deviation``."""
    along = (g * y).mean(axis=axis, keepdims=True)
    deviation = np.sqrt(var(x, axis, keepdims=True) + eps)
    return (g - g.mean(axis=axis, keepdims=True) - y * along) / deviation


def _rows_of_several(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape, axis = pick((((2, 3), (1,)), ((4,), (0,)), ((2, 2, 3), (1, 2)), ((0, 3), (1,))))
    return (shape,), {"axis": axis, "eps": pick((0.1, 0.5))}


standard = Op(
    "standard",
    standard_forward,
    standard_rule,
    bind=lambda x, axis=-1, eps=1e-5: (
        (x,),
        {"axis": normal_axes(axis, x), "eps": float(eps)},
    ),
    notation=call("standard", r"\operatorname{standard}"),
    domain=Domain((Interval(-1e100, 1e100),), _rows_of_several, analytic=False),
    same_as=lambda x, axis, eps: (
        (x - x.mean(axis, keepdims=True)) / np.sqrt(np.var(x, axis, keepdims=True) + eps)
    ),
    doc="Entries standardised over axes: mean 0, variance 1.",
)


def bind_layer_norm(
    x: Array, *affine: Array, axis: Any = -1, eps: float = 1e-5
) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """Axes sorted and non-negative."""
    return (x, *affine), {"axis": normal_axes(axis, x), "eps": float(eps)}


def layer_norm_forward(x: Array, weight: Array, *bias: Array, axis: Any, eps: float) -> Array:
    """Standardise, then scale and shift by what was learned."""
    z = standard_forward(x, axis, eps) * weight
    return z + bias[0] if bias else z


def _layers(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape, axis, affine = pick(
        (
            ((2, 3), (1,), ((3,), (3,))),
            ((4,), (0,), ((4,),)),
            ((2, 2, 3), (1, 2), ((2, 3), (2, 3))),
            ((0, 3), (1,), ((3,), (3,))),
        )
    )
    return (shape, *affine), {"axis": axis, "eps": pick((0.1, 0.5))}


# Fused: three nodes in one. The rules standardise again instead of keeping what they need.
layer_norm = Op(
    "layer_norm",
    layer_norm_forward,
    (
        lambda g, y, x, weight, *bias, axis, eps: standard_rule(
            g * weight, standard(x, axis, eps), x, axis, eps
        ),
        lambda g, y, x, weight, *bias, axis, eps: g * standard(x, axis, eps),
        lambda g, y, x, weight, bias, axis, eps: g,
    ),
    bind=bind_layer_norm,
    notation=call("layer_norm"),
    domain=Domain((Interval(-1e100, 1e100),), _layers, analytic=False),
    same_as=lambda x, weight, *bias, axis, eps: sum(bias, standard(x, axis, eps) * weight),
    doc="Entries standardised over axes, then scaled and shifted entry by entry.",
    source='Ba, Kiros, Hinton, "Layer normalization" (2016), equation 4.',
)
