"""Blocking: a run of calls on large arrays, done piece by piece.

This file knows that an array of megabytes leaves the cache before the next call reads it. Calls
that work row by row on arrays with the same rows can do a few rows at a time, all of them on the
rows that are still at hand. It changes no result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tinygrad_mlp.program.naming import Names
from tinygrad_mlp.program.writer import tuple_text

__all__ = ["Call", "blocked"]

_LARGE = 1 << 20
_PIECE = 1 << 16


@dataclass(slots=True)
class Call:
    """A call of a ufunc that writes where it is told.

    Attributes:
        head: The function's name.
        operands: The names of its operands.
        out: Where it writes.
        by_name: Whether the output is passed by keyword.
        rows: How many rows the arrays have; 0 if they cannot be cut.
        row: How many numbers a row has.
        itemsize: How many bytes a number has.
        cut: The names of those arrays that have these rows; the others are used whole.
    """

    head: str
    operands: list[str]
    out: str
    by_name: bool = False
    rows: int = 0
    row: int = 1
    itemsize: int = 8
    cut: set[str] = field(default_factory=set)

    @property
    def large(self) -> bool:
        """Whether the arrays are worth cutting."""
        return self.rows * self.row * self.itemsize >= _LARGE and self.rows > 1

    def text(self, parts: dict[str, str] | None = None) -> str:
        """The call as a line, with names replaced by those of parts."""
        named = parts or {}
        operands = [named.get(x, x) for x in self.operands]
        out = named.get(self.out, self.out)
        last = f"out={out}" if self.by_name else out
        return f"{self.head}({', '.join([*operands, last])})"


def blocked(lines: list[str], calls: dict[int, Call], once: list[str], names: Names) -> None:
    """Replace runs of calls on large arrays by loops over pieces of them, in place.

    Args:
        lines: The lines of the step.
        calls: Which of them are calls.
        once: The lines that run once; the lists of pieces are added.
        names: Where new names come from.
    """
    for run in reversed(_runs(len(lines), calls)):
        group = [calls[i] for i in run]
        first = group[0]
        cut = sorted({name for call in group for name in call.cut})
        step = max(1, _PIECE // (first.row * first.itemsize))
        outside = "\n".join(line for i, line in enumerate(lines) if i not in run)
        passing = {name for name in cut if _passing(name, group, outside, once)}
        parts = {name: names.fresh(f"{name}_part") for name in cut}
        here, front = f"[i : i + {step}]", f"[: min({step}, {first.rows} - i)]"
        pieces = [f"{name}{front if name in passing else here}" for name in cut]
        blocks = names.fresh("blocks")
        once.append(f"{blocks} = [{tuple_text(pieces)} for i in range(0, {first.rows}, {step})]")
        loop = [f"for {tuple_text(parts[name] for name in cut)} in {blocks}:"]
        loop += [f"    {call.text(parts)}" for call in group]
        lines[run[0] : run[-1] + 1] = loop


def _runs(count: int, calls: dict[int, Call]) -> list[list[int]]:
    """Stretches of at least two large calls on the same rows."""
    runs: list[list[int]] = []
    for i in range(count):
        call = calls.get(i)
        if call is None or not call.large:
            continue
        last = runs[-1] if runs else None
        if last and last[-1] == i - 1 and _fits([calls[j] for j in last], call):
            last.append(i)
        else:
            runs.append([i])
    return [run for run in runs if len(run) > 1]


def _fits(run: list[Call], call: Call) -> bool:
    """Whether a call can join: the same rows, and nobody uses whole what another one cuts."""
    whole = {x for c in (*run, call) for x in c.operands if x not in c.cut}
    cut = {x for c in (*run, call) for x in c.cut}
    same = (run[0].rows, run[0].row, run[0].itemsize) == (call.rows, call.row, call.itemsize)
    return same and not whole & cut


def _passing(name: str, group: list[Call], outside: str, once: list[str]) -> bool:
    """Whether an array only carries numbers from one call of the run to the next."""
    pairs = [(left, set(re.findall(r"\w+", right))) for left, _, right in
             (line.partition(" = ") for line in once)]  # fmt: skip
    made = {left for left, _ in pairs}
    seen, before = {name}, set[str]()  # the array, every view of it, and what it is a view of
    while seen != before:
        before = set(seen)
        for left, right in pairs:
            if left in seen or seen & right:
                seen |= {left} | (right & made)
    if (seen - {name}) & set(re.findall(r"\w+", "\n".join(c.text() for c in group))):
        return False
    if seen & set(re.findall(r"\w+", outside)):
        return False
    first = next(call for call in group if name in {*call.operands, call.out})
    return first.out == name and name not in first.operands
