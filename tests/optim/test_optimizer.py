"""Optimisers: groups, errors, state, and that a step rebinds and never writes."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_mlp import Tensor, nn, optim
from tinygrad_mlp.errors import GraphError, StateError, UsageError


def weights(*values):
    return [Tensor(v, requires_grad=True) for v in values]


def test_a_step_rebinds_so_that_the_old_loss_stays_exact():
    (w,) = weights([1.0, 2.0])
    loss = (w * w).sum()
    loss.backward()
    before, array = w.grad.copy(), w.data
    optim.SGD([w], lr=0.5).step()
    assert array.tolist() == [1, 2]
    assert w.data is not array
    w.grad = None
    loss.backward()
    assert np.array_equal(w.grad, before)


def test_only_what_has_a_gradient_moves():
    a, b = weights([1.0], [1.0])
    optimizer = optim.Adam([a, b], lr=0.1)
    a.grad = np.ones(1)
    optimizer.step()
    assert a.data != 1
    assert b.data == 1
    optimizer.zero_grad()
    assert a.grad is None


def test_groups_have_their_own_numbers_and_lr_sets_them_all():
    a, b = weights([1.0], [1.0])
    optimizer = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1)
    a.grad = b.grad = np.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == (0.9, 0.5)
    assert optimizer.lr == 0.1
    optimizer.lr = 0.2
    assert [group.lr for group in optimizer.groups] == [0.2, 0.2]
    assert "lr=0.2" in repr(optimizer)


def test_a_gradient_that_is_a_tensor_works_too():
    (w,) = weights([3.0])
    (w * w).sum().backward(create_graph=True)
    optim.SGD([w], lr=0.5).step()
    assert type(w.data) is np.ndarray
    assert w.data.tolist() == [0.0]


def test_a_users_method_in_a_few_lines():
    class Lesson(optim.Optimizer):
        def __init__(self, params, N=0.5, M=0.1):
            super().__init__(params, N=N, M=M)

        def init(self, p, group):  # noqa: ARG002
            return {"previous": np.zeros_like(p)}

        def update(self, p, g, state, group):
            c = -g
            return p + group.N * c + group.M * state["previous"], {"previous": c}

    (w,) = weights([1.0])
    optimizer = Lesson([w])
    for g in ([1.0], [2.0]):
        w.grad = np.array(g)
        optimizer.step()
    assert w.item() == 1 - 0.5 - 1.0 - 0.1


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (lambda net: net.parameters, r"Pass net.parameters\(\), with \(\)\."),
        (lambda net: net, r"got the module MLP.*Pass net.parameters\(\)"),
        (lambda _: [], "an optimiser without parameters"),
        (lambda _: 3, "an optimiser got a int"),
        (lambda _: [np.ones(2)], "got a ndarray, which is no parameter"),
        (lambda net: [net[0].weight * 2], "which was computed"),
        (lambda net: [net[0].weight, net[0].weight], "twice"),
        (lambda net: [{"params": net.parameters(), "Lr": 1.0}], "a group sets Lr"),
    ],
)
def test_wrong_parameters_are_answered_with_what_to_write(params, text):
    with pytest.raises(UsageError, match=text):
        optim.SGD(params(nn.MLP(2, [3], 1)), lr=0.1)


def test_a_single_tensor_is_a_list_of_one():
    (w,) = weights([1.0])
    w.grad = np.ones(1)
    optim.SGD(w, lr=1.0).step()
    assert w.item() == 0


def test_a_step_before_backward_says_so():
    optimizer = optim.SGD(nn.MLP(2, [3], 1).parameters(), lr=0.1)
    with pytest.raises(GraphError, match="none of the 4 parameters has a gradient") as caught:
        optimizer.step()
    assert "Did loss.backward() run?" in str(caught.value)
    assert "test_optimizer.py:" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "numbers", "text"),
    [
        (optim.SGD, {"lr": -0.1}, "SGD with lr=-0.1 (…): it must be 0 or more, and finite."),
        (optim.SGD, {"lr": np.nan}, "lr=nan"),
        (optim.SGD, {"lr": np.inf}, "lr=inf"),
        (optim.SGD, {"lr": optim.cosine(3)}, "lr=<function"),
        (optim.SGD, {"momentum": -0.1}, "it must be from 0 to below 1. Use momentum=0.9."),
        (optim.SGD, {"momentum": 1.0}, "SGD with momentum=1.0"),
        (optim.SGD, {"weight_decay": -1e-4}, "weight_decay=-0.0001"),
        (optim.RMSprop, {"alpha": 1.5}, "RMSprop with alpha=1.5"),
        (optim.RMSprop, {"eps": -1.0}, "eps=-1.0"),
        (optim.Adam, {"betas": (0.9, 1.0)}, "Adam with betas=(0.9, 1.0) (…): each must be"),
        (optim.AdamW, {"betas": (-0.1, 0.9)}, "Use betas=(0.9, 0.999)."),
        (optim.AdamW, {"lr": -1.0}, "AdamW with lr=-1.0"),
    ],
)
def test_numbers_out_of_range_are_refused_when_an_optimiser_is_made(make, numbers, text):
    with pytest.raises(UsageError) as caught:
        make(weights(1.0), **numbers)
    where = caught.value.where
    assert where.startswith("test_optimizer.py:")
    assert text in str(caught.value).replace(where, "…")
    (name,) = numbers
    with pytest.raises(UsageError, match=name):
        make([{"params": weights(1.0), **numbers}])


def test_numbers_at_the_edge_of_their_range_are_accepted():
    optim.SGD(weights(1.0), lr=0)
    optim.SGD(weights(1.0), lr=Tensor(0.1), momentum=np.float32(0.9))
    optim.RMSprop(weights(1.0), alpha=0.0, eps=0.0)
    optim.Adam(weights(1.0), betas=(0.0, 0.0), eps=0.0)


def test_nesterov_needs_momentum():
    with pytest.raises(UsageError, match="nesterov"):
        optim.SGD(weights(1.0), lr=0.1, nesterov=True)


def test_an_optimiser_without_update_says_so():
    (w,) = weights([1.0])
    w.grad = np.ones(1)
    with pytest.raises(UsageError, match=r"Define update\(self, p, g, state, group\)"):
        optim.Optimizer([w]).step()


def test_state_round_trip_goes_on_bit_for_bit():
    def steps(w, optimizer, start, stop):
        for i in range(start, stop):
            w.grad = np.sin(np.arange(3.0) + i)
            optimizer.step()

    (a,), (b,) = weights(np.ones(3)), weights(np.ones(3))
    one, two = optim.Adam([a], lr=0.1), optim.Adam([b], lr=0.5)
    steps(a, one, 0, 5)
    two.load_state_dict(one.state_dict())
    b.data = a.data
    steps(a, one, 5, 9)
    steps(b, two, 5, 9)
    assert np.array_equal(a.data, b.data)


def test_state_of_another_model_is_refused_and_changes_nothing():
    one = optim.Adam(weights(np.ones(3)), lr=0.1)
    two = optim.Adam(weights(np.ones(4)), lr=0.5)
    with pytest.raises(StateError, match=r"exp_avg has shape \(4,\) here, \(3,\) there"):
        two.load_state_dict(one.state_dict())
    with pytest.raises(StateError, match="1 groups here, 0 there"):
        two.load_state_dict({})
    with pytest.raises(StateError, match="betas is missing"):
        two.load_state_dict(optim.SGD(weights(np.ones(4)), lr=0.1).state_dict())
    assert two.lr == 0.5


def test_a_model_whose_dtype_changed_after_its_optimiser_was_made_is_not_changed_back():
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model.astype(np.float32)
    model(np.ones((3, 2), np.float32)).sum().backward()
    with pytest.raises(UsageError, match=r"Make the optimiser after model.astype"):
        optimizer.step()
    assert model.weight.dtype == np.float32


@pytest.mark.parametrize("make", [optim.SGD, optim.RMSprop])
def test_momentum_that_is_switched_on_later_is_not_forgotten_in_silence(make):
    (w,) = weights([1.0])
    optimizer = make([w], lr=0.1)
    optimizer.groups[0].momentum = 0.9
    w.grad = np.ones(1)
    with pytest.raises(UsageError, match="decided when the optimiser was made"):
        optimizer.step()
    assert w.item() == 1


def test_numbers_of_the_state_are_tensors_of_zero_dimensions():
    optimizer = optim.Adam(weights(1.0), lr=0.1)
    (state,) = optimizer.groups[0].state
    assert {type(t) for t in state.values()} == {Tensor}
    assert state["step"].shape == ()


# -- numbers of NumPy's ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda p, lr: optim.SGD(p, lr),
        lambda p, lr: optim.SGD(p, lr, momentum=np.float64(0.9), weight_decay=np.float64(0.1)),
        lambda p, lr: optim.Adam(p, lr, betas=(np.float64(0.9), np.float64(0.99))),
        lambda p, lr: optim.RMSprop([{"params": p, "lr": np.array(lr)}], eps=np.float64(1e-8)),
    ],
)
def test_numbers_of_numpy_leave_float32_weights_float32(make):
    w = Tensor(np.ones(2, np.float32), requires_grad=True)
    optimizer = make([w], np.float64(0.1))
    for set_rate in (
        lambda: None,
        lambda: setattr(optimizer, "lr", np.float64(0.1)),
        lambda: setattr(optimizer.groups[0], "lr", np.float64(0.1)),
        lambda: optimizer.load_state_dict(
            {**(s := optimizer.state_dict()),
             "param_groups": [{**s["param_groups"][0], "lr": np.float64(0.1)}]}
        ),
    ):  # fmt: skip
        set_rate()
        assert type(optimizer.lr) is float
        w.grad = np.ones(2, np.float32)
        optimizer.step()
        assert w.dtype == np.float32


def test_a_step_that_would_change_the_dtype_says_whose_fault_it_is():
    w = Tensor(np.ones(2, np.float32), requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    w.grad = np.ones(2)
    with pytest.raises(UsageError, match=r"its gradient is float64.*p.grad = g.astype\(p.dtype\)"):
        optimizer.step()
    optimizer = optim.Adam([w], lr=Tensor(0.1))
    w.grad = np.ones(2, np.float32)
    with pytest.raises(UsageError, match=r"its step gives float64.*optimizer.lr = 0.1"):
        optimizer.step()
    assert w.dtype == np.float32


# -- groups that are added, and groups by PyTorch's names ------------------------------------


def test_a_group_is_added_whole_or_not_at_all():
    a, b = weights([1.0], [1.0])
    optimizer = optim.SGD([a], lr=0.1)
    for wrong, text in (
        ([b], "got a list"),
        ({"params": [a]}, "twice"),
        ({"params": [b], "lr": -1.0}, "lr=-1.0"),
        ({"params": [b], "Lr": 1.0}, "a group sets Lr"),
    ):
        with pytest.raises(UsageError, match=text):
            optimizer.add_param_group(wrong)
    assert len(optimizer.groups) == 1
    optimizer.add_param_group({"params": [b], "lr": 0.5})
    a.grad, b.grad = np.ones(1), np.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == (0.9, 0.5)
    optimizer.zero_grad()
    assert b.grad is None
    assert optimizer.state_dict()["param_groups"][1] == {
        **optimizer.defaults, "lr": 0.5, "params": [1],
    }  # fmt: skip


def test_a_group_answers_like_one_of_pytorch():
    optimizer = optim.SGD(weights([1.0]), lr=0.1)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] / 2
    assert optimizer.lr == 0.05
    assert len(optimizer.param_groups[0]["params"]) == 1
    with pytest.raises(UsageError, match=r"a group has no 'Lr'.*It has lr, momentum"):
        optimizer.param_groups[0]["Lr"] = 1


def test_clipping_refuses_what_is_no_length():
    with pytest.raises(UsageError, match="max_norm=-1"):
        optim.clip_grad_norm_(weights(1.0), -1)
    with pytest.raises(UsageError, match="norm_type=0"):
        optim.clip_grad_norm_(weights(1.0), 1, 0)
    assert optim.clip_grad_norm_(weights(1.0), 1.0, np.inf) == 0


def test_lion_is_its_paper_for_ten_steps():
    (w,) = weights([1.0, -2.0, 0.0])
    optimizer = optim.Lion([w], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    p, m = w.data.copy(), np.zeros(3)
    for i in range(10):
        w.grad = g = np.cos(np.arange(3.0) + i)
        optimizer.step()
        p = p - 0.01 * (np.sign(0.9 * m + 0.1 * g) + 0.1 * p)
        m = 0.99 * m + 0.01 * g
        assert np.allclose(w.data, p, rtol=0, atol=1e-15)


# -- methods of a user's own ------------------------------------------------------------------


def own(update, init=None):
    """An optimiser class as a user writes one."""

    class Own(optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, lr=lr)

    Own.update, Own.init = update, init or optim.Optimizer.init
    return type("Own", (Own,), {})


@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (3,)])
def test_an_update_that_returns_only_the_parameter_moves_nothing(shape):
    (w,) = weights(np.ones(shape))
    w.grad = np.ones(shape)
    optimizer = own(lambda self, p, g, state, group: p - 0.1 * g)([w])
    with pytest.raises(UsageError) as error:
        optimizer.step()
    assert str(error.value).startswith(f"Own.update() returned one array of shape {shape} (")
    assert "it must return (new p, state). Write return p - …, {}" in str(error.value)
    assert np.array_equal(w.data, np.ones(shape))


@pytest.mark.parametrize(
    ("update", "text"),
    [
        (lambda self, p, g, state, group: None, "returned nothing"),
        (lambda self, p, g, state, group: (p, state, 0), "returned 3 values"),
        (lambda self, p, g, state, group: (state, p), "returned 2 values"),
        (lambda self, p, g, state, group: (g.sum(), state), r"shape \(\) for one of shape \(2,\)"),
        (lambda self, p, g, state, group: (p - g, {}), "a state without 'v'.*{'v': …}"),
    ],
)
def test_an_update_that_returns_something_else(update, text):
    (w,) = weights(np.ones(2))
    w.grad = np.ones(2)
    optimizer = own(update, lambda self, p, group: {"v": p * 0})([w])
    with pytest.raises(UsageError, match=text):
        optimizer.step()
    assert w.tolist() == [1, 1]


def test_an_init_that_returns_no_dict():
    with pytest.raises(UsageError, match=r"Own.init\(\) returned one array of shape \(2,\)"):
        own(optim.SGD.update, lambda self, p, group: p * 0)(weights(np.ones(2)))


def test_only_a_users_update_is_checked():
    assert optim.SGD._update is optim.SGD.update
    assert optim.Adam._update is optim.Adam.update

    class Named(optim.SGD):
        pass

    assert Named._update is optim.SGD.update
