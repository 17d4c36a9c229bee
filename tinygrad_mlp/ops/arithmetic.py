"""The four operations, powers and the sign: what a school book calls arithmetic.

This file knows these records and nothing of the other ops.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.ops.domain import (
    NONZERO,
    POSITIVE,
    REAL,
    Domain,
    Edge,
    broadcasting,
)
from tinygrad_mlp.ops.notation import ATOM, POWER, PRODUCT, SUM, Notation, infix
from tinygrad_mlp.ops.record import Array, Op

__all__ = [
    "abs_",
    "add",
    "cast",
    "constant_power",
    "copy",
    "div",
    "mul",
    "neg",
    "positive",
    "power",
    "sign",
    "sub",
]

TWO = broadcasting(2)

add = Op(
    "add",
    np.add,
    (lambda g, y, a, b: g, lambda g, y, a, b: g),
    numpy=(np.add,),
    notation=infix("+"),
    domain=Domain(case=TWO),
    doc="The sum of two arrays, entry by entry.",
)

sub = Op(
    "sub",
    np.subtract,
    (lambda g, y, a, b: g, lambda g, y, a, b: -g),
    numpy=(np.subtract,),
    notation=infix("−", "-", SUM, (SUM, PRODUCT)),
    domain=Domain(case=TWO),
    doc="The difference of two arrays, entry by entry.",
)

mul = Op(
    "mul",
    np.multiply,
    (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    numpy=(np.multiply,),
    notation=Notation("<0> <1>", r"<0>\,<1>", PRODUCT, (PRODUCT,)),
    domain=Domain(case=TWO),
    doc="The product of two arrays, entry by entry.",
)

div = Op(
    "div",
    np.divide,
    (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b),
    numpy=(np.divide,),
    notation=Notation(
        "<0> / <1>", r"\frac{<0>}{<1>}", PRODUCT, (PRODUCT, POWER), latex_slots=(0, 0)
    ),
    domain=Domain((REAL, NONZERO), TWO),
    doc="The quotient of two arrays, entry by entry.",
)

neg = Op(
    "neg",
    np.negative,
    lambda g, y, x: -g,
    numpy=(np.negative,),
    notation=Notation("−<0>", "-<0>", PRODUCT, (PRODUCT,)),
    domain=Domain(),
    doc="The negative of an array.",
)

positive = Op(
    "positive",
    np.positive,
    lambda g, y, x: g,
    numpy=(np.positive,),
    notation=Notation("<0>", "<0>", ATOM, (ATOM,)),
    domain=Domain(),
    doc="The same numbers, as another value.",
)


def copy(x: Array) -> Array:
    """`positive`, which NumPy does not have for truth values."""
    return x if x.dtype.kind == "b" else positive(x)


def power_base(g: Array, y: Array, a: Array, b: Array) -> Array:
    """The slope ``b a^(b-1)``; at a = b = 0 it is 0, where the formula would say 0 · 1/0."""
    return g * (b * a ** np.where((a == 0) & (b == 0), 1.0, b - 1))


def power_exponent(g: Array, y: Array, a: Array, b: Array) -> Array:
    """The slope ``a^b log a``; at a = 0 it is 0 for every b that the power allows there."""
    return g * (y * np.log(np.where((a == 0) & (b >= 0), 1.0, a)))


power = Op(
    "power",
    np.power,
    (power_base, power_exponent),
    numpy=(np.power,),
    notation=Notation("<0>^<1>", "{<0>}^{<1>}", POWER, (ATOM, ATOM), latex_slots=(ATOM, 0)),
    domain=Domain(
        (POSITIVE, REAL),
        TWO,
        edges=(Edge((0.0, 2.0), (0.0, 0.0)), Edge((0.0, 0.0), (0.0, 0.0))),
    ),
    doc="One array to the power of another, entry by entry.",
)


def _constant_power_text(attrs: object, shapes: object) -> str:
    n = attrs["n"]  # type: ignore[index]
    return "1" if n == 0 else "<0>" if n == 1 else "<0>²" if n == 2 else "<0>^<n>"


def _constant_power_latex(attrs: object, shapes: object) -> str:
    n = attrs["n"]  # type: ignore[index]
    return "1" if n == 0 else "<0>" if n == 1 else "{<0>}^{<n>}"


constant_power = Op(
    "constant_power",
    lambda x, n: x**n,
    lambda g, y, x, n: g * (n * x ** (n - 1)) if n else g * 0.0,
    notation=Notation(_constant_power_text, _constant_power_latex, POWER, (ATOM,)),
    domain=Domain(
        (POSITIVE,),
        lambda pick: ((pick(((), (3,), (2, 3), (0,))),), {"n": pick((2, 0, 1, 3, -1, 0.5, -2.5))}),
    ),
    doc="An array to the power of a number that is no input: the exponent has no gradient.",
)

# The slope of |x| and of sign(x) at 0 is taken to be 0, as in the rest of the field.
sign = Op("sign", np.sign, numpy=(np.sign,), doc="-1, 0 or 1; constant wherever it is smooth.")

abs_ = Op(
    "abs",
    np.abs,
    lambda g, y, x: g * np.sign(x),
    numpy=(np.abs, np.fabs),
    notation=Notation("|<0>|", r"\left|<0>\right|"),
    domain=Domain(kink=np.abs, analytic=False, edges=(Edge((0.0,), (0.0,)),)),
    doc="The absolute value.",
)

cast = Op(
    "cast",
    lambda x, dtype: x.astype(dtype),
    lambda g, y, x, dtype: g,
    bind=lambda x, dtype: ((x,), {"dtype": np.dtype(dtype)}),
    notation=Notation("<0>", "<0>", ATOM, (ATOM,)),
    domain=Domain(
        case=lambda pick: ((pick(((), (3,), (2, 3))),), {"dtype": np.dtype(np.float64)}),
        analytic=False,
    ),
    doc="The same numbers in another dtype; the engine casts the gradient back.",
)
