"""Metrics: how good predictions are, in numbers that people read.

This file knows predictions and targets as arrays. A metric is a function of the two; `fit` and
`evaluate` take any such function that gives one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["accuracy", "classes", "confusion", "r2"]


def classes(values: Any, threshold: float = 0.5) -> Array:
    """The class of each sample, (samples,) whole numbers.

    Args:
        values: Class numbers (samples,); scores (samples, classes), of which the largest
            counts; or probabilities (samples,) or (samples, 1), which count from `threshold` on.
        threshold: Where the second class begins; 0 for logits.

    >>> classes(np.array([[0.1, 0.9], [0.8, 0.2]]))
    array([1, 0])
    >>> classes(np.array([[0.7], [0.2]]))
    array([1, 0])
    """
    array = _array(values)
    if array.ndim == 2 and array.shape[1] > 1:
        return array.argmax(axis=1)
    array = array.reshape(len(array), -1)[:, 0] if array.ndim == 2 else array
    return array.astype(int) if array.dtype.kind in "biu" else (array >= threshold).astype(int)


def accuracy(prediction: Any, target: Any, threshold: float = 0.5) -> float:
    """The share of samples whose class is right; both as for `classes`.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    p, t = classes(prediction, threshold), classes(target)
    _same(p, t)
    return float((p == t).mean())


def confusion(prediction: Any, target: Any, threshold: float = 0.5) -> Array:
    """How often class i (row) was taken for class j (column): (classes, classes).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]))
    array([[1, 1],
           [0, 1]])
    """
    p, t = classes(prediction, threshold), classes(target)
    _same(p, t)
    n = int(max(p.max(initial=0), t.max(initial=0))) + 1
    table: Array = np.bincount(t * n + p, minlength=n * n).reshape(n, n)
    return table


def r2(prediction: Any, target: Any) -> float:
    """The share of the target's variance that is explained: 1 is perfect, 0 is the mean's.

    ``1 - Σ (t - p)² / Σ (t - mean t)²``, over all entries.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    p, t = _array(prediction), _array(target)
    _same(p, t)
    spread = float(((t - t.mean(axis=0)) ** 2).sum())
    rest = float(((t - p) ** 2).sum())
    return 1 - rest / spread if spread else float(rest == 0)


def _array(values: Any) -> Array:
    return values.data if isinstance(values, Tensor) else np.asarray(values)


def _same(p: Array, t: Array) -> None:
    if p.shape != t.shape:
        raise ShapeError(
            f"a metric compares {p.shape} with {t.shape}",
            why="every prediction needs one target",
            fix=f"Use target.reshape({', '.join(map(str, p.shape))}), if they belong together.",
        )
