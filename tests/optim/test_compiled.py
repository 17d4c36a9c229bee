"""Every optimiser, as a compiled step: bit for bit the eager one, with all that can go with it."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

OPTIMISERS = {
    "plain": lambda p: optim.SGD(p, 0.1),
    "momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.9),
    "adam": lambda p: optim.Adam(p, 0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, 0.01),
    "adagrad": lambda p: optim.Adagrad(p, 0.01, lr_decay=0.1, weight_decay=0.1),
    "nadam": lambda p: optim.NAdam(p, 0.01, weight_decay=0.1),
    "radam": lambda p: optim.RAdam(p, 0.01, betas=(0.9, 0.8)),
    "lion": lambda p: optim.Lion(p, 0.01, weight_decay=0.1),
}


def run(make, *, compiled):
    model = nn.Sequential(
        nn.Linear(4, 6, rng=0), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2, rng=1),
        nn.LayerNorm(6), nn.Residual(nn.Linear(6, 6, rng=2)), nn.Linear(6, 3, rng=3),
    )  # fmt: skip
    params = list(model.parameters())
    optimizer, loss_fn, schedule = make(params), nn.HuberLoss(), optim.cosine(8)

    def step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(params, 1.0)
        optimizer.step()
        return loss

    step = tg.compile(step, backend="numpy") if compiled else step
    rng, losses, first = np.random.default_rng(0), [], optimizer.lr
    for i in range(8):
        optimizer.lr = first * schedule(i)
        losses.append(step(rng.normal(size=(8, 4)), rng.normal(size=(8, 3))).item())
    return losses, model.state_dict(), optimizer.state_dict()["state"]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_compiled_step_is_the_eager_one_bit_for_bit(name):
    losses, weights, state = run(OPTIMISERS[name], compiled=False)
    again, other, same = run(OPTIMISERS[name], compiled=True)
    assert losses == again
    assert all(np.array_equal(weights[key], other[key]) for key in weights)
    for i, values in state.items():
        assert all(np.array_equal(values[key], same[i][key]) for key in values)


@pytest.mark.parametrize("kind", [1.0, 3.0, np.inf])
def test_gradients_are_clipped_by_other_lengths_in_a_compiled_step_too(kind):
    def run(compiled):
        layer = nn.Linear(3, 2, rng=0)
        optimizer = optim.SGD(layer.parameters(), lr=1.0)

        def step(x):
            optimizer.zero_grad()
            loss = (layer(x) ** 2).sum()
            loss.backward()
            optim.clip_grad_norm_(layer.parameters(), 0.5, kind)
            optimizer.step()
            return loss

        step = tg.compile(step, backend="numpy") if compiled else step
        return [step(np.arange(3.0) + i).item() for i in range(5)]

    assert np.allclose(run(compiled=False), run(compiled=True), rtol=1e-13, atol=0)


def test_a_compiled_step_notices_a_group_that_was_added():
    a, b = nn.Linear(2, 2, rng=0), nn.Linear(2, 1, rng=1)
    optimizer = optim.SGD(a.parameters(), lr=0.1)

    @tg.compile
    def step(x):
        optimizer.zero_grad()
        loss = (b(a(x)) ** 2).mean()
        b.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step(np.ones((1, 2)))
    before = b.state_dict()
    optimizer.add_param_group({"params": b.parameters()})
    step(np.ones((1, 2)))
    assert not np.array_equal(b.weight.data, before["weight"])
