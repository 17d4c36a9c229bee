"""`gradcheck`: whether the gradients of a function are right, at a point and to an order.

This file knows functions of tensors and points; it draws nothing and needs no hypothesis. What
it compares with comes from `differences`, what it says of a mismatch from `diagnosis`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mlp.errors import GradientMismatchError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.borrowing import borrowed
from tinygrad_mlp.testing.bugs import Bug, Observation
from tinygrad_mlp.testing.comparison import Mismatch, Tolerance, compare
from tinygrad_mlp.testing.culprits import culprits
from tinygrad_mlp.testing.diagnosis import name_the_bug
from tinygrad_mlp.testing.differences import STEP, one_sided
from tinygrad_mlp.testing.subject import Subject, climb, of_function

__all__ = ["GradientReport", "gradcheck"]


@dataclass(frozen=True)
class GradientReport:
    """What `gradcheck` found out. True if all gradients are right.

    Attributes:
        name: The function.
        order: The highest order that was checked.
        mismatches: The inputs whose gradient is wrong, of the lowest order at which one is.
    """

    name: str
    order: int
    mismatches: tuple[Mismatch, ...] = ()

    def __bool__(self) -> bool:
        return not self.mismatches

    def __str__(self) -> str:
        if self.mismatches:
            return "\n".join(map(str, self.mismatches))
        return f"{self.name}: all gradients are right to order {self.order}"


def gradcheck(
    f: Callable[..., Any],
    *xs: Any,
    parameters: Iterable[Tensor] = (),
    order: int = 1,
    relative: float = 1e-7,
    absolute: float = 1e-9,
    names: Sequence[str] = (),
    raises: bool = True,
) -> GradientReport:
    """Hold the gradients of a function against differences, in float64, at one point.

    Args:
        f: A function of tensors with a tensor as its result, of any shape, or several.
        xs: The point: numbers, lists, arrays or tensors. Whole-number arrays are handed on as
            they are, without a gradient.
        parameters: Tensors that `f` reads by itself, as a model does its weights: their gradients
            are checked too.
        order: The highest order; 2 checks the gradients of the gradients too.
        relative: The tolerance, relative to the sum of the absolute contributions.
        absolute: The tolerance relative to the arriving gradients and to the outputs.
        names: What the report calls the inputs; by default as `f` does.
        raises: Whether a mismatch is raised; otherwise look at the report.

    Returns:
        The report.

    Raises:
        GradientMismatchError: If a gradient is wrong and `raises`; an `AssertionError` too.

    >>> print(gradcheck(lambda x: np.sin(x) * x, [0.5, 1.0], order=3))
    <lambda>: all gradients are right to order 3
    """
    if order < 1:
        raise UsageError(f"gradcheck to order {order}", fix="The lowest order is 1.")
    weights = list(parameters)
    with borrowed(weights, f) as function:
        subject = _subject(f, function, weights, xs, names)
        report = _checked(subject, order, Tolerance(relative, absolute))
    if raises and not report:
        error = GradientMismatchError(str(report))
        error.report = report
        raise error
    return report


def _checked(subject: Subject, order: int, tolerance: Tolerance) -> GradientReport:
    """The mismatches of the lowest order that has any."""
    gs = [_seed(y) for y in subject.compute(subject.inputs)]
    for k, one, arriving in climb(subject, gs, order):
        found = compare(one, arriving, order=k, tolerance=tolerance)
        if found:
            finite = all(np.isfinite([m.got, m.expected]).all() for m in found)
            blamed = culprits(subject, k) if finite else []
            hinted = tuple(replace(each, hints=(*_hints(one, each), *blamed)) for each in found)
            return GradientReport(subject.name, order, hinted)
    return GradientReport(subject.name, order)


def _subject(
    f: Callable[..., Any],
    function: Callable[..., Any],
    weights: Sequence[Tensor],
    xs: Sequence[Any],
    names: Sequence[str],
) -> Subject:
    """The function of its float inputs alone, weights first."""
    given = [x.data if isinstance(x, Tensor) else x for x in (*weights, *xs)]
    arrays = [x if isinstance(x, np.ndarray) else Tensor(x).data for x in given]
    places = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]

    def moving(*tensors: Tensor) -> Any:
        inputs: list[Any] = list(arrays)
        for i, x in zip(places, tensors, strict=True):
            inputs[i] = x
        return function(*inputs)

    known = of_function(f, arrays[len(weights) :], labels=names)
    titles = [p.name or f"parameter {k}" for k, p in enumerate(weights)]
    titles += [getattr(x, "name", None) or known.labels[i] for i, x in enumerate(xs)]
    return of_function(
        moving,
        [np.asarray(arrays[i], dtype=np.float64) for i in places],
        known.name,
        [titles[i] for i in places],
    )


def _seed(y: Array) -> Array:
    """A gradient whose entries differ, so that no two mistakes cancel."""
    n = np.arange(y.size, dtype=np.float64)
    return np.array(1.0 + 0.35 * np.sin(1.0 + 2.9 * n)).reshape(y.shape)


def _hints(subject: Subject, mismatch: Mismatch) -> tuple[str, ...]:
    """What may have gone wrong, the likeliest first."""
    hints = []
    if not np.all(np.isfinite(mismatch.got)):
        hints.append("the gradient is not finite: a slope is infinite or undefined here")
    if not np.all(np.isfinite(mismatch.expected)):
        hints.append("the function is not finite here or close by: no difference says anything")
    if hints:
        return tuple(hints)
    x = subject.inputs[mismatch.index]
    j = int(np.ravel_multi_index(mismatch.worst, x.shape)) if x.ndim else 0
    hints += _kink(subject, mismatch.index, j)
    seen = Observation(
        mismatch.label,
        x,
        (mismatch.contributions.shape[0],),
        mismatch.got,
        mismatch.expected,
        mismatch.contributions,
        1e-6 * float(np.abs(mismatch.contributions).sum(0).max(initial=0.0)) + 1e-12,
    )
    bug, text = name_the_bug([seen])
    if bug is not Bug.WRONG:
        hints.append(text)
    return tuple(hints)


def _kink(subject: Subject, i: int, j: int) -> list[str]:
    """What a kink near entry `j` looks like: slopes whose gap does not shrink with the step."""
    slopes = [one_sided(subject.compute, subject.inputs, i, j, step) for step in (STEP, STEP / 8)]
    wide, narrow = (float(np.abs(left - right).max(initial=0.0)) for left, right in slopes)
    left, right = slopes[0]
    size = float(np.abs(np.concatenate([left, right])).max(initial=0.0))
    if wide < 1e-3 * size or abs(narrow / wide - 1 / 8) < 0.03:
        return []
    side = f"{left.sum():.4g} on the left, {right.sum():.4g} on the right"
    return [f"there is a kink at or next to this point: the slope is {side}"]
