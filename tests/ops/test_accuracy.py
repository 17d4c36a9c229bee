"""How many digits are right, held against mpmath over the whole range of the dtype.

An error is counted in units in the last place of the exact result; below the smallest normal
number the unit stays that of the smallest normal number.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import needs
from tinygrad_mlp.ops import REGISTRY

mpmath = needs("mpmath")
mp = mpmath.mp


def _exactly(name):
    """The function of that name, of a number of mpmath's."""
    special = {
        "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
        "softplus": lambda x: mp.log1p(mp.exp(x)),
        "reciprocal": lambda x: 1 / x,
        "square": lambda x: x * x,
        "exp2": lambda x: mp.mpf(2) ** x,
        "log2": lambda x: mp.log(x, 2),
        "log10": lambda x: mp.log(x, 10),
        "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
        "arcsinh": mp.asinh, "arccosh": mp.acosh, "arctanh": mp.atanh,
        "deg2rad": lambda x: x * mp.pi / 180,
        "rad2deg": lambda x: x * 180 / mp.pi,
        "gaussian": lambda x: mp.exp(-x * x),
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        "abs": abs, "neg": lambda x: -x,
        "relu": lambda x: max(x, mp.mpf(0)),
    }  # fmt: skip
    return special.get(name) or getattr(mp, name)


UNARY = (
    "abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "cos", "cosh",
    "deg2rad", "erf", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "neg", "rad2deg",
    "reciprocal", "relu", "sigmoid", "sin", "sinh", "softplus", "sqrt", "square", "tan", "tanh",
)  # fmt: skip
PERIODIC = {"sin", "cos", "tan"}


def points(op, dtype):
    """Numbers of all magnitudes, and many where functions bend, from the op's domain."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(7)
    low, high = np.log10(float(info.tiny)), np.log10(float(info.max))
    sizes = 10.0 ** np.concatenate(
        [rng.uniform(low, high, 250), rng.uniform(-3, 3, 350), rng.uniform(-0.5, 0.5, 150)]
    )
    x = np.concatenate([sizes, -sizes, [0.0, 1.0, -1.0, 0.5, -0.5]])
    interval = op.domain.interval(0)
    if interval.high == 1.0:
        x = np.concatenate([x, 1 - sizes[sizes < 1], -1 + sizes[sizes < 1]])
    if interval.low == 1.0:
        x = np.concatenate([x, 1 + sizes])
    x = x.astype(dtype)
    inside = (x >= interval.low) & (x <= interval.high) & np.isfinite(x)
    if op.name in {"log", "log2", "log10", "reciprocal"}:
        inside &= x != 0
    if op.name == "log1p":
        inside &= x > -1
    if op.name == "arctanh":
        inside &= np.abs(x) < 1
    return x[inside]


def error(got, x, exact):
    """The largest distance from the exact result, in units in the last place."""
    info = np.finfo(x.dtype)
    worst = 0.0
    for value, argument in zip(got, x, strict=True):
        wanted = exact(mp.mpf(float(argument)))
        if abs(wanted) > float(info.max):
            continue
        size = max(abs(wanted), mp.mpf(float(info.tiny)))
        unit = mp.mpf(2) ** (int(mp.floor(mp.log(size, 2))) - info.nmant)
        worst = max(worst, float(abs(mp.mpf(float(value)) - wanted) / unit))
    return worst


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", UNARY)
def test_within_4_units_in_the_last_place(name, dtype):
    op = REGISTRY[name]
    x = points(op, dtype)
    precision = 1200 if name in PERIODIC else 250
    with mpmath.workprec(precision):
        exact = _exactly(name)
        fits = np.array([abs(exact(mp.mpf(float(v)))) <= float(np.finfo(dtype).max) for v in x])
        x = x[fits]
        y = op(x)  # a warning would be an error
        assert y.dtype == dtype
        assert error(y, x, exact) <= 4.0


BOUNDS = {"gelu": 4, "silu": 4, "gelu_tanh": 8}
"""In units in the last place of max(1, |x|): an absolute bound, for results that cancel."""


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", BOUNDS)
def test_within_an_absolute_bound(name, dtype):
    exact = {
        "gelu": lambda x: x * (mp.ncdf(x) if abs(x) < 60 else x > 0),
        "silu": lambda x: x / (1 + mp.exp(-x)),
        "gelu_tanh": lambda x: x / 2 * (
            1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))
        ),
    }[name]  # fmt: skip
    op = REGISTRY[name]
    x = points(op, dtype)
    y = op(x)
    with mpmath.workprec(250):
        wanted = [exact(mp.mpf(float(v))) for v in x]
        distances = [abs(mp.mpf(float(a)) - b) for a, b in zip(y, wanted, strict=True)]
    units = np.finfo(dtype).eps * np.maximum(1.0, np.abs(x.astype(float)))
    assert np.max(np.array(distances, float) / units) <= BOUNDS[name]


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", [*UNARY, *BOUNDS, "logsumexp", "softmax", "log_softmax", "sinc",
                                  "elu", "leaky_relu", "bce_with_logits", "huber"])  # fmt: skip
def test_slopes_of_the_whole_range_warn_of_nothing(name, dtype):
    op = REGISTRY[name]
    x = points(op, dtype)
    attrs = {}
    if name == "sinc":
        x = x[np.abs(x) < 0.1 * np.finfo(dtype).max]  # pi times a number is a number
    with np.errstate(all="ignore"):
        if op.bind is not None and name not in {"bce_with_logits", "huber"}:
            (x,), attrs = op.bind(x)
        elif op.bind is not None:
            (x, _), attrs = op.bind(x, x)
        inputs = (x, np.ones_like(x)) if len(op.rules) == 2 else (x,)
        y = op.forward(*inputs, **attrs)
    steep = {"cbrt", "cosh", "exp", "exp2", "expm1", "log", "log1p", "log10", "log2", "reciprocal",
             "sinh", "sqrt", "tan", "arccosh", "arcsin", "arccos", "arctanh", "square"}  # fmt: skip
    if name in steep:
        keep = np.isfinite(y) & (np.abs(x) > 1e-4) & (np.abs(x) < 1e4) & (np.abs(y) < 1e4)
        keep &= np.abs(np.abs(x) - 1) > 1e-4
        x, y, inputs = x[keep], y[keep], (x[keep],)
    got = op.rules[0](np.ones_like(y), y, *inputs, **attrs)
    assert got.dtype == dtype
    assert np.isfinite(got).all()
