"""What a step finds around itself: a change is seen, and a step that changes it is refused."""

from __future__ import annotations

import copy
import functools
import pickle

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import CaptureError, TrainingWarning, UsageError

ONES = np.ones(2)

FACTOR = 1.0
TABLE = {"factor": 1.0}
NESTED = [[1.0]]
ARRAY = np.ones(2)
ROWS = np.ones((3, 2))


def helper(x):
    return x * FACTOR


def deeper(x):
    return helper(x)


class Config:
    factor = 1.0

    def __init__(self):
        self.own = 1.0
        self.inner = None


class Slotted:
    __slots__ = ("factor",)

    def __init__(self):
        self.factor = 1.0


class Callable:
    def __init__(self):
        self.factor = 1.0

    def __call__(self, x):
        return x * self.factor


class Net(nn.Module):
    scale = 1.0

    def __init__(self):
        self.linear = nn.Linear(2, 2, bias=False, init=nn.init.constant(1.0))
        self.mask = np.ones(2)
        self.config = Config()
        self.blocks = [[nn.Linear(2, 2, bias=False, init=nn.init.constant(1.0))]]
        self.beta = 1.0

    def forward(self, x):
        return self.blocks[0][0](self.linear(x)) * self.mask * self.config.own * self.scale

    def loss(self, x):
        return self.forward(x) * self.beta

    @property
    def doubled(self):
        return self.config.inner


def always(f):
    return lambda: (f, lambda: None)


def _global():
    def change():
        global FACTOR  # noqa: PLW0603
        FACTOR = 3.0

    return (lambda x: sum(x * FACTOR for _ in range(1))), change


def _helper():
    def change():
        global FACTOR  # noqa: PLW0603
        FACTOR = 3.0

    return (lambda x: deeper(x)), change


def _table():
    def change():
        TABLE["factor"] = 3.0

    return (lambda x: x * TABLE["factor"]), change


def _nested():
    def change():
        NESTED[0][0] = 3.0

    return (lambda x: x * NESTED[0][0]), change


def _array_in_place():
    return (lambda x: x * ARRAY), lambda: ARRAY.__setitem__(slice(None), 3.0)


def _array_rebound():
    def change():
        global ARRAY  # noqa: PLW0603
        ARRAY = np.full(2, 3.0)

    return (lambda x: x * ARRAY), change


def _array_as_numbers():
    return (lambda x: x * float(ARRAY[0])), lambda: ARRAY.__setitem__(slice(None), 3.0)


def _row():
    return (lambda x: x * ROWS[1]), lambda: ROWS.__setitem__(1, 3.0)


def _large_array():
    large = np.ones((200, 100))
    return (lambda x: (x.sum() * large).sum()), lambda: large.__setitem__((7, 7), 3.0)


def _closure_of_a_helper():
    factor = 1.0

    def inner(x):
        return x * factor

    def change():
        nonlocal factor
        factor = 3.0

    return (lambda x: inner(x)), change


def _attribute_of_an_object():
    config = Config()
    return (lambda x: x * config.own), lambda: setattr(config, "own", 3.0)


def _object_in_an_object():
    config = Config()
    config.inner = Config()
    return (lambda x: x * config.inner.own), lambda: setattr(config.inner, "own", 3.0)


def _class_attribute():
    return (lambda x: x * Config.factor), lambda: setattr(Config, "factor", 3.0)


def _class_attribute_of_an_instance():
    config = Config()
    return (lambda x: x * config.factor), lambda: setattr(Config, "factor", 3.0)


def _slot():
    slotted = Slotted()
    return (lambda x: x * slotted.factor), lambda: setattr(slotted, "factor", 3.0)


def _callable_object():
    step = Callable()
    return step, lambda: setattr(step, "factor", 3.0)


def _partial():
    config = Config()
    return functools.partial(lambda c, x: x * c.own, config), lambda: setattr(config, "own", 3.0)


def _function_rebound():
    act = np.tanh

    def change():
        nonlocal act
        act = np.sin

    return (lambda x: act(x)), change


def _tensor_in_a_dict():
    weights = {"w": tg.Tensor(1.0)}
    return (lambda x: x * weights["w"]), lambda: weights.update(w=tg.Tensor(3.0))


def _module(change, call=lambda model, x: model(x)):
    def make():
        model = Net()
        return (lambda x: call(model, x)), lambda: change(model)

    return make


AROUND = {
    "a global in a generator": _global,
    "a global of a helper's helper": _helper,
    "a dict's entry": _table,
    "a nested list": _nested,
    "an array in place": _array_in_place,
    "an array rebound": _array_rebound,
    "a number of an array": _array_as_numbers,
    "a row of an array": _row,
    "a large array": _large_array,
    "a helper's closure": _closure_of_a_helper,
    "an object's attribute": _attribute_of_an_object,
    "an object in an object": _object_in_an_object,
    "a class's attribute": _class_attribute,
    "a class's attribute by an instance": _class_attribute_of_an_instance,
    "a slot": _slot,
    "a callable object": _callable_object,
    "an argument of partial": _partial,
    "a function": _function_rebound,
    "a tensor in a dict": _tensor_in_a_dict,
    "a module's array": _module(lambda m: m.mask.__setitem__(0, 3.0)),
    "a module's object": _module(lambda m: setattr(m.config, "own", 3.0)),
    "a module's class": _module(lambda m: setattr(Net, "scale", 3.0)),
    "a module in nested lists": _module(
        lambda m: m.blocks[0].__setitem__(0, nn.Linear(2, 2, rng=7))
    ),
    "a module that is not called": _module(
        lambda m: setattr(m, "beta", 3.0), lambda model, x: model.loss(x)
    ),
}


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    global FACTOR, ARRAY
    FACTOR, ARRAY = 1.0, np.ones(2)
    TABLE["factor"] = NESTED[0][0] = Config.factor = Net.scale = 1.0
    ROWS[...] = 1.0


@pytest.mark.parametrize("make", AROUND.values(), ids=AROUND)
def test_a_change_of_what_the_step_looks_at_is_seen(make):
    step, change = make()
    compiled = tg.compile(step)
    x = np.array([0.5, 0.25])
    before = [compiled(x).data for _ in range(3)][-1]
    assert compiled.captures == 2
    change()
    expected = step(tg.Tensor(x)).data
    assert not np.array_equal(expected, before)
    for _ in range(4):
        assert np.array_equal(compiled(x).data, expected)
    assert compiled.captures == 4


def test_a_rate_that_is_read_without_hyper_is_seen():
    class Descent(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, lr=lr)

        def update(self, p, g, state, group):
            return p - group.lr * g, state

    w = tg.Tensor([1.0], requires_grad=True)
    optimizer = Descent([w], lr=0.1)

    @tg.compile
    def step(x):
        loss = (w * x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(np.ones(1))
    optimizer.lr = 10.0
    before = w.data[0]
    step(np.ones(1))
    assert w.data[0] == before - 10.0


def test_a_number_that_goes_to_zero_is_another_step():
    w, v = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
    steps = []
    for p, way in ((w, tg.compile), (v, lambda f: f)):
        optimizer = optim.SGD([p], lr=0.1, momentum=0.9)

        def step(x, p=p, optimizer=optimizer):
            loss = (p * x).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        inner = way(lambda x, step=step: step(x))
        steps.append((inner, optimizer))
    for momentum in (0.9, 0.9, 0.9, 0.0, 0.0, 0.0, 0.9, 0.9):
        for step, optimizer in steps:
            optimizer.groups[0].momentum = momentum
            step(tg.Tensor([1.0]))
        assert w.data == pytest.approx(v.data, rel=1e-12)
        states = [o.state_dict()["state"][0]["momentum_buffer"] for _, o in steps]
        assert states[0] == pytest.approx(states[1], rel=1e-12)


# ------------------------------------------------------------------ what the step changes


def _attribute(model):
    model.calls = getattr(model, "calls", 0) + 1


CHANGES = {
    "a counter of a module": (lambda m: setattr(m, "calls", m.calls + 1), "Model.calls"),
    "what a module saw": (lambda m: setattr(m, "last", object()), "Model.last"),
    "a list": (lambda m: m.log.append(1), "Model.log"),
    "a dict of the step": (lambda m: TABLE.update(factor=TABLE["factor"] + 1), "TABLE"),
}


@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("by_name", [True, False])
def test_a_step_that_changes_what_is_around_it_is_refused(change, told, by_name):
    class Model(nn.Module):
        def __init__(self):
            self.calls, self.last, self.log = 0, None, []

        def forward(self, x):
            change(self)
            return x * 2.0

    model = Model()
    models = iter(lambda: model, None)
    step = tg.compile((lambda x: model(x)) if by_name else (lambda x: next(models)(x)))

    def run():
        for _ in range(3):
            step(ONES)

    with pytest.raises(CaptureError, match=f"the step changed {told} in Python") as error:
        run()
    assert error.value.where.startswith("test_surroundings.py")


def test_a_counter_in_a_closure_is_refused():
    n = 0

    @tg.compile
    def step(x):
        nonlocal n
        n += 1
        return x * 2.0

    step(ONES)
    with pytest.raises(CaptureError, match="the step changed n in Python"):
        step(ONES)


def test_what_is_made_once_does_no_harm():
    class Lazy(nn.Module):
        def __init__(self):
            self.table = None

        def forward(self, x):
            if self.table is None:
                self.table = tg.Tensor(np.full(2, 3.0))
            return x * self.table

    model = Lazy()
    step = tg.compile(lambda x: model(x))
    assert [step(ONES).tolist() for _ in range(5)] == [[3.0, 3.0]] * 5
    assert "1 of 8 programs" in repr(step)


def test_modules_that_the_step_makes_are_part_of_it():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    step = tg.compile(lambda x, y: nn.MSELoss()(nn.Tanh()(x * w), y))
    for _ in range(4):
        step(ONES, ONES)
    assert step.captures == 2


def test_a_mask_that_happens_to_repeat_is_caught_by_its_generator():
    rng = np.random.default_rng(0)
    step = tg.compile(lambda x: x * (rng.random(2) < 2.0))
    step(ONES)
    with pytest.raises(CaptureError, match="drew numbers from a generator"):
        step(ONES)


def test_recordings_that_never_agree_are_told_of():
    flag = [0]
    step = tg.compile(lambda x: x * 1.0 if flag[0] >= 0 else x)

    def run():
        for _ in range(8):
            flag[0] += 1
            flag.append(0)
            step(ONES)

    with pytest.warns(TrainingWarning, match="recorded 6 times.*flag differs"):
        run()
    with pytest.raises(CaptureError, match="could not be compiled: flag differs"):
        step.source  # noqa: B018


def test_a_step_that_is_refused_has_not_happened():
    w = tg.Tensor([1.0], requires_grad=True)
    n = 0

    @tg.compile
    def step(x):
        nonlocal n
        n += 1
        w.data = w.data + x.data
        return w * 1.0

    step(np.ones(1))
    with pytest.raises(CaptureError, match="the step changed n"):
        step(np.ones(1))
    assert w.tolist() == [2.0]


# ------------------------------------------------------------------ arguments and results


def test_an_argument_that_needs_a_gradient_is_refused():
    step = tg.compile(lambda x: (x * 2.0).sum())
    with pytest.raises(UsageError, match="argument 'x' of a compiled step needs a gradient"):
        step(tg.Tensor(ONES, requires_grad=True))


@pytest.mark.parametrize("slot", ["data", "grad"])
def test_a_step_that_writes_to_its_argument_is_refused(slot):
    h = tg.Tensor(ONES)

    def step(h, x):
        setattr(h, slot, h.data + x.data)
        return h * 1.0

    with pytest.raises(CaptureError, match=rf"the step writes h\.{slot}"):
        tg.compile(step)(h, ONES)
    assert h.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (lambda t: None, "returned nothing"),
        (lambda t: [t], "returned a list"),
        (lambda t: {"loss": t}, "returned a dict"),
        (lambda t: (t, [t]), "returned a list in a tuple"),
        (lambda t: (), "returned nothing"),
    ],
    ids=["none", "list", "dict", "inner", "empty"],
)
def test_a_result_that_is_no_tensor_is_refused_before_anything_has_moved(result, told):
    w = tg.Tensor([1.0], requires_grad=True)

    def step(x):
        loss = (w * x).sum()
        w.data = w.data + 1.0
        return result(loss)

    with pytest.raises(CaptureError, match=told):
        tg.compile(step)(np.ones(1))
    assert w.tolist() == [1.0]


# ------------------------------------------------------------------ cells and scans


def test_a_constant_put_into_a_cell_that_was_read_is_what_is_read_next():
    def run(step, w):
        return [step(np.full(2, float(i))).data.copy() for i in range(5)], w.data

    def make(way):
        w = tg.Tensor([1.0, 2.0], requires_grad=True)

        def step(x):
            first = (w * x).sum()
            w.data = np.full(2, 7.0)
            second = (w * x).sum()
            w.grad = np.zeros(2)
            first.backward()
            w.data = w.data + x.data + w.grad
            return first + second

        return run(way(step), w)

    ours, theirs = make(tg.compile), make(lambda f: lambda x: f(tg.Tensor(x)))
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])


def accumulating():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    return w, tg.compile(step)


def test_a_scan_goes_on_where_its_first_step_leaves_a_gradient():
    w, step = accumulating()
    for _ in range(3):
        w.grad = None
        step(ONES)
    w.grad = None
    step.scan(np.ones((5, 2)))
    assert w.grad.tolist() == [5.0, 5.0]


def test_a_gradient_from_outside_is_not_dropped_by_a_step_that_ends_with_zero_grad():
    def make(way):
        w = tg.Tensor([1.0, 2.0], requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1)

        def step(x):
            loss = (w * x).sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        step = way(step)
        for i in range(6):
            if i > 3:
                (w * 3.0).sum().backward()
            step(tg.Tensor(ONES))
        return w.data

    assert np.array_equal(make(tg.compile), make(lambda f: f))


def test_freezing_a_parameter_with_a_momentum_is_another_program():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Tanh(), nn.Linear(2, 1, rng=1))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @tg.compile
    def step(x):
        loss = model(x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(np.ones((4, 2)))
    model[0].requires_grad_(False)
    frozen = model[0].weight.data
    for _ in range(5):
        step(np.ones((4, 2)))
    assert np.array_equal(model[0].weight.data, frozen)


def pickled(step):
    return pickle.loads(pickle.dumps(step))  # noqa: S301 - made here


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_of_a_compiled_step_is_recorded_anew(duplicate):
    step = tg.compile(Callable())
    for _ in range(3):
        step(ONES)
    twin = duplicate(step)
    twin.step.factor = 5.0
    assert [twin(ONES).tolist() for _ in range(3)] == [[5.0, 5.0]] * 3
    assert (twin.captures, step(ONES).tolist()) == (2, [1.0, 1.0])
