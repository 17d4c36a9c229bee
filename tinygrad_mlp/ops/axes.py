"""Axes: numbered from 0, or from -1 backwards, as in NumPy; and what to say to anything else.

This file knows how the axes that people write become places of a shape.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_mlp import errors
from tinygrad_mlp.errors import IndexingError, UsageError
from tinygrad_mlp.ops.record import Array

__all__ = ["lengths", "normal_axes", "place", "places", "truth"]


def place(axis: Any, x: Array, new: int = 0) -> int:
    """An axis of `x` as a number from 0; `new` axes more than it has count too."""
    ndim = x.ndim + new
    try:
        number = operator.index(axis)
    except TypeError as error:
        raise _no_axis(axis, x, ndim) from error
    if not -ndim <= number < ndim:
        raise _no_axis(number, x, ndim)
    return number % ndim


def places(axes: Any, x: Array, new: int = 0) -> tuple[int, ...]:
    """One axis or several, as numbers from 0, in the order given; each of them once."""
    several = axes if isinstance(axes, Iterable) and not isinstance(axes, str) else (axes,)
    found = tuple(place(axis, x, new) for axis in several)
    twice = next((axis for i, axis in enumerate(found) if axis in found[:i]), None)
    if twice is not None:
        raise UsageError(
            f"axis {twice} is named twice in {tuple(several)}",
            why=f"of {x.ndim + new} axes, negative ones count from the end",
            fix="Name each axis once.",
        )
    return found


def normal_axes(axis: Any, x: Array) -> tuple[int, ...]:
    """Axes sorted and non-negative; None means all of them."""
    if axis is None:
        return tuple(range(x.ndim))
    if type(axis) is int:
        return (place(axis, x),)
    return tuple(sorted(places(axis, x)))


def lengths(shape: Any) -> tuple[int, ...]:
    """A length or several as whole numbers."""
    several = shape if isinstance(shape, Iterable) and not isinstance(shape, str) else (shape,)
    try:
        return tuple(operator.index(n) for n in several)
    except TypeError as error:
        raise UsageError(
            f"{shape!r} is no shape" if np.ndim(shape) < 2 else "that is no shape",
            why="lengths are whole numbers",
            fix="Use // instead of / where a length is computed.",
        ) from error


def _no_axis(axis: Any, x: Array, ndim: int) -> IndexingError | UsageError:
    who = errors.called(x) or ("a tensor" if hasattr(x, "requires_grad") else "an array")
    what = f"{who} of shape {x.shape} has no axis {axis!r}"
    if not ndim:
        return IndexingError(what, why="a single number has no axes", fix="Leave axis= out.")
    if not hasattr(axis, "__index__"):
        return UsageError(what, why="axes are numbered", fix="Use axis=-1 for the last one.")
    there = "its one axis is 0" if ndim == 1 else f"its axes are 0 to {ndim - 1}, or -{ndim} to -1"
    return IndexingError(what, why=f"as in NumPy, {there}", fix="Use axis=-1 for the last one.")


def truth(keepdims: Any) -> bool:
    """`keepdims` as True or False; NumPy's 0 and 1 count."""
    if isinstance(keepdims, bool | np.bool_ | int) and keepdims in {0, 1}:
        return bool(keepdims)
    if isinstance(keepdims, type | np.dtype | str):
        name = getattr(keepdims, "__name__", keepdims)
        raise UsageError(
            f"keepdims is True or False, and got {name}",
            why="it comes right after axis, as in PyTorch; NumPy has dtype there",
            fix=f"Use t.astype({name}) first.",
        )
    raise UsageError(
        f"keepdims is True or False, and got {keepdims!r}",
        fix="Several axes are a tuple: axis=(0, 1).",
    )
