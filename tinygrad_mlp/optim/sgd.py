"""SGD: gradient descent, with momentum if wanted.

This file knows one method, by PyTorch's definitions.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import Array, scalar
from tinygrad_mlp.optim.groups import Ranges
from tinygrad_mlp.optim.optimizer import Group, Optimizer, State, hyper

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent: ``p ← p - lr · g``.

    With momentum μ and dampening τ the step follows a running sum ``b`` of gradients:
    ``b ← μ b + (1 - τ) g``, the first time ``b ← g``; then ``p ← p - lr · b``, or with
    Nesterov's variant ``p ← p - lr · (g + μ b)``. Weight decay λ adds ``λ p`` to ``g`` first.

    Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum
    in deep learning" (2013), in the form of PyTorch's documentation.

    Args:
        params: Parameters or groups of them.
        lr: The learning rate.
        momentum: μ.
        dampening: τ.
        weight_decay: λ.
        nesterov: Look ahead; needs momentum and no dampening.

    Raises:
        UsageError: If a number is out of its range: lr and weight decay are finite and not
            negative, momentum is from 0 to below 1.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.8])
    """

    ranges: ClassVar[Ranges] = {
        "lr": (math.inf, "0.01"),
        "momentum": (1.0, "0.9"),
        "weight_decay": (math.inf, "0.0001"),
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise UsageError(
                f"SGD with nesterov=True, momentum={momentum}, dampening={dampening}",
                why="looking ahead needs momentum and no dampening",
                fix="Write SGD(params, lr, momentum=0.9, nesterov=True).",
            )
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def init(self, p: Array, group: Group) -> State:
        """The running sum of gradients, and the count of steps where the first one is special."""
        if not group.momentum:
            return {}
        if not group.dampening:
            return {"momentum_buffer": np.zeros_like(p)}
        return {"momentum_buffer": np.zeros_like(p), "step": np.zeros((), p.dtype)}

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        if group.weight_decay:
            g = g + hyper(group, "weight_decay") * p
        if not group.momentum:
            return p - scalar(hyper(group, "lr"), g) * g, state
        momentum = hyper(group, "momentum")
        new = {"momentum_buffer": momentum * state["momentum_buffer"] + g}
        if "step" in state:  # dampening does not hold for the first gradient
            damped = new["momentum_buffer"] - hyper(group, "dampening") * g
            new["momentum_buffer"] = np.where(state["step"] == 0, g, damped)
            new["step"] = state["step"] + 1
        b = new["momentum_buffer"]
        return p - hyper(group, "lr") * (g + momentum * b if group.nesterov else b), new
