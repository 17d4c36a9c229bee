"""A user's own op: first-class at once, held to the contract, honest about what it cannot do."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import functional as F
from tinygrad_mlp.errors import GradientError, UnsupportedError, UsageError
from tinygrad_mlp.formulas import formula, rule_formula
from tinygrad_mlp.ops import REGISTRY

X = np.array([[0.3, -2.0], [1.0, 4.0]])


@pytest.fixture(autouse=True)
def _no_op_stays():
    before = dict(REGISTRY)
    yield
    for name in set(REGISTRY) - set(before):
        del REGISTRY[name]


def soft(**more):
    return tg.define_op(
        "soft",
        forward=lambda x, t=1.0: t * np.logaddexp(0.0, x / t),
        vjp=lambda g, y, x, t: g * F.sigmoid(x / t),
        text="<t> log(1 + exp(<0> / <t>))",
        **more,
    )


def test_it_computes_records_and_differentiates_twice():
    op = soft()
    np.testing.assert_allclose(op(X, t=2.0), 2 * np.log1p(np.exp(X / 2)))
    np.testing.assert_allclose(op(X), np.log1p(np.exp(X)))
    s = 1 / (1 + np.exp(-X / 2))
    np.testing.assert_allclose(tg.grad(lambda x: op(x, t=2.0).sum())(X), s)
    second = tg.hvp(lambda x: op(x, 2.0).sum(), X, np.ones_like(X))
    np.testing.assert_allclose(second, s * (1 - s) / 2)


def test_it_writes_its_formula():
    op, attrs = soft(), {"t": 2.0}
    y = op(X, t=2.0)
    assert str(formula(op, (y, X), attrs)) == "2.0 log(1 + exp(x / 2.0))"
    assert str(rule_formula(op, 0, (y, X), attrs)) == "g σ(x / 2)"


def test_it_is_compiled():
    op = soft()

    def run(compile_it):
        w = tg.Tensor(X, requires_grad=True)

        def step(x):
            loss = op(w * x, t=0.5).sum()
            w.grad = None
            loss.backward()
            w.data = w.data - 0.1 * w.grad
            return loss

        step = tg.compile(step) if compile_it else step
        return [float(step(X if compile_it else tg.Tensor(X)).data) for _ in range(5)]

    np.testing.assert_allclose(run(compile_it=True), run(compile_it=False), rtol=1e-13)


def test_several_inputs_and_a_label():
    op = tg.define_op(
        "scaled",
        lambda x, k, mask: np.where(mask, x * k, 0.0),
        (
            lambda g, y, x, k, mask: np.where(mask, g * k, 0),
            lambda g, y, x, k, mask: np.where(mask, g * x, 0),
            None,
        ),
    )
    k = tg.Tensor(3.0, requires_grad=True)
    x = tg.Tensor(X, requires_grad=True)
    op(x, k, X > 0).sum().backward()
    np.testing.assert_array_equal(x.grad, np.where(X > 0, 3.0, 0.0))
    np.testing.assert_allclose(k.grad, X[X > 0].sum())


def test_plain_numbers_are_fine_as_results():
    op = tg.define_op("half", lambda x: float(x.sum()) / 2, lambda g, y, x: g * 0.5)
    x = tg.Tensor(4.0, requires_grad=True)
    y = op(x)
    assert y.data.shape == ()
    y.backward()
    assert x.grad == 0.5


def arrays_only():
    """The error function by a loop: no tensor, symbol or variable can go through it."""

    def each(f, x):
        return np.array([f(v) for v in x.ravel()]).reshape(x.shape)

    return tg.define_op(
        "loop",
        lambda x: each(math.erf, x),
        lambda g, y, x: g * 2 / math.sqrt(math.pi) * each(lambda v: math.exp(-v * v), x),
    )


def test_a_rule_for_arrays_gives_first_derivatives_and_says_what_it_cannot_do():
    op = arrays_only()
    x = tg.Tensor(X, requires_grad=True)
    op(x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 / math.sqrt(math.pi) * np.exp(-X * X))

    w = tg.Tensor(X, requires_grad=True)

    def step(x):
        loss = op(w * x).sum()
        loss.backward()
        return loss

    for attempt in (
        lambda: tg.hessian(lambda x: op(x).sum())(X),
        lambda: rule_formula(op, 0, (op(X), X), {}),
        lambda: [tg.compile(step)(X) for _ in range(3)],
    ):
        with pytest.raises(UnsupportedError) as caught:
            attempt()
        assert "understands arrays only" in str(caught.value)
        assert "no second ones, no formula and no compiled step" in str(caught.value)


def test_a_rule_that_drops_the_history_is_no_rule_for_second_order():
    op = tg.define_op("cut", lambda x: x * x, lambda g, y, x: np.asarray(getattr(x, "data", x)) * 2)
    with pytest.raises(UnsupportedError, match="arrays only"):
        tg.hessian(lambda x: op(x).sum())(X)


@pytest.mark.parametrize(
    "wrong", [lambda g: g.sum(), lambda g: g[0], lambda g: g.T, lambda g: g.T[None]]
)
def test_a_gradient_of_the_wrong_shape(wrong):
    op = tg.define_op("my_op", lambda x: 2.0 * x, lambda g, y, x: wrong(2.0 * g))
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(GradientError) as caught:
        op(x).sum().backward()
    shape = wrong(np.ones((2, 3))).shape
    assert f"my_op: gradient for input 0 'x' has shape {shape}, expected (2, 3)" in str(
        caught.value
    )
    assert "Summed instead of un-broadcast?" in str(caught.value)


def test_broadcasting_is_undone_for_the_rule():
    op = tg.define_op("plus", lambda a, b: a + b, (lambda g, y, a, b: g, lambda g, y, a, b: g))
    b = tg.Tensor(np.ones(2), requires_grad=True)
    op(X, b).sum().backward()
    np.testing.assert_array_equal(b.grad, [2.0, 2.0])


@pytest.mark.parametrize(
    ("define", "text"),
    [
        (lambda: tg.define_op("sin", np.sin), "an op named 'sin' exists already"),
        (
            lambda: tg.define_op("a", lambda x: x, lambda g, x: g),
            "its rule takes (g, x), and will be given (g, y, x)",
        ),
        (
            lambda: tg.define_op("b", lambda x, t=1: x, lambda g, y, x: g),
            "will be given (g, y, x, t=)",
        ),
        (
            lambda: tg.define_op("c", lambda a, b: a * b, lambda g, y, a, b: g),
            "one rule for 2 inputs (a, b)",
        ),
        (
            lambda: tg.define_op("d", lambda a, b: a * b, (lambda g, y, a, b: g,)),
            "1 rules for 2 inputs (a, b)",
        ),
    ],
)
def test_mistakes_are_found_when_it_is_defined(define, text):
    with pytest.raises(UsageError) as caught:
        define()
    assert text in str(caught.value)


def test_a_cell_of_a_notebook_may_run_twice():
    first, second = soft(), soft(replace=True)
    assert first is not second
    assert REGISTRY["soft"] is second
