"""Where weights begin.

This file knows initialisers: functions ``(shape, rng) -> array`` of float64, with the shape of a
weight (outputs, inputs). It knows no layer; a layer asks for what it needs and sets the dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.ops import Array

__all__ = ["Initialiser", "Seed", "fans", "generator", "lecun_uniform", "normal", "uniform"]

Initialiser: TypeAlias = Callable[[tuple[int, ...], np.random.Generator], Array]
"""From a shape and a source of randomness to the first values."""

Seed: TypeAlias = np.random.Generator | int | None
"""A generator, the seed of a new one, or None for one that is different every time."""


def generator(rng: Seed) -> np.random.Generator:
    """The generator that was passed, or a new one from its seed."""
    return np.random.default_rng(rng)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs and outputs a weight of this shape connects.

    >>> fans((5, 2))
    (2, 5)
    """
    if len(shape) < 2:
        raise ShapeError(
            f"a weight of shape {shape} has no fan-in and fan-out",
            why="they count the inputs and the outputs that a matrix connects",
            fix="Use uniform, normal or constant for vectors.",
        )
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def uniform(low: float = 0.0, high: float = 1.0) -> Initialiser:
    """Uniform on ``[low, high)``.

    >>> uniform(-1, 1)((2,), np.random.default_rng(0)).round(2)
    array([ 0.27, -0.46])
    """
    return lambda shape, rng: rng.uniform(low, high, shape)


def normal(mean: float = 0.0, std: float = 1.0) -> Initialiser:
    """Normal with this mean and standard deviation."""
    return lambda shape, rng: rng.normal(mean, std, shape)


def lecun_uniform() -> Initialiser:
    """Uniform within ``±1/√inputs``: what PyTorch's Linear starts with.

    Source: LeCun, Bottou, Orr, Müller, "Efficient BackProp" (1998), section 4.6.
    """

    def initialise(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        bound = 1 / math.sqrt(max(fans(shape)[0], 1))
        return rng.uniform(-bound, bound, shape)

    return initialise
