"""Values, gradients and second gradients against PyTorch, at 1e-10, ties and kinks included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conftest import needs
from tests.ops.shipped import DIFFERENTIABLE, for_each, subject_of
from tinygrad_mlp.ops.indexing import numpy_key
from tinygrad_mlp.testing.drawing import Case
from tinygrad_mlp.testing.strategies import cases
from tinygrad_mlp.testing.subject import climb, gradients

torch = needs("torch")
F = torch.nn.functional


def _whole(x, axis, keepdims, reduce):
    """PyTorch reads an empty tuple of axes as "all axes"; NumPy reads it as none."""
    return reduce(x, dim=axis, keepdim=keepdims) if axis else x.clone()


def _places(shape, key, arrays):
    positions = np.arange(math.prod(shape)).reshape(shape)
    return torch.as_tensor(positions[numpy_key(key, [a.numpy() for a in arrays])].copy())


def _getitem(x, *arrays, key):
    return x.reshape(-1)[_places(x.shape, key, arrays)]


def _scatter(g, *arrays, key, shape):
    places = _places(shape, key, arrays).reshape(-1)
    flat = torch.zeros(math.prod(shape), dtype=g.dtype)
    return flat.index_add(0, places, g.reshape(-1)).reshape(shape)


def _classes_second(x, t, axis, loss):
    y = loss(torch.movedim(x, axis, -1).reshape(-1, x.shape[axis]), t.reshape(-1), reduction="none")
    return y.reshape(t.shape)


THERE = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda x: -x,
    "positive": lambda x: +x,
    "power": torch.pow,
    "constant_power": lambda x, n: x**n,
    "abs": torch.abs,
    "cast": lambda x, dtype: x.to(getattr(torch, dtype.name)),
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "mse": F.mse_loss,
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes: x.permute(axes),
    "matrix_transpose": lambda x: x.mT,
    "broadcast_to": lambda x, shape: x.broadcast_to(shape),
    "sum_to": lambda x, shape: x.sum_to_size(shape),
    "getitem": _getitem,
    "scatter": _scatter,
    "concatenate": lambda *xs, axis: torch.cat(xs, axis),
    "stack": lambda *xs, axis: torch.stack(xs, axis),
    "matmul": torch.matmul,
    "dot": torch.matmul,
    "linear": F.linear,
    "sum": lambda x, axis, keepdims: _whole(x, axis, keepdims, torch.sum),
    "mean": lambda x, axis, keepdims: _whole(x, axis, keepdims, torch.mean),
    "max": lambda x, axis, keepdims: _whole(x, axis, keepdims, torch.amax),
    "min": lambda x, axis, keepdims: _whole(x, axis, keepdims, torch.amin),
    "where": torch.where,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "relu": F.relu,
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "clip": lambda x, low, high: torch.clamp(*torch.broadcast_tensors(x, low, high)),
    "tan": torch.tan,
    "arcsin": torch.arcsin,
    "arccos": torch.arccos,
    "arctan": torch.arctan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "arcsinh": torch.arcsinh,
    "arccosh": torch.arccosh,
    "arctanh": torch.arctanh,
    "arctan2": torch.arctan2,
    "hypot": torch.hypot,
    "sinc": torch.sinc,
    "deg2rad": torch.deg2rad,
    "rad2deg": torch.rad2deg,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
    "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2,
    "mod": torch.remainder,
    "fmod": torch.fmod,
    "var": lambda x, axis, ddof, keepdims: torch.var(
        x, dim=axis, correction=ddof, keepdim=keepdims
    ),
    "std": lambda x, axis, ddof, keepdims: torch.std(
        x, dim=axis, correction=ddof, keepdim=keepdims
    ),
    "norm": lambda x, axis, keepdims: (
        torch.linalg.vector_norm(x, dim=axis, keepdim=keepdims) if axis else torch.abs(x)
    ),
    "cumsum": lambda x, axis: torch.cumsum(x, axis),
    "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
    "gaussian": lambda x: torch.exp(-x * x),
    "erf": torch.erf,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": lambda x: F.softplus(x, threshold=1e9),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "leaky_relu": F.leaky_relu,
    "logsumexp": lambda x, axis, keepdims: _whole(x, axis, keepdims, torch.logsumexp),
    "softmax": lambda x, axis: torch.softmax(x, axis),
    "log_softmax": lambda x, axis: torch.log_softmax(x, axis),
    "layer_norm": lambda x, weight, bias=None, *, axis, eps: F.layer_norm(
        x, weight.shape, weight, bias, eps
    ),
    "standard": lambda x, axis, eps: F.layer_norm(x, [x.shape[i] for i in axis], eps=eps),
    "cross_entropy": lambda x, t, axis: _classes_second(x, t, axis, F.cross_entropy),
    "cross_entropy_probs": lambda x, t, axis: -(t * torch.log_softmax(x, axis)).sum(axis),
    "bce_with_logits": lambda x, t: F.binary_cross_entropy_with_logits(
        *torch.broadcast_tensors(x, t), reduction="none"
    ),
    "huber": lambda p, t, delta: F.huber_loss(
        *torch.broadcast_tensors(p, t), delta=delta, reduction="none"
    ),
}

NOT_THERE: dict[str, str] = {
    "cbrt": "PyTorch has no cube root",
    "copysign": "PyTorch's second derivative is rounding noise, and nan at 0",
    "nonzero": "a step inside other rules",
}
"""Ops that PyTorch does not have, each with the reason."""


def test_every_op_has_its_counterpart_or_a_reason():
    names = {op.name for op in DIFFERENTIABLE}
    assert names - set(THERE) - set(NOT_THERE) == set()
    assert (set(THERE) | set(NOT_THERE)) - names == set()


def _tied(case, data):
    """For an op with kinks now and then numbers that meet: PyTorch's ties are ours."""
    name, xs = case.op.name, case.inputs
    if case.op.domain.kink is not None and data.draw(st.booleans()):
        xs = tuple(np.round(x) if x.dtype.kind == "f" else x for x in xs)
        case = Case(case.op, xs, case.attrs, case.g)
    if name in {"power", "mod", "fmod"}:
        assume(np.all(xs[1] != 0))  # for powers PyTorch's second derivative is 0, not 1 / a
    if name == "power":  # (1e-4)⁻¹⁰⁰: it, or its second derivative, is beyond all numbers
        assume(np.all(np.abs(xs[1] * np.log10(xs[0])) < 140))
    if name in {"std", "norm", "hypot"}:
        assume(np.all(case.y > 1e-10))  # at 0 PyTorch's second derivatives are nan, not 0
    if name == "std":
        assume(np.prod([xs[0].shape[i] for i in case.attrs["axis"]]) > 2)  # of two it is straight
    if name == "arctan2":
        assume(np.all(np.hypot(*xs) != 0))  # the same
    if name == "bce_with_logits":
        assume(np.all(np.abs(xs[0]) < 3))  # further out PyTorch's values cancel
    if name == "arccosh":
        assume(np.all(xs[0] > 1.01))  # nearer to 1 PyTorch's slopes lose digits
    if name == "sinc":
        assume(np.all(np.abs(xs[0]) > 0.1))  # nearer to 0 PyTorch's slopes lose digits
    return case


@for_each([op for op in DIFFERENTIABLE if op.name in THERE])
@pytest.mark.parametrize("wide", [False, True], ids=["typical", "wide"])
@given(data=st.data())
def test_the_same_as_pytorch_to_second_order(op, wide, data):
    case = _tied(data.draw(cases(op, wide=wide)), data)
    ours = list(climb(subject_of(case), [case.g], 2))

    inputs = [torch.as_tensor(np.array(x), dtype=None) for x in case.inputs]
    moving = [
        x.requires_grad_() for i, x in enumerate(inputs) if op.flows(i) and x.is_floating_point()
    ]
    g = torch.as_tensor(case.g).requires_grad_()
    y = THERE[op.name](*inputs, **case.attrs)
    first = torch.autograd.grad(y, moving, g, create_graph=True, materialize_grads=True)
    probes = [torch.as_tensor(p) for p in ours[1][2]]
    second = [torch.zeros_like(x) for x in (*moving, g)]
    if any(x.requires_grad for x in first):
        second = torch.autograd.grad(
            [x for x in first if x.requires_grad],
            [*moving, g],
            [p for x, p in zip(first, probes, strict=True) if x.requires_grad],
            materialize_grads=True,
        )

    (_, one, gs), (_, two, us) = ours
    assert_same(case.y, y)
    for got, expected in zip(gradients(one, one.inputs, gs), first, strict=True):
        assert_same(got, expected)
    for got, expected in zip(gradients(two, two.inputs, us), second, strict=True):
        assert_same(got, expected, _cancelled(case))


def _cancelled(case):
    """How large the terms are of which a second derivative may be the small difference."""
    if case.op.name in {"norm", "hypot", "std"}:
        return 1.0 / case.y.min(initial=1.0)  # the curvature of a circle: 1/y - a²/y³
    if case.op.name == "logsumexp":
        return np.abs(case.inputs[0]).max(initial=1.0)  # exp(x - y), where PyTorch rounds y
    if case.op.name == "arctan2":
        return 1.0 / np.hypot(*case.inputs).min(initial=1.0) ** 2
    if case.op.name == "silu":
        return np.abs(case.inputs[0]).max(initial=1.0) ** 2  # x times 1 - σ, which PyTorch rounds
    if case.op.name == "gelu_tanh":
        return np.abs(case.inputs[0]).max(initial=1.0) ** 4  # powers of x times 1 - t²
    return 1.0


def assert_same(got, expected, size=1.0):
    expected = expected.numpy(force=True)
    assert got.shape == expected.shape
    # What cancels to nearly 0 (1 - y², 1 - 2σ) has digits relative to what it cancelled from.
    atol = 1e-10 * np.abs(expected).max(initial=0.0) + 1e-15 * max(1.0, size)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=atol)
