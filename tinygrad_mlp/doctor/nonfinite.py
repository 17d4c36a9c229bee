"""Where infinity and NaN come from: the element, the op, its slope, and what to write instead.

This file knows how to find the first value that is no finite number, and what is said of the
ops that make them. Derivatives it asks of `pullback`; it states none. `why` and `detect_anomaly`
tell their findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.doctor.kinds import EDGES
from tinygrad_mlp.ops import Array, Attrs, Op

__all__ = ["Culprit", "edge_culprit", "finite", "first_bad", "op_culprit", "shown"]


@dataclass(frozen=True, slots=True)
class Culprit:
    """One element that is no finite number, and how it came to be.

    Attributes:
        op: The op.
        index: Where in the array.
        value: What is there.
        because: One clause of mathematics.
        fix: What to write instead.
        backward: Whether it is a gradient.
    """

    op: Op
    index: tuple[int, ...]
    value: float
    because: str
    fix: str
    backward: bool


def plain(x: Array) -> Array:
    """The array of whatever stands in an array's place."""
    return np.asarray(x.data if hasattr(x, "backward") else x)


def finite(x: Array) -> bool:
    """Whether there is no infinity and no NaN in it."""
    array = plain(x)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def first_bad(x: Array) -> tuple[int, ...]:
    """The index of the first element that is no finite number."""
    return tuple(int(i) for i in np.argwhere(~np.isfinite(plain(x)))[0])


def shown(number: float) -> str:
    """A number in a sentence."""
    return f"{float(number):.6g}"


def quoted(name: str) -> str:
    """A name in a sentence."""
    return name if name.startswith("input ") else repr(name)


def code(name: str) -> str:
    """A name in a line to paste."""
    return name if name.isidentifier() else "x"


def op_culprit(
    op: Op, y: Array, inputs: Sequence[Array], names: Sequence[str], *, guarded: bool
) -> Culprit:
    """What is said of an op whose inputs are finite and whose output is not.

    Args:
        op: The op.
        y: What it gave.
        inputs: What it was given.
        names: What the inputs are called.
        guarded: Whether the user hides some elements by `where`.
    """
    y = plain(y)
    index = first_bad(y)
    at = [_at(x, index, y.shape) for x in inputs]
    value = float(y[index])
    facts = ", ".join(
        f"{quoted(name)} is {shown(x)}" for name, x in zip(names, at, strict=True) if x is not None
    )
    because, fix = _forward_words(op.name, at, names)
    if guarded and op.name in EDGES:
        fix = _double_where(op.name, names)
    return Culprit(op, index, value, " and ".join(filter(None, (facts, because))), fix, False)


def _at(x: Array, index: tuple[int, ...], shape: tuple[int, ...]) -> float | None:
    """The element of an input that belongs to an element of the output, if one does."""
    array = plain(x)
    try:
        return float(np.broadcast_to(array, shape)[index])
    except ValueError:
        return None


STABLE = (
    "For 1 / (1 + np.exp(-x)) use F.sigmoid(x), for np.log(1 + np.exp(x)) F.softplus(x), "
    "for np.exp(x) / np.exp(x).sum() F.softmax(x): they are stable."
)


def _forward_words(op: str, at: Sequence[float | None], names: Sequence[str]) -> tuple[str, str]:
    """Why an op gives no finite number there, and what to write instead."""
    x = at[0] if at else None
    name = code(names[0]) if names else "x"
    if op in {"exp", "exp2", "expm1"}:
        return (
            f"{op} of that is larger than the largest number (overflow)",
            STABLE,
        )
    if op in {"log", "log2", "log10"} and x is not None:
        reason = "the logarithm of 0 is −inf" if x == 0 else "a negative number has no logarithm"
        return reason, f"Use np.{op}(np.maximum({name}, 1e-12)), or a loss that takes logits."
    if op == "sqrt":
        return "a negative number has no square root", f"Use np.sqrt(np.maximum({name}, 0))."
    if op in {"div", "reciprocal"}:
        return "a division by 0", f"Divide by ({code(names[-1])} + 1e-12)."
    if op in {"power", "constant_power"}:
        return "that power is not defined there", f"Use np.maximum({name}, 1e-12) as the base."
    return "the result is too large (overflow), or not defined", "Scale the inputs down."


def _double_where(op: str, names: Sequence[str]) -> str:
    """The rewrite that keeps a hidden element from spoiling the gradient."""
    condition = EDGES[op]
    x = code(names[1] if op == "div" else names[0])
    safe = f"np.where({x} {condition}, {x}, 1)"
    call = {
        "div": f"{code(names[0])} / {safe}",
        "power": f"{safe} ** n",
        "constant_power": f"{safe} ** n",
    }.get(op, f"np.{op}({safe})")
    return (
        "Both sides of where() are computed: give what it hides a harmless value first, "
        f"np.where({x} {condition}, {call}, 0)."
    )


def edge_culprit(
    op: Op, i: int, g: Array, values: Sequence[Array], attrs: Attrs, *, names: Sequence[str]
) -> Culprit | None:
    """What is said of a rule whose gradient is not finite, although all that it read is.

    Args:
        op: The op.
        i: The number of the input.
        g: The gradient that arrives.
        values: The output, then the inputs.
        attrs: The op's attributes.
        names: What the inputs are called.
    """
    arrays = tuple(plain(v) for v in values)
    g = plain(g)
    with np.errstate(all="ignore"):
        gradient = plain(pullback(op, i, g, arrays, attrs))
        if finite(gradient):
            return None
        slope = plain(pullback(op, i, np.ones_like(arrays[0]), arrays, attrs))
    index = first_bad(gradient)
    x, name = arrays[i + 1], names[i]
    because = f"{quoted(name)} is {shown(x[index])} there, where the slope of {op.name} is "
    because += shown(slope[index])
    hidden = g.shape == x.shape and g[index] == 0
    if hidden:
        because += ", and the gradient that arrives is 0: 0 · inf is nan"
    elif np.isfinite(slope[index]):
        because += ", and the product with the gradient that arrives is too large"
    if op.name in EDGES:
        fix = _double_where(op.name, names)
        if not hidden:
            fix = f"Keep away from there: np.maximum({code(name)}, 1e-12)."
    else:
        fix = "Scale the loss or the inputs down, or clip the gradients."
    return Culprit(op, index, float(gradient[index]), because, fix, True)
