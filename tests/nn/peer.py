"""PyTorch beside this package: the same weights, the same data, compared to the last digits.

Knows how weights and data go over, and how outputs, gradients and weights are compared.
"""

from __future__ import annotations

import numpy as np

from tests.conftest import needs
from tinygrad_mlp import Tensor

torch = needs("torch")
torch.set_num_threads(1)

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}


def over(array):
    """An array as PyTorch's tensor, sharing nothing."""
    return torch.tensor(np.array(array))


def carry(ours, theirs):
    """Our weights and buffers into PyTorch's module, strictly."""
    theirs.load_state_dict({k: over(v) for k, v in ours.state_dict().items()}, strict=True)


def close(ours, theirs, dtype=np.float64):
    """Equal in shape and dtype, and in value relative to the largest entry."""
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    assert np.abs(ours - theirs).max(initial=0) <= TOLERANCE[dtype] * scale


def compare(ours, theirs, x, dtype=np.float64):
    """Outputs, gradients of the input and of every parameter, and buffers afterwards."""
    x = np.asarray(x)
    ix = x.dtype.kind in "iu"
    a, b = Tensor(x, requires_grad=not ix), over(x).requires_grad_(not ix)
    y, z = ours(a), theirs(b)
    close(y.data, z, dtype)
    g = np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype)
    if not (y.requires_grad or z.requires_grad):
        return
    y.backward(g)
    z.backward(over(g))
    if not ix:
        close(a.grad, b.grad, dtype)
    named = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        close(p.grad, named[name].grad, dtype)
    for name, value in theirs.named_buffers():
        assert np.allclose(ours.state_dict()[name], value.numpy(), rtol=0, atol=TOLERANCE[dtype])
