"""Tensor: what it is made of, its dtypes, how it meets Python, and what it prints."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DTypeError, ShapeError, UsageError


def leaf(value, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)


# ------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1, np.float64),
        (1.5, np.float64),
        ([1, 2], np.float64),
        ([[1, 2], [3, 4]], np.float64),
        ((1.0, 2), np.float64),
        ([], np.float64),
        (True, np.bool_),
        ([True, False], np.bool_),
        (np.arange(3), np.int64),
        (np.arange(3, dtype=np.uint8), np.uint8),
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.float16), np.float16),
        (np.float32(1), np.float32),
        (np.int32(1), np.int32),
        ([np.float32(1)], np.float32),
    ],
)
def test_arrays_keep_their_dtype_and_python_numbers_are_float64(data, dtype):
    tensor = tg.Tensor(data)
    assert tensor.dtype == dtype
    assert type(tensor.data) is np.ndarray
    np.testing.assert_array_equal(tensor.data, np.array(data, dtype))


def test_dtype_can_be_asked_for():
    assert tg.Tensor([1, 2], dtype=np.float32).dtype == np.float32
    assert tg.Tensor([1, 2], dtype=int).dtype == np.int64
    assert tg.Tensor(np.arange(2), dtype=float, requires_grad=True).requires_grad


def test_the_callers_array_is_copied():
    array = np.array([1.0, 2.0])
    x = leaf(array)
    y = (x * x).sum()
    array[:] = 100
    y.backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_sharing_is_explicit():
    array = np.array([1.0, 2.0])
    assert np.shares_memory(tg.Tensor(array, copy=False).data, array)
    assert tg.Tensor(array, copy=False).data is array


def test_an_array_in_an_expression_is_copied_too():
    x, array = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    y = (x * array).sum()
    array[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])


def test_a_tensor_of_a_tensor_without_history_is_a_copy():
    x = tg.Tensor([1.0, 2.0])
    twin = tg.Tensor(x)
    assert not np.shares_memory(twin.data, x.data)


def test_tensor_is_an_alias():
    assert tg.tensor is tg.Tensor


# ------------------------------------------------------------------ dtypes in expressions


def test_float32_stays_float32_among_python_numbers():
    x = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    y = 1 / (1 + np.exp(-((2 * x - 0.5) ** 3))) + np.where(x > 0, x, 0.0)
    loss = y.mean()
    assert (y.dtype, loss.dtype) == (np.float32, np.float32)
    loss.backward()
    assert x.grad.dtype == np.float32


def test_mixed_dtypes_promote_as_numpy_does_and_gradients_keep_their_own():
    x = leaf([1.0, 2.0])
    w = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    k = tg.Tensor(np.arange(2))
    y = x * w + k
    assert y.dtype == np.float64
    y.sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (np.float64, np.float32)
    assert (w * k.data.astype(np.int8)).dtype == np.float32


def test_cast_has_a_gradient_and_whole_numbers_end_it():
    x = leaf([1.0, 2.0])
    y = x.astype(np.float32)
    assert y.dtype == np.float32
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])
    assert x.grad.dtype == np.float64


# ------------------------------------------------------------------ ways out


def test_ways_out_of_the_graph():
    x = leaf([[1.0, 2.0]])
    assert x.detach().requires_grad is False
    assert x.detach().data is x.data
    assert x.tolist() == [[1.0, 2.0]]
    assert x[0, 1].item() == 2.0
    assert type(x[0, 1].item()) is float
    view = x.numpy()
    assert np.shares_memory(view, x.data)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1


def test_a_tensor_without_history_is_an_array_for_everybody():
    x = tg.Tensor([1.0, 2.0])
    np.testing.assert_array_equal(np.asarray(x), [1.0, 2.0])
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    assert np.array(x, copy=True).flags.writeable
    assert float(tg.Tensor(2.0)) == 2.0
    assert int(tg.Tensor(np.array(3))) == 3
    assert math.sqrt(tg.Tensor(4.0)) == 2.0
    assert [10, 20, 30][tg.Tensor(np.array(1))] == 20


def test_grad_takes_only_its_shape():
    x = leaf([1.0, 2.0], name="x")
    x.grad = [3.0, 4.0]
    assert type(x.grad) is np.ndarray
    with pytest.raises(ShapeError, match=r"'x'.*shape \(2,\).*gradient \(3,\)"):
        x.grad = np.ones(3)
    x.grad = None
    assert x.grad is None


def test_data_takes_only_numbers():
    x = leaf([1.0, 2.0])
    x.data = [5, 6]
    assert x.dtype == np.float64
    x.data = tg.Tensor([7.0, 8.0])
    assert type(x.data) is np.ndarray
    with pytest.raises(DTypeError):
        x.data = "seven"


# ------------------------------------------------------------------ Python's protocols


def test_sequence_protocol():
    x = leaf([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert len(x) == 3
    rows = list(x)
    assert [row.tolist() for row in rows] == x.tolist()
    a, _, c = x
    (a * c).sum().backward()
    np.testing.assert_array_equal(x.grad, [[5.0, 6.0], [0.0, 0.0], [1.0, 2.0]])


def test_truth_of_one_number():
    assert tg.Tensor(1.0) > 0
    assert not tg.Tensor([0.0])
    assert leaf(3.0) == 3


def test_hash_is_identity():
    x, y = leaf(1.0), leaf(1.0)
    assert len({x: "x", y: "y"}) == 2


def pickled(x):
    return pickle.loads(pickle.dumps(x))  # noqa: S301 - our own


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_what_was_computed_is_not_copied_without_its_history(duplicate):
    with pytest.raises(UsageError, match=r"a copy of .*history"):
        duplicate(leaf(2.0) * 3.0)


def test_a_tensor_is_never_equal_to_none_or_text():
    x = leaf([1.0, 2.0])
    assert (x == None) is False  # noqa: E711 - what is tested
    assert (x != "a") is True


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_copies_and_pickles(duplicate):
    x = leaf([1.0, 2.0], name="w")
    x.grad = [1.0, 1.0]
    twin = duplicate(x)
    assert type(twin) is tg.Tensor
    assert (twin.name, twin.requires_grad, twin.grad) == ("w", True, None)
    np.testing.assert_array_equal(twin.data, x.data)
    assert not np.shares_memory(twin.data, x.data)


def test_a_tensor_in_two_places_is_copied_once():
    x = leaf(1.0)
    a, b = copy.deepcopy([x, x])
    assert a is b


def test_in_place_operators_on_what_was_computed():
    x = leaf([1.0, 2.0])
    y = h = x * 2
    y += 1
    y *= h
    y -= x
    y /= 2
    y **= 2
    assert y is not h
    np.testing.assert_array_equal(h.data, [2.0, 4.0])
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [5 * 4.5, 18 * 8.5])  # ((2x+1)·2x - x)²/4 = (2x² + x/2)²


def test_in_place_operators_on_a_leaf_without_gradient():
    x = tg.Tensor([1.0, 2.0])
    x += 1
    assert x.tolist() == [2.0, 3.0]


# ------------------------------------------------------------------ what it prints


def test_repr():
    assert repr(tg.Tensor(1.0)) == "Tensor(1., shape=())"
    x = leaf([1.0, 2.0], name="w")
    assert repr(x) == "Tensor([1., 2.], shape=(2,), requires_grad=True, name='w')"
    assert repr(x * 2) == "Tensor([2., 4.], shape=(2,), op=mul)"
    assert "dtype=float32" in repr(tg.Tensor(np.float32(1)))
    assert len(repr(tg.Tensor(np.ones((100, 100))))) < 500


def test_format():
    assert f"{leaf(3.14159):.2f}" == "3.14"
    assert f"{leaf([3.14159]):8.3f}" == "   3.142"
    assert f"{leaf([1.0, 2.0])}" == str(leaf([1.0, 2.0]))
