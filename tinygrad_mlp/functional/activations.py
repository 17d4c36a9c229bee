"""Activations: functions of every entry, and softmax.

This file knows which record answers to which of the field's names. Each record says itself what
it is, where it is defined and what it equals.
"""

from __future__ import annotations

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import (
    Array,
    elu,
    gelu_tanh,
    leaky_relu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from tinygrad_mlp.ops import gelu as exact_gelu

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def gelu(x: Array, approximate: str = "none") -> Array:
    """``x Φ(x)``, with the normal distribution Φ.

    Source: Hendrycks, Gimpel, "Gaussian error linear units" (2016), section 2.

    Args:
        x: Any shape.
        approximate: ``"tanh"`` for the formula with a tanh, as in PyTorch.

    >>> import numpy as np
    >>> gelu(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8413])
    """
    if approximate == "none":
        return exact_gelu(x)
    if approximate == "tanh":
        return gelu_tanh(x)
    raise UsageError(f"gelu has no approximation {approximate!r}", fix='Use "none" or "tanh".')
