"""Overhead: forward and backward of one addition of scalars, and how that grows with depth.

Both are the same graph, `y = a`, then n times `y = y + b`, at n = 1 and from 10³ to 10⁶. It does no
arithmetic to speak of, so its time is the cost of recording and walking a graph. Depth is measured
in a process per contender with the garbage collector off. Knows contenders' chains only.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter

from benchmarks import timing
from benchmarks.contenders import BY_KEY, LINE_UP, Chain
from benchmarks.isolation import Process
from benchmarks.results import NOT_INSTALLED, Row

ONE_ADD = "one addition"
FORWARD = "depth, forward"
BACKWARD = "depth, backward"
SLOPE = "depth, log-log slope"
BACK_TO_FORTH = "depth, backward ÷ forward"
CHAIN = "chain of additions"
DEPTHS = (1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000)


def check(who: str, length: int, gradients: tuple[float, float]) -> None:
    a, b = (float(g) for g in gradients)
    if (a, b) != (1.0, float(length)):
        raise AssertionError(f"{who}: the gradients of {length} additions are {a} and {b}")


def one_add(effort: timing.Effort) -> list[Row]:
    """Seconds of one addition, forward and backward, everybody in this process."""
    contenders = [c for c in LINE_UP if c.chain]
    units: dict[str, timing.Unit] = {}
    for contender in contenders:
        if contender.installed:
            chain = contender.chain_class()(1)
            check(contender.title, 1, chain.backward(chain.forward()))
            units[contender.key] = _both_ways(chain)
    seconds = timing.interleave(units, effort)
    return [
        Row(ONE_ADD, "scalars", c.key, "s", seconds.get(c.key, ()), c.absence) for c in contenders
    ]


def depth(depths: Iterable[int] = DEPTHS, repetitions: int = 3) -> Iterator[Row]:
    """Seconds forward and backward at each depth, and how their sum grows.

    A contender whose recursion or memory ends before the depths do keeps the depths it reached, and
    its row says where it stopped.
    """
    for contender in LINE_UP:
        if not contender.chain:
            continue
        if not contender.installed:
            yield Row(SLOPE, CHAIN, contender.key, "", note=NOT_INSTALLED)
            continue
        totals: dict[int, float] = {}
        back_to_forth, note = 0.0, ""
        with Process() as process:
            for length in depths:
                if length > contender.deepest:
                    break
                try:
                    forth, back = process(_chain, contender.key, length, repetitions)
                except (RecursionError, MemoryError) as error:
                    note = f", then {type(error).__name__}"
                    break
                yield Row(FORWARD, str(length), contender.key, "s", forth)
                yield Row(BACKWARD, str(length), contender.key, "s", back)
                totals[length] = min(forth) + min(back)
                back_to_forth = min(back) / min(forth)
        if len(totals) > 1:
            note = f"up to {max(totals):,} nodes{note}"
            yield Row(SLOPE, CHAIN, contender.key, "", (slope(totals),), note)
            yield Row(BACK_TO_FORTH, CHAIN, contender.key, "", (back_to_forth,), note)


def slope(seconds: Mapping[int, float]) -> float:
    """The slope of the least-squares line through (log n, log seconds): 1 is linear growth."""
    points = [(math.log(n), math.log(time)) for n, time in seconds.items()]
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    covariance = sum((x - x_mean) * (y - y_mean) for x, y in points)
    return covariance / sum((x - x_mean) ** 2 for x, _ in points)


def _both_ways(chain: Chain) -> timing.Unit:
    return lambda: chain.backward(chain.forward())


def _chain(key: str, length: int, repetitions: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds forward and backward of a chain, one value each per repetition."""
    contender = BY_KEY[key]
    chain = contender.chain_class()(length)
    check(contender.title, length, chain.backward(chain.forward()))
    gc.collect()
    gc.disable()
    forward, backward = [], []
    for _ in range(max(repetitions, 10_000 // length)):
        start = perf_counter()
        root = chain.forward()
        middle = perf_counter()
        chain.backward(root)
        end = perf_counter()
        del root
        forward.append(middle - start)
        backward.append(end - middle)
    gc.enable()
    return tuple(forward), tuple(backward)
