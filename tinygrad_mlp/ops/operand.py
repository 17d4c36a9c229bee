"""What a value must understand so that rules can be read by it: operators and NumPy.

This file knows how ``a + b``, ``x.sum()`` and ``np.exp(x)`` become records. It does not know
what applying a record does: tensors, symbols and program variables inherit these spellings
and register a reader each.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops.arithmetic import abs_, add, constant_power, div, mul, neg, power, sub
from tinygrad_mlp.ops.indexing import getitem
from tinygrad_mlp.ops.methods import Methods
from tinygrad_mlp.ops.products import matmul
from tinygrad_mlp.ops.protocols import call_function, call_ufunc
from tinygrad_mlp.ops.record import BY_NUMPY, Array
from tinygrad_mlp.ops.rounding import floor_divide, mod, round_
from tinygrad_mlp.ops.selection import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from tinygrad_mlp.ops.shaping import matrix_transpose, transpose

__all__ = ["Operand"]


class Operand(Methods):
    """A value that stands where an array could stand.

    Subclasses have ``shape``, ``ndim``, ``size`` and ``dtype`` and a reader in
    `record.READERS`.
    """

    __slots__ = ()

    shape: Any
    ndim: Any
    size: Any
    dtype: Any

    # -- operators, one line each ------------------------------------------------------------

    def __add__(self, other: Array) -> Self:
        return add(self, other)

    def __radd__(self, other: Array) -> Self:
        return add(other, self)

    def __sub__(self, other: Array) -> Self:
        return sub(self, other)

    def __rsub__(self, other: Array) -> Self:
        return sub(other, self)

    def __mul__(self, other: Array) -> Self:
        return mul(self, other)

    def __rmul__(self, other: Array) -> Self:
        return mul(other, self)

    def __truediv__(self, other: Array) -> Self:
        return div(self, other)

    def __rtruediv__(self, other: Array) -> Self:
        return div(other, self)

    def __floordiv__(self, other: Array) -> Self:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: Array) -> Self:
        return floor_divide(other, self)

    def __mod__(self, other: Array) -> Self:
        return mod(self, other)

    def __rmod__(self, other: Array) -> Self:
        return mod(other, self)

    def __matmul__(self, other: Array) -> Self:
        return matmul(self, other)

    def __rmatmul__(self, other: Array) -> Self:
        return matmul(other, self)

    def __neg__(self) -> Self:
        return neg(self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return abs_(self)

    def __round__(self, decimals: int = 0) -> Self:
        return round_(self, decimals)

    def __pow__(self, other: Array) -> Self:
        if isinstance(other, int | float) and not isinstance(other, bool):
            return constant_power(self, n=other)
        return power(self, other)

    def __rpow__(self, other: Array) -> Self:
        return power(other, self)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        if other is None or isinstance(other, str):
            return NotImplemented  # so Python compares which object it is, and says False
        return equal(self, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        if other is None or isinstance(other, str):
            return NotImplemented
        return not_equal(self, other)

    def __lt__(self, other: Array) -> Self:
        return less(self, other)

    def __le__(self, other: Array) -> Self:
        return less_equal(self, other)

    def __gt__(self, other: Array) -> Self:
        return greater(self, other)

    def __ge__(self, other: Array) -> Self:
        return greater_equal(self, other)

    def __and__(self, other: Array) -> Self:
        return logical_and(self, _truth(other))

    __rand__ = __and__

    def __or__(self, other: Array) -> Self:
        return logical_or(self, _truth(other))

    __ror__ = __or__

    def __xor__(self, other: Array) -> Self:
        if self.dtype.kind != "b":
            raise UsageError(
                "^ is bitwise xor in Python, and these are not truth values",
                fix="For powers write x ** 2.",
            )
        return logical_xor(self, _truth(other))

    __rxor__ = __xor__

    def __invert__(self) -> Self:
        return logical_not(self)

    def __getitem__(self, key: Any) -> Self:
        return getitem(self, key)

    __hash__ = object.__hash__

    @property
    def T(self) -> Self:
        """All axes in reverse order."""
        return matrix_transpose(self) if self.ndim == 2 else transpose(self)

    @property
    def mT(self) -> Self:
        """The last two axes swapped."""
        return matrix_transpose(self)

    # -- NumPy's own functions ---------------------------------------------------------------

    __array_priority__: ClassVar[float] = 100.0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Array, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            answer = BY_NUMPY.get(ufunc)
            if answer is not None:
                return answer(*inputs)
        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call_function(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise UsageError(
            f"a {type(self).__name__} where an array is needed",
            why="it stands for numbers and has none to hand out",
        )


def _truth(other: Array) -> Array:
    """`other`, if it is made of truth values: ``x & 3`` is no logic."""
    if getattr(other, "dtype", np.dtype(type(other))).kind != "b":
        raise UsageError("&, | and ^ combine truth values", fix="Write (x > 0) & (y > 0).")
    return other
