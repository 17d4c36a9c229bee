"""The mathematics: every op as one record, and nothing else.

This room knows NumPy. It knows no tensor, no graph and no other room of the package (but the
exceptions). Read `record.py` first: it says what a record is and who reads it.
"""

from __future__ import annotations

from tinygrad_mlp.ops.arithmetic import (
    abs_,
    add,
    cast,
    constant_power,
    div,
    mul,
    neg,
    positive,
    power,
    sign,
    sub,
)
from tinygrad_mlp.ops.elementary import cos, exp, log, sigmoid, sin, sqrt, tanh
from tinygrad_mlp.ops.losses import mse
from tinygrad_mlp.ops.operand import Operand
from tinygrad_mlp.ops.products import dot, linear, matmul
from tinygrad_mlp.ops.record import (
    BY_NUMPY,
    READERS,
    REGISTRY,
    Array,
    Attrs,
    Op,
    Rule,
    differentiable_ops,
)
from tinygrad_mlp.ops.reduction import max_, mean, min_, sum_
from tinygrad_mlp.ops.selection import maximum, minimum, relu, where
from tinygrad_mlp.ops.shaping import (
    broadcast_to,
    concatenate,
    getitem,
    reshape,
    scatter,
    stack,
    sum_to,
    transpose,
)

__all__ = [
    "BY_NUMPY",
    "READERS",
    "REGISTRY",
    "Array",
    "Attrs",
    "Op",
    "Operand",
    "Rule",
    "abs_",
    "add",
    "broadcast_to",
    "cast",
    "concatenate",
    "constant_power",
    "cos",
    "differentiable_ops",
    "div",
    "dot",
    "exp",
    "getitem",
    "linear",
    "log",
    "matmul",
    "max_",
    "maximum",
    "mean",
    "min_",
    "minimum",
    "mse",
    "mul",
    "neg",
    "positive",
    "power",
    "relu",
    "reshape",
    "scatter",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "stack",
    "sub",
    "sum_",
    "sum_to",
    "tanh",
    "transpose",
    "where",
]
