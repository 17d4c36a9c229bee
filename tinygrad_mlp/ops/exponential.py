"""Powers of 2, logarithms to other bases, small arguments, roots and squares.

This file knows their records; exp, log and sqrt are in `elementary.py`. They are records and no
compositions because NumPy's own functions keep digits that the compositions would lose.
`float_power` is composed: it is a power, taken in float64.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_mlp.ops.arithmetic import cast, power
from tinygrad_mlp.ops.domain import NONZERO, POSITIVE, Domain, Edge, Interval, broadcasting
from tinygrad_mlp.ops.elementary import sigmoid
from tinygrad_mlp.ops.notation import ATOM, POWER, Notation, call
from tinygrad_mlp.ops.record import Array, Op, answers, value

__all__ = [
    "cbrt",
    "exp2",
    "expm1",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "reciprocal",
    "square",
]

exp2 = Op(
    "exp2",
    np.exp2,
    lambda g, y, x: g * (math.log(2) * y),
    numpy=(np.exp2,),
    notation=Notation("2^<0>", "2^{<0>}", POWER, (ATOM,), latex_slots=(0,)),
    domain=Domain(),
    doc="2 to the power of a number.",
)

expm1 = Op(
    "expm1",
    np.expm1,
    lambda g, y, x: g * np.exp(x),
    numpy=(np.expm1,),
    notation=call("expm1", r"\operatorname{expm1}"),
    domain=Domain(),
    doc="exp(x) - 1, exact near 0.",
)

log1p = Op(
    "log1p",
    np.log1p,
    lambda g, y, x: g / (1.0 + x),
    numpy=(np.log1p,),
    notation=call("log1p", r"\operatorname{log1p}"),
    domain=Domain((Interval(-1.0, math.inf, (-0.8, 4.0)),)),
    doc="log(1 + x), exact near 0.",
)

log2 = Op(
    "log2",
    np.log2,
    lambda g, y, x: g / (math.log(2) * x),
    numpy=(np.log2,),
    notation=call("log2", r"\log_2"),
    domain=Domain((POSITIVE,)),
    doc="The logarithm to base 2.",
)

log10 = Op(
    "log10",
    np.log10,
    lambda g, y, x: g / (math.log(10) * x),
    numpy=(np.log10,),
    notation=call("log10", r"\log_{10}"),
    domain=Domain((POSITIVE,)),
    doc="The logarithm to base 10.",
)

cbrt = Op(
    "cbrt",
    np.cbrt,
    lambda g, y, x: g / (3.0 * y * y),
    numpy=(np.cbrt,),
    notation=Notation("∛<0>", r"\sqrt[3]{<0>}", slots=(ATOM,), latex_slots=(0,)),
    domain=Domain((NONZERO,), analytic=False),
    doc="The cube root, of negative numbers too.",
)

square = Op(
    "square",
    np.square,
    lambda g, y, x: g * (2.0 * x),
    numpy=(np.square,),
    notation=Notation("<0>²", "<0>^2", POWER, (ATOM,)),
    domain=Domain(),
    doc="A number times itself.",
)

reciprocal = Op(
    "reciprocal",
    np.reciprocal,
    lambda g, y, x: -g * y * y,
    numpy=(np.reciprocal,),
    notation=Notation("<0>⁻¹", "<0>^{-1}", POWER, (ATOM,)),
    domain=Domain((NONZERO,)),
    doc="1 divided by a number.",
)

logaddexp = Op(
    "logaddexp",
    np.logaddexp,
    (lambda g, y, a, b: g * sigmoid(a - b), lambda g, y, a, b: g * sigmoid(b - a)),
    numpy=(np.logaddexp,),
    notation=call("logaddexp", r"\operatorname{logaddexp}"),
    domain=Domain(case=broadcasting(2), analytic=False, edges=(Edge((0.0, 1000.0), (0.0, 1.0)),)),
    doc="log(exp(a) + exp(b)), without overflow on the way.",
)

logaddexp2 = Op(
    "logaddexp2",
    np.logaddexp2,
    (
        lambda g, y, a, b: g * sigmoid(math.log(2) * (a - b)),
        lambda g, y, a, b: g * sigmoid(math.log(2) * (b - a)),
    ),
    numpy=(np.logaddexp2,),
    notation=call("logaddexp2", r"\operatorname{logaddexp2}"),
    domain=Domain(case=broadcasting(2), analytic=False),
    doc="log2(2^a + 2^b), without overflow on the way.",
)


@answers(np.float_power)
def float_power(a: Array, b: Array) -> Array:
    """`power` in float64 at least, as NumPy defines it."""
    return power(*(cast(x, np.result_type(x.dtype, np.float64)) for x in (value(a), value(b))))
