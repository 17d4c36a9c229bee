"""Steps at the edges of what is usual: compiled, they give what the eager step gives."""

import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import functional as F
from tinygrad_mlp import nn, ops, optim
from tinygrad_mlp.errors import IndexingError, UsageError


def assert_equal(found, expected, tolerance=1e-12):
    """The same shape, dtype and NaN, and the same numbers up to the last bits."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def several(results):
    return results if isinstance(results, tuple) else (results,)


def assert_compiled_is_eager(make, calls, tolerance=1e-12):
    """Run a step compiled, scanned and eager.

    `make` gives a step and the tensors that it changes, `calls` are lists of its arguments.
    """
    eager, tensors = make()
    expected = [
        [np.array(t.data) for t in several(eager(*map(tg.Tensor, xs)))]
        for xs in zip(*calls, strict=True)
    ]
    ours, others = make()
    compiled = tg.compile(ours)
    found = [
        several(compiled(*xs)) for xs in zip(*calls, strict=True)
    ]  # kept: no step may change an earlier
    for a, b in zip(found, expected, strict=True):
        for t, array in zip(a, b, strict=True):
            assert_equal(t.data, array, tolerance)
    again, scanned = make()
    columns = several(tg.compile(again).scan(*map(np.stack, calls)))
    for column, arrays in zip(columns, zip(*expected, strict=True), strict=True):
        assert_equal(column.data, np.stack(arrays), tolerance)
    for mine in (others, scanned):
        for a, b in zip(mine, tensors, strict=True):
            assert_equal(a.data, b.data, tolerance)
            assert (a.grad is None) == (b.grad is None)
            if a.grad is not None:
                assert_equal(a.grad, b.grad, tolerance)
    return compiled


# -- what lies side by side ----------------------------------------------------------------------

PENALTIES = {
    "l1": lambda p: 0.01 * np.abs(p).sum(),
    "l2": lambda p: 0.01 * (p * p).sum(),
    "mean": lambda p: (p**2).mean(),
    "tanh": lambda p: np.tanh(p).mean(),
    "root": lambda p: np.sqrt(1 + p * p).sum(),
    "norm": lambda p: np.sqrt((p * p).sum()),
    "exp": lambda p: np.exp(-p * p).mean(),
    "fourth": lambda p: 0.01 * ((p * p) ** 2).sum(),
    "log": lambda p: np.log1p(p * p).sum(),
}


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_penalty_over_all_parameters(penalty):
    def make():
        model = nn.Sequential(nn.Linear(8, 16, rng=0), nn.Tanh(), nn.Linear(16, 1, rng=1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            loss = ((model(x) - y) ** 2).mean()
            loss = loss + sum(PENALTIES[penalty](p) for p in model.parameters())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, list(model.parameters())

    rng = np.random.default_rng(0)
    calls = [rng.normal(size=(50, 8)) for _ in range(6)], [rng.normal(size=(50, 1))] * 6
    assert_compiled_is_eager(make, calls)


def test_a_parameter_beside_what_is_computed():
    """`tanh` of both is one call only where both are memory of the step's own."""

    def make():
        rng = np.random.default_rng(0)
        a = tg.Tensor(rng.normal(size=(5, 31)), requires_grad=True, name="a")
        b = tg.Tensor(rng.normal(size=(1, 31)), requires_grad=True, name="b")

        def step(x):
            loss = np.tanh(a).mean() + np.tanh(x * b).mean() + np.tanh(b).mean()
            a.grad = b.grad = None
            loss.backward()
            a.data, b.data = a.data - 0.1 * a.grad, b.data - 0.1 * b.grad
            return loss, a * 1.0, x * b * 1.0

        return step, [a, b]

    rng = np.random.default_rng(1)
    assert_compiled_is_eager(make, [[rng.normal(size=(5, 31)) for _ in range(5)]])


# -- what is handed out --------------------------------------------------------------------------

OLD = {
    "times one": lambda w: w * 1.0,
    "shape": lambda w: w.reshape(10, 100),
    "row": lambda w: w.reshape(10, 100)[3],
    "transposed": lambda w: w.reshape(10, 100).T,
    "turned": lambda w: np.flip(w),
    "number": lambda w: w.reshape(1, 1000)[0, 7],
    "alone": lambda w: w[7:8].reshape(()),
}


@pytest.mark.parametrize("old", OLD)
@pytest.mark.parametrize("grouped", [False, True])
def test_the_value_that_a_parameter_had_is_returned(old, grouped):
    def make():
        ws = [tg.Tensor(np.arange(1000.0), name=f"w{i}") for i in range(1 + grouped)]

        def step(x):
            found = OLD[old](ws[0])
            for w in ws:
                w.data = w.data + x.data
            return found

        return step, ws

    assert_compiled_is_eager(make, [[np.full(1000, k + 1.0) for k in range(6)]])


def test_a_single_number_that_is_kept():
    """The old value of a parameter of no dimension, also where it is left as it was."""

    def make():
        w, fixed = tg.Tensor(np.array(1.5), name="w"), tg.Tensor(np.array(2.5), name="fixed")

        def step(x):
            old = w * 1.0
            w.data = w.data + x.data.sum()
            return old, fixed * 1.0, w * x

        return step, [w, fixed]

    assert_compiled_is_eager(make, [[np.full(900, k + 1.0) for k in range(6)]])


SINGLE = {
    "prod": lambda x: x.prod(),
    "kept axes": lambda x: x.sum(keepdims=True).reshape(()),
    "inner": lambda x: np.inner(x, x),
    "tensordot": lambda x: np.tensordot(x, x, 1),
    "squeezed": lambda x: np.squeeze((x * 2.0)[:1]),
    "dots": lambda x: (x * 2.0)[0, ...],
    "argument": lambda x: x[:1].reshape(()),
    "max": lambda x: x.max(),
}


@pytest.mark.parametrize("single", SINGLE)
@pytest.mark.parametrize("size", [4, 1000])
@pytest.mark.parametrize("more", [False, True])
def test_a_result_of_no_dimension_is_its_own(single, size, more):
    def make():
        def step(x):
            y = SINGLE[single](x)
            return (y, x * 2.0) if more else y

        return step, []

    rng = np.random.default_rng(0)
    assert_compiled_is_eager(make, [[rng.uniform(0.9, 1.1, size) for _ in range(6)]])


def test_results_may_be_written_to():
    compiled = tg.compile(lambda x: ((x * 2.0)[:1].reshape(()), x[:1].reshape(()), x.sum()))
    x = np.arange(2000.0) + 1.0
    for _ in range(4):
        results = compiled(x)
        assert [r.item() for r in results] == [2.0, 1.0, x.sum()]
        for r in results:
            r.data[...] = -1.0


def test_a_view_keeps_the_memory_that_it_shows():
    """Nothing else may be written where the turned array still is."""

    def make():
        def step(x):
            turned = np.flip(np.tanh(x * 2.0), axis=0)
            middle = np.tanh(x + 1.0)
            return turned * middle + np.exp(middle)

        return step, []

    rng = np.random.default_rng(0)
    assert_compiled_is_eager(make, [[rng.normal(size=(40, 30)) for _ in range(5)]])


# -- drawn ---------------------------------------------------------------------------------------


@st.composite
def tangles(draw):
    """Parameters of several shapes, what is done to each, and what is returned."""
    shapes = draw(st.lists(st.sampled_from([(), (1,), (3,), (2, 3), (4, 31), (1, 31), (20, 40)]),
                           min_size=1, max_size=4))  # fmt: skip
    pick = st.integers(0, len(shapes) - 1)
    penalties = draw(st.lists(st.tuples(pick, st.sampled_from(list(PENALTIES))), max_size=6))
    everywhere = draw(st.lists(st.sampled_from(list(PENALTIES)), max_size=2))
    returned = draw(st.lists(st.tuples(pick, st.sampled_from(list(RETURNED))), max_size=3))
    return shapes, penalties, everywhere, returned, draw(st.booleans())


RETURNED = {
    "old": lambda w, x: w * 1.0,
    "view": lambda w, x: w.reshape(-1),
    "turned": lambda w, x: np.flip(w.reshape(-1)),
    "entry": lambda w, x: w.reshape(-1)[0],
    "single": lambda w, x: w.sum(keepdims=True).reshape(()),
    "product": lambda w, x: (w * x).prod(),
    "scaled": lambda w, x: (w * x).T,
    "penalty": lambda w, x: np.tanh(w * x),
}


@settings(max_examples=150)
@given(tangles())
def test_penalties_views_and_old_values(tangle):
    shapes, penalties, everywhere, returned, momentum = tangle

    def make():
        rng = np.random.default_rng(3)
        ws = [tg.Tensor(rng.uniform(0.5, 1.5, shape), requires_grad=True, name=f"w{i}")
              for i, shape in enumerate(shapes)]  # fmt: skip
        optimizer = optim.SGD(ws, lr=0.05, momentum=0.9 if momentum else 0.0)

        def step(x):
            loss = sum((np.tanh(w * x) ** 2).mean() for w in ws)
            loss = loss + sum(PENALTIES[name](ws[i]) for i, name in penalties)
            loss = loss + sum(PENALTIES[name](w) for name in everywhere for w in ws)
            results = [RETURNED[name](ws[i], x) for i, name in returned]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return (loss, *results) if results else loss

        return step, ws

    assert_compiled_is_eager(make, [[np.array(v) for v in (0.5, -1.0, 1.5, 0.75, 2.0)]], 1e-11)


# -- numbers at the ends of the range ------------------------------------------------------------

NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 1e-300, 5e-324, -3e-310, 1.0, -2.5,
           0.5, 709.5, -745.0)  # fmt: skip

OF_ONE = {
    "neg": lambda x: -x,
    "positive": lambda x: +x,
    "reciprocal": np.reciprocal,
    "square": np.square,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sigmoid": ops.sigmoid,
    "relu": nn.ReLU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
    "elu": nn.ELU(),
    "leaky": nn.LeakyReLU(),
    "clip": lambda x: np.clip(x, 0, 1),
    "power 1.5": lambda x: x**1.5,
    "power 1/3": lambda x: x ** (1 / 3),
    "power 0.5": lambda x: x**0.5,
    "power 3": lambda x: x**3,
    "power -1": lambda x: x**-1,
    "power -2": lambda x: x**-2,
    "int on the right": lambda x: np.maximum(x, 0),
    "int on the left": lambda x: np.minimum(1, x),
    "not a number": lambda x: np.maximum(x, np.nan),
    "chosen int": lambda x: np.where(x > 0, x, 0),
    "truth chosen": lambda x: np.where(x > 0, x > 1, x < -1) * x,
    "truth or number": lambda x: np.where(x > 0, x, x < -1),
    "truths": lambda x: (x > 0) * (x < 1),
    "compared": lambda x: x >= 0.5,
    "not": lambda x: np.logical_not(x) * x,
    "sum of zeros": lambda x: 1 / (x + 0.0) + 1 / (x - 0.0),
    "half": lambda x: x / 2,
}
OF_TWO = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "where": lambda a, b: np.where(a > b, a, b),
    "equal": lambda a, b: (a == b) * a,
    "less": lambda a, b: (a < b) * (a - b),
    "max": lambda a, b: np.stack([a, b]).max(axis=0),
    "product": lambda a, b: (np.exp(-a) * b) * b,
    "slope": lambda a, b: ops.sigmoid(a) * (1.0 - ops.sigmoid(a)) * b,
    "chain": lambda a, b: (a * b) * (np.tanh(a) * b) * (a * b * 0.5),
    "logits": lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none"),
    "mse": lambda a, b: F.mse_loss(a, b),
    "dot": lambda a, b: np.dot(a, b),
}


def numbers(count):
    edge = st.sampled_from(NUMBERS)
    return st.lists(st.one_of(edge, edge, st.floats(-100.0, 100.0)), min_size=count, max_size=count)


def values_and_gradients(function, count):
    """A step that returns a value and the gradients of its sum, and changes its parameters."""

    def make():
        ws = [tg.Tensor(np.zeros(3), requires_grad=True, name=f"w{i}") for i in range(count)]

        def step(*xs):
            y = function(*(x + w for x, w in zip(xs, ws, strict=True)))
            for w in ws:
                w.grad = None
            if y.dtype == bool:
                return y
            y.sum().backward()
            return (y, *(w.grad * 1.0 for w in ws if w.grad is not None))

        return step, ws

    return make


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*OF_ONE, *OF_TWO])
@settings(max_examples=12)
@given(data=st.data())
def test_values_and_gradients_at_the_ends_of_the_range(name, data):
    function, count = (OF_ONE[name], 1) if name in OF_ONE else (OF_TWO[name], 2)
    usual = np.array([0.5, 1.5, 2.5])
    calls = [[usual, usual + 0.25] for _ in range(count)]
    for _ in range(4):
        for column in calls:
            column.append(np.array(data.draw(numbers(3))))
    compiled = assert_compiled_is_eager(values_and_gradients(function, count), calls)
    assert name in {"abs", "softplus"} or "scalars" in compiled.executed


# -- what forward functions do -------------------------------------------------------------------


@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("bias", [False, True])
def test_a_network_that_begins_with_zeros(width, bias):
    """The first state of a recurrent network is an array and no tensor."""

    def make():
        step_in, again = nn.Linear(2, width, rng=0), nn.Linear(width, width, bias, rng=1)
        out = nn.Linear(width, 1, rng=2)
        ws = [p for layer in (step_in, again, out) for p in layer.parameters()]
        optimizer = optim.SGD(ws, lr=0.05)

        def step(x, y):
            h = np.zeros((3, width))
            for t in range(2):
                h = np.tanh(step_in(x[:, t]) + again(h))
            loss = ((out(h) - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, ws

    rng = np.random.default_rng(0)
    xs, ys = ([rng.normal(size=shape) for _ in range(5)] for shape in ((3, 2, 2), (3, 1)))
    assert_compiled_is_eager(make, [xs, ys])


def clamped(x):
    x = x.copy()
    x[x < 0] = 0
    return x


clamp = tg.define_op("clamped at 0", clamped, lambda g, y, x: g * (x > 0))


@pytest.mark.parametrize("size", [2, 1000])
def test_a_forward_function_that_writes(size):
    def make():
        w = tg.Tensor(np.ones(size), requires_grad=True, name="w")

        def step(x):
            loss = (clamp(x * w) * 2.0).sum()
            w.grad = None
            loss.backward()
            w.data = w.data - 0.1 * w.grad
            return loss

        return step, [w]

    rng = np.random.default_rng(0)
    assert_compiled_is_eager(make, [[rng.normal(size=size) for _ in range(5)]])


def test_products_that_are_too_many_for_python_numbers():
    """NumPy's loops over objects must not be left with an error."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(22, 22))
    compiled = tg.compile(lambda x: (x @ x) @ (x @ x.T) + np.dot(x, x))
    for _ in range(4):
        assert_equal(compiled(a).data, (a @ a) @ (a @ a.T) + a @ a, 1e-9)
    assert "scalars" not in compiled.executed


def test_a_number_is_compared_in_the_precision_of_the_array():
    x = np.full(2000, np.float32(0.1))
    compiled = tg.compile(lambda x: (x > 0.1) * x)
    for _ in range(4):
        assert not compiled(x).data.any()


# -- what happens between calls ------------------------------------------------------------------


@pytest.mark.parametrize("width", [2, 60])
@pytest.mark.parametrize("scan", [False, True])
def test_threads_get_their_own_results(width, scan):
    model = nn.MLP(width, [2 * width], width, rng=0)
    compiled = tg.compile(lambda x: model(x))
    batches = [np.random.default_rng(i).normal(size=(4, width)) for i in range(4)]
    expected = [model(x).data for x in batches]
    for _ in range(3):
        compiled(batches[0])
    wrong = []

    def work(i):
        for _ in range(60):
            if scan:
                results = compiled.scan(np.stack([batches[i]] * 5)).data
            else:
                results = [compiled(batches[i]).data]
            wrong.extend(i for r in results if not np.allclose(r, expected[i]))

    in_threads([lambda i=i: work(i) for i in range(4)])
    assert not wrong


@pytest.mark.parametrize("size", [3, 2000])
def test_threads_count_together(size):
    w = tg.Tensor(np.zeros(size), name="w")

    def step(x):
        w.data = w.data + x.data
        return w * 1.0

    compiled = tg.compile(step)
    for _ in range(3):
        compiled(np.ones(size))
    in_threads([lambda: [compiled(np.ones(size)) for _ in range(100)]] * 4)
    assert np.unique(w.data).tolist() == [403.0]


def in_threads(works):
    """Do all of it at once, with threads that change places often."""
    failed = []

    def watched(work):
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has failed
            failed.append(error)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=watched, args=(work,)) for work in works]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(usual)
    assert not failed


def test_a_step_that_failed_lets_others_have_their_turn():
    table = tg.Tensor(np.arange(6.0).reshape(3, 2), name="table")
    compiled = tg.compile(lambda i: table[i] * 2.0)
    for _ in range(3):
        compiled(np.array([0, 2]))
    with pytest.raises(IndexError):
        compiled(np.array([0, 3]))
    assert compiled(np.array([1, 1])).tolist() == [[4.0, 6.0], [4.0, 6.0]]


@pytest.mark.parametrize("scan", [False, True])
def test_a_step_that_is_called_while_it_runs(scan):
    compiled = tg.compile(lambda x: (x * 2.0).sum())
    x = np.ones((3, 2000))
    for _ in range(3):
        compiled(x[0])
    runner = compiled._runners[0][0]
    runner.careful = runner.space["step"] = lambda *_: compiled(x[0])
    with pytest.raises(UsageError, match="while it was running"):
        compiled.scan(x) if scan else compiled(x[0])


@pytest.mark.parametrize("hidden", [3, 60])
@pytest.mark.parametrize("first", ["call", "scan"])
def test_parameters_of_another_dtype_or_shape(hidden, first):
    model = nn.MLP(3, [hidden], 1, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = tg.compile(step)
    x, y = np.ones((4, 3)), np.ones((4, 1))
    for _ in range(3):
        compiled(x, y)
    twin = {}
    for dtype in (np.float32, np.float64, np.float32):
        model.astype(dtype)
        for _ in range(3):
            twin = {name: p.data.copy() for name, p in model.named_parameters()}
            expected = ((model(x) - y) ** 2).mean().item()
            if first == "scan":
                found = compiled.scan(x[None], y[None]).data[0]
            else:
                found = compiled(x, y).item()
            np.testing.assert_allclose(found, expected, rtol=1e-5)
            for name, p in model.named_parameters():
                assert p.grad.dtype == dtype
                np.testing.assert_allclose(p.data, twin[name] - 0.1 * p.grad, rtol=1e-5)


class Words(nn.Module):
    """Rows of a table, averaged, and classes of them."""

    def __init__(self):
        self.table, self.linear = nn.Embedding(7, 4, rng=0), nn.Linear(4, 3, rng=1)

    def forward(self, x):
        return self.linear(self.table(x).mean(axis=1))


@pytest.mark.parametrize("wrong", [-1, 3, 99])
@pytest.mark.parametrize("where", ["class", "row"])
@pytest.mark.parametrize("scan", [False, True])
def test_numbers_of_classes_and_rows_are_looked_at_in_every_call(wrong, where, scan):
    model = Words()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = tg.compile(step)
    x, y = np.arange(20).reshape(4, 5) % 7, np.array([0, 1, 2, 0])
    for _ in range(4):
        compiled(x, y)
    bad_x, bad_y = x.copy(), y.copy()
    if where == "class":
        bad_y[2] = wrong
    else:
        bad_x[1, 2] = wrong if wrong != 3 else 7
    before = [p.data.copy() for p in model.parameters()]
    with pytest.raises(IndexingError) as eager:
        step(tg.Tensor(bad_x), tg.Tensor(bad_y))
    run = compiled.scan if scan else compiled
    given = (np.stack([x, bad_x]), np.stack([y, bad_y])) if scan else (bad_x, bad_y)
    with pytest.raises(IndexingError) as refused:
        run(*given)
    assert str(refused.value) == str(eager.value)
    for p, data in zip(model.parameters(), before, strict=True):
        assert_equal(p.data, data)
    captures = compiled.captures
    compiled(x, y)
    assert compiled.captures == captures
