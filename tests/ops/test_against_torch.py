"""Values, gradients and second gradients against PyTorch, at 1e-10, ties and kinks included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conftest import needs
from tests.ops.shipped import DIFFERENTIABLE, for_each, subject_of
from tinygrad_mlp.ops.shaping import numpy_key
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
}

NOT_THERE: dict[str, str] = {}
"""Ops that PyTorch does not have, each with the reason."""


def test_every_op_has_its_counterpart_or_a_reason():
    names = {op.name for op in DIFFERENTIABLE}
    assert names - set(THERE) - set(NOT_THERE) == set()
    assert (set(THERE) | set(NOT_THERE)) - names == set()


def _tied(case, data):
    """For an op with kinks now and then numbers that meet: PyTorch's ties are ours."""
    if case.op.name == "power":
        assume(np.all(case.inputs[1] != 0))  # there PyTorch's second derivative is 0, not 1 / a
    if case.op.domain.kink is None or not data.draw(st.booleans()):
        return case
    inputs = tuple(np.round(x) if x.dtype.kind == "f" else x for x in case.inputs)
    return Case(case.op, inputs, case.attrs, case.g)


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
        assert_same(got, expected)


def assert_same(got, expected):
    expected = expected.numpy(force=True)
    assert got.shape == expected.shape
    # What cancels to nearly 0 (1 - y², 1 - 2σ) has digits relative to what it cancelled from: 1.
    atol = 1e-10 * np.abs(expected).max(initial=0.0) + 1e-15
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=atol)
