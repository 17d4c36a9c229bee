"""NumPy's functions of numbers, one entry at a time, for single numbers and for lanes.

This file knows which instruction or function each ufunc is, and in which dtype it works. It does
not know arrays: whoever calls it walks through them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Op
from tinygrad_mlp.program.ir import Equation, Var
from tinygrad_mlp.program.native import elementary
from tinygrad_mlp.program.native.values import BOOL, DOUBLE, Book, Kind, NotNativeError, Value

__all__ = ["Entrywise", "converted", "entrywise", "folded"]

Entrywise = Callable[..., Value]
"""A function of a book and of values, one for each input."""


def converted(b: Book, x: Any, kind: Kind) -> Value:
    """A value or constant as another kind of number, as NumPy casts it, in as many lanes."""
    if not isinstance(x, Value):
        return b.constant(kind, x)
    if x.kind.lanes != kind.lanes:
        return b.spread(converted(b, x, Kind(kind.number)), kind.lanes)
    have, want = x.kind.number, kind.number
    if have == want:
        return x
    if want == "i1" and x.kind.floating:
        return b.compare("une", x, 0.0)
    if have == "i1" and kind.floating:
        return b.select(x, b.constant(kind, 1.0), b.constant(kind, 0.0))
    instruction = _CONVERSIONS.get((have, want))
    if instruction is None:
        raise NotNativeError(f"{have} as {want}")
    return b.turned(instruction, x, kind)


_CONVERSIONS = {
    ("float", "double"): "fpext",
    ("double", "float"): "fptrunc",
    ("i64", "double"): "sitofp",
    ("i64", "float"): "sitofp",
    ("i1", "i64"): "zext",
}


def entrywise(e: Equation) -> Entrywise | None:
    """What an equation does to each entry; None if it does not work entry by entry."""
    forward, name = e.op.forward, e.op.name
    if isinstance(forward, np.ufunc) and forward.signature is None and forward.nout == 1:
        name = forward.__name__
    elif name not in {"where", "constant_power", "cast"}:
        return None
    if name in _TESTS:
        return _comparison(_TESTS[name], _meeting(e))
    want = Kind.of_dtype(e.output.dtype)
    if name == "cast":
        return lambda b, x: converted(b, x, want.of_lanes(x))
    if name == "where":
        return _choice(want)
    if name == "constant_power" or (name == "power" and _is_fixed(e.inputs[1]) and want.floating):
        power = float(e.attrs["n"] if name == "constant_power" else e.inputs[1])
        return lambda b, x, *_: _power(b, converted(b, x, want.of_lanes(x)), power)
    table = _LOGICAL if want == BOOL else _OF_INTEGERS if want.number == "i64" else _OF_NUMBERS
    if name not in table:
        raise NotNativeError(f"{name} of {e.output.dtype}")
    compute = table[name]
    return lambda b, *xs: compute(b, *_alike(b, xs, want))


def _is_fixed(x: Any) -> bool:
    """Whether it is one number that never changes."""
    return type(x) is not Var and np.ndim(x) == 0


def _alike(b: Book, xs: tuple[Any, ...], want: Kind) -> list[Value]:
    """Operands in the dtype of the result, and as many lanes as the widest of them."""
    lanes = max((x.kind.lanes for x in xs if isinstance(x, Value)), default=1)
    return [converted(b, x, Kind(want.number, lanes)) for x in xs]


def _meeting(e: Equation) -> Kind:
    """The dtype in which two operands are compared: Python's numbers have none of their own."""
    dtypes = []
    for x in e.inputs:
        value = x.value if type(x) is Var else x
        if not isinstance(value, float | int):
            dtypes.append(value.dtype)
    if not dtypes:
        return DOUBLE
    numbers = [x for x in e.inputs if isinstance(x, float | int)]
    return Kind.of_dtype(np.result_type(*dtypes, *numbers))


def _comparison(tests: tuple[str, str], kind: Kind) -> Entrywise:
    def compare(b: Book, *xs: Any) -> Value:
        x, y = _alike(b, xs, kind)
        return b.compare(tests[not kind.floating], x, y)

    return compare


def _choice(want: Kind) -> Entrywise:
    def choose(b: Book, test: Any, *xs: Any) -> Value:
        x, y = _alike(b, (*xs, test), want)[:2]
        lanes = x.kind.lanes
        return b.select(converted(b, test, Kind("i1", lanes)), x, y)

    return choose


def _power(b: Book, x: Value, n: float) -> Value:
    """A constant power; those that NumPy does not leave to ``pow`` are written out."""
    if n == 2:
        return b.mul(x, x)
    if n == -1:
        return b.div(1.0, x)
    if n == 0.5:
        return b.intrinsic("sqrt", x)
    return b.intrinsic("pow", x, n)


def _extreme(test: str) -> Entrywise:
    """The larger or smaller of two; a NaN on either side comes through."""

    def extreme(b: Book, x: Value, y: Value) -> Value:
        number = _is_number(x)
        if number or _is_number(y):
            limit, x = (x, y) if number else (y, x)
            return b.select(b.compare(test, limit, x), limit, x)
        best = b.select(b.compare(test, x, y), x, y)
        return b.select(b.compare("uno", x, x), x, best)

    return extreme


def _is_number(x: Value) -> bool:
    """Whether it is a constant, and not NaN."""
    return not x.text and not x.name.startswith("%") and "FF8" not in x.name


def _sign(b: Book, x: Value) -> Value:
    """±1, and 0 or NaN where the number is one."""
    other = b.select(b.compare("oeq", x, 0.0), 0.0, x)
    y = b.select(b.compare("olt", x, 0.0), -1.0, other)
    return b.select(b.compare("ogt", x, 0.0), 1.0, y)


def _intrinsic(name: str) -> Entrywise:
    return lambda b, *xs: b.intrinsic(name, *xs)


def _elementary(name: str) -> Entrywise:
    return lambda b, *xs: elementary.call(b, name, *xs)


def _bits(instruction: str) -> Entrywise:
    return lambda b, *xs: b.whole(instruction, *xs)


_OF_NUMBERS: dict[str, Entrywise] = {
    "add": Book.add,
    "subtract": Book.sub,
    "multiply": Book.mul,
    "divide": Book.div,
    "negative": Book.neg,
    "positive": lambda _, x: x,
    "reciprocal": lambda b, x: b.div(1.0, x),
    "square": lambda b, x: b.mul(x, x),
    "absolute": _intrinsic("fabs"),
    "fabs": _intrinsic("fabs"),
    "sqrt": _intrinsic("sqrt"),
    "sin": _intrinsic("sin"),
    "cos": _intrinsic("cos"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "trunc": _intrinsic("trunc"),
    "rint": _intrinsic("roundeven"),
    "power": _intrinsic("pow"),
    "float_power": _intrinsic("pow"),
    "sign": _sign,
    "maximum": _extreme("ogt"),
    "minimum": _extreme("olt"),
    **{name: _elementary(name) for name in elementary.FUNCTIONS},
}  # fmt: skip
_OF_INTEGERS: dict[str, Entrywise] = {
    "add": _bits("add"),
    "subtract": _bits("sub"),
    "multiply": _bits("mul"),
}
_LOGICAL: dict[str, Entrywise] = {
    "logical_and": _bits("and"),
    "logical_or": _bits("or"),
    "logical_xor": _bits("xor"),
    "logical_not": lambda b, x: b.whole("xor", x, True),
    "bitwise_and": _bits("and"),
    "bitwise_or": _bits("or"),
    "invert": lambda b, x: b.whole("xor", x, True),
}
_TESTS = {
    "greater": ("ogt", "sgt"),
    "greater_equal": ("oge", "sge"),
    "less": ("olt", "slt"),
    "less_equal": ("ole", "sle"),
    "equal": ("oeq", "eq"),
    "not_equal": ("une", "ne"),
}


def folded(op: Op, dtype: Any) -> Entrywise | None:
    """What gathers two entries in a reduction; None if the op is none."""
    name, _, method = op.name.partition(".")
    if method != "reduce":
        return None
    table = _LOGICAL if np.dtype(dtype) == bool else _OF_NUMBERS
    if name not in {"add", "multiply", "maximum", "minimum", "logical_and", "logical_or"}:
        raise NotNativeError(op.name)
    if name not in table:
        raise NotNativeError(f"{op.name} of {dtype}")
    return table[name]
