"""Where weights begin.

This file knows initialisers: functions ``(shape, rng) -> array`` of float64, with the shape of a
weight (outputs, inputs). It knows no layer; a layer asks for what it needs and sets the dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.errors import ShapeError, UsageError
from tinygrad_mlp.ops import Array

__all__ = [
    "Initialiser",
    "Seed",
    "constant",
    "fans",
    "generator",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Initialiser: TypeAlias = Callable[[tuple[int, ...], np.random.Generator], Array]
"""From a shape and a source of randomness to the first values."""

Seed: TypeAlias = np.random.Generator | int | None
"""A generator, the seed of a new one, or None for one that is different every time."""


def generator(rng: Seed) -> np.random.Generator:
    """The generator that was passed, or a new one from its seed."""
    return np.random.default_rng(rng)


def counted(layer: str, name: str, value: Any, usage: str) -> int:
    """An argument that says how many numbers there are.

    Raises:
        UsageError: If it counts nothing.

    >>> counted("Linear", "in_features", np.int64(2), "Linear(2, 5)")
    2
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise UsageError(
            f"{layer}'s {name} is {value!r}",
            why="it counts numbers",
            fix=f"Write {usage}.",
        )
    return int(value)


def beginning(
    init: Initialiser, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any
) -> Array:
    """What an initialiser gives, as an array of float64 or of `dtype`.

    Raises:
        UsageError: For what is no initialiser, such as ``init=nn.init.ones`` without ``()``.
        ShapeError: If it gives another shape.
    """
    name = getattr(init, "__name__", "")
    if init is globals().get(name) and name in __all__:
        raise UsageError(
            f"init is the function {name}, which makes an initialiser",
            fix=f"Call it: init=nn.init.{name}({'0.0' if name == 'constant' else ''}).",
        )
    if not callable(init):
        raise UsageError(
            f"init is {init!r}",
            why="it is a function of a shape and a generator",
            fix="Use one of nn.init, such as init=nn.init.xavier_uniform().",
        )
    values = np.asarray(init(shape, rng), np.float64 if dtype is None else dtype)
    if values.shape != shape:
        raise ShapeError(
            f"init gave {values.shape} for a weight of shape {shape}",
            fix="Return an array of the shape that is asked for, as np.ones(shape) does.",
        )
    return values


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


def constant(value: float) -> Initialiser:
    """One number everywhere.

    >>> constant(0.5)((2,), np.random.default_rng(0))
    array([0.5, 0.5])
    """
    return lambda shape, _: np.full(shape, float(value))


def zeros() -> Initialiser:
    """Zero everywhere: right for biases; between layers, all units would learn alike."""
    return constant(0.0)


def ones() -> Initialiser:
    """One everywhere."""
    return constant(1.0)


def xavier_uniform(gain: float = 1.0) -> Initialiser:
    """Uniform within ``± gain √(6 / (inputs + outputs))``: for sigmoid and tanh.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 16.
    """

    def initialise(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        bound = gain * math.sqrt(6 / sum(fans(shape)))
        return rng.uniform(-bound, bound, shape)

    return initialise


def xavier_normal(gain: float = 1.0) -> Initialiser:
    """Normal with standard deviation ``gain √(2 / (inputs + outputs))``.

    Source: Glorot, Bengio (2010), equation 12.
    """
    return lambda shape, rng: rng.normal(0, gain * math.sqrt(2 / sum(fans(shape))), shape)


def kaiming_uniform(gain: float = math.sqrt(2)) -> Initialiser:
    """Uniform within ``± gain √(3 / inputs)``: for ReLU, whose gain is √2.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015), equation 10.
    """

    def initialise(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        bound = gain * math.sqrt(3 / max(fans(shape)[0], 1))
        return rng.uniform(-bound, bound, shape)

    return initialise


def kaiming_normal(gain: float = math.sqrt(2)) -> Initialiser:
    """Normal with standard deviation ``gain / √inputs``: for ReLU, whose gain is √2.

    Source: He, Zhang, Ren, Sun (2015), equation 10.
    """
    return lambda shape, rng: rng.normal(0, gain / math.sqrt(max(fans(shape)[0], 1)), shape)


def orthogonal(gain: float = 1.0) -> Initialiser:
    """Rows (or columns, if there are fewer) of length `gain` at right angles to each other.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks" (2014), section 3.

    >>> w = orthogonal()((3, 2), np.random.default_rng(0))
    >>> bool(np.allclose(w.T @ w, np.eye(2)))
    True
    """

    def initialise(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        fans(shape)  # refuses vectors
        rows, columns = shape[0], math.prod(shape[1:])
        tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q *= np.sign(np.diag(r))  # makes the distribution uniform, not that of the algorithm
        return gain * (q if rows >= columns else q.T).reshape(shape)

    return initialise
