"""The engine at its limits: very deep graphs, very many paths, very many steps."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.ops import REGISTRY


@pytest.fixture
def no_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def chain(x, length):
    for _ in range(length):
        x = x + 1.0
    return x


@pytest.mark.slow
def test_a_million_nodes_deep(no_gc):
    x = tg.Tensor(0.5, requires_grad=True)
    y = chain(x, 1_000_000)
    y.backward()
    assert y.item() == 1_000_000.5
    assert x.grad == 1


def test_a_deep_graph_backward_twice_and_second_order():
    x = tg.Tensor(0.5, requires_grad=True)
    y = chain(x, 20_000) * x
    y.backward(create_graph=True)
    first, x.grad = x.grad, None
    assert first.item() == 20_001
    first.backward()
    assert x.grad == 2
    y.backward()
    assert x.grad == 20_003


def test_a_deep_graph_is_let_go_without_recursion():
    y = chain(tg.Tensor(0.5, requires_grad=True), 100_000)
    del y


def test_a_million_paths_through_twenty_doublings():
    x = tg.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20):
        y = y + y
    y.backward()
    assert x.grad == 2**20


def test_many_operands_and_many_uses():
    xs = [tg.Tensor(float(i), requires_grad=True) for i in range(2_000)]
    np.stack(xs * 2).sum().backward()
    assert {float(x.grad) for x in xs} == {2.0}
    x = tg.Tensor(np.ones(3), requires_grad=True)
    total = x * 0.0
    for _ in range(5_000):
        total = total + x
    total.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 5_000.0))


def test_at_most_600_bytes_per_node_beyond_its_arrays():
    n = 5_000
    x = tg.Tensor(np.ones(4), requires_grad=True)
    b = tg.Tensor(np.ones(4), requires_grad=True)
    x * b  # whatever is allocated once
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        arrays = [np.multiply(x.data, b.data) for _ in range(n)]
        between, _ = tracemalloc.get_traced_memory()
        y = x
        for _ in range(n):
            y = y * b
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size_of_arrays = between - before
    per_node = (after - between - size_of_arrays) / n
    assert len(arrays) == n
    assert per_node <= 600, f"{per_node:.0f} bytes per node"


def steps(parameters, x, t, count):
    """Training by hand: forward, backward, step, forget the gradients."""
    w1, w2 = parameters
    for _ in range(count):
        y = REGISTRY["sigmoid"](x @ w1) @ w2
        loss = ((y - t) ** 2).mean()
        loss.backward()
        for w in parameters:
            w.data = w.data - 0.1 * w.grad
            w.grad = None
    return loss.item()


def in_cycles():
    """The tensors that only the garbage collector can free; pytest may leave it other things."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [x for x in gc.garbage if isinstance(x, tg.Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def test_a_cycle_would_be_seen(no_gc):
    t = tg.Tensor(1.0)
    t.attrs = {"itself": t}
    mine = id(t)
    del t
    assert [id(x) for x in in_cycles()] == [mine]


def test_ten_thousand_steps_do_not_grow(no_gc):
    rng = np.random.default_rng(0)
    parameters = [
        tg.Tensor(rng.normal(size=shape), requires_grad=True) for shape in ((2, 3), (3, 1))
    ]
    x, t = tg.Tensor(rng.normal(size=(4, 2))), tg.Tensor(rng.normal(size=(4, 1)))
    first = steps(parameters, x, t, 1_000)
    before = sys.getallocatedblocks()
    last = steps(parameters, x, t, 9_000)
    growth = sys.getallocatedblocks() - before  # of the whole process, pytest and all
    assert last < first
    assert growth <= 500, f"{growth} blocks more than 9 000 steps before"
    assert in_cycles() == []
