"""What layers compute, without the layers: the affine map and normalisation.

This file knows formulas. The weights come from whoever calls.
"""

from __future__ import annotations

from tinygrad_mlp.ops import Array
from tinygrad_mlp.ops import layer_norm as fused
from tinygrad_mlp.ops import linear as affine
from tinygrad_mlp.ops.normalising import standard

__all__ = ["layer_norm", "linear"]


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """``x Wᵀ + b``: what a linear layer computes, one sample per row.

    Args:
        x: (..., inputs).
        weight: (outputs, inputs), as in PyTorch.
        bias: (outputs,), or None for none.

    Returns:
        (..., outputs).

    >>> import numpy as np
    >>> linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), bias=np.array([5.0]))
    array([16.])
    """
    return affine(x, weight) if bias is None else affine(x, weight, bias)


def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    axis: int | tuple[int, ...] = -1,
    eps: float = 1e-5,
) -> Array:
    """Each sample, shifted and scaled to mean 0 and variance 1 over `axis`.

    Source: Ba, Kiros, Hinton, "Layer normalization" (2016), equation 4.

    Args:
        x: (..., features).
        weight: Multiplied in afterwards; of the shape of the normalised axes.
        bias: Added after that.
        axis: What one sample's features are.
        eps: Added to the variance.

    >>> import numpy as np
    >>> layer_norm(np.array([1.0, 3.0]), eps=0.0)
    array([-1.,  1.])
    """
    if weight is None:
        y = standard(x, axis, eps)
        return y if bias is None else y + bias
    affine = (weight,) if bias is None else (weight, bias)
    return fused(x, *affine, axis=axis, eps=eps)
