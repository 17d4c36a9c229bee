"""The network of neurons, written as SVG, DOT and text.

This file knows circles, lines and where they stand. What is drawn was found by `neurons.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tinygrad_mlp.viz.labels import NOT_YET, number, plural, width
from tinygrad_mlp.viz.neurons import SHOWN, Network, strengths
from tinygrad_mlp.viz.svg import Theme, attribute, n, wrap

__all__ = ["network_dot", "network_svg", "network_text"]

RADIUS, APART, COLUMN, TOP = 23.0, 62.0, 190.0, 34.0
COLOURS = {"plus": "#b5460c", "minus": "#1f66b0", "none": "#b9c0c8", "bad": "#c01f1c"}
"""Of the lines in DOT; in SVG the style sheet has them."""


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
    wide = max(120 + (len(network.layers) - 1) * COLUMN, 340)
    tall = max(y for column in at for _, y in column.values()) + RADIUS + 30
    for line in lines_of(network.note, wide):
        parts.append(f'<text class="note" x="0" y="{n(tall)}">{attribute(line)}</text>')
        tall += 15
    tall -= 11
    return wrap(network.title, network.description, (wide, tall), parts, theme)


def lines_of(note: str, wide: float) -> list[str]:
    """A note as lines of at most that width."""
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, 10.5) <= wide:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _lines(
    network: Network, k: int, at: Sequence[dict[int | None, tuple[float, float]]]
) -> Iterator[str]:
    weights = network.weights[k]
    matrix = network.matrix(k)
    shares = None if matrix is None else strengths(matrix)
    ends = [(j, i) for j in at[k + 1] for i in at[k] if i is not None and j is not None]
    drawn = {end: 0.0 if shares is None else float(shares[end]) for end in ends}
    # What matters lies on top: thick lines come last, and after them what is not finite.
    order = sorted(drawn, key=lambda end: (math.isnan(drawn[end]), thickness(drawn[end])))
    for j, i in order:
        strength = drawn[j, i]
        (x1, y1), (x0, y0) = at[k + 1][j], at[k][i]
        gradient = NOT_YET if weights.gradient is None else number(weights.gradient[j, i])
        tooltip = f"{weights.name}[{j}, {i}] = {number(weights.value[j, i])}; gradient {gradient}"
        yield (
            f'<path class="weight {sign(strength)}" data-key="w{k}" data-at="{j},{i}" '
            f'stroke-width="{n(thickness(strength))}" '
            f'd="M{n(x0 + RADIUS)} {n(y0)}L{n(x1 - RADIUS)} {n(y1)}">'
            f"<title>{attribute(tooltip)}</title></path>"
        )


def sign(strength: float) -> str:
    """What kind of line stands for a number: ``bad`` for one that is not finite."""
    if math.isnan(strength):
        return "bad"
    return "plus" if strength > 0 else "minus" if strength < 0 else "none"


def thickness(strength: float) -> float:
    """How wide that line is."""
    return 3.0 if math.isnan(strength) else 0.8 + 4.2 * abs(strength)


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
        shown_value = attribute(compact(value))
        loud = "" if math.isfinite(value) else " loud"
        tooltip = f"{layer.title}[{i}] = {number(value)}{bias}"
        body = f'<circle class="body" cx="{n(x)}" cy="{n(y)}" r="{n(RADIUS)}"/>'
        if kind == "input":
            r = RADIUS - 2
            body = (f'<rect class="body" x="{n(x - r)}" y="{n(y - r)}" width="{n(2 * r)}" '
                    f'height="{n(2 * r)}" rx="6"/>')  # fmt: skip
        elif kind == "output":
            body += (f'<circle class="trim" fill="none" cx="{n(x)}" cy="{n(y)}" '
                     f'r="{n(RADIUS - 3)}"/>')  # fmt: skip
        yield (
            f'<g class="node neuron {kind}{loud}" data-key="l{k}" data-at="{i}">'
            f"<title>{attribute(tooltip)}</title>{body}"
            f'<text class="neuron-text" x="{n(x)}" y="{n(y + 4)}">{shown_value}</text>'
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
    for k in range(len(network.weights)):
        matrix = network.matrix(k)
        shares = None if matrix is None else strengths(matrix)
        for j in shown(len(network.layers[k + 1].values)):
            for i in shown(len(network.layers[k].values)):
                if i is None or j is None:
                    continue
                strength = 0.0 if shares is None else float(shares[j, i])
                graph.edge(f"l{k}_{i}", f"l{k + 1}_{j}", color=COLOURS[sign(strength)],
                           penwidth=n(thickness(strength)))  # fmt: skip
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
