"""Code: an array and the Python expression that computes it.

This file knows how expressions of Python are written: precedence, parentheses, literals. It knows
no op: an op's own forward function is run on `Code`, and what it does to an array is written down.
So the line that is generated is the line that computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.ops import Array, Attrs, Op
from tinygrad_mlp.program.lookalike import OPERATORS, Lookalike, Touch, done, unwrapped

__all__ = ["ATOM", "LOWEST", "Code", "literal", "uniform", "written"]

LOWEST, COMPARE, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)

_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": PRODUCT, "**": POWER}
_SIGNS = {ufunc: sign for sign, ufunc in OPERATORS.items() if sign != "**"}


class Code(Lookalike):
    """An expression with the array that it gave while the step was recorded.

    Args:
        template: The expression, with ``{0}`` where its first part goes.
        parts: The parts: code, arrays, numbers.
        like: The array itself.
        level: How tightly Python binds the expression.
        slots: What each part must bind at least; the last one serves the rest.
    """

    __slots__ = ("effects", "level", "like", "name", "parts", "slots", "template")

    def __init__(
        self,
        template: str,
        parts: tuple[Any, ...],
        like: Array,
        level: int = ATOM,
        slots: tuple[int, ...] = (LOWEST,),
    ) -> None:
        self.template, self.parts, self.like = template, parts, like
        self.level, self.slots = level, slots
        self.name = ""
        self.effects: list[tuple[str, tuple[Any, ...]]] = []

    def touched(self, touch: Touch) -> Any:  # noqa: C901, PLR0911 - one case for each kind
        """Note the expression."""
        args, what = touch.args, touch.what
        if touch.kind == "ufunc" and what in _SIGNS and len(args) == 2 and not touch.kwargs:
            touch = Touch("infix", what := _SIGNS[what], args, {})
        like = done(touch)
        match touch.kind:
            case "infix":
                return infix(what, args, like)
            case "ufunc" if what is np.negative and not touch.kwargs:
                return Code("-{0}", args, like, SIGN, (SIGN,))
            case "negative":
                return Code("-{0}", args, like, SIGN, (SIGN,))
            case "attribute":
                return Code(f"{{0}}.{what}", args, like, ATOM, (ATOM,))
            case "item" | "set":
                key = args[1] if isinstance(args[1], tuple) else (args[1],)
                key = tuple(_Cut(item) if isinstance(item, slice) else item for item in key)
                text = f"{{0}}[{_holes(1, len(key)) or '()'}]"
                if touch.kind == "item":
                    return Code(text, (self, *key), like, ATOM, (ATOM, LOWEST))
                self.effects.append((f"{text} = {{{len(key) + 1}}}", (self, *key, args[2])))
                return None
            case "at":
                text = f"np.{what.__name__}.at({_holes(0, len(args))})"
                args[0].effects.append((text, args))
                return None
            case "method":
                return _call(f"{{0}}.{what}", like, args[1:], touch.kwargs, args[0])
            case "reduce" | "accumulate" | "outer":
                return _call(f"np.{what.__name__}.{touch.kind}", like, args, touch.kwargs)
            case _:
                return _call(f"{_home(what)}.{what.__name__}", like, args, touch.kwargs)


class _Cut(NamedTuple):
    """A slice between brackets, where it is written with colons."""

    within: slice


def infix(sign: str, args: tuple[Any, ...], like: Array) -> Code:
    """``a sign b``; a product on the right of a product stays in parentheses: order matters."""
    level = _LEVELS.get(sign, COMPARE)
    tight = sign == "**" or level == COMPARE
    a, b = _plain(args)
    return Code(f"{{0}} {sign} {{1}}", (a, b), like, level, (level + tight, level + (not tight)))


def _plain(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers beside arrays of their own dtype as Python numbers: ``2.0 * d``, the same bits."""
    kinds = {x.dtype for x in args if isinstance(x, Code) and hasattr(x.like, "dtype")}
    return tuple(
        x.item()
        if isinstance(x, np.ndarray | np.generic) and x.ndim == 0 and {x.dtype} == kinds
        else x
        for x in args
    )


def _holes(start: int, count: int) -> str:
    return ", ".join(f"{{{start + i}}}" for i in range(count))


def _home(function: Any) -> str:
    module = getattr(function, "__module__", "numpy") or "numpy"
    return "np" + module.removeprefix("numpy") if module.startswith("numpy") else "np"


def _call(
    head: str, like: Array, args: Any, kwargs: dict[str, Any], owner: Code | None = None
) -> Code:
    parts: list[Any] = [] if owner is None else [owner]
    texts = []
    for key, value in [*((None, a) for a in _plain(tuple(args))), *kwargs.items()]:
        texts.append(f"{key}={{{len(parts)}}}" if key else f"{{{len(parts)}}}")
        parts.append(value)
    slots = (LOWEST,) if owner is None else (ATOM, LOWEST)
    return Code(f"{head}({', '.join(texts)})", tuple(parts), like, ATOM, slots)


def written(op: Op, inputs: tuple[Any, ...], attrs: Attrs) -> Any:
    """The code of one op: its forward function, run on code."""
    if not any(isinstance(x, Code) for x in inputs):
        return op.forward(*inputs, **attrs)
    inputs = tuple(
        Code("{0}", (x,), x) if isinstance(x, np.ndarray) and x.ndim else x for x in inputs
    )
    with np.errstate(all="ignore"):
        if isinstance(op.forward, np.ufunc):
            first = next(x for x in inputs if isinstance(x, Code))
            return first.touched(Touch("ufunc", op.forward, inputs, dict(attrs)))
        return unwrapped(op.forward(*inputs, **attrs))


def literal(x: Any, level: int, name_array: Callable[[Array], str]) -> str:  # noqa: PLR0911
    """A constant as Python.

    Args:
        x: A number, slice, dtype, array…
        level: How tightly it must bind.
        name_array: Gives a name to an array that is too large to stand in a line.
    """
    if isinstance(x, slice):
        return f"slice({x.start}, {x.stop}, {x.step})"
    if isinstance(x, _Cut):
        parts = ["" if n is None else str(n) for n in (x.within.start, x.within.stop)]
        return ":".join(parts) + ("" if x.within.step is None else f":{x.within.step}")
    if x is Ellipsis:
        return "..."
    if isinstance(x, np.dtype):
        return _dtype(x)
    if isinstance(x, type) and issubclass(x, np.generic):
        return _dtype(np.dtype(x))
    if isinstance(x, np.ndarray | np.generic):
        return _small(x) or name_array(x)
    return _number(x, level)


def _small(x: Array) -> str:
    """An array that fits into a line; else nothing."""
    if x.ndim == 0:
        return f"{_dtype(x.dtype)}({_number(x.item(), LOWEST)})"
    if x.size == 0:
        return f"np.zeros({x.shape}, dtype={_dtype(x.dtype)})"
    if x.size > 16 or not (x.dtype.kind in "biu" or np.isfinite(x).all()):
        return ""
    return uniform(x) or f"np.array({x.tolist()!r}, dtype={_dtype(x.dtype)})"


def uniform(x: Array) -> str:
    """An array of one number again and again as Python, the same bits; else nothing.

    >>> uniform(np.ones((2, 3))), uniform(np.full(4, 0.25, np.float32)), uniform(np.arange(2))
    ('np.ones((2, 3))', 'np.full(4, 0.25, dtype=np.float32)', '')
    """
    if not x.size or x.tobytes() != x.size * (first := x.reshape(-1)[0]).tobytes():
        return ""
    if not np.isfinite(first):
        return ""
    shape = x.shape[0] if x.ndim == 1 else x.shape
    kind = "" if x.dtype == np.float64 else f", dtype={_dtype(x.dtype)}"
    if first == 1:
        return f"np.ones({shape}{kind})"
    return f"np.full({shape}, {_number(first.item(), LOWEST)}{kind})"


def _dtype(dtype: Any) -> str:
    return "np.bool_" if dtype.kind == "b" else f"np.{dtype.name}"


def _number(x: Any, level: int) -> str:
    if isinstance(x, float) and not np.isfinite(x):
        text = "np.nan" if x != x else "np.inf" if x > 0 else "-np.inf"  # noqa: PLR0124
    else:
        text = repr(x)
    return f"({text})" if text.startswith("-") and level > SUM else text
