"""Gradient clipping: keeping a step small where the loss is steep.

This file knows two rules. Both rebind ``p.grad`` and branch on no value, so they may stand
between ``backward()`` and ``step()`` of a compiled step too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    params: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0
) -> Array:
    """Scale all gradients together, so that their common length is at most `max_norm`.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks"
    (2013), algorithm 1, in the form of PyTorch: the factor is ``max_norm / (norm + 1e-6)``.

    Args:
        params: Parameters; those without a gradient are passed over.
        max_norm: The largest length allowed.
        norm_type: What length means: 2 for Euclid's, ``math.inf`` for the largest entry, p for
            ``(Σ |g|ᵖ)^(1/p)``.

    Returns:
        The length before clipping, a 0-d array.

    Raises:
        UsageError: If `max_norm` is negative, or `norm_type` is not more than 0.

    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> w.grad = np.array([3.0, 4.0])
    >>> float(clip_grad_norm_([w], 1.0))
    5.0
    >>> w.grad.round(4)
    array([0.6, 0.8])
    """
    if not max_norm >= 0 or not norm_type > 0:
        raise UsageError(
            f"clip_grad_norm_ with max_norm={max_norm!r}, norm_type={norm_type!r}",
            why="a length is 0 or more, and of a kind that is more than 0",
            fix="Use max_norm=1.0.",
        )
    found = _with_gradients(params)
    norm = _norm([g for _, g in found], norm_type)
    factor = np.minimum(float(max_norm) / (norm + 1e-6), 1.0)
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
        p.grad = np.minimum(np.maximum(g, -float(clip_value)), float(clip_value))


def _norm(gradients: list[Array], kind: float) -> Array:
    """The length of all gradients together."""
    total: Any = 0.0
    if kind == math.inf:
        for g in gradients:
            total = np.maximum(total, abs(g).max()) if g.size else total
        return np.maximum(total, 0.0)
    for g in gradients:
        total = total + ((g * g).sum() if kind == 2 else (abs(g) ** float(kind)).sum())
    return np.sqrt(total) if kind == 2 else total ** (1.0 / kind)


def _with_gradients(params: Iterable[Tensor] | Tensor) -> list[tuple[Tensor, Array]]:
    items = [params] if isinstance(params, Tensor) else list(params)
    return [(p, g.data if isinstance(g, Tensor) else g) for p in items if (g := p.grad) is not None]
