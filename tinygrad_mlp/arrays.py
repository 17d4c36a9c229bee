"""Arrays: what may be the data of a tensor, and what is said of what may not.

This file knows dtypes and nested lists. It does not know what a tensor does: it recognises one
inside a list by its history, which a new array would lose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, UsageError
from tinygrad_mlp.graph import Node, describe
from tinygrad_mlp.ops import READERS, Array

__all__ = ["as_array", "history_lost"]


def as_array(data: Any, dtype: Any, *, copy: bool) -> Array:
    """`data` as an array of real numbers, whole numbers or truth values.

    Args:
        data: A number, a nested list or an array. Python's whole numbers become float64.
        dtype: The dtype wanted; None keeps an array's own.
        copy: False shares an array that needs no change.

    Raises:
        DTypeError: For what is no array of such numbers.
        UsageError: For a list of tensors with a history.
    """
    if type(data) in READERS:
        return data
    given = isinstance(data, np.ndarray | np.generic)
    if data is None:
        raise DTypeError(
            "None is no array of numbers",
            why="a function without return gives None",
            fix="If it came from a forward() of yours: does it return its result?",
        )
    if not given:
        _refuse_tensors(data)
    try:
        array = np.array(data, dtype=dtype, copy=True if copy or not given else None)
    except (ValueError, TypeError) as error:
        raise DTypeError(
            "this cannot become an array of numbers",
            why=str(error),
            fix="Rows must have equal lengths, and entries must be numbers.",
        ) from error
    if array.dtype.kind in "iu" and not given and dtype is None:
        array = array.astype(np.float64)
    if array.dtype.kind not in "fbiu":
        raise DTypeError(
            f"a tensor cannot hold {array.dtype}",
            why="it holds real numbers, whole numbers and truth values",
            fix="Use array.real for complex numbers; encode texts as numbers first.",
        )
    return array


def _refuse_tensors(data: Any) -> None:
    """Raise if a list holds tensors with a history: an array of them would lose it."""
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if getattr(item, "requires_grad", False):
            raise history_lost(item)
        if isinstance(item, list | tuple):
            waiting.extend(item)


def history_lost(item: Node, what: str = "Tensor()") -> UsageError:
    """The error for making a tensor of one that was computed."""
    return UsageError(
        f"{what} of {describe(item)}, which has a history",
        why="a new tensor would forget it, and gradients would stop there",
        fix="Join tensors with np.stack([...]); to drop the history on purpose use t.detach().",
    )
