"""Where an op is defined, where it has a derivative, and what happens on the border.

This file knows intervals, shapes and kinks. It knows no op: a record states its domain with
the words of this file, and tests, the gradient checker and the documentation read it there.

A *case* is what has to be drawn before an op can be tried: the shapes of its inputs (or a
ready array, for indices and masks) and its attributes. It is a function of ``pick``, which
chooses one of several options. Whoever tries the op brings its own ``pick``: hypothesis
one that shrinks, a table one that is seeded. So this room needs neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

__all__ = [
    "BOOLEAN",
    "NONNEGATIVE",
    "POSITIVE",
    "REAL",
    "UNIT",
    "Case",
    "Domain",
    "Edge",
    "Interval",
    "Pick",
    "Shape",
    "any_shape",
    "broadcasting",
    "same_shape",
]

T = TypeVar("T")
Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]


class Pick(Protocol):
    """Chooses one of several options."""

    def __call__(self, options: Sequence[T]) -> T:
        """Return one of `options`."""


Case: TypeAlias = Callable[[Pick], tuple[tuple[Any, ...], dict[str, Any]]]
"""``case(pick) -> (shapes or ready arrays of the inputs, attributes)``."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers that an input may be.

    Attributes:
        low: The lower end.
        high: The upper end.
        typical: Where values are drawn for finite differences: away from the ends and from
            magnitudes at which a difference quotient has no digits left.
        boolean: The input is a truth value.
    """

    low: float = -math.inf
    high: float = math.inf
    typical: tuple[float, float] = (-3.0, 3.0)
    boolean: bool = False


REAL = Interval()
POSITIVE = Interval(0.0, math.inf, (0.2, 4.0))
NONNEGATIVE = Interval(0.0, math.inf, (0.2, 4.0))
NONZERO = Interval(-math.inf, math.inf, (0.3, 3.0))
UNIT = Interval(-1.0, 1.0, (-0.9, 0.9))
BOOLEAN = Interval(0, 1, (0, 1), boolean=True)


@dataclass(frozen=True, slots=True)
class Edge:
    """A point on the border, and the gradient that is agreed on there.

    Attributes:
        inputs: The inputs, as scalars or nested lists.
        gradients: The gradient of each input for ``g = 1``; None where none flows.
    """

    inputs: tuple[Any, ...]
    gradients: tuple[Any, ...]


def any_shape(pick: Pick) -> tuple[tuple[Shape, ...], dict[str, Any]]:
    """One input of any shape, empty and 0-d ones included."""
    return (pick(SHAPES),), {}


def same_shape(n: int) -> Case:
    """`n` inputs of one shape."""

    def case(pick: Pick) -> tuple[tuple[Shape, ...], dict[str, Any]]:
        return (pick(SHAPES),) * n, {}

    return case


def broadcasting(n: int) -> Case:
    """`n` inputs whose shapes broadcast together; as a rule one of them has all the axes."""

    def case(pick: Pick) -> tuple[tuple[Shape, ...], dict[str, Any]]:
        full = pick(SHAPES)
        whole = pick(range(n + 1))  # n: none of them
        return tuple(full if i == whole else _shrunk(full, pick) for i in range(n)), {}

    return case


def _shrunk(full: Shape, pick: Pick) -> Shape:
    """A shape that broadcasts to `full`: leading axes dropped, others set to 1."""
    kept = full[pick(range(len(full) + 1)) :]
    return tuple(pick((n, 1)) for n in kept)


SHAPES: tuple[Shape, ...] = ((), (1,), (3,), (2, 3), (1, 4), (3, 1), (2, 1, 3), (0,), (2, 0))


@dataclass(frozen=True, slots=True)
class Domain:
    """Everything that someone who wants to try an op has to know.

    Attributes:
        inputs: The interval of each input; the last one serves the rest.
        case: What to draw (see `Case`).
        kink: ``kink(*inputs, **attrs)`` gives how far the inputs are from the nearest point
            without a derivative, as a number or an array. None: there is no such point.
        analytic: The forward function takes complex numbers and is analytic, so that the
            complex step gives derivatives to the last digit.
        edges: Points on the border with their agreed gradients.
    """

    inputs: tuple[Interval, ...] = (REAL,)
    case: Case = any_shape
    kink: Callable[..., Array] | None = None
    analytic: bool = True
    edges: tuple[Edge, ...] = ()

    def interval(self, i: int) -> Interval:
        """The interval of input number `i`."""
        return self.inputs[min(i, len(self.inputs) - 1)]
