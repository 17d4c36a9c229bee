"""What kind of op each one is, as far as a gradient that is lost or too large is concerned.

This file knows all ops by name, and is the only one of the doctor's that does. It states no
derivative: a kind chooses words and where to look. The suite wants a place here for every op
that has a rule, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import math

__all__ = ["BOUNDS", "EDGES", "LAYERS", "LOGITS", "PROBABILITIES", "STEEP", "kind_of"]

_KINDS = {
    # 0 below zero, so that whole units can be dead
    "rectifies": "relu leaky_relu",
    # flat far from zero, on one side at least
    "saturates": (
        "sigmoid tanh softmax log_softmax erf gaussian gelu gelu_tanh silu elu softplus "
        "logaddexp logaddexp2 arctan"
    ),
    # passes some entries on and drops others
    "chooses": "where maximum minimum fmax fmin max min clip getitem copysign",
    # puts several arrays into one, of which a part may go unused
    "joins": "concatenate stack scatter",
    # adds up, or passes on: nothing is lost but by cancelling
    "adds": (
        "add sub neg positive sum mean sum_to broadcast_to cumsum reshape transpose "
        "matrix_transpose cast mod fmod"
    ),
    # multiplies one input by another, which may be 0
    "multiplies": "mul div linear matmul dot einsum",
    # has a lowest point, where it is flat
    "dips": ("mse huber abs square constant_power norm std var hypot cosh"),
    # whatever else: it may be flat at a point, and there is nothing more to say
    "curves": (
        "power exp exp2 expm1 log log2 log10 log1p sqrt cbrt reciprocal sin cos tan arcsin arccos "
        "sinh arcsinh arccosh arctanh nonzero arctan2 sinc deg2rad rad2deg logsumexp standard "
        "layer_norm cross_entropy cross_entropy_probs bce_with_logits"
    ),
}

KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}


def kind_of(op: str) -> str:
    """The kind of an op, by its name; of a user's own as far as the name tells.

    >>> kind_of("tanh"), kind_of("my_relu"), kind_of("mine")
    ('saturates', 'rectifies', 'curves')
    """
    return KIND.get(op) or ("rectifies" if "relu" in op else "curves")


LAYERS = {"linear", "matmul", "dot"}
"""Products that a layer makes of its weights."""

BOUNDS = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "erf": (-1.0, 1.0),
    "relu": (0.0, math.inf), "softplus": (0.0, math.inf),
}  # fmt: skip
"""What a last layer can give, by its op."""

PROBABILITIES = {"sigmoid", "softmax", "log_softmax"}
"""What makes probabilities of logits."""

LOGITS = {
    "softmax", "log_softmax", "logsumexp", "softplus", "cross_entropy", "cross_entropy_probs",
    "bce_with_logits",
}  # fmt: skip
"""What is meant for logits."""

STEEP = {
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "div", "reciprocal", "sqrt", "cbrt",
    "power", "tan", "arcsin", "arccos", "arccosh", "arctanh",
}  # fmt: skip
"""What is steep somewhere."""

EDGES = {
    "sqrt": "> 0", "log": "> 0", "log2": "> 0", "log10": "> 0", "constant_power": "> 0",
    "power": "> 0", "div": "!= 0", "reciprocal": "!= 0",
}  # fmt: skip
"""What has an edge, and the condition that keeps away from it."""
