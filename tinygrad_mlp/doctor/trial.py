"""One training step, tried: what went in, what came out, and its graph.

This file knows how the parts of a step are looked up. It judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_mlp.graph import Node, ancestors, module_path, names
from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops import Array
from tinygrad_mlp.steps import gradients
from tinygrad_mlp.tensor import Tensor

__all__ = ["SAMPLES", "Trial"]

SAMPLES = 256
"""So many samples are tried: enough to see a dead layer, few enough to be quick."""


class Trial:
    """One step.

    Attributes:
        whole: All inputs and the targets, as arrays, for a look at the data.
        inputs: The first samples of the inputs.
        target: Their targets.
        out: What the model gave.
        value: The loss.
        nodes: The graph of the loss, oldest first.
        heard: What each module gave, in the order of the calls.
    """

    out: Any = None
    value: Any = None

    def __init__(self, model: Module, x: Any, y: Any, loss: Any, optimizers: Sequence[Any]) -> None:
        self.model, self.loss, self.optimizers = model, loss, optimizers
        xs = x if isinstance(x, tuple) else (x,)
        self.whole = [_array(a) for a in (*xs, y)]
        self.given = [a for a in (*xs, y) if isinstance(a, Tensor)]
        self.inputs = [_first(a) for a in xs]
        self.target = _first(y)
        self.params = dict(model.named_parameters())
        self.nodes: list[Node] = []
        self.heard: list[Any] = []

    @property
    def inputs_whole(self) -> list[Array]:
        """All inputs as arrays."""
        return self.whole[:-1]

    @property
    def targets_whole(self) -> Array:
        """All targets as an array."""
        return self.whole[-1]

    def look(self) -> None:
        """Take note of the graph of the loss."""
        self.nodes = ancestors(self.value, through_constants=True)

    @cached_property
    def made(self) -> list[Node]:
        """Everything that was computed in the model, also what a cut keeps from the loss."""
        found: dict[int, Node] = {}
        for made in reversed(self.heard):
            if isinstance(made, Tensor) and made.birth not in found:
                found |= {node.birth: node for node in ancestors(made, through_constants=True)}
        return [found[birth] for birth in sorted(found)]

    @cached_property
    def named(self) -> dict[int, str]:
        """What the tensors of the graph are called."""
        return names(self.nodes)

    @cached_property
    def grads(self) -> dict[int, Array]:
        """The gradient of every tensor of the graph, by birth. Nobody's ``.grad`` is touched."""
        return gradients(self.value)

    def users(self, x: Node) -> list[Node]:
        """The ops of the graph that read a tensor."""
        return [n for n in self.nodes if any(i is x for i in n.inputs)]


def path_of(node: Node) -> str:
    """The layer in which a tensor was made, as a person would name it."""
    path = module_path(node.scope)
    return repr(path) if path else repr(node.op.name if node.op is not None else "input")


def _array(x: Any) -> Array:
    return np.asarray(x.data if isinstance(x, Tensor) else x)


def _first(x: Any) -> Any:
    """The first samples."""
    if isinstance(x, Tensor):
        return x[:SAMPLES] if x.ndim and len(x) > SAMPLES else x
    array = np.asarray(x)
    return array[:SAMPLES] if array.ndim else x
