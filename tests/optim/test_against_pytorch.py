"""Every optimiser, clipping rule and schedule against PyTorch, over drawn settings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nn.peer import close, over, torch
from tinygrad_mlp import Tensor, optim

both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
STEPS = 20


def run(ours, theirs, dtype, seed, groups=False, between=None):
    """20 steps from drawn weights with drawn gradients; compare every parameter every time."""
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape).astype(dtype) for shape in ((3, 2), (2,), ())]
    a = [Tensor(x, requires_grad=True) for x in start]
    b = [over(x).requires_grad_() for x in start]
    if groups:
        mine = ours([{"params": a[:1], "lr": 0.03}, {"params": a[1:]}])
        other = theirs([{"params": b[:1], "lr": 0.03}, {"params": b[1:]}])
    else:
        mine, other = ours(a), theirs(b)
    for step in range(STEPS):
        for p, q in zip(a, b, strict=True):
            g = (rng.normal(size=p.shape) * 3).astype(dtype)
            p.grad, q.grad = g, over(g)
        if between is not None:
            between(mine, other, a, b, step)
        mine.step()
        other.step()
        for p, q in zip(a, b, strict=True):
            close(p.data, q, dtype)
            assert isinstance(p.data, np.ndarray)
    return mine, other


rates = st.sampled_from([0.001, 0.1])
decays = st.sampled_from([0.0, 0.05])
seeds = st.integers(0, 1000)


@both_dtypes
@given(
    seed=seeds,
    lr=rates,
    momentum=st.sampled_from([0.0, 0.9]),
    dampening=st.sampled_from([0.0, 0.3]),
    weight_decay=decays,
    nesterov=st.booleans(),
    groups=st.booleans(),
)
def test_sgd(dtype, seed, lr, momentum, dampening, weight_decay, nesterov, groups):
    nesterov = nesterov and momentum > 0 and dampening == 0
    args = (lr, momentum, dampening, weight_decay)
    run(
        lambda p: optim.SGD(p, *args, nesterov=nesterov),
        lambda p: torch.optim.SGD(p, *args, nesterov=nesterov),
        dtype, seed, groups,
    )  # fmt: skip


@both_dtypes
@given(
    seed=seeds,
    lr=rates,
    alpha=st.sampled_from([0.99, 0.5]),
    weight_decay=decays,
    momentum=st.sampled_from([0.0, 0.9]),
    centered=st.booleans(),
    groups=st.booleans(),
)
def test_rmsprop(dtype, seed, lr, alpha, weight_decay, momentum, centered, groups):
    args = (lr, alpha, 1e-8, weight_decay, momentum, centered)
    run(
        lambda p: optim.RMSprop(p, *args),
        lambda p: torch.optim.RMSprop(p, *args),
        dtype, seed, groups,
    )  # fmt: skip


@both_dtypes
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@given(
    seed=seeds,
    lr=rates,
    betas=st.sampled_from([(0.9, 0.999), (0.5, 0.8)]),
    weight_decay=decays,
    amsgrad=st.booleans(),
    groups=st.booleans(),
)
def test_adam(name, dtype, seed, lr, betas, weight_decay, amsgrad, groups):
    args = (lr, betas, 1e-8, weight_decay, amsgrad)
    run(
        lambda p: getattr(optim, name)(p, *args),
        lambda p: getattr(torch.optim, name)(p, *args),
        dtype, seed, groups,
    )  # fmt: skip


@both_dtypes
@given(
    seed=seeds,
    lr=rates,
    lr_decay=st.sampled_from([0.0, 0.1]),
    weight_decay=decays,
    begin=st.sampled_from([0.0, 0.5]),
    groups=st.booleans(),
)
def test_adagrad(dtype, seed, lr, lr_decay, weight_decay, begin, groups):
    args = (lr, lr_decay, weight_decay, begin)
    run(
        lambda p: optim.Adagrad(p, *args),
        lambda p: torch.optim.Adagrad(p, *args),
        dtype, seed, groups,
    )  # fmt: skip


@both_dtypes
@given(
    seed=seeds,
    lr=rates,
    betas=st.sampled_from([(0.9, 0.999), (0.5, 0.8)]),
    weight_decay=decays,
    decay=st.sampled_from([0.004, 0.1]),
    decoupled=st.booleans(),
    groups=st.booleans(),
)
def test_nadam(dtype, seed, lr, betas, weight_decay, decay, decoupled, groups):
    args = (lr, betas, 1e-8, weight_decay, decay, decoupled)
    run(
        lambda p: optim.NAdam(p, *args),
        lambda p: torch.optim.NAdam(p, *args),
        dtype, seed, groups,
    )  # fmt: skip


@both_dtypes
@given(
    seed=seeds,
    lr=rates,
    betas=st.sampled_from([(0.9, 0.999), (0.5, 0.8), (0.9, 0.6)]),
    weight_decay=decays,
    decoupled=st.booleans(),
    groups=st.booleans(),
)
def test_radam(dtype, seed, lr, betas, weight_decay, decoupled, groups):
    args = (lr, betas, 1e-8, weight_decay, decoupled)
    run(
        lambda p: optim.RAdam(p, *args),
        lambda p: torch.optim.RAdam(p, *args),
        dtype, seed, groups,
    )  # fmt: skip


@both_dtypes
@given(
    seed=seeds,
    limit=st.sampled_from([0.1, 2.0, 100.0]),
    kind=st.sampled_from([2.0, 1.0, 3.0, np.inf, None]),
)
def test_clipping(dtype, seed, limit, kind):
    def between(_mine, _other, a, b, step):
        if kind is None:
            optim.clip_grad_value_(a, np.float64(limit))
            torch.nn.utils.clip_grad_value_(b, limit)
        else:
            mine = optim.clip_grad_norm_(a, np.float64(limit), kind)
            theirs = torch.nn.utils.clip_grad_norm_(b, limit, kind)
            close(np.asarray(mine), theirs, dtype)

    run(
        lambda p: optim.SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1), dtype, seed, between=between
    )


def test_clipping_passes_over_what_has_no_gradient_and_may_come_before_any():
    w, v = Tensor([3.0], requires_grad=True), Tensor([4.0], requires_grad=True)
    assert optim.clip_grad_norm_([w, v], 1.0) == 0
    w.grad = np.array([2.0])
    assert optim.clip_grad_norm_([w, v], 1.0) == 2
    assert v.grad is None
    assert w.grad[0] == pytest.approx(1, abs=1e-5)


def test_a_group_that_is_added_later():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape) for shape in ((3, 2), (2,))]
    a = [Tensor(x, requires_grad=True) for x in start]
    b = [over(x).requires_grad_() for x in start]
    mine, other = optim.Adam(a[:1], lr=0.1), torch.optim.Adam(b[:1], lr=0.1)
    for step in range(6):
        if step == 3:
            mine.add_param_group({"params": a[1], "lr": 0.5})
            other.add_param_group({"params": b[1], "lr": 0.5})
        for p, q in zip(a, b, strict=True):
            g = rng.normal(size=p.shape)
            p.grad, q.grad = g, over(g)
        mine.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.1 / (step + 1)
        mine.step()
        other.step()
        for p, q in zip(a, b, strict=True):
            close(p.data, q)


# -- schedules -------------------------------------------------------------------------------


def rates_of_pytorch(make, steps):
    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    schedule = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@given(size=st.integers(1, 7), gamma=st.sampled_from([0.1, 0.5, 0.9]))
def test_step_decay(size, gamma):
    theirs = rates_of_pytorch(lambda o: torch.optim.lr_scheduler.StepLR(o, size, gamma), STEPS)
    assert np.allclose([optim.step_decay(size, gamma)(t) for t in range(STEPS)], theirs, 1e-10)


@given(total=st.integers(1, STEPS), floor=st.sampled_from([0.0, 0.2]))
def test_cosine_until_its_end_where_it_stays(total, floor):
    theirs = rates_of_pytorch(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, total, floor), total + 1
    )
    ours = [optim.cosine(total, floor)(t) for t in range(total + 1)]
    assert np.allclose(ours, theirs, rtol=0, atol=1e-10)
    assert optim.cosine(total, floor)(total + 50) == pytest.approx(floor)


@given(steps=st.integers(1, 10), start=st.sampled_from([0.1, 0.5]), total=st.integers(2, 10))
def test_warm_up_and_what_follows(steps, start, total):
    def theirs(o):
        warm = torch.optim.lr_scheduler.LinearLR(o, start, 1.0, steps)
        after = torch.optim.lr_scheduler.CosineAnnealingLR(o, total)
        return torch.optim.lr_scheduler.SequentialLR(o, [warm, after], [steps])

    ours = optim.warm_up(steps, optim.cosine(total), start)
    count = steps + total
    expected = rates_of_pytorch(theirs, count)
    assert np.allclose([ours(t) for t in range(count)], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_constant(factor):
    theirs = rates_of_pytorch(
        lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor, total_iters=1000), 3
    )
    assert [optim.constant(factor)(t) for t in range(3)] == theirs


# -- state goes over -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True}),
        ("Adam", {"lr": 0.1, "amsgrad": True}),
        ("AdamW", {"lr": 0.1}),
        ("Adagrad", {"lr": 0.1}),
        ("NAdam", {"lr": 0.1}),
        ("RAdam", {"lr": 0.1}),
    ],
)
def test_state_has_the_names_of_pytorch_and_loads_both_ways(name, options):
    mine, other = run(
        lambda p: getattr(optim, name)(p, **options),
        lambda p: getattr(torch.optim, name)(p, **options),
        np.float64, 0,
    )  # fmt: skip
    ours, theirs = mine.state_dict(), other.state_dict()
    for i, state in ours["state"].items():
        assert {k for k, v in theirs["state"][i].items() if v is not None} - {"step"} == (
            state.keys() - {"step"}
        )
        for key, value in state.items():
            assert np.allclose(value, np.asarray(theirs["state"][i][key]), rtol=0, atol=1e-10)
    mine.load_state_dict(theirs)
    state = {i: {k: over(v) for k, v in s.items()} for i, s in ours["state"].items()}
    other.load_state_dict({"state": state, "param_groups": theirs["param_groups"]})
    assert set(ours["param_groups"][0]) <= set(theirs["param_groups"][0])
