"""Dropout: in training, each number is dropped now and then.

This file knows where randomness enters a network. It draws through the op `uniform`, from a
generator that belongs to the module, so that a compiled step draws anew and a checkpoint can
keep the generator's state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.cells import hyper
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn.init import Seed, generator
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops import where
from tinygrad_mlp.ops.random import uniform
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, sets each number to 0 with probability `p` and scales the rest up.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to
    prevent neural networks from overfitting" (2014), section 4, scaled in training by
    ``1 / (1 - p)`` so that nothing needs doing in use.

    Args:
        p: The probability of a zero.
        rng: A generator or a seed.

    >>> layer = Dropout(0.5, rng=0)
    >>> layer(np.ones(6))
    Tensor([2., 0., 0., 0., 2., 2.], shape=(6,))
    >>> layer.eval()(np.ones(6))
    Tensor([1., 1., 1., 1., 1., 1.], shape=(6,))
    """

    p: float
    generator: np.random.Generator

    def __init__(self, p: float = 0.5, *, rng: Seed = None) -> None:
        if not 0 <= p <= 1:
            raise UsageError(f"Dropout's p is {p!r}", why="it is a probability", fix="Use 0 to 1.")
        self.p = float(p)
        self.generator = generator(rng)

    def forward(self, x: Any) -> Tensor:
        """Drop in training; the shape stays."""
        t = astensor(x)
        if not self.training or self.p == 0:
            return t
        if self.p == 1:
            return t * 0.0
        kept = uniform(hyper(self, "generator"), shape=t.shape) >= self.p
        return where(kept, t / (1 - self.p), 0.0)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The probability."""
        return f"{self.p}"
