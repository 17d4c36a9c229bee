"""Datasets: arrays that belong together, sample by sample.

This file knows that the first axis counts samples. It does not know in what order they are
used: that is the loader's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["ArrayDataset"]


class ArrayDataset:
    """Arrays of one length: inputs, targets, and whatever else a sample has.

    Args:
        *arrays: Arrays, lists or tensors; the first axis of each counts samples. Arrays are
            not copied, so files mapped into memory stay on disk.

    Raises:
        DataError: If there are none, or their lengths differ.

    >>> dataset = ArrayDataset([[0.0, 1.0], [1.0, 1.0]], [1.0, 2.0])
    >>> len(dataset)
    2
    >>> dataset[0]
    (array([0., 1.]), np.float64(1.0))
    """

    def __init__(self, *arrays: Any) -> None:
        if not arrays:
            raise DataError("a data set of nothing", fix="Write ArrayDataset(X, Y).")
        self.arrays: tuple[Array, ...] = tuple(_array(a) for a in arrays)
        if any(a.ndim == 0 for a in self.arrays):
            raise DataError(
                "a data set of a single number",
                why="the first axis counts samples",
                fix="Write [[x]] for one sample of one number.",
            )
        lengths = [len(a) for a in self.arrays]
        if len(set(lengths)) > 1:
            raise DataError(
                f"arrays of {', '.join(map(str, lengths))} samples",
                why="sample i is row i of each of them",
                fix="Give every input its target.",
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, key: Any) -> tuple[Any, ...]:
        return tuple(a[key] for a in self.arrays)


def _array(values: Any) -> Array:
    """An array as it is; lists of numbers as float64, as tensors of them are."""
    if isinstance(values, Tensor):
        return values.data
    if isinstance(values, np.ndarray):
        return values
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "i" else array
