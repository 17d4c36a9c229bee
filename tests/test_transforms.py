"""Transforms: gradients as functions, their forms, their nesting, and what they leave alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given

import tinygrad_mlp as tg
from tests.conftest import needs
from tinygrad_mlp.errors import DTypeError, ShapeError, UsageError
from tinygrad_mlp.testing.strategies import graphs

X = np.array([0.3, -0.7, 1.1])


def f(x):
    return (np.exp(x) * x**2).sum()


def test_value_and_gradient():
    value, gradient = tg.value_and_grad(f)(X)
    np.testing.assert_allclose(value, (np.exp(X) * X**2).sum())
    np.testing.assert_allclose(gradient, np.exp(X) * (X**2 + 2 * X))
    assert type(value) is type(gradient) is np.ndarray
    np.testing.assert_array_equal(tg.grad(f)(X), gradient)


def test_hessian_and_its_products():
    second = np.exp(X) * (X**2 + 4 * X + 2)
    np.testing.assert_allclose(tg.hessian(f)(X), np.diag(second), atol=1e-14)
    v = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(tg.hvp(f, X, v), second * v)


def test_jacobian_forward_and_backward_agree():
    def g(x):
        return np.outer(np.sin(x), x) @ np.array([1.0, 2.0, 3.0])

    jacobian = tg.jacobian(g)(X)
    v = np.array([0.5, -1.0, 2.0])
    y, moved = tg.jvp(g, (X,), (v,))
    np.testing.assert_allclose(moved, jacobian @ v)
    value, pull = tg.vjp(g, X)
    np.testing.assert_allclose(pull(v)[0], v @ jacobian)
    np.testing.assert_allclose(pull(2 * v)[0], 2 * v @ jacobian)
    np.testing.assert_array_equal(value, y)


class Pair(NamedTuple):
    a: object
    b: object


@pytest.mark.parametrize(
    "tree",
    [
        {"w": X, "b": np.array(2.0)},
        [X, np.array(2.0)],
        (X, np.array(2.0)),
        Pair(X, np.array(2.0)),
        {"w": [X], "b": (2.0, None)},
    ],
    ids=["dict", "list", "tuple", "named tuple", "nested"],
)
def test_a_gradient_has_the_form_of_its_argument(tree):
    def loss(p):
        parts = list(p.values()) if isinstance(p, dict) else list(p)
        w, b = (part[0] if isinstance(part, list | tuple) else part for part in parts)
        return (w * b).sum()

    gradient = tg.grad(loss)(tree)
    assert type(gradient) is type(tree)
    parts = list(gradient.values()) if isinstance(gradient, dict) else list(gradient)
    w, b = (part[0] if isinstance(part, list | tuple) else part for part in parts)
    np.testing.assert_allclose(w, [2.0, 2.0, 2.0])
    np.testing.assert_allclose(b, X.sum())


def test_tensors_for_tensors_and_arrays_for_arrays():
    t = tg.Tensor(X)
    value, gradient = tg.value_and_grad(f)(t)
    assert type(value) is type(gradient) is tg.Tensor
    assert not value.requires_grad
    assert not gradient.requires_grad
    first, second = tg.grad(lambda a, b: (a * b).sum(), (0, 1))(t, X)
    assert type(first) is tg.Tensor
    assert type(second) is np.ndarray


def test_nobodys_grad_is_touched():
    w = tg.Tensor(X, requires_grad=True)
    c = tg.Tensor(2.0, requires_grad=True)
    tg.grad(lambda x: (c * x * w).sum())(w)
    tg.hessian(lambda x: (c * x * w).sum())(X)
    tg.jvp(lambda x: c * x, (w,), (X,))
    assert w.grad is None
    assert c.grad is None


def test_zeros_where_nothing_is_reached():
    np.testing.assert_array_equal(tg.grad(lambda x: 3.0)(X), np.zeros(3))
    np.testing.assert_array_equal(tg.grad(lambda x: np.floor(x).sum())(X), np.zeros(3))
    np.testing.assert_array_equal(tg.hessian(lambda x: x.sum())(X), np.zeros((3, 3)))
    assert tg.jacobian(lambda x: x[:0])(X).shape == (0, 3)


def test_auxiliary_results_and_argnums():
    gradient, aux = tg.grad(lambda a, b: ((a * b).sum(), {"a": a}), 1, has_aux=True)(X, 2 * X)
    np.testing.assert_array_equal(gradient, X)
    np.testing.assert_array_equal(aux["a"], X)
    value, both = tg.value_and_grad(lambda a, *, k, b: k * a * b, has_aux=False)(2.0, k=3, b=5)
    assert (float(value), float(both)) == (30.0, 15.0)
    assert float(tg.grad(lambda a, b: a * b * b, -1)(2.0, 3.0)) == 12.0


def test_transforms_nest_to_any_order():
    function, expected = np.sin, np.sin
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin):
        function = tg.grad(function)
        np.testing.assert_allclose(function(0.7), expected(0.7), rtol=1e-12)


def test_an_inner_gradient_depends_on_the_outer_variable():
    def outer(w):
        return tg.grad(lambda x: (w * x**2).sum())(X).sum()

    np.testing.assert_allclose(tg.grad(outer)(3.0), 2 * X.sum())


def test_they_mix_with_backward():
    w = tg.Tensor(2.0, requires_grad=True)
    x = tg.Tensor(X, requires_grad=True)
    slope = tg.grad(lambda x: (w * x**3).sum())(x)
    (slope * slope).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * (6 * X**2) * 12 * X)
    np.testing.assert_allclose(w.grad, (2 * 6 * X**2 * 3 * X**2).sum())
    with tg.no_grad():
        assert not tg.grad(lambda x: (w * x**3).sum())(x).requires_grad


def test_the_value_stays_in_the_graph_of_its_tensor():
    x = tg.Tensor(X, requires_grad=True)
    y = x * 2
    value, _ = tg.value_and_grad(f)(y)
    value.backward()
    np.testing.assert_allclose(x.grad, 2 * tg.grad(f)(2 * X))


def test_float32_stays_float32():
    x = X.astype(np.float32)
    assert tg.grad(f)(x).dtype == np.float32
    assert tg.hessian(f)(x).dtype == np.float32
    assert tg.jvp(np.sin, (x,), (x,))[1].dtype == np.float32


@given(graphs())
def test_jvp_and_vjp_are_one_number(graph):
    inputs = graph.inputs
    tangents = tuple(np.cos(1.0 + np.arange(x.size)).reshape(x.shape) for x in inputs)
    _, moved = tg.jvp(graph, inputs, tangents)
    gradients = tg.grad(graph, range(len(inputs)))(*inputs)
    terms = [g * t for g, t in zip(gradients, tangents, strict=True)]
    size = sum(np.abs(term).sum() for term in terms)
    np.testing.assert_allclose(moved, sum(t.sum() for t in terms), atol=1e-12 * (1 + size))


def test_hessians_are_pytorchs():
    torch = needs("torch")

    def g(x):
        return np.logaddexp(x[0] * x[1], np.tanh(x[2])) * x[2] ** 2

    def there(x):
        return torch.logaddexp(x[0] * x[1], torch.tanh(x[2])) * x[2] ** 2

    expected = torch.autograd.functional.hessian(there, torch.tensor(X)).numpy()
    np.testing.assert_allclose(tg.hessian(g)(X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tg.grad(lambda x: x)(X), ShapeError, "returns shape (3,)"),
        (lambda: tg.grad(f)(np.arange(3)), DTypeError, "cannot need a gradient"),
        (lambda: tg.grad(f, 1)(X), UsageError, "argnums=1 of a call with 1"),
        (lambda: tg.grad(f)("text"), DTypeError, "cannot differentiate by str"),
        (lambda: tg.grad(lambda x: (x.sum(), 1))(X), UsageError, "has_aux=True"),
        (lambda: tg.grad(f, has_aux=True)(X), UsageError, "returns a pair"),
        (lambda: tg.jvp(f, (X,), (X[:2],)), ShapeError, "shape (2,) for a value of shape (3,)"),
        (lambda: tg.jvp(f, (X,), ()), UsageError, "0 gradients or tangents for 1"),
        (lambda: tg.vjp(np.sin, X)[1](np.ones(2)), ShapeError, "shape (2,) for a value"),
    ],
)
def test_mistakes_are_named(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_inside_a_compiled_step():
    def run(compiled):
        w = tg.Tensor(X, requires_grad=True)

        def step(x):
            loss, gradient = tg.value_and_grad(lambda w: ((w * x).sum() - 1.0) ** 2)(w)
            w.data = w.data - 0.1 * gradient.data
            return loss

        step = tg.compile(step) if compiled else step
        losses = [float(step(tg.Tensor(X + i) if not compiled else X + i).data) for i in range(5)]
        return losses, w.data

    losses, w = run(compiled=True)
    expected_losses, expected = run(compiled=False)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-13)
    np.testing.assert_allclose(w, expected, rtol=1e-13)


def test_second_derivatives_inside_a_compiled_step():
    w = tg.Tensor(X, requires_grad=True)

    def penalty(x):
        slope = tg.grad(lambda x: (w * x**2).sum())(x)
        w.grad = None
        (slope * slope).sum().backward()
        return (slope * slope).sum(), tg.Tensor(w.grad)

    step = tg.compile(penalty)
    for _ in range(4):
        value, gradient = step(X)
    np.testing.assert_allclose(value.data, (4 * X**4).sum(), rtol=1e-13)
    np.testing.assert_allclose(gradient.data, 8 * X**3, rtol=1e-13)
