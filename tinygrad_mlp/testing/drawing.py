"""Inputs for an op, drawn from its domain.

This file knows how a `Domain` becomes arrays. It does not know who chooses: a `Source` picks
options and numbers, and there are two of them, a seeded one here and hypothesis' (which shrinks)
in `strategies`.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.ops.domain import Domain, Interval

__all__ = ["MARGIN", "Case", "Seeded", "Source", "attrs_for", "draw", "far_from_kinks"]

T = TypeVar("T")
MARGIN = 0.02
"""How far inputs stay from a kink: several steps of a difference quotient."""


class Source(abc.ABC):
    """Whoever chooses."""

    @abc.abstractmethod
    def pick(self, options: Sequence[T]) -> T:
        """One of several options."""

    @abc.abstractmethod
    def numbers(self, shape: tuple[int, ...], low: float, high: float) -> Array:
        """An array of float64 between `low` and `high`."""


class Seeded(Source):
    """Chooses with a NumPy generator."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, options: Sequence[T]) -> T:
        """One of several options."""
        return options[int(self.rng.integers(len(options)))]

    def numbers(self, shape: tuple[int, ...], low: float, high: float) -> Array:
        """Uniform between `low` and `high`."""
        return np.asarray(self.rng.uniform(low, high, shape))


@dataclass(frozen=True)
class Case:
    """An op, inputs and attributes that fit it, and a gradient that arrives."""

    op: Op
    inputs: tuple[Array, ...]
    attrs: dict[str, Any]
    g: Array

    @property
    def y(self) -> Array:
        """The output, computed anew."""
        return np.asarray(self.op.apply(self.inputs, self.attrs))

    def astype(self, dtype: Any) -> Case:
        """The same case with its floats in another dtype."""
        inputs = tuple(x.astype(dtype) if x.dtype.kind == "f" else x for x in self.inputs)
        attrs = {
            k: np.dtype(dtype) if isinstance(v, np.dtype) else v for k, v in self.attrs.items()
        }
        return Case(self.op, inputs, attrs, self.g.astype(dtype))


def attrs_for(op: Op, inputs: Sequence[Array]) -> dict[str, Any]:
    """Attributes for given inputs: those of a case of the op with as many axes, if there is one."""
    case = domain_of(op).case
    wanted = [np.ndim(x) for x in inputs]
    drawn = [case(Seeded(seed).pick) for seed in range(50)]
    for shapes, attrs in drawn:
        if [len(s) if isinstance(s, tuple) else np.ndim(s) for s in shapes] == wanted:
            return attrs
    return drawn[0][1]


def domain_of(op: Op) -> Domain:
    """The domain of an op, without which it cannot be tried."""
    if op.domain is None:
        raise UsageError(
            f"the op {op.name!r} states no domain",
            why="inputs have to be drawn from somewhere",
            fix="Give it domain=Domain(...); see tinygrad_mlp/ops/domain.py.",
        )
    return op.domain


def draw(op: Op, source: Source, *, wide: bool = False) -> Case | None:
    """Draw a case; None if these inputs were too near to a kink.

    Args:
        op: The op.
        source: Whoever chooses.
        wide: Draw from all of the domain, over many magnitudes, kinks included; otherwise from
            where difference quotients have digits.
    """
    domain = domain_of(op)
    shapes, attrs = domain.case(source.pick)
    inputs = tuple(
        np.asarray(_values(domain.interval(i), shape, source, wide=wide))
        if isinstance(shape, tuple)
        else shape
        for i, shape in enumerate(shapes)
    )
    if not wide:
        moved = far_from_kinks(domain, inputs, attrs)
        if moved is None:
            return None
        inputs = moved
    case = Case(op, inputs, attrs, np.zeros(()))
    with np.errstate(all="ignore"):
        shape = case.y.shape
    return Case(op, inputs, attrs, np.asarray(source.numbers(shape, 0.5, 2.0) * _signs(shape)))


def _values(interval: Interval, shape: tuple[int, ...], source: Source, *, wide: bool) -> Array:
    low, high = interval.typical
    if interval.boolean:
        return np.asarray(source.numbers(shape, 0, 1) >= 0.5)
    if not wide:
        mirrored = interval.low <= -high and low > 0  # x and -x are both away from a pole at 0
        return source.numbers(shape, low, high) * (source.pick((1.0, -1.0)) if mirrored else 1.0)
    small, large = source.pick(((-8.0, -2.0), (-2.0, 0.0), (0.0, 2.0)))
    size = 10.0 ** source.numbers(shape, small, large)
    if interval.low >= 0:
        size += interval.low
        return np.minimum(size, interval.high - 1e-9) if interval.high < math.inf else size
    x = size * np.where(source.numbers(shape, -1, 1) < 0, -1.0, 1.0)
    if interval.low > -math.inf or interval.high < math.inf:
        # Open ends: an inverse sine has a slope everywhere but at 1.
        low, high = max(interval.low, -1e3), min(interval.high, 1e3)
        gap = 1e-3 * (high - low)
        return np.clip(x, low + gap, high - gap)
    return x


def _signs(shape: tuple[int, ...]) -> Array:
    """Signs without a pattern that a wrong rule could share."""
    return np.where(np.sin(1.7 + 2.9 * np.arange(math.prod(shape))) < -0.3, -1.0, 1.0).reshape(
        shape
    )


def far_from_kinks(
    domain: Domain, inputs: tuple[Array, ...], attrs: dict[str, Any], margin: float = MARGIN
) -> tuple[Array, ...] | None:
    """The inputs, pushed off kinks and ties if need be; None if that did not help."""
    if domain.kink is None:
        return inputs
    for attempt in range(4):
        distance = np.asarray(domain.kink(*inputs, **attrs), dtype=float)
        if distance.min(initial=np.inf) > margin:
            return inputs
        inputs = tuple(
            np.asarray(_pushed(x, domain.interval(i), attempt, i)) if x.dtype.kind == "f" else x
            for i, x in enumerate(inputs)
        )
    return None


def _pushed(x: Array, interval: Interval, attempt: int, i: int) -> Array:
    """Every entry moved by an amount of its own, and kept where numbers are drawn."""
    low, high = interval.typical
    number = np.arange(x.size).reshape(x.shape) + 1 + 7 * i
    moved = x + (0.41 + 0.17 * attempt) * (number % 5 + 0.13 * number) / 3
    return low + (moved - low) % (high - low)
