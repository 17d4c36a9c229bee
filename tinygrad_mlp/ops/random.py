"""Ops that draw random numbers.

This file knows one record, whose one input is not an array but a generator: what it gives
depends on how often the generator was asked before. So a captured step must read the generator
as a cell, and draw anew in every call. No gradient flows through a draw.
"""

from __future__ import annotations

from tinygrad_mlp.ops.notation import call
from tinygrad_mlp.ops.record import Op

__all__ = ["uniform"]

uniform = Op(
    "uniform",
    lambda generator, shape: generator.random(shape),
    notation=call("uniform", parts="<shape>"),
    doc="Numbers uniform on [0, 1), drawn from a generator; float64 whatever the dtype around.",
)
