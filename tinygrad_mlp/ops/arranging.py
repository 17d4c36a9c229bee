"""Arrangements of one array, composed of the records in `shaping.py`.

This file knows NumPy's names for axes that are moved, flipped, repeated and padded. It states
no derivative: a flip is an index, a tile is a broadcast, a pad is entries placed into zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from tinygrad_mlp.errors import UnsupportedError, UsageError
from tinygrad_mlp.ops.axes import place, places
from tinygrad_mlp.ops.indexing import Slice, scatter
from tinygrad_mlp.ops.ordering import BACKWARDS, along, take
from tinygrad_mlp.ops.record import Array, answers, value
from tinygrad_mlp.ops.shaping import broadcast_to, concatenate, reshape, transpose

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "expand_dims",
    "flip",
    "moveaxis",
    "pad",
    "ravel",
    "repeat",
    "roll",
    "rot90",
    "squeeze",
    "swapaxes",
    "tile",
]


@answers(np.ravel)
def ravel(x: Array, order: str = "C") -> Array:
    """All entries in one row."""
    return reshape(value(x), (-1,), order=order)


@answers(np.swapaxes)
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Two axes in each other's place."""
    x = value(x)
    order = list(range(x.ndim))
    i, j = place(axis1, x), place(axis2, x)
    order[i], order[j] = j, i
    return transpose(x, order)


@answers(np.moveaxis)
def moveaxis(x: Array, source: Any, destination: Any) -> Array:
    """Axes moved to other places; the others stay in order."""
    x = value(x)
    start, end = places(source, x), places(destination, x)
    order = [i for i in range(x.ndim) if i not in start]
    for to, axis in sorted(zip(end, start, strict=True)):
        order.insert(to, axis)
    return transpose(x, order)


@answers(np.rollaxis)
def rollaxis(x: Array, axis: int, start: int = 0) -> Array:
    """An axis moved to stand before another one."""
    x = value(x)
    axis, start = place(axis, x), start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


@answers(np.expand_dims)
def expand_dims(x: Array, axis: Any) -> Array:
    """New axes of length 1, at these places of the result."""
    x = value(x)
    new = places(axis, x, new=np.size(axis))
    rest = iter(x.shape)
    return reshape(x, tuple(1 if i in new else next(rest) for i in range(x.ndim + len(new))))


@answers(np.squeeze)
def squeeze(x: Array, axis: Any = None) -> Array:
    """Without the axes of length 1, or without these of them."""
    x = value(x)
    gone = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else places(axis, x)
    if any(x.shape[i] != 1 for i in gone):
        raise UsageError(f"squeeze of {x.shape} at {axis}", why="only axes of length 1 can go")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


def _at_least(n: int, x: Array) -> Array:
    x = value(x)
    if x.ndim >= n:
        return x
    if n == 3:
        return reshape(x, (1, -1, 1) if x.ndim < 2 else (*x.shape, 1))
    return reshape(x, (1,) * (n - x.ndim) + x.shape)


def _several(n: int, xs: tuple[Array, ...]) -> Any:
    return _at_least(n, xs[0]) if len(xs) == 1 else tuple(_at_least(n, x) for x in xs)


@answers(np.atleast_1d)
def atleast_1d(*xs: Array) -> Any:
    """Each with one axis at least."""
    return _several(1, xs)


@answers(np.atleast_2d)
def atleast_2d(*xs: Array) -> Any:
    """Each with two axes at least, new ones in front."""
    return _several(2, xs)


@answers(np.atleast_3d)
def atleast_3d(*xs: Array) -> Any:
    """Each with three axes at least."""
    return _several(3, xs)


@answers(np.broadcast_arrays)
def broadcast_arrays(*xs: Array) -> tuple[Array, ...]:
    """All in the shape that they broadcast to."""
    parts = [value(x) for x in xs]
    shape = np.broadcast_shapes(*(x.shape for x in parts))
    return tuple(broadcast_to(x, shape) for x in parts)


@answers(np.flip)
def flip(x: Array, axis: Any = None) -> Array:
    """Entries in reverse order along axes (all of them for None)."""
    x = value(x)
    axes = range(x.ndim) if axis is None else places(axis, x)
    return x[tuple(BACKWARDS if i in axes else slice(None) for i in range(x.ndim))]


answers(np.flipud)(lambda x: flip(x, 0))
answers(np.fliplr)(lambda x: flip(x, 1))


@answers(np.rot90)
def rot90(x: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """A quarter turn, `k` times, from the first axis towards the second."""
    for _ in range(k % 4):
        x = flip(swapaxes(x, *axes), axes[0])
    return value(x)


@answers(np.roll)
def roll(x: Array, shift: Any, axis: Any = None) -> Array:
    """Entries moved on; what leaves at the end comes in at the front."""
    x = value(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    named = [place(i, x) for i in (axis if isinstance(axis, Iterable) else (axis,))]
    shifts, axes = np.broadcast_arrays(shift, named)  # an axis may be named twice: shifts add up
    for by, i in zip(shifts.tolist(), axes.tolist(), strict=True):
        cut = x.shape[i] - by % max(x.shape[i], 1)
        if 0 < cut < x.shape[i]:
            x = concatenate((along(x, i, slice(cut, None)), along(x, i, slice(cut))), i)
    return x


@answers(np.tile)
def tile(x: Array, reps: Any) -> Array:
    """`x` laid out side by side, so often along each axis."""
    x = value(x)
    counts = tuple(int(n) for n in (reps if isinstance(reps, Iterable) else (reps,)))
    n = max(len(counts), x.ndim)
    counts = (1,) * (n - len(counts)) + counts
    shape = (1,) * (n - x.ndim) + x.shape
    apart = reshape(x, tuple(s for side in shape for s in (1, side)))
    spread = broadcast_to(apart, tuple(s for pair in zip(counts, shape, strict=True) for s in pair))
    return reshape(spread, tuple(c * s for c, s in zip(counts, shape, strict=True)))


@answers(np.repeat)
def repeat(x: Array, repeats: Any, axis: Any = None) -> Array:
    """Each entry or slice so often, one copy after the other."""
    x = ravel(x) if axis is None else value(x)
    axis = 0 if axis is None else place(axis, x)
    counts = np.broadcast_to(np.asarray(repeats), x.shape[axis])
    return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)


@answers(np.pad)
def pad(
    x: Array, pad_width: Any, mode: Any = "constant", constant_values: Any = 0, **options: Any
) -> Array:
    """`x` with a border of zeros, of a number, or of its own entries."""
    x = value(x)
    if options.pop("reflect_type", "even") != "even":
        raise UnsupportedError(
            'np.pad with reflect_type="odd"',
            why="entries are copied, not mirrored at the value of the edge",
            fix="Use 2 * edge - np.pad(t, …) where the border is.",
        )
    if options:
        names = ", ".join(f"{name}=" for name in options)
        raise UnsupportedError(
            f"np.pad with {names}", why="it has no meaning here", fix="Leave the option out."
        )
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - x.ndim, 0)) for i in range(x.ndim)]
        pad_width = [(w, w) if isinstance(w, int) else w for w in pad_width]
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    if mode in _FROM_INSIDE:
        for i, (before, after) in enumerate(widths):
            where = np.pad(np.arange(x.shape[i]), (before, after), cast(Any, mode))
            x = take(x, where, i)
        return x
    if mode != "constant":
        raise UnsupportedError(
            f"np.pad with mode={mode!r} has no gradient rule here",
            fix=f"Closest: mode= one of {', '.join(map(repr, ('constant', *_FROM_INSIDE)))}.",
        )
    shape = tuple(b + n + a for n, (b, a) in zip(x.shape, widths, strict=True))
    key = tuple(Slice(b, b + n, None) for n, (b, _) in zip(x.shape, widths, strict=True))
    placed = scatter.apply((x,), {"key": key, "shape": shape})
    if not np.any(constant_values):
        return placed
    zeros = np.zeros(x.shape, x.dtype)
    return placed + np.pad(zeros, [tuple(w) for w in widths], constant_values=constant_values)


_FROM_INSIDE = ("edge", "reflect", "symmetric", "wrap")
