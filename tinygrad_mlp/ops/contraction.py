"""Products along chosen axes: einsum, tensordot, inner, outer; and diagonals.

This file knows einsum as a record: before it is recorded, diagonals are taken and axes that
only one operand has are summed. Then every letter of an operand is in the result or in another
operand, and the gradient of an operand is an einsum again, with the result in its place.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError, UsageError
from tinygrad_mlp.ops.arithmetic import mul
from tinygrad_mlp.ops.arranging import moveaxis
from tinygrad_mlp.ops.axes import places
from tinygrad_mlp.ops.domain import Domain
from tinygrad_mlp.ops.indexing import getitem, scatter
from tinygrad_mlp.ops.notation import Notation
from tinygrad_mlp.ops.products import dot
from tinygrad_mlp.ops.record import Array, Op, answers, value
from tinygrad_mlp.ops.reduction import sum_
from tinygrad_mlp.ops.selection import where
from tinygrad_mlp.ops.shaping import broadcast_to, reshape, transpose

__all__ = [
    "contract",
    "cross",
    "diag",
    "diagflat",
    "diagonal",
    "einsum",
    "inner",
    "kron",
    "outer",
    "tensordot",
    "trace",
    "tril",
    "triu",
    "vdot",
]


def contract_rule(i: int, g: Array, y: Array, *xs: Array, subscripts: str) -> Array:
    """The same contraction with the gradient in the place of input `i`."""
    inputs, output = subscripts.split("->")
    letters = inputs.split(",")
    others = [output, *letters[:i], *letters[i + 1 :]]
    swapped = f"{','.join(others)}->{letters[i]}"
    result = contract.apply((g, *xs[:i], *xs[i + 1 :]), {"subscripts": swapped})
    if all(m >= n for m, n in zip(result.shape, xs[i].shape, strict=True)):
        return result
    return broadcast_to(result, np.broadcast_shapes(result.shape, xs[i].shape))


contract = Op(
    "einsum",
    lambda *xs, subscripts: np.einsum(subscripts, *xs, optimize=True),
    each=contract_rule,
    notation=Notation(
        "einsum(<subscripts>; <*>)", r"\operatorname{einsum}\left(\text{<subscripts>};\; <*>\right)"
    ),
    domain=Domain(
        case=lambda pick: pick(
            (
                (((2, 3), (3, 4)), {"subscripts": "ij,jk->ik"}),
                (((2, 3),), {"subscripts": "ij->ji"}),
                (((3,), (3,)), {"subscripts": "i,i->"}),
                (((2,), (3,)), {"subscripts": "i,j->ij"}),
                (((2, 3), (2, 3)), {"subscripts": "ij,ij->i"}),
                (((2, 3), (3, 2), (2,)), {"subscripts": "ij,jk,k->i"}),
                (((), (2, 0)), {"subscripts": ",ij->ij"}),
            )
        )
    ),
    doc="Products summed over the letters that are not in the result (Einstein's notation).",
)


@answers(np.einsum)
def einsum(subscripts: Any, *operands: Array, optimize: Any = None) -> Array:
    """NumPy's einsum in its textual form, ellipsis and diagonals included."""
    if not isinstance(subscripts, str):
        raise UnsupportedError(
            "np.einsum with lists of numbers for subscripts", fix='Write them as "ij,jk->ik".'
        )
    xs = [value(x) for x in operands]
    letters, output = _explicit(subscripts.replace(" ", ""), xs)
    for i in range(len(xs)):
        xs[i], letters[i] = _distinct(xs[i], letters[i])
        elsewhere = output + "".join(letters[:i] + letters[i + 1 :])
        alone = tuple(k for k, letter in enumerate(letters[i]) if letter not in elsewhere)
        if alone:
            xs[i] = sum_(xs[i], alone)
            letters[i] = "".join(c for k, c in enumerate(letters[i]) if k not in alone)
    if len(xs) == 1:
        return transpose(xs[0], tuple(letters[0].index(c) for c in output))
    return contract.apply(tuple(xs), {"subscripts": f"{','.join(letters)}->{output}"})


def _explicit(subscripts: str, xs: Sequence[Array]) -> tuple[list[str], str]:
    """A letter for every axis of every operand and of the result: no ellipsis, no default."""
    given, arrow, output = subscripts.partition("->")
    terms = given.split(",")
    _check_subscripts(subscripts, terms, output)
    if len(terms) != len(xs):
        raise UsageError(f"einsum of {len(xs)} operands with subscripts for {len(terms)}")
    free = [c for c in string.ascii_letters if c not in subscripts]
    widths = [x.ndim - len(t.replace("...", "")) for x, t in zip(xs, terms, strict=True)]
    for x, term, width in zip(xs, terms, widths, strict=True):
        if width < 0 or (width > 0 and "..." not in term):
            raise UsageError(f"einsum: {term!r} names another number of axes than {x.shape} has")
    widest = max((w for w, t in zip(widths, terms, strict=True) if "..." in t), default=0)
    dots = "".join(free[:widest])
    letters = [t.replace("...", dots[widest - w :]) for w, t in zip(widths, terms, strict=True)]
    if arrow:
        return letters, output.replace("...", dots)
    everything = "".join(letters)
    once = sorted(c for c in set(everything) - set(dots) if everything.count(c) == 1)
    return letters, dots + "".join(once)


def _check_subscripts(subscripts: str, terms: Sequence[str], output: str) -> None:
    """Refuse what names no axis, and results that no operand can give."""
    for term in (*terms, output):
        strange = term.replace("...", "", 1).strip(string.ascii_letters)
        if strange:
            raise UsageError(
                f"einsum cannot read {term!r} in {subscripts!r}",
                why="an axis is a letter, and the axes that are left one '...'",
                fix='Write "ij,jk->ik" or "...ij,...jk->...ik".',
            )
    for letter in output.replace("...", ""):
        if output.count(letter) > 1:
            raise UsageError(
                f"einsum: {subscripts!r} has {letter!r} twice in the result",
                why="each axis of the result is another one",
                fix="Name it once; for a matrix with a diagonal use np.diag.",
            )
        if not any(letter in term for term in terms):
            raise UsageError(
                f"einsum: {subscripts!r} has {letter!r} in the result only",
                why="no operand says how long that axis is",
                fix=f"Leave {letter!r} out, or use np.broadcast_to on the result.",
            )
    if "..." in output and not any("..." in term for term in terms):
        raise UsageError(
            f"einsum: {subscripts!r} has '...' in the result only", fix="Leave it out."
        )


def _distinct(x: Array, letters: str) -> tuple[Array, str]:
    """The diagonal along axes that share a letter."""
    for letter in sorted(set(letters)):
        while letters.count(letter) > 1:
            i = letters.index(letter)
            j = letters.index(letter, i + 1)
            x = diagonal(x, 0, i, j)
            letters = letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + letter
    return x, letters


@answers(np.tensordot)
def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """Products summed over pairs of axes, as one matrix product."""
    a, b = value(a), value(b)
    if isinstance(axes, int | np.integer):
        axes = (range(a.ndim - int(axes), a.ndim), range(int(axes)))
    left, right = places(axes[0], a), places(axes[1], b)
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [i for i in range(b.ndim) if i not in right]
    n = math.prod(a.shape[i] for i in left)
    m = math.prod(a.shape[i] for i in rows)
    k = math.prod(b.shape[i] for i in columns)
    flat = dot(
        reshape(transpose(a, (*rows, *left)), (m, n)),
        reshape(transpose(b, (*right, *columns)), (n, k)),
    )
    return reshape(flat, (*(a.shape[i] for i in rows), *(b.shape[i] for i in columns)))


@answers(np.inner)
def inner(a: Array, b: Array) -> Array:
    """Products summed over the last axes."""
    a, b = value(a), value(b)
    return tensordot(a, b, (-1, -1)) if a.ndim and b.ndim else mul(a, b)


@answers(np.vdot)
def vdot(a: Array, b: Array) -> Array:
    """The product of all entries of two arrays, added up."""
    return dot(reshape(value(a), (-1,)), reshape(value(b), (-1,)))


@answers(np.vecdot)
def vecdot(a: Array, b: Array, axis: int = -1) -> Array:
    """Products of vectors along an axis, added up."""
    return sum_(mul(a, b), axis)


@answers(np.outer)
def outer(a: Array, b: Array) -> Array:
    """Every entry of one times every entry of the other."""
    return mul(reshape(value(a), (-1, 1)), reshape(value(b), (1, -1)))


@answers(np.kron)
def kron(a: Array, b: Array) -> Array:
    """The Kronecker product: `b` once for each entry of `a`, times that entry."""
    a, b = value(a), value(b)
    n = max(a.ndim, b.ndim)
    sides = [(1,) * (n - x.ndim) + x.shape for x in (a, b)]
    left = reshape(a, tuple(s for side in sides[0] for s in (side, 1)))
    right = reshape(b, tuple(s for side in sides[1] for s in (1, side)))
    return reshape(left * right, tuple(s * t for s, t in zip(*sides, strict=True)))


@answers(np.cross)
def cross(  # noqa: PLR0917 - the order is NumPy's
    a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """The vector product in space: perpendicular to both, as long as the area between them."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(value(a), axisa, -1), moveaxis(value(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise UsageError(
            f"np.cross of vectors of {a.shape[-1]} and {b.shape[-1]} numbers",
            why="there is a vector product in three dimensions",
            fix="For two dimensions use a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0].",
        )
    once, twice = np.array([1, 2, 0]), np.array([2, 0, 1])
    y = a[..., once] * b[..., twice] - a[..., twice] * b[..., once]
    return moveaxis(y, -1, axisc)


# -- diagonals -------------------------------------------------------------------------------


def _steps(rows: int, columns: int, offset: int) -> tuple[Array, Array]:
    """The positions on a diagonal: rows and columns."""
    n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(n)
    return steps - min(offset, 0), steps + max(offset, 0)


@answers(np.diagonal, np.linalg.diagonal)
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The entries of a diagonal, along a new last axis."""
    x = moveaxis(value(x), (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    return x[(..., *_steps(rows, columns, offset))]


@answers(np.trace)
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The sum of a diagonal."""
    return sum_(diagonal(x, offset, axis1, axis2), -1)


@answers(np.diag)
def diag(x: Array, k: int = 0) -> Array:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    x = value(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise UsageError(f"diag of {x.ndim} axes", fix="Use np.diagonal.")
    n = x.shape[0] + abs(k)
    key = getitem.bind(np.empty((n, n)), _steps(n, n, k))  # type: ignore[misc]
    return scatter.apply((x, *key[0][1:]), {**key[1], "shape": (n, n)})


@answers(np.diagflat)
def diagflat(x: Array, k: int = 0) -> Array:
    """The matrix with all entries on its diagonal."""
    return diag(reshape(value(x), (-1,)), k)


@answers(np.tril)
def tril(x: Array, k: int = 0) -> Array:
    """The lower triangle of matrices, zeros above it."""
    x = value(x)
    return where(_lower(x, k), x, _zero(x))


@answers(np.triu)
def triu(x: Array, k: int = 0) -> Array:
    """The upper triangle of matrices, zeros below it."""
    x = value(x)
    return where(_lower(x, k - 1), _zero(x), x)


def _zero(x: Array) -> float:
    """A zero that leaves whole numbers and truth values what they are."""
    return 0.0 if x.dtype.kind == "f" else False


def _lower(x: Array, k: int) -> Array:
    """True on and below the diagonal number `k`."""
    rows, columns = x.shape[-2:]
    return np.tri(rows, columns, k, bool)
