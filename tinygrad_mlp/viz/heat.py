"""Arrays as small maps: a table of numbers that fits into a box.

This file knows how an array is laid flat and thinned out. Colours are the player's affair.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = ["map_size", "table", "table_size"]

ROWS, COLUMNS = 8, 12


def _flat_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of an array laid flat: the last axis stays, a vector is one row."""
    if not shape:
        return 1, 1
    columns = shape[-1]
    rows = 1
    for length in shape[:-1]:
        rows *= length
    return rows, columns


def table_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the map of an array of this shape.

    >>> table_size((100, 3)), table_size((5,))
    ((8, 3), (1, 5))
    """
    rows, columns = _flat_shape(shape)
    return max(min(rows, ROWS), 1), max(min(columns, COLUMNS), 1)


def map_size(size: tuple[int, int]) -> tuple[float, float]:
    """How wide and tall a map is drawn: square cells, not too large."""
    rows, columns = size
    cell = min(11.0, 48.0 / columns, 44.0 / rows)
    return round(cell * columns, 1), round(cell * rows, 1)


def table(array: Array) -> list[list[Any]]:
    """The numbers of the map, row by row; of a large array evenly chosen ones.

    >>> table(np.array([1.0, np.nan]))
    [[1.0, 'nan']]
    """
    array = np.asarray(array, dtype=float)
    flat = array.reshape(_flat_shape(array.shape))
    rows, columns = table_size(array.shape)
    if flat.size == 0:
        return [[]]
    chosen = flat[
        np.ix_(
            np.linspace(0, flat.shape[0] - 1, rows).astype(int),
            np.linspace(0, flat.shape[1] - 1, columns).astype(int),
        )
    ]
    return [[float(f"{x:.5g}") if np.isfinite(x) else str(x) for x in row] for row in chosen]
