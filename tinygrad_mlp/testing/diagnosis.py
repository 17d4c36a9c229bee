"""From wrong numbers to the name of the mistake.

This file knows how the usual mistakes in a gradient look from outside: all entries off by one
factor, by one that follows the number of entries, the right numbers in the wrong places, one
contribution where there should be a sum. It does not know how the numbers were got.

A mistake is named only if *every* wrong gradient of an input looks like it; otherwise the rule is
just wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from tinygrad_mlp.testing.bugs import Bug, Observation

__all__ = ["name_the_bug"]


Naming: TypeAlias = Callable[[Sequence[Observation], Sequence[Observation]], str | None]


def name_the_bug(observations: Sequence[Observation]) -> tuple[Bug, str]:
    """The class of the mistake, and a sentence about it.

    Args:
        observations: Of one op or function, right ones among them; at least one is wrong.
    """
    wrong = [seen for seen in observations if not seen.right]
    labels = list(dict.fromkeys(seen.label for seen in wrong))
    # Two rules may be wrong in two ways: then each is looked at alone.
    for some in (labels, *([label] for label in labels)):
        named = _named([seen for seen in wrong if seen.label in some], observations)
        if named is not None:
            return named
    which = ", ".join(map(repr, labels))
    return Bug.WRONG, f"the gradient of {which} follows no pattern that is known here"


def _named(
    wrong: Sequence[Observation], observations: Sequence[Observation]
) -> tuple[Bug, str] | None:
    """The first pattern that all of these wrong observations show."""
    for bug, naming in NAMINGS:
        text = naming(wrong, observations)
        if text is not None:
            return bug, text
    return None


# -- how each mistake looks ------------------------------------------------------------------


def no_gradient(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """All zeros."""
    if all(seen.fits and not np.any(seen.got) for seen in wrong):
        return f"the gradient of {wrong[0].label!r} is 0 everywhere; numerically it is not"
    return None


def upstream(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """The same whatever arrives."""
    asked = [seen for seen in wrong if seen.twice is not None and np.any(seen.got)]
    if asked and all(seen.twice is not None and seen.same(seen.got, seen.twice) for seen in asked):
        return "twice the arriving gradient changes nothing; is g missing in the rule?"
    return None


def sign(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """Off by -1."""
    ratios = [seen.ratio for seen in wrong]
    if all(ratio is not None and abs(ratio + 1) < 1e-5 for ratio in ratios):
        return f"analytic = −1 × numeric at {_entries(wrong)}; wrong sign?"
    return None


def factor(wrong: Sequence[Observation], everything: Sequence[Observation]) -> str | None:
    """Off by one and the same number, whatever the sizes."""
    ratios = [seen.ratio for seen in wrong if seen.ratio is not None]
    if len(ratios) < len(wrong) or np.ptp(ratios) > 1e-5 * max(1.0, abs(ratios[0])):
        return None
    labels = {seen.label for seen in wrong}
    # A factor that the smallest inputs lack is no constant: it may be a count.
    if any(seen.right and seen.label in labels and np.any(seen.expected) for seen in everything):
        return None
    return (
        f"analytic = {ratios[0]:.2f} × numeric at {_entries(wrong)}; {_missing(float(ratios[0]))}"
    )


def one_over_n(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """Off by a number that follows the sizes."""
    ratios = [seen.ratio for seen in wrong]
    for name, count in COUNTS.items():
        for power, text in ((1, "a division by N is missing"), (-1, "divided by N once too often")):
            if all(
                ratio is not None and (n := count(seen)) > 0 and abs(ratio / n**power - 1) < 1e-5
                for ratio, seen in zip(ratios, wrong, strict=True)
            ):
                sizes = ", ".join(map(str, sorted({round(count(seen)) for seen in wrong})[:4]))
                exponent = "" if power > 0 else "⁻¹"
                return f"analytic = N{exponent} × numeric, N = {name} ({sizes}): {text}?"
    return None


COUNTS: dict[str, Callable[[Observation], float]] = {
    "entries of the input": lambda seen: seen.x.size,
    "entries of the output": lambda seen: math.prod(seen.y_shape),
    "entries per result": lambda seen: seen.x.size / max(1, math.prod(seen.y_shape)),
    "copies by broadcasting": lambda seen: math.prod(seen.y_shape) / max(1, seen.x.size),
    "rows": lambda seen: seen.x.shape[0] if seen.x.ndim else 1,
    "columns": lambda seen: seen.x.shape[-1] if seen.x.ndim else 1,
}


def swapped(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """The gradient of another input."""
    told = [
        (seen, [name for name, other in seen.others if seen.same(seen.got, other)])
        for seen in wrong
        if any(other.shape == seen.got.shape for _, other in seen.others)
    ]
    if told and all(partners for _, partners in told):
        seen, partners = told[0]
        return f"{seen.label!r} has the gradient of {partners[0]!r}: rules swapped?"
    return None


def transposed(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """The right numbers in the wrong places."""

    def turned(seen: Observation) -> bool:
        x, got = seen.expected, seen.got
        if x.ndim < 2:
            return False
        if seen.same(got, x.mT) or seen.same(got, x.T):
            return True
        return bool(
            got.size == x.size
            and np.all(np.abs(np.sort(got, None) - np.sort(x, None)) <= seen.close)
        )

    if all(turned(seen) for seen in wrong):
        shapes = f"{wrong[0].got.shape} for an input of shape {wrong[0].expected.shape}"
        return f"the right numbers in the wrong places: {shapes}; is a transpose missing?"
    return None


def not_unbroadcast(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """One copy's gradient, or that of every copy, where their sum should be."""

    def unsummed(seen: Observation) -> bool:
        if not seen.fits:
            return bool(seen.got.size > seen.expected.size)
        return _spread(seen) and _one_of_many(seen)

    if all(unsummed(seen) for seen in wrong):
        if wrong[0].fits:
            text = "only one copy counts"
        else:
            text = f"it has shape {wrong[0].got.shape}, the input {wrong[0].expected.shape}"
        return f"the gradient of a repeated input is not summed over its copies: {text}"
    return None


def missing_accumulation(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """One contribution where the sum of several should be."""
    if all(seen.fits and _one_of_many(seen) for seen in wrong):
        return "an entry that is used several times gets one contribution, not their sum"
    return None


def in_part(wrong: Sequence[Observation], everything: Sequence[Observation]) -> str | None:
    """Wrong on one side of a number, right on the other."""
    label = wrong[0].label
    good, bad = [], []
    for seen in everything:
        if seen.label == label and seen.fits:
            off = np.abs(seen.got - seen.expected) > seen.close
            bad += seen.x[off].tolist()
            good += seen.x[~off].tolist()
    if min(len(good), len(bad)) < 3 or len({seen.label for seen in wrong}) > 1:
        return None
    for sense, low, high in ((">", max(good), min(bad)), ("<", max(bad), min(good))):
        if low < high:
            return f"wrong only where {label} {sense} {(low + high) / 2:.2g}, right elsewhere"
    return None


def wrong_shape(wrong: Sequence[Observation], _: Sequence[Observation]) -> str | None:
    """Of another shape than the input, whatever the numbers."""
    if any(seen.fits for seen in wrong):
        return None
    seen = wrong[0]
    text = f"it has shape {seen.got.shape}, the input {seen.expected.shape}"
    if seen.got.size < seen.expected.size:
        total = np.abs(seen.got.sum() - seen.expected.sum()) <= seen.close * seen.expected.size
        text += "; summed instead of un-broadcast?" if total else "; not spread over what it fed?"
    return text


NAMINGS: tuple[tuple[Bug, Naming], ...] = (
    (Bug.NO_GRADIENT, no_gradient),
    (Bug.UPSTREAM, upstream),
    (Bug.SIGN, sign),
    (Bug.FACTOR, factor),
    (Bug.ONE_OVER_N, one_over_n),
    (Bug.SWAPPED, swapped),
    (Bug.TRANSPOSED, transposed),
    (Bug.NOT_UNBROADCAST, not_unbroadcast),
    (Bug.MISSING_ACCUMULATION, missing_accumulation),
    (Bug.IN_PART, in_part),
    (Bug.WRONG_SHAPE, wrong_shape),
)
"""Tried in this order: the plainest explanation first."""


def _entries(wrong: Sequence[Observation]) -> str:
    n = max(seen.expected.size for seen in wrong)
    return "the one entry" if n == 1 else f"all {n} entries"


def _missing(ratio: float) -> str:
    """What a factor may have come from: ``missing factor 2?``."""
    if ratio == 0:
        return "no gradient?"
    fraction = Fraction(1 / ratio).limit_denominator(12)
    if abs(float(fraction) * ratio - 1) < 1e-5:
        if fraction.denominator == 1:
            return f"missing factor {fraction}?"
        if fraction.numerator == 1:
            return f"factor {fraction.denominator} too much?"
    return f"a factor {1 / ratio:.6g} is missing?"


def _spread(seen: Observation) -> bool:
    """Whether the input was repeated by broadcasting."""
    try:
        whole = np.broadcast_shapes(seen.x.shape, seen.y_shape)
    except ValueError:
        return False
    return whole == seen.y_shape and math.prod(seen.y_shape) > seen.x.size


def _one_of_many(seen: Observation) -> bool:
    """Whether every wrong entry is one, or some, of several contributions."""
    off = (np.abs(seen.got - seen.expected) > seen.close).reshape(-1)
    for j in np.flatnonzero(off):
        parts = seen.contributions[:, j]
        parts = parts[np.abs(parts) > seen.close]
        got = seen.got.reshape(-1)[j]
        if parts.size < 2 or not np.any(np.abs(parts - got) <= seen.close):
            return False
    return bool(off.any())
