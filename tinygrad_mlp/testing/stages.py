"""What an op promises, and how each promise is tried on one case.

This file knows the stages: the forward function computes and only reads its inputs, gradients
are the measured ones to first and to second order, float32 stays float32, a fused op equals its
composition, edges are as stated. It does not draw cases and names no bug but the obvious ones.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.errors import GradientError, message
from tinygrad_mlp.formulas import input_names
from tinygrad_mlp.ops import Array, Op, cast
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.bugs import Bug, Observation
from tinygrad_mlp.testing.comparison import compare, show
from tinygrad_mlp.testing.diagnosis import name_the_bug
from tinygrad_mlp.testing.differences import by_differences
from tinygrad_mlp.testing.drawing import Case, attrs_for, domain_of
from tinygrad_mlp.testing.subject import (
    climb,
    gradients,
    moving,
    of_composition,
    of_op,
)

__all__ = [
    "Finding",
    "Refused",
    "composition",
    "dtypes",
    "edges",
    "first_order",
    "forward",
    "named",
    "observe",
    "second_order",
]


@dataclass(frozen=True)
class Finding:
    """A bug of an op.

    Attributes:
        bug: Its class.
        text: What was seen.
        case: The smallest case that shows it; None for edges.
    """

    bug: Bug
    text: str
    case: Case | None = None

    def __str__(self) -> str:
        if self.case is None:
            return f"{self.bug}: {self.text}"
        names = input_names(self.case.op, len(self.case.inputs), short=False)
        inputs = [f"{name} = {show(x)}" for name, x in zip(names, self.case.inputs, strict=True)]
        inputs += [f"{name} = {value}" for name, value in self.case.attrs.items()]
        return f"{self.bug}: {self.text} Smallest failing input: {', '.join(inputs)}."


# -- the stages ------------------------------------------------------------------------------


def forward(case: Case) -> Finding | None:
    """The forward function computes, warns of nothing and only reads its inputs."""
    inputs = tuple(x.copy() for x in case.inputs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            y = np.asarray(case.op.apply(inputs, case.attrs))
    except Warning as warning:
        return Finding(Bug.WARNS, f"{warning}.", case)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return Finding(Bug.RAISES, f"{type(error).__name__}: {error}.", case)
    names = input_names(case.op, len(inputs), short=False)
    for name, x, before in zip(names, inputs, case.inputs, strict=True):
        if not np.array_equal(x, before, equal_nan=x.dtype.kind == "f"):
            return Finding(Bug.FORWARD_MUTATES, f"{name} is {show(x)} afterwards.", case)
    if y.dtype.kind != "f" and case.op.differentiable:
        return Finding(Bug.DTYPE, f"it gives {y.dtype} for float64.", case)
    return None


def first_order(case: Case) -> Finding | None:
    """Each gradient is what differences say."""
    try:
        seen = observe(case)
    except Refused as refused:
        return refused.finding
    return named(seen, case) if any(not one.right for one in seen) else None


def named(seen: list[Observation], case: Case) -> Finding:
    """The bug that the observations show, with the case to show it on."""
    bug, text = name_the_bug(seen)
    return Finding(bug, message(text), case)


def second_order(case: Case) -> Finding | None:
    """The gradient of the gradient is what differences of the gradient say."""
    *_, (_, subject, gs) = climb(of_op(case.op, case.inputs, case.attrs), [case.g], 2)
    found = compare(subject, gs, order=2)
    return Finding(Bug.SECOND_ORDER, str(found[0]), case) if found else None


def dtypes(case: Case) -> Finding | None:
    """For float32 the op and its rules compute in float32."""
    small = case.astype(np.float32)
    if small.y.dtype != np.float32:
        return Finding(Bug.DTYPE, f"forward gives {small.y.dtype} for float32.", case)
    places = moving(case.op, case.inputs)
    inputs = [
        Tensor(x, requires_grad=True) if i in places else x for i, x in enumerate(small.inputs)
    ]
    y = case.op.apply(tuple(inputs), small.attrs)
    for i in places:
        g = Tensor(small.g, requires_grad=True)
        gradient = pullback(case.op, i, g, (y, *inputs), small.attrs)
        if getattr(gradient, "op", None) is cast:  # the engine had to cast the gradient back
            name = input_names(case.op, len(inputs), short=False)[i]
            kind = gradient.values[1].dtype
            return Finding(Bug.DTYPE, f"the rule of {name!r} gives {kind} for float32.", case)
    return None


def composition(case: Case) -> Finding | None:
    """A fused op equals its composition, to second order."""
    fused = climb(of_op(case.op, case.inputs, case.attrs), [case.g], 2)
    composed = climb(of_composition(case.op, case.inputs, case.attrs), [case.g], 2)
    for (order, one, gs), (_, other, _) in zip(fused, composed, strict=True):
        for what, ours, theirs in (
            ("value", one.compute(one.inputs), other.compute(other.inputs)),
            ("gradient", gradients(one, one.inputs, gs), gradients(other, other.inputs, gs)),
        ):
            for a, b in zip(ours, theirs, strict=True):
                if a.shape != b.shape or not np.allclose(a, b, rtol=1e-9, atol=1e-11):
                    text = f"{what} of order {order}: {show(a)}, composed {show(b)}."
                    return Finding(Bug.COMPOSITION, text, case)
    return None


def edges(op: Op) -> Finding | None:
    """At the points that the domain names, the gradients are those agreed on."""
    domain = domain_of(op)
    for edge in domain.edges:
        inputs = tuple(np.asarray(x, dtype=np.float64) for x in edge.inputs)
        subject = of_op(op, inputs, attrs_for(op, inputs))
        seed = np.ones_like(subject.compute(subject.inputs)[0])
        slopes = subject.slopes
        got = slopes(subject.inputs, [seed]) if slopes else []
        agreed = [x for x in edge.gradients if x is not None]
        for label, a, b in zip(subject.labels, got, agreed, strict=True):
            if not np.array_equal(a, np.broadcast_to(b, a.shape)):
                point = ", ".join(show(x) for x in inputs)
                return Finding(Bug.AT_KINKS, f"at ({point}) {label!r} gets {show(a)}, not {b}.")
    return None


# -- what first order looks like -------------------------------------------------------------


class Refused(Exception):  # noqa: N818 - it carries a finding out of a loop
    """A rule could not be run at all."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding


def observe(case: Case) -> list[Observation]:
    """Every gradient of a case beside the measured one."""
    subject = of_op(case.op, case.inputs, case.attrs)
    measured = [
        case.g.reshape(-1)[:, None] * by_differences(subject.compute, subject.inputs, i)
        for i in range(len(subject.inputs))
    ]
    expected = [c.sum(0).reshape(x.shape) for c, x in zip(measured, subject.inputs, strict=True)]
    seen = []
    for k, i in enumerate(moving(case.op, case.inputs)):
        others = tuple((subject.labels[j], expected[j]) for j in range(len(expected)) if j != k)
        scale = float(np.abs(measured[k]).sum(0).max(initial=0.0))
        size = float(np.abs(case.g).reshape(-1) @ np.abs(case.y).reshape(-1))
        seen.append(
            Observation(
                subject.labels[k],
                case.inputs[i],
                case.y.shape,
                _pulled(case, i, case.g),
                expected[k],
                measured[k],
                1e-6 * scale + 1e-9 * (size + 1.0),
                _pulled(case, i, 2 * case.g),
                others,
            )
        )
    return seen


def _pulled(case: Case, i: int, g: Array) -> Array:
    """What the rule of input `i` says; of the wrong shape if the engine refuses it."""
    inputs = tuple(x.copy() for x in case.inputs)
    g = np.array(g)
    values = (np.asarray(case.op.apply(inputs, case.attrs)), *inputs)
    for array in (g, *values):
        array.flags.writeable = False
    name = input_names(case.op, len(inputs), short=False)[i]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(pullback(case.op, i, g, values, case.attrs))
    except GradientError as error:
        return np.asarray(error.gradient)
    except Warning as warning:
        raise Refused(Finding(Bug.WARNS, f"the rule of {name!r}: {warning}.", case)) from warning
    except Exception as error:
        bug = Bug.RULE_MUTATES if "read-only" in str(error) else Bug.RAISES
        text = f"the rule of {name!r}: {type(error).__name__}: {error}."
        raise Refused(Finding(bug, text, case)) from error
