"""An epoch in one call: the same as its steps, one by one."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.program.drawn import Recipe
from tests.program.steps import Training
from tinygrad_mlp import nn
from tinygrad_mlp.errors import UsageError

RECIPES = {
    "tiny": Recipe((2, 5, 1), ("sigmoid",), ("nothing",), True, "mse", "sgd", "", 1, "float64"),
    "dropout": Recipe((3, 4, 2), ("tanh",), ("dropout",), True, "mse", "adam", "", 3, "float64"),
    "batch_norm": Recipe(
        (3, 4, 2), ("relu",), ("batch_norm",), True, "cross_entropy", "momentum", "norm", 4,
        "float64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("warm", [0, 1, 3])
def test_a_scan_is_its_steps(name, warm):
    ours, theirs = RECIPES[name].cook(), RECIPES[name].cook()
    compiled = tg.compile(ours.step)
    batches = list(ours.batches(12))
    for x, y in batches[:warm]:
        compiled(x, y)
        theirs.eager(x, y)
    inputs, targets = map(np.array, zip(*batches[warm:], strict=True))
    losses = compiled.scan(inputs, targets)
    expected = [theirs.eager(x, y).item() for x, y in batches[warm:]]
    np.testing.assert_allclose(losses.data, expected, rtol=1e-12)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        compiled.scan(inputs[:1], targets[:1]).data,
        [theirs.eager(inputs[0], targets[0]).item()],
        rtol=1e-12,
    )


def test_a_scan_that_overflows_falls_back_to_numpy():
    w = tg.Tensor([1.0], requires_grad=True)

    @tg.compile
    def step(x):
        loss = np.exp(x * w).sum()
        w.grad = None
        loss.backward()
        return loss

    step.scan(np.ones((3, 1)))
    with np.errstate(over="ignore"):
        losses = step.scan(np.array([[1.0], [1000.0], [2.0]]))
    np.testing.assert_allclose(losses.data, [np.exp(1.0), np.inf, np.exp(2.0)])


def test_a_step_that_returns_several_things_scans_to_as_many():
    @tg.compile
    def step(x):
        return x * 2.0, x.sum()

    for _ in range(2):
        double, total = step.scan(np.arange(8.0).reshape(4, 2))
        assert double.shape == (4, 2)
        assert total.tolist() == [1.0, 5.0, 9.0, 13.0]


def test_steps_must_be_as_many_in_every_array():
    training = Training(nn.MLP(3, [4], 2, rng=0))
    compiled = tg.compile(training.step)
    with pytest.raises(UsageError, match="the first axis counts the steps"):
        compiled.scan(np.ones((4, 3, 3)), np.ones((5, 3, 2)))
    with pytest.raises(UsageError, match="the first axis counts the steps"):
        compiled.scan(np.ones((0, 3, 3)), np.ones((0, 3, 2)))
