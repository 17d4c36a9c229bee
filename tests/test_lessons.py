"""The teaching systems that this package rebuilds, against plain NumPy transcriptions of them."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim


class LessonMLP:
    """The lesson's own class, formula by formula: weights (inputs, outputs), no bias."""

    def __init__(self, weights):
        self.weights = [w.T.copy() for w in weights]

    def forward_propagate(self, x):
        self.activations = [x]
        for w in self.weights:
            x = self._sigmoid(x @ w)
            self.activations.append(x)
        return x

    def back_propagate(self, error):
        self.derivatives = []
        for i in reversed(range(len(self.weights))):
            delta = error * self._sigmoid_derivative(self.activations[i + 1])
            self.derivatives.insert(0, np.outer(self.activations[i], delta))
            error = delta @ self.weights[i].T

    def gradient_descent(self, learning_rate):
        for i, derivatives in enumerate(self.derivatives):
            self.weights[i] += learning_rate * derivatives

    def _sigmoid(self, x):
        return 1 / (1 + np.exp(-x))

    def _sigmoid_derivative(self, o):
        return o * (1 - o)


@pytest.mark.parametrize("how", ["half the sum", "the mean, at half the rate", "compiled"])
def test_the_lesson_weight_for_weight_over_1000_steps(how):
    rng = np.random.default_rng(0)
    X, Y = data.sum_of_two(1000, rng=rng)
    model = nn.MLP(2, [5], 1, bias=False, init=nn.init.uniform(), rng=rng)
    lesson = LessonMLP([p.data for p in model.parameters()])
    mean = how.startswith("the mean")
    optimizer = optim.SGD(model.parameters(), lr=0.05 if mean else 0.1)
    mse = nn.MSELoss()

    def step(x, t):
        loss = mse(model(x), t) if mean else 0.5 * ((t - model(x)) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    if how == "compiled":
        step = tg.compile(step)
    for x, t in zip(X, Y, strict=True):
        step(x, t)
        lesson.back_propagate(t - lesson.forward_propagate(x))
        lesson.gradient_descent(0.1)
        for p, w in zip(model.parameters(), lesson.weights, strict=True):
            assert np.abs(p.data - w.T).max() <= 1e-12


def test_the_lesson_learns_to_add_in_50_epochs():
    rng = np.random.default_rng(1)
    X, Y = data.sum_of_two(1000, rng=rng)
    model = nn.MLP(2, [5], 1, bias=False, init=nn.init.uniform(), rng=rng)
    history = tg.fit(
        model, (X, Y), loss=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.05),
        epochs=50, compile="auto",
    )  # fmt: skip
    assert history.loss[-1] < 0.001
    assert abs(model([0.3, 0.1]).item() - 0.4) < 0.02


def test_the_single_neuron_to_every_printed_digit():
    X = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], float)
    t = np.array([[0], [0], [1], [0], [1], [1]], float)
    neuron = nn.MLP(3, [], 1, bias=False)
    draws = np.random.RandomState(42).random_sample((3, 1))
    neuron[0].weight.data = (2 * draws - 1).T
    assert neuron[0].weight.data.round(8).tolist() == [[-0.25091976, 0.90142861, 0.46398788]]
    optimizer = optim.SGD(neuron.parameters(), lr=0.5)
    loss_fn = nn.MSELoss(reduction="sum")
    for _ in range(10_000):
        optimizer.zero_grad()
        loss_fn(neuron(X), t).backward()
        optimizer.step()
    assert neuron[0].weight.data.round(8).tolist() == [[-4.21652261, 12.79677774, -4.21664048]]
    assert f"{neuron([1, 0, 0]).item():.8f}" == "0.01453545"
    assert f"{neuron([0, 1, 1]).item():.8f}" == "0.99981224"


class LessonMomentum(optim.Optimizer):
    def __init__(self, params, N=0.5, M=0.1):
        super().__init__(params, N=N, M=M)

    def init(self, p, group):  # noqa: ARG002
        return {"previous": np.zeros_like(p)}

    def update(self, p, g, state, group):
        return p - group.N * g - group.M * state["previous"], {"previous": g}


@pytest.mark.parametrize("hidden", [1, 10])
def test_the_momentum_and_the_bias_on_the_input_only(hidden):
    """w += N c + M c_previous, then c_previous = c; the input gets a 1, the hidden layer none."""
    rng = np.random.default_rng(2)
    X, labels = data.moons(100, rng=rng)
    V, W = rng.uniform(-0.2, 0.2, (3, hidden)), rng.uniform(-2, 2, (hidden, 1))
    inner, outer = nn.Linear(2, hidden), nn.Linear(hidden, 1, bias=False)
    model = nn.Sequential(inner, nn.Sigmoid(), outer, nn.Sigmoid())
    inner.weight.data, inner.bias.data, outer.weight.data = V[:2].T.copy(), V[2].copy(), W.T.copy()
    optimizer = LessonMomentum(model.parameters())
    cV, cW = np.zeros_like(V), np.zeros_like(W)
    for _ in range(3):
        for x, t in zip(X, labels, strict=True):
            x1 = np.append(x, 1.0)
            h = 1 / (1 + np.exp(-x1 @ V))
            o = 1 / (1 + np.exp(-h @ W))
            delta = (t - o) * o * (1 - o)
            changeW = np.outer(h, delta)
            changeV = np.outer(x1, (delta @ W.T) * h * (1 - h))
            W, V = W + 0.5 * changeW + 0.1 * cW, V + 0.5 * changeV + 0.1 * cV
            cW, cV = changeW, changeV
            optimizer.zero_grad()
            (0.5 * ((t - model(x)) ** 2).sum()).backward()
            optimizer.step()
    assert np.abs(inner.weight.data.T - V[:2]).max() <= 1e-12
    assert np.abs(inner.bias.data - V[2]).max() <= 1e-12
    assert np.abs(outer.weight.data.T - W).max() <= 1e-12


def test_adaline_is_full_batch_descent_on_the_sum_of_squares():
    X, labels = data.blobs(60, centres=2, rng=0)
    y, w, eta = labels * 2.0 - 1, np.zeros(2), 0.002
    unit = nn.Linear(2, 1, bias=False, init=nn.init.zeros())
    optimizer = optim.SGD(unit.parameters(), lr=eta)
    for _ in range(50):
        w += eta * X.T @ (y - X @ w)
        optimizer.zero_grad()
        (0.5 * ((unit(X)[:, 0] - y) ** 2).sum()).backward()
        optimizer.step()
    assert np.abs(unit.weight.data[0] - w).max() <= 1e-12
