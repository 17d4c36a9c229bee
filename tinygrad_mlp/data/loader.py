"""DataLoader: a data set in batches, in order or shuffled.

This file knows orders and batches. It gathers with ``np.take``, the fastest way of NumPy's: once
per epoch for arrays in memory, once per batch for files mapped into memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.data.dataset import ArrayDataset
from tinygrad_mlp.errors import DataError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["DataLoader"]


class DataLoader:
    """Batches of a data set; every loop over it is one epoch.

    Args:
        data: An `ArrayDataset`, or a tuple of arrays to make one of.
        batch_size: Samples per batch; the last batch may be smaller.
        shuffle: Whether to draw a new order for every epoch.
        rng: A generator or a seed for the orders.
        drop_last: Leave out a last batch that is smaller.

    Yields tuples of tensors, one per array of the data set.

    >>> loader = DataLoader((np.arange(5.0), np.arange(5.0)), batch_size=2)
    >>> [x.tolist() for x, y in loader]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> len(loader)
    3
    """

    def __init__(
        self,
        data: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        rng: np.random.Generator | int | None = None,
        drop_last: bool = False,
    ) -> None:
        size: Any = batch_size
        if not isinstance(size, int | np.integer) or size < 1:
            raise UsageError(
                f"batch_size is {size!r}", why="it counts samples", fix="Use 1 or more."
            )
        self.dataset = data if isinstance(data, ArrayDataset) else ArrayDataset(*data)
        self.batch_size = int(size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.rng = np.random.default_rng(rng)
        if len(self) == 0:
            raise DataError(
                f"{len(self.dataset)} samples make no batch of {batch_size}",
                fix="Pass samples, a smaller batch_size, or drop_last=False.",
            )

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        arrays = self.dataset.arrays
        order = self.rng.permutation(len(self.dataset)) if self.shuffle else None
        on_disk = any(isinstance(a, np.memmap) for a in arrays)
        if order is not None and not on_disk:
            arrays = tuple(np.take(a, order, axis=0) for a in arrays)
            order = None
        mine = self.shuffle  # gathered, so nobody else holds it: no need for a second copy
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            stop = start + self.batch_size
            yield tuple(Tensor(_rows(a, start, stop, order), copy=not mine) for a in arrays)


def _rows(a: Array, start: int, stop: int, order: Array | None) -> Array:
    """A stretch of the epoch: a slice of what is in order, else gathered here."""
    return a[start:stop] if order is None else np.take(a, order[start:stop], axis=0)
