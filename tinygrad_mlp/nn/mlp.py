"""MLP: the multilayer perceptron, ready made.

This file knows the usual order, Linear then activation, and nothing else.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn.activation import Sigmoid
from tinygrad_mlp.nn.activation import __all__ as activations
from tinygrad_mlp.nn.init import Initialiser, Seed, generator
from tinygrad_mlp.nn.linear import Linear
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.sequential import Sequential, as_layer
from tinygrad_mlp.ops import Op

__all__ = ["MLP"]


class MLP(Sequential):
    """A multilayer perceptron: a `Sequential` of Linear layers with activations.

    Args:
        num_inputs: How many numbers a sample has.
        hidden_layers: The width of each hidden layer; ``[]`` for none.
        num_outputs: How many numbers come out.
        bias: Whether the layers have biases.
        activation: What follows each hidden layer: a class, a function that makes a module, a
            module (of which each layer gets a copy), or a function of a tensor.
        output_activation: What follows the last layer; None for nothing.
        init: Where the weights begin, as in `nn.init`; biases then begin at zero.
        dtype: The dtype of the parameters, float64 by default.
        rng: A generator or a seed for the starting weights.

    Raises:
        UsageError: If `hidden_layers` is no sequence, a width is no count, or an activation none.

    >>> MLP(num_inputs=2, hidden_layers=[5], num_outputs=1)
    MLP(  # 21 parameters
      (0): Linear(2, 5)  # 15 parameters
      (1): Sigmoid()
      (2): Linear(5, 1)  # 6 parameters
      (3): Sigmoid()
    )
    """

    def __init__(
        self,
        num_inputs: int,
        hidden_layers: Sequence[int],
        num_outputs: int,
        bias: bool = True,
        activation: Any = Sigmoid,
        output_activation: Any = Sigmoid,
        *,
        init: Initialiser | None = None,
        dtype: Any = None,
        rng: Seed = None,
    ) -> None:
        if not isinstance(hidden_layers, Iterable):
            raise UsageError(
                f"MLP's hidden_layers is {hidden_layers!r}",
                why="it holds the width of each hidden layer",
                fix="Write MLP(2, [5], 1) for one hidden layer of 5.",
            )
        source = generator(rng)
        widths = (num_inputs, *hidden_layers, num_outputs)
        layers: list[Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            layers.append(Linear(inputs, outputs, bias, init=init, dtype=dtype, rng=source))
            last = i == len(widths) - 2
            name = "output_activation" if last else "activation"
            follows = output_activation if last else activation
            if follows is not None:
                layers.append(_made(name, follows))
        super().__init__(*layers)


def _made(name: str, activation: Any) -> Module:
    """A new module of what was given as an activation."""
    if isinstance(activation, Module):
        return copy.deepcopy(activation)
    if isinstance(activation, str) or not callable(activation):
        wanted = str(activation).lower()
        known = next((n for n in activations if n.lower() == wanted), "ReLU")
        raise UsageError(
            f"MLP's {name} is {activation!r}",
            why="it is what makes a layer",
            fix=f"Write {name}=nn.{known}, the class.",
        )
    if not _makes(activation):
        return as_layer(name, activation)
    made = activation()
    if not isinstance(made, Module):
        raise UsageError(
            f"MLP's {name} made a {type(made).__name__}, not a layer",
            fix=f"Write {name}=nn.ReLU, the class, or pass a function of a tensor.",
        )
    return made


def _makes(function: Any) -> bool:
    """Whether a function can be called with nothing, as those are that make a layer."""
    if isinstance(function, np.ufunc | Op):
        return False
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True
