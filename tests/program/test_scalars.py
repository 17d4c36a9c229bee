"""Tiny steps in Python's own numbers: what is written, and that it says the same."""

import numpy as np

import tinygrad_mlp as tg
from tests.program.steps import Training
from tinygrad_mlp import nn


def compiled_and_eager(**kwargs):
    ours, theirs = (Training(nn.MLP(2, [5], 1, rng=0), batch=1, **kwargs) for _ in range(2))
    step = tg.compile(ours.step)
    for x, y in ours.batches(6):
        expected = theirs.step(tg.Tensor(x), tg.Tensor(y)).item()
        np.testing.assert_allclose(step(x, y).item(), expected, rtol=1e-12)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    return step, ours, theirs


def test_a_product_begins_with_what_is_multiplied_anyway():
    step, *_ = compiled_and_eager()
    text, _, _ = step.executed["scalars"].partition("def epoch")
    lines = [line.strip() for line in text.splitlines()]
    assert "d_linear_0_0 = d_weight_2_0_0 * weight_2_0_0 * (1.0 - sigmoid_0_0)" in lines
    assert "def step(x_0_0, x_0_1, y_0_0, lr):" in lines
    assert "[[number_0, number_1]] = x.tolist()" in step.executed["call"]
    assert "number_2 = y.item()" in step.executed["call"]


def test_products_of_many_factors():
    factors = [tg.Tensor([0.5 + k], requires_grad=True, name=f"w{k}") for k in range(5)]

    def step(x):
        product = x
        for w in factors:
            product = product * w
            w.grad = None
        (product * product * x).sum().backward()
        return product

    compiled = tg.compile(step)
    for value in (1.5, -0.25, 3.0, 1.0):
        x = np.array([value])
        expected = step(tg.Tensor(x)).item()
        gradients = [w.grad.copy() for w in factors]
        np.testing.assert_allclose(compiled(x).item(), expected, rtol=1e-12)
        np.testing.assert_allclose([w.grad for w in factors], gradients, rtol=1e-12)
    assert "scalars" in compiled.executed


def test_the_rounds_of_a_loop_hand_over_state_and_only_the_last_leaves_gradients():
    step, ours, theirs = compiled_and_eager()
    batches = ours.batches(9)
    losses = step.scan(*map(np.array, zip(*batches, strict=True)))
    expected = [theirs.step(tg.Tensor(x), tg.Tensor(y)).item() for x, y in batches]
    np.testing.assert_allclose(losses.data, expected, rtol=1e-12)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    _, _, text = step.executed["scalars"].partition("def epoch")
    assert "weight_0_0_0 = weight_0_0_0 - lr * d_weight_0_0_0" in text
    assert "weight_grad" not in text


def test_state_that_changes_places():
    def make():
        a, b = tg.Tensor([1.0], name="a"), tg.Tensor([2.0], name="b")

        def step(x):
            a.data, b.data = b.data + x.data, a.data
            return a * 1.0

        return a, b, step

    a, b, step = make()
    c, d, eager = make()
    compiled = tg.compile(step)
    xs = np.arange(8.0).reshape(8, 1)
    expected = [eager(tg.Tensor(x)).tolist() for x in xs]
    assert compiled.scan(xs).tolist() == expected
    assert (a.tolist(), b.tolist()) == (c.tolist(), d.tolist())
    assert [compiled(x).tolist() for x in xs] == [eager(tg.Tensor(x)).tolist() for x in xs]
    assert "scalars" in compiled.executed


def test_arguments_called_like_the_memory():
    w = tg.Tensor([1.0], requires_grad=True, name="memory")

    def step(memory, pack_memory, view_memory):
        w.data = w.data * memory.data
        return w * pack_memory + view_memory

    compiled = tg.compile(step)
    for k in range(1, 6):
        result = compiled([2.0], [3.0], [4.0])
        assert result.tolist() == [2.0**k * 3.0 + 4.0]
    assert "scalars" in compiled.executed


def test_lengths_are_seen_before_anything_is_written():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        if x.shape == (1, 2):
            w.grad = None
        loss = (x * w).sum()
        loss.backward()
        return loss

    compiled = tg.compile(step)
    for _ in range(3):
        compiled([[1.0, 1.0]])
    for shape in [(2, 2), (1, 2, 2), (2,), (1, 1), (0, 2), (1, 2), (2, 1), ()]:
        w.grad = np.array([5.0, 5.0])
        compiled(np.full(shape, 3.0))
        got, w.grad = w.grad, np.array([5.0, 5.0])
        step(tg.Tensor(np.full(shape, 3.0)))
        assert got.tolist() == w.grad.tolist()
    assert "scalars" in compiled.executed


def test_numbers_that_are_called_like_the_ones_inside():
    compiled = tg.compile(lambda number_1, number_0: number_1 * 2.0 + number_0)
    for _ in range(4):
        assert compiled([1.0], [5.0]).tolist() == [7.0]
        assert compiled(number_0=[5.0], number_1=[1.0]).tolist() == [7.0]
