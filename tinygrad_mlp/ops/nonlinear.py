"""What networks put between their layers: erf, gelu, silu, softplus, elu, leaky relu.

This file knows their records. relu and sigmoid, which every network needs, are in
`selection.py` and `elementary.py`. Each record is stable for numbers of any size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.ops.domain import Domain, Edge, any_shape
from tinygrad_mlp.ops.elementary import sigmoid, sigmoid_forward
from tinygrad_mlp.ops.notation import Notation, call
from tinygrad_mlp.ops.record import Array, Op
from tinygrad_mlp.ops.selection import clip

__all__ = ["elu", "erf", "gaussian", "gelu", "gelu_tanh", "leaky_relu", "silu", "softplus"]

softplus = Op(
    "softplus",
    lambda x: np.logaddexp(0.0, x),
    lambda g, y, x: g * sigmoid(x),
    notation=call("softplus", r"\operatorname{softplus}"),
    domain=Domain(analytic=False, edges=(Edge((1000.0,), (1.0,)), Edge((-1000.0,), (0.0,)))),
    same_as=lambda x: np.log(1.0 + np.exp(x)),
    doc="log(1 + exp(x)), a smooth positive part.",
)

silu = Op(
    "silu",
    lambda x: x * sigmoid_forward(x),
    lambda g, y, x: g * (sigmoid(x) + y * (1.0 - sigmoid(x))),
    notation=call("silu", r"\operatorname{silu}"),
    domain=Domain(analytic=False, edges=(Edge((0.0,), (0.5,)), Edge((1000.0,), (1.0,)))),
    same_as=lambda x: x * sigmoid(x),
    doc="x σ(x), also called swish.",
    source='Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units" (2017), equation 4.',
)

# Fused because exp(-x²) of a huge number must be 0 without x² overflowing first.
gaussian = Op(
    "gaussian",
    lambda x: np.exp(-np.square(np.minimum(np.abs(x), 28.0))),
    lambda g, y, x: -g * (2.0 * (x * y)),
    notation=Notation("exp(−<0>²)", r"\exp\left(-<0>^2\right)", slots=(4,)),
    domain=Domain(analytic=False, edges=(Edge((1e200,), (0.0,)),)),
    doc="The bell curve exp(-x²).",
)

# erf as a ratio of polynomials: near 0, and (the complement) further out. Source: Cody,
# "Rational Chebyshev approximations for the error function" (1969), tables II and III.
NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2,
     1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
FAR = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3,
     2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
     3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip


def erf_forward(x: Array) -> Array:
    """The error function to 4 ulp."""
    a = np.minimum(np.abs(x), 6.0)  # beyond, it is 1
    z = np.minimum(a * a, 0.22)
    near = a * (np.polyval(NEAR[0], z) / np.polyval(NEAR[1], z))
    far = 1.0 - np.exp(-a * a) * (np.polyval(FAR[0], a) / np.polyval(FAR[1], a))
    y = np.copysign(np.where(a < 0.46875, near, far), x)
    return y.astype(x.dtype if x.dtype.kind == "f" else np.float64)


erf = Op(
    "erf",
    erf_forward,
    lambda g, y, x: g * (2 / math.sqrt(math.pi) * gaussian(x)),
    notation=call("erf", r"\operatorname{erf}"),
    domain=Domain(analytic=False, edges=(Edge((1e200,), (0.0,)),)),
    doc="The error function, 2/√π times the integral of exp(-t²) from 0 to x.",
    source='Cody, "Rational Chebyshev approximations for the error function" (1969).',
)


def gelu_rule(g: Array, y: Array, x: Array) -> Array:
    """``Φ(x) + x φ(x)`` with the normal distribution Φ and its density φ."""
    z = math.sqrt(0.5) * x
    return g * (0.5 * (1.0 + erf(z)) + 1 / math.sqrt(2 * math.pi) * (x * gaussian(z)))


gelu = Op(
    "gelu",
    lambda x: 0.5 * x * (1.0 + erf_forward(math.sqrt(0.5) * x)),
    gelu_rule,
    notation=call("gelu", r"\operatorname{gelu}"),
    domain=Domain(analytic=False, edges=(Edge((0.0,), (0.5,)), Edge((1e200,), (1.0,)))),
    same_as=lambda x: 0.5 * x * (1.0 + erf(math.sqrt(0.5) * x)),
    doc="x Φ(x) with the normal distribution Φ.",
    source='Hendrycks, Gimpel, "Gaussian error linear units" (2016), section 2.',
)

STRETCH = math.sqrt(2 / math.pi)


def gelu_tanh_forward(x: Array) -> Array:
    """``½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))``; beyond ±9 the tanh is ±1."""
    u = np.minimum(np.maximum(x, -9.0), 9.0)
    return 0.5 * x * (1.0 + np.tanh(STRETCH * (u * (1.0 + 0.044715 * np.square(u)))))


def gelu_tanh_rule(g: Array, y: Array, x: Array) -> Array:
    """The product rule, with the slope of the cubic inside the tanh."""
    u = clip(x, -9.0, 9.0)
    t = np.tanh(STRETCH * (u * (1.0 + 0.044715 * np.square(u))))
    slope = STRETCH * (1.0 + 3 * 0.044715 * np.square(u))
    return g * (0.5 * (1.0 + t) + 0.5 * x * ((1.0 - np.square(t)) * slope))


gelu_tanh = Op(
    "gelu_tanh",
    gelu_tanh_forward,
    gelu_tanh_rule,
    notation=call("gelu_tanh", r"\operatorname{gelu}_{\tanh}"),
    domain=Domain(analytic=False, edges=(Edge((0.0,), (0.5,)), Edge((1e200,), (1.0,)))),
    same_as=lambda x: 0.5 * x * (1.0 + np.tanh(STRETCH * (x + 0.044715 * x**3))),
    doc="gelu with a tanh in the place of the normal distribution.",
    source='Hendrycks, Gimpel, "Gaussian error linear units" (2016), section 2.',
)


def _with(name: str, *numbers: float) -> Any:
    """A case: any shape, and one of these numbers as an attribute."""
    return lambda pick: (any_shape(pick)[0], {name: pick(numbers)})


elu = Op(
    "elu",
    lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0))),
    lambda g, y, x, alpha: np.where(x > 0, g, g * (alpha * np.exp(np.where(x < 0, x, 0.0)))),
    bind=lambda x, alpha=1.0: ((x,), {"alpha": float(alpha)}),
    notation=call("elu", r"\operatorname{elu}"),
    domain=Domain(
        case=_with("alpha", 1.0, 0.5),
        kink=lambda x, alpha: np.abs(x),
        analytic=False,
        edges=(Edge((-1e200,), (0.0,)),),
    ),
    same_as=lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1.0)),
    doc="The number itself where it is positive, alpha (exp(x) - 1) elsewhere.",
    source='Clevert, Unterthiner, Hochreiter, "Fast and accurate deep network learning by '
    'exponential linear units" (2015), equation 15.',
)

leaky_relu = Op(
    "leaky_relu",
    lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
    lambda g, y, x, negative_slope: np.where(x > 0, g, negative_slope * g),
    bind=lambda x, negative_slope=0.01: ((x,), {"negative_slope": float(negative_slope)}),
    notation=call("leaky_relu", r"\operatorname{leaky\_relu}"),
    domain=Domain(
        case=_with("negative_slope", 0.01, 0.3),
        kink=lambda x, negative_slope: np.abs(x),
        analytic=False,
    ),
    same_as=lambda x, negative_slope: np.maximum(x, 0) + negative_slope * np.minimum(x, 0),
    doc="The number itself where it is positive, negative_slope times it elsewhere.",
    source='Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic models" '
    "(2013), equation 2.",
)
