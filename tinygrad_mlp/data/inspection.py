"""A look at the numbers of data: gaps in it, and sizes that layers are not made for.

This file knows arrays whose first axis counts samples, and how to say what is wrong with them
and what to write instead. It does not know who asks, nor what came of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = ["Gaps", "gaps", "unscaled"]

AT_ONCE = 4096
"""So many samples are looked at in one go: a file mapped into memory stays on the disk."""


class Gaps(NamedTuple):
    """Numbers that are none.

    Attributes:
        value: The first of them: ``nan``, ``inf`` or ``-inf``.
        at: Where it is.
        rows: How many samples have one.
    """

    value: float
    at: tuple[int, ...]
    rows: int

    def told(self, owner: str) -> str:
        """In words.

        >>> Gaps(float("nan"), (3, 1), 1).told("the inputs")
        'the inputs hold nan at row 3, column 1'
        >>> Gaps(float("inf"), (3,), 5).told("the targets")
        'the targets hold inf at row 3, and in 4 more rows'
        """
        row, *rest = self.at
        place = f"row {row}"
        if len(rest) == 1:
            place += f", column {rest[0]}"
        elif rest:
            place += f", {tuple(rest)}"
        left = self.rows - 1
        more = f", and in {left} more row{'' if left == 1 else 's'}" if left else ""
        return f"{owner} hold {self.value} at {place}{more}"

    def fix(self, name: str, all_names: str) -> str:
        """Lines that leave such samples out.

        >>> Gaps(float("nan"), (3, 1), 1).fix("X", "X, Y")
        'Leave such rows out: ok = np.isfinite(X).all(1); X, Y = X[ok], Y[ok].'
        """
        depth = len(self.at) - 1
        axes = "" if not depth else f".all({1 if depth == 1 else tuple(range(1, depth + 1))})"
        kept = ", ".join(f"{each}[ok]" for each in all_names.split(", "))
        return f"Leave such rows out: ok = np.isfinite({name}){axes}; {all_names} = {kept}."


def gaps(array: Array) -> Gaps | None:
    """The numbers in an array that are none, if there are any.

    >>> gaps(np.array([[0.0, 1.0], [2.0, np.nan]]))
    Gaps(value=nan, at=(1, 1), rows=1)
    """
    first: Gaps | None = None
    if array.dtype.kind != "f" or not array.ndim:
        return None
    for start in range(0, len(array), AT_ONCE):
        part = array[start : start + AT_ONCE]
        bad = ~np.isfinite(part)
        if not bad.any():
            continue
        rows = int(bad.reshape(len(part), -1).any(axis=1).sum())
        if first is None:
            row, *rest = (int(i) for i in np.argwhere(bad)[0])
            first = Gaps(float(part[row, *rest]), (start + row, *rest), rows)
        else:
            first = first._replace(rows=first.rows + rows)
    return first


LARGE, UNLIKE = 20, 100
"""Inputs beyond this, and columns whose spreads are so many times each other's, are unscaled."""


def unscaled(array: Array, name: str = "x") -> tuple[str, str] | None:
    """What is to be said of inputs, (samples, features), that want to be scaled; and the line.

    >>> what, fix = unscaled(np.array([[100.0], [300.0]]))
    >>> what
    'inputs reach 300, and their columns spread from 1e+02 to 1e+02'
    >>> fix
    'Use (x - x.mean(0)) / x.std(0).'
    """
    if array.dtype.kind != "f" or array.ndim != 2 or not array.size:
        return None
    with np.errstate(all="ignore"):
        largest = float(np.abs(array).max())
        spread = array.std(axis=0)
    if not np.isfinite(largest):
        return None
    seen = spread[spread > 0]
    if largest <= LARGE and not (seen.size and float(seen.max() / seen.min()) > UNLIKE):
        return None
    what = f"inputs reach {largest:.3g}, and their columns spread from "
    what += f"{float(spread.min()):.2g} to {float(spread.max()):.2g}"
    scaled = f"({name} - {name}.mean(0)) / {name}.std(0)"
    if spread.all():
        return what, f"Use {scaled}."
    return what, f"Leave out columns that never change, then use {scaled}."
