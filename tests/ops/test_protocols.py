"""How NumPy hands calls over: ufunc methods, options, and what is said when there is no rule."""

from __future__ import annotations

import copy
import pickle
import re
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tinygrad_mlp.errors import UnsupportedError, UsageError

A = np.array([[0.5, 1.5, 2.5], [1.0, 2.0, 3.0]])


@pytest.fixture
def t():
    return tg.Tensor(A, requires_grad=True, name="t")


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.add.reduce(x),
        lambda x: np.add.reduce(x, axis=None),
        lambda x: np.multiply.reduce(x, 1),
        lambda x: np.maximum.reduce(x, axis=1, keepdims=True),
        lambda x: np.minimum.reduce(x, axis=(0, 1)),
        lambda x: np.logaddexp.reduce(x, axis=1),
        lambda x: np.hypot.reduce(x, axis=0),
        lambda x: np.add.accumulate(x, axis=1),
        lambda x: np.multiply.accumulate(x),
        lambda x: np.multiply.outer(x, x),
        lambda x: np.arctan2.outer(x, np.ones(2)),
        lambda x: np.sum(x, 0),
        lambda x: np.sum(x, where=A > 1),
        lambda x: np.sum(x, initial=5.0),
        lambda x: np.max(x, axis=0, initial=1.2),
        lambda x: np.prod(x, where=A > 1, initial=2.0),
        lambda x: np.exp(x, where=True, out=None),
        lambda x: np.divmod(np.ones(2), 2)[0] + x.sum(),
        lambda x: A * x + (x - A) / (A + x),
        lambda x: np.float64(2) * x,
        lambda x: 2**x - x**2 + x % 2 + 7 // x,
        lambda x: np.round(x, 1) + abs(-x),
    ],
)
def test_the_same_as_for_arrays(call, t):
    got = call(t)
    assert type(got) is tg.Tensor
    np.testing.assert_allclose(got.data, call(A), rtol=1e-13)
    assert got.shape == np.shape(call(A))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, dtype=np.float32),
        lambda x: np.sum(x, 0, np.float32),
        lambda x: np.cumsum(x, 0, dtype=np.float32),
        lambda x: np.mean(x, dtype=np.float32),
        lambda x: np.add(x, 1, dtype=np.float32),
        lambda x: np.exp(x, dtype=np.float32),
    ],
)
def test_a_dtype_is_honoured_and_gradients_come_back_in_the_own_one(call, t):
    y = call(t)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, call(A), rtol=1e-6)
    y.sum().backward()
    assert t.grad.dtype == np.float64


def test_a_function_is_called_by_its_real_name_and_what_is_no_help_is_left_out(t):
    special = needs("scipy.special")
    for call, text in (
        (
            special.erf,
            "scipy.special.erf has no gradient rule here. Closest: tinygrad_mlp.ops.erf(t)",
        ),
        (special.gammaln, "scipy.special.gammaln has no gradient rule here. For plain numbers"),
        (np.linalg.inv, "np.linalg.inv has no gradient rule here. For plain numbers use t.data"),
        (np.fft.fft, "np.fft.fft has no gradient rule here. For plain numbers use t.data"),
    ):
        with pytest.raises(UnsupportedError, match=r"tg\.define_op") as error:
            call(t)
        assert str(error.value).replace(f" ({error.value.where})", "").startswith(text)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda t: np.partition(t, 1),
            "np.partition has no gradient rule here. Closest: np.sort; ",
        ),
        (lambda t: np.nanmedian(t), "np.nanmedian has no gradient rule here. Closest: np.median"),
        (lambda t: np.linalg.svd(t), "np.linalg.svd has no gradient rule here."),
        (lambda t: np.gradient(t), "Closest: np.diff; for plain numbers use t.data"),
        (lambda t: np.quantile(t, 0.5, method="lower"), "np.quantile with method='lower'"),
        (lambda t: np.quantile(t, tg.Tensor(0.5)), "np.quantile with a tensor for q"),
        (lambda t: np.nanmean(t, where=A > 1), "np.nanmean with where="),
        (lambda t: np.cov(t, fweights=[1, 2, 3]), "np.cov with fweights="),
        (lambda t: np.interp(t, [0, 1], [0, 1], period=2), "np.interp with period="),
        (lambda t: np.maximum.accumulate(t), "np.maximum.accumulate has no gradient rule here."),
        (lambda t: np.arctan2.reduce(t), "np.arctan2.reduce has no gradient rule here."),
        (lambda t: np.add.at(t, 0, 1.0), "np.add.at has no gradient rule here. Closest: np.where"),
        (lambda t: np.add.reduceat(t, [0, 1]), "np.add.reduceat has no gradient rule here."),
        (lambda t: np.put_along_axis(t, A, A, 0), "Closest: np.where"),
        (lambda t: np.modf(t), "np.modf has no gradient rule here. Closest: np.trunc"),
        (lambda t: np.exp(t, out=np.zeros((2, 3))), "np.exp with out="),
        (lambda t: np.add(A, A, out=t), "np.add with out="),
        (lambda t: np.log(t, where=A > 1), "np.log with where="),
        (lambda t: np.sum(t, out=np.zeros(())), "np.sum with out="),
        (lambda t: np.mean(t, where=A > 1), "np.mean with where="),
        (lambda t: np.concatenate([t, t], dtype=np.float32), "np.concatenate with dtype="),
        (lambda t: np.reshape(t, 6, order="F"), "order='F'"),
        (lambda t: np.pad(t, 1, mode="linear_ramp"), "Closest: mode= one of 'constant'"),
        (lambda t: np.take(t, [9], mode="clip"), "np.take with mode='clip'"),
        (lambda t: np.linalg.norm(t, 2), "np.linalg.norm with ord=2 over 2 axes"),
        (lambda t: np.einsum(t, [0, 1], [0]), "subscripts"),
        (lambda t: np.pad(t, 1, "reflect", reflect_type="odd"), 'np.pad with reflect_type="odd"'),
        (lambda t: np.pad(t, 1, stat_length=2), "np.pad with stat_length="),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(call, text, t):
    with pytest.raises(UnsupportedError) as caught:
        call(t)
    assert text in re.sub(r" \(test_\w+\.py:\d+\)", "", str(caught.value))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: t.__setitem__(0, 1.0), "np.where(mask, v, t)"),
        (lambda t: t.sort(), "np.sort(t, axis)"),
        (lambda t: t.fill(0.0), "np.full_like"),
        (lambda t: np.asarray(t), "Use t.numpy() or t.data"),
        (lambda t: np.array([t, t]), "Use t.numpy() or t.data"),
        (lambda t: t ^ 2, "For powers write x ** 2"),
    ],
)
def test_what_would_lose_the_history_is_refused_with_the_way_out(call, text, t):
    with pytest.raises(UsageError) as caught:
        call(t)
    assert text in re.sub(r" \(test_\w+\.py:\d+\)", "", str(caught.value))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: np.einsum("ij->ijk", t), "has 'k' in the result only"),
        (lambda t: np.einsum("ij->ii", t), "has 'i' twice in the result"),
        (lambda t: np.einsum("ij->...", t), "has '...' in the result only"),
        (lambda t: np.einsum("i1->i", t), "einsum cannot read 'i1'"),
        (lambda t: np.einsum("ij->i->j", t), "einsum cannot read 'i->j'"),
        (lambda t: np.expand_dims(t, (0, 0)), "axis 0 is named twice in (0, 0)"),
        (lambda t: np.sum(t, axis=(1, -1)), "axis 1 is named twice in (1, -1)"),
        (lambda t: np.flip(t, (0, 0)), "axis 0 is named twice"),
        (lambda t: t["a"], "'a' is no index of 't' of shape (2, 3)"),
        (lambda t: t[1.0], "positions are whole numbers. Use 1, or // instead of /"),
        (lambda t: t[: np.float64(1.5)], "positions are whole numbers. Use 1, or // instead of /"),
        (lambda t: t[0, float("nan")], "Use a whole number."),
        (lambda t: t[{1}], "{1} is no index of 't'"),
    ],
)
def test_what_names_no_axis_or_entry_is_refused_in_words(call, text, t):
    with pytest.raises((UsageError, IndexError)) as caught:
        call(t)
    assert text in re.sub(r" \(test_\w+\.py:\d+\)", "", str(caught.value))
    assert caught.value.fix


def test_positions_in_any_collection(t):
    for key in (range(2), [1, 0], (slice(None), range(0, 3, 2)), ((0, 1), (2, 1))):
        np.testing.assert_array_equal(t[key].data, A[key])


def test_differences_join_nothing_that_is_not_given(t):
    assert np.diff(t).inputs[0].inputs == (t,)
    assert np.diff(t, prepend=0.0).inputs[0].inputs[0].op.name == "concatenate"
    np.testing.assert_array_equal(np.roll(t, (1, 1), (1, 1)).data, np.roll(A, (1, 1), (1, 1)))


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (lambda x: x.argmax(), A.argmax()),
        (lambda x: x.argmin(axis=1), A.argmin(axis=1)),
        (lambda x: x.argsort(0), A.argsort(0)),
        (lambda x: (x > 1).any(axis=0), (A > 1).any(axis=0)),
        (lambda x: (x > 1).all(), (A > 1).all()),
        (lambda x: np.count_nonzero(x, axis=1), np.array([3, 3])),
        (lambda x: np.isclose(x, A), np.ones((2, 3), bool)),
        (lambda x: np.allclose(x, A + 1e-9), True),
        (lambda x: np.array_equal(x, A), True),
        (lambda x: np.isfinite(x), np.ones((2, 3), bool)),
    ],
)
def test_positions_and_truth_values_need_no_gradient(got, expected, t):
    result = got(t)
    assert not result.requires_grad
    np.testing.assert_array_equal(result.data, expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.prod(0), lambda x: x.var(1, ddof=1), lambda x: x.std(), lambda x: x.cumsum(1),
        lambda x: x.cumprod(0), lambda x: x.clip(1, 2), lambda x: x.ravel(), lambda x: x.flatten(),
        lambda x: x.swapaxes(0, 1), lambda x: x.repeat(2, 0), lambda x: x.take([0, 2], 1),
        lambda x: x.trace(), lambda x: x.diagonal(), lambda x: x.copy(), lambda x: x.round(1),
        lambda x: x[None].squeeze(0), lambda x: x.dot(np.ones(3)), lambda x: x.transpose(),
        lambda x: x.reshape(3, -1), lambda x: x.min(axis=0),
    ],
)  # fmt: skip
def test_methods_are_those_of_arrays(call, t):
    np.testing.assert_allclose(call(t).data, call(A), rtol=1e-14)


def test_ops_are_copied_and_pickled_by_name():
    op = tg.ops.REGISTRY["softmax"]
    assert copy.deepcopy(op) is pickle.loads(pickle.dumps(op)) is op  # noqa: S301 - our own


def test_numpys_function_takes_three_calls_more_than_the_method_at_most():
    x = tg.Tensor(np.ones(5), requires_grad=True)

    def calls(function):
        count = 0

        def tally(frame, event, arg):
            nonlocal count
            count += event == "call"

        sys.setprofile(tally)
        try:
            function()
        finally:
            sys.setprofile(None)
        return count

    x.exp(), np.exp(x)  # whatever is worked out once
    assert calls(lambda: np.exp(x)) - calls(lambda: x.exp()) <= 3
