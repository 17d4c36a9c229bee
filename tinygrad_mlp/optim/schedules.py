"""Schedules: how the learning rate changes, as pure functions of the step.

A schedule is a function from a step, counted from 0, to a factor. It keeps no state, so it can
be drawn, tested and resumed by calling it. By hand::

    optimizer.lr = 0.1 * schedule(step)

and `fit` does the same with ``schedule=``, from the rate that each group began with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Schedule", "constant", "cosine", "step_decay", "warm_up"]

Schedule: TypeAlias = Callable[[int], float]
"""From a step, counted from 0, to the factor of the learning rate."""


def constant(factor: float = 1.0) -> Schedule:
    """The same factor at every step.

    >>> constant()(10)
    1.0
    """
    return lambda _: factor


def step_decay(size: int, gamma: float = 0.1) -> Schedule:
    """``gamma^⌊step / size⌋``: lower by `gamma` after every `size` steps.

    >>> [step_decay(2, 0.5)(t) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return lambda step: float(gamma ** (step // size))


def cosine(total: int, floor: float = 0.0) -> Schedule:
    """Half a cosine from 1 down to `floor` over `total` steps; it stays there.

    Source: Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017),
    equation 5, without restarts.

    >>> [round(cosine(4)(t), 3) for t in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    def factor(step: int) -> float:
        turn = math.pi * min(step, total) / max(total, 1)
        return floor + (1 - floor) * (1 + math.cos(turn)) / 2

    return factor


def warm_up(steps: int, then: Schedule | None = None, start: float = 0.0) -> Schedule:
    """A straight line from `start` to 1 over `steps` steps, then another schedule from its 0.

    Source: Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2.

    >>> [warm_up(4)(t) for t in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def factor(step: int) -> float:
        if step < steps:
            return start + (1 - start) * step / steps
        return 1.0 if then is None else then(step - steps)

    return factor
