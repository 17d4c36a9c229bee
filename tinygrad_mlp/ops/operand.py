"""What a value must understand so that rules can be read by it: operators and NumPy.

This file knows how ``a + b``, ``x.sum()`` and ``np.exp(x)`` become records. It does not know
what applying a record does: tensors, symbols and program variables inherit these spellings
and register a reader each.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from tinygrad_mlp.errors import UnsupportedError, UsageError
from tinygrad_mlp.ops.arithmetic import abs_, add, cast, constant_power, div, mul, neg, power, sub
from tinygrad_mlp.ops.products import dot, matmul
from tinygrad_mlp.ops.record import BY_NUMPY, Array, answers
from tinygrad_mlp.ops.reduction import max_, mean, min_, sum_
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
from tinygrad_mlp.ops.shaping import getitem, matrix_transpose, reshape, transpose

__all__ = ["Operand"]


class Operand:
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

    def __pow__(self, other: Array) -> Self:
        if isinstance(other, int | float) and not isinstance(other, bool):
            return constant_power(self, n=other)
        return power(self, other)

    def __rpow__(self, other: Array) -> Self:
        return power(other, self)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return equal(self, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
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

    # -- the methods of arrays that rules and people use -------------------------------------

    @property
    def T(self) -> Self:
        """All axes in reverse order."""
        return matrix_transpose(self) if self.ndim == 2 else transpose(self)

    @property
    def mT(self) -> Self:
        """The last two axes swapped."""
        return matrix_transpose(self)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """The sum over `axis` (all axes by default)."""
        return sum_(self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """The mean over `axis` (all axes by default)."""
        return mean(self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """The maximum over `axis` (all axes by default)."""
        return max_(self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """The minimum over `axis` (all axes by default)."""
        return min_(self, axis, keepdims=keepdims)

    def dot(self, other: Array) -> Self:
        """The product with a number, a vector or a matrix, as `numpy.dot`."""
        return dot(self, other)

    def reshape(self, *shape: Any) -> Self:
        """The same entries in another shape; one size may be -1."""
        return reshape(self, *shape)

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order (reversed by default)."""
        return transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any) -> Self:
        """The same numbers in another dtype."""
        return cast(self, dtype)

    # -- NumPy's own functions ---------------------------------------------------------------

    __array_priority__: ClassVar[float] = 100.0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Array, **kwargs: Any) -> Any:
        answer = BY_NUMPY.get(ufunc)
        if method != "__call__" or answer is None:
            name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
            raise no_rule(name)
        if kwargs:
            raise no_option(f"np.{ufunc.__name__}", kwargs)
        return answer(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        answer = BY_NUMPY.get(function)
        if answer is None:
            raise no_rule(f"np.{function.__name__}")
        for option in ("out", "where", "dtype", "initial", "subok", "order"):
            if option in kwargs:
                raise no_option(f"np.{function.__name__}", {option: kwargs[option]})
        return answer(*args, **kwargs)


# What an array *is* needs no gradient.
answers(np.shape)(lambda x: x.shape)
answers(np.ndim)(lambda x: x.ndim)
answers(np.size)(lambda x: x.size)


def _truth(other: Array) -> Array:
    """`other`, if it is made of truth values: ``x & 3`` is no logic."""
    if getattr(other, "dtype", np.dtype(type(other))).kind != "b":
        raise UsageError("&, | and ^ combine truth values", fix="Write (x > 0) & (y > 0).")
    return other


def no_rule(name: str) -> UnsupportedError:
    """The error for a NumPy function that no record answers to."""
    return UnsupportedError(
        f"{name} has no gradient rule here",
        fix="For plain numbers use t.data; for a rule of your own see define_op.",
    )


def no_option(name: str, kwargs: Any) -> UnsupportedError:
    """The error for an option that would be dropped in silence."""
    return UnsupportedError(
        f"{name} with {', '.join(f'{k}=' for k in kwargs)}",
        why="tensors are not written in place, and their dtype follows from their inputs",
        fix="Leave the option out.",
    )
