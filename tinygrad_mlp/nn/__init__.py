"""Layers, losses and stacks of them: everything that has parameters, or can stand among them.

Read `module.py` first. This room knows tensors and records; it does not know how weights are
changed (`optim`), where data comes from (`data`) or how training runs (`training`).
"""

from __future__ import annotations

from tinygrad_mlp.nn import init
from tinygrad_mlp.nn.activation import (
    ELU,
    GELU,
    Activation,
    Hardtanh,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from tinygrad_mlp.nn.combine import Concat, Flatten, Identity, Residual
from tinygrad_mlp.nn.containers import ModuleDict, ModuleList
from tinygrad_mlp.nn.dropout import Dropout
from tinygrad_mlp.nn.embedding import Embedding
from tinygrad_mlp.nn.likelihood import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    KLDivLoss,
    NLLLoss,
)
from tinygrad_mlp.nn.linear import Linear
from tinygrad_mlp.nn.loss import MSE, HuberLoss, L1Loss, Loss, MSELoss, SmoothL1Loss
from tinygrad_mlp.nn.mlp import MLP
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.norm import BatchNorm1d, LayerNorm
from tinygrad_mlp.nn.parameter import Buffer, Parameter
from tinygrad_mlp.nn.sequential import Function, Sequential

__all__ = [
    "ELU",
    "GELU",
    "MLP",
    "MSE",
    "Activation",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "Buffer",
    "Concat",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "Function",
    "Hardtanh",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "init",
]
