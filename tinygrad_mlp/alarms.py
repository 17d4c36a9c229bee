"""What is said when training goes wrong in silence: the texts and the counting of warnings.

This file knows how a graph that grows, a gradient that is out of date and a step that does
nothing look, and how the user's line gets into a warning. It is only called when something
looks suspicious: the rooms that call it look with one comparison. It changes nothing.

Every warning is a `TrainingWarning` and goes through the standard `warnings` filters.
"""

from __future__ import annotations

import sys
import warnings
from bisect import bisect
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_mlp.errors import TrainingWarning, message
from tinygrad_mlp.graph import Node, ancestors, describe, title
from tinygrad_mlp.origin import inside, place, users_line

__all__ = [
    "PATIENCE",
    "never_reached",
    "not_finite",
    "out_of_date",
    "reaches_back",
    "step_repeated",
    "warn",
]

PATIENCE = 50
"""After so many steps without a gradient a parameter is said to receive none."""

Misses = dict[int, tuple[int, Any]]
"""By birth of a parameter: how many steps it had no gradient, and the array it held."""


def warn(what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
    """Issue a `TrainingWarning` that points to the user's line."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and inside(frame.f_code.co_filename):
        frame = frame.f_back
        level += 1
    text = message(what, where=where, why=why, fix=fix)
    warnings.warn(text, TrainingWarning, stacklevel=level)


def not_finite(loss: Node) -> None:
    """Warn: backward starts from a loss that is no number."""
    spot = place(loss.site)
    name = title(loss) or "the loss"
    warn(
        f"{name if name == 'the loss' else repr(name)} is {loss.data.item()}",
        where=f"{spot}, {loss.op.name}" if spot and loss.op else str(spot or ""),
        why="every gradient computed from it will be wrong",
        fix="Run the step inside tg.detect_anomaly() to see where it began.",
    )


def out_of_date(leaves: Sequence[Node]) -> None:
    """Warn: gradients were added to gradients of values that have changed since."""
    first = leaves[0]
    if first.role == "Parameter" and not first.name:
        count = len(leaves)
        who = f"{count} parameter{'' if count == 1 else 's'}"
    else:
        more = f" and {len(leaves) - 1} more" if len(leaves) > 1 else ""
        who = describe(first) + more
    warn(
        f"backward() added to old gradients of {who}",
        where=users_line(),
        why="they were there before the values last changed, so the sum belongs to no one step",
        fix="Call optimizer.zero_grad() (or set .grad = None) before loss.backward().",
    )


def reaches_back(root: Node, past: Sequence[int]) -> None:
    """Warn if a graph holds ops of each of the last three steps: it grows for ever.

    Args:
        root: Where backward began.
        past: The births of the tensors at which the latest backward calls began.

    Backward again and again on one graph is fine, and so is a part that several losses share:
    then there are ops of one earlier step. Said after 3, 6, 12, … steps, not each time.
    """
    past = sorted({*past} - {root.birth})
    nodes = [node for node in ancestors(root) if node.op is not None]
    steps: dict[int, int] = {}
    for node in nodes:
        steps[bisect(past, node.birth)] = 0
    now = len(past)
    earlier = sum(step < now for step in steps)
    if not all(now - k in steps for k in (1, 2, 3)) or earlier not in {3, 6, 12, 24, 48}:
        return
    old = [node for node in nodes if node.birth < past[-1]]
    carried = _carried(nodes, past[-1])
    name = title(carried) or "a tensor"
    spot = place(carried.site)
    again = carried.op.name in {"sub", "add"}
    fix = f"Use {name}.data = {name}.data - lr * {name}.grad, or SGD([{name}])."
    warn(
        f"{name!r} is now the result of {carried.op.name}{f' ({spot})' if spot else ''}; "
        f"the graph holds {len(old)} nodes of {earlier} earlier steps",
        fix=fix if again else f"Use {name} = {name}.detach() before each step.",
    )


def _carried(nodes: Iterable[Node], last: int) -> Node:
    """The newest tensor from before the last backward that was used after it."""
    carried = [
        x
        for node in nodes
        if node.birth > last
        for x in node.inputs
        if x is not None and x.op is not None and x.requires_grad and x.birth < last
    ]
    return max(carried, key=lambda x: int(x.birth))


def step_repeated(params: Sequence[Node]) -> None:
    """Warn if an optimiser is about to use gradients that a step has used already."""
    known = [p for p in params if p.grad is not None]
    if not known or not all(p.stale for p in known):
        return
    warn(
        f"step(): the gradients of all {len(known)} parameters are from before the last step",
        where=users_line(),
        why="no backward() has run since",
        fix="Call loss.backward() before every optimizer.step().",
    )


def never_reached(p: Node, misses: Misses, name: str) -> None:
    """Count a step in which a parameter had no gradient; warn when it never gets one.

    Args:
        p: The parameter.
        misses: The counts so far.
        name: What the parameter is called.
    """
    if not p.requires_grad:
        return
    count, held = misses.get(p.birth, (0, p.data))
    if held is not p.data:
        held = None  # it has moved meanwhile: it does receive gradients, now and then
    misses[p.birth] = count + 1, held
    if count + 1 == PATIENCE and held is not None:
        warn(
            f"{name} of shape {p.shape} has had no gradient in {PATIENCE} steps",
            where=users_line(),
            why="the loss does not depend on it, so it is never trained",
            fix="tg.why(parameter, loss) says where the path ends.",
        )


def worth_saying(leaf: Node) -> bool:
    """Whether an old gradient holds anything: one that was zeroed in place does no harm."""
    return bool(np.any(leaf.grad.data if hasattr(leaf.grad, "backward") else leaf.grad))
