"""Losses that are records of their own, for speed and for digits.

This file knows how far a prediction is from its target. It does not weight or check: `nn` and
`functional` do that around it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.ops.axes import place
from tinygrad_mlp.ops.domain import (
    REAL,
    Domain,
    Edge,
    Interval,
    Pick,
    broadcasting,
    same_shape,
)
from tinygrad_mlp.ops.elementary import sigmoid
from tinygrad_mlp.ops.normalising import exponentials, log_softmax, log_softmax_forward, softmax
from tinygrad_mlp.ops.notation import PRODUCT, SUM, Notation, call
from tinygrad_mlp.ops.ordering import take_along_axis
from tinygrad_mlp.ops.record import Array, Op, value
from tinygrad_mlp.ops.shaping import transpose

__all__ = ["bce_with_logits", "cross_entropy", "cross_entropy_probs", "huber", "mse", "one_hot"]


def mse_forward(p: Array, t: Array, /) -> Array:
    """One product of the flat difference with itself: no squares are stored."""
    d = (p - t).reshape(-1)
    return d.dot(d) / d.size


# Fused: the composition is four nodes and twice the arithmetic on the way back.
mse = Op(
    "mse",
    mse_forward,
    (
        lambda g, y, p, t: (2 / p.size) * g * (p - t),
        lambda g, y, p, t: (-2 / p.size) * g * (p - t),
    ),
    notation=Notation(
        "mean((<0> − <1>)²)",
        r"\operatorname{mean}\left((<0> - <1>)^2\right)",
        slots=(SUM, PRODUCT),
    ),
    domain=Domain(
        case=lambda pick: same_shape(2)(lambda options: pick([s for s in options if 0 not in s])),
    ),
    same_as=lambda p, t: ((p - t) ** 2).mean(),
    doc="The mean squared error of a prediction and a target of the same shape.",
)


# -- classes ---------------------------------------------------------------------------------

one_hot = Op(
    "one_hot",
    lambda t, n=2: t[..., None] == np.arange(n),
    bind=lambda t, n: ((value(t),), {"n": int(n)}),
    notation=call("one_hot", r"\operatorname{one\_hot}"),
    doc="Class numbers as rows of truth values, true at the class.",
)


def cross_entropy_forward(x: Array, t: Array, axis: int) -> Array:
    """``log Σ exp(x) - x[t]``, computed around the largest entry."""
    top, e = exponentials(x, axis)
    chosen = np.take_along_axis(x - top, np.expand_dims(t, axis), axis)
    return (np.log(np.add.reduce(e, axis, keepdims=True)) - chosen).reshape(t.shape)


def cross_entropy_rule(g: Array, y: Array, x: Array, t: Array, axis: int) -> Array:
    """``softmax(x) - one_hot(t)``."""
    hot = one_hot.apply((t,), {"n": x.shape[axis]})
    order = (*range(axis), x.ndim - 1, *range(axis, x.ndim - 1))
    flat = g.reshape((*t.shape[:axis], 1, *t.shape[axis:]))
    return flat * (softmax(x, axis) - transpose(hot, order).astype(x.dtype))


def _classes(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape, axis = pick(
        (((2, 3), 1), ((3,), 0), ((1, 4), 1), ((2, 3, 2), 1), ((2, 3), 0), ((0, 3), 1))
    )
    rest = shape[:axis] + shape[axis + 1 :]
    t = np.asarray(np.arange(math.prod(rest)).reshape(rest) * 2 % shape[axis])
    return (shape, t), {"axis": axis}


def _probabilities(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    (shape, _), attrs = _classes(pick)
    return (shape, shape), attrs


# Fused: log_softmax and a pick would store and differentiate a whole table of logarithms.
cross_entropy = Op(
    "cross_entropy",
    cross_entropy_forward,
    (cross_entropy_rule, None),
    bind=lambda x, t, axis=-1: ((x, value(t)), {"axis": place(axis, x)}),
    notation=call("cross_entropy", r"\operatorname{CE}"),
    domain=Domain(case=_classes, analytic=False),
    same_as=lambda x, t, axis: (
        -take_along_axis(
            log_softmax(x, axis), value(t).reshape((*t.shape[:axis], 1, *t.shape[axis:])), axis
        ).reshape(t.shape)
    ),
    doc="-log softmax(x) at the class of each sample; class numbers have no gradient.",
)

cross_entropy_probs = Op(
    "cross_entropy_probs",
    lambda x, t, axis: -np.add.reduce(t * log_softmax_forward(x, axis), axis),
    (
        lambda g, y, x, t, axis: (
            _back(g, x, axis) * (softmax(x, axis) * t.sum(axis=axis, keepdims=True) - t)
        ),
        lambda g, y, x, t, axis: -_back(g, x, axis) * log_softmax(x, axis),
    ),
    bind=lambda x, t, axis=-1: ((x, value(t)), {"axis": place(axis, x)}),
    notation=call("cross_entropy", r"\operatorname{CE}"),
    domain=Domain(
        (REAL, Interval(0.0, 1.0, (0.1, 0.9))),
        _probabilities,
        analytic=False,
    ),
    same_as=lambda x, t, axis: -(t * log_softmax(x, axis)).sum(axis),
    doc="-Σ t log softmax(x) along an axis, for targets that are probabilities.",
)


def _back(g: Array, x: Array, axis: int) -> Array:
    """`g` with the class axis put back as one of length 1."""
    return g.reshape((*x.shape[:axis], 1, *x.shape[axis + 1 :]))


def bce_with_logits_forward(x: Array, t: Array, /) -> Array:
    """``|x| (1 - t or t) + log(1 + exp(-|x|))``: no two large numbers are subtracted."""
    size = np.abs(x)
    return size * np.where(x > 0, 1.0 - t, t) + np.log1p(np.exp(0.0 - size))


bce_with_logits = Op(
    "bce_with_logits",
    bce_with_logits_forward,
    (lambda g, y, x, t: g * (sigmoid(x) - t), lambda g, y, x, t: -g * x),
    notation=call("BCE", r"\operatorname{BCE}"),
    domain=Domain(
        (REAL, Interval(0.0, 1.0, (0.1, 0.9))),
        broadcasting(2),
        analytic=False,
        edges=(Edge((1000.0, 1.0), (0.0, -1000.0)), Edge((0.0, 1.0), (-0.5, 0.0))),
    ),
    same_as=lambda x, t: -(t * np.log(sigmoid(x)) + (1.0 - t) * np.log(1.0 - sigmoid(x))),
    doc="Binary cross-entropy of σ(x), exact for logits of any size.",
)


def huber_forward(p: Array, t: Array, delta: float) -> Array:
    """``q (|d| - q/2)`` with ``q = min(|d|, δ)``: no square of a large number is taken."""
    d = np.abs(p - t)
    q = np.minimum(d, delta)
    return q * (d - 0.5 * q)


def huber_slope(g: Array, d: Array, delta: float) -> Array:
    """The distance itself near the target, and ``±δ`` from there on."""
    return g * np.where(np.abs(d) < delta, d, delta * np.sign(d))


huber = Op(
    "huber",
    huber_forward,
    (
        lambda g, y, p, t, delta: huber_slope(g, p - t, delta),
        lambda g, y, p, t, delta: huber_slope(-g, p - t, delta),
    ),
    bind=lambda p, t, delta=1.0: ((p, t), {"delta": float(delta)}),
    notation=call("huber", r"\operatorname{huber}"),
    domain=Domain(
        case=lambda pick: (broadcasting(2)(pick)[0], {"delta": pick((1.0, 0.5))}),
        kink=lambda p, t, delta: np.abs(np.abs(p - t) - delta),
        analytic=False,
        edges=(Edge((0.0, 0.0), (0.0, 0.0)), Edge((1e200, 0.0), (1.0, -1.0))),
    ),
    same_as=lambda p, t, delta: np.where(
        abs(p - t) <= delta, 0.5 * (p - t) ** 2, delta * (abs(p - t) - 0.5 * delta)
    ),
    doc="Half the squared error near the target, a straight line of slope delta from there on.",
    source='Huber, "Robust estimation of a location parameter" (1964).',
)
