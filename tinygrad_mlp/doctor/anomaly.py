"""``detect_anomaly``: stop at the first value or gradient that is no finite number.

This file knows how to look on while ops are recorded and rules run, as a watcher (`cells`) for
the time of a block and for its thread. So nothing is looked at, and nothing costs anything,
outside such a block. Programs that are compiled already run without being looked at.
"""

from __future__ import annotations

import gc
import linecache
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, Self

import numpy as np

from tinygrad_mlp import cells
from tinygrad_mlp.doctor.nonfinite import (
    Culprit,
    edge_culprit,
    finite,
    first_bad,
    op_culprit,
    plain,
    quoted,
    shown,
)
from tinygrad_mlp.errors import AnomalyError
from tinygrad_mlp.graph import Node, ancestors, names, title
from tinygrad_mlp.ops import Array, Attrs, Op
from tinygrad_mlp.origin import Place, place
from tinygrad_mlp.tensor import Tensor

__all__ = ["detect_anomaly"]


class detect_anomaly(ContextDecorator):
    """Raise at the first infinity or NaN, in the forward or the backward pass.

    In the block every op's result is looked at, and every gradient on every edge: two to three
    times slower. NumPy's own warnings of overflow and the like are silent in it.

    Raises:
        AnomalyError: Names the op, the element, the line, the inputs, and what to write instead.

    >>> import numpy as np, tinygrad_mlp as tg
    >>> x = tg.Tensor([4.0, 0.0], requires_grad=True, name="x")
    >>> with tg.detect_anomaly():
    ...     np.sqrt(x).sum().backward()
    Traceback (most recent call last):
    ...
    tinygrad_mlp.errors.AnomalyError: backward of sqrt: the gradient of 'x' is inf at [1]...
    """

    def __init__(self) -> None:
        self._ends: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        # A step that is being captured has no numbers to look at.
        self._ends.append((lambda: None) if cells.capturing() else cells.watch(_Looking()))
        return self

    def __exit__(self, *exc: object) -> None:
        self._ends.pop()()


class _Looking(cells.Watcher):
    """Looks at every result and every gradient."""

    def apply(self, op: Op, inputs: tuple[Array, ...], values: list[Array], attrs: Attrs) -> Array:
        with np.errstate(all="ignore"):
            return op.apply(values, attrs)

    def recorded(self, node: Tensor, op: Op, inputs: tuple[Array, ...]) -> None:
        if not finite(node):
            raise _in_forward(op, node, inputs)

    def pulling(self, pullback: Callable[..., Array]) -> Callable[..., Array]:
        def looking(op: Op, i: int, g: Array, values: tuple[Array, ...], attrs: Attrs) -> Array:
            bad: AnomalyError | None = None
            gradient: Array = None
            try:
                with np.errstate(all="ignore"):
                    gradient = pullback(op, i, g, values, attrs)
            except AnomalyError as error:  # a rule that is itself recorded (create_graph=True)
                bad = error
            if bad is None and finite(gradient):
                return gradient
            raise _in_backward(op, i, g, values, attrs) or bad or _somewhere(op, gradient)

        return looking


def _in_forward(op: Op, node: Tensor, inputs: tuple[Array, ...]) -> AnomalyError:
    """The error for an op whose result is not finite."""
    spot = place(node.site)
    called = _called(inputs)
    for name, x in zip(called, inputs, strict=True):
        if not finite(x):
            index = first_bad(x)
            error = AnomalyError(
                f"{quoted(name)} is {shown(plain(x)[index])} at {list(index)} "
                f"before {op.name} reads it",
                where=str(spot or ""),
                why="it was given so, or computed outside detect_anomaly()",
                fix="Look at the data with np.isfinite, or put the block around more.",
            )
            return _with(error, index, inputs, backward=False)
    found = op_culprit(op, node.data, inputs, called, guarded=_guarded(spot))
    error = AnomalyError(
        f"{op.name} gives {shown(found.value)} at {list(found.index)}",
        where=str(spot or ""),
        why=found.because,
        fix=found.fix,
    )
    return _with(error, found.index, inputs, backward=False)


def _guarded(spot: Place | None) -> bool:
    """Whether the user's line hides elements by `where`."""
    return spot is not None and "where(" in linecache.getline(spot.file, spot.line)


def _in_backward(
    op: Op, i: int, g: Array, values: tuple[Array, ...], attrs: Attrs
) -> AnomalyError | None:
    """The error for a rule whose gradient is not finite."""
    node = _node_of(values)
    if node is None:
        return None
    before = [n for n in ancestors(node, through_constants=True) if not finite(n)]
    spot = place(node.site)
    if before:
        index = first_bad(before[0])
        error = AnomalyError(
            f"{title(before[0]) or 'a tensor'} is {shown(plain(before[0])[index])} at "
            f"{list(index)} in the forward pass",
            where=str(place(before[0].site) or ""),
            why="its gradient cannot be finite",
            fix="Put the forward pass into the block too.",
        )
        return _with(error, index, values[1:], backward=False)
    if not finite(g):
        return None
    known = names(ancestors(node, through_constants=True))
    called = [known[x.birth] if x is not None else f"input {k}" for k, x in enumerate(node.inputs)]
    found = edge_culprit(op, i, g, values, attrs, names=called)
    return None if found is None else _edge_error(found, called[i], spot, values)


def _edge_error(
    found: Culprit, name: str, spot: Place | None, values: tuple[Array, ...]
) -> AnomalyError:
    error = AnomalyError(
        f"backward of {found.op.name}: the gradient of {quoted(name)} is {shown(found.value)} "
        f"at {list(found.index)}",
        where=str(spot or ""),
        why=found.because,
        fix=found.fix,
    )
    return _with(error, found.index, tuple(plain(v) for v in values[1:]), backward=True)


def _with(
    error: AnomalyError, index: tuple[int, ...], inputs: tuple[Any, ...], *, backward: bool
) -> AnomalyError:
    error.index, error.inputs, error.backward = index, inputs, backward
    return error


def _somewhere(op: Op, gradient: Array) -> AnomalyError:
    """The error when no more can be found out: what arrived was wrong already."""
    return AnomalyError(
        f"backward of {op.name}: a gradient is {shown(plain(gradient)[first_bad(gradient)])}",
        why="what arrived there was not finite",
        fix="Look at the loss and at gradient=.",
    )


def _node_of(values: tuple[Array, ...]) -> Node | None:
    """The node whose values these are. Slow, and only asked when something is wrong."""
    if isinstance(values[0], Tensor):
        return values[0]
    return next(
        (x for x in gc.get_objects() if issubclass(type(x), Tensor) and _has_values(x, values)),
        None,
    )


def _has_values(x: Tensor, values: tuple[Array, ...]) -> bool:
    return getattr(x, "values", None) is values


def _called(inputs: tuple[Array, ...]) -> list[str]:
    """What the inputs of an op are called."""
    return [
        (title(x) if isinstance(x, Tensor) else None) or f"input {k}" for k, x in enumerate(inputs)
    ]
