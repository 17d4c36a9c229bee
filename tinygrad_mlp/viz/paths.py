"""The paths from a tensor to a result: how many there are, and what each contributes.

This file knows how to count and walk paths without recursion. What flows along an edge is
`pullback`'s affair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_mlp.autodiff import first_gradient, pullback
from tinygrad_mlp.graph import Node
from tinygrad_mlp.ops import Array

__all__ = ["LISTED", "Path", "Paths", "find_paths"]

LISTED = 16
"""Up to so many paths are listed one by one."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way from the result back to the tensor.

    Attributes:
        nodes: What it runs through, the result first.
        contribution: What it adds to the gradient.
        factors: The slopes along it, if every node on it is a single number.
    """

    nodes: tuple[Node, ...]
    contribution: Array
    factors: tuple[Array, ...] | None


@dataclass(frozen=True, slots=True)
class Paths:
    """All ways: their number, and they themselves if there are at most `LISTED`."""

    count: int
    listed: tuple[Path, ...]


def find_paths(root: Node, wrt: Node, nodes: Sequence[Node]) -> Paths:
    """Count the paths from `wrt` to `root`, and list them if they are few.

    Args:
        root: The result.
        wrt: The tensor.
        nodes: The graph of `root`, oldest first.
    """
    count = {wrt.birth: 1}
    edges: dict[int, list[tuple[int, Node]]] = defaultdict(list)
    for node in nodes:
        if node is wrt:
            continue
        ways = 0
        for i, x in enumerate(node.inputs):
            if x is not None and x.birth in count and node.op.flows(i):
                ways += count[x.birth]
                edges[node.birth].append((i, x))
        if ways:
            count[node.birth] = ways
    total = count.get(root.birth, 0)
    if not 0 < total <= LISTED:
        return Paths(total, ())
    # A path is followed to its end before the next is begun: at most 16, however long.
    found = []
    waiting: list[tuple[tuple[Node, ...], Array, tuple[Array, ...] | None]] = [
        ((root,), np.asarray(first_gradient(root, None) if root.size == 1 else
                             np.ones(root.shape, root.dtype)), ())
    ]  # fmt: skip
    while waiting:
        trail, g, factors = waiting.pop()
        while trail[-1] is not wrt:
            node = trail[-1]
            steps = []
            for i, x in edges[node.birth]:
                flowing = _carried(node, i, g)
                steps.append(((*trail, x), flowing, _longer(factors, node, i, x)))
            waiting += steps[:0:-1]
            trail, g, factors = steps[0]
        found.append(Path(trail, g, factors))
    return Paths(total, tuple(found))


def _longer(
    factors: tuple[Array, ...] | None, node: Node, i: int, x: Node
) -> tuple[Array, ...] | None:
    """The slopes so far and that of one more edge, as long as all are single numbers."""
    if factors is None or node.size != 1 or x.size != 1:
        return None
    one = np.ones_like(node.values[0])
    return (*factors, _carried(node, i, one))


def _carried(node: Node, i: int, g: Array) -> Array:
    with np.errstate(all="ignore"):  # who computed the graph has had the warnings
        return np.asarray(pullback(node.op, i, g, node.values, node.attrs))
