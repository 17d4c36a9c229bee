"""How many last digits are right: against mpmath, over the whole range of float32 and float64.

The unit is the ulp, the distance between neighbouring floats. Points are drawn over all
exponents of the dtype, near 1 and near the ends of the domain; a point whose exact result
overflows is no valid input. No warning may be raised: here warnings are errors.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import needs
from tinygrad_mlp.ops import REGISTRY

mp = needs("mpmath")

MOST_ULPS = 4.0
POINTS = 250


def _sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def _gelu(x):
    return x * (mp.ncdf(x) if abs(x) < 1000 else int(x > 0))  # mpmath cannot do it far out


def _gelu_tanh(x):
    return x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)))


EXACT = {
    "exp": mp.exp,
    "exp2": lambda x: mp.mpf(2) ** x,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": mp.log10,
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "erf": mp.erf,
}

# Near their zeros these lose digits relative to the result, so what is bounded is the error
# itself, in units of the dtype's epsilon times max(1, |x|).
ABSOLUTE = {
    "silu": lambda x: x * _sigmoid(x),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "elu": lambda x: x if x > 0 else mp.expm1(x),
}
MOST_EPSILONS = 4.0


def points(name, dtype):
    """Floats of all sizes in the domain, both signs, and some near 1."""
    interval = REGISTRY[name].domain.interval(0)
    info = np.finfo(dtype)
    rng = np.random.default_rng(len(name))
    low, high = np.log10(float(info.tiny)), np.log10(float(info.max))
    sizes = 10.0 ** np.concatenate(
        [rng.uniform(low, high, POINTS), rng.uniform(-6, 4, POINTS), rng.uniform(-0.5, 2, POINTS)]
    )
    x = np.concatenate([sizes, -sizes, 1 - 1e-4 * sizes[-POINTS:], 1 - sizes[POINTS:-POINTS]])
    x = x.astype(dtype)
    return x[(x > interval.low) & (x < interval.high) & np.isfinite(x)]


def exact(function, x):
    """The true values."""
    with mp.workprec(400):
        return [function(mp.mpf(float(one))) for one in x]


def errors(name, function, dtype, unit):
    """The points and the error at each, in units."""
    x = points(name, dtype)
    truth = exact(function, x)
    largest = float(np.finfo(dtype).max)
    valid = [k for k, value in enumerate(truth) if abs(value) < largest]
    x, truth = x[valid], [truth[k] for k in valid]
    got = REGISTRY[name].forward(x, **dict(REGISTRY[name].domain.case(lambda o: o[0])[1]))
    assert got.dtype == dtype
    off = [
        float(abs(mp.mpf(float(a)) - b) / mp.mpf(float(unit(one, dtype(float(b))))))
        for one, a, b in zip(x, got, truth, strict=True)
    ]
    return x, np.array(off)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EXACT)
def test_within_four_ulps(name, dtype):
    x, off = errors(name, EXACT[name], dtype, lambda x, y: abs(np.spacing(y)))
    assert len(off) > POINTS
    assert off.max() <= MOST_ULPS, f"{off.max():.3g} ulps at {x[off.argmax()]!r}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ABSOLUTE)
def test_within_four_epsilons(name, dtype):
    epsilon = np.finfo(dtype).eps
    x, off = errors(name, ABSOLUTE[name], dtype, lambda x, y: epsilon * max(1.0, abs(float(x))))
    assert off.max() <= MOST_EPSILONS, f"{off.max():.3g} epsilons at {x[off.argmax()]!r}"
