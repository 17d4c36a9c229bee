"""The methods of arrays, spelled as records: ``x.sum(axis)``, ``x.exp()``, ``x.argmax()``.

This file knows which record or composition each name stands for, and nothing else. Options that a
method does not know are handed on to it, and it says what it takes. Whatever may stand in the place
of an array inherits these names through `Operand`.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops.arithmetic import abs_, cast, copy
from tinygrad_mlp.ops.arranging import ravel, repeat, squeeze, swapaxes
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

    def sum(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The sum over `axis` (all axes by default)."""
        return sum_(self, axis, keepdims, **options)

    def mean(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The mean over `axis` (all axes by default)."""
        return mean(self, axis, keepdims, **options)

    def max(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The maximum over `axis` (all axes by default)."""
        return max_(self, axis, keepdims, **options)

    def min(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The minimum over `axis` (all axes by default)."""
        return min_(self, axis, keepdims, **options)

    def prod(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The product over `axis` (all axes by default)."""
        return prod(self, axis, keepdims, **options)

    def var(
        self, axis: Any = None, *more: Any, ddof: float = 0, keepdims: bool = False, **options: Any
    ) -> Self:
        """The variance over `axis` (all axes by default)."""
        return var(self, axis, *more, ddof=ddof, keepdims=keepdims, **options)

    def std(
        self, axis: Any = None, *more: Any, ddof: float = 0, keepdims: bool = False, **options: Any
    ) -> Self:
        """The standard deviation over `axis` (all axes by default)."""
        return std(self, axis, *more, ddof=ddof, keepdims=keepdims, **options)

    def ptp(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The maximum less the minimum over `axis` (all axes by default)."""
        return ptp(self, axis, keepdims, **options)

    def cumsum(self, axis: Any = None, **options: Any) -> Self:
        """Running sums along `axis` (of all entries in one row by default)."""
        return cumsum(self, axis, **options)

    def cumprod(self, axis: Any = None, **options: Any) -> Self:
        """Running products along `axis` (of all entries in one row by default)."""
        return cumprod(self, axis, **options)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, **options: Any) -> Self:
        """The sum of a diagonal."""
        return trace(self, offset, axis1, axis2, **options)

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

    def clip(self, min: Any = None, max: Any = None, **options: Any) -> Self:
        """Each entry held between two bounds."""
        return clip(self, min=min, max=max, **options)

    def round(self, decimals: int = 0, **options: Any) -> Self:
        """Each entry rounded; no gradient flows through that."""
        return round_(self, decimals, **options)

    # -- arranging ---------------------------------------------------------------------------

    def reshape(self, *shape: Any, **options: Any) -> Self:
        """The same entries in another shape; one size may be -1."""
        return reshape(self, *shape, **options)

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order (reversed by default)."""
        return transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def ravel(self) -> Self:
        """All entries in one row."""
        return ravel(self)

    def flatten(self, **options: Any) -> Self:
        """All entries in one row."""
        return ravel(self, **options)

    def squeeze(self, axis: Any = None, **options: Any) -> Self:
        """Without axes of length 1."""
        return squeeze(self, axis, **options)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """Two axes in each other's place."""
        return swapaxes(self, axis1, axis2)

    def repeat(self, repeats: Any, axis: Any = None, **options: Any) -> Self:
        """Each entry so often, one copy after the other."""
        return repeat(self, repeats, axis, **options)

    def take(self, indices: Array, axis: Any = None, **options: Any) -> Self:
        """Slices at positions along an axis."""
        return take(self, indices, axis, **options)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1, **options: Any) -> Self:
        """The entries of a diagonal, along a new last axis."""
        return diagonal(self, offset, axis1, axis2, **options)

    def astype(self, dtype: Any, *, copy: bool = True) -> Self:
        """The same numbers in another dtype, always as another value, whatever `copy` is."""
        return cast(self, dtype)

    def copy(self) -> Self:
        """The same numbers as another value, through which gradients flow."""
        return copy(self)

    # -- positions and truth values, which have no gradient ----------------------------------

    def argmax(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The position of the largest entry."""
        return argmax(self, axis, keepdims, **options)

    def argmin(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """The position of the least entry."""
        return argmin(self, axis, keepdims, **options)

    def argsort(self, axis: Any = -1, **options: Any) -> Self:
        """The positions in ascending order of what stands there."""
        return argsort(self, axis, **options)

    def any(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """Whether one entry at least is true."""
        return any_(self, axis, keepdims, **options)

    def all(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Self:
        """Whether all entries are true."""
        return all_(self, axis, keepdims, **options)

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
