"""The textbook picture of a small network: neurons as circles, weights as lines.

This file knows how a row of linear layers is found in a graph. How circles and lines stand is
known to `neuron_pictures.py`. Activations, weights and gradients are the arrays of the graph
itself; nothing is computed anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tinygrad_mlp.errors import IndexingError, UsageError
from tinygrad_mlp.graph import Node as Tensor
from tinygrad_mlp.graph import ancestors, names
from tinygrad_mlp.ops import Array
from tinygrad_mlp.viz.fold import chain_of
from tinygrad_mlp.viz.labels import NOT_YET, clean, plural

__all__ = ["SHOWN", "Color", "Layer", "Network", "Weights", "read_network", "strengths"]

Color: TypeAlias = Literal["value", "gradient"]

SHOWN = 12
"""Of a wider layer, so many neurons are drawn."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One column of neurons.

    Attributes:
        title: What stands above it.
        values: The activation of every neuron, for one sample.
        births: The nodes of the graph that it shows: the net input first, the activation last.
        bias: What each neuron adds, if it does.
    """

    title: str
    values: Array
    births: tuple[int, ...]
    bias: Array | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """The lines between two columns: (outputs, inputs).

    Attributes:
        name: The parameter's name.
        birth: The parameter, as a node of the graph.
        value: The weights.
        gradient: Their gradients; None before backward.
    """

    name: str
    birth: int
    value: Array
    gradient: Array | None


@dataclass(frozen=True, slots=True)
class Network:
    """Columns of neurons, the lines between them, and what to say of those."""

    title: str
    layers: tuple[Layer, ...]
    weights: tuple[Weights, ...]
    color: Color
    legend: str = ""

    @property
    def description(self) -> str:
        """The picture in words."""
        sizes = ", ".join(str(len(layer.values)) for layer in self.layers)
        return f"A network of {plural(len(self.layers), 'layer')} with {sizes} neurons. {self.note}"

    def matrix(self, k: int) -> Array | None:
        """What colours the lines into column `k + 1`: weights or gradients."""
        return self.weights[k].value if self.color == "value" else self.weights[k].gradient

    @property
    def note(self) -> str:
        """How to read the lines."""
        if self.legend:
            return self.legend + self._bad
        if self.color == "gradient" and all(w.gradient is None for w in self.weights):
            return f"Gradients are {NOT_YET}."
        what = "weight" if self.color == "value" else "gradient"
        return (
            f"Lines: orange is a positive {what}, blue a negative one; wider is larger.{self._bad}"
        )

    @property
    def _bad(self) -> str:
        """What dashed lines are, if there may be any."""
        drawn = [w.value for w in self.weights] + [w.gradient for w in self.weights]
        finite = all(np.isfinite(array).all() for array in drawn if array is not None)
        return "" if finite else " Dashed and red: infinite or NaN."


def strengths(matrix: Array) -> Array:
    """Every number as a share of the largest that is finite: −1 to 1, and nan for the others.

    >>> strengths(np.array([2.0, -1.0, np.inf, np.nan]))
    array([ 1. , -0.5,  nan,  nan])
    """
    finite = np.where(np.isfinite(matrix), matrix, math.nan)
    largest = float(np.max(np.abs(matrix), initial=0.0, where=np.isfinite(matrix)))
    return finite / (largest or 1.0)


# -- reading ---------------------------------------------------------------------------------


def read_network(
    root: Tensor,
    *,
    color: Color = "value",
    sample: int = 0,
    totals: Mapping[int, Array] | None = None,
) -> Network:
    """Find the linear layers behind `root`.

    Args:
        root: The result.
        color: What colours the lines.
        sample: Which row of a batch is shown.
        totals: Gradients by birth, instead of those that the parameters hold.

    Raises:
        UsageError: If there are none, or they do not stand in a row.
        IndexingError: If there is no such sample.
    """
    nodes = ancestors(root, through_constants=True)
    named = names(nodes)
    found = [node for node in nodes if _weight(node) is not None]
    if not found:
        raise UsageError(
            f"{named[root.birth]!r} has no neurons to draw",
            why="no linear layer with a weight of its own led to it",
            fix='Use level="ops".',
        )
    readers = _readers(nodes)
    layers = [_inputs(found[0], named, sample)]
    weights = []
    for node in found:
        which = _weight(node) or 1
        parameter = node.inputs[which]
        value = node.values[which + 1]
        gradient = parameter.grad if totals is None else totals.get(parameter.birth)
        if node.op.name != "linear":  # x @ W: the weight lies the other way round
            value, gradient = value.T, None if gradient is None else gradient.T
        if value.shape[1] != len(layers[-1].values):
            raise UsageError(
                f"{named[node.birth]!r} does not follow the layer before it",
                why=f"it reads {value.shape[1]} numbers, and {len(layers[-1].values)} come out",
                fix='level="neurons" draws layers in a row; use level="ops" for others.',
            )
        weights.append(Weights(clean(named[parameter.birth]), parameter.birth, value, gradient))
        layers.append(_outputs(node, readers, named, sample))
    title = f"The network behind {clean(named[root.birth])}"
    return Network(title, tuple(layers), tuple(weights), color)


def _weight(node: Tensor) -> int | None:
    """Which input of a node is the weight of a layer, if it is a layer."""
    if node.op is None or node.op.name not in {"linear", "matmul", "dot"}:
        return None
    x, weight = node.inputs[:2]
    layer = weight is not None and weight.op is None and weight.requires_grad and weight.ndim == 2
    return 1 if layer and (x is None or x.ndim <= 2) else None


def _readers(nodes: Sequence[Tensor]) -> dict[int, list[Tensor]]:
    readers: dict[int, list[Tensor]] = {node.birth: [] for node in nodes}
    for node in nodes:
        for x in node.inputs:
            if x is not None:
                readers[x.birth].append(node)
    return readers


def _row(array: Array, sample: int) -> Array:
    """The numbers of one sample."""
    array = np.asarray(array)
    rows = array.reshape(-1, array.shape[-1])
    if not -len(rows) <= sample < len(rows):
        raise IndexingError(
            f"sample={sample}",
            why=f"the batch has {plural(len(rows), 'row')}",
            fix=f"Use sample=0 to sample={len(rows) - 1}." if len(rows) > 1 else "",
        )
    return rows[sample]


def _inputs(first: Tensor, named: dict[int, str], sample: int) -> Layer:
    x = first.inputs[0]
    title = "input" if x is None else clean(named[x.birth], 24)
    births = () if x is None else (x.birth,)
    return Layer(title, _row(first.values[1], sample), births)


def _outputs(node: Tensor, readers: dict[int, list[Tensor]], named: dict[int, str],
             sample: int) -> Layer:  # fmt: skip
    """The neurons of a layer: its bias and what is applied to each of its numbers follow it."""
    bias = node.values[3] if len(node.values) > 3 else None
    births, ops = [node.birth], []
    calls = chain_of(node.scope)
    around = id(calls[0]) if len(calls) > 1 else None
    while True:
        following = readers[node.birth]
        if len(following) != 1 or following[0].shape != node.shape:
            break
        after = following[0]
        if around is not None and around not in map(id, chain_of(after.scope)[:1]):
            break  # it is not the network that does this, but its user: a loss
        others = [x for x in after.inputs if x is not None and x is not node]
        if any(x.op is not None or not x.requires_grad for x in others):
            break
        if others:
            if bias is not None or others[0].shape != node.shape[-1:]:
                break
            bias = after.values[2 if after.inputs[0] is node else 1]
        elif _weight(after) is not None or (after.size == 1 and node.size > 1):
            break
        else:
            ops.append(after.op.name)
        node = after
        births.append(node.birth)
    title = clean(" → ".join(ops) or named[node.birth], 24)
    return Layer(title, _row(node.data, sample), tuple(births),
                 None if bias is None else np.asarray(bias).reshape(-1))  # fmt: skip
