"""Adagrad, NAdam, RAdam and Lion: relatives of RMSprop and Adam.

This file knows them by PyTorch's definitions, and Lion, which PyTorch has not, by its paper. As in
`adaptive.py`, the count of steps is part of the state, and no method branches on a value.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.optim.groups import Ranges
from tinygrad_mlp.optim.optimizer import Group, Optimizer, State, hyper

__all__ = ["Adagrad", "Lion", "NAdam", "RAdam"]


class Adagrad(Optimizer):
    """Divides each step by the root of the sum of all squared gradients so far.

    ``s ← s + g²``; ``p ← p - lr / (1 + (t - 1) η) · g / (√s + ε)`` at step t.

    Source: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization" (2011), the diagonal form, as PyTorch has it.

    Args:
        params: Parameters or groups of them.
        lr: The learning rate.
        lr_decay: η.
        weight_decay: Adds ``weight_decay · p`` to the gradient.
        initial_accumulator_value: What the sum begins with.
        eps: ε.

    Raises:
        UsageError: If a number is negative or not finite.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(8)
    array([0.9])
    """

    ranges: ClassVar[Ranges] = {
        "lr": (math.inf, "0.01"),
        "lr_decay": (math.inf, "0.0"),
        "weight_decay": (math.inf, "0.0001"),
        "initial_accumulator_value": (math.inf, "0.0"),
        "eps": (math.inf, "1e-10"),
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )

    def init(self, p: Array, group: Group) -> State:
        """The sum of squares and the count of steps."""
        begin = np.full_like(p, group.initial_accumulator_value)
        return {"step": np.zeros((), np.float32), "sum": begin}

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        if group.weight_decay:
            g = g + hyper(group, "weight_decay") * p
        s = state["sum"] + g * g
        step = g / (np.sqrt(s) + hyper(group, "eps"))
        new = {"step": state["step"] + 1, "sum": s}
        if group.lr_decay:
            slower = 1 + state["step"].astype(np.float64) * hyper(group, "lr_decay")
            step = step / slower.astype(p.dtype)
        return p - hyper(group, "lr") * step, new


class NAdam(Optimizer):
    """Adam that looks ahead, as Nesterov's momentum does.

    ``m`` and ``v`` as in `Adam`. With ``μₜ = β₁ (1 - ½ 0.96^(t ψ))`` and the product ``Πₜ`` of all
    of them so far, ``p ← p - lr · ((1 - μₜ) / (1 - Πₜ) g + μₜ₊₁ / (1 - Πₜ₊₁) m) / (√v̂ + ε)``.

    Source: Dozat, "Incorporating Nesterov momentum into Adam" (2016), algorithm 2, as PyTorch
    has it.

    Args:
        params: Parameters or groups of them.
        lr: The learning rate.
        betas: β₁ and β₂.
        eps: ε.
        weight_decay: λ, adds ``λ p`` to the gradient.
        momentum_decay: ψ.
        decoupled_weight_decay: Let λ shrink the weights themselves, as in `AdamW`.

    Raises:
        UsageError: If a number is negative or not finite, or a β is 1 or more.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> bool(0.8 < w.item() < 1)
    True
    """

    ranges: ClassVar[Ranges] = {
        "lr": (math.inf, "0.002"),
        "betas": (1.0, "(0.9, 0.999)"),
        "eps": (math.inf, "1e-8"),
        "weight_decay": (math.inf, "0.01"),
        "momentum_decay": (math.inf, "0.004"),
    }

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=tuple(betas),
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def init(self, p: Array, group: Group) -> State:
        """The two running means, the count of steps and the product of all μ."""
        return {
            "step": np.zeros((), np.float32),
            "mu_product": np.ones((), np.float32),
            "exp_avg": np.zeros_like(p),
            "exp_avg_sq": np.zeros_like(p),
        }

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        beta1, beta2 = group.betas
        lr, decay = hyper(group, "lr"), hyper(group, "momentum_decay")
        p, g = _decayed(p, g, group)
        t = state["step"] + 1
        count = t.astype(np.float64)
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
        now = beta1 * (1 - 0.5 * np.power(0.96, count * decay))
        later = beta1 * (1 - 0.5 * np.power(0.96, (count + 1) * decay))
        kept = state["mu_product"] * now.astype(np.float32)  # PyTorch keeps so many digits
        product = kept.astype(np.float64)
        root = np.sqrt(1 - np.power(beta2, count)).astype(p.dtype)
        present = ((1 - now) / (1 - product)).astype(p.dtype)
        ahead = (later / (1 - product * later)).astype(p.dtype)
        step = (present * g + ahead * m) / (np.sqrt(v) / root + hyper(group, "eps"))
        return p - lr * step, {"step": t, "mu_product": kept, "exp_avg": m, "exp_avg_sq": v}


def _decayed(p: Array, g: Array, group: Group) -> tuple[Array, Array]:
    """Weight decay: of the weights themselves, or by way of the gradient."""
    if not group.weight_decay:
        return p, g
    decay = hyper(group, "weight_decay")
    if group.decoupled_weight_decay:
        return p * (1 - hyper(group, "lr") * decay), g
    return p, g + decay * p


class RAdam(Optimizer):
    """Adam without its uncertain first steps: those are plain steps with momentum.

    ``m`` and ``v`` as in `Adam`. With ``ρ∞ = 2 / (1 - β₂) - 1`` and
    ``ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)``: while ``ρ ≤ 5``, ``p ← p - lr · m̂``; then
    ``p ← p - lr · r m̂ √(1 - β₂ᵗ) / (√v + ε)``, with
    ``r² = (ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ)``.

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond" (2020),
    algorithm 2, as PyTorch has it.

    Args:
        params: Parameters or groups of them.
        lr: The learning rate.
        betas: β₁ and β₂.
        eps: ε.
        weight_decay: λ, adds ``λ p`` to the gradient.
        decoupled_weight_decay: Let λ shrink the weights themselves, as in `AdamW`.

    Raises:
        UsageError: If a number is negative or not finite, or a β is 1 or more.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(12)
    array([0.8])
    """

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
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=tuple(betas),
            eps=eps,
            weight_decay=weight_decay,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def init(self, p: Array, group: Group) -> State:
        """The two running means and the count of steps."""
        return {
            "step": np.zeros((), np.float32),
            "exp_avg": np.zeros_like(p),
            "exp_avg_sq": np.zeros_like(p),
        }

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        beta1, beta2 = group.betas
        lr = hyper(group, "lr")
        p, g = _decayed(p, g, group)
        t = state["step"] + 1
        count = t.astype(np.float64)
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
        step = m / (1 - np.power(beta1, count)).astype(p.dtype)
        most = 2 / (1 - beta2) - 1
        if most > 5:  # else no step is ever sure enough
            faded = np.power(beta2, count)
            rho = most - 2 * count * faded / (1 - faded)
            sure = rho > 5
            known = np.where(sure, rho, 5.0)  # the root is taken either way
            share = (known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known)
            factor = np.sqrt(share * (1 - faded)).astype(p.dtype)
            step = step * np.where(sure, factor / (np.sqrt(v) + hyper(group, "eps")), 1.0)
        return p - lr * step, {"step": t, "exp_avg": m, "exp_avg_sq": v}


class Lion(Optimizer):
    """Moves every number by the same amount: only the sign of a running mean counts.

    ``p ← p - lr · (sign(β₁ m + (1 - β₁) g) + λ p)``, then ``m ← β₂ m + (1 - β₂) g``.

    Source: Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.

    Args:
        params: Parameters or groups of them.
        lr: The learning rate: a tenth to a third of what `AdamW` takes.
        betas: β₁ and β₂.
        weight_decay: λ.

    Raises:
        UsageError: If a number is negative or not finite, or a β is 1 or more.

    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0, -3.0], requires_grad=True)
    >>> optimizer = Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.9, -2.9])
    """

    ranges: ClassVar[Ranges] = {
        "lr": (math.inf, "0.0001"),
        "betas": (1.0, "(0.9, 0.99)"),
        "weight_decay": (math.inf, "0.01"),
    }

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=tuple(betas), weight_decay=weight_decay)

    def init(self, p: Array, group: Group) -> State:
        """The running mean."""
        return {"exp_avg": np.zeros_like(p)}

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """One step of one parameter."""
        beta1, beta2 = group.betas
        m = state["exp_avg"]
        step = np.sign(beta1 * m + (1 - beta1) * g)
        if group.weight_decay:
            step = step + hyper(group, "weight_decay") * p
        return p - hyper(group, "lr") * step, {"exp_avg": beta2 * m + (1 - beta2) * g}
