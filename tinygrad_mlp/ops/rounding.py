"""What jumps: rounding, remainders, signs of numbers, tests for nan and infinity.

This file knows their records, and `nan_to_num`, which is composed. A step function has slope 0
wherever it has one, so rounding is without a rule: no gradient flows through it, and `grad` gives
zeros. A remainder has slopes between its jumps, and rules for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.ops.domain import NONZERO, REAL, Domain, Edge, broadcasting
from tinygrad_mlp.ops.notation import PRODUCT, Notation, call
from tinygrad_mlp.ops.record import Array, Op, answers, value
from tinygrad_mlp.ops.selection import where

__all__ = [
    "ceil",
    "copysign",
    "floor",
    "floor_divide",
    "fmod",
    "heaviside",
    "isfinite",
    "isinf",
    "isnan",
    "mod",
    "nan_to_num",
    "rint",
    "round_",
    "signbit",
    "trunc",
]

floor = Op(
    "floor",
    np.floor,
    numpy=(np.floor,),
    notation=Notation("⌊<0>⌋", r"\left\lfloor <0> \right\rfloor"),
    doc="The whole number below; constant wherever it is smooth.",
)
ceil = Op(
    "ceil",
    np.ceil,
    numpy=(np.ceil,),
    notation=Notation("⌈<0>⌉", r"\left\lceil <0> \right\rceil"),
    doc="The whole number above; constant wherever it is smooth.",
)
trunc = Op(
    "trunc", np.trunc, numpy=(np.trunc, np.fix), doc="The whole number towards 0; else constant."
)
rint = Op("rint", np.rint, numpy=(np.rint,), doc="The nearest whole number; else constant.")

round_ = Op(
    "round",
    lambda x, decimals=0: np.round(x, decimals),
    bind=lambda x, decimals=0: ((x,), {"decimals": int(decimals)}),
    numpy=(np.round, np.around),
    notation=call("round", r"\operatorname{round}"),
    doc="The nearest number with so many decimals; constant wherever it is smooth.",
)

heaviside = Op(
    "heaviside", np.heaviside, numpy=(np.heaviside,), doc="0 below 0, 1 above, and at 0 the second."
)

floor_divide = Op(
    "floor_divide",
    np.floor_divide,
    numpy=(np.floor_divide,),
    notation=Notation("⌊<0> / <1>⌋", r"\left\lfloor <0> / <1> \right\rfloor", slots=(2, 3)),
    doc="How often b goes into a, rounded down.",
)


def _whole(a: Array, b: Array) -> Array:
    """How far a is from a multiple of b."""
    return np.abs(a / b - np.rint(a / b)) * np.abs(b) / (1 + np.abs(a / b))


mod = Op(
    "mod",
    np.remainder,
    (lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor_divide(a, b)),
    numpy=(np.remainder,),
    notation=Notation("<0> mod <1>", r"<0> \bmod <1>", PRODUCT, (PRODUCT, 3)),
    domain=Domain((REAL, NONZERO), broadcasting(2), kink=_whole, analytic=False),
    doc="What is left of a after taking b away as often as it goes; of the sign of b.",
)

fmod = Op(
    "fmod",
    np.fmod,
    (lambda g, y, a, b: g, lambda g, y, a, b: -g * np.trunc(a / b)),
    numpy=(np.fmod,),
    notation=call("fmod", r"\operatorname{fmod}"),
    domain=Domain((REAL, NONZERO), broadcasting(2), kink=_whole, analytic=False),
    doc="What is left of a after taking b away as often as it goes; of the sign of a.",
)

copysign = Op(
    "copysign",
    np.copysign,
    (lambda g, y, a, b: g * np.sign(a) * np.copysign(1.0, b), None),
    numpy=(np.copysign,),
    notation=call("copysign", r"\operatorname{copysign}"),
    domain=Domain(
        case=broadcasting(2),
        kink=lambda a, b: np.minimum(np.abs(a), np.abs(b)),
        analytic=False,
        edges=(Edge((0.0, 1.0), (0.0, None)),),
    ),
    doc="The size of a with the sign of b; through the sign no gradient flows.",
)

isnan = Op("isnan", np.isnan, numpy=(np.isnan,), doc="Whether entries are no numbers.")
isinf = Op("isinf", np.isinf, numpy=(np.isinf,), doc="Whether entries are infinite.")
isfinite = Op("isfinite", np.isfinite, numpy=(np.isfinite,), doc="Neither infinite nor nan.")
signbit = Op("signbit", np.signbit, numpy=(np.signbit,), doc="Whether the sign is a minus.")


@answers(np.nan_to_num)
def nan_to_num(
    x: Array, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    """Numbers in the place of nan and infinities; no gradient flows to what was replaced."""
    if not copy:
        raise UnsupportedError("np.nan_to_num with copy=False", fix="Leave the option out.")
    x = value(x)
    if x.dtype.kind != "f":
        return x  # every whole number is a number
    top = float(np.finfo(x.dtype).max)
    x = where(isnan(x), nan, x)
    x = where((x > top) & isinf(x), top if posinf is None else posinf, x)
    return where((x < -top) & isinf(x), -top if neginf is None else neginf, x)
