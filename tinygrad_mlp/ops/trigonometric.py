"""Angles and hyperbolas: tan, the inverse functions, sinh and cosh, atan2, hypot, sinc.

This file knows their records; sin, cos and tanh are in `elementary.py`. Slopes are written so
that nothing overflows on the way to a small result: ``1 + x²`` is taken as ``hypot(1, x)²``.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_mlp.ops.domain import NONZERO, UNIT, Domain, Edge, Interval, broadcasting
from tinygrad_mlp.ops.notation import ATOM, PRODUCT, Notation, call
from tinygrad_mlp.ops.record import Array, Op

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cosh",
    "deg2rad",
    "hypot",
    "nonzero",
    "rad2deg",
    "sinc",
    "sinh",
    "tan",
]

tan = Op(
    "tan",
    np.tan,
    lambda g, y, x: g * (1.0 + y * y),
    numpy=(np.tan,),
    notation=call("tan", r"\tan"),
    domain=Domain((Interval(typical=(-1.2, 1.2)),)),
    doc="The tangent.",
)

arcsin = Op(
    "arcsin",
    np.arcsin,
    lambda g, y, x: g / np.sqrt((1.0 - x) * (1.0 + x)),
    numpy=(np.arcsin,),
    notation=call("arcsin", r"\arcsin"),
    domain=Domain((UNIT,)),
    doc="The inverse of the sine, from -π/2 to π/2.",
)

arccos = Op(
    "arccos",
    np.arccos,
    lambda g, y, x: -g / np.sqrt((1.0 - x) * (1.0 + x)),
    numpy=(np.arccos,),
    notation=call("arccos", r"\arccos"),
    domain=Domain((UNIT,)),
    doc="The inverse of the cosine, from 0 to π.",
)

arctan = Op(
    "arctan",
    np.arctan,
    lambda g, y, x: g / np.hypot(1.0, x) / np.hypot(1.0, x),
    numpy=(np.arctan,),
    notation=call("arctan", r"\arctan"),
    domain=Domain(analytic=False, edges=(Edge((1e200,), (0.0,)),)),
    doc="The inverse of the tangent, from -π/2 to π/2.",
)

sinh = Op(
    "sinh",
    np.sinh,
    lambda g, y, x: g * np.cosh(x),
    numpy=(np.sinh,),
    notation=call("sinh", r"\sinh"),
    domain=Domain(),
    doc="The hyperbolic sine.",
)

cosh = Op(
    "cosh",
    np.cosh,
    lambda g, y, x: g * np.sinh(x),
    numpy=(np.cosh,),
    notation=call("cosh", r"\cosh"),
    domain=Domain(),
    doc="The hyperbolic cosine.",
)

arcsinh = Op(
    "arcsinh",
    np.arcsinh,
    lambda g, y, x: g / np.hypot(1.0, x),
    numpy=(np.arcsinh,),
    notation=call("arsinh", r"\operatorname{arsinh}"),
    domain=Domain(analytic=False),
    doc="The inverse of the hyperbolic sine.",
)

arccosh = Op(
    "arccosh",
    np.arccosh,
    lambda g, y, x: g / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0)),
    numpy=(np.arccosh,),
    notation=call("arcosh", r"\operatorname{arcosh}"),
    domain=Domain((Interval(1.0, math.inf, (1.2, 4.0)),), analytic=False),
    doc="The inverse of the hyperbolic cosine, for numbers from 1.",
)

arctanh = Op(
    "arctanh",
    np.arctanh,
    lambda g, y, x: g / ((1.0 - x) * (1.0 + x)),
    numpy=(np.arctanh,),
    notation=call("artanh", r"\operatorname{artanh}"),
    domain=Domain((UNIT,)),
    doc="The inverse of the hyperbolic tangent, for numbers between -1 and 1.",
)


# Written as x itself: it only says that 0 / 0 is taken to be 0, and so is every slope of it.
nonzero = Op(
    "nonzero",
    lambda x: np.where(x == 0, math.inf, x),
    lambda g, y, x: np.where(x == 0, 0, g),
    notation=Notation("<0>", "<0>", ATOM, (ATOM,)),
    domain=Domain((NONZERO,)),
    doc="A length to divide by: infinity in the place of 0, so that the quotient is 0 there.",
)

# At the origin every direction is as good as any other: the gradient is taken to be 0.
hypot = Op(
    "hypot",
    np.hypot,
    (lambda g, y, a, b: g * (a / nonzero(y)), lambda g, y, a, b: g * (b / nonzero(y))),
    numpy=(np.hypot,),
    notation=Notation("√(<0>² + <1>²)", r"\sqrt{<0>^2 + <1>^2}", slots=(ATOM, ATOM)),
    domain=Domain(
        case=broadcasting(2),
        kink=lambda a, b: np.hypot(a, b) * 0.05,
        analytic=False,
        edges=(Edge((0.0, 0.0), (0.0, 0.0)),),
    ),
    doc="The length of the hypotenuse of a right triangle, without overflow on the way.",
)

arctan2 = Op(
    "arctan2",
    np.arctan2,
    (
        lambda g, y, a, b: g * (b / nonzero(np.hypot(a, b))) / nonzero(np.hypot(a, b)),
        lambda g, y, a, b: -g * (a / nonzero(np.hypot(a, b))) / nonzero(np.hypot(a, b)),
    ),
    numpy=(np.arctan2,),
    notation=call("atan2", r"\operatorname{atan2}"),
    domain=Domain(
        case=broadcasting(2),
        kink=lambda a, b: np.hypot(a, np.maximum(b, 0)) * 0.05,
        analytic=False,
        edges=(Edge((0.0, 0.0), (0.0, 0.0)),),
    ),
    doc="The angle of the point (b, a), from -π to π.",
)


def sinc_slope(g: Array, y: Array, x: Array) -> Array:
    """``(cos πx - sinc x) / x``, and its series near 0, where the difference has no digits."""
    near = np.abs(x) < 0.01
    z = np.where(near, math.pi * x, 0.0)
    series = -math.pi / 3 * z * (1.0 - np.square(z) / 10 * (1.0 - np.square(z) / 28))
    return g * np.where(near, series, (np.cos(math.pi * x) - y) / np.where(near, 1.0, x))


sinc = Op(
    "sinc",
    np.sinc,
    sinc_slope,
    numpy=(np.sinc,),
    notation=call("sinc", r"\operatorname{sinc}"),
    domain=Domain(analytic=False, edges=(Edge((0.0,), (0.0,)),)),
    doc="sin(πx) / (πx), and 1 at 0.",
)

deg2rad = Op(
    "deg2rad",
    np.deg2rad,
    lambda g, y, x: g * (math.pi / 180),
    numpy=(np.deg2rad, np.radians),
    notation=Notation("<0>°", r"<0>^{\circ}", PRODUCT, (ATOM,)),
    domain=Domain(analytic=False),
    doc="Degrees as radians.",
)

rad2deg = Op(
    "rad2deg",
    np.rad2deg,
    lambda g, y, x: g * (180 / math.pi),
    numpy=(np.rad2deg, np.degrees),
    notation=call("degrees", r"\operatorname{degrees}"),
    domain=Domain(analytic=False),
    doc="Radians as degrees.",
)
