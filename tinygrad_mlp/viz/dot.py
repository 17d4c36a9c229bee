"""The picture in DOT, the language of Graphviz, and what Graphviz makes of it.

This file knows DOT and the two programs that understand it. It does not know the graph: it
writes the model of a picture. `graphviz` (the Python package) is imported when this is used;
the program ``dot`` only when PNG or PDF is asked for.
"""

from __future__ import annotations

import html
import shutil
from typing import Any

from tinygrad_mlp.errors import MissingExtraError, install
from tinygrad_mlp.viz.model import Kind, Node, Picture

__all__ = ["dot_source", "render"]

_LOOK = {
    Kind.INPUT: ("box", "#e2f0fd", "#2a68a3"),
    Kind.PARAMETER: ("octagon", "#e0f6e5", "#28723d"),
    Kind.OP: ("box", "#fff5d4", "#86681a"),
    Kind.OUTPUT: ("doubleoctagon", "#fde6ea", "#a22e48"),
    Kind.MODULE: ("component", "#ece6fd", "#6547b5"),
    Kind.FOLD: ("folder", "#e9edf2", "#56606c"),
    Kind.FAILED: ("box", "#ffded9", "#c01f1c"),
}
_MARK = {"color": "#b4009a", "penwidth": "3"}
_COLOUR = {"formula": "#47505b", "gradient": "#a13a06", "value": "#1b1f24"}


def dot_source(picture: Picture, *, down: bool = False) -> str:
    """Write a picture in DOT."""
    import graphviz

    graph = graphviz.Digraph(
        graph_attr={
            "rankdir": "TB" if down else "LR",
            "fontname": "Helvetica",
            "fontsize": "10",
            "label": graphviz.escape(
                "\n".join(filter(None, (picture.note, picture.legend, *picture.signs)))
            ),
            "tooltip": graphviz.escape(picture.title),
        },
        node_attr={"fontname": "Helvetica", "fontsize": "11", "style": "filled", "margin": "0.12"},
        edge_attr={"fontname": "Helvetica", "fontsize": "9", "color": "#6b7480"},
    )
    _frame(graph, picture)
    for edge in picture.edges:
        mark = _MARK if edge.marked else {}
        graph.edge(edge.tail, edge.head, label=graphviz.escape(edge.label), **mark)
    return str(graph.source)


def _frame(graph: Any, picture: Picture) -> None:
    """Add boxes and frames, innermost frames first."""
    import graphviz

    inside: dict[str | None, Any] = {None: graph}
    for group in picture.groups:
        inside[group.key] = graphviz.Digraph(
            name=f"cluster_{group.key}",
            graph_attr={
                "label": graphviz.escape(group.title),
                "style": "rounded,dashed",
                "color": "#8b95a1",
                "labeljust": "l",
            },
        )
    for node in picture.nodes:
        shape, fill, line = _LOOK[node.kind]
        style = "filled,rounded" if node.kind == Kind.OP else "filled"
        inside[node.group].node(
            node.key,
            label=_label(node),
            shape=shape,
            style=style + (",dashed" if node.kind == Kind.FAILED else ""),
            fillcolor=fill,
            tooltip=graphviz.escape(node.sentence),
            **({"color": line} | (_MARK if node.marked else {})),
        )
    for group in reversed(picture.groups):
        inside[group.parent].subgraph(inside[group.key])


def _label(node: Node) -> str:
    """An HTML-like label; Graphviz reads its entities, so nothing in a name can end it."""
    shape = f" <FONT COLOR='#47505b'>{html.escape(node.shape)}</FONT>" if node.shape else ""
    rows = [f"<B>{html.escape(node.title) or ' '}</B>{shape}"]
    lines = node.lines
    if node.subtitle and not node.formula:
        lines = (("formula", node.subtitle), *lines)
    for role, text in lines:
        shown = f"= {text}" if role == "formula" and node.formula else text
        rows.append(f"<FONT COLOR='{_COLOUR[role]}'>{html.escape(shown)}</FONT>")
    return "<" + "<BR ALIGN='LEFT'/>".join(rows) + "<BR ALIGN='LEFT'/>>"


def render(source: str, kind: str) -> bytes:
    """Let Graphviz make a picture.

    Args:
        source: The picture in DOT.
        kind: What to make: ``png``, ``pdf``, …

    Raises:
        MissingExtraError: If neither the program nor the extra is installed.
    """
    if shutil.which("dot"):
        import graphviz

        return bytes(graphviz.Source(source).pipe(format=kind))
    try:
        import pygraphviz
    except ImportError:
        raise MissingExtraError(
            f"{kind.upper()} pictures are made by Graphviz, which is not here",
            why="neither the program dot nor the Python package pygraphviz was found",
            fix="Three ways out: install Graphviz (https://graphviz.org/download, or "
            f"apt install graphviz), or {install('render')}, or "
            'save("graph.svg"), which needs nothing.',
        ) from None
    graph = pygraphviz.AGraph(string=source)
    graph.layout(prog="dot")
    return bytes(graph.draw(format=kind))
