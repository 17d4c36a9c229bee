"""The nudge report, the strategies and the helper for pytest."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tests.planted import planted
from tinygrad_mlp import testing
from tinygrad_mlp.errors import MissingExtraError, ShapeError
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.testing import nudge, strategies

# ------------------------------------------------------------------ nudge


def wave(x, y):
    return (np.sin(x) * y).sum()


def test_truncation_and_round_off():
    report = nudge(wave, [0.3, 1.2], [2.0, 1.0])
    errors = {row.step: row.central_error for row in report.rows}
    assert errors[1e-2] / errors[1e-3] == pytest.approx(100, rel=0.1)
    assert errors[1e-12] > 1e3 * report.best.central_error
    one_sided = {row.step: row.one_sided_error for row in report.rows}
    assert one_sided[1e-2] / one_sided[1e-3] == pytest.approx(10, rel=0.1)
    assert 1e-8 < report.best.step < 1e-3


def test_the_derivative_is_a_sensitivity():
    report = nudge(wave, [0.3, 1.2], [2.0, 1.0], index=1)
    assert report.derivative == pytest.approx(np.cos(1.2))
    assert report.rows[2].moved == pytest.approx(1e-3 * np.cos(1.2), rel=1e-2)
    text = str(report)
    assert text.startswith("wave = 1.52308, and d wave / d x[1] = 0.362358:\n")
    assert "move x[1] by 0.01, and wave moves by about 0.003624." in text
    assert "truncation" in text
    assert "round-off" in text


def test_nudging_another_argument_and_the_largest_entry():
    report = nudge(wave, [0.3, 1.2], [2.0, 1.0], wrt=1)
    assert (report.label, report.index) == ("y", (1,))


def test_nudge_watches_one_number():
    with pytest.raises(ShapeError, match=r"one number.*shape \(2,\)"):
        nudge(np.sin, [1.0, 2.0])


# ------------------------------------------------------------------ strategies


@given(strategies.shapes(max_dims=2, max_side=3))
def test_shapes(shape):
    assert len(shape) <= 2
    assert all(0 <= side <= 3 for side in shape)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3)])
def test_every_kind_of_shape_is_drawn(shape):
    assert find(strategies.shapes(), lambda drawn: drawn == shape) == shape


@given(strategies.broadcastable(3))
def test_broadcastable(shapes):
    np.broadcast_shapes(*shapes)
    assert len(shapes) == 3


@given(strategies.tensors(strategies.shapes(), low=1.0, high=2.0))
def test_tensors(tensor):
    assert tensor.requires_grad
    assert np.all((tensor.data >= 1) & (tensor.data <= 2))


@given(strategies.tensors((2, 3), dtype=np.float32, requires_grad=False))
def test_tensors_of_one_shape(tensor):
    assert (tensor.shape, tensor.dtype, tensor.requires_grad) == ((2, 3), np.float32, False)


@given(strategies.away_from_kinks((3, 2), kinks=(0.0, 1.0), margin=0.05))
def test_away_from_kinks(x):
    assert np.all(np.abs(x) > 0.05)
    assert np.all(np.abs(x - 1.0) > 0.05)


@given(data=st.data())
def test_cases_fit_their_op(data):
    op = data.draw(st.sampled_from([REGISTRY[name] for name in ("matmul", "max", "getitem")]))
    case = data.draw(strategies.cases(op))
    assert case.g.shape == case.y.shape


@given(strategies.graphs())
def test_graphs_are_bounded_numbers(graph):
    loss = graph(*(tg.Tensor(x, requires_grad=True) for x in graph.inputs))
    assert loss.shape == ()
    assert abs(loss.item()) < 10


def test_graphs_share_parts():
    def shares(graph):
        used = [place for _, places in graph.steps for place in places]
        return any(used.count(place) > 1 for place in range(3, 3 + len(graph.steps)))

    assert find(strategies.graphs(), shares)


@given(strategies.layer_stacks())
def test_layer_stacks_have_right_gradients(drawn):
    model, x = drawn
    assert testing.gradcheck(model, x, names=["x"])


# ------------------------------------------------------------------ pytest, extras


def test_each_op_marks_a_test():
    with planted("mine", np.sin, lambda g, y, x: g * np.cos(x)) as mine:
        mark = testing.each_op(mine)
        assert mark.args == ("op", [mine])
        assert mark.kwargs["ids"](mine) == "mine"
        assert mine in testing.each_op().args[1]


def test_hypothesis_is_imported_when_it_is_needed_and_not_before():
    code = (
        "import sys; from tinygrad_mlp import testing; testing.gradcheck(lambda x: x * x, 1.0); "
        "print(sorted({'hypothesis', 'pytest'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "[]"


def test_without_hypothesis_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis.extra.numpy", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[test\]"):
        testing.check_op(REGISTRY["tanh"])
    with pytest.raises(ImportError):
        strategies.shapes()


def test_without_pytest_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(MissingExtraError, match=r"each_op\(\) needs pytest"):
        testing.each_op()
