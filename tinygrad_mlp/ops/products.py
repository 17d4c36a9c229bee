"""Matrix products: matmul from vectors to batches, and the affine map of a layer.

This file knows which transposes a product needs to flow back. `linear` is what every layer
does, ``x Wᵀ + b``; it is fused because one call instead of three is most of a small step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.ops.arithmetic import mul
from tinygrad_mlp.ops.domain import Domain, Pick
from tinygrad_mlp.ops.notation import POWER, PRODUCT, SUM, Notation
from tinygrad_mlp.ops.record import Array, Op, answers
from tinygrad_mlp.ops.shaping import reshape, transpose

__all__ = ["dot", "linear", "matmul"]


def matmul_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    """``g bᵀ``, with a vector taken as one row or one column."""
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return g @ b.mT


def matmul_b(g: Array, y: Array, a: Array, b: Array) -> Array:
    """``aᵀ g``, with a vector taken as one row or one column."""
    if a.ndim == 1 and b.ndim == 1:
        return a * g
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return (a.mT @ g[..., None])[..., 0]
    return a.mT @ g


def _products(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return pick(
        (
            ((3,), (3,)),
            ((2, 3), (3, 4)),
            ((3,), (3, 2)),
            ((2, 3), (3,)),
            ((5, 2, 3), (3, 4)),
            ((2, 3), (5, 3, 1)),
            ((5, 1, 2, 3), (4, 3, 2)),
            ((3,), (2, 3, 4)),
            ((2, 4, 3), (3,)),
            ((0, 3), (3, 2)),
            ((2, 0), (0, 3)),
            ((1, 1), (1, 1)),
        )
    ), {}


matmul = Op(
    "matmul",
    np.matmul,
    (matmul_a, matmul_b),
    numpy=(np.matmul,),
    notation=Notation("<0> <1>", r"<0>\,<1>", PRODUCT, (PRODUCT, POWER)),
    domain=Domain(case=_products),
    doc="The matrix product; vectors count as one row or column, leading axes are a batch.",
)


# The fastest way into BLAS for what is at most a matrix (half the overhead of matmul). The two
# may differ in the last bit, so it is a record of its own: a program says which one it ran.
dot_2d = Op(
    "dot",
    np.dot,
    (matmul_a, matmul_b),
    notation=matmul.notation,
    domain=Domain(
        case=lambda pick: _products(lambda options: pick([o for o in options if _flat(o)])),
    ),
    same_as=matmul,
    doc="The product of vectors and matrices.",
)


def _flat(shapes: tuple[tuple[int, ...], ...]) -> bool:
    return all(len(shape) <= 2 for shape in shapes)


@answers(np.dot)
def dot(a: Array, b: Array) -> Array:
    """NumPy's ``dot``: the product of numbers, vectors, matrices, and of stacks of them."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return mul(a, b)
    if np.ndim(a) <= 2 and np.ndim(b) <= 2:
        return dot_2d(a, b)
    if np.ndim(b) == 1:
        return matmul(a, b)
    # Every row of a meets every column of b: the batch axes of b become columns.
    *batch, length, columns = b.shape
    order = (b.ndim - 2, *range(b.ndim - 2), b.ndim - 1)
    flat = reshape(transpose(b, order), (length, -1))
    return reshape(matmul(a, flat), (*a.shape[:-1], *batch, columns))


def rows(x: Array) -> Array:
    """All samples as the rows of one matrix."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


def linear_forward(x: Array, weight: Array, bias: Array | None = None, /) -> Array:
    """``x Wᵀ + b``. The method dot is the fastest way into BLAS; beyond matrices it avoids BLAS."""
    z = x.dot(weight.T) if 0 < x.ndim <= 2 else x @ weight.T
    if bias is None:
        return z
    if z.ndim == 2:  # NumPy is four times as fast over equal shapes, and over a single number
        if z.shape[0] == 1:
            return z + bias[None]
        if z.shape[1] == 1:
            bias = bias.reshape(())
    if z.dtype != bias.dtype:
        return z + bias
    z += bias
    return z


def _layers(pick: Pick) -> tuple[tuple[Any, ...], dict[str, Any]]:
    x = pick(((2, 3), (3,), (1, 3), (4, 2, 3), (0, 3)))
    return pick(((x, (4, 3), (4,)), (x, (4, 3)))), {}


def composed_linear(x: Array, weight: Array, *bias: Array) -> Array:
    """What `linear` equals, in other records."""
    return x @ weight.mT + bias[0] if bias else x @ weight.mT


linear = Op(
    "linear",
    linear_forward,
    (
        lambda g, y, x, weight, *bias: (
            g.dot(weight) if g.ndim <= 2 and type(g) is type(weight) else g @ weight
        ),
        lambda g, y, x, weight, *bias: (
            g.T.dot(x) if g.ndim == 2 and type(g) is type(x) else rows(g).T @ rows(x)
        ),
        lambda g, y, x, weight, bias: g,  # the engine sums over the rows that shared the bias
    ),
    notation=Notation(
        lambda attrs, shapes: "<0> <1>ᵀ + <2>" if len(shapes) == 3 else "<0> <1>ᵀ",
        lambda attrs, shapes: r"<0>\,<1>^{\top} + <2>" if len(shapes) == 3 else r"<0>\,<1>^{\top}",
        SUM,
        (PRODUCT, POWER, SUM),
    ),
    domain=Domain(case=_layers),
    same_as=composed_linear,
    doc="What a layer does: x Wᵀ + b, one sample per row; the weight is (outputs, inputs).",
)
