"""Writes in place: which memory was overwritten, when, and by which line.

This file knows arrays and the clock. Memory is what counts, and not the tensor through which it
was written: a tensor and its ``detach()``, or an array and a view of it, share theirs. Backward
asks here before it uses a value; while nothing was written since the oldest node, that is one
comparison of two ints.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tinygrad_mlp.origin import Site, tick, user_site

__all__ = ["NEVER", "Write", "last_write", "latest", "memory_of", "note_write"]


class Write(NamedTuple):
    """A write in place: when, and by which line."""

    time: int
    site: Site


NEVER = Write(0, None)

latest = 0
"""When anything was last written in place."""

_writes: dict[int, dict[tuple[int, int], Write]] = {}
"""By the address of an array that owns its memory: the last write to each part of it."""


def note_write(array: Any) -> None:
    """Remember that an array is being overwritten now, by the user's line."""
    global latest  # noqa: PLW0603 - the one number that every backward pass looks at
    latest = tick()
    if not isinstance(array, np.ndarray):
        return
    owner = memory_of(array)
    key = id(owner)
    if key not in _writes:
        _writes[key] = {}
        weakref.finalize(owner, _writes.pop, key, None).atexit = False
    _writes[key][byte_bounds(array)] = Write(latest, user_site())


def last_write(array: Any) -> Write:
    """The last write in place to any memory of an array."""
    if not isinstance(array, np.ndarray) or (parts := _writes.get(id(memory_of(array)))) is None:
        return NEVER
    first, end = byte_bounds(array)
    return max(
        (write for (low, high), write in parts.items() if low < end and first < high),
        key=lambda write: write.time,
        default=NEVER,
    )


def memory_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array whose memory it is."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
