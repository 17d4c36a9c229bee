"""The engine: what backward does, keeps, frees, shares and refuses."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.planted import planted
from tests.test_engine_scale import in_cycles
from tinygrad_mlp import writes
from tinygrad_mlp.errors import (
    DTypeError,
    GradientError,
    GraphError,
    InPlaceError,
    ShapeError,
    TrainingWarning,
)
from tinygrad_mlp.ops import REGISTRY


def leaf(value, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)


# ------------------------------------------------------------------ what arrives


def test_gradients_of_leaves_and_of_everything_between():
    x = leaf([1.0, 2.0])
    h = x * 3
    y = h * h
    y.sum().backward()
    np.testing.assert_array_equal(y.grad, [1.0, 1.0])
    np.testing.assert_array_equal(h.grad, [6.0, 12.0])
    np.testing.assert_array_equal(x.grad, [18.0, 36.0])


def test_before_backward_there_is_no_gradient():
    x = leaf(1.0)
    y = x * 2
    assert x.grad is None
    assert y.grad is None


def test_a_second_backward_adds_up_and_the_graph_survives():
    x = leaf(2.0)
    y = x**2 * 3
    y.backward()
    assert x.grad == 12
    y.backward()
    assert x.grad == 24
    assert y.op is not None


def test_between_leaves_the_latest_gradient_shows():
    x = leaf(2.0)
    h = x * 3
    y = h * h
    y.backward()
    y.backward()
    assert h.grad == 12
    assert x.grad == 72


def test_an_operand_that_is_used_twice_has_two_edges():
    x = leaf(3.0)
    y = x * x
    assert y.inputs == (x, x)
    y.backward()
    assert x.grad == 6


def test_shared_parts_add_up_once_each():
    x = leaf(0.5)
    h = np.sin(x)
    (h * h + h).backward()
    np.testing.assert_allclose(x.grad, (2 * np.sin(0.5) + 1) * np.cos(0.5), rtol=1e-15)


def test_two_losses_of_one_graph():
    x = leaf(2.0)
    h = x * x
    (h * 3).backward()
    (h * 5).backward()
    assert x.grad == 32


def test_a_branch_that_the_loss_does_not_use_gets_nothing():
    x = leaf(2.0)
    unused = x * 7
    (x * 3).backward()
    assert unused.grad is None
    assert x.grad == 3


def test_what_is_zero_everywhere_is_not_reached():
    x = leaf([1.0, -1.0])
    mask = x > 0
    assert not mask.requires_grad
    np.where(mask, x, 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 0.0])


@pytest.mark.parametrize("gradient", [np.array([1.0, 2.0]), [1.0, 2.0], tg.Tensor([1.0, 2.0])])
def test_a_gradient_to_start_from(gradient):
    x = leaf([3.0, 4.0])
    (x * x).backward(gradient)
    np.testing.assert_array_equal(x.grad, [6.0, 16.0])
    assert type(x.grad) is np.ndarray


def test_one_entry_is_one_number_whatever_its_shape():
    x = leaf([[2.0]])
    (x * x).backward()
    np.testing.assert_array_equal(x.grad, [[4.0]])


@pytest.mark.parametrize("keep_graph", [True, False])
def test_backward_on_a_leaf(keep_graph):
    x = leaf(2.0)
    x.backward(keep_graph=keep_graph)
    assert x.grad == 1


# ------------------------------------------------------------------ work that is not done


def test_gradients_that_nobody_needs_are_not_computed():
    def refuse(g, y, a, b):
        pytest.fail("nobody needs this gradient")

    with planted("guarded", np.multiply, (lambda g, y, a, b: g * b, refuse)) as op:
        x = leaf(2.0)
        op(x, tg.Tensor(3.0)).backward()
        assert x.grad == 3
        op(x, 4.0).backward()
        assert x.grad == 7


def test_a_rule_is_not_called_for_a_branch_without_gradient():
    def refuse(g, y, x):
        pytest.fail("no gradient arrives here")

    with planted("unreached", np.negative, refuse) as op:
        x = leaf([1.0, -2.0])
        condition = op(x) > 0
        np.where(condition, x, 0.0).sum().backward()
        np.testing.assert_array_equal(x.grad, [0.0, 1.0])


# ------------------------------------------------------------------ freeing


def test_a_freed_graph_cannot_run_again():
    x = leaf(2.0)
    y = x * x
    y.backward(keep_graph=False)
    assert x.grad == 4
    with pytest.raises(GraphError, match=r"'y' \(test_engine\.py:\d+.*was freed.*keep_graph"):
        y.backward()
    assert x.grad == 4


def test_freeing_leaves_no_gradient_between_leaves():
    x = leaf(2.0)
    h = x * x
    (h * 3).backward(keep_graph=False)
    assert h.grad is None
    assert h.inputs == ()
    assert x.grad == 12


def test_a_graph_that_nobody_holds_goes_at_once():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones(3))
        h = np.tanh(x * 2)
        watched = weakref.ref(h)
        loss = (h * h).sum()
        loss.backward()
        loss.backward()
        del h
        assert watched() is not None
        del loss
        assert watched() is None
        assert in_cycles() == []
    finally:
        gc.enable()


# ------------------------------------------------------------------ second order


def test_create_graph_gives_tensors_that_run_backward():
    x = leaf(2.0)
    y = x**4
    y.backward(create_graph=True)
    first, x.grad = x.grad, None
    assert isinstance(first, tg.Tensor)
    first.backward(create_graph=True)
    second, x.grad = x.grad, None
    second.backward()
    assert (first.item(), second.item(), x.grad) == (32, 48, 48)


def test_errors_name_the_tensor_and_the_way_out():
    x = leaf([1.0, 2.0, 3.0])
    y = x * 2
    with pytest.raises(ShapeError) as caught:
        y.backward()
    assert str(caught.value).startswith(
        "backward() needs one number, but 'y' has shape (3,) (test_engine.py:"
    )
    assert "pass gradient= of shape (3,)" in str(caught.value)
    with pytest.raises(ShapeError, match=r"gradient= has shape \(2,\).*'y'.*\(3,\)"):
        y.backward(np.ones(2))
    with pytest.raises(GraphError, match="requires_grad=True"):
        tg.Tensor(1.0).backward()


def test_threads_have_modes_of_their_own():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append((leaf(1.0) * 2).requires_grad))
        thread.start()
        thread.join()
        seen.append((leaf(1.0) * 2).requires_grad)
    assert seen == [True, False]


def test_the_registry_is_as_it_was():
    assert "guarded" not in REGISTRY


# ------------------------------------------------------------------ what comes back wrong


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda g: np.zeros(3), "shape (3,)"),
        (lambda g: 0.5, "shape ()"),
        (lambda g: np.array(["a", "b"]), "<U1"),
        (lambda g: g * 1j, "complex128"),
    ],
    ids=["shape", "number", "text", "complex"],
)
@pytest.mark.parametrize("inner", [False, True], ids=["leaf", "inner"])
def test_a_hook_must_return_a_gradient(returned, told, inner):
    x = leaf([1.0, 2.0], name="x")
    y = x * 3.0
    (y if inner else x).register_hook(returned)
    with pytest.raises(GradientError, match="a hook of") as error:
        y.sum().backward()
    assert told in str(error.value)
    assert x.grad is None


def test_what_a_hook_returns_takes_the_dtype_of_the_gradient():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: [4, 5])
    (x * 3.0).sum().backward()
    assert x.grad.dtype == np.float64
    assert x.grad.tolist() == [4.0, 5.0]


@pytest.mark.parametrize("how", ["data", "flag"])
def test_whole_numbers_cannot_get_a_gradient_that_would_be_cut(how):
    if how == "data":
        w = leaf([1.0, 2.0])
        w.data = np.array([1, 2])
    else:
        w = tg.Tensor(np.array([1, 2]))
        w.requires_grad = True
    with pytest.raises(DTypeError, match="only real numbers have slopes"):
        (w * 0.5).sum().backward()


def test_a_gradient_of_another_shape_is_not_added_to():
    w = leaf([1.0, 2.0], name="w")
    (w * w).sum().backward()
    w.data = np.ones(3)
    with pytest.raises(ShapeError, match=r"'w'.* gradient of shape \(2,\), and now gets \(3,\)"):
        (w * w).sum().backward()


# ------------------------------------------------------------------ writes in place


def in_place(tensor):
    tensor.data += 1.0


@pytest.mark.parametrize(
    ("used", "written"),
    [
        (lambda t: t, lambda t: t.detach()),
        (lambda t: t, lambda t: t.reshape(2, 2)),
        (lambda t: t.reshape(2, 2), lambda t: t),
        (lambda t: t.reshape(2, 2), lambda t: t[1:]),
        (lambda t: t, lambda t: t),
    ],
    ids=["detached", "a view", "what was viewed", "a part", "itself"],
)
def test_a_write_counts_through_whatever_tensor_it_was_done(used, written):
    t = leaf([1.0, 2.0, 3.0, 4.0], name="t")
    x = used(t)
    other = written(t)
    y = (x * x).sum()
    in_place(other)
    with pytest.raises(InPlaceError, match=r"written in place at test_engine\.py"):
        y.backward()


def test_a_write_to_other_memory_is_no_harm():
    both = np.arange(4.0)
    a, b = (tg.Tensor(part, requires_grad=True, copy=False) for part in (both[:2], both[2:]))
    y = (a * a).sum()
    in_place(b)
    y.backward()
    assert a.grad.tolist() == [0.0, 2.0]


def test_writes_are_forgotten_with_their_memory():
    gc.collect()
    before = len(writes._writes)
    t = leaf([1.0, 2.0])
    for _ in range(10):
        in_place(t)
    assert len(writes._writes) == before + 1
    del t
    assert len(writes._writes) == before


# ------------------------------------------------------------------ threads


def test_a_backward_that_fails_leaves_no_warning_for_the_next():
    w, v = leaf([1.0], name="w"), leaf([1.0])
    (w * w).sum().backward()
    w.data = w.data - 0.1
    v.register_hook(lambda g: g["missing"])
    loss = v.sum() + (w * w).sum()  # w gets its gradient first, then the hook fails
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(IndexError):
            loss.backward()
        (v * 2.0).detach()
        leaf(1.0).backward()


def test_a_warning_that_is_an_error_is_raised_once():
    w = leaf([1.0], name="w")
    (w * w).sum().backward()
    w.data = w.data - 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TrainingWarning, match="'w'"):
            (w * w).sum().backward()
        w.grad = None
        (w * w).sum().backward()


def test_a_warning_about_an_old_gradient_stays_in_its_thread():
    w = leaf([1.0], name="w")
    (w * w).sum().backward()
    w.data = w.data - 0.1
    meanwhile = []

    def other(g):
        thread = threading.Thread(target=lambda: meanwhile.append(leaf(2.0).backward()))
        thread.start()
        thread.join()

    v = leaf([1.0])
    v.register_hook(other)
    loss = v.sum() + (w * w).sum()
    with pytest.warns(TrainingWarning, match="'w'") as said:
        loss.backward()
    assert meanwhile == [None]
    assert [w.filename.endswith("test_engine.py") for w in said] == [True]
