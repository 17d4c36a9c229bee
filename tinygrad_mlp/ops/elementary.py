"""Functions of one number, applied to every entry: exp, log, sin and their like.

This file knows their records. What is smooth everywhere it is defined lives here; what has
kinks lives in `selection.py`.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.ops.domain import POSITIVE, Domain, Edge
from tinygrad_mlp.ops.notation import ANY, ATOM, Notation, call
from tinygrad_mlp.ops.record import Array, Op

__all__ = ["cos", "exp", "log", "sigmoid", "sin", "sqrt", "tanh"]

exp = Op(
    "exp",
    np.exp,
    lambda g, y, x: g * y,
    numpy=(np.exp,),
    notation=call("exp", r"\exp"),
    domain=Domain(),
    doc="The exponential function.",
)

log = Op(
    "log",
    np.log,
    lambda g, y, x: g / x,
    numpy=(np.log,),
    notation=call("log", r"\log"),
    domain=Domain((POSITIVE,)),
    doc="The natural logarithm.",
)

sqrt = Op(
    "sqrt",
    np.sqrt,
    lambda g, y, x: g / (2.0 * y),
    numpy=(np.sqrt,),
    notation=Notation("√<0>", r"\sqrt{<0>}", slots=(ATOM,), latex_slots=(ANY,)),
    domain=Domain((POSITIVE,)),
    doc="The square root.",
)

sin = Op(
    "sin",
    np.sin,
    lambda g, y, x: g * np.cos(x),
    numpy=(np.sin,),
    notation=call("sin", r"\sin"),
    domain=Domain(),
    doc="The sine.",
)

cos = Op(
    "cos",
    np.cos,
    lambda g, y, x: -g * np.sin(x),
    numpy=(np.cos,),
    notation=call("cos", r"\cos"),
    domain=Domain(),
    doc="The cosine.",
)

tanh = Op(
    "tanh",
    np.tanh,
    lambda g, y, x: g * (1.0 - y * y),
    numpy=(np.tanh,),
    notation=call("tanh", r"\tanh"),
    domain=Domain(edges=(Edge((1000.0,), (0.0,)), Edge((-1000.0,), (0.0,)))),
    doc="The hyperbolic tangent.",
)

_exp, _minimum = np.exp, np.minimum  # looked up once: a name in NumPy costs 25 ns each time

# By NumPy's letter for the dtype: beyond what exp overflows, where a sigmoid has long been 1; and
# 1. NumPy adds an array of the same dtype in two thirds of the time that it takes over a float.
_LARGEST_EXPONENT_AND_ONE = {
    char: (np.array(largest, char), np.array(1.0, char))
    for char, largest in (("e", 11.0), ("f", 88.0), ("d", 709.0))
}


def sigmoid_forward(x: Array) -> Array:
    """``e / (1 + e)`` with ``e = exp(x)`` held below overflow: 2 ulp everywhere, no warning."""
    largest, one = _LARGEST_EXPONENT_AND_ONE.get(x.dtype.char, (709.0, 1.0))
    e = _exp(_minimum(x, largest))
    return e / (one + e)


sigmoid = Op(
    "sigmoid",
    sigmoid_forward,
    lambda g, y, x: g * y * (1.0 - y),
    notation=call("σ", r"\sigma"),
    domain=Domain(edges=(Edge((1000.0,), (0.0,)), Edge((0.0,), (0.25,)))),
    same_as=lambda x: 1.0 / (1.0 + np.exp(-x)),
    doc="The logistic function; its slope needs only its output.",
)
