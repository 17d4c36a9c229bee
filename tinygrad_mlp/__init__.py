"""tinygrad_mlp: backpropagation to learn from, teach with and build on."""

from __future__ import annotations

from tinygrad_mlp.tensor import Tensor, tensor
from tinygrad_mlp.autodiff import no_grad, enable_grad

__version__ = "0.1.0"
