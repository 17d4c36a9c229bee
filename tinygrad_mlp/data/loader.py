"""DataLoader: a data set in batches, in order or shuffled.

This file knows orders and batches. It gathers with ``np.take``, the fastest way of NumPy's: once
per epoch for arrays in memory, once per batch for files mapped into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from tinygrad_mlp.data.dataset import ArrayDataset, stacked
from tinygrad_mlp.errors import DataError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["DataLoader"]


class DataLoader:
    """Batches of a data set; every loop over it is one epoch.

    Args:
        data: A tuple of arrays, an `ArrayDataset`, anything else with a length and samples by
            number, or an iterable of samples. A sample is a tuple, such as (x, y).
        batch_size: Samples per batch; the last batch may be smaller.
        shuffle: Whether to draw a new order for every epoch.
        rng: A generator or a seed for the orders.
        drop_last: Leave out a last batch that is smaller.

    Yields tuples of tensors, one for each part of a sample.

    Raises:
        DataError: If there is no batch to give, or an iterable cannot be used again.
        UsageError: For a batch size that counts nothing, or an iterable that shall be shuffled.

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
        if isinstance(size, np.ndarray | Tensor | list | tuple):
            raise UsageError(
                f"DataLoader got a {type(size).__name__} as its batch_size",
                why="inputs and targets are passed together",
                fix="Write DataLoader((X, Y), batch_size=32).",
            )
        if not isinstance(size, int | np.integer) or size < 1:
            raise UsageError(
                f"batch_size is {size!r}", why="it counts samples", fix="Use 1 or more."
            )
        if (
            isinstance(data, list)
            and data
            and all(isinstance(a, np.ndarray | Tensor) for a in data)
        ):
            raise UsageError(
                f"a list of {len(data)} arrays",
                why="it could be arrays of samples, or samples without targets",
                fix="Pass a tuple, (X, Y), or a list of samples, [(x, y), …].",
            )
        self.dataset: Any = ArrayDataset(*data) if isinstance(data, tuple) else data
        self.batch_size = int(size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.rng = np.random.default_rng(rng)
        self.sized = hasattr(self.dataset, "__len__") and hasattr(self.dataset, "__getitem__")
        if self.sized and len(self) == 0:
            raise DataError(
                f"{len(self.dataset)} samples make no batch of {batch_size}",
                fix="Pass samples, a smaller batch_size, or drop_last=False.",
            )
        if not self.sized:
            _check_iterable(self.dataset, shuffle=shuffle)

    def __len__(self) -> int:
        if not self.sized:
            raise UsageError(
                "an iterable does not say how many batches it has", fix="Count them in a loop."
            )
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self.epoch()

    def epoch(self, skip: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """One epoch, from batch number `skip` on: where a training that was stopped goes on.

        The order is drawn when the first batch is asked for.
        """
        if not self.sized:
            return islice(self._from_iterable(), skip, None)
        if isinstance(self.dataset, ArrayDataset):
            return self._from_arrays(self.dataset.arrays, skip)
        return self._from_samples(skip)

    def in_order(self, most: int) -> Iterator[tuple[Tensor, ...]]:
        """Every sample once, in its own order, whatever `shuffle` and `drop_last` say.

        Args:
            most: How many samples of arrays to give at once. Others come by `batch_size`.
        """
        if isinstance(self.dataset, ArrayDataset):
            for start in range(0, len(self.dataset), most):
                yield tuple(
                    Tensor(a[start : start + most], copy=False) for a in self.dataset.arrays
                )
            return
        samples = map(self.dataset.__getitem__, range(len(self.dataset))) if self.sized else None
        yield from self._stacked(iter(self.dataset) if samples is None else samples)

    def _starts(self, skip: int) -> range:
        return range(skip * self.batch_size, len(self) * self.batch_size, self.batch_size)

    def _order(self) -> Array | None:
        return self.rng.permutation(len(self.dataset)) if self.shuffle else None

    def _from_arrays(self, arrays: tuple[Array, ...], skip: int) -> Iterator[tuple[Tensor, ...]]:
        order = self._order()
        if order is not None and not any(isinstance(a, np.memmap) for a in arrays):
            arrays = tuple(np.take(a, order, axis=0) for a in arrays)
            order = None
        mine = self.shuffle  # gathered, so nobody else holds it: no need for a second copy
        for start in self._starts(skip):
            stop = start + self.batch_size
            yield tuple(astensor(_rows(a, start, stop, order), copy=not mine) for a in arrays)

    def _from_samples(self, skip: int) -> Iterator[tuple[Tensor, ...]]:
        order = self._order()
        for start in self._starts(skip):
            stop = min(start + self.batch_size, len(self.dataset))
            numbers = range(start, stop) if order is None else order[start:stop]
            yield stacked([self.dataset[int(i)] for i in numbers])

    def _from_iterable(self) -> Iterator[tuple[Tensor, ...]]:
        for batch in self._stacked(iter(self.dataset)):
            if len(batch[0]) == self.batch_size or not self.drop_last:
                yield batch

    def _stacked(self, samples: Iterator[Any]) -> Iterator[tuple[Tensor, ...]]:
        while batch := list(islice(samples, self.batch_size)):
            yield stacked(batch)


def _rows(a: Array, start: int, stop: int, order: Array | None) -> Array:
    """A stretch of the epoch: a slice of what is in order, else gathered here."""
    return a[start:stop] if order is None else np.take(a, order[start:stop], axis=0)


def _check_iterable(samples: Any, *, shuffle: bool) -> None:
    if not isinstance(samples, Iterable):
        raise UsageError(
            f"a {type(samples).__name__} is no data set",
            fix="Pass (X, Y), an ArrayDataset, or an iterable of samples (x, y).",
        )
    if iter(samples) is samples:
        raise DataError(
            "an iterator is used up after one epoch",
            why="training asks for the samples again in every epoch",
            fix="Pass list(samples), or an object whose __iter__ starts anew.",
        )
    if shuffle:
        raise UsageError(
            "an iterable cannot be shuffled",
            why="its order is its own",
            fix="Pass shuffle=False and shuffle where the samples come from, or pass arrays.",
        )
