"""Every supported function of NumPy's: value, gradient, second gradient; the table of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tests.ops.catalogue import CONSTANT, ENTRIES, torch
from tests.ops.test_against_torch import NOT_THERE, THERE, assert_same
from tinygrad_mlp.ops import BY_NUMPY, Op
from tinygrad_mlp.ops.protocols import ACCUMULATE, REDUCE
from tinygrad_mlp.testing.comparison import compare
from tinygrad_mlp.testing.strategies import Drawn
from tinygrad_mlp.testing.subject import climb, gradients, of_function

LAYOUTS = {
    "as it is": lambda x: x,
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1] if x.ndim else x,
    "columns first": lambda x: x.copy(order="F"),
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2] if x.ndim else x,
}


def name_of(function):
    """The function's name as a user writes it, without ``np.``."""
    linalg = (getattr(function, "__module__", "") or "").endswith("linalg")
    return ("linalg." if linalg else "") + function.__name__


UFUNCS = {name_of(f): answer for f, answer in BY_NUMPY.items() if isinstance(f, np.ufunc)}
FLAT = {n for n, a in UFUNCS.items() if isinstance(a, Op) and not a.differentiable}


def test_the_catalogue_is_complete():
    supported = {name_of(f) for f in BY_NUMPY}
    entered = {entry.name for entry in ENTRIES if "." not in entry.name.removeprefix("linalg.")}
    assert supported - set(UFUNCS) - entered - set(CONSTANT) - {"amax", "amin", "around"} == set()
    assert entered - supported == set()


def drawn(data, entry, scale):
    source = Drawn(data.draw)
    layout = LAYOUTS[source.pick(tuple(LAYOUTS))]
    return [layout(scale * source.numbers(s, -3.0, 3.0)) for s in source.pick(entry.shapes)]


def ours_and_theirs(f, there, xs):
    """Values, gradients and second gradients, ours and PyTorch's."""
    subject = of_function(f, xs)
    y = np.asarray(f(*xs))
    g = np.cos(1.0 + np.arange(y.size)).reshape(y.shape)
    ladder = list(climb(subject, [g], 2))
    ours = [gradients(one, one.inputs, gs) for _, one, gs in ladder]

    inputs = [torch.as_tensor(np.array(x)).requires_grad_() for x in xs]
    seed = torch.as_tensor(g).requires_grad_()
    value = there(*inputs)
    kwargs = {"materialize_grads": True}
    first = torch.autograd.grad(value, inputs, seed, create_graph=True, **kwargs)
    probes = [torch.as_tensor(p) for p in ladder[1][2]]
    pairs = [(x, p) for x, p in zip(first, probes, strict=True) if x.requires_grad]
    second = [torch.zeros_like(x) for x in (*inputs, seed)]
    if pairs:
        roots, weights = zip(*pairs, strict=True)
        second = torch.autograd.grad(roots, [*inputs, seed], weights, **kwargs)
    return (y, *ours[0], *ours[1]), (value, *first, *second)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
@given(data=st.data(), scale=st.sampled_from([1.0, 1e-7, 1e5]))
def test_the_same_as_numpy_and_pytorch(entry, data, scale):
    xs = drawn(data, entry, scale)
    tensors = [tg.Tensor(x, requires_grad=True) for x in xs]
    result = entry.call(*tensors)
    assert type(result) is tg.Tensor
    expected = entry.call(*xs)
    assert result.shape == np.shape(expected)
    size = np.abs(expected).max(initial=0.0)
    # Numbers with too few digits left (1e-310) are rounded differently in another order.
    np.testing.assert_allclose(result.data, expected, rtol=1e-12, atol=1e-13 * size + 1e-307)
    if entry.there is None:
        return
    small = min(np.min(np.abs(a), initial=1.0) for a in (result.data, *xs)) < 0.01 or scale < 1
    if entry.name in {"std", "linalg.norm"} and small:
        return  # near 0 PyTorch's second derivatives are nan, or noise
    if entry.name == "cross" and scale > 1:
        return  # of products that cancel PyTorch leaves what one of them was rounded by
    if entry.name == "logaddexp.reduce" and scale > 1:
        return  # PyTorch's exp(x - y) has lost the digits that a large y has not
    for got, wanted in zip(*ours_and_theirs(entry.call, entry.there, xs), strict=True):
        assert_same(got, wanted)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_gradients_are_central_differences(entry):
    rng = np.random.default_rng(0)
    for shapes in entry.shapes:
        xs = [
            rng.permutation(np.arange(math.prod(s))).reshape(s) * 0.37 - 1.1 + 0.06 * i
            for i, s in enumerate(shapes)
        ]
        y = np.asarray(entry.call(*xs))
        g = np.cos(1.0 + np.arange(y.size)).reshape(y.shape)
        for order, subject, gs in climb(of_function(entry.call, xs), [g], 2):
            assert compare(subject, gs, order=order) == []


def _points(entry, dtype):
    rng = np.random.default_rng(1)
    return [[rng.uniform(0.3, 2.0, s).astype(dtype) for s in shapes] for shapes in entry.shapes]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_float32_stays_float32(entry):
    for xs in _points(entry, np.float32):
        tensors = [tg.Tensor(x, requires_grad=True) for x in xs]
        y = entry.call(*tensors)
        assert y.dtype == (np.float64 if entry.name in {"float_power", "interp"} else np.float32)
        (y * y).sum().backward()
        assert all(t.grad is None or t.grad.dtype == np.float32 for t in tensors)


OTHER_KINDS = {"einsum", "vecdot"}
"""Functions that add small whole numbers up in large ones here, where NumPy's wrap around."""


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.bool_])
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_whole_numbers_and_truth_values_become_what_numpy_makes_of_them(entry, kind):
    if kind is np.bool_ and entry.name in {"full_like", "clip", "quantile", "percentile"}:
        return  # numbers among truth values
    for shapes in entry.shapes:
        xs = [np.arange(1, 1 + math.prod(s)).reshape(s).astype(kind) for s in shapes]
        with np.errstate(all="ignore"):
            try:
                expected = np.asarray(entry.call(*xs))
            except (TypeError, ValueError) as error:
                with pytest.raises(type(error)):
                    entry.call(*map(tg.Tensor, xs))
                continue
            got = entry.call(*map(tg.Tensor, xs))
        if entry.name == "logaddexp.reduce":  # NumPy's are of half precision
            expected = np.asarray(entry.call(*(x.astype(float) for x in xs)))
        if entry.name not in OTHER_KINDS:
            assert got.dtype == expected.dtype
            np.testing.assert_allclose(got.data, expected, rtol=1e-12)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_compiled_step_computes_the_same(entry):
    xs = _points(entry, np.float64)[-1]

    def step(*args):
        for t in args:
            t.requires_grad = True
        y = entry.call(*args)
        (y * y).sum().backward()
        return (y, *(tg.Tensor(t.grad) for t in args if t.grad is not None))

    compiled = (
        tg.compile(lambda a: step(a)) if len(xs) == 1 else tg.compile(lambda a, b: step(a, b))
    )
    eager = step(*(tg.Tensor(x) for x in xs))
    for _ in range(3):
        results = compiled(*xs)
    for got, expected in zip(results, eager, strict=True):
        np.testing.assert_allclose(got.data, expected.data, rtol=1e-12, atol=1e-13)


def test_the_table_in_the_documentation(golden):
    golden("../../docs/numpy.md", table())


def table():
    """docs/numpy.md: one row for each function."""
    there = {e.name: "" if e.there is None else "yes" for e in ENTRIES}
    rows = {}
    for name, answer in UFUNCS.items():
        if name in FLAT:
            rows[name] = (answer, "flat", "flat", "—")
        elif isinstance(answer, Op):
            rows[name] = (answer, "yes", "yes", "yes" if answer.name in THERE else "—")
    for f, answer in BY_NUMPY.items():
        name = name_of(f)
        if name in CONSTANT:
            rows[name] = (answer, "flat", "flat", "—")
        elif name in there:
            rows[name] = (answer, "yes", "yes", there[name] or "—")
    lines = [
        f"| `np.{name}` | {_answered(answer)} | yes | {first} | {second} | {torch_} |"
        for name, (answer, first, second, torch_) in sorted(rows.items())
    ]
    methods = [f"`np.{f.__name__}.reduce`" for f in REDUCE]
    methods += [f"`np.{f.__name__}.accumulate`" for f in ACCUMULATE]
    differentiable = sum(first == "yes" for _, first, _, _ in rows.values())
    reasons = "; ".join(f"`{k}`: {v}" for k, v in NOT_THERE.items())
    return (
        HEAD.format(
            count=len(rows),
            differentiable=differentiable,
            methods=", ".join(methods),
            reasons=reasons,
        )
        + "\n".join(lines)
        + "\n"
    )


def _answered(answer):
    return f"op `{answer.name}`" if isinstance(answer, Op) else "composed"


HEAD = """# NumPy's functions on tensors

<!-- Generated: pytest tests/ops/test_numpy.py --update-golden -->

{count} functions of NumPy's work on tensors as they do on arrays, {differentiable} of them with
gradients to any order. Each row was checked: the value against NumPy, the first and the second
derivative against central differences, and all three against PyTorch (float64, 1e-10) where it
has the function, on drawn inputs: empty, of one entry, 0-d, backwards in memory, broadcast,
large and small. A function that is *flat* is constant wherever it is smooth, or tells what an
array is: its result needs no gradient.

Any element-wise function of two arguments has `.outer`; {methods} work too. `dtype=` is
honoured, `out=` and `where=` are refused (except `where=` and `initial=` of sums, products and
extremes). What has no rule raises an error that names what comes closest.

Not compared with PyTorch: {reasons}.

How many digits are right was held against mpmath, over the whole range of float64 and of float32:
the element-wise functions of one number, the sigmoid, the softplus and the error function are
within 4 units in the last place. Where results cancel the bound is absolute: `gelu` and `silu` are
within 4 units in the last place of the larger of 1 and the argument, `gelu` with a tanh within 8.

| function | answered by | value | first order | second order | PyTorch |
|---|---|---|---|---|---|
"""
