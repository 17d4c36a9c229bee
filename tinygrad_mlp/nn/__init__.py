"""Layers, losses and stacks of them: everything that has parameters, or can stand among them.

Read `module.py` first. This room knows tensors and records; it does not know how weights are
changed (`optim`), where data comes from (`data`) or how training runs (`training`).
"""

from __future__ import annotations

from tinygrad_mlp.nn import init
from tinygrad_mlp.nn.activation import Activation, ReLU, Sigmoid, Tanh
from tinygrad_mlp.nn.linear import Linear
from tinygrad_mlp.nn.loss import MSE, Loss, MSELoss
from tinygrad_mlp.nn.mlp import MLP
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.parameter import Buffer, Parameter
from tinygrad_mlp.nn.sequential import Function, Sequential

__all__ = [
    "MLP",
    "MSE",
    "Activation",
    "Buffer",
    "Function",
    "Linear",
    "Loss",
    "MSELoss",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "init",
]
