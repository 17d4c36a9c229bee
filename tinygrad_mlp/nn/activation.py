"""Activations as modules: they apply one function and keep no weights.

This file knows which function each applies, and the constants that come with it. The functions
are records or compositions of records; see `functional`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tinygrad_mlp import functional as F
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


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


class SiLU(Activation):
    """``x σ(x)``; see `functional.silu`.

    >>> SiLU()([0.0])
    Tensor([0.], shape=(1,))
    """

    function = staticmethod(F.silu)


class Softplus(Activation):
    """``log(1 + exp(x))``; see `functional.softplus`.

    >>> Softplus()([0.0])
    Tensor([0.69314718], shape=(1,))
    """

    function = staticmethod(F.softplus)


class LeakyReLU(Module):
    """``x`` where it is positive, ``negative_slope · x`` elsewhere.

    >>> LeakyReLU(0.1)([-1.0, 2.0])
    Tensor([-0.1,  2. ], shape=(2,))
    """

    negative_slope: float

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        return F.leaky_relu(astensor(x), self.negative_slope)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The slope."""
        return f"{self.negative_slope}"


class ELU(Module):
    """``x`` where it is positive, ``alpha (exp(x) - 1)`` elsewhere.

    >>> ELU()([0.0, 2.0])
    Tensor([0., 2.], shape=(2,))
    """

    alpha: float

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        return F.elu(astensor(x), self.alpha)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Alpha."""
        return f"{self.alpha}"


class GELU(Module):
    """``x Φ(x)`` with the normal distribution Φ; see `functional.gelu`.

    Args:
        approximate: ``"tanh"`` for the formula with a tanh.

    >>> GELU()([0.0])
    Tensor([0.], shape=(1,))
    """

    approximate: str

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        return F.gelu(astensor(x), self.approximate)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The approximation, if there is one."""
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class Softmax(Module):
    """Positive numbers that add up to 1 along `dim`. Not to be followed by CrossEntropyLoss.

    >>> Softmax()([1.0, 1.0])
    Tensor([0.5, 0.5], shape=(2,))
    """

    dim: int

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        return F.softmax(astensor(x), axis=self.dim)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The axis, if it is not the last."""
        return "" if self.dim == -1 else f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of `Softmax`, stable.

    >>> LogSoftmax()([1.0, 1.0])
    Tensor([-0.69314718, -0.69314718], shape=(2,))
    """

    dim: int

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        return F.log_softmax(astensor(x), axis=self.dim)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The axis, if it is not the last."""
        return "" if self.dim == -1 else f"dim={self.dim}"
