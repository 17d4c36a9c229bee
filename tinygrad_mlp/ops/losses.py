"""Losses that are records of their own, for speed.

This file knows how far a prediction is from its target, as one number. It does not reduce,
weight or check: `nn` and `functional` do that around it.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.ops.domain import Domain, same_shape
from tinygrad_mlp.ops.notation import PRODUCT, SUM, Notation
from tinygrad_mlp.ops.record import Array, Op

__all__ = ["mse"]


def mse_forward(p: Array, t: Array) -> Array:
    """One product of the flat difference with itself: no squares are stored."""
    d = (p - t).reshape(-1)
    return np.dot(d, d) / d.size


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
