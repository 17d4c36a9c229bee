"""Gradient clipping: keeping a step small where the loss is steep.

This file knows two rules. Both rebind ``p.grad`` and branch on no value, so they may stand
between ``backward()`` and ``step()`` of a compiled step too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(params: Iterable[Tensor] | Tensor, max_norm: float) -> Array:
    """Scale all gradients together, so that their common length is at most `max_norm`.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks"
    (2013), algorithm 1, in the form of PyTorch: the factor is ``max_norm / (norm + 1e-6)``.

    Args:
        params: Parameters; those without a gradient are passed over.
        max_norm: The largest length allowed.

    Returns:
        The length before clipping, a 0-d array.

    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> w.grad = np.array([3.0, 4.0])
    >>> float(clip_grad_norm_([w], 1.0))
    5.0
    >>> w.grad.round(4)
    array([0.6, 0.8])
    """
    found = _with_gradients(params)
    total: Any = 0.0
    for _, g in found:
        total = total + (g * g).sum()
    norm = np.sqrt(total)
    factor = np.minimum(max_norm / (norm + 1e-6), 1.0)
    for p, g in found:
        p.grad = g * factor.astype(g.dtype)
    return norm


def clip_grad_value_(params: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Move every entry of every gradient into ``[-clip_value, clip_value]``.

    >>> w = Tensor([3.0, -4.0], requires_grad=True)
    >>> w.grad = np.array([0.5, -4.0])
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    array([ 0.5, -1. ])
    """
    for p, g in _with_gradients(params):
        p.grad = np.minimum(np.maximum(g, -clip_value), clip_value)


def _with_gradients(params: Iterable[Tensor] | Tensor) -> list[tuple[Tensor, Array]]:
    items = [params] if isinstance(params, Tensor) else list(params)
    return [(p, g.data if isinstance(g, Tensor) else g) for p in items if (g := p.grad) is not None]
