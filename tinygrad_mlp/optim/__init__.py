"""Optimisers: how weights change, by PyTorch's definitions.

Read `optimizer.py` first. This room knows parameters and their gradients; it does not know
where a gradient came from.
"""

from __future__ import annotations

from tinygrad_mlp.optim.optimizer import Group, Optimizer, State, hyper, uses
from tinygrad_mlp.optim.sgd import SGD

__all__ = ["SGD", "Group", "Optimizer", "State", "hyper", "uses"]
