"""Every function of NumPy's that works on tensors: how it is called, and what PyTorch calls it.

The table of docs/numpy.md is made from this catalogue, and test_numpy.py runs it. Ufuncs are not
listed: their records say where they are defined, and test_against_torch.py what they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.conftest import needs

torch = needs("torch")


class Entry(NamedTuple):
    """One way to call a function: of arrays and tensors, and the same in PyTorch."""

    name: str
    call: Callable[..., Any]
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    there: Callable[..., Any] | None


ENTRIES: list[Entry] = []

ANY = (((),), ((1,),), ((3,),), ((2, 3),), ((0,),), ((2, 0),), ((2, 1, 3),))
FULL = (((1,),), ((3,),), ((2, 3),), ((2, 1, 3),))
AXIS = (((1,),), ((3,),), ((2, 3),), ((2, 0),), ((3, 4),), ((2, 1, 3),))
MATRIX = (((2, 3),), ((1, 1),), ((3, 3),), ((0, 3),), ((4, 2),))
STACK = (((2, 3),), ((3, 3),), ((2, 3, 3),), ((2, 2, 3),))
CUBE = (((2, 3, 4),), ((1, 3, 2),), ((2, 0, 3),))
PAIR = (((3,), (3,)), ((2, 3), (2, 3)), ((2, 0), (2, 0)), ((1,), (1,)))
VECTORS = (((3,), (3,)), ((1,), (1,)), ((4,), (4,)))


def add(name, call, shapes, there):
    """Enter a function, or another way to call it."""
    ENTRIES.append(Entry(name, call, shapes, there))


# -- gathering
add("sum", np.sum, ANY, torch.sum)
add("sum", lambda x: np.sum(x, axis=-1, keepdims=True), AXIS, lambda x: x.sum(-1, keepdim=True))
add("mean", np.mean, FULL, torch.mean)
add("mean", lambda x: np.mean(x, axis=0), FULL, lambda x: x.mean(0))
add("prod", np.prod, ANY, lambda x: _products(x.reshape(-1))[-1])
add("prod", lambda x: np.prod(x, axis=-1), AXIS, lambda x: _products(x)[-1])
add("max", np.max, FULL, torch.amax)
add("max", lambda x: np.max(x, axis=-1), FULL, lambda x: x.amax(-1))
add("min", np.min, FULL, torch.amin)
add("var", lambda x: np.var(x, axis=-1, ddof=1), (((3,),), ((2, 3),)), lambda x: x.var(-1))
add("std", lambda x: np.std(x, axis=-1, ddof=1), (((3,),), ((2, 3),)), lambda x: x.std(-1))
add("ptp", lambda x: np.ptp(x, axis=-1), FULL, lambda x: x.amax(-1) - x.amin(-1))
add("median", lambda x: np.median(x, axis=-1), FULL, lambda x: _median(x))
add("average", np.average, FULL, torch.mean)
add(
    "average",
    lambda x, w: np.average(x, weights=w * w + 1),
    PAIR[:2],
    lambda x, w: (x * (w * w + 1)).sum() / (w * w + 1).sum(),
)
add("cumsum", np.cumsum, ANY, lambda x: x.reshape(-1).cumsum(0))
add("cumsum", lambda x: np.cumsum(x, axis=-1), AXIS, lambda x: x.cumsum(-1))
add("cumprod", lambda x: np.cumprod(x, axis=-1), FULL, lambda x: torch.stack(_products(x)[1:], -1))
add("diff", np.diff, AXIS, torch.diff)
add(
    "diff", lambda x: np.diff(x, 2, axis=0), (((3,),), ((4, 2),)), lambda x: torch.diff(x, 2, dim=0)
)
add("trace", np.trace, MATRIX, torch.trace)
add("linalg.norm", np.linalg.norm, FULL, torch.linalg.vector_norm)
add(
    "linalg.norm",
    lambda x: np.linalg.norm(x, 3, axis=-1),
    (((3,),), ((2, 3),)),
    lambda x: torch.linalg.vector_norm(x, 3, dim=-1),
)
add(
    "linalg.norm",
    lambda x: np.linalg.norm(x, 1, axis=0),
    FULL,
    lambda x: torch.linalg.vector_norm(x, 1, dim=0),
)
add(
    "linalg.norm",
    lambda x: np.linalg.norm(x, np.inf, axis=0),
    FULL,
    lambda x: torch.linalg.vector_norm(x, np.inf, dim=0),
)
add(
    "logaddexp.reduce",
    lambda x: np.logaddexp.reduce(x, axis=0),
    FULL,
    lambda x: torch.logsumexp(x, 0),
)

# -- samples
_CUTS = [0.0, 0.3, 0.5, 1.0]
add("quantile", lambda x: np.quantile(x, 0.3), FULL, lambda x: torch.quantile(x, 0.3))
add(
    "quantile",
    lambda x: np.quantile(x, _CUTS, axis=-1, keepdims=True),
    FULL,
    lambda x: torch.quantile(x, torch.tensor(_CUTS, dtype=x.dtype), -1, keepdim=True),
)
add(
    "percentile",
    lambda x: np.percentile(x, [[25, 60]], axis=0),
    FULL,
    lambda x: torch.quantile(x, torch.tensor([0.25, 0.6], dtype=x.dtype), 0)[None],
)
add("nansum", lambda x: np.nansum(x, axis=-1), ANY[1:], lambda x: torch.nansum(x, -1))
add("nanmean", lambda x: np.nanmean(x, axis=0), FULL, lambda x: torch.nanmean(x, 0))
add("cov", np.cov, (((2, 3),), ((3, 4),), ((4,),)), torch.cov)
add(
    "cov",
    lambda a, b: np.cov(a, b, bias=True),
    VECTORS[:1] + VECTORS[2:],
    lambda a, b: torch.cov(torch.stack([a, b]), correction=0),
)
add(
    "corrcoef",
    lambda x: np.corrcoef(x + np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]], x.dtype)),
    (((2, 3),),),
    None,
)

# -- curves
add(
    "interp",
    lambda x: np.interp(x, [-2.0, -0.5, 0.3, 2.5], [1.0, 2.0, -1.0, 0.5]),
    ANY,
    None,
)
add(
    "interp",
    lambda x, fp: np.interp(x, [-2.0, -0.5, 2.5], fp, right=0.0),
    (((2, 3), (3,)), ((), (3,)), ((0,), (3,))),
    None,
)
add("trapezoid", lambda x: np.trapezoid(x, dx=0.5), FULL, lambda x: torch.trapezoid(x, dx=0.5))
add("trapezoid", np.trapezoid, PAIR[:2], torch.trapezoid)
add(
    "trapezoid",
    lambda x: np.trapezoid(x, np.arange(3, dtype=x.dtype) ** 2, axis=0),
    (((3,),), ((3, 2),)),
    lambda x: torch.trapezoid(x, torch.arange(3.0, dtype=x.dtype) ** 2, dim=0),
)
for _mode in ("full", "same", "valid"):
    add(
        "convolve",
        lambda a, v, mode=_mode: np.convolve(a, v, mode),
        (((5,), (3,)), ((4,), (2,)), ((3,), (3,)), ((1,), (1,))),
        lambda a, v, mode=_mode: _convolved(a, v, mode),
    )
add("convolve", np.convolve, (((2,), (4,)),), lambda a, v: _convolved(v, a, "full"))

# -- products
add("cross", np.cross, (((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,))), None)
add(
    "cross",
    lambda a, b: np.cross(a, b, axis=0),
    (((3, 2), (3, 2)),),
    lambda a, b: torch.linalg.cross(a, b, dim=0),
)
add(
    "dot",
    np.dot,
    (((3,), (3,)), ((2, 3), (3, 2)), ((2, 3), (3,)), ((), (3,))),
    lambda a, b: a * b if a.ndim == 0 else a @ b,
)
add("dot", np.dot, (((2, 3), (4, 3, 2)),), lambda a, b: torch.tensordot(a, b, ([-1], [-2])))
add("vdot", np.vdot, PAIR, lambda a, b: torch.vdot(a.reshape(-1), b.reshape(-1)))
add("vecdot", np.vecdot, PAIR, torch.linalg.vecdot)
add("inner", np.inner, (((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (3,))), torch.inner)
add("outer", np.outer, (((3,), (2,)), ((1,), (3,)), ((0,), (3,))), torch.outer)
add(
    "multiply.outer",
    np.multiply.outer,
    (((3,), (2,)), ((), (3,))),
    lambda a, b: a.reshape(*a.shape, *(1,) * b.ndim) * b,
)
add("kron", np.kron, (((2, 3), (2, 2)), ((3,), (2,)), ((2, 1), (3,))), torch.kron)
add(
    "tensordot",
    lambda a, b: np.tensordot(a, b, 1),
    (((2, 3), (3, 4)), ((3,), (3,))),
    lambda a, b: torch.tensordot(a, b, 1),
)
add(
    "tensordot",
    lambda a, b: np.tensordot(a, b, ([0, 1], [1, 0])),
    (((2, 3, 4), (3, 2)),),
    lambda a, b: torch.tensordot(a, b, ([0, 1], [1, 0])),
)
for _spec, _shapes in (
    ("ij,jk->ik", (((2, 3), (3, 4)), ((0, 3), (3, 2)))),
    ("...ij,...kj", (((2, 2, 3), (4, 3)), ((2, 3), (2, 3)))),
    ("ii->i", (((3, 3),),)),
    ("ij->", (((2, 3),), ((2, 0),))),
    ("ij,j", (((2, 3), (3,)),)),
    ("ii,i->", (((3, 3), (3,)),)),
):  # fmt: skip
    add(
        "einsum",
        lambda *xs, s=_spec: np.einsum(s, *xs),
        _shapes,
        lambda *xs, s=_spec: torch.einsum(s, *xs),
    )

# -- other shapes
add("reshape", lambda x: np.reshape(x, -1), ANY, lambda x: x.reshape(-1))
add("ravel", np.ravel, ANY, torch.ravel)
add("transpose", np.transpose, ANY, lambda x: x.permute(tuple(reversed(range(x.ndim)))))
add("matrix_transpose", np.matrix_transpose, MATRIX, lambda x: x.mT)
add("linalg.matrix_transpose", np.linalg.matrix_transpose, MATRIX, lambda x: x.mT)
add("swapaxes", lambda x: np.swapaxes(x, 0, -1), AXIS, lambda x: x.swapaxes(0, -1))
add("moveaxis", lambda x: np.moveaxis(x, 0, -1), AXIS, lambda x: torch.movedim(x, 0, -1))
add("rollaxis", lambda x: np.rollaxis(x, 2), CUBE, lambda x: torch.movedim(x, 2, 0))
add("expand_dims", lambda x: np.expand_dims(x, 0), ANY, lambda x: x.unsqueeze(0))
add("squeeze", np.squeeze, ANY, torch.squeeze)
add("atleast_1d", np.atleast_1d, ANY, torch.atleast_1d)
add("atleast_2d", np.atleast_2d, ANY, torch.atleast_2d)
add("atleast_3d", np.atleast_3d, ANY, torch.atleast_3d)
add(
    "broadcast_to",
    lambda x: np.broadcast_to(x, (4, 2, 3)),
    (((),), ((3,),), ((2, 1),)),
    lambda x: torch.broadcast_to(x, (4, 2, 3)),
)
add(
    "broadcast_arrays",
    lambda a, b: np.broadcast_arrays(a, b)[0],
    (((3,), (2, 1)), ((), (2,))),
    lambda a, b: torch.broadcast_tensors(a, b)[0],
)
add("tile", lambda x: np.tile(x, (2, 3)), ANY[:4], lambda x: torch.tile(x, (2, 3)))
add("repeat", lambda x: np.repeat(x, 2), ANY, lambda x: torch.repeat_interleave(x, 2))
add(
    "repeat",
    lambda x: np.repeat(x, [1, 0, 2], axis=0),
    (((3,),), ((3, 2),)),
    lambda x: torch.repeat_interleave(x, torch.tensor([1, 0, 2]), dim=0),
)
add("roll", lambda x: np.roll(x, 2), ANY, lambda x: torch.roll(x, 2))
add(
    "roll",
    lambda x: np.roll(x, (1, -1), axis=(0, 1)),
    MATRIX,
    lambda x: torch.roll(x, (1, -1), (0, 1)),
)
add("flip", np.flip, ANY, lambda x: torch.flip(x, tuple(range(x.ndim))))
add("flipud", np.flipud, AXIS, torch.flipud)
add("fliplr", np.fliplr, MATRIX, torch.fliplr)
add("rot90", np.rot90, MATRIX, torch.rot90)
add(
    "pad",
    lambda x: np.pad(x, ((1, 2), (0, 1))),
    MATRIX,
    lambda x: torch.nn.functional.pad(x, (0, 1, 1, 2)),
)
add(
    "pad",
    lambda x: np.pad(x, 1, mode="reflect"),
    (((3,),), ((4,),)),
    lambda x: torch.nn.functional.pad(x[None], (1, 1), mode="reflect")[0],
)
add(
    "pad",
    lambda x: np.pad(x, 2, mode="wrap"),
    (((3,),), ((4,),)),
    lambda x: torch.nn.functional.pad(x[None], (2, 2), mode="circular")[0],
)
add(
    "pad",
    lambda x: np.pad(x, 1, constant_values=7.0),
    (((3,),), ((0,),)),
    lambda x: torch.nn.functional.pad(x, (1, 1), value=7.0),
)
add("copy", np.copy, ANY, torch.clone)
add("real", np.real, ANY, lambda x: x * 1)

# -- parts and wholes
add(
    "concatenate", lambda a, b: np.concatenate([a, b], -1), PAIR, lambda a, b: torch.cat([a, b], -1)
)
add("stack", lambda a, b: np.stack([a, b], 1), PAIR, lambda a, b: torch.stack([a, b], 1))
add("vstack", lambda a, b: np.vstack([a, b]), PAIR, lambda a, b: torch.vstack([a, b]))
add("hstack", lambda a, b: np.hstack([a, b]), PAIR, lambda a, b: torch.hstack([a, b]))
add("dstack", lambda a, b: np.dstack([a, b]), PAIR, lambda a, b: torch.dstack([a, b]))
add(
    "column_stack",
    lambda a, b: np.column_stack([a, b]),
    PAIR,
    lambda a, b: torch.column_stack([a, b]),
)
add("append", np.append, PAIR, lambda a, b: torch.cat([a.reshape(-1), b.reshape(-1)]))
add(
    "block",
    lambda a, b: np.block([[a, b], [b, a]]),
    (((2, 3), (2, 3)), ((1, 1), (1, 1))),
    lambda a, b: torch.cat([torch.cat([a, b], 1), torch.cat([b, a], 1)], 0),
)
add(
    "split",
    lambda x: np.split(x, 2)[1],
    (((4,),), ((2, 3),)),
    lambda x: torch.tensor_split(x, 2)[1],
)
add("array_split", lambda x: np.array_split(x, 2)[0], AXIS, lambda x: torch.tensor_split(x, 2)[0])
add("vsplit", lambda x: np.vsplit(x, 2)[0], (((4, 2),), ((2, 3),)), lambda x: torch.vsplit(x, 2)[0])
add("hsplit", lambda x: np.hsplit(x, 2)[0], (((4,),), ((3, 2),)), lambda x: torch.hsplit(x, 2)[0])
add("dsplit", lambda x: np.dsplit(x, 2)[1], (((2, 3, 4),),), lambda x: torch.dsplit(x, 2)[1])
add(
    "take",
    lambda x: np.take(x, [2, 0, 0], axis=0),
    (((3,),), ((3, 2),)),
    lambda x: x[torch.tensor([2, 0, 0])],
)
add(
    "take",
    lambda x: np.take(x, [[0, 1]]),
    FULL[1:],
    lambda x: x.reshape(-1)[torch.tensor([[0, 1]])],
)
add(
    "take_along_axis",
    lambda x: np.take_along_axis(x, np.array([[1, 0, 1]]), 0),
    (((2, 3),),),
    lambda x: torch.take_along_dim(x, torch.tensor([[1, 0, 1]]), 0),
)
add("sort", np.sort, AXIS, lambda x: torch.sort(x, stable=True).values)
add("sort", lambda x: np.sort(x, axis=0), AXIS, lambda x: torch.sort(x, dim=0, stable=True).values)
add("diagonal", np.diagonal, STACK, torch.diagonal)
add("diagonal", lambda x: np.diagonal(x, 1, -2, -1), STACK, lambda x: torch.diagonal(x, 1, -2, -1))
add(
    "linalg.diagonal",
    lambda x: np.linalg.diagonal(x),
    MATRIX,
    lambda x: torch.diagonal(x, 0, -2, -1),
)
add("diag", np.diag, (*MATRIX, ((3,),), ((0,),)), torch.diag)
add("diag", lambda x: np.diag(x, -1), (((2, 3),), ((3,),)), lambda x: torch.diag(x, -1))
add("diagflat", np.diagflat, (((3,),), ((2, 2),)), torch.diagflat)
add("tril", np.tril, STACK, torch.tril)
add("triu", lambda x: np.triu(x, 1), STACK, lambda x: torch.triu(x, 1))
add(
    "where", lambda a, b: np.where(a > b, a, b * b), PAIR, lambda a, b: torch.where(a > b, a, b * b)
)
add("clip", lambda x: np.clip(x, -1, 1), ANY, lambda x: torch.clamp(x, -1, 1))
add("nan_to_num", np.nan_to_num, ANY, torch.nan_to_num)
add("sinc", np.sinc, (((),), ((3,),)), None)
add(
    "float_power",
    lambda x: np.float_power(x * x + 1, 1.5),
    ANY,
    lambda x: torch.float_power(x * x + 1, 1.5),
)
add(
    "full_like",
    lambda x: np.full_like(x, x.sum()),
    (((3,),), ((2, 3),)),
    lambda x: x.sum() + torch.zeros_like(x),
)


def _products(x):
    """Products of the first 0, 1, 2, … entries: torch.prod divides, and loses digits near 0."""
    products = [torch.ones(x.shape[:-1], dtype=x.dtype) + 0.0 * x.sum(-1)]
    for factor in x.unbind(-1):
        products.append(products[-1] * factor)
    return products


def _convolved(a, v, mode):
    n, m = len(a), len(v)
    whole = torch.nn.functional.conv1d(a[None, None], v.flip(0)[None, None], padding=m - 1)[0, 0]
    start, length = {
        "full": (0, n + m - 1),
        "same": ((m - 1) // 2, n),
        "valid": (m - 1, n - m + 1),
    }[mode]
    return whole[start : start + length]


def _median(x):
    ordered = torch.sort(x, dim=-1, stable=True).values
    n = x.shape[-1]
    return ordered[..., (n - 1) // 2 : n // 2 + 1].mean(-1)


CONSTANT = (
    "all", "allclose", "any", "argmax", "argmin", "argsort", "array_equal", "count_nonzero",
    "empty_like", "fix", "iscomplexobj", "isclose", "isrealobj", "ndim", "ones_like", "result_type",
    "round", "searchsorted", "shape", "size", "zeros_like",
)  # fmt: skip
"""Functions whose result is no function of the numbers, or flat wherever it is smooth."""
