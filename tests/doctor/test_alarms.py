"""The warnings of training: said when something is wrong, and never when nothing is."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.alarms import PATIENCE
from tinygrad_mlp.errors import TrainingWarning


def test_a_step_without_backward(user):
    run = user("""
        model = nn.Linear(2, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        nn.MSELoss()(model(np.ones((3, 2))), np.ones((3, 1))).backward()
        optimizer.step()
        optimizer.step()
    """)
    assert "the gradients of all 2 parameters are from before the last step" in run.warned
    assert "Call loss.backward() before every optimizer.step()." in run.warned


def test_a_parameter_that_never_gets_a_gradient(user):
    run = user(f"""
        model, spare = nn.Linear(2, 1), nn.Linear(2, 2, bias=False)
        optimizer = optim.SGD([*model.parameters(), spare.weight], lr=0.01)
        for step in range({PATIENCE + 10}):
            optimizer.zero_grad()
            nn.MSELoss()(model(np.ones((3, 2))), np.ones((3, 1))).backward()
            optimizer.step()
    """)
    assert f"parameter 2 of shape (2, 2) has had no gradient in {PATIENCE} steps" in run.warned
    assert run.line("optimizer.step()") in run.warned


def test_a_parameter_that_gets_one_now_and_then_is_fine(user):
    run = user(f"""
        a, b = nn.Linear(2, 1), nn.Linear(2, 1)
        optimizer = optim.SGD([*a.parameters(), *b.parameters()], lr=0.01)
        for step in range({3 * PATIENCE}):
            optimizer.zero_grad()
            model = b if step % 20 == 7 else a
            nn.MSELoss()(model(np.ones((3, 2))), np.ones((3, 1))).backward()
            optimizer.step()
    """)
    assert run.warnings == []


def test_frozen_parameters_are_fine(user):
    run = user(f"""
        model = nn.MLP(2, [3], 1)
        model[0].requires_grad_(False)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        for step in range({2 * PATIENCE}):
            optimizer.zero_grad()
            nn.MSELoss()(model(np.ones((3, 2))), np.ones((3, 1))).backward()
            optimizer.step()
    """)
    assert run.warnings == []


@pytest.mark.parametrize("value", ["np.inf", "np.nan"])
def test_a_loss_that_is_no_number(user, value):
    run = user(f"""
        w = tg.Tensor([1.0], requires_grad=True)
        loss = (w * {value}).sum()
        loss.backward()
    """)
    assert f"'loss' is {value[3:]} ({run.line('loss = ')}, sum)" in run.warned
    assert "tg.detect_anomaly()" in run.warned


def test_in_fit_too(user):
    run = user("""
        model = nn.Linear(1, 1)
        X = np.array([[1.0], [np.nan]])
        tg.fit(model, (X, X), loss=nn.MSELoss(), optimizer=optim.SGD(model.parameters()))
    """)
    assert run.error is None
    assert run.warnings
    assert all("nan" in text for text in run.warnings)
    assert {f"train.py:{warning.lineno}" for warning in run.caught} == {run.line("tg.fit")}


def test_the_standard_filters_decide():
    w = tg.Tensor([1.0], requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", TrainingWarning)
        for _ in range(3):
            (w * np.inf).sum().backward()
            w.grad = None
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        (w * np.inf).sum().backward()
    with pytest.raises(TrainingWarning):
        (w * np.inf).sum().backward()


QUIET = {
    "backward often on one graph": """
        w = tg.Tensor([1.0], requires_grad=True)
        loss = (w * w).sum()
        for _ in range(20):
            loss.backward()
    """,
    "a trunk and many heads": """
        w = tg.Tensor([1.0, 2.0], requires_grad=True)
        h = np.tanh(w * 2)
        for k in range(20):
            (h * k).sum().backward()
    """,
    "a Jacobian by hand": """
        w = tg.Tensor(np.arange(8.0), requires_grad=True)
        y = w * w
        for k in range(8):
            w.grad = None
            y[k].backward()
    """,
    "losses that were computed long before": """
        w = tg.Tensor([1.0], requires_grad=True)
        losses = [(w * k).sum() for k in range(12)]
        for loss in losses[::-1]:
            loss.backward()
    """,
    "unrolled steps, differentiated": """
        w = start = tg.Tensor([1.0], requires_grad=True)
        for _ in range(8):
            inner = (w * w * w).sum()
            inner.backward(create_graph=True)
            w = w - 0.01 * w.grad
            start.grad = None
        (w * w).sum().backward()
    """,
    "a carried state, detached": """
        w = tg.Tensor(np.eye(2) / 2, requires_grad=True)
        h = tg.Tensor([1.0, 1.0])
        for step in range(12):
            h = np.tanh(w @ h.detach())
            w.grad = None
            (h ** 2).sum().backward()
    """,
    "two optimisers in turn": """
        a, b = nn.Linear(2, 1), nn.Linear(2, 1)
        x, y, loss_fn = np.ones((3, 2)), np.ones((3, 1)), nn.MSELoss()
        one, two = optim.SGD(a.parameters()), optim.Adam(b.parameters())
        for step in range(12):
            for model, optimizer in ((a, one), (b, two)):
                optimizer.zero_grad()
                loss_fn(model(x), y).backward()
                optimizer.step()
    """,
    "clipped and scaled gradients": """
        model, loss_fn = nn.MLP(2, [3], 1), nn.MSELoss()
        optimizer = optim.SGD(model.parameters())
        for step in range(8):
            optimizer.zero_grad()
            for part in range(3):
                loss_fn(model(np.ones((3, 2))), np.ones((3, 1))).backward(keep_graph=False)
            optim.clip_grad_norm_(model.parameters(), 0.1)
            for p in model.parameters():
                p.grad = p.grad / 3
            optimizer.step()
    """,
    "gradients set by hand": """
        w = tg.Tensor([1.0], requires_grad=True)
        optimizer = optim.SGD([w])
        for step in range(4):
            w.grad = np.ones(1)
            optimizer.step()
    """,
    "loaded weights": """
        model, loss_fn = nn.Linear(2, 1), nn.MSELoss()
        optimizer = optim.SGD(model.parameters())
        model.load_state_dict(model.state_dict())
        loss_fn(model(np.ones((3, 2))), np.ones((3, 1))).backward()
        loss_fn(model(np.ones((3, 2))), np.ones((3, 1))).backward()
        optimizer.step()
    """,
    "compiled steps, then eager ones": """
        model, loss_fn = nn.Linear(2, 1), nn.MSELoss()
        optimizer = optim.SGD(model.parameters())
        def step(x, y):
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss
        fast = tg.compile(step)
        x, y = np.ones((3, 2)), np.ones((3, 1))
        for k in range(6):
            fast(x, y)
        for k in range(3):
            step(tg.Tensor(x), tg.Tensor(y))
    """,
    "a compiled backward pass, an eager step": """
        model, loss_fn = nn.Linear(2, 1), nn.MSELoss()
        optimizer = optim.SGD(model.parameters())
        @tg.compile
        def backward(x, y):
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            return loss
        for k in range(6):
            backward(np.ones((3, 2)), np.ones((3, 1)))
            optimizer.step()
    """,
}


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_said_of_what_is_right(user, name):
    run = user(QUIET[name])
    assert run.error is None, run.error
    assert run.warnings == []


def test_threads_count_their_own_steps(user):
    w = tg.Tensor([1.0], requires_grad=True)
    said = []

    def train():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            v = tg.Tensor([1.0], requires_grad=True)
            for _ in range(50):
                v.grad = None
                (v * v).sum().backward()

    graph = w * 1.0
    for _ in range(6):
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        graph = graph * 1.01
    graph.sum().backward()
    assert said == []
