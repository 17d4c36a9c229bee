"""Numbers at the ends of the range: huge logits, sums that leave half precision, lengths of 0."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tinygrad_mlp import functional as F
from tinygrad_mlp.ops import logsumexp

SIZES = [1.0, 1e5, 1e11, 1e15, 1e20, 1e30]


@pytest.mark.parametrize(
    ("dtype", "size"),
    [*((np.float32, size) for size in SIZES), *((np.float64, size) for size in (*SIZES, 1e300))],
)
def test_softmax_of_logits_of_any_size(dtype, size):
    for sign in (1.0, -1.0):
        x = np.array([sign * size, sign * size * 2, 0.0], dtype)
        exact = np.exp(x.astype(float) - x.max())
        exact /= exact.sum()
        rtol = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(F.softmax(x), exact, rtol=rtol, atol=1e-300)
        np.testing.assert_allclose(F.log_softmax(x).argmax(), x.argmax())
        np.testing.assert_allclose(np.exp(F.log_softmax(x)), exact, rtol=rtol, atol=1e-300)
        best = np.array(x.argmax())
        np.testing.assert_allclose(F.cross_entropy(x, best), -np.log(exact.max()), atol=rtol)
        for f in (F.logsumexp, lambda x, best=best: F.cross_entropy(x, best) + x[best]):
            slope = tg.grad(lambda x, f=f: f(x))(x)
            assert slope.dtype == dtype
            np.testing.assert_allclose(slope, exact, rtol=2 * rtol, atol=1e-300)


@pytest.mark.parametrize("size", [1e8, 1e20])
def test_the_slopes_of_logsumexp_add_up_to_1(size):
    x = np.array([size, size, size - 1.0], np.float32)
    slope = tg.grad(logsumexp)(x)
    np.testing.assert_allclose(slope, F.softmax(x))
    np.testing.assert_allclose(slope.sum(), 1.0, rtol=1e-6)


def test_entries_that_are_masked_with_minus_infinity():
    x = np.array([[1.0, -np.inf, 2.0], [-np.inf, -np.inf, 3.0]])
    p = F.softmax(x)
    np.testing.assert_allclose(p, F.softmax(np.maximum(x, -1000.0)), atol=1e-300)
    np.testing.assert_array_equal(p[1], [0.0, 0.0, 1.0])
    slope = tg.grad(lambda x: F.softmax(x)[0, 0])(x)
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(tg.grad(lambda x: logsumexp(x))(x)[0, 1], 0.0)
    with np.errstate(invalid="ignore"):  # of nothing but -inf, or of inf, there is no softmax
        assert np.isnan(F.softmax(np.array([-np.inf, -np.inf]))).all()
        assert np.isnan(F.softmax(np.array([np.inf, 0.0]))).all()


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_compiled_softmax_of_huge_logits(backend):
    if backend == "native":
        needs("llvmlite")

    @tg.compile(backend=backend)
    def step(x):
        x.requires_grad = True
        F.logsumexp(x).backward()
        return F.softmax(x), tg.Tensor(x.grad)

    for _ in range(4):
        p, slope = step(np.array([1e20, 0.0, -np.inf, 1e20]))
    np.testing.assert_allclose(p.data, [0.5, 0.0, 0.0, 0.5])
    np.testing.assert_allclose(slope.data, [0.5, 0.0, 0.0, 0.5])


# ------------------------------------------------------------------ half precision


def test_means_of_many_numbers_of_half_precision():
    x = tg.Tensor(np.ones(70_000, np.float16), requires_grad=True)
    for y, expected in (
        (x.mean(), 1.0),
        (x.var(), 0.0),
        (x.std(), 0.0),
        (x.mean(keepdims=True), 1),
    ):
        assert y.dtype == np.float16
        np.testing.assert_array_equal(y.data, expected)
    x.mean().backward()
    assert x.grad.dtype == np.float16
    np.testing.assert_allclose(x.grad.astype(float), 1 / 70_000, rtol=0.01)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_means_of_half_precision_are_those_of_numpy(axis):
    x = np.random.default_rng(0).normal(300, 50, (40, 30)).astype(np.float16)
    np.testing.assert_array_equal(tg.Tensor(x).mean(axis).data, np.mean(x, axis))
    exact = np.var(x.astype(float), axis)
    np.testing.assert_allclose(tg.Tensor(x).var(axis).data, exact, rtol=1e-3)


# ------------------------------------------------------------------ lengths of 0


@pytest.mark.parametrize("n", [None, 0.5, 1, 1.5, 2, 3, 7.5, -1, -2.5, np.inf, -np.inf])
def test_the_slope_of_a_length_of_0_is_0(n):
    for axis in (None, 0):
        length = tg.grad(lambda x, axis=axis: np.linalg.norm(x, n, axis=axis).sum())
        np.testing.assert_array_equal(length(np.zeros(3)), 0.0)
        assert np.isfinite(length(np.array([0.0, 1.0, -2.0]))).all()
    twice = tg.hessian(lambda x: np.linalg.norm(x, n))(np.zeros(2))
    np.testing.assert_array_equal(twice, 0.0)


@pytest.mark.parametrize("n", [0.5, 1.5, 3, -1, -2.5])
def test_lengths_of_numbers_that_are_not_0_are_numpys(n):
    x = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -1.0]])
    for axis, keepdims in ((0, False), (1, True)):
        got = np.linalg.norm(tg.Tensor(x), n, axis, keepdims)
        np.testing.assert_allclose(got.data, np.linalg.norm(x, n, axis, keepdims), rtol=1e-14)
    assert tg.testing.gradcheck(lambda x: np.linalg.norm(x, n, axis=1), x, order=2)
    assert np.linalg.norm(tg.Tensor(np.array([0.0, 2.0])), -1).item() == 0.0


# ------------------------------------------------------------------ small whole numbers


def test_products_of_small_whole_numbers_do_not_wrap_around():
    x = np.array([200, 3], np.uint8)
    assert np.prod(tg.Tensor(x)).item() == 600
    np.testing.assert_array_equal(np.cumprod(tg.Tensor(x)).data, [200, 600])
    assert np.linalg.norm(tg.Tensor(x), 1).data == 203.0


def test_whole_numbers_stay_whole():
    x = tg.Tensor(np.array([[1, -2], [3, 4]]))
    for f in (
        np.nan_to_num,
        lambda x: np.clip(x, 0, None),
        lambda x: np.clip(x, None, 2),
        np.tril,
        np.triu,
    ):
        got = f(x)
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got.data, f(x.data))
    np.testing.assert_array_equal(np.clip(tg.Tensor(np.uint8([1, 9])), -5, 3).data, [1, 3])
    np.testing.assert_array_equal(np.tril(x > 0).data, np.tril(x.data > 0))
    np.testing.assert_array_equal((x > 0).copy().data, x.data > 0)
