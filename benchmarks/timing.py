"""Taking the time: units of work, segments long enough to measure, rounds that interleave.

A **unit** is a call that does some work. A **segment** repeats one unit until it fills at least
`Effort.segment` seconds. A **round** times one segment of each contender, one after the other, so
that a machine that slows down slows down all of them, and a ratio is taken within a round. The
order is rotated from round to round: nobody always follows the same neighbour.

Knows a clock and the garbage collector, which stays on as it is for users; what exists before the
first round is frozen, so that nobody's collections walk through everybody's objects. Knows nothing
of what the units do.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

Unit = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How much time a measurement may take: seconds per segment, and the number of rounds."""

    segment: float
    rounds: int


def calls(unit: Unit, seconds: float) -> int:
    """How many calls of `unit` fill a segment. Warms the unit up on the way."""
    unit()
    count, elapsed = 1, segment(unit, 1)
    while elapsed < seconds / 4:
        count *= 2
        elapsed = segment(unit, count)
    return max(1, math.ceil(1.1 * count * seconds / elapsed)) if elapsed < seconds else count


def segment(unit: Unit, count: int) -> float:
    """The seconds that `count` calls of `unit` take."""
    repetitions = range(count)
    start = perf_counter()
    for _ in repetitions:
        unit()
    return perf_counter() - start


def interleave(units: Mapping[str, Unit], effort: Effort) -> dict[str, tuple[float, ...]]:
    """Seconds per call of each unit, one value per round; equal positions are the same round."""
    counts = {name: calls(unit, effort.segment) for name, unit in units.items()}
    seconds: dict[str, list[float]] = {name: [] for name in units}
    order = list(units)
    gc.collect()
    gc.freeze()
    try:
        for _ in range(effort.rounds):
            for name in order:
                seconds[name].append(segment(units[name], counts[name]) / counts[name])
            order = order[1:] + order[:1]
    finally:
        gc.unfreeze()
    return {name: tuple(values) for name, values in seconds.items()}
