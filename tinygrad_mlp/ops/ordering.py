"""Ops along one axis: running sums and products, sorting, picking by position, differences.

This file knows cumsum and argsort as records; the rest is composed. Sorting is picking by the
order that argsort found, so the gradient goes back to where each number came from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.ops.arithmetic import cast, sub
from tinygrad_mlp.ops.axes import place
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.indexing import getitem
from tinygrad_mlp.ops.notation import PRODUCT, Notation
from tinygrad_mlp.ops.record import Array, Op, answers, value
from tinygrad_mlp.ops.selection import not_equal
from tinygrad_mlp.ops.shaping import concatenate, reshape

__all__ = ["argsort", "cumprod", "cumsum", "diff", "sort", "take", "take_along_axis"]

ALL = slice(None)


def along(x: Array, axis: int, key: Any) -> Array:
    """``x[..., key, ...]`` with the key at an axis that is counted from the front."""
    return x[(ALL,) * axis + (key,)]


def bind_axis(x: Array, axis: Any = None) -> tuple[tuple[Array], dict[str, Any]]:
    """Make the axis non-negative; None means that all entries are put in one row first."""
    x = value(x)
    if axis is None:
        return (reshape(x, (-1,)),), {"axis": 0}
    return (x,), {"axis": place(axis, x)}


def _one_axis(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape, axis = pick(
        (((3,), 0), ((1,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 0), 1), ((2, 1, 3), 2))
    )
    return (shape,), {"axis": axis}


BACKWARDS = slice(None, None, -1)


def cumsum_rule(g: Array, y: Array, x: Array, axis: int) -> Array:
    """A running sum from the end."""
    return along(cumsum(along(g, axis, BACKWARDS), axis), axis, BACKWARDS)


cumsum: Op = Op(
    "cumsum",
    np.cumsum,
    cumsum_rule,
    bind=bind_axis,
    numpy=(np.cumsum,),
    notation=Notation("cumsum <0>", r"\operatorname{cumsum} <0>", PRODUCT, (PRODUCT,)),
    domain=Domain(case=_one_axis),
    doc="Running sums along an axis; the gradient is a running sum from the end.",
)


def gathered(x: Array) -> Array:
    """`x` in the dtype in which NumPy adds and multiplies many: small whole numbers grow."""
    if x.dtype.kind == "f":
        return x
    dtype = np.multiply.reduce(np.ones(0, x.dtype)).dtype
    return x if dtype == x.dtype else cast(x, dtype)


@answers(np.cumprod)
def cumprod(x: Array, axis: Any = None) -> Array:
    """Running products, by doubling strides, so that derivatives are exact at 0 too.

    Source: Hillis and Steele, "Data parallel algorithms" (1986).
    """
    (y,), attrs = bind_axis(x, axis)
    y, axis = gathered(y), attrs["axis"]
    stride = 1
    while stride < y.shape[axis]:
        head = along(y, axis, slice(stride))
        product = along(y, axis, slice(stride, None)) * along(y, axis, slice(-stride))
        y = concatenate((head, product), axis)
        stride *= 2
    return y


argsort = Op(
    "argsort",
    lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
    bind=lambda x, axis=-1, kind=None, *, stable=None: ((x,), {"axis": axis}),
    numpy=(np.argsort,),
    doc="The positions in ascending order of what stands there; equal entries keep their order.",
)


@answers(np.sort)
def sort(x: Array, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Array:
    """Entries in ascending order along an axis (of all in one row for None)."""
    x = value(x)
    (x,), attrs = bind_axis(x, axis) if axis is None or x.ndim else ((x,), {"axis": None})
    if attrs["axis"] is None:
        return x
    return take_along_axis(x, argsort(x, attrs["axis"]), attrs["axis"])


@answers(np.take_along_axis)
def take_along_axis(x: Array, indices: Array, axis: Any = -1) -> Array:
    """The entries at positions that are given for every row of their own."""
    (x,), attrs = bind_axis(x, axis)
    axis, indices = attrs["axis"], value(indices)
    if indices.ndim != x.ndim:
        raise ShapeError(
            f"take_along_axis of {x.shape} by positions of shape {indices.shape}",
            why="there is one row of positions for each row of entries",
            fix="Give positions with as many axes.",
        )
    rest = [np.arange(n).reshape((-1,) + (1,) * (x.ndim - i - 1)) for i, n in enumerate(x.shape)]
    return getitem(x, (*rest[:axis], indices, *rest[axis + 1 :]))


@answers(np.take)
def take(x: Array, indices: Array, axis: Any = None, out: Any = None, mode: str = "raise") -> Array:
    """Slices at positions along an axis (of all entries in one row for None)."""
    if mode != "raise" or out is not None:
        raise UnsupportedError(
            f"np.take with mode={mode!r}", fix="Use np.clip(indices, …) or indices % n first."
        )
    (x,), attrs = bind_axis(x, axis)
    indices = indices if isinstance(indices, int | np.integer) else value(indices)
    return along(x, attrs["axis"], indices)


@answers(np.diff)
def diff(x: Array, n: int = 1, axis: Any = -1, prepend: Any = None, append: Any = None) -> Array:
    """The differences of neighbours, `n` times over."""
    x = value(x)
    axis = place(axis, x)
    parts = [p for p in (_end(prepend, x, axis), x, _end(append, x, axis)) if p is not None]
    x = concatenate(parts, axis) if len(parts) > 1 else x
    minus = not_equal if x.dtype.kind == "b" else sub
    for _ in range(n):
        x = minus(along(x, axis, slice(1, None)), along(x, axis, slice(-1)))
    return x


def _end(end: Any, x: Array, axis: int) -> Array | None:
    """What is put before or behind, as wide as `x`."""
    if end is None:
        return None
    end = value(end)
    return end if end.ndim else end + np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
