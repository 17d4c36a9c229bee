"""The mathematics: every op as one record, and what is composed of records.

Derivatives are stated in records and nowhere else. What NumPy calls by a name of its own and is no
op here (`np.median`, `np.tile`) is composed of records, so it has a derivative without a rule.
`methods.py`, `operand.py` and `protocols.py` say how operators, methods and NumPy's functions
become either.

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
from tinygrad_mlp.ops.arranging import (
    moveaxis,
)
from tinygrad_mlp.ops.contraction import (
    einsum,
    tensordot,
)
from tinygrad_mlp.ops.curves import convolve, interp
from tinygrad_mlp.ops.elementary import (
    cos,
    exp,
    log,
    sigmoid,
    sin,
    sqrt,
    tanh,
)
from tinygrad_mlp.ops.exponential import (
    expm1,
    log1p,
    logaddexp,
    reciprocal,
    square,
)
from tinygrad_mlp.ops.indexing import getitem, scatter
from tinygrad_mlp.ops.joining import (
    split,
)
from tinygrad_mlp.ops.losses import (
    bce_with_logits,
    cross_entropy,
    cross_entropy_probs,
    huber,
    mse,
    one_hot,
)
from tinygrad_mlp.ops.nonlinear import (
    elu,
    erf,
    gaussian,
    gelu,
    gelu_tanh,
    leaky_relu,
    silu,
    softplus,
)
from tinygrad_mlp.ops.normalising import (
    layer_norm,
    log_softmax,
    logsumexp,
    softmax,
)
from tinygrad_mlp.ops.operand import (
    Operand,
)
from tinygrad_mlp.ops.ordering import (
    argsort,
    cumprod,
    cumsum,
    diff,
    sort,
    take,
    take_along_axis,
)
from tinygrad_mlp.ops.products import (
    dot,
    linear,
    matmul,
)
from tinygrad_mlp.ops.record import (
    BY_NUMPY,
    READERS,
    REGISTRY,
    Array,
    Attrs,
    Op,
    Rule,
    differentiable_ops,
    scalar,
)
from tinygrad_mlp.ops.reduction import (
    max_,
    mean,
    min_,
    sum_,
)
from tinygrad_mlp.ops.samples import median, quantile
from tinygrad_mlp.ops.selection import (
    clip,
    maximum,
    minimum,
    relu,
    where,
)
from tinygrad_mlp.ops.shaping import broadcast_to, concatenate, reshape, stack, sum_to, transpose
from tinygrad_mlp.ops.statistics import (
    argmax,
    argmin,
    norm,
    prod,
    std,
    var,
)
from tinygrad_mlp.ops.trigonometric import (
    hypot,
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
    "argmax",
    "argmin",
    "argsort",
    "bce_with_logits",
    "broadcast_to",
    "cast",
    "clip",
    "concatenate",
    "constant_power",
    "convolve",
    "cos",
    "cross_entropy",
    "cross_entropy_probs",
    "cumprod",
    "cumsum",
    "diff",
    "differentiable_ops",
    "div",
    "dot",
    "einsum",
    "elu",
    "erf",
    "exp",
    "expm1",
    "gaussian",
    "gelu",
    "gelu_tanh",
    "getitem",
    "huber",
    "hypot",
    "interp",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log",
    "log1p",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "matmul",
    "max_",
    "maximum",
    "mean",
    "median",
    "min_",
    "minimum",
    "moveaxis",
    "mse",
    "mul",
    "neg",
    "norm",
    "one_hot",
    "positive",
    "power",
    "prod",
    "quantile",
    "reciprocal",
    "relu",
    "reshape",
    "scalar",
    "scatter",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "sort",
    "split",
    "sqrt",
    "square",
    "stack",
    "std",
    "sub",
    "sum_",
    "sum_to",
    "take",
    "take_along_axis",
    "tanh",
    "tensordot",
    "transpose",
    "var",
    "where",
]
