"""Scalars: a small program number by number, with its parameters in registers.

This file knows how every entry of every array becomes a value of its own. Structure (transposes,
products, sums) comes from running the ops' own forward functions on arrays of values, as NumPy's
arrays of objects; only functions of numbers are named, in `ufuncs`. One function runs any number
of steps: a single step is an epoch of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.buffers import Made
from tinygrad_mlp.program.ir import Equation, Program, Var
from tinygrad_mlp.program.naming import identifier
from tinygrad_mlp.program.native.module import (
    Module,
    Place,
    called,
    indented,
    place_of,
    stored,
)
from tinygrad_mlp.program.native.ufuncs import converted, entrywise, folded
from tinygrad_mlp.program.native.values import BOOL, Book, Kind, NotNativeError, Value
from tinygrad_mlp.program.printing import names_of

__all__ = ["LARGEST", "scalars"]

LARGEST = 2_000
"""How many operations are few."""


_WORDS = ("step", "epoch", "begin", "one", "end", "i", "count", "next", "more", "t")


class _Scalariser:
    def __init__(self, program: Program, made: Made) -> None:
        self.program, self.made = program, made
        self.book = Book(largest=8 * LARGEST)
        self.module = Module()
        for word in _WORDS:
            self.book.fresh(word)
        self.labels = {key: identifier(label) for key, label in names_of(program).items()}
        self.values: dict[int, Any] = {}
        self.followed: dict[int, Equation] = {}
        self.before: list[str] = []  # lines before the first step
        self.first: list[str] = []  # lines of each step: where its data are, and what they are
        self.last: list[str] = []  # lines of each step: its results
        self.after: list[str] = []  # lines after the last step

    def made_module(self) -> Module:
        """The module."""
        self._inputs()
        self._numbers()
        self._followed()
        state = self._state()
        before: dict[int, str] = {}
        for e, text in zip(self.program.equations, called(self.program), strict=True):
            if id(e.output) in self.followed:
                before[id(e.output)] = text
                continue
            self.book.note(*(before[id(x)] for x in e.inputs if id(x) in before), text)
            self._equation(e)
        outputs = [self._entries(v) for v in self.program.outputs]
        finals = [self._entries(v) for v in (c.after for r in self.made.regions for c in r.cells)]
        ends = [x for values in (*outputs, *finals) for x in values]
        lines = self.book.lines(ends)
        self.module.work = sum(map(_weight, lines))
        if self.module.work > LARGEST:
            raise NotNativeError("too many operations")
        self._results(outputs)
        self._settle(finals)
        carried = self._carried(state, [x for values in finals for x in values])
        self._write(carried, lines)
        self.module.helpers, self.module.declared = self.book.helpers, self.book.declared
        return self.module

    def _name(self, label: str) -> str:
        return self.book.fresh(identifier(label))

    # -- what is given -----------------------------------------------------------------------

    def _inputs(self) -> None:
        for v in self.program.inputs:
            name = self._name(v.name or "x")
            place = place_of(v, name, LARGEST)
            self.module.inputs.append(place)
            self.first += [
                f"%{name}.at = mul i64 %i, {place.size}",
                f"%{name}.here = getelementptr {place.kind}, ptr %{name}, i64 %{name}.at",
            ]
            self.values[id(v)] = self._loaded(place, f"%{name}.here", self.first)

    def _numbers(self) -> None:
        for cell in self.made.arguments:
            v: Any = cell.before
            place = place_of(v, self._name(cell.name), LARGEST)
            self.module.numbers.append(place)
            self.values[id(v)] = self._loaded(place, f"@{place.name}", self.before)

    def _state(self) -> list[Value]:
        """What the cells hold at the start of each step."""
        state: list[Value] = []
        for region in self.made.regions:
            name = self._name("memory")
            self.module.regions.append(name)
            self.before.append(f"%{name} = load ptr, ptr @{name}")
            for cell, _, _ in region.spans():
                kind = Kind.of_dtype(cell.after.dtype)
                array = self._atoms(cell.name, cell.after.shape, kind)
                state += array.ravel().tolist()
                if cell.before is not None:
                    self.values[id(cell.before)] = array if array.shape else array[()]
        return state

    def _atoms(self, name: str, shape: tuple[int, ...], kind: Kind) -> Array:
        array = np.empty(shape, object)
        for where in np.ndindex(shape):
            array[where] = self.book.given(kind, ".".join([identifier(name), *map(str, where)]))
        return array

    def _loaded(self, place: Place, pointer: str, lines: list[str]) -> Any:
        """The entries of an array in memory."""
        kind = Kind.of_dtype(place.dtype)
        array = self._atoms(place.name, place.shape, kind)
        for i, value in enumerate(array.ravel()):
            target = value.name if kind != BOOL else f"{value.name}.byte"
            lines += [
                f"{value.name}.at = getelementptr {place.kind}, ptr {pointer}, i64 {i}",
                f"{target} = load {place.kind}, ptr {value.name}.at",
            ]
            if kind == BOOL:
                lines.append(f"{value.name} = icmp ne i8 {target}, 0")
        return array if place.shape else array[()]

    def _followed(self) -> None:
        """Products that one sum follows, which begins with what is added to them."""
        uses: dict[int, list[Equation]] = {}
        for e in self.program.equations:
            for x in e.inputs:
                uses.setdefault(id(x), []).append(e)
        results = {id(v) for v in self.program.results}
        taken: set[int] = set()
        for e in self.program.equations:
            y, users = e.output, uses.get(id(e.output), [])
            if e.op.forward is not np.dot or not y.shape or len(users) != 1 or id(y) in results:
                continue
            (user,) = users
            if user.op.forward is np.add and user.output.shape == y.shape and id(user) not in taken:
                taken.add(id(user))
                self.followed[id(y)] = e

    # -- what is computed --------------------------------------------------------------------

    def _value(self, x: Any) -> Any:
        """An input as entries; constants stay numbers, since they adapt to what they meet."""
        if type(x) is Var:
            return self.values[id(x)]
        if isinstance(x, np.ndarray | np.generic):
            if x.size > LARGEST:
                raise NotNativeError("a large constant")
            return x.astype(object) if x.ndim else x.item()
        return x

    def _entries(self, v: Any) -> list[Value]:
        """The entries of a result, each a value."""
        kind = Kind.of_dtype(v.dtype if type(v) is Var else np.asarray(v).dtype)
        found = np.ravel(np.asarray(self._value(v), object))
        return [converted(self.book, x, kind) for x in found]

    def _equation(self, e: Equation) -> None:
        y = e.output
        if not e.pure or not 0 < y.size <= 4 * LARGEST:
            raise NotNativeError(e.op.name)
        kind = Kind.of_dtype(y.dtype)
        first = next((x for x in e.inputs if id(x) in self.followed), None)
        if first is None:
            result = self._computed(e, [self._value(x) for x in e.inputs], kind)
        else:
            result = self._continued(self.followed[id(first)], e, kind)
        if np.shape(result) != y.shape:
            raise NotNativeError(e.op.name)
        flat = [converted(self.book, x, kind) for x in np.ravel(np.asarray(result, object))]
        array = np.empty(y.shape, object)
        for where, value in zip(np.ndindex(y.shape), flat, strict=True):
            array[where] = value
            if not value.name:
                label = ".".join([self.labels[id(y)], *map(str, where)])
                value.name = f"%{self.book.fresh(label)}"
        self.values[id(y)] = array if y.shape else array[()]

    def _continued(self, product: Equation, e: Equation, kind: Kind) -> Any:
        """A sum that begins with what is added to a product."""
        other = next(x for x in e.inputs if x is not product.output)
        cast = _each(lambda x: converted(self.book, x, kind), 1)
        a, b, start = (cast(self._value(x)) for x in (*product.inputs, other))
        return _multiplied(self.book, a, b, np.broadcast_to(start, e.output.shape))

    def _computed(self, e: Equation, inputs: list[Any], kind: Kind) -> Any:
        """The numbers of one equation: an array of values, or a value."""
        each = entrywise(e)
        if each is not None:
            return _each(lambda *xs: each(self.book, *xs), len(inputs))(*inputs)
        gather = folded(e.op, e.output.dtype)
        if gather is not None:
            x = _each(lambda x: converted(self.book, x, kind), 1)(inputs[0])
            pair = _each(lambda a, b: gather(self.book, a, b), 2)
            return _gathered(pair, np.asarray(x, object), e.attrs["axis"], e.attrs["keepdims"])
        if e.op.forward is np.dot:
            inputs = [_each(lambda x: converted(self.book, x, kind), 1)(x) for x in inputs]
            return _multiplied(self.book, *inputs)
        if e.op.name == "matmul":
            inputs = [_each(lambda x: converted(self.book, x, kind), 1)(x) for x in inputs]
        elif any(isinstance(x, np.ndarray) and x.dtype != object for x in inputs):
            raise NotNativeError(e.op.name)
        return e.op.forward(*(np.asarray(x, object) for x in inputs), **e.attrs)

    # -- the ends ----------------------------------------------------------------------------

    def _results(self, outputs: list[list[Value]]) -> None:
        for v, values in zip(self.program.outputs, outputs, strict=True):
            value = v.value if type(v) is Var else np.asarray(v)
            name = self._name("result")
            dtype = np.asarray(value).dtype
            place = Place(name, np.shape(value), dtype)
            self.module.results.append(place)
            self.last += [
                f"%{name}.at = mul i64 %i, {place.size}",
                f"%{name}.here = getelementptr {place.kind}, ptr %{name}, i64 %{name}.at",
                *_stored(f"{name}.here", values, range(len(values))),
            ]

    def _settle(self, finals: list[list[Value]]) -> None:
        """Write the cells, after the last step."""
        waiting = iter(finals)
        for name, region in zip(self.module.regions, self.made.regions, strict=True):
            for _, start, end in region.spans():
                self.after += _stored(name, next(waiting), range(start, end))

    def _carried(self, state: list[Value], finals: list[Value]) -> list[str]:
        """What each step hands to the next: what the cells that are read hold."""
        read = {id(value) for x in self.values.values() for value in np.ravel(np.asarray(x, object))
                if isinstance(value, Value)}  # fmt: skip
        place = iter(
            (name, i)
            for name, region in zip(self.module.regions, self.made.regions, strict=True)
            for i in range(region.size)
        )
        lines = []
        for value, final, (name, i) in zip(state, finals, place, strict=True):
            if id(value) not in read:
                continue
            kind = value.kind
            self.before += [
                f"{value.name}.at = getelementptr {stored(kind)}, ptr %{name}, i64 {i}",
                f"{value.name}.held = load {kind}, ptr {value.name}.at",
            ]
            if kind == BOOL:
                raise NotNativeError("a cell of truth values")
            lines.append(
                f"{value.name} = phi {kind} [ {value.name}.held, %begin ], [ {final.name}, %one ]"
            )
        return lines

    def _write(self, carried: list[str], lines: list[str]) -> None:
        module = self.module
        data = [place.name for place in (*module.inputs, *module.results)]
        parameters = ", ".join(["i64 %count", *(f"ptr %{name}" for name in data)])
        given = ", ".join(["i64 1", *(f"ptr @{name}" for name in data)])
        module.body = [
            f"define void @epoch({parameters}) #0 {{",
            "begin:",
            *indented(self.before),
            "  br label %one",
            "",
            "one:  ; step number i",
            "  %i = phi i64 [ 0, %begin ], [ %next, %one ]",
            *indented(carried),
            *indented(self.first),
            *indented(lines),
            "",
            "  ; results",
            *indented(self.last),
            "  %next = add i64 %i, 1",
            "  %more = icmp ult i64 %next, %count",
            "  br i1 %more, label %one, label %end",
            "",
            "end:",
            *indented(self.after),
            "  ret void",
            "}",
            "",
            "define void @step() #0 {",
            f"  call void @epoch({given})",
            "  ret void",
            "}",
        ]


def _weight(line: str) -> int:
    """How many operations a line is: an elementary function is some twenty."""
    return 0 if " = " not in line else 20 if "call " in line and "@llvm" not in line else 1


def _each(function: Any, count: int) -> Any:
    return np.frompyfunc(function, count, 1)


def _multiplied(book: Book, a: Any, b: Any, start: Any = None) -> Any:
    """``np.dot`` of values, plus `start`: each sum in two parts that do not wait for each other."""
    if min(np.ndim(a), np.ndim(b)) == 0 or max(np.ndim(a), np.ndim(b)) > 2:
        raise NotNativeError(f"dot of {np.ndim(a)} and {np.ndim(b)} dimensions")
    rows, columns = np.atleast_2d(a), (b if b.ndim == 2 else b[:, None]).T
    shape = a.shape[:-1] + (b.shape[1:] if b.ndim == 2 else ())
    first = None if start is None else np.reshape(start, (len(rows), len(columns)))
    result = np.empty((len(rows), len(columns)), object)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            starts = [None if first is None else first[i, j], None]
            pairs = [*zip(row, column, strict=True)]
            halves = zip((pairs[::2], pairs[1::2]), starts, strict=True)
            sums = [_summed(book, half, start) for half, start in halves if half]
            result[i, j] = sum(sums[1:], sums[0])
    result = result.reshape(shape)
    return result if shape else result[()]


def _summed(book: Book, pairs: list[tuple[Value, Value]], start: Value | None) -> Value:
    """A sum of products, each rounded together with the sum so far, as BLAS does it."""
    (p, q), *rest = pairs
    total = book.mul(p, q) if start is None else book.fma(p, q, start)
    for p, q in rest:
        total = book.fma(p, q, total)
    return total


def _gathered(pair: Any, x: Array, axis: Any, keep: bool) -> Any:
    """A reduction in pairs, which keeps more digits than one after the other."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in sorted((a % x.ndim for a in axes), reverse=True):
        parts = list(np.moveaxis(x, a, 0))
        while len(parts) > 1:
            joined = [pair(p, q) for p, q in zip(parts[::2], parts[1::2], strict=False)]
            parts = joined + parts[len(parts) - len(parts) % 2 :]
        x = np.expand_dims(parts[0], a) if keep else np.asarray(parts[0], object)
    return x if x.shape else x[()]


def _stored(pointer: str, values: list[Value], places: range) -> list[str]:
    """Lines that write values side by side."""
    lines = []
    for i, value in zip(places, values, strict=True):
        kind, name = stored(value.kind), value.name
        if value.kind == BOOL:
            name = f"%{pointer}.byte.{i}"
            lines.append(f"{name} = zext i1 {value.name} to i8")
        lines += [
            f"%{pointer}.to.{i} = getelementptr {kind}, ptr %{pointer}, i64 {i}",
            f"store {kind} {name}, ptr %{pointer}.to.{i}",
        ]
    return lines


def scalars(program: Program, made: Made) -> Module:
    """Write a program, lowered and simplified, number by number.

    Args:
        program: The program.
        made: Its form with buffers, whose memory this form works on too.

    Raises:
        NotNativeError: If the program is too large, or does what the form cannot say.
    """
    try:
        return _Scalariser(program, made).made_module()
    except (AttributeError, ArithmeticError, TypeError, ValueError, IndexError) as error:
        raise NotNativeError(f"{type(error).__name__}: {error}") from error
