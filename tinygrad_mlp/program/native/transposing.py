"""Transposing: rows and columns of a square of lanes exchanged.

This file knows which ways to mix lanes processors are quick at.
"""

from __future__ import annotations

from tinygrad_mlp.program.native.values import Book, Value

__all__ = ["transposed"]


def transposed(book: Book, rows: list[Value], quarter: int) -> list[Value]:
    """A square of lanes with rows and columns exchanged.

    Processors are quick to mix lanes within each sixteen bytes, and to move sixteen bytes as they
    are. So entries are mixed there first, and these stretches, each of `quarter` entries, are
    moved afterwards.
    """
    width = len(rows)
    stretches = range(0, width, quarter)
    half = quarter // 2
    step = 1
    while step < quarter:
        mixed = list(rows)
        for i in (i for i in range(width) if not i & step):
            # Runs of `step` entries by turns, from either half of each stretch.
            for k in (0, 1):
                places = [
                    p
                    for start in stretches
                    for run in range(start + k * half, start + k * half + half, step)
                    for p in (*range(run, run + step), *range(width + run, width + run + step))
                ]
                mixed[i + k * step] = _mixed(book, rows[i], rows[i + step], places)
        rows = mixed
        step *= 2
    groups = [_moved(book, rows[c::quarter], quarter) for c in _turned_order(quarter)]
    return [groups[c][stretch] for stretch in range(len(stretches)) for c in range(quarter)]


def _turned_order(quarter: int) -> list[int]:
    """Which of the mixed rows holds column c of each stretch: their numbers are bit-reversed."""
    return [0, 2, 1, 3] if quarter == 4 else list(range(quarter))


def _moved(book: Book, rows: list[Value], quarter: int) -> list[Value]:
    """The same stretch of every row in one row, for each stretch."""
    if len(rows) == 1:
        return rows
    width = rows[0].kind.lanes
    halves = []
    for first in (0, quarter):
        places = [
            other + start + i
            for other in (0, width)
            for start in range(first, width, 2 * quarter)
            for i in range(quarter)
        ]
        pairs = zip(rows[::2], rows[1::2], strict=True)
        halves.append(_moved(book, [_mixed(book, a, b, places) for a, b in pairs], quarter))
    return [row for pair in zip(*halves, strict=True) for row in pair]


def _mixed(book: Book, a: Value, b: Value, places: list[int]) -> Value:
    where = ", ".join(f"i32 {p}" for p in places)
    text = f"shufflevector {a.kind} {{0}}, {a.kind} {{1}}, <{len(places)} x i32> <{where}>"
    return book.put(a.kind, text, a, b)
