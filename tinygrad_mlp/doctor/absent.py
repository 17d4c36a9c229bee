"""Why there is no gradient at all.

This file knows the ways in which a path from a loss to a tensor can be missing: never wanted,
never begun, never run, cut, cleared or freed. It works on what is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import FREED
from tinygrad_mlp.doctor.living import Living
from tinygrad_mlp.doctor.verdict import Why
from tinygrad_mlp.graph import Cut, Node, ancestors, cut, describe, title
from tinygrad_mlp.origin import place, scope_modules

__all__ = ["absent"]

Say: TypeAlias = Callable[..., Why]
"""Makes an answer: ``say(cause, what, where=, why=, fix=)``."""


def absent(  # noqa: C901, PLR0911 - one answer for each situation
    t: Node, loss: Node | None, living: Living, name: str
) -> Why:
    """Why ``t.grad`` is None.

    Args:
        t: The tensor.
        loss: The loss that is meant, if the caller said.
        living: What is in memory.
        name: What the tensor is called.
    """

    def say(cause: str, what: str, **parts: Any) -> Why:
        return Why(t, name, "none", cause, f"{name!r} has no gradient: {what}", **parts)

    if not t.requires_grad:
        return _not_wanted(t, say)
    if t.op is FREED:
        return say(
            "freed",
            "backward(keep_graph=False) forgets each op as soon as it is undone",
            fix="Leave keep_graph=False out to keep the gradients of results.",
        )
    root = loss if loss is not None else living.root(t)
    if root is not None and root is not t and _leads_to(root, t):
        here = _on_the_path(t, root, say)
        if loss is not None or here.cause != "not-run":
            return here
        others = [x for x in living.losses(t) if x is not root]
        there = _off_all_paths(t, others, living, say)
        if there is None:
            return here
        known = there.cause in CUTS or (there.cause == "dead-end" and root.size > 1)
        return there if known else here
    if loss is None and t.op is not None and (root is None or root is t):
        there = _off_all_paths(t, living.losses(t), living, say)
        if there is not None and there.cause in CUTS:
            return there
        return say("not-run", "backward() has not run", fix="Call loss.backward().")
    found = _off_all_paths(t, living.losses(t) if loss is None else [loss], living, say)
    if found is None:
        results = [x for x in living.descendants(t).values() if x is not t]
        if results or root is t:
            return say(
                "not-run", "backward() has not run on anything that was computed from it",
                fix="Call loss.backward().",
            )  # fmt: skip
        return say(
            "no-graph",
            "nothing in memory was computed from it",
            fix="Compute a loss from it, keep it in a variable, and call loss.backward().",
        )
    return found


def _off_all_paths(t: Node, losses: Sequence[Node], living: Living, say: Say) -> Why | None:
    """The answer for the loss whose graph shows where a path was cut, or else for the first."""
    answers = [_off_the_path(t, loss, living, say) for loss in losses]
    return next((a for a in answers if a.cause in CUTS), answers[0] if answers else None)


CUTS = {"detach", "no-grad", "no-rule", "item", "rebuilt"}
"""Causes that are seen in the graph itself."""


def _not_wanted(t: Node, say: Say) -> Why:
    found = cut(t)
    if found is not None:
        return _cut(found, "it was", say)
    if t.role == "Buffer":
        return say("buffer", "a buffer is kept but not trained", fix="Make it a Parameter.")
    if t.role == "Parameter":
        return say(
            "frozen", "it is frozen (requires_grad is False)", fix="Set requires_grad = True."
        )
    if t.dtype.kind != "f":
        return say(
            "whole-numbers",
            f"numbers of {t.dtype} have no slopes",
            fix="Create it with dtype=float and requires_grad=True.",
        )
    return say(
        "not-in-graph",
        "it does not need one (requires_grad is False)",
        where=str(place(t.site) or ""),
        fix="Create it with requires_grad=True.",
    )


def _cut(found: Cut, lead: str, say: Say) -> Why:
    cause = {"detach()": "detach", "no_grad()": "no-grad"}.get(found.how, "no-rule")
    fix = {
        "detach": "Use the tensor itself, without detach().",
        "no-grad": "Compute it outside no_grad().",
    }.get(cause, f"{found.how} has no slope anywhere; use something smooth in its place.")
    return say(cause, f"{lead} {found}", where=str(found.place or ""), fix=fix)


def _leads_to(root: Node, t: Node) -> bool:
    return any(node is t for node in ancestors(root))


def _receives(t: Node, root: Node) -> bool:
    """Whether a gradient gets from `root` to `t`: along inputs that have a rule."""
    reached = {root.birth}
    for node in reversed(ancestors(root)):
        if node.birth in reached:
            for i, x in enumerate(node.inputs):
                if x is not None and x.requires_grad and node.op.flows(i):
                    reached.add(x.birth)
    return t.birth in reached


def _on_the_path(t: Node, root: Node, say: Say) -> Why:
    """There is a path: backward has not run, or the gradient was cleared, or nothing flows."""
    called = title(root) or "the loss"
    if root.size == 1 and not _receives(t, root):
        users = [
            node
            for node in ancestors(root)
            if any(x is t and not node.op.flows(i) for i, x in enumerate(node.inputs))
        ]
        op = users[0].op.name if users else "an op"
        return say(
            "no-rule",
            f"every path to {called!r} goes through an input without a slope, of {op}",
            where=str(place(users[0].site) or "") if users else "",
            fix="An index, a mask or a condition cannot be trained; use something smooth.",
        )
    if root.grad is None:
        return say(
            "not-run",
            f"backward() has not run on {describe(root)}",
            fix=f"Call {called}.backward().",
        )
    return say(
        "cleared",
        f"backward() ran on {called!r}, and the gradient was cleared afterwards",
        fix="Look at .grad after backward() and before zero_grad().",
    )


def _off_the_path(  # noqa: PLR0911 - one answer for each situation
    t: Node, loss: Node, living: Living, say: Say
) -> Why:
    """There is a loss, but no path from it to the tensor."""
    called = title(loss) or "the loss"
    if loss.op is FREED:
        return say(
            "freed",
            f"the graph of {called!r} was freed by backward(keep_graph=False), and the gradient "
            "was cleared, or never came",
            fix="Leave keep_graph=False out, and ask again.",
        )
    if t.birth > loss.birth:
        return say(
            "made-later",
            f"it was made after {called!r} was computed",
            where=str(place(t.site) or ""),
            fix="Compute the loss again, from the new tensor.",
        )
    mine = living.descendants(t)
    end = living.loose_end(t, loss)
    if end is not None:
        source = title(end.source) or "it"
        cause = "item" if end.how in {".item()", "float("} else "rebuilt"
        return say(
            cause,
            f"the path was cut{f' at {end.line}' if end.line else ''} by "
            f"{end.how or 'numbers taken out of the graph'} on {source!r}",
            where=str(end.place or ""),
            fix="Use the tensor itself: a new one, or a number, remembers nothing.",
        )
    cuts = [
        (node, found) for node in ancestors(loss, through_constants=True) if (found := cut(node))
    ]
    for node, found in cuts:
        if found.birth in mine or _made_with(node, t):
            return _cut(found, f"the path from {called!r} was", say)
    twin = _twin(t, loss)
    if twin is not None:
        return say(
            "copy",
            f"{called!r} was computed from another tensor with the same values, {describe(twin)}",
            fix="Use one and the same tensor; deepcopy and load make new ones.",
        )
    if cuts and len(mine) == 1:
        return _cut(cuts[-1][1], f"the path from {called!r} was, as it seems,", say)
    results = [x for x in mine.values() if x is not t]
    if results:
        last = results[-1]
        return say(
            "dead-end",
            f"what was computed from it, {describe(last)}, is not used by {called!r}",
            fix="Use it in the loss, or take it out.",
        )
    return say(
        "unused",
        f"{called!r} does not depend on it: no op of its graph reads it",
        where=str(place(loss.site) or ""),
        fix="Use it in forward(), or take it out of the model.",
    )


def _made_with(node: Node, t: Node) -> bool:
    """Whether a tensor was made inside a module that owns `t`."""
    return any(
        p is t for module in scope_modules(node.scope)[-1:] for p in module.parameters()
    )  # fmt: skip


def _twin(t: Node, loss: Node) -> Node | None:
    """A leaf of the loss's graph that holds what `t` holds."""
    return next(
        (
            x
            for x in ancestors(loss)
            if x.op is None and x is not t and x.size > 1 and np.array_equal(x.data, t.data)
        ),
        None,
    )
