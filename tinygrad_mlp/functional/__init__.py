"""Functions of networks without state: activations, normalisation and losses.

This room knows which record or composition of records answers to the field's names. It keeps no
weights and makes no tensors: arrays in, arrays out; tensors in, tensors out; symbols in, a
formula out. Modules with the same mathematics, and with kinder errors, live in `nn`.

    from tinygrad_mlp import functional as F
"""

from __future__ import annotations

from tinygrad_mlp.functional.activations import (
    elu,
    gelu,
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
from tinygrad_mlp.functional.layers import layer_norm, linear
from tinygrad_mlp.functional.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "elu",
    "gelu",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsumexp",
    "mse_loss",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
