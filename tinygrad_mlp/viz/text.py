"""The picture as text: a tree for terminals.

This file knows how a graph is told line by line: the result first, under it what it was computed
from. What was told already is not told again. It writes the model of a picture.
"""

from __future__ import annotations

from collections import defaultdict

from tinygrad_mlp.viz.model import Edge, Node, Picture

__all__ = ["text_tree"]

LINES = 400


def text_tree(picture: Picture) -> str:
    """Write a picture as a tree.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.viz.read import read
    >>> w = tg.Tensor(3.0, requires_grad=True, name="w")
    >>> print(text_tree(read(w * w, title="a square")))
    a square
    mul  scalar  = w w  9  ∂ not computed yet
    ├─ w  scalar  3  ∂ not computed yet
    └─ w, as above
    """
    nodes = {node.key: node for node in picture.nodes}
    groups = {group.key: group.title for group in picture.groups}
    reads: dict[str, list[Edge]] = defaultdict(list)
    read = set()
    for edge in picture.edges:
        reads[edge.head].append(edge)
        read.add(edge.tail)
    lines = [picture.title]
    told: set[str] = set()
    ends = [node.key for node in picture.nodes if node.key not in read]
    waiting = [(key, "", "") for key in reversed(ends)]  # key, what stands before it and below it
    while waiting:
        key, before, below = waiting.pop()
        node = nodes[key]
        if len(lines) > LINES:
            lines.append(f"… and {len(nodes) - len(told)} more")
            break
        if key in told:
            lines.append(f"{before}{node.title}, as above")
            continue
        told.add(key)
        lines.append(before + _line(node, groups.get(node.group or "", "")))
        inputs = sorted(reads[key], key=lambda edge: edge.operand)
        for k, edge in reversed(list(enumerate(inputs))):
            last = k == len(inputs) - 1
            waiting.append(
                (
                    edge.tail,
                    below + ("└─ " if last else "├─ "),
                    below + ("   " if last else "│  "),
                )
            )
    lines += [f"({text})" for text in (picture.note, picture.legend, *picture.signs) if text]
    return "\n".join(lines)


def _line(node: Node, group: str) -> str:
    parts = [node.title]
    parts += [node.shape] if node.shape else []
    parts += [node.subtitle] if node.subtitle and not node.formula else []
    parts += [f"= {text}" if role == "formula" else text for role, text in node.lines]
    parts += [f"in {group}"] if group else []
    parts += ["◂ marked"] if node.marked else []
    return "  ".join(parts)
