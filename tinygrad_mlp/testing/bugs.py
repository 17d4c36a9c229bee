"""The classes of mistakes, and what is seen of one.

This file knows what a gradient looks like beside the measured one. It does not know how a
mistake is recognised: `diagnosis` does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = ["Bug", "Observation"]


class Bug(enum.Enum):
    """The classes of mistakes that are told apart."""

    NO_GRADIENT = "no gradient"
    UPSTREAM = "the arriving gradient is ignored"
    SIGN = "wrong sign"
    FACTOR = "wrong factor"
    ONE_OVER_N = "1/N missing or too much"
    SWAPPED = "gradients of two inputs swapped"
    TRANSPOSED = "transposed"
    NOT_UNBROADCAST = "not un-broadcast"
    MISSING_ACCUMULATION = "missing accumulation"
    IN_PART = "wrong in a part of the domain"
    WRONG_SHAPE = "wrong shape"
    WRONG = "wrong rule"
    AT_KINKS = "wrong at kinks"
    SECOND_ORDER = "wrong at second order only"
    FORWARD_MUTATES = "forward mutates its input"
    RULE_MUTATES = "the rule mutates what it is handed"
    DTYPE = "wrong dtype"
    COMPOSITION = "differs from what it says it is the same as"
    WARNS = "warns on valid input"
    RAISES = "raises on valid input"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Observation:
    """One gradient of one input, beside what an experiment says of it.

    Attributes:
        label: The name of the input.
        x: The input.
        y_shape: The shape of the output.
        got: The rule's gradient; of another shape than `x` when it was refused for that.
        expected: The measured gradient.
        contributions: ``g ∂y/∂x``, outputs by entries.
        close: How far apart equal numbers may be.
        twice: The rule's gradient when twice the gradient arrives, if it was asked for.
        others: The measured gradients of the other inputs, by name.
    """

    label: str
    x: Array
    y_shape: tuple[int, ...]
    got: Array
    expected: Array
    contributions: Array
    close: float
    twice: Array | None = None
    others: tuple[tuple[str, Array], ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the gradient has at least the right shape."""
        return bool(self.got.shape == self.expected.shape)

    @property
    def right(self) -> bool:
        """Whether the gradient is right everywhere."""
        return self.fits and self.same(self.got, self.expected)

    def same(self, a: Array, b: Array) -> bool:
        """Whether two arrays are equal, as far as can be measured."""
        return bool(a.shape == b.shape and np.all(np.abs(a - b) <= self.close))

    @property
    def ratio(self) -> float | None:
        """The one number that all entries are off by, if there is one."""
        if not self.fits:
            return None
        big = np.abs(self.expected) > 100 * self.close
        if not big.any() or not np.all(np.abs(self.got[~big]) <= 200 * self.close):
            return None
        ratios = self.got[big] / self.expected[big]
        spread = float(np.ptp(ratios))
        return float(ratios.mean()) if spread <= 1e-5 * max(1.0, abs(ratios.mean())) else None
