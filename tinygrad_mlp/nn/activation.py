"""Activations as modules: they apply one function and, but for `PReLU`, keep no weights.

This file knows which function each applies, and the constants that come with it. The functions
are records or compositions of records; see `functional`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tinygrad_mlp import functional as F
from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.nn.init import counted
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.parameter import Parameter
from tinygrad_mlp.nn.trail import place_of
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "Hardtanh",
    "LeakyReLU",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
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


def _mish(x: Tensor) -> Any:
    return x * F.tanh(F.softplus(x))


class Mish(Activation):
    """``x tanh(log(1 + exp(x)))``.

    Source: Misra, "Mish: a self regularized non-monotonic activation function" (2020),
    equation 1.

    >>> Mish()([0.0])
    Tensor([0.], shape=(1,))
    """

    function = staticmethod(_mish)


def _softsign(x: Tensor) -> Any:
    return x / (1.0 + abs(x))


class Softsign(Activation):
    """``x / (1 + |x|)``, between -1 and 1.

    >>> Softsign()([-1.0, 3.0])
    Tensor([-0.5 ,  0.75], shape=(2,))
    """

    function = staticmethod(_softsign)


class Hardtanh(Module):
    """``x``, but no less than `min_val` and no more than `max_val`.

    >>> Hardtanh()([-3.0, 0.5])
    Tensor([-1. ,  0.5], shape=(2,))
    """

    min_val: float
    max_val: float

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        if not min_val < max_val:
            raise UsageError(
                f"Hardtanh from {min_val!r} to {max_val!r}",
                why="there is nothing between",
                fix="Write Hardtanh(-1.0, 1.0).",
            )
        self.min_val, self.max_val = float(min_val), float(max_val)

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        clipped: Any = np.clip(astensor(x), self.min_val, self.max_val)
        return clipped  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Its ends, if they are not the usual ones."""
        usual = (self.min_val, self.max_val) == (-1.0, 1.0)
        return "" if usual else f"{self.min_val}, {self.max_val}"


class PReLU(Module):
    """`LeakyReLU` whose slope is learned.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015), equation 1.

    Args:
        num_parameters: 1 for one slope, or the number of features for one each.
        init: Where the slopes begin.
        dtype: The dtype of the slopes, float64 by default.

    Attributes:
        weight: (num_parameters,).

    Called with numbers of any shape; axis 1 counts the features.

    >>> PReLU()([-1.0, 2.0])
    Tensor([-0.25,  2.  ], shape=(2,), op=where)
    """

    num_parameters: int
    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: Any = None) -> None:
        self.num_parameters = counted("PReLU", "num_parameters", num_parameters, "PReLU(5)")
        slopes = np.full(self.num_parameters, init, np.float64 if dtype is None else dtype)
        self.weight = Parameter(slopes)

    def forward(self, x: Any) -> Tensor:
        """Apply it; the shape stays."""
        x = astensor(x)
        slope = self.weight
        if self.num_parameters != 1:
            if x.ndim < 2 or x.shape[1] != self.num_parameters:
                raise ShapeError(
                    f"{place_of(self)} has {self.num_parameters} slopes, got {x.shape}",
                    why="axis 1 counts the features",
                    fix=f"Write PReLU({x.shape[1] if x.ndim > 1 else 1}).",
                )
            slope = slope.reshape((self.num_parameters, *(1,) * (x.ndim - 2)))
        return np.where(x > 0, x, slope * x)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """How many slopes, if it is more than one."""
        return "" if self.num_parameters == 1 else str(self.num_parameters)


class LeakyReLU(Module):
    """``x`` where it is positive, ``negative_slope · x`` elsewhere.

    >>> LeakyReLU(0.1)([-1.0, 2.0])
    Tensor([-0.1,  2. ], shape=(2,))
    """

    negative_slope: float

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = float(negative_slope)

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
        self.alpha = float(alpha)

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
