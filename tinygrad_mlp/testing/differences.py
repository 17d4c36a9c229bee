"""Slopes by experiment: nudge an input, look at the output.

This file knows functions from arrays to arrays and nothing else: no tensor, no op, no graph.
So what it says about a derivative is independent of every rule of the package.

Two experiments are made. A *central difference* compares the outputs on both sides of a point;
two of them, with one step and half of it, cancel the leading error (Richardson, 1911). The
*complex step* (Squire and Trapp, SIAM Review 40, 1998) moves along the imaginary axis: nothing
is subtracted, so an analytic function gives its slope to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = ["STEP", "Function", "by_complex_step", "by_differences", "one_sided"]

Function: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]
"""From arrays to arrays."""

STEP = 2e-3
"""The wider of the two steps, relative to ``max(1, |x|)``: errors near 1e-12 either way."""


def flat(ys: Sequence[Array]) -> Array:
    """All outputs as one vector."""
    return np.concatenate([np.asarray(y).reshape(-1) for y in ys]) if ys else np.zeros(0)


def _moved(xs: Sequence[Array], i: int, j: int, by: complex) -> list[Array]:
    """The inputs with entry `j` of input `i` moved; the others are shared."""
    x = np.array(xs[i], dtype=np.result_type(xs[i], type(by)))
    x.reshape(-1)[j] += by
    return [*xs[:i], x, *xs[i + 1 :]]


def _step(x: Array, j: int, step: float) -> float:
    return step * max(1.0, abs(float(x.reshape(-1)[j])))


def by_differences(f: Function, xs: Sequence[Array], i: int, *, step: float = STEP) -> Array:
    """The Jacobian of all outputs by the entries of input `i`, by central differences.

    Args:
        f: The function.
        xs: The point, float64 arrays.
        i: Which input to nudge.
        step: The wider step, relative to the size of the entry.

    Returns:
        An array of shape (entries of the outputs, entries of the input).

    >>> by_differences(lambda xs: [xs[0] ** 2], [np.array([3.0, 4.0])], 0).round(6) + 0.0
    array([[6., 0.],
           [0., 8.]])
    """
    columns = []
    for j in range(xs[i].size):
        h = _step(xs[i], j, step)
        wide, narrow = (
            (flat(f(_moved(xs, i, j, s))) - flat(f(_moved(xs, i, j, -s)))) / (2 * s)
            for s in (h, h / 2)
        )
        columns.append((4 * narrow - wide) / 3)
    return _matrix(columns, f, xs)


def by_complex_step(f: Function, xs: Sequence[Array], i: int) -> Array:
    """The same Jacobian to the last digit, for a function that is analytic.

    >>> by_complex_step(lambda xs: [xs[0] ** 2], [np.array([3.0])], 0)
    array([[6.]])
    """
    numbers = [np.asarray(x, dtype=complex) for x in xs]
    columns = []
    for j in range(xs[i].size):
        h = 1e-30 * max(1.0, abs(float(xs[i].reshape(-1)[j])))
        columns.append(flat(f(_moved(numbers, i, j, 1j * h))).imag / h)
    return _matrix(columns, f, xs)


def one_sided(f: Function, xs: Sequence[Array], i: int, j: int, step: float) -> tuple[Array, Array]:
    """The slopes to the left and to the right of entry `j`: they differ at a kink."""
    h = _step(xs[i], j, step)
    left, here, right = (flat(f(_moved(xs, i, j, s))) for s in (-h, 0.0, h))
    return (here - left) / h, (right - here) / h


def _matrix(columns: list[Array], f: Function, xs: Sequence[Any]) -> Array:
    if columns:
        return np.stack(columns, axis=1)
    return np.zeros((flat(f(xs)).size, 0))
