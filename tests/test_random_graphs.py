"""Random graphs against the naive oracle: up to 60 nodes, shared subexpressions, broadcasting.

hypothesis builds a graph node by node, with tensors and with the oracle's numbers side by side.
At the end both differentiate, and every leaf is compared. An error counts relative to the sum of
the absolute contributions of all paths: what cancels cannot have more digits than it had before.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

import tinygrad_mlp as tg
from tests import oracle
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.ops.indexing import numpy_key

SHAPES = [(), (1,), (2,), (3,), (2, 2), (3, 2), (1, 3), (3, 1), (2, 1, 3)]
LARGEST = 18
"""Entries of an array: the oracle is slow."""
MOST_NODES = 60


def _mean(array, axis=None):
    count = array.size if axis is None else array.shape[axis]
    return oracle.each(lambda a: oracle.scale(a, 1 / count), oracle.total(array, axis))


# Each op twice: for tensors, and for arrays of the oracle's numbers. All keep numbers bounded.
ONE = {
    "sin": (np.sin, oracle.sin),
    "cos": (np.cos, oracle.cos),
    "tanh": (np.tanh, oracle.tanh),
    "sigmoid": (REGISTRY["sigmoid"], oracle.sigmoid),
    "bell": (lambda a: np.exp(-(a**2)), lambda a: oracle.exp(oracle.scale(oracle.square(a), -1))),
    "half": (lambda a: a / 2, lambda a: oracle.scale(a, 0.5)),
    "minus": (lambda a: 0.25 - a, lambda a: oracle.shift(oracle.scale(a, -1.0), 0.25)),
}
TWO = {
    "mean of two": (lambda a, b: (a + b) / 2, lambda a, b: oracle.scale(oracle.add(a, b), 0.5)),
    "difference": (lambda a, b: (a - b) * 0.5, lambda a, b: oracle.scale(oracle.sub(a, b), 0.5)),
    "product": (lambda a, b: a * b, oracle.mul),
    "quotient": (
        lambda a, b: a / (1.0 + b * b),
        lambda a, b: oracle.div(a, oracle.shift(oracle.square(b), 1.0)),
    ),
}
KINKED = {
    "relu": (lambda a, b: REGISTRY["relu"](a - b), lambda a, b: oracle.relu(oracle.sub(a, b))),
    "distance": (lambda a, b: abs(a - b), lambda a, b: oracle.absolute(oracle.sub(a, b))),
    "maximum": (np.maximum, oracle.maximum),
}


def _fits(*arrays):
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        return False
    return np.prod(shape) <= LARGEST


class Graphs(RuleBasedStateMachine):
    """A growing graph. A node is a pair: a tensor and an array of the oracle's numbers."""

    nodes = Bundle("nodes")

    def __init__(self):
        super().__init__()
        self.leaves = []
        self.made = []

    def leaf(self, shape, numbers):
        """A new leaf; the same drawn numbers make different leaves."""
        array = np.resize(np.array(numbers), shape) * (1 + 0.01 * len(self.leaves))
        name = f"leaf{len(self.leaves)}"
        tensor = tg.Tensor(array, requires_grad=True, name=name)
        pair = (tensor, oracle.leaves(array, name))
        self.leaves.append((name, *pair))
        return pair

    def node(self, tensor, numbers):
        np.testing.assert_allclose(tensor.data, oracle.values(numbers), rtol=1e-11, atol=1e-13)
        self.made.append((tensor, numbers))
        return (tensor, numbers)

    entries = st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=4)

    @initialize(
        target=nodes,
        shapes=st.lists(st.sampled_from(SHAPES), min_size=2, max_size=4),
        numbers=entries,
    )
    def first(self, shapes, numbers):
        return multiple(*(self.leaf(shape, numbers) for shape in shapes))

    @rule(target=nodes, shape=st.sampled_from(SHAPES), numbers=entries)
    def another_leaf(self, shape, numbers):
        return self.leaf(shape, numbers)

    @rule(target=nodes, name=st.sampled_from(sorted(ONE)), x=nodes)
    def one(self, name, x):
        ours, theirs = ONE[name]
        return self.node(ours(x[0]), oracle.each(theirs, x[1]))

    @rule(target=nodes, name=st.sampled_from(sorted(TWO)), a=nodes, b=nodes)
    def two(self, name, a, b):
        if not _fits(a[0], b[0]):
            return multiple()
        ours, theirs = TWO[name]
        return self.node(ours(a[0], b[0]), oracle.each(theirs, a[1], b[1]))

    @rule(target=nodes, name=st.sampled_from(sorted(KINKED)), a=nodes, b=nodes)
    def kinked(self, name, a, b):
        if not _fits(a[0], b[0]):
            return multiple()
        gap = np.abs(a[0].data - b[0].data)
        if a[0] is not b[0] and gap.min(initial=1.0) < 1e-6:
            return multiple()  # rounding would decide who wins
        ours, theirs = KINKED[name]
        return self.node(ours(a[0], b[0]), oracle.each(theirs, a[1], b[1]))

    @rule(target=nodes, x=nodes, axis=st.integers(0, 2))
    def mean(self, x, axis):
        if axis >= x[0].ndim:
            return self.node(x[0].mean(), _mean(x[1]))
        return self.node(x[0].mean(axis), _mean(x[1], axis))

    @rule(target=nodes, a=nodes, b=nodes)
    def matmul(self, a, b):
        if a[0].ndim < 2 or b[0].ndim < 2 or a[0].shape[-1] != b[0].shape[-2]:
            return multiple()
        inner = a[0].shape[-1]
        scaled = oracle.each(lambda n: oracle.scale(n, 1 / inner), oracle.matmul(a[1], b[1]))
        if scaled.size > LARGEST:
            return multiple()
        return self.node((a[0] @ b[0]) / inner, scaled)

    @rule(target=nodes, x=nodes, way=st.sampled_from(["flat", "turned", "reversed", "first"]))
    def moved(self, x, way):
        tensor, numbers = x
        if way == "flat":
            return self.node(tensor.reshape(-1), numbers.reshape(-1))
        if way == "turned":
            return self.node(tensor.T, numbers.T)
        if tensor.ndim == 0:
            return multiple()
        key = slice(None, None, -1) if way == "reversed" else slice(0, 1)
        return self.node(tensor[key], numbers[key])

    @rule(target=nodes, x=nodes, places=st.lists(st.integers(0, 1), min_size=1, max_size=4))
    def picked(self, x, places):
        tensor, numbers = x
        if tensor.ndim == 0 or tensor.shape[0] < 2 or numbers[places].size > LARGEST:
            return multiple()
        return self.node(tensor[places], numbers[places])

    @rule(target=nodes, a=nodes, b=nodes, how=st.sampled_from([np.stack, np.concatenate]))
    def joined(self, a, b, how):
        if a[0].shape != b[0].shape or (how is np.concatenate and a[0].ndim == 0):
            return multiple()
        if 2 * a[0].size > LARGEST or a[0].ndim > 2:
            return multiple()
        return self.node(how([a[0], b[0]]), how([a[1], b[1]]))

    @rule(target=nodes, a=nodes, b=nodes, flip=st.booleans())
    def chosen(self, a, b, flip):
        if a[0].shape != b[0].shape:
            return multiple()
        mask = (np.arange(a[0].size).reshape(a[0].shape) % 2 == 0) ^ flip
        return self.node(np.where(mask, a[0], b[0]), np.where(mask, a[1], b[1]))

    def teardown(self):
        if not self.made:
            return
        loss, numbers = tg.Tensor(0.0), np.asarray(oracle.Number(0.0))
        for tensor, array in self.made[-3:]:
            loss = loss + tensor.mean()
            numbers = oracle.each(oracle.add, numbers, _mean(array))
        loss.backward()
        for name, tensor, array in self.leaves:
            expected, paths = oracle.gradient(numbers.item(), array, name)
            if tensor.grad is None:
                np.testing.assert_array_equal(paths, 0.0)
                continue
            assert np.all(np.abs(tensor.grad - expected) <= 1e-10 * paths), (
                name,
                tensor.grad,
                expected,
                paths,
            )


TestRandomGraphs = Graphs.TestCase
TestRandomGraphs.settings = settings(stateful_step_count=MOST_NODES + 1)


# ------------------------------------------------------------------ the tester is tested


def _first_copy(x, shape):
    new = x.ndim - len(shape)
    x = x[(0,) * new]
    return x[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]


def _last_place_wins(g, y, x, *arrays, key):
    out = np.zeros(x.shape)
    out[numpy_key(key, arrays)] = g
    return out


SABOTAGE = {
    "another operand": ("mul", {"rules": (lambda g, y, a, b: g * b, lambda g, y, a, b: g * b)}),
    "a sign": ("sub", {"rules": (lambda g, y, a, b: g, lambda g, y, a, b: g)}),
    "a factor": ("tanh", {"rules": (lambda g, y, x: 0.5 * g * (1.0 - y * y),)}),
    "not un-broadcast": ("sum_to", {"forward": _first_copy}),
    "not accumulated": ("getitem", {"rules": (_last_place_wins, None)}),
    "an index": ("stack", {"each": lambda i, g, y, *xs, axis: g[(slice(None),) * axis + (0,)]}),
}


@pytest.mark.parametrize(("name", "wrong"), SABOTAGE.values(), ids=SABOTAGE)
def test_a_planted_wrong_rule_is_caught(name, wrong, monkeypatch):
    for attribute, value in wrong.items():
        monkeypatch.setattr(REGISTRY[name], attribute, value)
    quick = settings(
        stateful_step_count=30,
        max_examples=2_000,  # it ends with the first graph that shows the fault
        phases=[Phase.generate],
        report_multiple_bugs=False,
        database=None,
    )
    with pytest.raises(AssertionError, match="leaf"):
        run_state_machine_as_test(Graphs, settings=quick)
