"""`why` on planted situations: verdict, cause, and what the text must name."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.doctor.situations import SITUATIONS
from tinygrad_mlp import nn
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.origin import tick

objects = gc.get_objects


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_planted_situation_is_recognised(user, name, monkeypatch):
    began = tick()  # what other tests hold is no part of this program
    monkeypatch.setattr(
        "tinygrad_mlp.doctor.living.gc.get_objects",
        lambda: [x for x in objects() if issubclass(type(x), tg.Tensor) and x.birth > began],
    )
    planted = SITUATIONS[name]
    run = user(planted.source + "\nanswer = tg.why(t)")
    answer = run["answer"]
    assert (answer.verdict, answer.cause) == (planted.verdict, planted.cause), str(answer)
    for text in planted.texts:
        assert text in str(answer)
    assert answer.tensor is run["t"]


def test_there_are_enough_situations():
    assert len(SITUATIONS) >= 30
    assert len({s.cause for s in SITUATIONS.values()}) >= 30


def test_the_loss_may_be_named():
    w, v = (tg.Tensor([1.5, k], requires_grad=True, name=n) for k, n in enumerate("wv"))
    mine, other = (w * w).sum(), (v * v).sum()
    other.backward()
    assert tg.why(w, other).cause == "dead-end"
    assert tg.why(w, mine).cause == "not-run"


def test_an_answer_carries_the_path_and_the_factors():
    model = nn.MLP(2, [3], 1, rng=0)
    loss = nn.MSELoss()(model([[0.3, 0.1]]), [[0.4]])
    loss.backward()
    answer = tg.why(model[0].weight)
    assert answer.path[0] is loss
    assert answer.path[-1] is model[0].weight
    assert [f.label for f in answer.factors] == ["loss", "3", "2", "1", "0"]
    size = answer.factors[-1].size
    assert size == pytest.approx(float(np.sqrt(np.mean(model[0].weight.grad ** 2))))
    whole = np.prod([f.factor for f in answer.factors])
    assert whole == pytest.approx(size)
    assert repr(answer) == str(answer)
    assert answer._repr_markdown_().startswith("**fine: fine**")


def test_a_graph_that_is_gone():
    w = tg.Tensor([0.0], requires_grad=True)
    (w * w).sum().backward()
    answer = tg.why(w)
    assert (answer.verdict, answer.cause) == ("zero", "graph-gone")


def test_asking_changes_nothing():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    before = w.grad.copy()
    tg.why(w)
    assert np.array_equal(w.grad, before)
    assert loss.op.name == "sum"


def test_asking_why_there_is_no_gradient_calls_no_hook():
    w, calls = tg.Tensor([1.0, 2.0], requires_grad=True), []
    h = w * w
    h.register_hook(calls.append)
    assert tg.why(w, h.sum()).cause == "not-run"
    assert calls == []


@pytest.mark.parametrize("wrong", [np.ones(2), None, "w"])
def test_only_tensors_can_be_asked_about(wrong):
    with pytest.raises(UsageError, match="the tensor itself and not its gradient"):
        tg.why(wrong)
