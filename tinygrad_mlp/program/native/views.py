"""Views: where each array of a program lies in memory, and in what steps it is walked through.

This file knows storage, strides and offsets. Which op gives a view of what it is given, and what
the view's strides are, is NumPy's to say: the op's own forward function is run on arrays whose
numbers nobody looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.ir import Equation, Var
from tinygrad_mlp.program.native.values import Kind, NotNativeError

__all__ = ["Storage", "View", "collapsed", "is_view", "whole"]

_VIEWS = {"reshape", "transpose", "matrix_transpose", "broadcast_to", "getitem", "expand_dims",
          "squeeze", "swapaxes", "moveaxis"}  # fmt: skip


@dataclass(eq=False)
class Storage:
    """A stretch of memory that holds an array, row after row.

    Attributes:
        name: What the array is called.
        kind: What an entry is.
        size: How many entries there are.
        pointer: How the step's function names its address.
    """

    name: str
    kind: Kind
    size: int
    pointer: str = ""


@dataclass(frozen=True, eq=False)
class View:
    """An array of numbers in storage.

    Attributes:
        storage: Where they are.
        shape: The shape.
        strides: How many entries lie between neighbours along each axis; 0 where an axis repeats.
        offset: Where the first entry is.
    """

    storage: Storage
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @staticmethod
    def of(storage: Storage, array: Array, root: Array) -> View:
        """The view that an array is of the array that stands for the storage."""
        step = array.dtype.itemsize
        strides = tuple(
            s // step if n > 1 else 0 for s, n in zip(array.strides, array.shape, strict=True)
        )
        start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        return View(storage, array.shape, strides, start // step)

    def broadcast(self, shape: tuple[int, ...]) -> View:
        """Repeated along the axes that it lacks, as NumPy does."""
        missing = len(shape) - len(self.shape)
        strides = (0,) * missing + tuple(
            0 if n == 1 else s for n, s in zip(self.shape, self.strides, strict=True)
        )
        return View(self.storage, shape, strides, self.offset)


def order(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array that lies row after row; 0 for an axis of one entry."""
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step if n > 1 else 0)
        step *= n
    return tuple(reversed(strides))


def whole(storage: Storage, shape: tuple[int, ...]) -> View:
    """The storage as an array."""
    return View(storage, shape, order(shape))


def collapsed(
    shape: tuple[int, ...], strides: list[tuple[int, ...]]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The same walk with fewer axes: those that follow one another in all arrays become one.

    >>> collapsed((2, 3), [(3, 1), (3, 1)]), collapsed((2, 3), [(3, 1), (0, 1)])
    (((6,), [(1,), (1,)]), ((2, 3), [(3, 1), (0, 1)]))
    """
    axes = [i for i, n in enumerate(shape) if n != 1]
    merged: list[tuple[int, tuple[int, ...]]] = []
    for i in axes:
        now = tuple(s[i] for s in strides)
        if merged:
            n, before = merged[-1]
            if all(b == s * shape[i] for b, s in zip(before, now, strict=True)):
                merged[-1] = (n * shape[i], now)
                continue
        merged.append((shape[i], now))
    if not merged:
        merged = [(1, (0,) * len(strides))]
    return tuple(n for n, _ in merged), [
        tuple(s[k] for _, s in merged) for k in range(len(strides))
    ]


def is_view(e: Equation, ghost: Any) -> Array | None:
    """What an equation gives if that is a view of its input, which `ghost` stands for."""
    if e.op.name not in _VIEWS or any(type(x) is Var for x in e.inputs[1:]):
        return None
    attrs = dict(e.attrs)
    if e.op.name == "getitem":
        key = attrs["key"]
        if any(isinstance(k, np.ndarray | list) for k in key):
            return None
        # With an ellipsis even one entry is a view.
        attrs["key"] = key if Ellipsis in key else (*key, Ellipsis)
    view = e.op.forward(ghost, *e.inputs[1:], **attrs)
    if view.shape != e.output.shape:
        raise NotNativeError(e.op.name)
    return view if np.may_share_memory(view, ghost) else None
