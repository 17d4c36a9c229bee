"""The rule's gradient held against the measured one, and what is said when they differ.

This file knows how close is close enough, and how a difference is told: input, worst entry,
what came, what was expected, their ratio. It does not know why they differ (`diagnosis` does).

"Close" is relative to the sum of the absolute contributions ``Σ |g| |∂y/∂x|``: a gradient in
which large numbers cancel has no more digits than those numbers had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinygrad_mlp.errors import message
from tinygrad_mlp.ops import Array
from tinygrad_mlp.testing.differences import by_complex_step, by_differences, flat
from tinygrad_mlp.testing.subject import Subject, gradients

__all__ = ["Mismatch", "Tolerance", "compare", "show"]


@dataclass(frozen=True)
class Tolerance:
    """How close is close enough.

    Attributes:
        relative: Relative to the sum of the absolute contributions.
        absolute: Relative to the gradients that arrive and to the size of the outputs, whose
            rounding a difference quotient magnifies.
    """

    relative: float = 1e-7
    absolute: float = 1e-9


EXACT = Tolerance(1e-12, 1e-12)
"""For the complex step."""


def show(x: Array) -> str:
    """An array as short text.

    >>> show(np.array([[1.0, 2.5]])), show(np.array(3.0))
    ('[[1., 2.5]]', '3')
    """
    x = np.asarray(x)
    if x.ndim == 0:
        return f"{x.item():.6g}" if x.dtype.kind == "f" else str(x)
    text = np.array2string(x, separator=", ", precision=6, threshold=12, edgeitems=2)
    return " ".join(text.split()).replace("[ ", "[").replace(" , ", ", ").replace(". ,", ".,")


@dataclass(frozen=True)
class Mismatch:
    """One input whose gradient is not what the experiment says.

    Attributes:
        subject: The name of the op or function.
        label: The name of the input.
        index: Which of the moving inputs it is.
        order: The order of the derivative.
        got: The rule's gradient.
        expected: The measured gradient.
        wrong: Where they differ.
        contributions: ``g ∂y/∂x``, outputs by entries; their sum is `expected`.
        point: All inputs by name.
        hints: What may be the cause, most likely first.
    """

    subject: str
    label: str
    index: int
    order: int
    got: Array
    expected: Array
    wrong: Array
    contributions: Array = field(repr=False)
    point: dict[str, Array] = field(repr=False)
    hints: tuple[str, ...] = ()

    @property
    def worst(self) -> tuple[int, ...]:
        """The index of the entry that is furthest off."""
        distance = np.where(np.isfinite(self.got), np.abs(self.got - self.expected), np.inf)
        return tuple(int(i) for i in np.unravel_index(np.argmax(distance), distance.shape))

    @property
    def ratio(self) -> float | None:
        """What was got, divided by what was expected, at the worst entry."""
        expected = float(self.expected[self.worst])
        return float(self.got[self.worst]) / expected if expected else None

    def __str__(self) -> str:
        what = "gradient" if self.order == 1 else f"gradient of order {self.order}"
        where = f" at {list(self.worst)}" if self.got.ndim else ""
        ratio = "" if self.ratio is None else f" (ratio {self.ratio:.4g})"
        facts = (
            f"the {what} of input {self.label!r} differs at "
            f"{int(self.wrong.sum())} of {self.wrong.size} entries; worst{where}: "
            f"got {self.got[self.worst]:.8g}, expected {self.expected[self.worst]:.8g}{ratio}"
        )
        inputs = ", ".join(f"{name} = {show(x)}" for name, x in self.point.items())
        lines = [message(f"{self.subject}: {facts}"), *self.hints, f"Inputs: {inputs}"]
        return "\n  ".join(lines)


def compare(
    subject: Subject,
    gs: Sequence[Array],
    *,
    order: int = 1,
    exactly: bool = False,
    tolerance: Tolerance | None = None,
    got: Sequence[Array] | None = None,
) -> list[Mismatch]:
    """Hold the rules of a subject against an experiment, input by input.

    Args:
        subject: What is checked, and where.
        gs: The gradients that arrive at its outputs.
        order: What reports say of the order.
        exactly: Use the complex step, which asks for an analytic function.
        tolerance: How close is close enough.
        got: The rules' gradients, if they are known already.
    """
    xs = subject.inputs
    outputs = np.abs(flat(subject.compute(xs)))
    g = flat(gs)
    if got is None:
        got = gradients(subject, xs, gs)
    close = tolerance or (EXACT if exactly else Tolerance())
    measure = by_complex_step if exactly else by_differences
    floor = np.abs(g).max(initial=0.0) + (0.0 if exactly else np.abs(g) @ outputs)
    found = []
    for i, x in enumerate(xs):
        contributions = g[:, None] * measure(subject.compute, xs, i)
        expected = contributions.sum(0).reshape(x.shape)
        scale = np.abs(contributions).sum(0).reshape(x.shape)
        allowed = close.relative * scale + close.absolute * floor
        wrong = ~(np.abs(got[i] - expected) <= allowed)  # a NaN is wrong too
        if wrong.any():
            point = dict(zip(subject.labels, xs, strict=True))
            found.append(
                Mismatch(subject.name, subject.labels[i], i, order, got[i], expected, wrong,
                         contributions, point)
            )  # fmt: skip
    return found
