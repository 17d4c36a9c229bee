"""Optimisers: how weights change, by PyTorch's definitions.

Read `optimizer.py` first. This room knows parameters and their gradients; it does not know
where a gradient came from.
"""

from __future__ import annotations

from tinygrad_mlp.optim.adaptive import Adam, AdamW, RMSprop
from tinygrad_mlp.optim.clipping import clip_grad_norm_, clip_grad_value_
from tinygrad_mlp.optim.optimizer import Group, Optimizer, State, hyper
from tinygrad_mlp.optim.schedules import Schedule, constant, cosine, step_decay, warm_up
from tinygrad_mlp.optim.sgd import SGD
from tinygrad_mlp.optim.variants import Adagrad, Lion, NAdam, RAdam

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Group",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Schedule",
    "State",
    "clip_grad_norm_",
    "clip_grad_value_",
    "constant",
    "cosine",
    "hyper",
    "step_decay",
    "warm_up",
]
