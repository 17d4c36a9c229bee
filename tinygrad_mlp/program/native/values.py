"""Values: numbers that native code computes, each written down once as an instruction of LLVM's.

This file knows types, constants, names and instructions. A value may be one number or several
lanes of a vector: what is done to it is written the same way. It does not know programs nor ufuncs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple, NoReturn

import numpy as np

__all__ = ["BOOL", "DOUBLE", "FLOAT", "INT", "Book", "Kind", "NotNativeError", "Value"]


class NotNativeError(Exception):
    """The program does something that the native form cannot say."""


class Kind(NamedTuple):
    """The type of a value: a number, or so many lanes of one.

    Attributes:
        number: ``double``, ``float``, ``i64``, ``i32`` or ``i1``.
        lanes: How many of them.
    """

    number: str
    lanes: int = 1

    def __str__(self) -> str:
        return self.number if self.lanes == 1 else f"<{self.lanes} x {self.number}>"

    def of(self, number: str) -> Kind:
        """As many lanes of another number."""
        return Kind(number, self.lanes)

    def of_lanes(self, x: Any) -> Kind:
        """This number in as many lanes as a value has."""
        return Kind(self.number, x.kind.lanes if isinstance(x, Value) else self.lanes)

    @property
    def bits(self) -> Kind:
        """The integers of the same width."""
        return self.of("i64" if self.number in {"double", "i64"} else "i32")

    @property
    def suffix(self) -> str:
        """How an intrinsic of this type is called: ``f64``, ``v8f64``."""
        short = {"double": "f64", "float": "f32"}.get(self.number, self.number)
        return short if self.lanes == 1 else f"v{self.lanes}{short}"

    @property
    def floating(self) -> bool:
        """Whether it is a number with a fraction."""
        return self.number in {"double", "float"}

    @staticmethod
    def of_dtype(dtype: Any) -> Kind:
        """The kind of the numbers of an array.

        Raises:
            NotNativeError: If native code has no such numbers.
        """
        found = _KINDS.get(np.dtype(dtype))
        if found is None:
            raise NotNativeError(f"numbers of {dtype}")
        return found


DOUBLE, FLOAT, INT, BOOL = Kind("double"), Kind("float"), Kind("i64"), Kind("i1")
_KINDS = {np.dtype("f8"): DOUBLE, np.dtype("f4"): FLOAT, np.dtype("i8"): INT, np.dtype("?"): BOOL}


class Value:
    """A number, or lanes of numbers: a constant, something given, or what an instruction gives."""

    __slots__ = ("args", "book", "kind", "name", "text")

    def __init__(self, book: Book, kind: Kind, text: str, args: tuple[Value, ...] = ()) -> None:
        self.book, self.kind, self.text, self.args = book, kind, text, args
        self.name = ""

    def __add__(self, other: Any) -> Value:
        return self.book.add(self, other)

    def __radd__(self, other: Any) -> Value:
        return self.book.add(other, self)

    def __sub__(self, other: Any) -> Value:
        return self.book.sub(self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.book.sub(other, self)

    def __mul__(self, other: Any) -> Value:
        return self.book.mul(self, other)

    def __rmul__(self, other: Any) -> Value:
        return self.book.mul(other, self)

    def __truediv__(self, other: Any) -> Value:
        return self.book.div(self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.book.div(other, self)

    def __neg__(self) -> Value:
        return self.book.neg(self)

    def _decides(self, *_: Any) -> NoReturn:
        raise NotNativeError("a value decides what happens next")

    __bool__ = __float__ = __int__ = __index__ = __lt__ = __gt__ = _decides
    __hash__: ClassVar[Any] = object.__hash__


class Book:
    """The instructions of one function, in order.

    Args:
        largest: How many there may be.
    """

    def __init__(self, largest: int = 1 << 30) -> None:
        self.order: list[Value | list[str]] = []
        self.largest = largest
        self.taken: dict[str, int] = {}
        self.declared: set[str] = set()
        self.helpers: dict[str, Kind] = {}  # functions of `elementary` that are called
        self._constants: dict[tuple[Kind, str], Value] = {}
        self._known: dict[tuple[Any, ...], Value] = {}

    # -- making values -----------------------------------------------------------------------

    def given(self, kind: Kind, name: str) -> Value:
        """Something that is defined elsewhere: an argument, what was loaded."""
        value = Value(self, kind, "")
        value.name = f"%{self.fresh(name)}"
        return value

    def constant(self, kind: Kind, number: Any) -> Value:
        """A number, in every lane."""
        text = literal(kind, number)
        found = self._constants.get((kind, text))
        if found is None:
            found = self._constants[kind, text] = Value(self, kind, "")
            found.name = text if kind.lanes == 1 else f"splat ({kind.number} {text})"
        return found

    def note(self, *texts: str) -> None:
        """Comments that stand before what comes next."""
        self.order.append([f"; {text}" for text in texts])

    def put(self, kind: Kind, text: str, *args: Value) -> Value:
        """The result of an instruction; ``{0}`` in its text is its first operand.

        The same instruction on the same operands is the same value.
        """
        key = (text, *map(id, args))
        known = self._known.get(key)
        if known is not None:
            return known
        if len(self.order) >= self.largest:
            raise NotNativeError("too many operations")
        value = self._known[key] = Value(self, kind, text, args)
        self.order.append(value)
        return value

    def fresh(self, name: str) -> str:
        """A name that nothing else has."""
        count = self.taken[name] = self.taken.get(name, 0) + 1
        return name if count == 1 else self.fresh(f"{name}_{count}")

    # -- arithmetic --------------------------------------------------------------------------

    def _both(self, a: Any, b: Any) -> tuple[Value, Value]:
        kind = a.kind if isinstance(a, Value) else b.kind
        a, b = (x if isinstance(x, Value) else self.constant(kind, x) for x in (a, b))
        if a.kind != b.kind or not kind.floating:
            raise NotNativeError(f"{a.kind} beside {b.kind}")
        return a, b

    def _binary(self, instruction: str, a: Any, b: Any) -> Value:
        a, b = self._both(a, b)
        return self.put(a.kind, f"{instruction} {a.kind} {{0}}, {{1}}", a, b)

    def add(self, a: Any, b: Any) -> Value:
        """``a + b``."""
        return self._binary("fadd", a, b)

    def sub(self, a: Any, b: Any) -> Value:
        """``a - b``."""
        return self._binary("fsub", a, b)

    def mul(self, a: Any, b: Any) -> Value:
        """``a b``, or the other factor where one is 1."""
        x, y = self._both(a, b)
        one = self.constant(x.kind, 1.0)
        if one in {x, y}:
            return y if x is one else x
        return self._binary("fmul", x, y)

    def div(self, a: Any, b: Any) -> Value:
        """``a / b``."""
        return self._binary("fdiv", a, b)

    def neg(self, a: Value) -> Value:
        """``-a``."""
        if not a.kind.floating:
            raise NotNativeError(f"-{a.kind}")
        return self.put(a.kind, f"fneg {a.kind} {{0}}", a)

    def fma(self, a: Any, b: Any, c: Any) -> Value:
        """``a b + c``, rounded once where the processor can."""
        return self.intrinsic("fmuladd", a, b, c)

    def compare(self, test: str, a: Any, b: Any) -> Value:
        """A comparison: ``oeq``, ``une``, ``olt`` and so on; of integers ``eq``, ``slt``."""
        kind = a.kind if isinstance(a, Value) else b.kind
        a, b = (x if isinstance(x, Value) else self.constant(kind, x) for x in (a, b))
        word = "fcmp" if kind.floating else "icmp"
        return self.put(kind.of("i1"), f"{word} {test} {kind} {{0}}, {{1}}", a, b)

    def select(self, test: Value, a: Any, b: Any) -> Value:
        """`a` where the test holds, else `b`."""
        kind = a.kind if isinstance(a, Value) else b.kind
        a, b = (x if isinstance(x, Value) else self.constant(kind, x) for x in (a, b))
        text = f"select {test.kind} {{0}}, {kind} {{1}}, {kind} {{2}}"
        return self.put(kind, text, test, a, b)

    def whole(self, instruction: str, a: Value, b: Any) -> Value:
        """An instruction on the bits of integers: ``add``, ``shl``, ``and``."""
        b = b if isinstance(b, Value) else self.constant(a.kind, b)
        return self.put(a.kind, f"{instruction} {a.kind} {{0}}, {{1}}", a, b)

    def turned(self, instruction: str, a: Value, kind: Kind) -> Value:
        """A conversion: ``bitcast``, ``fpext``, ``sitofp``."""
        return self.put(kind, f"{instruction} {a.kind} {{0}} to {kind}", a)

    def spread(self, a: Value, lanes: int) -> Value:
        """One number in so many lanes."""
        if a.kind.lanes == lanes:
            return a
        kind = Kind(a.kind.number, lanes)
        one = self.put(kind, f"insertelement {kind} poison, {a.kind} {{0}}, i32 0", a)
        text = f"shufflevector {kind} {{0}}, {kind} poison, <{lanes} x i32> zeroinitializer"
        return self.put(kind, text, one)

    def intrinsic(self, name: str, *args: Any) -> Value:
        """One of LLVM's own functions of floating point numbers."""
        kind = next(a.kind for a in args if isinstance(a, Value))
        values = tuple(a if isinstance(a, Value) else self.constant(kind, a) for a in args)
        function = f"@llvm.{name}.{kind.suffix}"
        self.declared.add(f"declare {kind} {function}({', '.join([str(kind)] * len(args))})")
        return self.call(kind, function, *values)

    def call(self, kind: Kind, function: str, *args: Value) -> Value:
        """What a function gives."""
        places = ", ".join(f"{a.kind} {{{i}}}" for i, a in enumerate(args))
        return self.put(kind, f"call {kind} {function}({places})", *args)

    # -- text --------------------------------------------------------------------------------

    def lines(self, ends: Iterable[Value]) -> list[str]:
        """The instructions that the ends need, with the notes above them."""
        live = self._live(ends)
        lines: list[str] = []
        notes: list[str] = []
        for value in self.order:
            if isinstance(value, list):
                notes = value
            elif id(value) in live:
                if notes:
                    lines += ["", *notes]
                    notes = []
                value.name = value.name or f"%{self.fresh('t')}"
                lines.append(f"{value.name} = {value.text.format(*(a.name for a in value.args))}")
        return lines

    def _live(self, ends: Iterable[Value]) -> set[int]:
        live: set[int] = set()
        waiting = list(ends)
        while waiting:
            value = waiting.pop()
            if id(value) not in live:
                live.add(id(value))
                waiting += value.args
        return live


def literal(kind: Kind, number: Any) -> str:
    """A number as LLVM writes it.

    >>> literal(DOUBLE, 0.1), literal(DOUBLE, 1e-9), literal(FLOAT, 0.5), literal(FLOAT, 0.1)
    ('0.1', '1.0e-09', '0.5', '0x3FB99999A0000000')
    """
    if kind.number == "i1":
        return "true" if number else "false"
    if not kind.floating:
        return str(int(number))
    with np.errstate(over="ignore"):
        exact = float(np.float32(number)) if kind.number == "float" else float(number)
    text = repr(exact)
    if np.isfinite(exact) and (kind.number == "double" or exact * 1024 == int(exact * 1024)):
        mantissa, _, exponent = text.partition("e")
        point = "" if "." in mantissa else ".0"
        return f"{mantissa}{point}{'e' + exponent if exponent else ''}"
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"
