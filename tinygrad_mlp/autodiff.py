"""Backpropagation: the chain rule, one edge of the graph at a time.

This file knows nodes (``op``, ``inputs``, ``values``, ``attrs``) and how gradients add up. It
never imports Tensor: whatever has those attributes can be run backward.

`pullback` is the only caller of rules, for every reader. `backpropagate` is the only loop.
With arrays it computes; handed tensors (``create_graph=True``) the same loop records a graph
of the backward pass, and handed program variables it writes the backward half of a program.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from heapq import heappop, heappush
from typing import Any

import numpy as np

from tinygrad_mlp import cells, writes
from tinygrad_mlp.errors import (
    DTypeError,
    GradientError,
    GraphError,
    InPlaceError,
    ShapeError,
    UsageError,
)
from tinygrad_mlp.graph import Node, describe, title
from tinygrad_mlp.ops import READERS, Array, Attrs, Op, cast, sum_to
from tinygrad_mlp.origin import place

__all__ = ["FREED", "backpropagate", "enable_grad", "grad_enabled", "no_grad", "pullback"]

grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)

ndarray = np.ndarray
FREED = Op("freed", lambda: None, doc="Stands in a node whose history is gone.", listed=False)


_SUSPENDING = (
    inspect.isgeneratorfunction,
    inspect.iscoroutinefunction,
    inspect.isasyncgenfunction,
)
"""What tells a function whose call only makes something that runs later."""


class _GradMode(ContextDecorator):
    """Turn recording on or off for a block, or for a function as a decorator."""

    enabled: bool

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __call__(self, function: Any) -> Any:
        if any(suspends(function) for suspends in _SUSPENDING):
            raise _in_pieces(type(self).__name__, function)
        return super().__call__(function)

    def _recreate_cm(self) -> _GradMode:  # each call of a decorated function gets its own
        return type(self)()

    def __enter__(self) -> None:
        self._tokens.append(grad_enabled.set(self.enabled))

    def __exit__(self, *exc: object) -> None:
        grad_enabled.reset(self._tokens.pop())


class no_grad(_GradMode):
    """Compute without recording: nothing made here can be run backward.

    For a block, or as a decorator for a function; a generator or an asynchronous function is
    refused with a `UsageError`, since its body runs when the decorator is over.

    >>> import tinygrad_mlp as tg
    >>> w = tg.Tensor(2.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     (w * 3).requires_grad
    False
    """

    enabled = False


class enable_grad(_GradMode):
    """Record again inside a `no_grad` block."""

    enabled = True


def _in_pieces(mode: str, function: Any) -> UsageError:
    name = getattr(function, "__name__", type(function).__name__)
    kind = "a generator" if _SUSPENDING[0](function) else "asynchronous"
    return UsageError(
        f"@{mode}() on {name!r}, which is {kind}",
        why="its body runs later, piece by piece, and the decorator would be over by then",
        fix=f"Write with tg.{mode}(): inside it, around what runs between two pauses.",
    )


def pullback(op: Op, i: int, g: Array, values: tuple[Array, ...], attrs: Attrs) -> Array:
    """Carry the gradient `g` of an op's output back to input number `i`.

    Args:
        op: The op.
        i: Which input.
        g: The gradient that arrives, of the output's shape.
        values: The output, then the inputs.
        attrs: The op's attributes.

    Returns:
        The gradient of that input, of its shape and dtype: here, and only here, the
        broadcasting of the forward pass is undone.
    """
    try:
        rule = op.rules[i] or op.rule(i)
    except IndexError:  # the last rule serves the rest
        rule = op.rule(i)
    # An empty ** is not free, and the ops of a plain layer have no attributes.
    gradient = rule(g, *values, **attrs) if attrs else rule(g, *values)  # type: ignore[misc]
    x = values[i + 1]
    if gradient.shape != x.shape:
        gradient = _unbroadcast(op, i, gradient, x.shape)
    dtype = x.dtype
    if gradient.dtype is not dtype and gradient.dtype != dtype:
        gradient = cast(gradient, dtype)
        if dtype.kind != "f":
            raise _no_slope(op, dtype)
    return gradient


def _unbroadcast(op: Op, i: int, gradient: Array, shape: tuple[int, ...]) -> Array:
    """Add up the entries of `gradient` that belong to one entry of an input of this shape."""
    try:
        if type(gradient) is ndarray:
            return sum_to.forward(gradient, shape)
        return sum_to.apply((gradient,), {"shape": shape})
    except (ValueError, IndexError) as error:
        refusal = GradientError(
            f"{op.name}: gradient for input {i} has shape {gradient.shape}, expected {shape}",
            fix="Summed instead of un-broadcast?",
        )
        refusal.gradient = gradient
        raise refusal from error


def backpropagate(  # noqa: C901, PLR0912, PLR0915 - the one hot loop, a screen long
    root: Node,
    seed: Array,
    *,
    create_graph: bool = False,
    keep_graph: bool = True,
    arrive: Callable[[Node, Array], None],
) -> int:
    """Send `seed` from `root` back through its graph, newest node first.

    Of all nodes with a gradient waiting, the newest has the whole of its own: whatever used it
    was born later, and has been dealt with. So a queue by birth is all the order there is.

    Args:
        root: Where to start.
        seed: The gradient of `root`, of its shape; a tensor if `create_graph`.
        create_graph: Hand the rules tensors, so that the backward pass is itself recorded.
        keep_graph: If false, each node forgets its history as soon as it is done with.
        arrive: Called with every node and the whole of its gradient; only with leaves if the
            graph is not kept. Leaves come last, when nothing can go wrong any more.

    Returns:
        The birth of the oldest op that was undone.
    """
    pull = cells.mine().pulling(pullback) if cells.watched else pullback
    last_write = writes.latest
    birth: int = root.birth
    queue = [(-birth, root)]
    leaves: list[Node] = []
    if root.op is None:
        queue, leaves = leaves, [root]
        seed = seed.copy() if type(seed) is ndarray else seed
    waiting = {birth: seed}  # gradients on their way, by the birth of their node
    ours: set[int] = set()  # of these, arrays that this loop made and may add into
    while queue:
        node = heappop(queue)[1]
        birth = node.birth
        g = waiting.pop(birth)
        op = node.op
        if node.hooks:
            g = _hooked(node, g)
        if keep_graph:
            arrive(node, g)
        if op is FREED:
            raise _freed(node)
        if last_write > birth:
            _refuse_overwritten(node)
        values = node.operands() if create_graph else node.values
        attrs = node.attrs
        for i, x in enumerate(node.inputs):
            if x is None or not x.requires_grad or (op.leaky and not op.flows(i)):
                continue
            try:
                gradient = pull(op, i, g, values, attrs)
            except GradientError as error:
                raise _misfit(error, node, i) from error
            key = x.birth
            if key not in waiting:
                if x.op is not None:
                    heappush(queue, (-key, x))
                else:  # a leaf's gradient is its own array: copy what a rule only passed on
                    leaves.append(x)
                    if type(gradient) is ndarray and (gradient is g or gradient.base is not None):
                        gradient = gradient.copy()
                waiting[key] = gradient
            elif key in ours:
                waiting[key] += gradient
            else:
                waiting[key] = waiting[key] + gradient
                ours.add(key)
        if not keep_graph:
            node.op = FREED
            node.inputs = node.values = ()
    for leaf in leaves:
        g = waiting[leaf.birth]
        arrive(leaf, _hooked(leaf, g) if leaf.hooks else g)
    return birth


def _hooked(node: Node, g: Array) -> Array:
    """What the hooks of a node make of its gradient.

    They see it through a view that cannot be written: the array may be on its way elsewhere too.
    """
    for hook in tuple(node.hooks.values()):
        if type(g) is np.ndarray:
            seen = g.view()
            seen.flags.writeable = False
        else:
            seen = g
        changed = hook(seen)
        if changed is not None:
            g = _fitting(node, hook, changed, g)
    return g


def _fitting(node: Node, hook: Any, changed: Any, g: Array) -> Array:
    """What a hook returned, as a gradient of the same shape and dtype."""
    if type(changed) not in READERS:
        changed = np.array(changed)
    if changed.shape != g.shape or changed.dtype.kind not in "fbiu":
        raise GradientError(
            f"a hook of {describe(node)} returned {changed.dtype} of shape {changed.shape}",
            where=str(place(node.site) or ""),
            why=f"the gradient that it was given has shape {g.shape}",
            fix=f"Return an array of that shape, or None to leave the gradient as it is, "
            f"in {getattr(hook, '__name__', hook)!s}.",
        )
    return changed if changed.dtype == g.dtype else cast(changed, g.dtype)


def _no_slope(op: Op, dtype: Any) -> DTypeError:
    return DTypeError(
        f"{op.name}: a gradient for an input of {dtype}",
        why="only real numbers have slopes, and its gradient would be cut to whole numbers",
        fix="Make it t.data = t.data.astype(float), or t.requires_grad = False.",
    )


def _misfit(error: GradientError, node: Node, i: int) -> GradientError:
    """A gradient of the wrong shape, with the names and the line of this graph."""
    x = node.inputs[i]
    name = title(x)
    refusal = GradientError(
        error.what.replace(f"input {i}", f"input {i} {name!r}", 1) if name else error.what,
        where=str(place(node.site) or ""),
        why=error.why,
        fix=error.fix,
    )
    refusal.gradient = error.gradient
    return refusal


def _freed(node: Node) -> GraphError:
    return GraphError(
        f"the graph of {describe(node)} was freed",
        why="backward(keep_graph=False) drops each node as it goes",
        fix="Leave keep_graph=False out, or run the forward pass again.",
    )


def _refuse_overwritten(node: Node) -> None:
    """Refuse to undo an op of whose values one was written in place since."""
    for x, value in zip((node, *node.inputs), node.values, strict=True):
        write = writes.last_write(value)
        if x is not None and write.time > node.birth:
            raise _overwritten(x, node, write)


def _overwritten(x: Node, node: Node, write: writes.Write) -> InPlaceError:
    name = title(x) or "a tensor"
    used = place(node.site)
    wrote = place(write.site)
    return InPlaceError(
        f"{name!r} was used by {node.op.name}{f' at {used}' if used else ''} "
        f"and written in place{f' at {wrote}' if wrote else ' afterwards'}",
        where=str(wrote or ""),
        why="the gradient needs the value that was used",
        fix=f"Write {name}.data = {name}.data - …, or {name} = {name} - ….",
    )


def first_gradient(root: Node, gradient: Any) -> Any:
    """The gradient to start from: 1 for a scalar, else what the caller gives."""
    if gradient is None:
        shape = root.shape
        if shape and root.size != 1:
            name = title(root) or "loss"
            raise ShapeError(
                f"backward() needs one number, but {name!r} has shape {root.shape}",
                where=", ".join(
                    filter(None, (str(place(root.site) or ""), root.op and root.op.name))
                ),
                why="only a single number has a gradient that is not a Jacobian",
                fix=f"Use {name}.sum() or {name}.mean(), or pass gradient= of shape {root.shape}.",
            )
        one = root.dtype.type(1)
        return np.full(shape, one) if shape else one
    if np.shape(gradient) != root.shape:
        raise ShapeError(
            f"gradient= has shape {np.shape(gradient)}, but {describe(root)} has {root.shape}",
            fix=f"Pass an array of shape {root.shape}.",
        )
    if type(gradient) in READERS:
        return gradient if gradient.dtype == root.dtype else cast(gradient, root.dtype)
    return np.asarray(gradient, root.dtype)
