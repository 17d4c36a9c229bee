"""`nudge`: what a derivative is, by experiment.

This file knows one number that comes out of a function and one number that goes in. It moves
the one, watches the other, and says how good the quotient of the two is for steps of every
size: large steps see the curve bend (truncation), small ones see the last digits (round-off).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.subject import gradients, of_function

__all__ = ["Nudge", "NudgeReport", "nudge"]

STEPS = tuple(10.0**-k for k in range(1, 13))


@dataclass(frozen=True)
class Nudge:
    """One step, and what two quotients make of it.

    Attributes:
        step: How far the input was moved.
        moved: How far the output moved for a step to the right.
        one_sided: ``(f(x + h) − f(x)) / h``.
        central: ``(f(x + h) − f(x − h)) / 2h``.
        one_sided_error: Its distance from the derivative.
        central_error: The same for the central quotient.
    """

    step: float
    moved: float
    one_sided: float
    central: float
    one_sided_error: float
    central_error: float

    def __str__(self) -> str:
        quotients = (
            f"{self.one_sided:12.8g} {self.one_sided_error:8.1e}  "
            f"{self.central:12.8g} {self.central_error:8.1e}"
        )
        length = round(16 + math.log10(self.central_error)) if self.central_error else 0
        return f"{self.step:7.0e}  {self.moved:13.6g}  {quotients}  {'▒' * length}".rstrip()


@dataclass(frozen=True)
class NudgeReport:
    """The experiment. Printed, it is a table.

    Attributes:
        name: The function.
        label: The input that was moved.
        index: The entry of it.
        value: The output where nothing is moved.
        derivative: What backpropagation says.
        rows: The steps, largest first.
    """

    name: str
    label: str
    index: tuple[int, ...]
    value: float
    derivative: float
    rows: tuple[Nudge, ...]

    @property
    def best(self) -> Nudge:
        """The step at which the central quotient is closest to the derivative."""
        return min(self.rows, key=lambda row: row.central_error)

    def __str__(self) -> str:
        entry = self.label + (str(list(self.index)) if self.index else "")
        head = f"{self.name} = {self.value:.6g}, and d {self.name} / d {entry}"
        moved = f"{self.name} moves by about {0.01 * self.derivative:.4g}"
        columns = f"{'one-sided':>12} {'error':>8}  {'central':>12} {'error':>8}"
        lines = [
            f"{head} = {self.derivative:.6g}:",
            f"move {entry} by 0.01, and {moved}.",
            "",
            f"{'step':>7}  {'output moved':>13}  {columns}",
            *map(str, self.rows),
            "",
            f"Best: the central quotient with a step of {self.best.step:.0e}.",
            "Longer steps see the curve bend (truncation: a tenth of the step, a hundredth of the",
            "error); shorter ones see the last digits of the output (round-off: a tenth of the",
            "step, ten times the error).",
        ]
        return "\n".join(lines)


def nudge(
    f: Callable[..., Any],
    *xs: Any,
    wrt: int = 0,
    index: int | Sequence[int] | None = None,
    steps: Sequence[float] = STEPS,
) -> NudgeReport:
    """Move one number that goes into a function, and watch the number that comes out.

    Args:
        f: A function of tensors whose result is one number.
        xs: The point.
        wrt: Which argument to move.
        index: Which entry of it; by default the one with the largest derivative.
        steps: How far.

    Returns:
        The report; print it.

    Raises:
        ShapeError: If the result is not one number.

    >>> report = nudge(lambda x: np.sin(x), 1.0, steps=[1e-1, 1e-3, 1e-5])
    >>> [f"{row.central_error:.0e}" for row in report.rows]
    ['9e-04', '9e-08', '1e-11']
    """
    points = [np.array(x.data if isinstance(x, Tensor) else x, dtype=np.float64) for x in xs]
    subject = of_function(f, points)
    (y,) = subject.compute(points)
    if y.size != 1:
        raise ShapeError(
            f"nudge() watches one number, but {subject.name} has shape {y.shape}",
            fix="Use .sum() or .mean(), or pick an entry.",
        )
    gradient = gradients(subject, points, [np.ones(y.shape)])[wrt]
    x = points[wrt]
    if index is None:
        place = tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(gradient)), x.shape))
    else:
        place = (index,) if isinstance(index, int) else tuple(index)
    slope = float(gradient[place])

    def value(by: float) -> float:
        moved = x.copy()
        moved[place] += by
        (result,) = subject.compute([*points[:wrt], moved, *points[wrt + 1 :]])
        return float(result.item())

    here = value(0.0)
    rows = []
    for h in steps:
        right, left = value(h), value(-h)
        one, two = (right - here) / h, (right - left) / (2 * h)
        rows.append(Nudge(h, right - here, one, two, abs(one - slope), abs(two - slope)))
    return NudgeReport(subject.name, subject.labels[wrt], place, here, slope, tuple(rows))
