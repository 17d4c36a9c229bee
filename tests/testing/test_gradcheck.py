"""gradcheck: right functions pass to any order, wrong ones are told where and how."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import tinygrad_mlp as tg
from tests.planted import planted
from tinygrad_mlp.errors import GradientMismatchError, UsageError
from tinygrad_mlp.testing import gradcheck
from tinygrad_mlp.testing.differences import by_complex_step, by_differences
from tinygrad_mlp.testing.strategies import graphs, layer_stacks


def test_differences_know_nothing_of_rules():
    def f(xs):
        return [np.sin(xs[0]) * xs[1], np.exp(xs[1])]

    xs = [np.array([0.3, 0.7]), np.array([1.5])]
    exact = [[1.5 * np.cos(0.3), 0.0], [0.0, 1.5 * np.cos(0.7)], [0.0, 0.0]]
    np.testing.assert_allclose(by_differences(f, xs, 0), exact, atol=1e-11)
    np.testing.assert_allclose(by_complex_step(f, xs, 0), exact, rtol=1e-15)
    np.testing.assert_allclose(
        by_complex_step(f, xs, 1)[:, 0], [np.sin(0.3), np.sin(0.7), np.exp(1.5)], rtol=1e-15
    )


def test_functions_of_several_inputs_to_third_order():
    def f(a, b, c):
        return np.tanh(a @ b) / (1 + c * c)

    rng = np.random.default_rng(0)
    report = gradcheck(f, rng.normal(size=(2, 3)), rng.normal(size=3), 0.7, order=3)
    assert report
    assert str(report) == "f: all gradients are right to order 3"


def test_several_results_and_a_closure():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    def f(x):
        return x * w, (x * x).sum()

    assert gradcheck(f, [0.5, 0.6], order=2)
    assert w.grad is None, "nobody's .grad is touched"


def test_the_point_may_be_anything_and_is_left_alone():
    x = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True, name="x")
    index = np.array([0, 2, 2])
    assert gradcheck(lambda x, k, s: x[:, k] * s, x, index, 3)
    assert x.dtype == np.float32
    assert x.grad is None


def test_works_inside_no_grad():
    with tg.no_grad():
        assert gradcheck(lambda x: x * x, [1.0, 2.0], order=2)


def test_a_function_that_does_not_depend_on_an_input():
    assert gradcheck(lambda x, y: x * 2, [1.0], [2.0], order=2)
    assert gradcheck(lambda x: np.zeros(3), [1.0])


@given(graph=graphs())
def test_random_graphs_are_right_to_second_order(graph):
    assert gradcheck(graph, *graph.inputs, order=2, relative=1e-6)


def test_a_model_with_its_parameters_as_inputs():
    def model(x, w1, b1, w2):
        return 1 / (1 + np.exp(-(np.tanh(x @ w1.T + b1) @ w2.T)))

    rng = np.random.default_rng(1)
    shapes = ((4, 2), (3, 2), (3,), (1, 3))
    assert gradcheck(model, *(rng.normal(size=shape) for shape in shapes), order=2)


@given(drawn=layer_stacks())
def test_a_model_and_its_own_parameters(drawn):
    model, x = drawn
    before = [(p, p.data, p.birth) for p in model.parameters()]
    assert gradcheck(model, x, parameters=model.parameters(), order=2, relative=1e-6)
    for p, data, birth in before:
        assert (p.data is data, p.birth, p.op, p.grad) == (True, birth, None, None)


def test_parameters_are_told_by_name_and_given_back_after_a_mistake():
    w = tg.Tensor(np.full(2, 3.0, np.float32), requires_grad=True, name="weights")
    with broken(lambda g, y, x: g * x) as op:
        report = gradcheck(lambda x: op(w) * x, [1.0, 2.0], parameters=[w], raises=False)
        with pytest.raises(ZeroDivisionError):
            gradcheck(lambda x: w * (1 / 0), [1.0], parameters=[w])
    (mismatch,) = report.mismatches
    assert mismatch.label == "weights"
    assert w.is_leaf
    assert w.requires_grad
    assert w.dtype == np.float32
    (w * 2).sum().backward()
    np.testing.assert_array_equal(w.grad, [2.0, 2.0])


# ------------------------------------------------------------------ wrong ones


def broken(rule, forward=np.square):
    return planted("broken", forward, rule)


def test_the_report_names_input_index_numbers_and_ratio():
    with broken(lambda g, y, x: g * x) as op:
        report = gradcheck(
            lambda a, b: a * op(b), 2.0, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], raises=False
        )
    assert not report
    (mismatch,) = report.mismatches
    assert mismatch.label == "b"
    assert mismatch.worst == (1, 2)
    assert mismatch.ratio == pytest.approx(0.5)
    text = str(report)
    assert "the gradient of input 'b' differs at 6 of 6 entries; worst at [1, 2]: got " in text
    assert "(ratio 0.5)" in text
    assert "analytic = 0.50 × numeric at all 6 entries; missing factor 2?" in text
    assert "Inputs: a = 2, b = [[1., 2., 3.], [4., 5., 6.]]" in text


def test_it_raises_what_pytest_shows():
    with (
        broken(lambda g, y, x: -2.0 * g * x) as op,
        pytest.raises(AssertionError, match=r"−1 × numeric.*wrong sign") as caught,
    ):
        gradcheck(op, [1.0, 2.0])
    assert isinstance(caught.value, GradientMismatchError)
    assert caught.value.report.mismatches[0].subject == "broken"


def test_names_of_tensors_and_names_that_are_given():
    with broken(lambda g, y, x: g * x) as op:
        named = tg.Tensor([1.0], name="weights")
        assert "'weights'" in str(gradcheck(op, named, raises=False))
        assert "'theta'" in str(gradcheck(op, [1.0], names=["theta"], raises=False))


def test_right_at_first_order_and_wrong_at_second():
    with (
        planted("frozen", lambda x: x * 1.0) as frozen,
        broken(lambda g, y, x: g * frozen(2.0 * x)) as op,
    ):
        assert gradcheck(op, [1.0, 2.0])
        report = gradcheck(op, [1.0, 2.0], order=2, raises=False)
    assert "gradient of order 2 of input 'x'" in str(report)
    assert {mismatch.order for mismatch in report.mismatches} == {2}


def test_the_op_at_fault_is_named_with_its_line():
    with broken(lambda g, y, x: g * x) as op:

        def network(x, w):
            h = np.tanh(x @ w)
            return op(h).sum() + np.exp(h).mean()

        report = gradcheck(network, np.ones((2, 3)), np.full((3, 2), 0.1), raises=False)
    assert {mismatch.label for mismatch in report.mismatches} == {"x", "w"}
    assert "the op at fault is broken at test_gradcheck.py:" in str(report)
    assert ": wrong factor" in str(report)
    assert str(report).count("at fault") == 2


def test_the_op_at_fault_at_second_order():
    with (
        planted("frozen", lambda x: x * 1.0) as frozen,
        broken(lambda g, y, x: g * frozen(2.0 * x)) as op,
    ):
        report = gradcheck(lambda x: np.sin(op(x)), [1.0, 2.0], order=2, raises=False)
    assert "the op at fault is broken" in str(report)
    assert "wrong at second order only" in str(report)


def test_nobody_is_blamed_for_a_hook():
    def f(x):
        y = x * x
        y.register_hook(lambda g: 2 * g)
        return y * 3

    report = gradcheck(f, [1.0, 2.0], raises=False)
    assert "2.00 × numeric" in str(report)
    assert "at fault" not in str(report)


def test_a_kink_nearby_is_pointed_out():
    report = gradcheck(abs, [0.0005, 1.0], raises=False)
    assert "worst at [0]" in str(report)
    assert "there is a kink at or next to this point: the slope is" in str(report)
    assert "at fault" not in str(report)
    assert gradcheck(abs, [0.5, 1.0])


def test_a_curve_is_no_kink():
    with broken(lambda g, y, x: g * 1.5 * np.cos(x), np.sin) as op:
        report = gradcheck(op, [1.57079, 0.1], raises=False)
    assert "kink" not in str(report)
    assert "1.50 × numeric" in str(report)


def test_a_gradient_that_is_not_finite():
    with np.errstate(all="ignore"):
        report = gradcheck(np.sqrt, [0.0, 1.0], raises=False)
    assert not report
    assert "not finite" in str(report)
    assert "at fault" not in str(report)


def test_transposed_and_missing_pieces():
    with planted(
        "product", np.matmul, (lambda g, y, a, b: g @ b, lambda g, y, a, b: (a.mT @ g).mT)
    ) as op:
        report = gradcheck(op, np.eye(3) + 0.1, np.arange(9.0).reshape(3, 3), raises=False)
    assert "the right numbers in the wrong places" in str(report)


def test_tolerances():
    with broken(lambda g, y, x: g * (2.0001 * x)) as op:
        assert not gradcheck(op, [1.0, 2.0], raises=False)
        assert gradcheck(op, [1.0, 2.0], relative=1e-3)


def test_an_order_below_one():
    with pytest.raises(UsageError, match="lowest order is 1"):
        gradcheck(np.sin, 1.0, order=0)
