"""Activations as modules: Sigmoid, Tanh, ReLU.

This file knows that an activation applies one function and keeps nothing. The functions are
records or compositions of records; see `functional`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tinygrad_mlp import functional as F
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["Activation", "ReLU", "Sigmoid", "Tanh"]


class Activation(Module):
    """The base of activations: one function of one tensor."""

    function: ClassVar[Any]

    def forward(self, x: Any) -> Tensor:
        """Apply the function; the shape stays."""
        return self.function(x if isinstance(x, Tensor) else astensor(x))  # type: ignore[no-any-return]


class Sigmoid(Activation):
    """The logistic function ``1 / (1 + exp(-x))``, between 0 and 1.

    >>> Sigmoid()([0.0])
    Tensor([0.5], shape=(1,))
    """

    function = staticmethod(F.sigmoid)


class Tanh(Activation):
    """The hyperbolic tangent, between -1 and 1.

    >>> Tanh()([0.0])
    Tensor([0.], shape=(1,))
    """

    function = staticmethod(F.tanh)


class ReLU(Activation):
    """The positive part ``max(x, 0)``; its slope at 0 is taken to be 0.

    >>> ReLU()([-1.0, 2.0])
    Tensor([0., 2.], shape=(2,))
    """

    function = staticmethod(F.relu)
