"""Modules around modules: branches that are added or joined, and shapes that change.

This file knows how tensors are put together. It has no weights of its own.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.sequential import as_layer
from tinygrad_mlp.nn.trail import place_of
from tinygrad_mlp.ops import concatenate
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["Concat", "Flatten", "Identity", "Residual"]


class Identity(Module):
    """Gives back what it is given: a place for a layer that may come later.

    >>> Identity()([1.0])
    Tensor([1.], shape=(1,))
    """

    def forward(self, x: Any) -> Tensor:
        """Return `x` as a tensor."""
        return astensor(x)


class Flatten(Module):
    """Makes one axis of several: images into rows of pixels.

    Args:
        start_dim: The first axis of those; by default the one behind the samples.
        end_dim: The last of those.

    A single sample without the axis of samples stays as it is.

    Raises:
        ShapeError: If an input has no such axes, or the last one comes before the first.

    >>> import numpy as np
    >>> Flatten()(np.zeros((10, 8, 8))).shape
    (10, 64)
    """

    start_dim: int
    end_dim: int

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Tensor:
        """Reshape (n, a, b, ...) to (n, a·b·...)."""
        t = astensor(x)
        shape, n = t.shape, t.ndim
        if (self.start_dim, self.end_dim) == (n, -1) or n == 0:
            return t
        first = self.start_dim + (n if self.start_dim < 0 else 0)
        last = self.end_dim + (n if self.end_dim < 0 else 0)
        if not 0 <= first <= last < n:
            raise ShapeError(
                f"{place_of(self)} joins axes {self.start_dim} to {self.end_dim} of {shape}",
                why=f"its axes are 0 to {n - 1}, and the first one joined comes first",
                fix="Use Flatten() to join all but the first.",
            )
        joined = math.prod(shape[first : last + 1])
        return t.reshape((*shape[:first], joined, *shape[last + 1 :]))

    def extra_repr(self) -> str:
        """Its arguments, if they are not the usual ones."""
        usual = (self.start_dim, self.end_dim) == (1, -1)
        return "" if usual else f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Residual(Module):
    """``x + body(x)``: the body learns what to add.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2016),
    equation 1.

    Args:
        body: A module or a function whose output has the shape of its input.

    Raises:
        ShapeError: If it has not.

    >>> import numpy as np
    >>> Residual(np.tanh)([0.0])
    Tensor([0.], shape=(1,))
    """

    body: Module

    def __init__(self, body: Any) -> None:
        self.body = as_layer("body", body)

    def forward(self, x: Any) -> Tensor:
        """Add the body's output to its input."""
        x = astensor(x)
        y = self.body(x)
        if y.shape != x.shape:
            raise ShapeError(
                f"{place_of(self)} adds {x.shape} and {y.shape}",
                why="the body must give the shape that it takes",
                fix=f"Let its last layer give {x.shape[-1] if x.ndim else 1} numbers.",
            )
        return x + y  # type: ignore[no-any-return]


class Concat(Module):
    """Runs several branches on one input and joins what they give.

    Args:
        *branches: Modules or functions.
        dim: The axis along which to join, by default the last.

    >>> import numpy as np
    >>> Concat(Identity(), np.tanh)(np.zeros((4, 3))).shape
    (4, 6)
    """

    branches: tuple[Module, ...]
    dim: int

    def __init__(self, *branches: Any, dim: int = -1) -> None:
        if len(branches) == 1 and isinstance(branches[0], list | tuple):
            branches = tuple(branches[0])
        self.branches = tuple(as_layer(str(i), branch) for i, branch in enumerate(branches))
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        """Join the branches' outputs."""
        x = astensor(x)
        return concatenate([branch(x) for branch in self.branches], axis=self.dim)  # type: ignore[no-any-return]
