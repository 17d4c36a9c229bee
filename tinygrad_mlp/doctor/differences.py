"""Gradients against finite differences: of every op of a graph, and of a few drawn weights.

This file knows how to nudge and compare, and to leave alone what cannot be compared: points
beside a kink or at the edge of a domain, where a difference quotient says nothing. For the
thorough check of one op see `testing.check_op`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.doctor.report import Finding
from tinygrad_mlp.doctor.trial import Trial
from tinygrad_mlp.graph import Node
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import place
from tinygrad_mlp.steps import replay

__all__ = ["wrong_rules", "wrong_weights"]

STEP = 1e-6
CLOSE = 1e-3
"""Relative: far above the rounding of a difference quotient, far below a missing factor."""

WEIGHTS = 6
"""So many weights are nudged."""


def wrong_rules(trial: Trial) -> Iterator[Finding]:
    """Ops of the graph whose rule disagrees with differences of their forward function."""
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for node in trial.nodes:
        if node.op is None or node.op.name in seen or not node.requires_grad:
            continue
        seen.add(node.op.name)
        for i, x in enumerate(node.inputs):
            if x is None or not node.op.flows(i) or not x.size or x.dtype.kind != "f":
                continue
            pair = _directional(node, i, rng)
            if pair is None:
                continue
            analytic, numeric = pair
            yield Finding(
                "wrong-gradient", "error",
                f"{node.op.name}: the rule for input {i} gives {analytic:.4g} where differences "
                f"give {numeric:.4g}", where=str(place(node.site) or ""),
                why="a wrong rule trains something else",
                fix="tg.testing.check_op(op) finds the smallest input and names the bug.",
            )  # fmt: skip
            break


def _directional(node: Node, i: int, rng: np.random.Generator) -> tuple[float, float] | None:
    """Rule and difference quotient in a random direction, if they disagree."""
    values = tuple(v.astype(float) if _is_float(v) else v for v in node.values)
    x = values[i + 1]
    g = rng.uniform(0.5, 1.5, np.shape(values[0]))
    direction = rng.choice([-1.0, 1.0], np.shape(x))
    kink = node.op.domain.kink if node.op.domain is not None else None
    if kink is not None:
        distance = np.asarray(kink(*values[1:], **node.attrs))
        near = distance < 1e-3
        direction = np.where(near, 0.0, direction) if near.shape == direction.shape else direction
        if near.any() and near.shape != direction.shape:
            return None

    def moved(by: float) -> float:
        inputs = [*values[1:]]
        inputs[i] = x + by * direction
        return float(np.sum(g * node.op.forward(*inputs, **node.attrs)))

    try:
        analytic = float(np.sum(pullback(node.op, i, g, values, node.attrs) * direction))
        numeric = _slope(moved, analytic)
    except (ValueError, TypeError, ArithmeticError):
        return None
    return None if numeric is None else (analytic, numeric)


def _is_float(v: Array) -> bool:
    return isinstance(v, np.ndarray) and v.dtype.kind == "f"


def _slope(moved: Callable[[float], float], analytic: float) -> float | None:
    """The difference quotient, if it is one and disagrees with the rule."""
    numeric = 0.0
    for step in (STEP, STEP * 100):
        here, up, down = moved(0.0), moved(step), moved(-step)
        right, left = (up - here) / step, (here - down) / step
        numeric = (up - down) / (2 * step)
        scale = max(abs(analytic), abs(numeric), 1e-6 + abs(here) * 1e-3)
        if not np.isfinite([up, down, here, analytic]).all():
            return None
        if abs(numeric - analytic) <= CLOSE * scale:
            return None
        if abs(right - left) > 0.1 * scale:
            return None  # a kink, or too much curvature for a difference
    return numeric


def wrong_weights(trial: Trial, reached: Mapping[str, tuple[Node, Array]]) -> Iterator[Finding]:
    """A few drawn weights, nudged; the graph is computed again with each."""
    if trial.value.dtype != np.float64:
        return
    rng = np.random.default_rng(1)
    paths = [path for path, (p, _) in reached.items() if p.size]
    for path in rng.permutation(paths)[:WEIGHTS].tolist():
        p, g = reached[path]
        index = tuple(int(rng.integers(n)) for n in p.shape)

        def moved(by: float, p: Node = p, index: tuple[int, ...] = index) -> float:
            array = p.data.copy()
            array[index] += by
            return float(replay(trial.value, {p.birth: array}))

        numeric = _slope(moved, float(g[index]))
        if numeric is not None:
            yield Finding(
                "wrong-gradient", "error",
                f"the gradient of {path!r} at {list(index)} is {float(g[index]):.4g}, and nudging "
                f"it gives {numeric:.4g}", fix="tg.testing.gradcheck finds out more.",
            )  # fmt: skip
