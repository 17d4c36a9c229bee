"""Picking entries and placing them: indexing, and the gradient of indexing.

This file knows keys. The two records are each other's rule: the gradient of what was picked is
placed where it came from, and the gradient of what was placed is picked from where it went.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp import errors
from tinygrad_mlp.errors import IndexingError, UnsupportedError
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.notation import ATOM, Notation, call
from tinygrad_mlp.ops.record import READERS, Array, Op

__all__ = ["ARRAY", "Slice", "getitem", "numpy_key", "scatter"]


class Slice(NamedTuple):
    """A slice that can be hashed (Python's own cannot before 3.12)."""

    start: int | None
    stop: int | None
    step: int | None


class _ArrayMark:
    """Marks the place of an index array in a key: the array itself is an input."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ARRAY"


ARRAY = _ArrayMark()

COLLECTIONS = (np.ndarray, list, tuple, range)
"""What stands for an array of positions inside a key."""


def bind_getitem(x: Array, key: Any) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """Split a key into its static part and its index arrays, which are inputs."""
    arrays: list[Array] = []
    items: list[Any] = []
    for item in key if type(key) is tuple else (key,):
        if isinstance(item, slice):
            items.append(Slice(*(_whole(n, x) for n in (item.start, item.stop, item.step))))
        elif item is None or item is Ellipsis:
            items.append(item)
        elif type(item) in READERS or isinstance(item, COLLECTIONS):
            array = item if type(item) in READERS else np.array(item)
            if array.size == 0 and not isinstance(item, np.ndarray):
                array = array.astype(np.intp)
            if array.dtype.kind not in "biu":
                raise UnsupportedError(
                    f"an index of dtype {array.dtype}",
                    why="positions are whole numbers or truth values",
                    fix="Use index.astype(int).",
                )
            arrays.append(array)
            items.append(ARRAY)
        elif isinstance(item, bool | np.bool_):
            arrays.append(np.array(item))
            items.append(ARRAY)
        else:
            items.append(_whole(item, x))
    return (x, *arrays), {"key": tuple(items)}


def _whole(n: Any, x: Array) -> int | None:
    if n is None:
        return None
    try:
        return operator.index(n)
    except TypeError as error:
        raise _no_index(n, x) from error


def _no_index(n: Any, x: Array) -> IndexingError:
    who = errors.called(x) or ("a tensor" if type(x) in READERS else "an array")
    what = f"{n!r} is no index of {who} of shape {x.shape}"
    if isinstance(n, float | np.floating):
        return IndexingError(
            what,
            why="positions are whole numbers",
            fix=f"Use {int(n)}, or // instead of / where it was computed."
            if math.isfinite(n)
            else "Use a whole number.",
        )
    if isinstance(n, str):
        fix = "Use t[:, 0] for the first column."
        return IndexingError(what, why="rows and columns have numbers, no names", fix=fix)
    return IndexingError(
        what,
        why="an index is a whole number, a slice, None, … or an array of positions or truth values",
        fix="Use np.array(index) if it is a collection.",
    )


def numpy_key(key: tuple[Any, ...], arrays: Sequence[Array]) -> tuple[Any, ...]:
    """The key as NumPy takes it: slices made slices again, index arrays in their places."""
    waiting = iter(arrays)
    return tuple(
        next(waiting) if item is ARRAY else slice(*item) if type(item) is Slice else item
        for item in key
    )


def getitem_forward(x: Array, *arrays: Array, key: tuple[Any, ...]) -> Array:
    """Pick entries."""
    return x[numpy_key(key, arrays)]


def scatter_forward(g: Array, *arrays: Array, key: tuple[Any, ...], shape: Any) -> Array:
    """Place entries into zeros; entries that meet in one place add up."""
    out = np.zeros_like(g, shape=shape)
    where = numpy_key(key, arrays)
    if any(a.dtype.kind != "b" for a in arrays):
        np.add.at(out, where, g)  # the same place may be named twice
    else:
        out[where] = g
    return out


def _keys(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    (x, *arrays), attrs = bind_getitem(
        np.empty((3, 4)),
        pick(
            (
                0,
                slice(None, None, -1),
                (slice(1, None), 2),
                (None, ...),
                (..., slice(0, 4, 2)),
                [2, 0, 0],
                ([0, 2], [1, 1]),
                (slice(None), np.array([[0, 3], [3, 3]])),
                np.array([True, False, True]),
                np.arange(12).reshape(3, 4) % 3 == 0,
                np.zeros(0, int),
            )
        ),
    )
    return (x.shape, *arrays), attrs


def key_text(attrs: Any, shapes: Any) -> str:
    """The key as one would type it; index arrays show as ``·``."""

    def one(item: Any) -> Iterator[str]:
        if type(item) is Slice:
            yield ":".join("" if n is None else str(n) for n in item[: 2 + (item[2] is not None)])
        else:
            yield "·" if item is ARRAY else "…" if item is Ellipsis else str(item)

    return "<0>[" + ", ".join(text for item in attrs["key"] for text in one(item)) + "]"


getitem: Op = Op(
    "getitem",
    getitem_forward,
    (
        lambda g, y, x, *arrays, key: scatter.apply((g, *arrays), {"key": key, "shape": x.shape}),
        None,
    ),
    bind=bind_getitem,
    notation=Notation(
        key_text,
        lambda attrs, shapes: key_text(attrs, shapes).replace("…", r"\ldots "),
        ATOM,
        (ATOM,),
    ),
    domain=Domain(case=_keys),
    doc="Picked entries; index arrays and masks are inputs through which no gradient flows.",
)


def _places(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    (x, *arrays), attrs = _keys(pick)
    picked = np.empty(x)[numpy_key(attrs["key"], arrays)]
    return (picked.shape, *arrays), {**attrs, "shape": x}


scatter: Op = Op(
    "scatter",
    scatter_forward,
    (lambda g, y, x, *arrays, key, shape: getitem.apply((g, *arrays), {"key": key}), None),
    notation=call("scatter", parts="<0>"),
    domain=Domain(case=_places),
    doc="Entries placed into zeros: what `getitem` picked, put back; entries that meet add up.",
)
