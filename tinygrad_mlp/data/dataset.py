"""Datasets: arrays that belong together, sample by sample.

This file knows that the first axis counts samples, and how a set is split in two. It does not
know in what order samples are used: that is the loader's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["ArrayDataset", "split", "stacked"]


class ArrayDataset:
    """Arrays of one length: inputs, targets, and whatever else a sample has.

    Args:
        *arrays: Arrays, lists or tensors; the first axis of each counts samples. Arrays are
            not copied, so files mapped into memory stay on disk. Whole numbers stay whole: they
            may be classes.

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
    """An array as it is, and of anything else one like it."""
    return values.data if isinstance(values, Tensor) else np.asanyarray(values)


def split(
    *arrays: Any,
    validation: float = 0.2,
    rng: np.random.Generator | int | None = None,
    stratify: Any = None,
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Divide samples at random into those to train on and those to validate on.

    Args:
        *arrays: Arrays of one length.
        validation: The share of samples to validate on, or their number.
        rng: A generator or a seed.
        stratify: Labels: each label then keeps its share on both sides, within one sample.

    Returns:
        ``(X, Y), (X_validation, Y_validation)``.

    Raises:
        UsageError: If a side would be empty.

    >>> (X, Y), (Xv, Yv) = split(np.arange(10), np.arange(10), validation=0.3, rng=0)
    >>> len(X), sorted(Xv) == sorted(Yv), len(Xv)
    (7, True, 3)
    """
    if len(arrays) > 1 and isinstance(arrays[-1], int | float):
        raise UsageError(
            f"split() got {arrays[-1]!r} without a name",
            why="all arguments without a name are arrays",
            fix=f"Write split(X, Y, validation={arrays[-1]!r}).",
        )
    dataset = ArrayDataset(*arrays)
    n = len(dataset)
    given: Any = validation
    if isinstance(given, bool) or not isinstance(given, int | float | np.integer | np.floating):
        raise UsageError(
            f"validation={given!r}",
            why="it is a share of the samples, or their number",
            fix="Use a share such as 0.2, or a number of samples.",
        )
    count = given if isinstance(given, int | np.integer) else round(n * given)
    if not 0 < count < n:
        raise UsageError(
            f"validation={validation} of {n} samples",
            why="both sides need samples",
            fix="Use a share such as 0.2, or a number of samples.",
        )
    order = np.random.default_rng(rng).permutation(n)
    if stratify is not None:
        order = _interleaved(np.asarray(_array(stratify)), order)
    chosen, rest = np.sort(order[:count]), np.sort(order[count:])
    return dataset[rest], dataset[chosen]


def _interleaved(labels: Array, order: Array) -> Array:
    """`order`, arranged so that every stretch from the start has each label in its share."""
    place = np.empty(len(order))
    shuffled = labels[order]
    for label in np.unique(shuffled):
        found = np.flatnonzero(shuffled == label)
        place[found] = (np.arange(len(found)) + 0.5) / len(found)
    return order[np.argsort(place, kind="stable")]


def stacked(samples: Sequence[Any]) -> tuple[Tensor, ...]:
    """Samples, each a tuple of parts, as one tensor for each part."""
    rows = [sample if isinstance(sample, tuple) else (sample,) for sample in samples]
    if len({len(row) for row in rows}) > 1:
        raise DataError("samples of different numbers of parts", fix="Give (x, y) for each.")
    parts = zip(*rows, strict=True)
    return tuple(Tensor(np.stack([_sample(v) for v in part]), copy=False) for part in parts)


def _sample(value: Any) -> Array:
    return np.asarray(value.data if isinstance(value, Tensor) else value)
