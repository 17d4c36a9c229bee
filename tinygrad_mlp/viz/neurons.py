"""The textbook picture of a small network: neurons as circles, weights as lines.

This file knows how a row of linear layers is found in a graph and how circles and lines stand.
Activations, weights and gradients are the arrays of the graph itself; nothing is computed anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.graph import Node as Tensor
from tinygrad_mlp.graph import ancestors, names
from tinygrad_mlp.ops import Array
from tinygrad_mlp.viz.labels import NOT_YET, clean, number, plural, width
from tinygrad_mlp.viz.svg import Theme, attribute, n, wrap

__all__ = ["Layer", "Network", "Weights", "network_dot", "network_svg", "network_text",
           "read_network"]  # fmt: skip

SHOWN = 12
"""Of a wider layer, so many neurons are drawn."""
RADIUS, APART, COLUMN, TOP = 23.0, 62.0, 190.0, 34.0


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
    color: Literal["value", "gradient"]
    legend: str = ""

    @property
    def description(self) -> str:
        """The picture in words."""
        sizes = ", ".join(str(len(layer.values)) for layer in self.layers)
        return f"A network of {plural(len(self.layers), 'layer')} with {sizes} neurons. {self.note}"

    @property
    def note(self) -> str:
        """How to read the lines."""
        if self.legend:
            return self.legend
        if self.color == "gradient" and all(w.gradient is None for w in self.weights):
            return f"Gradients are {NOT_YET}."
        what = "weight" if self.color == "value" else "gradient"
        return f"Lines: orange is a positive {what}, blue a negative one; wider is larger."


# -- reading ---------------------------------------------------------------------------------


def read_network(
    root: Tensor,
    *,
    color: Literal["value", "gradient"] = "value",
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
    return array.reshape(-1, array.shape[-1])[sample]


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
    while True:
        following = readers[node.birth]
        if len(following) != 1 or following[0].shape != node.shape:
            break
        after = following[0]
        others = [x for x in after.inputs if x is not None and x is not node]
        if any(x.op is not None or not x.requires_grad for x in others):
            break
        if others:
            if bias is not None or others[0].shape != node.shape[-1:]:
                break
            bias = others[0].data
        elif _weight(after) is not None or after.size == 1 and node.size > 1:
            break
        else:
            ops.append(after.op.name)
        node = after
        births.append(node.birth)
    title = clean(" → ".join(ops) or named[node.birth], 24)
    return Layer(title, _row(node.data, sample), tuple(births),
                 None if bias is None else np.asarray(bias).reshape(-1))  # fmt: skip


# -- writing ---------------------------------------------------------------------------------


def shown(count: int) -> list[int | None]:
    """Which neurons of a layer are drawn; None stands for those left out."""
    if count <= SHOWN:
        return list(range(count))
    half = SHOWN // 2
    return [*range(half), None, *range(count - half, count)]


def compact(x: float) -> str:
    """A number that fits into a circle.

    >>> compact(0.6235), compact(-0.00123), compact(12345.0)
    ('0.62', '−1e−3', '1e4')
    """
    if x and not 0.01 <= abs(x) < 1000:
        digits, _, exponent = f"{x:.0e}".partition("e")
        return f"{digits}e{int(exponent)}".replace("-", "−") if exponent else number(x)
    return number(x, 2 if abs(x) < 100 else 3)


def positions(network: Network) -> list[dict[int | None, tuple[float, float]]]:
    """Where every neuron that is drawn stands: its column, its row."""
    tallest = max(len(shown(len(layer.values))) for layer in network.layers)
    result = []
    for k, layer in enumerate(network.layers):
        rows = shown(len(layer.values))
        top = TOP + (tallest - len(rows)) * APART / 2
        x = 60 + k * COLUMN
        result.append({i: (x, top + RADIUS + r * APART) for r, i in enumerate(rows)})
    return result


def network_svg(network: Network, *, theme: Theme = "auto") -> str:
    """Write the picture as SVG."""
    at = positions(network)
    parts = [part for k in range(len(network.weights)) for part in _lines(network, k, at)]
    for k, layer in enumerate(network.layers):
        x = 60 + k * COLUMN
        title = attribute(layer.title)
        parts.append(f'<text class="title" text-anchor="middle" x="{n(x)}" y="14">{title}</text>')
        parts += _circles(network, k, at[k])
    wide = max(120 + (len(network.layers) - 1) * COLUMN, width(network.note, 10.5))
    tall = max(y for column in at for _, y in column.values()) + RADIUS + 34
    parts.append(f'<text class="note" x="0" y="{n(tall - 4)}">{attribute(network.note)}</text>')
    return wrap(network.title, network.description, wide, tall, parts, theme)


def _lines(
    network: Network, k: int, at: Sequence[dict[int | None, tuple[float, float]]]
) -> Iterator[str]:
    weights = network.weights[k]
    matrix = weights.value if network.color == "value" else weights.gradient
    largest = 0.0 if matrix is None else float(np.max(np.abs(matrix), initial=0.0))
    for j, (x1, y1) in at[k + 1].items():
        for i, (x0, y0) in at[k].items():
            if i is None or j is None:
                continue
            strength = 0.0 if matrix is None or not largest else float(matrix[j, i]) / largest
            sign = "plus" if strength > 0 else "minus" if strength < 0 else "none"
            gradient = NOT_YET if weights.gradient is None else number(weights.gradient[j, i])
            said = f"{weights.name}[{j}, {i}] = {number(weights.value[j, i])}; gradient {gradient}"
            yield (
                f'<path class="weight {sign}" data-key="w{k}" data-at="{j},{i}" '
                f'stroke-width="{n(0.8 + 4.2 * abs(strength))}" '
                f'd="M{n(x0 + RADIUS)} {n(y0)}L{n(x1 - RADIUS)} {n(y1)}">'
                f"<title>{attribute(said)}</title></path>"
            )


def _circles(network: Network, k: int, at: dict[int | None, tuple[float, float]]) -> Iterator[str]:
    layer = network.layers[k]
    kind = "input" if k == 0 else "output" if k == len(network.layers) - 1 else "op"
    for i, (x, y) in at.items():
        if i is None:
            left_out = len(layer.values) - SHOWN
            yield (f'<text class="neuron-text label" x="{n(x)}" y="{n(y + 4)}">'
                   f"⋮ {left_out} more</text>")  # fmt: skip
            continue
        value = float(layer.values[i])
        bias = "" if layer.bias is None else f"; bias {number(layer.bias[i])}"
        said = f"{layer.title}[{i}] = {number(value)}{bias}"
        body = f'<circle class="body" cx="{n(x)}" cy="{n(y)}" r="{n(RADIUS)}"/>'
        if kind == "input":
            r = RADIUS - 2
            body = (f'<rect class="body" x="{n(x - r)}" y="{n(y - r)}" width="{n(2 * r)}" '
                    f'height="{n(2 * r)}" rx="6"/>')  # fmt: skip
        elif kind == "output":
            body += (f'<circle class="trim" fill="none" cx="{n(x)}" cy="{n(y)}" '
                     f'r="{n(RADIUS - 3)}"/>')  # fmt: skip
        yield (
            f'<g class="node neuron {kind}" data-key="l{k}" data-at="{i}">'
            f"<title>{attribute(said)}</title>{body}"
            f'<text class="neuron-text" x="{n(x)}" y="{n(y + 4)}">{attribute(compact(value))}</text>'
            "</g>"
        )
        if layer.bias is not None:
            text = f"b {compact(float(layer.bias[i]))}"
            yield (f'<text class="neuron-text label" x="{n(x)}" y="{n(y + RADIUS + 12)}">'
                   f"{attribute(text)}</text>")  # fmt: skip


def network_dot(network: Network) -> str:
    """Write the picture in DOT."""
    import graphviz

    graph = graphviz.Digraph(
        graph_attr={"rankdir": "LR", "splines": "line", "ranksep": "1.4"},
        node_attr={"shape": "circle", "style": "filled", "fontname": "Helvetica",
                   "fontsize": "10", "fixedsize": "true", "width": "0.6"},
        edge_attr={"arrowhead": "none"},
    )  # fmt: skip
    fills = ["#e2f0fd", *["#fff5d4"] * (len(network.layers) - 2), "#fde6ea"]
    for k, layer in enumerate(network.layers):
        for i in shown(len(layer.values)):
            label = "⋮" if i is None else compact(float(layer.values[i]))
            graph.node(f"l{k}_{i}", graphviz.escape(label), fillcolor=fills[k])
    for k, weights in enumerate(network.weights):
        matrix = weights.value if network.color == "value" else weights.gradient
        largest = 0.0 if matrix is None else float(np.max(np.abs(matrix), initial=0.0))
        for j in shown(len(network.layers[k + 1].values)):
            for i in shown(len(network.layers[k].values)):
                if i is None or j is None:
                    continue
                s = 0.0 if matrix is None or not largest else float(matrix[j, i]) / largest
                colour = "#b5460c" if s > 0 else "#1f66b0" if s < 0 else "#b9c0c8"
                graph.edge(f"l{k}_{i}", f"l{k + 1}_{j}", color=colour,
                           penwidth=n(0.8 + 4.2 * abs(s)))  # fmt: skip
    return str(graph.source)


def network_text(network: Network) -> str:
    """Write the picture as lines: a layer each, with the weights between."""
    lines = [network.title]
    for k, layer in enumerate(network.layers):
        shown_values = ", ".join(
            "…" if i is None else compact(float(layer.values[i])) for i in shown(len(layer.values))
        )
        lines.append(f"{layer.title}: {plural(len(layer.values), 'neuron')}  [{shown_values}]")
        if k < len(network.weights):
            weights = network.weights[k]
            lines.append(f"  │ {weights.name}, {plural(weights.value.size, 'weight')}")
    return "\n".join(lines)
