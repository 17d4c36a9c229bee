"""What a mistake with tensors says: what, where, why, and a line to paste."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.planted import planted
from tinygrad_mlp import dialects, nn
from tinygrad_mlp.errors import (
    DTypeError,
    GradientError,
    GraphError,
    IndexingError,
    ShapeError,
    UnsupportedError,
    UsageError,
    aligned,
)


def leaf(value, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)


def test_shapes_that_clash_are_drawn_under_each_other():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    weights = leaf(np.ones((2, 4)), name="w")
    with pytest.raises(ShapeError) as caught:
        x + weights
    assert "test_tensor_errors.py:" in str(caught.value)
    assert "    'x'     3\n    'w'  2  4\n            ^\n" in str(caught.value)
    assert "add of 'x' (3,) and 'w' (2, 4)" in str(caught.value)
    assert isinstance(caught.value, ValueError)


AXIS = {
    "sum": lambda t: t.sum(axis=2),
    "several": lambda t: np.sum(t, axis=(0, 2)),
    "var": lambda t: t.var(2),
    "any": lambda t: t.any(axis=2),
    "cumsum": lambda t: np.cumsum(t, 2),
    "median": lambda t: np.median(t, axis=2),
    "sort": lambda t: np.sort(t, axis=2),
    "squeeze": lambda t: t.squeeze(2),
    "swapaxes": lambda t: t.swapaxes(0, 2),
    "transpose": lambda t: t.transpose(1, 2),
    "concatenate": lambda t: np.concatenate([t, t], axis=2),
    "softmax": lambda t: tg.functional.softmax(t, axis=2),
    "split": lambda t: np.split(t, 1, axis=2),
}


@pytest.mark.parametrize("call", AXIS.values(), ids=AXIS)
def test_an_axis_that_is_not_there_is_said_of_the_tensor(call):
    logits = tg.Tensor(np.ones((2, 3)))
    with pytest.raises(IndexingError) as caught:
        call(logits)
    assert str(caught.value).replace(caught.value.where, "…") == (
        "'logits' of shape (2, 3) has no axis 2 (…): as in NumPy, its axes are 0 to 1, "
        "or -2 to -1. Use axis=-1 for the last one."
    )
    assert caught.value.where.startswith("test_tensor_errors.py:")


def test_axes_that_are_none():
    x, one, vector = leaf(np.ones((2, 3))), leaf(1.0), leaf([1.0, 2.0])
    with pytest.raises(IndexingError, match=r"a single number has no axes\. Leave axis= out"):
        one.sum(axis=0)
    with pytest.raises(IndexingError, match="its one axis is 0"):
        vector.sum(axis=1)
    with pytest.raises(IndexingError, match="its axes are 0 to 2"):
        np.stack([x, x], axis=4)
    with pytest.raises(UsageError, match=r"has no axis 1\.0 .*axes are numbered"):
        x.sum(axis=1.0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: t.sum(dim=1), ("sum() of 't' of shape (2, 3) got dim=1 (…): options are "
          "called axis= and keepdims=, as in NumPy. Use axis=1.")),
        (lambda t: t.max(1, keepdim=True), "got keepdim=True (…)"),
        (lambda t: t.mean(dim=0, keepdim=True), "Use axis=0, keepdims=True."),
        (lambda t: t.std(correction=1), "Use ddof=1."),
        (lambda t: t.argmax(dim=-1), "Use axis=-1."),
        (lambda t: t.squeeze(dim=0), "Use axis=0."),
        (lambda t: tg.functional.log_softmax(t, dim=1), "Use axis=1."),
        (lambda t: t.sum(dtype=float), "See np.sum, which takes a tensor and NumPy's options."),
    ],
)  # fmt: skip
def test_the_words_of_pytorch_are_answered_with_those_of_numpy(call, text):
    t = tg.Tensor(np.ones((2, 3)))
    with pytest.raises(UsageError) as caught:
        call(t)
    assert text in str(caught.value).replace(caught.value.where, "…")


def test_the_mark_stands_under_every_axis_that_differs():
    text = aligned([("a", (2, 3, 1, 10)), ("bb", (4, 5, 7))])
    assert text.splitlines() == [
        "a   2  3  1  10",
        "bb     4  5   7",
        "       ^      ^",
    ]


def test_shapes_of_a_product_are_named():
    a, b = leaf(np.ones((2, 4)), name="a"), leaf(np.ones((2, 4)), name="b")
    with pytest.raises(ShapeError, match=r"matmul of 'a' \(2, 4\) and 'b' \(2, 4\)"):
        a @ b


def test_the_sizes_that_must_be_equal_in_a_product_are_said():
    a, b, v = (leaf(np.ones(s), name=n) for n, s in {"a": (2, 4), "b": (3, 4), "v": 2}.items())
    with pytest.raises(ShapeError, match=r"of 'a' \(4\).*second to last of 'b' \(3\).*b\.mT"):
        a @ b
    with pytest.raises(ShapeError, match=r"axis of 'a' \(4\) must be as long as the first of 'v'"):
        a @ v


def test_a_forward_that_forgot_its_return_is_asked_for_it():
    class Forgetful(nn.Module):
        def forward(self, x):
            x * 2

    with pytest.raises(DTypeError, match="None is no array"):
        nn.MSELoss()(Forgetful()(leaf([1.0])), [1.0])


@pytest.mark.parametrize("data", [np.arange(3), np.array([True]), np.arange(2, dtype=np.uint8)])
def test_whole_numbers_have_no_gradient(data):
    with pytest.raises(DTypeError, match=r"cannot need a gradient.*astype\(float\)"):
        tg.Tensor(data, requires_grad=True)


def test_python_ints_do():
    assert leaf([1, 2]).dtype == np.float64


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (1j, "complex128.*array.real"),
        ("text", "cannot hold <U4"),
        (None, "None is no array.*does it return"),
        ([[1.0], [1.0, 2.0]], "equal lengths"),
        ({"a": 1}, "cannot hold object"),
    ],
)
def test_what_is_no_array_of_numbers(data, message):
    with pytest.raises(DTypeError, match=message):
        tg.Tensor(data)


@pytest.mark.parametrize("other", [None, "a", 1j, {}])
def test_operators_with_what_is_no_number(other):
    with pytest.raises((DTypeError, UsageError)):
        leaf(1.0) + other


def test_a_list_of_tensors_would_lose_their_history():
    x = leaf([1.0, 2.0])
    for wrong in ([x[0], x[1]], [[x[0]], [1.0]], (x[0],), x * 2):
        with pytest.raises(UsageError, match=r"history.*np\.stack"):
            tg.Tensor(wrong)
    assert tg.Tensor([tg.Tensor(1.0), tg.Tensor(2.0)]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("leave", [math.exp, float, int, complex, math.sin])
def test_numbers_that_would_forget_their_gradient(leave):
    loss = tg.Tensor(2.0, requires_grad=True)
    with pytest.raises(UsageError, match=r"'loss'.*np\.exp\(t\).*t\.item\(\)"):
        leave(loss)
    leave(loss.detach())


def test_an_array_would_forget_it_too():
    x = leaf([1.0, 2.0], name="x")
    with pytest.raises(UsageError, match=r"'x'.*t\.numpy\(\) or t\.data"):
        np.asarray(x)


def test_a_numpy_function_without_a_rule():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    for function in (np.linalg.svd, np.gcd, np.histogram):
        with pytest.raises(UnsupportedError, match=rf"{function.__name__} has no gradient rule"):
            function(x, x) if function is np.gcd else function(x)
    with pytest.raises(UnsupportedError, match=r"t\.data"):
        np.unique(x)


def test_options_are_refused_and_not_dropped():
    x = leaf([1.0, 2.0])
    for call in (
        lambda: np.exp(x, out=np.zeros(2)),
        lambda: np.add(x, 1, where=np.array([True, False])),
        lambda: np.sum(x, out=np.zeros(())),
    ):
        with pytest.raises(UnsupportedError, match=r"out=|where="):
            call()


OPERATORS = {
    "+": lambda w: w.__iadd__(1),
    "-": lambda w: w.__isub__(1),
    "*": lambda w: w.__imul__(2),
    "/": lambda w: w.__itruediv__(2),
    "**": lambda w: w.__ipow__(2),
    "@": lambda w: w.__imatmul__(w),
}


@pytest.mark.parametrize("sign", OPERATORS)
def test_in_place_on_a_weight(sign):
    w = leaf([1.0, 2.0], name="w")
    with pytest.raises(UsageError) as caught:
        OPERATORS[sign](w)
    assert str(caught.value).startswith(f"w {sign}= …")
    assert f"w.data = w.data {sign} …" in str(caught.value)


def test_assignment_to_entries():
    x = leaf([1.0, 2.0])
    with pytest.raises(UsageError, match=r"np\.where\(mask, v, t\)"):
        x[0] = 1.0


def test_xor_is_no_power():
    x = leaf(2.0)
    for wrong in (lambda: x ^ 2, lambda: 2 ^ x):
        with pytest.raises(UsageError, match=r"\^ is bitwise xor.*x \*\* 2"):
            wrong()


def test_and_or_combine_truth_values():
    x = leaf([1.0, 2.0])
    with pytest.raises(UsageError, match=r"\(x > 0\) & \(y > 0\)"):
        (x > 0) & 1


def test_the_truth_of_many_numbers():
    x = leaf([1.0, 2.0])
    with pytest.raises(UsageError, match=r"2 numbers.*any\(\)"):
        bool(x > 1)


def test_an_index_outside_is_an_index_error():
    x = leaf([1.0, 2.0], name="x")
    with pytest.raises(IndexingError, match=r"'x' \(2,\).*out of bounds"):
        x[7]
    with pytest.raises(IndexError):
        x[0, 0]


def test_len_and_iteration_of_a_single_number():
    for wrong in (len, list):
        with pytest.raises(TypeError, match="single number"):
            wrong(leaf(1.0))


def test_reshape_that_cannot_be():
    with pytest.raises(ShapeError, match=r"reshape of \(3,\) to \(2, 2\).*multiply to 3"):
        leaf(np.ones(3)).reshape(2, 2)


def test_a_rule_that_gives_the_wrong_shape():
    with planted("my_op", np.square, lambda g, y, x: (g * 2 * x).sum()) as my_op:
        x = leaf(np.ones((2, 3)))
        with pytest.raises(GradientError) as caught:
            my_op(x).sum().backward()
    assert "my_op: gradient for input 0" in str(caught.value)
    assert "has shape (), expected (2, 3)" in str(caught.value)
    assert "Summed instead of un-broadcast?" in str(caught.value)


def test_the_line_is_the_users_and_not_that_of_a_library_in_between():
    losses = [leaf(1.0), leaf(2.0)]
    with pytest.raises(UsageError, match=r"\[t\.item\(\) for t in losses\]"):
        np.asarray(losses[0])
    with pytest.raises(UsageError) as caught:
        statistics.fmean(losses)
    assert "test_tensor_errors.py:" in str(caught.value)
    assert "statistics.py" not in str(caught.value)


def test_pytorchs_names_say_what_is_written_here():
    w = leaf(np.arange(6.0).reshape(2, 3))
    known = {
        "np": np, "F": tg.functional, "t": w, "other": np.ones((3, 2)), "value": 2.0, "n": 2,
        "mask": np.ones((2, 3), bool), "shape": (2, 3), "axes": (1, 0), "axis": 0, "parts": 2,
        "low": 0.0, "high": 1.0, "dtype": np.float32, "array": np.ones((2, 3)),
        "indices": np.zeros((2, 3), int),
    }  # fmt: skip
    for name, instead in dialects.INSTEAD.items():
        assert not hasattr(w, name)
        with pytest.raises(AttributeError, match="methods have NumPy's names") as caught:
            getattr(w, name)
        assert f"a Tensor has no {name!r} (test_tensor_errors.py:" in str(caught.value)
        assert instead in str(caught.value)
        if not instead.startswith("nothing"):
            exec(instead, known)  # noqa: S102 - what is advised runs


@pytest.mark.parametrize("keep", [True, False])
def test_pytorchs_retain_graph_is_keep_graph(keep):
    w = leaf(2.0)
    y = w * w
    y.backward(retain_graph=keep)
    if keep:
        y.backward()
        assert w.grad == 8.0
    else:
        with pytest.raises(GraphError):
            y.backward()
