"""Tensors among NumPy's functions and arrays: the same numbers, and still tensors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg


def leaf(value):
    return tg.Tensor(value, requires_grad=True)


SAME = {
    "exp": np.exp,
    "tanh": np.tanh,
    "absolute": np.absolute,
    "negative": np.negative,
    "sum": np.sum,
    "sum axis": lambda x: np.sum(x, axis=0),
    "sum keepdims": lambda x: np.sum(x, axis=(0, 1), keepdims=True),
    "mean": lambda x: np.mean(x, -1),
    "max": lambda x: np.max(x, axis=1),
    "min": np.min,
    "maximum": lambda x: np.maximum(x, 0.5),
    "minimum with an array": lambda x: np.minimum(np.full(3, 0.2), x),
    "where": lambda x: np.where(x > 0.3, x, -x),
    "concatenate": lambda x: np.concatenate([x, np.ones((1, 3)), x]),
    "concatenate flat": lambda x: np.concatenate([x, x], axis=None),
    "stack": lambda x: np.stack([x, x], axis=-1),
    "reshape": lambda x: np.reshape(x, (3, -1)),
    "transpose": np.transpose,
    "transpose axes": lambda x: np.transpose(x, (1, 0)),
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
    "matmul": lambda x: np.matmul(x, x.T),
    "dot": lambda x: np.dot(x, np.ones(3)),
    "dot of stacks": lambda x: np.dot(x, np.ones((2, 3, 4))),
    "array first": lambda x: np.ones((2, 3)) * x - np.ones(3) / x,
    "array at array": lambda x: np.ones((4, 2)) @ x,
    "scalar first": lambda x: np.float64(2.0) * x + np.float64(1.0) ** x,
    "list": lambda x: np.add(x, [1.0, 2.0, 3.0]),
    "power": lambda x: x**2 + 2.0**x + np.power(x, x) + x**-1,
    "comparison": lambda x: (x > 0.5) & (x <= 2) | ~(x != 1),
    "shape": np.shape,
    "ndim": np.ndim,
    "size": np.size,
    "pos": lambda x: +x,
    "index": lambda x: x[1:, ::-1],
    "index list": lambda x: x[[1, 0, 1], [2, 2, 2]],
    "index mask": lambda x: x[np.array([True, False])],
    "index new": lambda x: x[None, ..., None],
    "index number": lambda x: x[np.int64(1), -1],
    "methods": lambda x: x.sum(0).mean() + x.max(axis=1).min() + x.reshape(6).sum(),
}


@pytest.mark.parametrize("function", SAME.values(), ids=SAME)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numpys_functions_give_the_same_for_tensors(function, dtype):
    array = np.array([[0.1, 0.7, 1.3], [2.0, 0.4, 0.9]], dtype=dtype)
    expected = function(array)
    got = function(leaf(array))
    if isinstance(got, tg.Tensor):
        assert type(got.data) is np.ndarray
        assert got.data.dtype == np.asarray(expected).dtype
        got = got.data
    np.testing.assert_array_equal(got, expected)


def test_arrays_never_swallow_tensors():
    x = leaf([1.0, 2.0])
    for result in (np.ones(2) + x, np.ones(2) * x, np.ones(2) @ x, np.float64(1) - x):
        assert type(result) is tg.Tensor
        assert result.requires_grad
    array = np.ones(2)
    array = array + x
    assert type(array) is tg.Tensor


def test_a_tensor_as_an_index():
    x = leaf([1.0, 2.0, 3.0])
    places = tg.Tensor(np.array([2, 2, 0]))
    x[places].sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 0.0, 2.0])
