"""Small data sets that are made, not read: for lessons, examples and tests.

This file knows their shapes and where the classes lie. Each function takes a generator or a
seed and returns ``(X, Y)``: X is (samples, 2) or (samples, 1) float64. Y is a column of float64
for sums, curves and truth tables, and whole numbers (samples,) for classes.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = ["blobs", "circles", "moons", "sine", "spirals", "sum_of_two", "xor"]

Seed: TypeAlias = np.random.Generator | int | None
Pair: TypeAlias = tuple[Array, Array]


def sum_of_two(n: int = 1000, *, high: float = 0.5, rng: Seed = None) -> Pair:
    """Pairs uniform on ``[0, high)``, and their sums: (n, 2) and (n, 1).

    >>> X, Y = sum_of_two(3, rng=0)
    >>> bool((X.sum(axis=1, keepdims=True) == Y).all())
    True
    """
    X = np.random.default_rng(rng).uniform(0, high, (n, 2))
    return X, X.sum(axis=1, keepdims=True)


def xor() -> Pair:
    """The truth table of "one or the other": (4, 2) and (4, 1).

    >>> xor()[1].ravel()
    array([0., 1., 1., 0.])
    """
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    return X, (X[:, :1] != X[:, 1:]).astype(np.float64)


def moons(n: int = 500, *, noise: float = 0.1, rng: Seed = None) -> Pair:
    """Two half circles that reach into each other: (n, 2) and labels (n,).

    >>> X, Y = moons(100, rng=0)
    >>> X.shape, np.bincount(Y).tolist()
    ((100, 2), [50, 50])
    """
    source = np.random.default_rng(rng)
    Y = np.arange(n) % 2
    angle = np.pi * source.uniform(0, 1, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.array([1.0, 0.5]) - upper
    return _noisy(np.where(Y[:, None] == 0, upper, lower), noise, source), Y


def circles(n: int = 500, *, inner: float = 0.5, noise: float = 0.05, rng: Seed = None) -> Pair:
    """A circle around a smaller one: (n, 2) and labels (n,).

    >>> circles(10, noise=0.0, rng=0)[0].shape
    (10, 2)
    """
    source = np.random.default_rng(rng)
    Y = np.arange(n) % 2
    angle = 2 * np.pi * source.uniform(0, 1, n)
    radius = np.where(Y == 0, 1.0, inner)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _noisy(X, noise, source), Y


def spirals(
    n: int = 500, *, arms: int = 2, turns: float = 1.0, noise: float = 0.02, rng: Seed = None
) -> Pair:
    """Arms that wind around each other: (n, 2) and labels (n,).

    >>> np.bincount(spirals(9, arms=3, rng=0)[1]).tolist()
    [3, 3, 3]
    """
    source = np.random.default_rng(rng)
    Y = np.arange(n) % arms
    radius = np.sqrt(source.uniform(0.01, 1, n))
    angle = 2 * np.pi * (turns * radius + Y / arms)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _noisy(X, noise, source), Y


def blobs(n: int = 500, *, centres: int = 3, spread: float = 0.3, rng: Seed = None) -> Pair:
    """Round clouds with centres on a circle: (n, 2) and labels (n,).

    >>> blobs(6, rng=0)[1].tolist()
    [0, 1, 2, 0, 1, 2]
    """
    source = np.random.default_rng(rng)
    Y = np.arange(n) % centres
    angle = 2 * np.pi * Y / centres
    return _noisy(np.stack([np.cos(angle), np.sin(angle)], axis=1), spread, source), Y


def sine(n: int = 200, *, noise: float = 0.1, rng: Seed = None) -> Pair:
    """One period of a sine, with noise: (n, 1) and (n, 1).

    >>> sine(5, rng=0)[0].shape
    (5, 1)
    """
    source = np.random.default_rng(rng)
    X = source.uniform(-np.pi, np.pi, (n, 1))
    return X, np.sin(X) + noise * source.normal(size=(n, 1))


def _noisy(X: Array, noise: float, source: np.random.Generator) -> Array:
    return X + noise * source.normal(size=X.shape)
