"""Which op of a function is at fault: every op of its graph, tried where the function used it.

This file knows how a node of a graph becomes a case that the stages can try. It does not know
how the mistake of the whole function was found.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.autodiff import enable_grad
from tinygrad_mlp.graph import Node, ancestors
from tinygrad_mlp.origin import place
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.drawing import MARGIN, Case
from tinygrad_mlp.testing.stages import first_order, second_order
from tinygrad_mlp.testing.subject import Subject

__all__ = ["culprits"]

MOST_NODES = 200
MOST_ENTRIES = 500


def culprits(subject: Subject, order: int) -> list[str]:
    """A sentence for each op whose own rule is wrong at this point, the first three of them.

    Args:
        subject: The function, not its derivative.
        order: The order at which it is wrong.
    """
    with enable_grad():
        tensors = [Tensor(x, requires_grad=True) for x in subject.inputs]
        outputs = subject.record(tensors)
    nodes = {node.birth: node for y in outputs if y.requires_grad for node in ancestors(y)}
    found: dict[str, str] = {}
    for node in list(nodes.values())[:MOST_NODES]:
        if node.op is None or node.op.name in found or not _small(node):
            continue
        case = _case(node)
        if _at_a_kink(case):
            continue  # differences say nothing there
        finding = first_order(case) if order == 1 else second_order(case)
        if finding is not None:
            spot = place(node.site)
            where = f" at {spot}" if spot else ""
            found[node.op.name] = f"the op at fault is {node.op.name}{where}: {finding.bug}"
    return list(found.values())[:3]


def _small(node: Node) -> bool:
    return all(np.size(value) <= MOST_ENTRIES for value in node.values)


def _at_a_kink(case: Case) -> bool:
    domain = case.op.domain
    if domain is None or domain.kink is None:
        return False
    distance = np.asarray(domain.kink(*case.inputs, **case.attrs), dtype=float)
    return bool(distance.min(initial=np.inf) < MARGIN)


def _case(node: Node) -> Case:
    """The op of a node, with the arrays that it was applied to."""
    y, *inputs = (np.array(value) for value in node.values)
    g = 1.0 + 0.35 * np.sin(1.0 + 2.9 * np.arange(y.size))
    return Case(node.op, tuple(inputs), dict(node.attrs), np.array(g).reshape(y.shape))
