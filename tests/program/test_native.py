"""The native back end against eager steps: the same numbers, or NumPy's form and a word why."""

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tests.conftest import needs
from tests.program import test_steps_of_all_kinds as kinds
from tests.program.drawn import recipes
from tests.program.steps import Training
from tinygrad_mlp import functional as F
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import IndexingError, MissingExtraError
from tinygrad_mlp.program.native import (
    arrays,
    cache,
    elementary,
    gathering,
    kernels,
    llvm,
    module,
    plan,
    runner,
    transposing,
    ufuncs,
)
from tinygrad_mlp.program.native.values import DOUBLE, FLOAT, Kind, NotNativeError

needs("llvmlite")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "native cache"
    monkeypatch.setenv(cache.SWITCH, str(folder))


def is_native(step):
    return "native" in step.executed


def native(step):
    return tg.compile(step, backend="native")


def assert_close(a, b, tolerance=1e-12):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def assert_trains_alike(ours, theirs, batches, tolerance=1e-12):
    step = native(ours.step)
    for x, y in batches:
        expected = theirs.step(tg.Tensor(x), tg.Tensor(y))
        assert_close(step(x, y).data, expected.data, tolerance)
    assert step.captures == 2
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b, tolerance)
    return step


@pytest.fixture(params=[64, 32, 16], ids="vectors of {} bytes".format)
def _in_kernels(request, monkeypatch):
    """Small programs too as kernels over arrays, for processors of several widths."""
    monkeypatch.setattr(runner, "scalars", _too_large)
    monkeypatch.setattr(arrays, "vector_bytes", lambda: request.param)


def _too_large(program, made):
    raise NotNativeError("too large")


# -- the same numbers ------------------------------------------------------------------------

ran = Counter()


@settings(max_examples=60)
@given(recipes())
def test_drawn_steps_are_eager_to_twelve_digits(recipe):
    step = assert_trains_alike(recipe.cook(), recipe.cook(), recipe.cook().batches(10))
    ran[is_native(step)] += 1


@settings(max_examples=30)
@given(recipes(dtypes=("float32",), between=("nothing", "layer_norm", "residual", "identity")))
def test_drawn_steps_of_float32_are_eager_to_five_digits(recipe):
    # A gradient that is nothing but rounding errors is blown up by adaptive methods; so one step
    # from the same state at a time is compared.
    ours, theirs = recipe.cook(), recipe.cook()
    step = native(ours.step)
    for i, (x, y) in enumerate(recipe.cook().batches(5)):
        a, b = step(x, y), theirs.eager(x, y)
        if i >= 2:
            assert_close(a.data, b.data, 1e-5)
        for p, q in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-4, atol=1e-5)
            q.data = p.data.copy()
        for (_, t), (_, u) in zip(
            ours.model.named_state(), theirs.model.named_state(), strict=True
        ):
            u.data = t.data.copy()
    ran[is_native(step)] += 1


def test_a_good_share_of_them_ran_natively():
    if sum(ran.values()) > 20:
        assert ran[True] > 0.5 * sum(ran.values()), ran


@pytest.mark.usefixtures("_in_kernels")
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(recipes())
def test_drawn_steps_in_kernels_are_eager_to_twelve_digits(recipe):
    ours, theirs = recipe.cook(), recipe.cook()
    step = assert_trains_alike(ours, theirs, recipe.cook().batches(8))
    ran[is_native(step)] += 1
    inputs, targets = map(np.array, zip(*recipe.cook().batches(3), strict=True))
    losses = step.scan(inputs, targets)
    expected = [theirs.eager(x, y).item() for x, y in zip(inputs, targets, strict=True)]
    assert_close(losses.data, expected)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b)


@pytest.mark.usefixtures("_in_kernels")
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 1e-4)])
@pytest.mark.parametrize(
    ("sizes", "batch", "optimiser"),
    [
        ((1, 1, 1), 1, "sgd"),
        ((2, 3, 1), 7, "adam"),
        ((16, 16, 16), 16, "sgd"),
        ((17, 15, 33), 13, "momentum"),
        ((64, 100, 10), 32, "rmsprop"),
        ((130, 65, 70), 70, "sgd"),
        ((5, 300, 2), 64, "adam"),
        ((300, 300, 1), 1, "sgd"),
        ((130, 256, 70), 66, "sgd"),
    ],
)
def test_matrices_of_all_sizes(sizes, batch, optimiser, dtype, tolerance):
    def make():
        model = nn.MLP(sizes[0], [sizes[1]], sizes[2], rng=0).astype(np.dtype(dtype))
        return Training(model, batch=batch, optimizer=OPTIMISERS[optimiser])

    ours, theirs = make(), make()
    step = assert_trains_alike(ours, theirs, ours.batches(6), tolerance)
    assert is_native(step)
    inputs, targets = map(np.array, zip(*ours.batches(4), strict=True))
    expected = [theirs.step(tg.Tensor(x), tg.Tensor(y)).item()
                for x, y in zip(inputs, targets, strict=True)]  # fmt: skip
    np.testing.assert_allclose(step.scan(inputs, targets).data, expected, rtol=tolerance * 10)


OPTIMISERS = {
    "sgd": lambda ps: optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: optim.SGD(ps, lr=0.05, momentum=0.9, weight_decay=1e-3),
    "adam": lambda ps: optim.Adam(ps, lr=0.01),
    "rmsprop": lambda ps: optim.RMSprop(ps, lr=0.01),
}
STEPS = {"one by one": 1, "an odd batch": 3}


@pytest.mark.parametrize("batch", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_every_array_that_training_changes_is_the_same(batch, optimiser, dtype, tolerance):
    def make():
        model = nn.MLP(3, [5], 2, rng=0).astype(np.dtype(dtype))
        return Training(model, batch=batch, optimizer=OPTIMISERS[optimiser])

    ours, theirs = make(), make()
    step = assert_trains_alike(ours, theirs, ours.batches(10), tolerance)
    assert is_native(step)


@pytest.mark.parametrize("warm", [0, 1, 3])
def test_a_scan_is_its_steps(warm):
    def make():
        return Training(nn.MLP(2, [5], 1, rng=0), batch=1, optimizer=OPTIMISERS["adam"])

    ours, theirs = make(), make()
    step, batches = native(ours.step), ours.batches(40)
    for x, y in batches[:warm]:
        step(x, y)
        theirs.step(tg.Tensor(x), tg.Tensor(y))
    inputs, targets = map(np.array, zip(*batches[warm:], strict=True))
    losses = step.scan(inputs[:, :, ::-1], targets)  # not in order in memory: copied
    expected = [theirs.step(tg.Tensor(x[:, ::-1]), tg.Tensor(y)).item() for x, y in batches[warm:]]
    assert is_native(step)
    assert_close(losses.data, expected)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b)


def test_a_long_scan_goes_in_pieces(monkeypatch):
    monkeypatch.setattr("tinygrad_mlp.program.native.runner._WORK", 1_000)
    ours, theirs = (Training(nn.MLP(2, [3], 1, rng=0), batch=1) for _ in range(2))
    step, batches = native(ours.step), ours.batches(50)
    inputs, targets = map(np.array, zip(*batches, strict=True))
    losses = step.scan(inputs, targets)
    assert_close(losses.data, [theirs.step(*map(tg.Tensor, b)).item() for b in batches])


def meddle(training, i):
    """What a user may do between two steps."""
    if i in {12, 17}:
        training.optimizer.groups[0].lr = 0.5 if i == 12 else 0.1
    for p in training.model.parameters():
        if i == 20:
            p.data = p.data * 0.5
        elif i == 25:
            p.data -= 0.125


def test_eager_and_native_steps_and_scans_mix_freely():
    ours, theirs = (Training(nn.MLP(3, [4], 2, rng=0)) for _ in range(2))
    step = native(ours.step)
    ways = [step, step, lambda x, y: step.scan(x[None], y[None]).sum(), ours.step]
    for i, (x, y) in enumerate(ours.batches(30)):
        way = ways[i % 4]
        loss = way(tg.Tensor(x), tg.Tensor(y)) if way == ours.step else way(x, y)
        assert_close(loss.data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
        meddle(ours, i)
        meddle(theirs, i)
    assert step.captures == 2
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b)


def test_a_rate_that_goes_there_and_back_in_a_scan_is_followed():
    w = tg.Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

    def step(x):
        loss = (w * x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled, one = native(step), np.ones(1)
    for _ in range(3):
        compiled(one)
    half = optimizer.groups[0].lr
    optimizer.groups[0].lr = 0.25
    compiled.scan(one[None])
    optimizer.groups[0].lr = half
    compiled(one)
    assert w.data.tolist() == [1.0 - 3 * 0.5 - 0.25 - 0.5]


def test_whoever_kept_an_array_or_a_graph_keeps_it():
    training = Training(nn.MLP(3, [4], 2, rng=0))
    step = native(training.step)
    kept = []
    for x, y in training.batches(8):
        p = next(training.model.parameters())
        loss = training.loss_fn(training.model(tg.Tensor(x)), tg.Tensor(y))
        kept.append((p.data, p.data.copy(), loss))
        step(x, y)
        step.scan(x[None], y[None])
        kept.append((p.grad, p.grad.copy(), loss))
    assert is_native(step)
    for array, copy, loss in kept:
        assert np.array_equal(array, copy)
        training.optimizer.zero_grad()
        loss.backward()


def test_what_it_returns_is_the_callers():
    w = tg.Tensor([1.0, 2.0], name="w")

    @native
    def several(x):
        return x * w, (x * w).sum(), x > 1.0

    @native
    def single(x):
        return (x * w,)

    results = [(several(np.full(2, k)), single(np.full(2, k))) for k in (1.0, 2.0, 3.0, 4.0)]
    for k, ((product, total, larger), (again,)) in enumerate(results, 1):
        assert product.data.tolist() == again.data.tolist() == [k, 2.0 * k]
        assert total.item() == 3.0 * k
        assert larger.data.tolist() == [k > 1] * 2
    assert is_native(several)
    assert is_native(single)
    products, totals, _ = several.scan(np.arange(6.0).reshape(3, 2))
    assert products.shape == (3, 2)
    assert totals.tolist() == [2.0, 8.0, 14.0]


@pytest.mark.parametrize(
    "move",
    [
        lambda x: np.concatenate([x, x]),
        lambda x: np.stack([x, x]),
        lambda x: np.roll(x, 1),
        lambda x: np.tile(x, 2),
        lambda x: np.pad(x, 1),
        lambda x: x.T,
        lambda x: x,
    ],
    ids=["concatenate", "stack", "roll", "tile", "pad", "transpose", "nothing"],
)
def test_a_scan_of_a_step_that_only_moves_numbers(move):
    step, x = native(lambda x: move(x)), np.arange(24.0).reshape(4, 2, 3)
    assert_close(step.scan(x).data, np.stack([move(row) for row in x]))
    assert_close(step(x[1]).data, move(x[1]))


def test_arguments_of_any_layout_type_and_name():
    @native
    def step(x, *, mask, scale=2.0):
        return (np.where(mask, x, 0.0) * scale).sum()

    x = np.arange(12.0).reshape(3, 4)
    for array in (x, x[::-1], np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        for _ in range(3):
            total = step(array, mask=x > 4).item()
            assert total == 2.0 * np.asarray(array)[x > 4].sum()
    assert is_native(step)


def test_single_numbers_and_what_is_only_read():
    b = tg.Tensor(0.5, name="b")
    other = tg.Tensor([1.0, 2.0], name="other")

    @native
    def step(x):
        b.data = b.data * 0.5 + x.data
        return b * other.sum()

    expected = 0.5
    for k in range(6):
        other.data[0] = float(k)  # in place: nobody is told
        expected = expected * 0.5 + k
        assert step(np.float64(k)).item() == expected * (k + 2.0)
    assert is_native(step)


# -- numbers that are none -------------------------------------------------------------------

SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e-20, -1e-20, 5e-324, -5e-324),
    *(1e-310, 709.7, 709.9, 89.0, -103.0, -745.0, -746.0, 1e5, -1e5, 20.0, -20.0, 3.0),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "name",
    [
        "exp",
        "expm1",
        "tanh",
        "log",
        "log1p",
        "sqrt",
        "sin",
        "cos",
        "abs",
        "sign",
        "floor",
        "ceil",
        "negative",
        "square",
        "reciprocal",
    ],
)
def test_functions_of_special_numbers_are_numpys(name, dtype):
    function = getattr(np, name)
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL, np.float64).astype(dtype)
        op = tg.define_op(f"native_{name}", function, lambda g, y, x: g * y)
        try:
            step = native(lambda x: op(x))
            results = [step(x).data for _ in range(3)][-1]
            assert is_native(step)
            expected = function(x)
        finally:
            tg.ops.REGISTRY.pop(f"native_{name}")
    assert results.dtype == dtype
    np.testing.assert_array_max_ulp(results, expected, 4, dtype)
    assert np.array_equal(np.isnan(results), np.isnan(expected))


@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.logaddexp, np.add, np.divide,
                                      np.power], ids=lambda f: f.__name__)  # fmt: skip
def test_functions_of_two_special_numbers_are_numpys(function):
    a, b = np.meshgrid(SPECIAL[:11], SPECIAL[:11])
    op = tg.define_op("native_pair", function, (lambda g, y, a, b: g, lambda g, y, a, b: g))
    try:
        with np.errstate(all="ignore"):
            step = native(lambda a, b: op(a, b))
            results = [step(a, b).data for _ in range(3)][-1]
            expected = function(a, b)
    finally:
        tg.ops.REGISTRY.pop("native_pair")
    assert is_native(step)
    # The sum of log(1 + …) and the larger number loses digits where it is about 0.
    np.testing.assert_array_max_ulp(results, expected, 32 if function is np.logaddexp else 4)
    assert np.array_equal(np.isnan(results), np.isnan(expected))


KNOWN = sorted({*ufuncs._OF_NUMBERS, *ufuncs._TESTS})


@pytest.mark.parametrize("form", ["scalars", "kernels"])
@pytest.mark.parametrize("name", KNOWN)
def test_every_function_that_is_known_is_numpys(name, form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    function, rng = getattr(np, name), np.random.default_rng(len(name))
    dtype = rng.choice([np.float64, np.float32])
    with np.errstate(all="ignore"):
        given = rng.choice(np.array(SPECIAL).astype(dtype), (function.nin, 60))
    rules = (lambda g, y, *xs: g,) * function.nin
    op = tg.define_op("native_known", function, rules if function.nin > 1 else rules[0])
    limit = dtype(0.5)
    try:
        with np.errstate(all="ignore"):
            step = native(lambda *xs: (op(*xs), op(*xs[:-1], limit) if function.nin > 1 else xs[0]))
            results = [step(*given) for _ in range(3)][-1]
            expected = function(*given), function(given[0], limit) if function.nin > 1 else given[0]
    finally:
        tg.ops.REGISTRY.pop("native_known")
    assert is_native(step)
    for result, exact in zip(results, expected, strict=True):
        assert result.dtype == exact.dtype
        if exact.dtype == bool:
            assert np.array_equal(result.data, exact)
        else:
            units = 64 if name == "logaddexp" else 4
            np.testing.assert_array_max_ulp(result.data, exact, units)
            assert np.array_equal(np.isnan(result.data), np.isnan(exact))


CURVES = {
    "relu": F.relu,
    "sigmoid": F.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "elu": F.elu,
    "leaky relu": F.leaky_relu,
    "softmax": lambda x: F.softmax(x, axis=0),
    "log softmax": lambda x: F.log_softmax(x, axis=0),
    "largest": lambda x: x.max(axis=0),
    "least": lambda x: x.min(axis=1),
    "between": lambda x: np.clip(x, -1.0, 1.0),
    "positive": lambda x: np.where(x > 0.0, x, 0.5 * x),
    "variance": lambda x: x.var(axis=1),
    "root": lambda x: np.sqrt(np.abs(x)),
    "quotient": lambda x: x / (1.0 + x * x),
    "power": lambda x: x**1.5,
    "cube": lambda x: x**3,
    "same": lambda x: np.where(x == x[0], x, 0.0),
}


@pytest.mark.filterwarnings("ignore::tinygrad_mlp.errors.TrainingWarning")
@pytest.mark.parametrize("form", ["scalars", "kernels"])
@pytest.mark.parametrize("name", CURVES)
def test_gradients_of_special_numbers_are_numpys(name, form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    w = tg.Tensor(1.0, requires_grad=True)

    def eager(x):
        y = CURVES[name](x * w)
        w.grad = None
        y.sum().backward()
        return y, w.grad

    step, rng = native(eager), np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for _ in range(12):
            x = rng.choice(SPECIAL, (2, 3))
            result, gradient = step(x)
            expected, exact = eager(tg.Tensor(x))
            np.testing.assert_allclose(result.data, expected.data, 1e-12)
            np.testing.assert_allclose(gradient.data, kinds.plain(exact), 1e-12)
    assert is_native(step)


@pytest.mark.parametrize("number", [np.nan, -np.nan, np.inf, -np.inf, 1e300, -0.0, 1e-300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_of_the_text_are_what_they_are(number, dtype):
    x = np.array([1.0, -1.0, np.nan, np.inf, 0.0], dtype)

    def both(x):
        return np.maximum(x, number), np.minimum(number, x), x * number

    with np.errstate(all="ignore"):
        step = native(both)
        results = [step(x) for _ in range(3)][-1]
        expected = both(x)
    assert is_native(step)
    for a, b in zip(results, expected, strict=True):
        assert np.array_equal(a.data, b, equal_nan=True)


@pytest.mark.filterwarnings("ignore::tinygrad_mlp.errors.TrainingWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.Softplus, nn.Softmax])
def test_what_is_no_number_spreads_as_in_numpy(bad, activation):
    def make():
        return Training(nn.Sequential(nn.Linear(3, 4, rng=0), activation(), nn.Linear(4, 2, rng=1)))

    ours, theirs = make(), make()
    step = native(ours.step)
    with np.errstate(all="ignore"):
        for i, (x, y) in enumerate(ours.batches(4)):
            if i == 3:
                x[1, 1] = bad
            assert_close(step(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
    assert is_native(step)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("kind", [DOUBLE, FLOAT, Kind("double", 4), Kind("float", 8)], ids=str)
@pytest.mark.parametrize("name", ["exp", "expm1", "tanh", "log", "log1p"])
def test_elementary_functions_are_exact_to_four_units(name, kind):
    rng = np.random.default_rng(0)
    dtype = np.dtype("f8" if kind.number == "double" else "f4")
    x = np.concatenate(
        [rng.normal(size=512), rng.normal(size=512) * 10, 10.0 ** rng.uniform(-30, 1, 512)]
    )
    x = np.abs(x).astype(dtype) if name == "log" else np.maximum(x, -0.99).astype(dtype)
    function = f"{name}.{kind.suffix}"
    lines, declared = elementary.definition(function, kind, "#0")
    text = "\n".join([
        *lines, *declared, "define void @apply(ptr %x, ptr %y) #0 {",
        f"  %in = load {kind}, ptr %x, align 4",
        f"  %out = call {kind} @{function}({kind} %in)",
        f"  store {kind} %out, ptr %y, align 4", "  ret void", "}", "attributes #0 = { nounwind }",
    ])  # fmt: skip
    library = llvm.compiled(text, "all")
    apply = library.function("apply", None, llvm.ctypes.c_void_p, llvm.ctypes.c_void_p)
    y = np.empty_like(x)
    for i in range(0, len(x), kind.lanes):
        apply(x[i:].ctypes.data, y[i:].ctypes.data)
    exact = getattr(np, name)(x.astype(np.longdouble))
    units = np.abs(y - exact) / np.spacing(np.abs(exact.astype(dtype)))
    assert units.max() <= 4


# -- what is not native ----------------------------------------------------------------------


def test_a_step_that_cannot_be_said_runs_with_numpy_and_says_so():
    def make():
        w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="w")

        def step(x, rows):
            loss = ((w[rows] * x) ** 2).sum()
            w.grad = None
            loss.backward()
            w.data = w.data - 0.01 * w.grad
            return loss

        return w, step

    (ours, one), (theirs, other) = make(), make()
    step, rows = native(one), np.array([0, 2, 2, 1])
    for k in range(5):
        x = np.arange(4.0) + k
        assert_close(step(x, rows).data, other(tg.Tensor(x), tg.Tensor(rows)).data)
    assert_close(ours.data, theirs.data)
    assert not is_native(step)
    assert "buffers" in step.executed
    assert step.executed["not native"] == "not native: getitem"
    assert repr(step) == "<compiled step: 1 of 8 programs, 2 recordings, not native: getitem>"
    assert step.scan(np.ones((3, 4)), np.stack([rows] * 3)).shape == (3,)


# -- steps beyond the usual one --------------------------------------------------------------

NOT_NATIVE = {("indexed", "kernels"), ("swapped", "kernels"), ("indexed", "scalars")}


@pytest.mark.parametrize("form", ["scalars", "kernels"])
@pytest.mark.parametrize(
    "make", [kinds.penalised, kinds.by_transform, kinds.hooked, kinds.averaged, kinds.swapped,
             kinds.indexed]
)  # fmt: skip
def test_a_step_of_any_kind(make, form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    ours, theirs = kinds.weights(), kinds.weights()
    step, eager = native(make(*ours)), make(*theirs)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x = rng.normal(size=(5, 3))
        assert_close(step(x).data, eager(tg.Tensor(x)).data)
    many = rng.normal(size=(3, 5, 3))
    assert_close(step.scan(many).data, [eager(tg.Tensor(x)).item() for x in many])
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a.data, b.data)
        if a.grad is not None:
            assert_close(kinds.plain(a.grad), kinds.plain(b.grad))
    assert is_native(step) == ((make.__name__, form) not in NOT_NATIVE)


# -- masks -----------------------------------------------------------------------------------

SUMS = {
    "a + x b": lambda x, a, b: a + x * b,
    "x a - b b": lambda x, a, b: x * a - b * b,
    "a x + b x + x": lambda x, a, b: a * x + b * x + x,
    "normalised": lambda x, a, b: F.layer_norm(a + x * b, axis=-1) * b + a,
    "a x + x @ w": lambda x, a, b: a * x + x @ (b.T @ b),
}
MASKS = {
    "maximum": lambda v, axis: v.max(axis=axis),
    "minimum": lambda v, axis: v.min(axis=axis),
    "the largest": lambda v, axis: np.where(v == v.max(axis=axis, keepdims=True), v, 0.0),
    "the smallest": lambda v, axis: np.where(v <= v.min(axis=axis, keepdims=True), v, 0.0),
    "how many": lambda v, axis: v / np.where(v == v.max(axis, keepdims=True), 1.0, 0.0).sum(),
    "two": lambda v, axis: np.maximum(v, v.mean(axis=axis, keepdims=True)),
    "bell": lambda v, axis: F.layer_norm(np.exp(-(v.max(axis=axis, keepdims=True) ** 2)), axis=-1),
    "variance": lambda v, axis: np.sqrt(np.maximum(v.var(axis=axis), 0.25)),
}


@pytest.mark.parametrize("form", ["scalars", "kernels"])
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    added=st.sampled_from(list(SUMS)),
    mask=st.sampled_from(list(MASKS)),
    axis=st.integers(0, 1),
    seed=st.integers(0, 1000),
)
@example(added="normalised", mask="minimum", axis=1, seed=1)
def test_what_is_compared_was_rounded_as_it_is_used(form, added, mask, axis, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(map(int, rng.integers(2, 8, 2)))
    start = [rng.normal(size=size) for size in ((1, shape[1]), shape)]

    def make():
        b, a = (tg.Tensor(array.copy(), requires_grad=True) for array in start)

        def step(x):
            v = SUMS[added](x, a, b)
            loss = np.sqrt(MASKS[mask](v, axis) ** 2 + 1.0).mean() + np.tanh(x * b - x).mean()
            a.grad = b.grad = None
            loss.backward()
            return loss, a.grad, b.grad

        return step

    with pytest.MonkeyPatch.context() as patch:
        if form == "kernels":
            patch.setattr(runner, "scalars", _too_large)
        ours, theirs = native(make()), make()
        for _ in range(4):
            x = rng.normal(size=shape)
            for one, other in zip(ours(x), theirs(tg.Tensor(x)), strict=True):
                assert_close(one.data, kinds.plain(other), 1e-9)
        assert is_native(ours)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_product_before_a_sum_is_rounded_as_in_numpy(sign):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20))
    step = native(lambda x, y, z: x * y + z if sign > 0 else z - x * y)
    for _ in range(3):
        assert not step(x, y, -sign * x * y).data.any()
    assert is_native(step)


def test_products_of_several_are_multiplied_in_their_order():
    step, huge = native(lambda x, y: np.exp(x) * y * y), np.full(1, 1e200)
    with np.errstate(all="ignore"):
        for _ in range(3):
            assert np.isfinite(step(np.full(3, -400.0), huge).data).all()
            assert step(np.full(3, -800.0), huge).tolist() == [0.0] * 3
    assert is_native(step)


# -- what is said in other words -------------------------------------------------------------


@pytest.mark.parametrize("form", ["scalars", "kernels"])
def test_random_numbers_are_drawn_as_in_eager_steps(form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")

    def make():
        layers = [nn.Linear(3, 4, rng=0), nn.Dropout(0.5, rng=1), nn.Linear(4, 2, rng=2)]
        return Training(nn.Sequential(*layers, nn.Dropout(0.2, rng=3)))

    ours, theirs = make(), make()
    step = assert_trains_alike(ours, theirs, ours.batches(6))
    assert is_native(step)
    inputs, targets = map(np.array, zip(*ours.batches(5), strict=True))
    expected = [theirs.step(tg.Tensor(x), tg.Tensor(y)).item()
                for x, y in zip(inputs, targets, strict=True)]  # fmt: skip
    assert_close(step.scan(inputs, targets).data, expected)
    x, y = ours.batches(1)[0]
    assert_close(ours.step(tg.Tensor(x), tg.Tensor(y)).data,
                 theirs.step(tg.Tensor(x), tg.Tensor(y)).data)  # fmt: skip


@pytest.fixture
def _always_in_kernels(monkeypatch):
    monkeypatch.setattr(runner, "scalars", _too_large)


@pytest.mark.parametrize("form", ["scalars", "kernels"])
def test_labels_are_looked_up_and_wrong_ones_are_left_to_numpy(form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    ours, theirs = (
        Training(nn.Sequential(nn.Linear(3, 4, rng=0)), batch=5, loss=nn.CrossEntropyLoss())
        for _ in range(2)
    )
    step, rng = native(ours.step), np.random.default_rng(0)
    for labels in ([0, 1, 2, 3, 3], [3, 2, 1, 0, 0], [1, 1, 1, 1, 1], [0, 3, 1, 2, 1]):
        x, y = rng.normal(size=(5, 3)), np.array(labels)
        assert_close(step(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
    assert is_native(step)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b)
    before = [p.data.copy() for p in ours.model.parameters()]
    wrong = np.array([0, 1, 2, 3, 4])
    with pytest.raises(IndexError):
        step(x, wrong)
    with pytest.raises(IndexError):
        step.scan(x[None], wrong[None])
    for p, then in zip(ours.model.parameters(), before, strict=True):
        assert_close(p.data, then)
    assert_close(step(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)


@pytest.mark.parametrize("form", ["scalars", "kernels"])
@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize("wrong", [-1, 4, 99])
def test_what_is_said_of_wrong_labels_is_what_the_step_says(wrong, scan, form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    model = nn.Linear(3, 4, rng=0)

    def step(x, y):
        return F.cross_entropy(model(x), y)

    compiled, x = native(step), np.ones((3, 3))
    for _ in range(3):
        compiled(x, np.array([0, 3, 1]))
    assert is_native(compiled)
    labels = np.array([0, wrong, 1])
    with pytest.raises(IndexingError) as eager:
        step(tg.Tensor(x), tg.Tensor(labels))
    with pytest.raises(IndexingError) as refused:
        compiled.scan(x[None], labels[None]) if scan else compiled(x, labels)
    assert str(refused.value) == str(eager.value)


@pytest.mark.parametrize("form", ["scalars", "kernels"])
@pytest.mark.parametrize("scan", [False, True])
def test_threads_get_their_own_results(scan, form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    model = nn.MLP(6, [8], 5, rng=0)
    step = native(lambda x: model(x))
    batches = [np.random.default_rng(i).normal(size=(4, 6)) for i in range(4)]
    expected = [model(x).data for x in batches]
    for _ in range(3):
        step(batches[0])
    assert is_native(step)
    wrong = []

    def work(i):
        for _ in range(200):
            found = step.scan(batches[i][None]).data[0] if scan else step(batches[i]).data
            wrong.extend([i] * (not np.allclose(found, expected[i])))

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert not wrong


def test_what_llvm_refuses_runs_with_numpy(monkeypatch):
    monkeypatch.setattr(module, "compiled", refused)
    ours, theirs = (Training(nn.MLP(3, [4], 2, rng=0)) for _ in range(2))
    step = assert_trains_alike(ours, theirs, ours.batches(4))
    assert step.executed["not native"] == "not native: LLVM: no such instruction"


def refused(*_):
    raise RuntimeError("no such instruction")


def test_without_llvmlite_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[native\]"):
        tg.compile(lambda x: x, backend="native")


# -- the text --------------------------------------------------------------------------------


def sum_step():
    training = Training(nn.MLP(2, [5], 1, rng=0), batch=1)
    step = native(training.step)
    for x, y in training.batches(3):
        step(x, y)
    return step


def test_the_text_of_the_sum(golden):
    text = sum_step().executed["native"]
    # How wide this processor's vectors are, and how many bits they have.
    golden(
        "native/sum.ll", re.sub(r'"prefer-vector-width"="\d+"', '"prefer-vector-width"="512"', text)
    )


HOSTILE = [
    *('"quoted"', "a\nret void\n}", "größe", "%x", "@step", "; no", "", "one", "i", "count"),
    *("x", "\\22", "ret", "999", "add", "shown", "constant.0", "room", "memory", "result"),
]


@pytest.mark.parametrize("form", ["scalars", "kernels"])
@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_leave_their_place(name, form, request):
    if form == "kernels":
        request.getfixturevalue("_always_in_kernels")
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name=name)
    b = tg.Tensor(1.0, name=name)

    def one(x):
        y = tg.Tensor(w.data, name=name) * x + b + np.array([0.0, 1.0])
        y.name = name
        w.data = w.data + y.data
        return y.sum()

    step = native(one)
    results = [step(np.ones(2)).item() for _ in range(4)]
    assert is_native(step)
    assert results == [6.0, 12.0, 24.0, 48.0]


# -- what was compiled before ----------------------------------------------------------------

PROGRAM = """
import sys
import numpy as np
import tinygrad_mlp as tg
from tinygrad_mlp.program.native import llvm

real = llvm._machine_code
llvm._machine_code = lambda *args: (print("compiled"), real(*args))[1]
w = tg.Tensor([1.0], name="w")

@tg.compile(backend="native")
def step(x):
    w.data = w.data + x.data
    return w.sum()

print([step(np.ones(1)).item() for _ in range(4)])
"""


def in_a_process(folder, **more):
    environment = {**os.environ, cache.SWITCH: str(folder), **more}
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "[2.0, 3.0, 4.0, 5.0]" in run.stdout
    return "compiled" in run.stdout


def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    assert in_a_process(tmp_path)
    assert not in_a_process(tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for broken in (
        b"",
        whole[:-1],
        whole[:40],
        whole[:-1] + b"\1",
        b"\x7fELF" + whole[4:],
        whole * 2,
    ):
        file.write_bytes(broken)
        assert in_a_process(tmp_path)
        assert not in_a_process(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


def test_the_cache_can_be_elsewhere_or_nowhere(tmp_path, monkeypatch):
    assert in_a_process("off", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv(cache.SWITCH)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "tinygrad_mlp"
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert in_a_process(blocked)  # nothing can be kept there, and nothing goes wrong


def test_a_file_of_other_code_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.SWITCH, str(tmp_path))
    cache.save("one", b"code of one")
    cache.save("two", b"code of two")
    one, two = (cache._path(tmp_path, key) for key in ("one", "two"))
    assert cache.load("one") == b"code of one"
    one.write_bytes(two.read_bytes())
    assert cache.load("one") is None


# -- the tests' own test ---------------------------------------------------------------------

WRONG = {
    "multiply": lambda b, x, y: b.mul(b.mul(x, y), 1.0 + 1e-9),
    "exp": lambda b, x: b.add(elementary.call(b, "exp", x), 1e-9),
    "subtract": lambda b, x, y: b.sub(y, x),
    "minimum": lambda b, x, y: x,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_wrong_instruction_is_caught(name, monkeypatch):
    monkeypatch.setitem(ufuncs._OF_NUMBERS, name, WRONG[name])
    make = lambda: Training(nn.MLP(3, [4], 2, rng=0), batch=3)  # noqa: E731
    ours, theirs = make(), make()
    batches = ours.batches(6)
    batches[4][0][:] *= 1e4
    with pytest.raises(AssertionError):
        assert_trains_alike(ours, theirs, batches)


WRONG_KERNELS = {
    "lanes that stick out count": (kernels, "mask", lambda width, _: kernels_mask(width, width)),
    "room given away too early": (
        arrays._Room,
        "place",
        lambda room, size, first, _, place=arrays._Room.place: place(room, size, first, first),
    ),
    "parameters overwritten too early": (plan.Plan, "_vacant", lambda *_: True),
    "columns exchanged wrongly": (transposing, "_mixed", lambda _book, a, _b, _places: a),
    "the first lanes of a sum only": (gathering._Reducer, "_gathered", lambda *_: first_lane(*_)),
}


def kernels_mask(width, count):
    return "<" + ", ".join(f"i1 {'true' if i < count else 'false'}" for i in range(width)) + ">"


def first_lane(_, book, parts):
    text = f"extractelement {parts[0].kind} {{0}}, i32 0"
    return book.put(Kind(parts[0].kind.number), text, parts[0])


@pytest.mark.parametrize("wrong", [*WRONG_KERNELS, "none"])
def test_a_planted_wrong_kernel_is_caught(wrong, monkeypatch):
    if wrong != "none":
        monkeypatch.setattr(*WRONG_KERNELS[wrong])

    def make():
        rng = np.random.default_rng(0)
        w = tg.Tensor(rng.normal(size=(21, 30)) / 9, requires_grad=True, name="w")
        v = tg.Tensor(rng.normal(size=(19, 30)) / 9, requires_grad=True, name="v")

        def step(x, y):
            hidden = np.tanh(x @ w)
            loss = ((hidden @ v.T - y) ** 2).mean() + (w.sum(axis=1) ** 2).mean()
            before = w * 1.0
            w.grad = v.grad = None
            loss.backward()
            w.data = w.data - 0.1 * w.grad
            v.data = v.data - 0.1 * v.grad
            return loss + (before @ before.T).mean() + np.exp(before).sum(axis=0).mean()

        return (w, v), step

    (ours, one), (theirs, other) = make(), make()
    step, rng = native(one), np.random.default_rng(1)
    caught = nullcontext() if wrong == "none" else pytest.raises(AssertionError)
    with caught:
        for _ in range(5):
            x, y = rng.normal(size=(9, 21)), rng.normal(size=(9, 19))
            assert_close(step(x, y).data, other(tg.Tensor(x), tg.Tensor(y)).data)
            for a, b in zip(ours, theirs, strict=True):
                assert_close(a.data, b.data)
