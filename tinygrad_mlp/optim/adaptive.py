"""RMSprop, Adam and AdamW: methods that give every number its own step.

This file knows them by PyTorch's definitions. All that they remember, the count of steps too,
is in their state; they branch on no value, so a step can be compiled.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.optim.groups import Ranges
from tinygrad_mlp.optim.optimizer import Group, Optimizer, State, hyper

__all__ = ["Adam", "AdamW", "RMSprop"]


class RMSprop(Optimizer):
    """Divides each step by a running root mean square of the gradients.

    ``s ← α s + (1 - α) g²``; ``p ← p - lr · g / (√s + ε)``. Centred, the variance takes the
    place of the mean square; with momentum, ``b ← μ b + g / (√s + ε)`` takes that of the quotient.

    Source: Hinton, "Neural networks for machine learning", lecture 6e (2012); the centred form
    is of Graves, "Generating sequences with recurrent neural networks" (2013).

    Args:
        params: Parameters or groups of them.
        lr: The learning rate.
        alpha: α, how slowly the mean square follows.
        eps: ε.
        weight_decay: Adds ``weight_decay · p`` to the gradient.
        momentum: μ.
        centered: Use the variance.

    Raises:
        UsageError: If a number is negative or not finite, or α or μ is 1 or more.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.1, alpha=0.0, eps=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.9])
    """

    ranges: ClassVar[Ranges] = {
        "lr": (math.inf, "0.01"),
        "alpha": (1.0, "0.99"),
        "eps": (math.inf, "1e-8"),
        "weight_decay": (math.inf, "0.0001"),
        "momentum": (1.0, "0.9"),
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
        )

    def init(self, p: Array, group: Group) -> State:
        """The running mean square, and what else the settings ask for."""
        state = {"step": np.zeros((), np.float32), "square_avg": np.zeros_like(p)}
        if group.centered:
            state["grad_avg"] = np.zeros_like(p)
        if group.momentum:
            state["momentum_buffer"] = np.zeros_like(p)
        return state

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        if group.weight_decay:
            g = g + hyper(group, "weight_decay") * p
        alpha = hyper(group, "alpha")
        s = alpha * state["square_avg"] + (1 - alpha) * (g * g)
        new = {"step": state["step"] + 1, "square_avg": s}  # PyTorch keeps the count too
        if group.centered:
            new["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            s = s - new["grad_avg"] * new["grad_avg"]
        step = g / (np.sqrt(s) + hyper(group, "eps"))
        if group.momentum:
            step = hyper(group, "momentum") * state["momentum_buffer"] + step
            new["momentum_buffer"] = step
        return p - hyper(group, "lr") * step, new


class Adam(Optimizer):
    """Follows a running mean of gradients, divided by a running root mean square of them.

    ``m ← β₁ m + (1 - β₁) g``; ``v ← β₂ v + (1 - β₂) g²``; with ``m̂ = m / (1 - β₁ᵗ)`` and
    ``v̂ = v / (1 - β₂ᵗ)`` at step t, ``p ← p - lr · m̂ / (√v̂ + ε)``.

    Source: Kingma, Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; with
    `amsgrad`, Reddi, Kale, Kumar, "On the convergence of Adam and beyond" (2018), algorithm 2,
    as PyTorch has it.

    Args:
        params: Parameters or groups of them.
        lr: The learning rate.
        betas: β₁ and β₂.
        eps: ε.
        weight_decay: Adds ``weight_decay · p`` to the gradient.
        amsgrad: Divide by the largest ``v`` so far.

    Raises:
        UsageError: If a number is negative or not finite, or a β is 1 or more.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1, eps=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(12)
    array([0.9])
    """

    decoupled = False
    """Whether weight decay shrinks the weights themselves, not by way of the gradient."""

    ranges: ClassVar[Ranges] = {
        "lr": (math.inf, "0.001"),
        "betas": (1.0, "(0.9, 0.999)"),
        "eps": (math.inf, "1e-8"),
        "weight_decay": (math.inf, "0.01"),
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad
        )

    def init(self, p: Array, group: Group) -> State:
        """The two running means and the count of steps."""
        state = {
            "step": np.zeros((), np.float32),
            "exp_avg": np.zeros_like(p),
            "exp_avg_sq": np.zeros_like(p),
        }
        if group.amsgrad:
            state["max_exp_avg_sq"] = np.zeros_like(p)
        return state

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        beta1, beta2 = group.betas
        lr = hyper(group, "lr")
        if group.weight_decay:
            if self.decoupled:
                p = p * (1 - lr * hyper(group, "weight_decay"))
            else:
                g = g + hyper(group, "weight_decay") * p
        t = state["step"] + 1
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
        new = {"step": t, "exp_avg": m, "exp_avg_sq": v}
        if group.amsgrad:
            v = new["max_exp_avg_sq"] = np.maximum(state["max_exp_avg_sq"], v)
        # In full precision, since the corrections are near 0 or 1. np.power, not **: for single
        # numbers the two may differ in the last bit, and a program cannot tell them from arrays.
        count = t.astype(np.float64)
        correction1 = (1 - np.power(beta1, count)).astype(p.dtype)
        correction2 = np.sqrt(1 - np.power(beta2, count)).astype(p.dtype)
        step = (m / correction1) / (np.sqrt(v) / correction2 + hyper(group, "eps"))
        return p - lr * step, new


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights themselves: ``p ← p - lr · λ · p`` first.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019), algorithm 2.

    Args:
        params, lr, betas, eps, amsgrad: As for `Adam`.
        weight_decay: λ, 0.01 by default.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, eps=0.0, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(12)
    array([0.85])
    """

    decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
