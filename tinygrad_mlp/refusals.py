"""Refusals: what is said when NumPy refuses an op, and when a gradient has nowhere to go.

This file knows how shapes, names and the user's line are put into an error. It decides nothing:
whoever finds the mistake raises what these functions return.
"""

from __future__ import annotations

from textwrap import indent

import numpy as np

from tinygrad_mlp.errors import (
    GraphError,
    IndexingError,
    ShapeError,
    TinygradError,
    UsageError,
    aligned,
)
from tinygrad_mlp.graph import Node, cut, describe, title
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.origin import place, user_site

__all__ = ["refused", "unreachable"]


def refused(op: Op, inputs: tuple[Array, ...], error: Exception) -> Exception:
    """NumPy's complaint about an op, with the op and the operands named."""
    if isinstance(error, TinygradError):
        error.failed = error.failed or (op, inputs)
        return error
    kind: type[TinygradError] = ShapeError if isinstance(error, ValueError) else UsageError
    if isinstance(error, IndexError):
        kind = IndexingError
    named = [(_title(x, i), np.shape(x)) for i, x in enumerate(inputs)]
    why, fix = str(error), ""
    if isinstance(error, ValueError) and "broadcast" in why:
        why = "from the right, sizes must be equal or 1:\n" + indent(aligned(named), "    ") + "\n"
        fix = "Axes of size 1 come from t[:, None] or t.reshape(…)."
    elif "core dimension" in why and len(named) == 2:
        why, fix = _product(named)
    shapes = " and ".join(f"{name} {shape}" for name, shape in named)
    refusal = kind(f"{op.name} of {shapes}", where=str(place(user_site()) or ""), why=why, fix=fix)
    refusal.failed = (op, inputs)
    return refusal


def _product(named: list[tuple[str, tuple[int, ...]]]) -> tuple[str, str]:
    """Why two arrays have no matrix product, and what would give one."""
    (a, left), (b, right) = named
    why = f"the last axis of {a} ({left[-1]}) must be as long as "
    why += f"the {'first' if len(right) == 1 else 'second to last'} of {b} ({right[-2:][0]})"
    if len(right) > 1 and left[-1] == right[-1]:
        name = "t" if b.startswith("input ") else b[1:-1]
        return why, f"Use the transpose, {name}.mT."
    return why, ""


def _title(x: Array, i: int) -> str:
    """What the user calls an operand, if it can be known."""
    name = title(x) if hasattr(x, "site") else None
    return repr(name) if name else f"input {i}"


def unreachable(root: Node) -> GraphError:
    """The error for a backward pass that can reach nothing, with the place of the cut."""
    found = cut(root)
    if found is None:
        return GraphError(
            f"backward() on {describe(root)}",
            why="nothing that it was computed from needs a gradient",
            fix="Create the weights with requires_grad=True, outside no_grad().",
        )
    spot = place(root.site)
    return GraphError(
        f"{title(root) or 'the loss'} depends on no parameter",
        where=str(spot or ""),
        fix=f"The path was {found}.",
    )
