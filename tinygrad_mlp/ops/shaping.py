"""Ops that move numbers without changing them: reshape, transpose, repeat, join.

This file knows how entries travel to the output, and so how gradients travel back. Picking
entries by a key is in `indexing.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.ops.axes import lengths, place
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.notation import PRODUCT, Notation, call, postfix
from tinygrad_mlp.ops.record import READERS, Array, Op

__all__ = [
    "broadcast_to",
    "concatenate",
    "matrix_transpose",
    "reshape",
    "stack",
    "sum_to",
    "transpose",
]


def bind_reshape(x: Array, *shape: Any, order: str = "C") -> tuple[tuple[Array], dict[str, Any]]:
    """Resolve -1 and accept ``reshape(x, 2, 3)`` as well as ``reshape(x, (2, 3))``."""
    if order != "C":
        raise UnsupportedError(
            f"reshape with order={order!r}", why="gradients assume C order", fix='Use order="C".'
        )
    if len(shape) == 1 and isinstance(shape[0], Iterable):
        (shape,) = shape
    sizes = lengths(shape)
    if sizes.count(-1) == 1:
        rest = -math.prod(sizes)
        known = x.size // rest if rest else 0
        sizes = tuple(known if n == -1 else n for n in sizes)
    if math.prod(sizes) != x.size:
        raise ShapeError(
            f"reshape of {x.shape} to {tuple(shape)}",
            why=f"{x.size} entries cannot fill that shape",
            fix=f"The sizes must multiply to {x.size}; one of them may be -1.",
        )
    return (x,), {"shape": sizes}


def _shapes(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    before, after = pick((((), (1,)), ((6,), (2, 3)), ((2, 3), (3, 2)), ((2, 0), (0,))))
    return (before,), {"shape": after}


def _same_but_ones(attrs: Any, shapes: Any) -> bool:
    """Whether only axes of length 1 come or go, which a formula need not mention."""
    return [n for n in attrs["shape"] if n != 1] == [n for n in shapes[0] if n != 1]


reshape = Op(
    "reshape",
    lambda x, shape: x.reshape(shape),
    lambda g, y, x, shape: g.reshape(x.shape),
    bind=bind_reshape,
    numpy=(np.reshape,),
    notation=Notation(
        lambda attrs, shapes: "<0>" if _same_but_ones(attrs, shapes) else "reshape(<0>)",
        lambda attrs, shapes: (
            "<0>" if _same_but_ones(attrs, shapes) else r"\operatorname{reshape}\left(<0>\right)"
        ),
    ),
    domain=Domain(case=_shapes),
    doc="The same entries, in the same order, in another shape.",
)


def bind_transpose(x: Array, axes: Any = None) -> tuple[tuple[Array], dict[str, Any]]:
    """Make the order of the axes explicit and non-negative."""
    if axes is None:
        return (x,), {"axes": tuple(range(x.ndim))[::-1]}
    return (x,), {"axes": tuple(place(a, x) for a in axes)}


def _permutations(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape, axes = pick((((), ()), ((2, 3), (1, 0)), ((2, 1, 3), (2, 0, 1)), ((3,), (0,))))
    return (shape,), {"axes": axes}


transpose = Op(
    "transpose",
    lambda x, axes: x.transpose(axes),
    lambda g, y, x, axes: g.transpose(tuple(axes.index(i) for i in range(len(axes)))),
    bind=bind_transpose,
    numpy=(np.transpose,),
    notation=postfix("ᵀ", r"^{\top}"),
    domain=Domain(case=_permutations),
    doc="The axes in another order.",
)

# A record of its own because it is on the hot path of every layer: `.mT` costs 50 ns.
matrix_transpose = Op(
    "matrix_transpose",
    lambda x: x.mT,
    lambda g, y, x: g.mT,
    numpy=(np.matrix_transpose, np.linalg.matrix_transpose),
    notation=postfix("ᵀ", r"^{\top}"),
    domain=Domain(case=lambda pick: ((pick(((2, 3), (1, 4), (2, 3, 4), (2, 0))),), {})),
    doc="The last two axes swapped.",
)


def bind_broadcast_to(x: Array, shape: Any) -> tuple[tuple[Array], dict[str, Any]]:
    """Make the shape a tuple."""
    return (x,), {"shape": lengths(shape)}


def _broadcasts(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    before, after = pick(
        (((), (3,)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((1,), (0,)), ((2, 3), (2, 3)))
    )
    return (before,), {"shape": after}


broadcast_to = Op(
    "broadcast_to",
    np.broadcast_to,
    lambda g, y, x, shape: g,  # the engine undoes the broadcasting, here as everywhere
    bind=bind_broadcast_to,
    numpy=(np.broadcast_to,),
    notation=call("repeat", parts="<0>"),
    domain=Domain(case=_broadcasts),
    doc="Entries repeated along new axes and along axes of length 1.",
)


def sum_to_forward(x: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum over the axes along which `shape` was repeated to ``x.shape``."""
    if x.ndim == 2 and x.shape[1:] == shape:  # the rows that shared a bias, on every step's path
        if x.shape[0] == 1:
            return x[0]
        return np.dot(_ones(x.shape[0], x.dtype), x)  # BLAS adds rows five times as fast as a ufunc
    new = x.ndim - len(shape)
    axes = [*range(new)]
    for i, n in enumerate(shape, start=new):
        if n != x.shape[i]:
            if n != 1:
                raise ValueError(f"{shape} was never broadcast to {x.shape}")
            axes.append(i)
    return np.add.reduce(x, tuple(axes)).reshape(shape)


@lru_cache(maxsize=64)
def _ones(n: int, dtype: Any) -> Array:
    return np.ones(n, dtype)


def _sum_to_text(attrs: Any, shapes: Any) -> str:
    (shape,) = shapes
    if len(shape) == 2 and attrs["shape"] == shape[1:]:
        return "Σ_rows <0>"
    return "Σ <0>" if attrs["shape"] == () else "Σ→<shape> <0>"


def _sum_to_latex(attrs: Any, shapes: Any) -> str:
    (shape,) = shapes
    if len(shape) == 2 and attrs["shape"] == shape[1:]:
        return r"\sum_{\text{rows}} <0>"
    return r"\sum <0>" if attrs["shape"] == () else r"\sum_{\to <shape>} <0>"


sum_to = Op(
    "sum_to",
    sum_to_forward,
    lambda g, y, x, shape: broadcast_to(g, shape=x.shape),
    notation=Notation(_sum_to_text, _sum_to_latex, PRODUCT, (PRODUCT,)),
    domain=Domain(
        case=lambda pick: pick(
            tuple(
                ((after,), {"shape": before})
                for before, after in (
                    ((3,), (2, 3)),
                    ((), (3,)),
                    ((2, 1), (2, 3)),
                    ((1, 3), (2, 4, 3)),
                    ((1,), (0,)),
                )
            )
        )
    ),
    doc="Broadcasting undone: entries that were copies of one are added up.",
)


def bind_join(
    arrays: Sequence[Array], axis: int | None = 0
) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """Take the sequence apart and make the axis non-negative."""
    parts = tuple(a if type(a) in READERS else np.asarray(a) for a in arrays)
    if not parts:
        raise ShapeError("there is nothing to join", fix="Pass at least one array.")
    if axis is None:
        return tuple(reshape(a, (-1,)) for a in parts), {"axis": 0}
    return parts, {"axis": place(axis, parts[0]) if parts[0].ndim else 0}


def bind_stack(arrays: Sequence[Array], axis: int = 0) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """As `bind_join`; the new axis may also stand behind the last one."""
    parts, _ = bind_join(arrays)
    return parts, {"axis": place(axis, parts[0], new=1)}


def concatenate_rule(i: int, g: Array, y: Array, *xs: Array, axis: int) -> Array:
    """Each input gets back its own stretch of the gradient."""
    start = sum(x.shape[axis] for x in xs[:i])
    return g[(slice(None),) * axis + (slice(start, start + xs[i].shape[axis]),)]


concatenate = Op(
    "concatenate",
    lambda *xs, axis: np.concatenate(xs, axis),
    each=concatenate_rule,
    bind=bind_join,
    numpy=(np.concatenate,),
    notation=Notation("[<*>]", r"\left[<*>\right]"),
    domain=Domain(
        case=lambda pick: pick(
            (
                (((2,), (3,)), {"axis": 0}),
                (((2, 3), (2, 1), (2, 2)), {"axis": 1}),
                (((1, 3), (0, 3)), {"axis": 0}),
            )
        )
    ),
    doc="Arrays joined along an axis that they have.",
)

stack = Op(
    "stack",
    lambda *xs, axis: np.stack(xs, axis),
    each=lambda i, g, y, *xs, axis: g[(slice(None),) * axis + (i,)],
    bind=bind_stack,
    numpy=(np.stack,),
    notation=call("stack"),
    domain=Domain(
        case=lambda pick: (
            (pick(((), (3,), (2, 3))),) * pick((1, 2, 3)),
            {"axis": pick((0, 0, 0))},
        )
    ),
    doc="Arrays of one shape joined along a new axis.",
)
