"""Arrays joined and split under NumPy's many names for it.

This file knows vstack, hstack, split and their like, composed of concatenate, stack and
getitem. It states no derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.ops.arranging import atleast_1d, atleast_2d, atleast_3d, ravel
from tinygrad_mlp.ops.axes import place
from tinygrad_mlp.ops.ordering import along
from tinygrad_mlp.ops.record import Array, answers, value
from tinygrad_mlp.ops.shaping import concatenate, reshape

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "split",
    "vsplit",
    "vstack",
]


@answers(np.vstack)
def vstack(arrays: Sequence[Array]) -> Array:
    """Joined below each other."""
    return concatenate([atleast_2d(x) for x in arrays], 0)


@answers(np.hstack)
def hstack(arrays: Sequence[Array]) -> Array:
    """Joined side by side."""
    parts = [atleast_1d(x) for x in arrays]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


@answers(np.dstack)
def dstack(arrays: Sequence[Array]) -> Array:
    """Joined along the third axis."""
    return concatenate([atleast_3d(x) for x in arrays], 2)


@answers(np.column_stack)
def column_stack(arrays: Sequence[Array]) -> Array:
    """Vectors as the columns of a matrix."""
    parts = [value(x) for x in arrays]
    return concatenate([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in parts], 1)


@answers(np.append)
def append(x: Array, values: Array, axis: Any = None) -> Array:
    """`values` behind `x`."""
    if axis is None:
        return concatenate((ravel(x), ravel(values)), 0)
    return concatenate((x, values), axis)


@answers(np.block)
def block(arrays: Any) -> Array:
    """Nested lists of blocks joined: the innermost along the last axis, and so outwards."""
    depth, leaf = 0, arrays
    while isinstance(leaf, list):
        depth, leaf = depth + 1, leaf[0]
    ndim = max(depth, *(value(x).ndim for x in _flat(arrays)), 1)
    return _joined(arrays, ndim - depth, ndim)


def _joined(arrays: Any, axis: int, ndim: int) -> Array:
    if not isinstance(arrays, list):
        x = value(arrays)
        return reshape(x, (1,) * (ndim - x.ndim) + x.shape)
    return concatenate([_joined(x, axis + 1, ndim) for x in arrays], axis)


def _flat(arrays: Any) -> list[Any]:
    return [x for part in arrays for x in _flat(part)] if isinstance(arrays, list) else [arrays]


@answers(np.array_split)
def array_split(x: Array, parts: Any, axis: int = 0) -> list[Array]:
    """Pieces along an axis: so many, as equal as can be, or cut at these places."""
    x = value(x)
    axis = place(axis, x)
    n = x.shape[axis]
    if np.ndim(parts) == 0:
        size, longer = divmod(n, int(parts))
        cuts = np.cumsum([size + (i < longer) for i in range(int(parts))])[:-1].tolist()
    else:
        cuts = [int(cut) for cut in parts]
    return [along(x, axis, slice(a, b)) for a, b in zip([0, *cuts], [*cuts, n], strict=True)]


@answers(np.split)
def split(x: Array, parts: Any, axis: int = 0) -> list[Array]:
    """As `array_split`; a number of parts must divide the length."""
    x = value(x)
    length = x.shape[place(axis, x)]
    if np.ndim(parts) == 0 and length % int(parts):
        raise ShapeError(
            f"split of {length} entries into {parts} equal parts",
            why=f"{length} is no multiple of {parts}",
            fix="Use np.array_split, or give the places to cut at.",
        )
    return array_split(x, parts, axis)


@answers(np.vsplit)
def vsplit(x: Array, parts: Any) -> list[Array]:
    """Pieces along the first axis."""
    return split(_with_axes(x, 2), parts, 0)


@answers(np.hsplit)
def hsplit(x: Array, parts: Any) -> list[Array]:
    """Pieces along the second axis, of vectors along their only one."""
    return split(_with_axes(x, 1), parts, 0 if value(x).ndim == 1 else 1)


@answers(np.dsplit)
def dsplit(x: Array, parts: Any) -> list[Array]:
    """Pieces along the third axis."""
    return split(_with_axes(x, 3), parts, 2)


def _with_axes(x: Array, n: int) -> Array:
    if value(x).ndim < n:
        raise UsageError(f"this split needs {n} axes, and {value(x).shape} has fewer")
    return x
