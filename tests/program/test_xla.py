"""The same step through XLA: on one device, and with the batch divided among eight."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_mlp as tg
from tests.conftest import needs
from tests.program.drawn import Recipe, recipes
from tests.program.steps import Training
from tinygrad_mlp import nn
from tinygrad_mlp.errors import MissingExtraError, UsageError


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
    with pytest.raises(MissingExtraError, match=r"tinygrad-mlp\[jax\]"):
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
