"""Ops that choose: comparisons, logic, maximum and minimum, where, relu.

This file knows their records and what happens at a tie. Comparisons are ops without rules:
their outputs are truth values, and no gradient flows through a decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.ops.domain import BOOLEAN, REAL, Domain, Edge, Interval, broadcasting
from tinygrad_mlp.ops.notation import ANY, ATOM, SUM, Notation, call
from tinygrad_mlp.ops.record import Array, Op

__all__ = [
    "clip",
    "equal",
    "fmax",
    "fmin",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "not_equal",
    "relu",
    "where",
]


def _decision(name: str, function: Callable[..., Array], text: str, latex: str, doc: str) -> Op:
    also = {"logical_and": np.bitwise_and, "logical_or": np.bitwise_or}
    numpy = (function, also[name]) if name in also else (function,)
    # Iverson's bracket: 1 where the statement is true, 0 where it is not.
    notation = Notation(f"[<0> {text} <1>]", rf"\left[<0> {latex} <1>\right]", ATOM, (SUM, SUM))
    return Op(name, function, numpy=numpy, notation=notation, doc=doc)


equal = _decision("equal", np.equal, "=", "=", "Whether entries are equal.")
not_equal = _decision("not_equal", np.not_equal, "≠", r"\neq", "Whether entries differ.")
less = _decision("less", np.less, "<", "<", "Whether entries of a are less than those of b.")
less_equal = _decision("less_equal", np.less_equal, "≤", r"\leq", "Less than or equal.")
greater = _decision("greater", np.greater, ">", ">", "Greater than.")
greater_equal = _decision("greater_equal", np.greater_equal, "≥", r"\geq", "Greater than or equal.")
logical_and = _decision("logical_and", np.logical_and, "∧", r"\wedge", "Both are true.")
logical_or = _decision("logical_or", np.logical_or, "∨", r"\vee", "One at least is true.")
logical_xor = _decision("logical_xor", np.logical_xor, "⊻", r"\oplus", "Just one is true.")
logical_not = Op(
    "logical_not",
    np.logical_not,
    numpy=(np.logical_not, np.invert),
    notation=Notation("¬<0>", r"\neg <0>", ATOM, (ATOM,)),
    doc="Not true.",
)

where = Op(
    "where",
    np.where,
    (
        None,
        lambda g, y, c, a, b: np.where(c, g, 0),
        lambda g, y, c, a, b: np.where(c, 0, g),
    ),
    numpy=(np.where,),
    notation=Notation(
        "(<1> if <0> else <2>)",
        r"\begin{cases}<1>&\text{if }<0>\\<2>&\text{otherwise}\end{cases}",
    ),
    domain=Domain((BOOLEAN, REAL, REAL), broadcasting(3)),
    doc="a where the condition holds and b elsewhere; both sides are computed.",
)


def _winner(name: str, function: Callable[..., Array], beats: Callable[..., Array], doc: str) -> Op:
    """The larger or the smaller of two: the winner takes the gradient, a tie halves it."""

    def rule_a(g: Array, y: Array, a: Array, b: Array) -> Array:
        return np.where(beats(a, b), g, np.where(a == b, g / 2, 0))

    def rule_b(g: Array, y: Array, a: Array, b: Array) -> Array:
        return np.where(beats(b, a), g, np.where(a == b, g / 2, 0))

    return Op(
        name,
        function,
        (rule_a, rule_b),
        numpy=(function,),
        notation=call(name[:3], rf"\{name[:3]}"),
        domain=Domain(
            case=broadcasting(2),
            kink=lambda a, b: np.abs(a - b),
            analytic=False,
            edges=(Edge((1.0, 1.0), (0.5, 0.5)),),
        ),
        doc=doc,
    )


maximum = _winner("maximum", np.maximum, np.greater, "The larger of two, entry by entry.")
minimum = _winner("minimum", np.minimum, np.less, "The smaller of two, entry by entry.")


def _first(name: str, function: Callable[..., Array], beats: Callable[..., Array], doc: str) -> Op:
    """As `_winner`, but nan loses and the first of two equal numbers takes all (as in PyTorch)."""

    def rule_a(g: Array, y: Array, a: Array, b: Array) -> Array:
        return np.where(beats(a, b) | np.isnan(b), g, 0)

    def rule_b(g: Array, y: Array, a: Array, b: Array) -> Array:
        return np.where(beats(a, b) | np.isnan(b), 0, g)

    return Op(
        name,
        function,
        (rule_a, rule_b),
        numpy=(function,),
        notation=call(name, rf"\operatorname{{{name}}}"),
        domain=Domain(
            case=broadcasting(2),
            kink=lambda a, b: np.abs(a - b),
            analytic=False,
            edges=(Edge((1.0, 1.0), (1.0, 0.0)), Edge((math.nan, 1.0), (0.0, 1.0))),
        ),
        doc=doc,
    )


fmax = _first("fmax", np.fmax, np.greater_equal, "The larger of two; nan loses.")
fmin = _first("fmin", np.fmin, np.less_equal, "The smaller of two; nan loses.")


def bind_clip(
    x: Array,
    a_min: Array | None = None,
    a_max: Array | None = None,
    *,
    min: Array | None = None,
    max: Array | None = None,
) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """Take the bounds under both of NumPy's names; no bound is the end of what the dtype holds."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    least, most = _range(getattr(x, "dtype", None))
    return (x, _bound(low, least, least, most), _bound(high, most, least, most)), {}


def _bound(given: Array | None, end: float, least: float, most: float) -> Array:
    """The bound, or this end of the range, also where a number is beyond what the dtype holds."""
    if type(given) is int and type(end) is int:
        return max(least, min(given, most))
    return end if given is None else given


def _range(dtype: Any) -> tuple[float, float]:
    """Between what all numbers are: for whole numbers whole ones, so that they stay whole."""
    if dtype is None or dtype.kind not in "iub":
        return -math.inf, math.inf
    return (False, True) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


# On a bound the slope is 1, as in PyTorch.
clip = Op(
    "clip",
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    (
        lambda g, y, x, low, high: np.where((x >= low) & (x <= high), g, 0),
        lambda g, y, x, low, high: np.where((x < low) & (low < high), g, 0),
        lambda g, y, x, low, high: np.where((x > high) | (low > high), g, 0),
    ),
    bind=bind_clip,
    numpy=(np.clip,),
    notation=call("clip", r"\operatorname{clip}"),
    domain=Domain(
        (REAL, Interval(typical=(-2.0, -0.5)), Interval(typical=(0.5, 2.0))),
        broadcasting(3),
        kink=lambda x, low, high: np.minimum(
            np.minimum(np.abs(x - low), np.abs(x - high)), np.abs(low - high)
        ),
        analytic=False,
        edges=(Edge((1.0, 0.0, 1.0), (1.0, 0.0, 0.0)),),
    ),
    doc="Numbers held between a lower and an upper bound.",
)

relu = Op(
    "relu",
    lambda x: np.maximum(x, 0),
    lambda g, y, x: g * (x > 0),
    notation=Notation("relu(<0>)", r"\operatorname{relu}\left(<0>\right)", slots=(ANY,)),
    domain=Domain(kink=np.abs, analytic=False, edges=(Edge((0.0,), (0.0,)),)),
    same_as=lambda x: np.where(x > 0, x, 0),
    doc="The positive part; its slope at 0 is taken to be 0.",
)
