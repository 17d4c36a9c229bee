"""tinygrad_mlp: backpropagation to learn from, teach with and build on.

A `Tensor` remembers how it was computed. Each op is one record that states its derivative
once; what that rule gives depends on what it is handed: numbers, a graph, a formula, a line of
source. Start with ``help(tinygrad_mlp.Tensor)`` and ``tinygrad_mlp.ops``.

This file knows where the public names live. Rooms that only look at a graph (pictures,
explanations, the compiler, files) are imported when one of their names is first used.
"""

from __future__ import annotations

import importlib
import typing

from tinygrad_mlp.autodiff import enable_grad, no_grad
from tinygrad_mlp.ops.define import define_op
from tinygrad_mlp.tensor import Tensor, tensor
from tinygrad_mlp.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__version__ = "0.1.0"

_LAZY: dict[str, str] = {
    "Drawing": "viz",
    "Explanation": "viz",
    "History": "training",
    "Parameter": "nn",
    "Player": "viz",
    "backward_steps": "steps",
    "compile": "program",
    "data": "data",
    "detect_anomaly": "doctor",
    "draw": "viz",
    "evaluate": "training",
    "explain": "viz",
    "fit": "training",
    "forward_steps": "steps",
    "functional": "functional",
    "load": "serialization",
    "nn": "nn",
    "optim": "optim",
    "player": "viz",
    "preflight": "doctor",
    "save": "serialization",
    "testing": "testing",
    "training": "training",
    "why": "doctor",
}

__all__ = [
    "Drawing",
    "Explanation",
    "History",
    "Parameter",
    "Player",
    "Tensor",
    "backward_steps",
    "compile",
    "data",
    "define_op",
    "detect_anomaly",
    "draw",
    "enable_grad",
    "evaluate",
    "explain",
    "fit",
    "forward_steps",
    "functional",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "load",
    "nn",
    "no_grad",
    "optim",
    "player",
    "preflight",
    "save",
    "tensor",
    "testing",
    "training",
    "value_and_grad",
    "vjp",
    "why",
]


def __getattr__(name: str) -> typing.Any:
    room = _LAZY.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{room}")
    value = module if room == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
