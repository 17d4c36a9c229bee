"""Samples and curves beside what the catalogue draws: nan, points on knots, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ShapeError, UsageError

X = np.array([[1.0, np.nan, 3.0, 7.0], [4.0, 2.0, -1.0, 0.5]])


def test_what_is_no_number_takes_no_part():
    for f in (np.nansum, np.nanmean):
        for axis in (None, 0, 1):
            got = f(tg.Tensor(X), axis=axis, keepdims=True)
            np.testing.assert_allclose(got.data, f(X, axis=axis, keepdims=True), rtol=1e-14)
    slope = tg.grad(lambda x: np.nanmean(x, axis=1).sum())(X)
    np.testing.assert_allclose(slope, [[1 / 3, 0, 1 / 3, 1 / 3], [0.25] * 4])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.median(x, axis=1),
        lambda x: np.quantile(x, [0.1, 0.5], axis=1),
        lambda x: np.quantile(x, 0.5, axis=0, keepdims=True),
        lambda x: np.percentile(x, 25, axis=(0, 1)),
        lambda x: np.quantile(x, [[0.0], [1.0]], axis=1, keepdims=True),
    ],
)
def test_nan_among_the_entries_is_the_answer_as_in_numpy(f):
    np.testing.assert_allclose(f(tg.Tensor(X)).data, f(X), rtol=1e-14)


def test_a_quantile_sends_its_gradient_to_its_two_neighbours():
    x = np.array([3.0, 0.0, 1.0, 10.0])
    slope = tg.grad(lambda x: np.quantile(x, 0.5))(x)
    np.testing.assert_allclose(slope, [0.5, 0.0, 0.5, 0.0])
    slope = tg.grad(lambda x: np.quantile(x, 0.75))(x)
    np.testing.assert_allclose(slope, [0.75, 0.0, 0.0, 0.25])


def test_interp_on_its_knots_and_beyond_them():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([2.0, 4.0, 0.0])
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0])
    for options in ({}, {"left": -7.0}, {"left": 1.0, "right": 5.0}):
        got = np.interp(tg.Tensor(x), xp, fp, **options)
        np.testing.assert_allclose(got.data, np.interp(x, xp, fp, **options))
    one = np.interp(tg.Tensor(x), [1.0], [4.0], left=0.0)
    np.testing.assert_allclose(one.data, np.interp(x, [1.0], [4.0], left=0.0))
    inner = np.array([-1.0, 0.4, 1.5, 9.0])
    slope = tg.grad(lambda x: np.interp(x, xp, fp).sum())(inner)
    np.testing.assert_allclose(slope, [0.0, 2.0, -2.0, 0.0])
    assert tg.testing.gradcheck(lambda a, b, c: np.interp(a, b, c), inner, xp, fp, order=2)


def test_cov_and_corrcoef_are_numpys():
    x, y = np.random.default_rng(0).normal(size=(2, 3, 5))
    for options in ({}, {"rowvar": False}, {"ddof": 0}, {"bias": True}):
        got = np.cov(tg.Tensor(x), **options)
        np.testing.assert_allclose(got.data, np.cov(x, **options), rtol=1e-12)
    np.testing.assert_allclose(np.cov(tg.Tensor(x), y).data, np.cov(x, y), rtol=1e-12)
    np.testing.assert_allclose(np.corrcoef(tg.Tensor(x), y).data, np.corrcoef(x, y), rtol=1e-12)
    assert np.corrcoef(tg.Tensor(x[0])).data == 1.0
    assert tg.testing.gradcheck(np.corrcoef, x, order=2)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda t: np.quantile(t, 1.5), UsageError, "Give 0 to 1."),
        (lambda t: np.quantile(t[:0], 0.5), UsageError, "the quantile of no numbers"),
        (lambda t: np.cross(t[:2], t[:2]), UsageError, "there is a vector product in three"),
        (lambda t: np.convolve(t, t[:0]), ShapeError, "two vectors that are not empty"),
        (lambda t: np.convolve(t, t, "all"), UsageError, 'Use "full", "same" or "valid".'),
        (lambda t: np.interp(t, [0.0, 1.0], [0.0]), ShapeError, "two vectors of the same length"),
        (lambda t: np.cov(t.reshape(2, 2, 1)), ShapeError, "one axis of variables"),
    ],
)
def test_what_has_no_answer_is_refused_in_words(call, error, text):
    with pytest.raises(error) as caught:
        call(tg.Tensor(np.arange(4.0), name="t"))
    assert text in str(caught.value)
