"""How ops are called, what help() says of them, and what is said to a call that does not fit."""

from __future__ import annotations

import inspect
import pydoc
import re

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.ops.shipped import SHIPPED, for_each
from tinygrad_mlp import functional as F
from tinygrad_mlp import ops
from tinygrad_mlp.errors import TinygradError, UnsupportedError, UsageError
from tinygrad_mlp.ops.calling import input_names, op_signature

A = np.array([[0.5, 1.5, 2.5], [1.0, 2.0, 3.0]])


@pytest.fixture
def t():
    return tg.Tensor(A, requires_grad=True, name="t")


def said(error):
    """The message without the place."""
    return re.sub(r" \(test_\w+\.py:\d+\)", "", str(error.value))


# ------------------------------------------------------------------ what help() says


@for_each(SHIPPED)
def test_an_op_says_what_it_is(op):
    text = op.__doc__
    assert text.startswith(f"{op.doc}\n\n    y = {op.name}(")
    assert "An option, fixed when the op is applied" not in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert op.__name__ == op.name
    assert "Returns:\n    An array; a tensor if an input is one." in text
    if op.domain is not None:
        assert re.search(r"Shapes, for example: \(.*\) → \(.*\)\.", text)
    assert all(function.__name__ in text for function in op.numpy)
    shown = pydoc.plain(pydoc.render_doc(op))
    assert op.doc in shown
    assert "Apply the op to inputs" not in shown  # that would be the help of the class


@for_each(SHIPPED)
def test_an_op_has_the_signature_by_which_it_is_called(op):
    signature = inspect.signature(op)
    assert signature == op_signature(op)
    assert all(p.annotation is p.empty for p in signature.parameters.values())
    if op.bind is None:
        inputs = [n.lstrip("*") for n in input_names(op)]
        assert list(signature.parameters)[: len(inputs)] == inputs


def test_signatures_are_those_of_numpy_and_pytorch():
    assert str(inspect.signature(F.softmax)) == "(x, axis=-1)"
    assert str(inspect.signature(F.leaky_relu)) == "(x, negative_slope=0.01)"
    assert str(inspect.signature(ops.sum_)) == "(x, axis=None, keepdims=False)"
    assert str(inspect.signature(ops.matmul)) == "(a, b, /)"
    assert str(inspect.signature(ops.linear)) == "(x, weight, bias=None, /)"
    assert str(inspect.signature(F.linear)).startswith("(x: 'Array', weight: 'Array', bias:")
    cube = tg.define_op("cube_", lambda x, k=3: x**k, lambda g, y, x, k: g * k * x ** (k - 1))
    try:
        assert str(inspect.signature(cube)) == "(x, k=3)"
        assert cube.__doc__.startswith("Defined by the user: cube_.")
    finally:
        del ops.REGISTRY["cube_"]


def test_the_class_of_ops_is_documented_as_a_class():
    assert ops.Op.__doc__.startswith("One operation: what it computes")
    assert ops.Op.__name__ == "Op"
    assert list(inspect.signature(ops.Op).parameters)[:3] == ["name", "forward", "vjp"]
    assert "class Op" in pydoc.plain(pydoc.render_doc(ops.Op))


def test_papers_are_named():
    assert "Source: Hendrycks, Gimpel," in ops.gelu.__doc__
    assert "Source: Ba, Kiros, Hinton," in ops.layer_norm.__doc__


# ------------------------------------------------------------------ calls that do not fit


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: F.logsumexp(t, dim=1), ("logsumexp() of 't' of shape (2, 3) got dim=1: options "
          "are called axis= and keepdims=, as in NumPy. Use axis=1.")),
        (lambda t: F.log_softmax(t, dim=1), ("log_softmax() of 't' of shape (2, 3) got dim=1: the "
          "option is called axis=, as in NumPy. Use axis=1.")),
        (lambda t: F.softmax(A, dim=1), "softmax() of an array of shape (2, 3) got dim=1"),
        (lambda t: F.leaky_relu(t, slope=0.1), "got slope=0.1. Use negative_slope=0.1."),
        (lambda t: F.elu(t, alfa=2), "Did you mean alpha=?"),
        (lambda t: F.relu(t, inplace=True), ("relu() of 't' of shape (2, 3) got inplace=True: no "
          "tensor is written in place.")),
        (lambda t: F.silu(A, inplace=True), "no tensor is written in place."),
        (lambda t: F.softplus(t, beta=2), "It takes no options."),
        (lambda t: F.sigmoid(), "sigmoid() got no arguments: missing a required argument: 'x'."),
        (lambda t: F.sigmoid(t, t), ("sigmoid() got 't', 't': too many positional arguments. It is "
          "sigmoid(x, /).")),
        (lambda t: ops.huber(t, t, beta=1.0), "Did you mean delta=?"),
        (lambda t: ops.linear(t, t, bias=A), "It is linear(x, weight, bias=None, /)."),
        (lambda t: ops.norm(t, dim=1), "norm() of 't' of shape (2, 3) got dim=1: options"),
        (lambda t: ops.sum_(t, axes=1), "Did you mean axis=?"),
    ],
)  # fmt: skip
def test_an_option_that_an_op_does_not_have(call, text, t):
    with pytest.raises(UsageError) as caught:
        call(t)
    assert text in said(caught)


GATHERING = ("sum", "mean", "max", "min", "prod", "ptp", "argmax", "argmin", "any", "all")
METHODS = (*GATHERING, "var", "std", "cumsum", "cumprod", "squeeze", "argsort")


@pytest.mark.parametrize("method", METHODS)
def test_methods_know_pytorchs_names_for_numpys_options(method, t):
    with pytest.raises(UsageError) as caught:
        getattr(t, method)(dim=0)
    assert f"{method}() of 't' of shape (2, 3) got dim=0: " in said(caught)
    assert "as in NumPy. Use axis=0." in said(caught)
    with pytest.raises(UsageError, match=f"^{method}.. of 't' of shape .2, 3. got colour='red'"):
        getattr(t, method)(colour="red")


@pytest.mark.parametrize("method", GATHERING)
def test_keepdims_may_come_second(method, t):
    x = t > 1 if method in {"any", "all"} else t
    y = getattr(x, method)(0, True)
    assert y.shape == (1, 3)
    np.testing.assert_array_equal(y.data, getattr(np, method)(x.data, axis=0, keepdims=True))
    for wrong, text in (
        (np.float32, "and got float32: it comes right after axis, as in PyTorch; NumPy has dtype"),
        ("float32", "Use t.astype(float32) first."),
        (2, "keepdims is True or False, and got 2. Several axes are a tuple: axis=(0, 1)."),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            getattr(x, method)(0, wrong)
        assert text in said(caught)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: t.var(0, 1), "too many positional arguments. It is var(x, axis=None, *, ddof=0"),
        (lambda t: t.std(dim=0, correction=1), "Use axis=0, ddof=1."),
        (lambda t: t.repeat(2, dim=0), "repeat() of 't' of shape (2, 3) got dim=0"),
        (lambda t: t.take([0], dim=0), "take() of 't' of shape (2, 3) got dim=0"),
        (lambda t: t.clip(0, biggest=3), "clip() of 't' of shape (2, 3) got biggest=3"),
        (lambda t: t.trace(dim=0), "It takes offset=, axis1=, axis2=."),
        (lambda t: t.diagonal(dim1=0), "diagonal() of 't' of shape (2, 3) got dim1=0. Use"),
        (lambda t: t.round(digits=2), "It takes decimals=."),
        (lambda t: t.flatten(start_dim=1), "Use t.reshape(len(t), -1) to keep the first."),
        (lambda t: t.sum(dtype=float), "See np.sum, which takes a tensor and NumPy's options."),
        (lambda t: F.softmax(t, dtype=float), "Use t.astype(dtype) first."),
    ],
)  # fmt: skip
def test_an_option_that_a_method_does_not_have(call, text, t):
    with pytest.raises(UsageError) as caught:
        call(t)
    assert text in said(caught)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: np.median(t, overwrite_input=True), "np.median with overwrite_input="),
        (lambda t: np.argsort(t, order="a"), "np.argsort with order="),
        (lambda t: np.argmax(t, out=A), "np.argmax with out="),
        (lambda t: np.std(t, mean=1.0), "np.std with mean="),
    ],
)
def test_an_option_of_numpys_that_has_no_meaning(call, text, t):
    with pytest.raises(UnsupportedError) as caught:
        call(t)
    assert text in said(caught)
    assert not re.search(r"lambda|bind|positional|unexpected", said(caught))


@pytest.mark.parametrize("shape", [(2.0, 3.0), "6", (3, None), (A,)])
def test_what_is_no_shape(shape, t):
    for call in (lambda: t.reshape(shape), lambda: np.broadcast_to(t, shape)):
        with pytest.raises(UsageError, match=r"no shape.*: lengths are whole numbers\. Use //"):
            call()


@for_each([op for op in SHIPPED if op.domain is not None])
def test_no_call_names_what_is_inside(op, t):
    count = max(1, len([p for p in inspect.signature(op).parameters.values() if p.default is p.empty
                        and p.kind is not p.KEYWORD_ONLY]))  # fmt: skip
    for args, options in (((t,) * count, {"nonsense": 1}), ((t,) * 9, {}), ((), {})):
        try:
            op(*args, **options)
        except (TinygradError, ValueError, IndexError, AttributeError) as error:
            assert not re.search(r"lambda|bind|_forward", str(error))  # noqa: PT017


# People call the composition `dot`, which takes names; the record of that name is behind it.
@for_each([o for o in SHIPPED if o.bind is None and len(input_names(o)) > 1 and o.name != "dot"])
def test_an_input_that_is_named_is_no_option(op, t):
    *first, last = input_names(op)
    if not last.startswith("*"):
        with pytest.raises(UsageError):
            op(*[t] * len(first), **{last: t})


def test_an_input_of_ones_own_op_that_is_named_is_no_option(t):
    op = tg.define_op(
        "two_", lambda a, b: a * b, (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
    )
    try:
        with pytest.raises(UsageError, match="'b' parameter is positional only"):
            op(t, b=t)
        np.testing.assert_array_equal(op(t, t).data, A * A)
    finally:
        del ops.REGISTRY["two_"]


# ------------------------------------------------------------------ calls that fit


def test_linear_with_a_bias_by_name_or_none(t):
    W, b = np.ones((4, 3)), np.arange(4.0)
    for y in (F.linear(t, W, bias=b), F.linear(t, W, b), F.linear(A, weight=W, bias=b)):
        np.testing.assert_allclose(getattr(y, "data", y), A @ W.T + b)
    for y in (F.linear(t, W, None), F.linear(t, W), F.linear(t, W, bias=None)):
        np.testing.assert_allclose(y.data, A @ W.T)
        assert y.op is ops.linear


def test_leaky_relu_by_pytorchs_name():
    x = np.array([-2.0, 3.0])
    np.testing.assert_allclose(F.leaky_relu(x, negative_slope=0.1), [-0.2, 3.0])
    np.testing.assert_allclose(F.leaky_relu(x, 0.1), [-0.2, 3.0])


def test_names_of_numpys_that_are_fine(t):
    assert t.astype(np.float32, copy=False).dtype == np.float32
    np.testing.assert_array_equal(t.clip(a_min=1, max=2).data, A.clip(1, 2))
    np.testing.assert_array_equal(t.clip(1).data, A.clip(1))
    np.testing.assert_array_equal(t.argsort(0, kind="stable").data, A.argsort(0))
    np.testing.assert_array_equal(np.sum(t, axis=0, keepdims=1).data, A.sum(0, keepdims=True))
    assert np.isclose(t, A + 0.1, 0.5).data.all()
    assert np.allclose(t, A + 0.1, atol=0.2).data
    assert np.array_equal(t, t, equal_nan=True).data
