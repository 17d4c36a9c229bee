"""The same step through XLA: on one device, and with the batch divided among eight."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_mlp as tg
from tests.conftest import needs
from tests.ops.shipped import DRAWABLE, for_each
from tests.program.drawn import Recipe, recipes
from tests.program.steps import Training
from tinygrad_mlp import functional as F
from tinygrad_mlp import nn
from tinygrad_mlp.errors import CaptureError, IndexingError, MissingExtraError, UsageError
from tinygrad_mlp.testing.drawing import Seeded, draw


def jax():
    return needs("jax")


@settings(max_examples=10)
@given(recipes(dtypes=("float64",)))
def test_drawn_steps_are_the_same_through_xla(recipe):
    jax()
    ours, theirs = recipe.cook(), recipe.cook()
    compiled = tg.compile(ours.step, backend="jax")
    for x, y in ours.batches(6):
        np.testing.assert_allclose(compiled(x, y).data, theirs.eager(x, y).data, rtol=1e-10)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("between", ["dropout", "batch_norm", "layer_norm"])
def test_a_scan_through_xla_is_its_steps(between):
    jax()
    recipe = Recipe((3, 4, 2), ("tanh",), (between,), True, "mse", "adam", "norm", 4, "float64")
    ours, theirs = recipe.cook(), recipe.cook()
    compiled = tg.compile(ours.step, backend="jax")
    inputs, targets = map(np.array, zip(*ours.batches(9), strict=True))
    losses = compiled.scan(inputs, targets)
    expected = [theirs.eager(x, y).item() for x, y in zip(inputs, targets, strict=True)]
    np.testing.assert_allclose(losses.data, expected, rtol=1e-10)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_eager_steps_and_xla_mix():
    jax()
    ours, theirs = Training(nn.MLP(3, [4], 2, rng=0)), Training(nn.MLP(3, [4], 2, rng=0))
    compiled = tg.compile(ours.step, backend="jax")
    for i, (x, y) in enumerate(ours.batches(10)):
        step = compiled if i % 3 or i < 3 else lambda x, y: ours.step(tg.Tensor(x), tg.Tensor(y))
        for training in (ours, theirs):
            training.optimizer.lr = 0.1 / (1 + i)
            if i == 7:
                for p in training.model.parameters():
                    p.data -= 0.125
        loss = step(x, y)
        np.testing.assert_allclose(
            loss.data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data, rtol=1e-10
        )
    assert "jaxpr" in compiled.executed
    assert compiled.source.startswith("import numpy as np")


def test_float32_stays_float32():
    jax()
    training = Training(nn.MLP(3, [4], 2, rng=0, dtype=np.float32))
    compiled = tg.compile(training.step, backend="jax")
    for x, y in training.batches(4):
        assert compiled(x, y).dtype == np.float32
    assert {p.dtype for p in training.model.parameters()} == {np.dtype(np.float32)}


EIGHT = """
import numpy as np, tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import CaptureError

def curve(devices):
    model = nn.MLP(5, [16, 8], 2, rng=0)
    optimizer, loss_fn = optim.Adam(model.parameters(), lr=0.01), nn.MSELoss()
    def step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        return loss
    rng = np.random.default_rng(0)
    X, Y = rng.uniform(size=(30, 32, 5)), rng.uniform(size=(30, 32, 2))
    compiled = tg.compile(step, backend="jax", devices=devices)
    losses = [compiled(x, y).item() for x, y in zip(X[:10], Y[:10])]
    return np.array([*losses, *compiled.scan(X[10:], Y[10:]).tolist()]), compiled

import jax
assert len(jax.devices()) == 8, jax.devices()
one, _ = curve(None)
eight, compiled = curve(8)
assert one.dtype == np.float64 and len(one) == 30
assert np.abs(one - eight).max() < 1e-10, np.abs(one - eight).max()
state = compiled._latest()[0]._held[0][2]
assert len(state.sharding.device_set) == 8
print("largest difference", np.abs(one - eight).max())
try:
    curve(16)
except CaptureError as error:
    print(error)
"""


def test_eight_devices_give_the_curve_of_one():
    jax()
    run = subprocess.run(
        [sys.executable, "-c", EIGHT],
        env={
            **os.environ,
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(Path(tg.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "largest difference" in run.stdout
    assert "16 devices are asked for, and JAX sees 8" in run.stdout


def test_without_jax_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[jax\]"):
        tg.compile(lambda x: x, backend="jax")


def test_devices_are_for_jax():
    with pytest.raises(UsageError, match='backend="jax"'):
        tg.compile(lambda x: x, devices=2)


def test_arguments_by_name():
    jax()
    step = tg.compile(lambda x, *, y: x - 2.0 * y, backend="jax")
    one, three = np.ones(2), np.full(2, 3.0)
    for _ in range(4):
        assert step(three, y=one).tolist() == [1.0, 1.0]
        assert step(y=one, x=three).tolist() == [1.0, 1.0]
    assert step.scan(np.ones((3, 2)), y=np.ones((3, 2))).tolist() == [[-1.0, -1.0]] * 3
    with pytest.raises(UsageError, match="got no 'y'"):
        step(one)
    assert step.captures == 2


# -- every op --------------------------------------------------------------------------------


def with_gradients(function):
    """A step that gives what a function gives, and its gradients."""

    def step(*xs):
        ts = [tg.Tensor(x.data, requires_grad=x.dtype.kind == "f") for x in xs]
        y = function(*ts)
        if not y.requires_grad:
            return (y,)
        (y * y + y).sum().backward()
        return y, *(t.grad for t in ts if t.grad is not None)

    return step


def assert_alike(function, *inputs, tolerance=1e-9):
    step = with_gradients(function)
    compiled = tg.compile(step, backend="jax")
    with np.errstate(all="ignore"):
        results = [compiled(*inputs) for _ in range(3)][-1]
        expected = step(*map(tg.Tensor, inputs))
    for one, other in zip(results, expected, strict=True):
        exact = other.data if isinstance(other, tg.Tensor) else other
        assert one.dtype == exact.dtype
        assert one.shape == exact.shape
        np.testing.assert_allclose(one.data, exact, rtol=tolerance, atol=tolerance)


@for_each(DRAWABLE)
def test_every_op_is_the_same_through_xla(op):
    jax()
    case = draw(op, Seeded(1))
    fixed = {i: x for i, x in enumerate(case.inputs) if x.dtype.kind != "f"}  # indices, masks

    def function(*xs):
        rest = iter(xs)
        inputs = [fixed[i] if i in fixed else next(rest) for i in range(len(case.inputs))]
        return op.apply(tuple(inputs), case.attrs)

    assert_alike(function, *(x for x in case.inputs if x.dtype.kind == "f"))


COMPOSED = {
    "sort": lambda x: np.sort(x, axis=-1),
    "median": lambda x: np.median(x, axis=-1),
    "quantile": lambda x: np.quantile(x, 0.3, axis=0),
    "interp": lambda x: np.interp(x, [-1.0, 0.0, 2.0], [1.0, 3.0, 2.0]),
    "gelu": F.gelu,
    "norm": lambda x: np.linalg.norm(x, axis=0),
}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_functions_of_several_ops_are_the_same_through_xla(name, dtype):
    jax()
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    assert_alike(COMPOSED[name], x, tolerance=1e-9 if dtype is np.float64 else 1e-5)


def test_constants_and_choices_in_a_users_op():
    jax()

    def forward(x):
        y = x.copy()
        y[y < 0] = 0.0
        return y

    op = tg.define_op("xla_ramp", forward, lambda g, y, x: g * (x > 0))
    try:
        assert_alike(op, np.array([-1.0, 0.0, 2.0]))
    finally:
        tg.ops.REGISTRY.pop("xla_ramp")
    assert_alike(lambda w: F.linear(np.ones((2, 3)), w), np.arange(12.0).reshape(4, 3))


def test_what_jax_cannot_say_is_refused_before_anything_has_changed():
    jax()
    w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="w")

    def step(x, mask):
        loss = (w[mask] * x).sum()
        w.grad = None
        loss.backward()
        w.data = w.data - 0.1 * w.grad
        return loss

    compiled = tg.compile(step, backend="jax")
    mask = np.array([True, False, True])
    compiled(np.ones(1), mask)
    before = w.data.copy()
    for _ in range(3):
        with pytest.raises(CaptureError, match=r"getitem cannot be said in JAX \(test_xla\.py:\d+"):
            compiled(np.ones(1), mask)
    assert np.array_equal(w.data, before)


# -- numbers that are none -------------------------------------------------------------------

CURVES = {
    "relu": F.relu,
    "sigmoid": F.sigmoid,
    "softplus": F.softplus,
    "softmax": lambda x: F.softmax(x, axis=0),
    "largest": lambda x: x.max(axis=0),
    "least": lambda x: x.min(),
    "larger": lambda x: np.maximum(x, x[0]),
    "same": lambda x: (x == x[0]) * x,
    "positive": lambda x: np.where(x > 0.0, x, 0.5 * x),
    "root": lambda x: x**0.5,
}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.5, np.nan, np.inf, -np.inf, 1e-300, 700.0)


@pytest.mark.filterwarnings("ignore::tinygrad_mlp.errors.TrainingWarning")
@pytest.mark.parametrize("name", CURVES)
def test_what_is_no_number_spreads_through_xla(name):
    jax()
    w, rng = tg.Tensor(1.0, requires_grad=True), np.random.default_rng(0)

    def step(x):
        y = CURVES[name](x * w)
        w.grad = None
        y.sum().backward()
        return y, w.grad

    compiled = tg.compile(step, backend="jax")
    with np.errstate(all="ignore"):
        for _ in range(12):
            x = rng.choice(SPECIAL, (2, 3))
            result, gradient = compiled(x)
            expected, exact = step(tg.Tensor(x))
            np.testing.assert_allclose(result.data, expected.data, 1e-12, 1e-14)
            np.testing.assert_allclose(gradient.data, exact, 1e-12, 1e-14)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("largest", [np.max, np.min])
def test_a_largest_number_is_one_of_those_that_it_is_the_largest_of(largest, axis):
    jax()
    rng = np.random.default_rng(1)
    a, b, x = (rng.normal(size=(4, 5)) for _ in range(3))
    assert_alike(lambda x, a, b: largest(x * a - b * b, axis=axis), x, a, b)
    assert_alike(lambda x, a, b: largest(x * a - b**2, axis=axis), x, a, b)


# -- what is done from outside ---------------------------------------------------------------


def momentum():
    return Training(
        nn.MLP(3, [4], 2, rng=0), optimizer=lambda ps: tg.optim.SGD(ps, lr=0.1, momentum=0.9)
    )


def first(training):
    return next(training.model.parameters())


WRITES = {
    "all": lambda t: first(t).data.fill(0.25),
    "one": lambda t: first(t).data.__setitem__((0, 0), 5.0),
    "clip": lambda t: [np.clip(p.data, -0.1, 0.1, out=p.data) for p in t.model.parameters()],
    "by the tensor": lambda t: first(t).data.__imul__(0.5),
    "momentum": lambda t: [
        s.data.fill(0.0) for state in t.optimizer.groups[0].state for s in state.values()
    ],
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_in_place_between_steps_counts(name):
    jax()
    ours, theirs = momentum(), momentum()
    compiled = tg.compile(ours.step, backend="jax")
    for i, (x, y) in enumerate(ours.batches(7)):
        if i in {4, 5}:
            WRITES[name](ours)
            WRITES[name](theirs)
        expected = theirs.step(tg.Tensor(x), tg.Tensor(y))
        np.testing.assert_allclose(compiled(x, y).data, expected.data, rtol=1e-10)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_a_gradient_that_is_added_to_and_written_in_place_counts():
    jax()

    def make():
        w = tg.Tensor([1.0, 2.0], requires_grad=True)

        def step(x):
            (w * x).sum().backward()
            return w.grad

        return w, step

    (ours, one), (theirs, other) = make(), make()
    compiled = tg.compile(one, backend="jax")
    for i in range(6):
        for w in (ours, theirs):
            if i == 4:
                w.grad[...] = 0.0
            if i == 5:
                w.grad *= 0.5
        compiled(np.ones(2))
        other(tg.Tensor(np.ones(2)))
        assert ours.grad.tolist() == theirs.grad.tolist()


@pytest.mark.parametrize("way", ["call", "scan"])
def test_a_step_that_was_interrupted_can_be_done_again(way, monkeypatch):
    jax()
    ours, theirs = momentum(), momentum()
    compiled = tg.compile(ours.step, backend="jax")
    one = compiled if way == "call" else lambda x, y: compiled.scan(x[None], y[None]).sum()
    for i, (x, y) in enumerate(ours.batches(6)):
        if i == 4:
            with monkeypatch.context() as patch:
                patch.setattr(type(compiled._latest()[0]), "_fetch", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    one(x, y)
        expected = theirs.step(tg.Tensor(x), tg.Tensor(y))
        np.testing.assert_allclose(one(x, y).data, expected.data, rtol=1e-10)


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("wrong", [-1, 3, 99])
@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize("where", ["class", "row"])
def test_numbers_of_classes_and_rows_are_looked_at(where, wrong, scan):
    jax()
    table, linear = nn.Embedding(3, 4, rng=0), nn.Linear(4, 3, rng=1)
    optimizer = tg.optim.SGD([*table.parameters(), *linear.parameters()], lr=0.1)

    def step(rows, classes):
        loss = F.cross_entropy(linear(table(rows)), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = tg.compile(step, backend="jax")
    good, bad = np.array([0, 1, 2, 0]), np.array([0, 1, wrong, 0])
    for _ in range(3):
        compiled(good, good)
    before = table.weight.data.copy()
    given = (good, bad) if where == "class" else (bad, good)
    with pytest.raises(IndexingError) as eager:
        step(*map(tg.Tensor, given))
    with pytest.raises(IndexingError) as refused:
        compiled.scan(*(a[None] for a in given)) if scan else compiled(*given)
    assert str(refused.value) == str(eager.value)
    assert np.array_equal(table.weight.data, before)
    compiled(good, good)
    assert compiled.captures == 2


def test_threads_count_together():
    jax()
    w = tg.Tensor(np.zeros(3), name="w")

    @tg.compile(backend="jax")
    def step(x):
        w.data = w.data + x.data
        return w * 1.0

    for _ in range(3):
        step(np.ones(3))
    threads = [
        threading.Thread(target=lambda: [step(np.ones(3)) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.tolist() == [203.0] * 3


def test_bytes_in_the_other_order():
    jax()
    w = tg.Tensor([1.0, 2.0], name="w")

    @tg.compile(backend="jax")
    def step(x):
        w.data = w.data + x.data * 1.0
        return w * 1.0

    other = np.dtype(np.float64).newbyteorder()
    x, w0 = np.arange(8.0).reshape(4, 2).astype(other), w.data.copy()
    assert step.scan(x).tolist() == (np.cumsum(x, axis=0) + w0).tolist()
    assert step(x[1]).tolist() == [15.0, 21.0]


def test_a_parameter_of_another_dtype_is_recorded_anew():
    jax()
    ours, theirs = (Training(nn.MLP(3, [4], 2, rng=0)) for _ in range(2))
    compiled = tg.compile(ours.step, backend="jax")
    for i, (x, y) in enumerate(ours.batches(8)):
        for training in (ours, theirs):
            if i == 4:
                for p in training.model.parameters():
                    p.data = p.data.astype(np.float32)
        expected = theirs.step(tg.Tensor(x), tg.Tensor(y))
        np.testing.assert_allclose(compiled(x, y).data, expected.data, rtol=1e-5)
