"""The methods of arrays, spelled as records: ``x.sum(axis)``, ``x.exp()``, ``x.argmax()``.

This file knows which record or composition each name stands for, and nothing else. Whatever
may stand in the place of an array inherits these names through `Operand`.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops.arithmetic import abs_, cast, copy
from tinygrad_mlp.ops.arranging import ravel, repeat, squeeze, swapaxes
from tinygrad_mlp.ops.axes import unknown_option
from tinygrad_mlp.ops.contraction import diagonal, trace
from tinygrad_mlp.ops.elementary import cos, exp, log, sigmoid, sin, sqrt, tanh
from tinygrad_mlp.ops.ordering import argsort, cumprod, cumsum, take
from tinygrad_mlp.ops.products import dot
from tinygrad_mlp.ops.record import Array
from tinygrad_mlp.ops.reduction import max_, mean, min_, sum_
from tinygrad_mlp.ops.rounding import round_
from tinygrad_mlp.ops.selection import clip, relu
from tinygrad_mlp.ops.shaping import reshape, transpose
from tinygrad_mlp.ops.statistics import all_, any_, argmax, argmin, prod, ptp, std, var

__all__ = ["Methods"]


class Methods:
    """The methods of arrays that rules and people use."""

    __slots__ = ()

    # -- gathering ---------------------------------------------------------------------------

    def sum(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The sum over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("sum", self, unknown)
        return sum_(self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The mean over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("mean", self, unknown)
        return mean(self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The maximum over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("max", self, unknown)
        return max_(self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The minimum over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("min", self, unknown)
        return min_(self, axis, keepdims=keepdims)

    def prod(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The product over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("prod", self, unknown)
        return prod(self, axis, keepdims=keepdims)

    def var(
        self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, **unknown: Any
    ) -> Self:
        """The variance over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("var", self, unknown)
        return var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(
        self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, **unknown: Any
    ) -> Self:
        """The standard deviation over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("std", self, unknown)
        return std(self, axis, ddof=ddof, keepdims=keepdims)

    def ptp(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The maximum less the minimum over `axis` (all axes by default)."""
        if unknown:
            raise unknown_option("ptp", self, unknown)
        return ptp(self, axis, keepdims=keepdims)

    def cumsum(self, axis: Any = None, **unknown: Any) -> Self:
        """Running sums along `axis` (of all entries in one row by default)."""
        if unknown:
            raise unknown_option("cumsum", self, unknown)
        return cumsum(self, axis)

    def cumprod(self, axis: Any = None, **unknown: Any) -> Self:
        """Running products along `axis` (of all entries in one row by default)."""
        if unknown:
            raise unknown_option("cumprod", self, unknown)
        return cumprod(self, axis)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """The sum of a diagonal."""
        return trace(self, offset, axis1, axis2)

    def dot(self, other: Array) -> Self:
        """The product with a number, a vector or a matrix, as `numpy.dot`."""
        return dot(self, other)

    # -- entry by entry ----------------------------------------------------------------------

    def exp(self) -> Self:
        """E to the power of each entry."""
        return exp(self)

    def log(self) -> Self:
        """The natural logarithm of each entry."""
        return log(self)

    def sqrt(self) -> Self:
        """The square root of each entry."""
        return sqrt(self)

    def sin(self) -> Self:
        """The sine of each entry."""
        return sin(self)

    def cos(self) -> Self:
        """The cosine of each entry."""
        return cos(self)

    def tanh(self) -> Self:
        """The hyperbolic tangent of each entry."""
        return tanh(self)

    def sigmoid(self) -> Self:
        """The logistic function of each entry."""
        return sigmoid(self)

    def relu(self) -> Self:
        """The positive part of each entry."""
        return relu(self)

    def abs(self) -> Self:
        """The absolute value of each entry."""
        return abs_(self)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """Each entry held between two bounds."""
        return clip(self, min, max)

    def round(self, decimals: int = 0) -> Self:
        """Each entry rounded; no gradient flows through that."""
        return round_(self, decimals)

    # -- arranging ---------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Self:
        """The same entries in another shape; one size may be -1."""
        return reshape(self, *shape)

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order (reversed by default)."""
        return transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def ravel(self) -> Self:
        """All entries in one row."""
        return ravel(self)

    flatten = ravel

    def squeeze(self, axis: Any = None, **unknown: Any) -> Self:
        """Without axes of length 1."""
        if unknown:
            raise unknown_option("squeeze", self, unknown)
        return squeeze(self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """Two axes in each other's place."""
        return swapaxes(self, axis1, axis2)

    def repeat(self, repeats: Any, axis: Any = None, **unknown: Any) -> Self:
        """Each entry so often, one copy after the other."""
        if unknown:
            raise unknown_option("repeat", self, unknown)
        return repeat(self, repeats, axis)

    def take(self, indices: Array, axis: Any = None, **unknown: Any) -> Self:
        """Slices at positions along an axis."""
        if unknown:
            raise unknown_option("take", self, unknown)
        return take(self, indices, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """The entries of a diagonal, along a new last axis."""
        return diagonal(self, offset, axis1, axis2)

    def astype(self, dtype: Any) -> Self:
        """The same numbers in another dtype."""
        return cast(self, dtype)

    def copy(self) -> Self:
        """The same numbers as another value, through which gradients flow."""
        return copy(self)

    # -- positions and truth values, which have no gradient ----------------------------------

    def argmax(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The position of the largest entry."""
        if unknown:
            raise unknown_option("argmax", self, unknown)
        return argmax(self, axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """The position of the least entry."""
        if unknown:
            raise unknown_option("argmin", self, unknown)
        return argmin(self, axis, keepdims=keepdims)

    def argsort(self, axis: Any = -1, **unknown: Any) -> Self:
        """The positions in ascending order of what stands there."""
        if unknown:
            raise unknown_option("argsort", self, unknown)
        return argsort(self, axis)

    def any(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """Whether one entry at least is true."""
        if unknown:
            raise unknown_option("any", self, unknown)
        return any_(self, axis, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False, **unknown: Any) -> Self:
        """Whether all entries are true."""
        if unknown:
            raise unknown_option("all", self, unknown)
        return all_(self, axis, keepdims=keepdims)

    # -- what arrays do in place -------------------------------------------------------------

    def sort(self, axis: int = -1) -> NoReturn:
        """Refuse: arrays sort themselves in place, and others may have used the old order.

        Raises:
            UsageError: Always.
        """
        raise UsageError("t.sort() changes a value in place", fix="Use np.sort(t, axis).")

    def fill(self, value: Any) -> NoReturn:
        """Refuse: others may have used the old numbers.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "t.fill() would change a value in place", fix="Use np.full_like(t, value)."
        )
