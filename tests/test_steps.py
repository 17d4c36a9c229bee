"""The passes as data say what the engine does, bit for bit."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GraphError, InPlaceError
from tinygrad_mlp.formulas import letters
from tinygrad_mlp.steps import BackwardStep, SeedStep, backward_steps, forward_steps, replay

OPS = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b * 0.5,
    "sub": lambda a, b: a - b,
    "tanh": lambda a, _: np.tanh(a),
    "row": lambda a, b: a - b.mean(axis=0),
    "times": lambda a, b: (a @ b.T) @ b * 0.1,
}


@st.composite
def graphs(draw):
    """A random graph of smooth ops on small matrices, and its leaves."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    leaves = [tg.Tensor(rng.normal(size=(2, 3)), requires_grad=bool(i)) for i in range(3)]
    pool = list(leaves)
    for _ in range(draw(st.integers(1, 12))):
        a, b = (pool[draw(st.integers(0, len(pool) - 1))] for _ in range(2))
        op = draw(st.sampled_from(sorted(OPS)))
        pool.append(OPS[op](a, b))
    total = leaves[1].sum()
    for part in pool[3:]:
        total = total + part.sum()
    return total, leaves


@hypothesis.given(graphs())
def test_the_last_total_of_every_tensor_is_its_gradient(drawn):
    root, _ = drawn
    steps = list(backward_steps(root))
    root.backward()
    assert isinstance(steps[0], SeedStep)
    last = {step.x.birth: step for step in steps[1:]}
    for step in last.values():
        assert step.part == step.parts
        np.testing.assert_array_equal(step.total, step.x.grad)


@hypothesis.given(graphs())
def test_contributions_add_up(drawn):
    root, _ = drawn
    sums: dict[int, object] = {}
    for step in list(backward_steps(root))[1:]:
        sums[step.x.birth] = sums.get(step.x.birth, 0) + step.contribution
        np.testing.assert_allclose(sums[step.x.birth], step.total, rtol=1e-12, atol=1e-12)


@hypothesis.given(graphs())
def test_replay_computes_what_the_graph_computed(drawn):
    root, leaves = drawn
    np.testing.assert_array_equal(replay(root, {leaves[1].birth: leaves[1].data}), root.data)
    assert replay(root, {}) is root.data


def test_nobodys_gradient_is_touched():
    w = tg.Tensor(2.0, requires_grad=True)
    y = w * w
    list(backward_steps(y))
    assert w.grad is None
    assert y.grad is None


def test_hooks_run_once_and_are_steps_of_their_own():
    w = tg.Tensor(1.0, requires_grad=True, name="w")
    h = w * 2.0
    loss = (h - 0.0) ** 2
    h.name, loss.name, calls = "h", "loss", []
    h.register_hook(lambda g: calls.append(g) or g * 10)
    w.register_hook(lambda g: g + 0.5)
    loss.register_hook(lambda _: None)
    steps = list(backward_steps(loss))
    assert len(calls) == 1
    assert [repr(step) for step in steps] == [
        "<seed: ∂loss/∂loss = 1>",
        "<backward: ∂loss/∂sub = g · 2 · sub = 1 × 4 = 4   (constant_power, input 0)>",
        "<backward: ∂loss/∂h = g = 4 × 1 = 4   (sub, input 0)>",
        "<hook: ∂loss/∂h = 40, was 4   (hook)>",
        "<backward: ∂loss/∂w = g · 2 = 40 × 2 = 80   (mul, input 0)>",
        "<hook: ∂loss/∂w = 80.5, was 80   (hook)>",
    ]
    loss.backward()
    assert steps[-1].total == w.grad
    assert steps[3].total == h.grad


def test_a_hook_may_change_the_first_gradient():
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = w.sum()
    loss.register_hook(lambda g: g * 3)
    seed, hooked, last = backward_steps(loss)
    assert (seed.total, hooked.before, hooked.total) == (1, 1, 3)
    loss.backward()
    np.testing.assert_array_equal(last.total, w.grad)


def test_what_is_not_finite_is_told_without_a_warning():
    w = tg.Tensor([0.0, np.inf], requires_grad=True)
    with np.errstate(all="ignore"):
        loss = (w * w * 1e300).sum()
    last = list(backward_steps(loss))[-1]
    with np.errstate(all="ignore"), pytest.warns(tg.errors.TrainingWarning):
        loss.backward()
    np.testing.assert_array_equal(last.total, w.grad)


def test_one_step_per_edge_with_readable_reprs():
    w, x = tg.Tensor(3.0, requires_grad=True, name="w"), tg.Tensor([1.0, 2.0], name="x")
    loss = (w * x).sum()
    loss.name = "loss"
    steps = list(backward_steps(loss))
    assert [repr(step) for step in steps] == [
        "<seed: ∂loss/∂loss = 1>",
        "<backward: ∂loss/∂mul = repeat(g) = [1, 1]   (sum, input 0)>",
        "<backward: ∂loss/∂w = Σ g x = 3   (mul, input 0)>",
    ]
    assert [repr(step) for step in forward_steps(loss)] == [
        "<forward: mul = w x = [3, 6]>",
        "<forward: loss = Σ mul = 9>",
    ]


def test_the_slope_of_a_scalar_edge_is_its_rule_for_one():
    w = tg.Tensor(0.5, requires_grad=True)
    step = list(backward_steps(np.tanh(w)))[-1]
    assert isinstance(step, BackwardStep)
    assert step.local == pytest.approx(1 - np.tanh(0.5) ** 2)
    vector = tg.Tensor([1.0, 2.0], requires_grad=True)
    assert list(backward_steps(vector.sum()))[-1].local is None


def test_what_cannot_be_run_backward_has_no_steps():
    with pytest.raises(GraphError, match="needs a gradient"):
        list(backward_steps(tg.Tensor(1.0) * 2))
    w = tg.Tensor(1.0, requires_grad=True)
    y = w * w * w
    y.backward(keep_graph=False)
    with pytest.raises(GraphError):
        list(backward_steps(y))
    z = w * w
    w.data -= 1.0
    with pytest.raises(InPlaceError):
        list(backward_steps(z))


def test_a_chain_of_a_hundred_thousand_ops():
    y = w = tg.Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        y = y * 1.00001
    last = None
    for last in backward_steps(y):  # noqa: B007 - only the last one is looked at
        pass
    assert last.x is w
    y.backward()
    assert last.total == w.grad


def test_records_keep_the_path_and_their_formulas_have_a_letter():
    model = tg.nn.Sequential(tg.nn.Linear(2, 2, rng=0), tg.nn.Linear(2, 1, rng=1))
    loss = model(tg.Tensor(np.ones((1, 2)), name="x")).sum()
    first = next(forward_steps(loss))
    assert first.operands == ("x", "0.weight", "0.bias")
    assert str(first.formula) == "x W₀ᵀ + b₀"
    assert first.formula.latex == r"x\,W_{0}^{\top} + b_{0}"
    edges = [step for step in backward_steps(loss) if isinstance(step, BackwardStep)]
    assert str(next(s.rule for s in edges if s.operands[1:2] == ("1.weight",))) == "g W₁"
    assert {s.x_name for s in edges} >= {"0.weight", "0.bias", "1.weight", "1.bias"}


@pytest.mark.parametrize(
    ("path", "text", "latex"),
    [
        ("0.weight", "W₀", "W_{0}"),
        ("10.bias", "b₁₀", "b_{10}"),
        ("0.1.weight", "W₀.₁", "W_{0.1}"),
        ("1.a.weight", "W_1.a", r"W_{\mathrm{1.a}}"),
        ("layers.0.gamma", "gamma_layers.0", r"\gamma_{\mathrm{layers.0}}"),
        ("0.scale_1", "scale_1₀", r"\mathrm{scale\_1}_{0}"),
        ("encoder.weight", None, None),
        ("weights.0", None, None),
        ("x1.weight", None, None),
    ],
)
def test_paths_with_numbers_have_letters(path, text, latex):
    leaf = tg.Tensor(1.0)
    expected = {} if text is None else {path: (text, latex)}
    assert letters([leaf], {leaf.birth: path}) == expected
    leaf.name = path
    assert letters([leaf], {leaf.birth: path}) == {}
