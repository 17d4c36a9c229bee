"""The engine and its arrays: whose they are, and what happens when one is written in place."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import InPlaceError


def leaf(value, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)


# ------------------------------------------------------------------ whose arrays


def seeds_and_values(shape):
    x, b = leaf(np.full(shape, 2.0)), leaf(np.full(shape, 3.0))
    seed = np.ones(shape)
    return x, b, seed


PASSING_ON = {
    "add": lambda x, b: x + b,
    "sub": lambda x, b: x - b,
    "leaf itself": lambda x, b: x,
    "reshape": lambda x, b: (x + b).reshape(2, 3).reshape(6),
    "getitem": lambda x, b: x[:] + b[::-1],
    "transpose": lambda x, b: x.T + b.T,
    "broadcast": lambda x, b: np.broadcast_to(x, (6,)) + b,
    "product": lambda x, b: x * b,
    "stack": lambda x, b: np.stack([x, b])[0],
    "where": lambda x, b: np.where(np.arange(6) > 2, x, b),
    "positive": lambda x, b: np.positive(x) + b,
    "shared": lambda x, b: x + x + b + x,
}


@pytest.mark.parametrize("make", PASSING_ON.values(), ids=PASSING_ON)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_leafs_gradient_is_its_own_writable_array(make, create_graph):
    x, b, seed = seeds_and_values(6)
    y = make(x, b)
    y.backward(seed, create_graph=create_graph)
    grads = {name: t.grad for name, t in [("x", x), ("b", b)] if t.grad is not None}
    arrays = {name: g.data if isinstance(g, tg.Tensor) else g for name, g in grads.items()}
    others = [seed, x.data, b.data, y.data, *(v for v in y.values if isinstance(v, np.ndarray))]
    if y is not x:
        others += [] if y.grad is None or create_graph else [y.grad]
    for name, array in arrays.items():
        assert array.flags.writeable
        rest = [a for other, a in arrays.items() if other != name]
        shared = [other for other in [*others, *rest] if np.shares_memory(array, other)]
        assert create_graph or shared == []


def test_writing_into_one_gradient_changes_no_other():
    x, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    h = x + b
    loss = h.sum()
    loss.backward()
    x.grad *= 100
    np.testing.assert_array_equal(b.grad, [1.0, 1.0])
    np.testing.assert_array_equal(h.grad, [1.0, 1.0])
    loss.backward()
    np.testing.assert_array_equal(x.grad, [101.0, 101.0])


def test_what_a_hook_returns_stays_its_owners():
    x = leaf([1.0, 2.0])
    mask = np.array([0.0, 1.0])
    x.register_hook(lambda g: mask)
    (x * 2).sum().backward()
    x.grad += 5
    np.testing.assert_array_equal(mask, [0.0, 1.0])


def test_a_hook_cannot_write_into_what_others_get_too():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    p, q = a * 1, b * 1

    def spoil(g):
        g *= 10

    q.register_hook(spoil)  # a sum hands one array to both
    with pytest.raises(ValueError, match="read-only"):
        ((p + q) ** 2).sum().backward()


@pytest.mark.parametrize("gradient", [[1, 2], (1, 2), np.array([1, 2]), tg.Tensor([1.0, 2.0])])
@pytest.mark.parametrize("through", [lambda x: x, lambda x: x + 0, lambda x: x * 1])
def test_a_gradient_to_start_from_may_be_any_numbers(gradient, through):
    x = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    through(x).backward(gradient)
    assert type(x.grad) is np.ndarray
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [1.0, 2.0])


def test_the_gradient_of_one_number_may_be_a_number():
    x = leaf([1.0, 2.0])
    x.sum().backward(3)
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])
    given = np.array([1.0, 2.0])
    x.backward(given)
    x.grad += 1
    np.testing.assert_array_equal(given, [1.0, 2.0])


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_data_and_grad_are_arrays_of_any_shape(shape):
    x = leaf(np.ones(shape))
    (x * x).sum().backward()
    for tensor in (x, (x * x), (x * x).sum()):
        assert type(tensor.data) is np.ndarray
    assert type(x.grad) is np.ndarray
    assert x.grad.shape == shape
    x.grad += 1
    assert x.grad.flags.writeable


# ------------------------------------------------------------------ writing in place


def test_a_value_written_in_place_after_use_is_an_error():
    w = leaf([1.0, 2.0], name="w")
    y = (w * w).sum()
    w.data -= 0.5
    with pytest.raises(
        InPlaceError, match=r"'w' was used by mul at test_engine_arrays\.py:\d+ and written"
    ):
        y.backward()


def test_also_an_intermediate_and_the_output():
    x = leaf(2.0)
    h = x * 3
    y = h * h
    h.data *= 2
    with pytest.raises(InPlaceError, match="'h' was used by mul"):
        y.backward()
    z = x * x
    z.data += 1
    with pytest.raises(InPlaceError, match="'z'"):
        z.backward()


def test_writing_before_use_is_fine():
    w = leaf(1.0)
    w.data += 1
    y = w * w
    y.backward()
    assert w.grad == 4


@pytest.mark.parametrize("create_graph", [False, True])
def test_rebinding_leaves_old_graphs_exact(create_graph):
    w = leaf(3.0)
    y = w**3
    w.data = w.data - 1.0
    y.backward(create_graph=create_graph)
    assert float(w.grad.data if create_graph else w.grad) == 27
    if create_graph:
        first, w.grad = w.grad, None
        first.backward()
        assert w.grad == 18
    w.grad = None
    w.data = w.data * 100
    y.backward()
    assert w.grad == 27
