"""Ten graphs that every picture and every explanation is held to.

They are small enough to be read and different enough to show what can go wrong: shared inputs,
broadcasting, modules in modules, data without names, numbers that are not finite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn

EVIL = "</script><img src=x onerror=alert(1)>"
HOSTILE = (
    EVIL,
    'it\'s "quoted" & <b>bold</b>',
    "two\nlines\tand a tab",
    "\u05e9\u05dc\u05d5\u05dd \u202eabc",
    r"50% $x_1$ \frac{a}{b} ~^#&{}",
    "]]> --> ${7*7} {{data}} %s \\N \\l <BR/>",
    "",
    "a very long name that nobody would want to read to its end in a small box",
)


class Graph(NamedTuple):
    """A result, and the tensor of which the chain rule is told."""

    root: tg.Tensor
    wrt: tg.Tensor


def weight(data: object, name: str) -> tg.Tensor:
    return tg.Tensor(data, requires_grad=True, name=name)


def square() -> Graph:
    w = weight(3.0, "w")
    y = w * w
    y.name = "y"
    return Graph(y, w)


def one_neuron() -> Graph:
    x, t = tg.Tensor([0.5, -1.0], name="x"), tg.Tensor(1.0, name="t")
    w, b = weight([0.2, -0.3], "w"), weight(0.1, "b")
    o = np.tanh((w * x).sum() + b)
    loss = (t - o) ** 2
    return Graph(named(loss, "loss"), w)


def paths() -> Graph:
    w, x = weight(0.5, "w"), tg.Tensor(-2.0, name="x")
    h = named(np.tanh(w * x), "h")
    return Graph(named((h * h - w) ** 2, "loss"), w)


def many_paths() -> Graph:
    w = weight(0.3, "w")
    y = w
    for _ in range(6):
        y = y * y + w
    return Graph(named(y, "y"), w)


def broadcasting() -> Graph:
    A, b = weight(np.arange(6.0).reshape(2, 3) / 10, "A"), weight([0.1, -0.2, 0.3], "b")
    return Graph(named(np.exp(A + b).mean(), "loss"), b)


def matrices() -> Graph:
    rng = np.random.default_rng(0)
    X = tg.Tensor(rng.normal(size=(4, 3)), name="X")
    W = weight(rng.normal(size=(3, 2)), "W")
    return Graph(named(((X @ W) ** 2).sum(), "loss"), W)


def network() -> Graph:
    rng = np.random.default_rng(1)
    model = nn.MLP(num_inputs=2, hidden_layers=[5], num_outputs=1, rng=1)
    x = tg.Tensor(rng.uniform(size=(4, 2)), name="x")
    t = tg.Tensor(rng.uniform(size=(4, 1)), name="target")
    loss = nn.MSELoss()(model(x), t)
    return Graph(named(loss, "loss"), next(model.parameters()))


class Residual(nn.Module):
    """A module of the user's own with modules inside."""

    def __init__(self, rng: int) -> None:
        self.inner = nn.Sequential(nn.Linear(3, 3, rng=rng), nn.Tanh())

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x + self.inner(x)


def residual() -> Graph:
    model = nn.Sequential(Residual(0), Residual(1))
    loss = model(tg.Tensor(np.ones((2, 3)) / 3, name="x")).sum()
    return Graph(named(loss, "loss"), next(model.parameters()))


def shapes() -> Graph:
    a = weight(np.arange(6.0), "a")
    parts = np.concatenate([a.reshape(2, 3)[0], a[::2]])
    return Graph(named(np.maximum(parts, 2.0).max(), "top"), a)


def not_finite() -> Graph:
    a = weight([1.0, 0.0, 4.0], "a")
    with np.errstate(all="ignore"):
        return Graph(named((1 / a).sum(), "loss"), a)


def named(tensor: tg.Tensor, name: str) -> tg.Tensor:
    tensor.name = name
    return tensor


GRAPHS: dict[str, Callable[[], Graph]] = {
    make.__name__: make
    for make in (
        square,
        one_neuron,
        paths,
        many_paths,
        broadcasting,
        matrices,
        network,
        residual,
        shapes,
        not_finite,
    )
}


def hostile() -> Graph:
    """Every name that a person could give with the worst intentions."""
    parts = [weight([float(i), 1.0], name or "\u200b") for i, name in enumerate(HOSTILE)]
    total = parts[0]
    for part in parts[1:]:
        total = named(total * part + part, part.name)
    return Graph(named(total.sum(), EVIL), parts[0])
