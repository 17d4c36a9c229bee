"""How high everything stands in its column: arrows straight, nothing touching.

This file knows one problem: every item wants to stand where its arrows are straight, and items of
a column must keep their order and their distance. For one column that is isotonic regression,
solved exactly by pooling adjacent violators; sweeping over the columns does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinygrad_mlp.viz.columns import APART, Columns, Item

__all__ = ["settle"]

SWEEPS = 7
STIFF = {"d": 30.0, "i": 30.0, "o": 30.0, "n": 10.0, "g": 10.0}
"""How strongly an item pulls its neighbours: placeholders most, to keep long arrows straight."""
LEAF = 0.01
WEAK = 0.2


@dataclass(frozen=True, slots=True)
class _Wishes:
    """Where an item wants to be: (neighbour, strong pull, weak pull, how much lower) each."""

    left: list[tuple[Item, float, float, float]]
    right: list[tuple[Item, float, float, float]]
    weight: float


def settle(room: Columns) -> None:
    """Give every item of a room its height."""
    for column in room.columns:
        at = 0.0
        for item in column:
            at += room.height(item) / 2
            room.y[item] = at
            at += room.height(item) / 2 + APART[item[0]]
        for item in column:
            room.y[item] -= at / 2
    wishes = {item: _wishes(room, item) for item in room.y}
    offsets = [_offsets(room, column) for column in room.columns]
    pairs = list(zip(room.columns, offsets, strict=True))
    for sweep in range(SWEEPS):
        ahead = sweep % 2 == 0
        for column, offset in pairs if ahead else pairs[::-1]:
            _settle(room.y, column, offset, wishes, ahead=ahead)


def _wishes(room: Columns, item: Item) -> _Wishes:
    sides = []
    for neighbours, into in ((room.before, True), (room.after, False)):
        pulls = []
        for other, tail in neighbours[item]:
            shift = room.port(other, tail, into=not into) - room.port(item, tail, into=into)
            leaf = other in room.leaves
            pulls.append((other, *((LEAF, LEAF) if leaf else (STIFF[other[0]], WEAK)), shift))
        sides.append(pulls)
    light = item in room.leaves and len(room.after[item]) == 1
    return _Wishes(sides[0], sides[1], LEAF if light else STIFF[item[0]])


def _offsets(room: Columns, column: Sequence[Item]) -> list[float]:
    """How far below the first item of a column each one stands at least."""
    offset, total = [], 0.0
    for k, item in enumerate(column):
        if k:
            above = column[k - 1]
            least = min if "d" in (item[0], above[0]) else max
            total += room.height(above) / 2 + room.height(item) / 2
            total += least(APART[item[0]], APART[above[0]])
        offset.append(total)
    return offset


def _settle(
    y: dict[Item, float],
    column: Sequence[Item],
    offset: Sequence[float],
    wishes: Mapping[Item, _Wishes],
    *,
    ahead: bool,
) -> None:
    """Move a column to where its arrows are straight, as far as its items have room."""
    # Pool adjacent violators: y - offset must not decrease.
    pools: list[list[float]] = []  # weight, mean, number of items
    for item, shift in zip(column, offset, strict=True):
        pulls = wishes[item]
        total = weights = 0.0
        for other, strong, weak, lower in pulls.left:
            weight = strong if ahead else weak
            total += weight * (y[other] + lower)
            weights += weight
        for other, strong, weak, lower in pulls.right:
            weight = weak if ahead else strong
            total += weight * (y[other] + lower)
            weights += weight
        wish = total / weights if weights else y[item]
        pools.append([pulls.weight if weights else LEAF, wish - shift, 1])
        while len(pools) > 1 and pools[-2][1] > pools[-1][1]:
            w, mean, n = pools.pop()
            pool = pools[-1]
            pool[1] = (pool[0] * pool[1] + w * mean) / (pool[0] + w)
            pool[0] += w
            pool[2] += n
    k = 0
    for _, mean, n in pools:
        for _ in range(int(n)):
            y[column[k]] = mean + offset[k]
            k += 1
