"""Kernels: functions that walk through arrays in lanes.

This file knows loops, addresses, loads and stores, what happens to the lanes that stick out at the
end of a row, and how functions that are the same are written once. It does not know programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tinygrad_mlp.program.native.module import stored
from tinygrad_mlp.program.native.values import BOOL, Book, Kind, Value
from tinygrad_mlp.program.native.views import Storage, View

__all__ = ["Index", "Kernel", "Lanes", "Shelf", "lanes_of", "mask"]

Index = int | str
"""A number of the text: known beforehand, or the name of one that is computed."""


class Lanes(NamedTuple):
    """Lanes of a vector, of which the first so many are used."""

    width: int
    used: int


class Shelf:
    """The functions of a module, each once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[str, str] = {}
        self.helpers: dict[str, Kind] = {}
        self.declared: set[str] = set()
        self.counts: dict[str, int] = {}

    def put(self, kernel: Kernel, label: str, note: str = "") -> str:
        """The name of the function with this text, which is added if it is new."""
        body, label = kernel.text(), re.sub(r"[^A-Za-z0-9_.]", "_", label)
        if body not in self.known:
            count = self.counts[label] = self.counts.get(label, 0) + 1
            self.known[body] = name = f"{label}.{count}" if count > 1 else label
            self.helpers.update(kernel.helpers)
            self.declared |= kernel.declared
            head = f"define internal void @{name}({kernel.parameters}) noinline #0 {{"
            self.lines += [*([f"; {note}"] if note else []), head, body, "}", ""]
        return self.known[body]


class Kernel:
    """One function that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.room: list[str] = []  # what is kept on the stack, at the top of the function
        self.early: list[str] = []  # what is the same all the time
        self.uniform: dict[tuple[int, int], str] = {}
        self.taken: dict[str, int] = {}
        self.given: list[Storage] = []
        self.names: dict[int, str] = {}
        self.hidden: set[int] = set()  # storage that only the last step of many shows
        self.hides = False
        self.helpers: dict[str, Kind] = {}
        self.declared: set[str] = set()

    # -- the function ------------------------------------------------------------------------

    def pointer(self, storage: Storage) -> str:
        """The parameter that is the address of a storage."""
        if id(storage) not in self.names:
            self.given.append(storage)
            self.names[id(storage)] = f"%p{len(self.given)}"
        return self.names[id(storage)]

    @property
    def parameters(self) -> str:
        """Its parameters."""
        names = [f"ptr {self.names[id(s)]}" for s in self.given]
        return ", ".join([*names, *(["i64 %shown"] if self.hides else [])])

    @property
    def arguments(self) -> str:
        """What it is called with."""
        names = [f"ptr {s.pointer}" for s in self.given]
        return ", ".join([*names, *(["i64 %shown"] if self.hides else [])])

    def text(self) -> str:
        """Its body."""
        lines = [*self.room, *self.early, *self.lines, "ret void"]
        return "\n".join(line if line.endswith(":") else f"  {line}" for line in lines)

    def name(self, label: str) -> str:
        """A name that nothing else has."""
        count = self.taken[label] = self.taken.get(label, 0) + 1
        return f"%{label}.{count}" if count > 1 or not label else f"%{label}"

    def line(self, text: str, label: str = "t") -> str:
        """An instruction that gives something."""
        name = self.name(label)
        self.lines.append(f"{name} = {text}")
        return name

    def stack(self, kind: Kind, count: int) -> str:
        """Room for so many numbers for the time of the call."""
        name = self.name("room")
        self.room.append(f"{name} = alloca [{count} x {kind}], align 64")
        return name

    # -- whole numbers and loops -------------------------------------------------------------

    def plus(self, a: Index, b: Index) -> Index:
        """``a + b``."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.line(f"add i64 {a}, {b}")

    def times(self, a: Index, b: int) -> Index:
        """``a b``."""
        if isinstance(a, int):
            return a * b
        return 0 if b == 0 else a if b == 1 else self.line(f"mul i64 {a}, {b}")

    def at(self, pointer: str, kind: Kind, place: Index) -> str:
        """The address of an entry."""
        if place == 0:
            return pointer
        return self.line(f"getelementptr {stored(kind).number}, ptr {pointer}, i64 {place}")

    def loop(self, start: int, stop: int, step: int, body: Callable[[Index], None]) -> None:
        """``for i in range(start, stop, step)``; a loop of one turn is none."""
        count = len(range(start, stop, step))
        if count <= 1:
            if count:
                body(start)
            return
        counter, head, end = self.name("i"), self.name("loop")[1:], self.name("done")[1:]
        self.room.append(f"{counter}.at = alloca i64")
        self.lines += [f"store i64 {start}, ptr {counter}.at", f"br label %{head}", f"{head}:"]
        self.lines.append(f"{counter} = load i64, ptr {counter}.at")
        body(counter)
        following, more = self.name("next"), self.name("more")
        self.lines += [
            f"{following} = add i64 {counter}, {step}",
            f"store i64 {following}, ptr {counter}.at",
            f"{more} = icmp slt i64 {following}, {start + count * step}",
            f"br i1 {more}, label %{head}, label %{end}",
            f"{end}:",
        ]

    def nest(self, counts: Iterable[int], body: Callable[[list[Index]], None]) -> None:
        """Loops within loops."""

        def inner(rest: list[int], at: list[Index]) -> None:
            if not rest:
                body(at)
            else:
                self.loop(0, rest[0], 1, lambda i: inner(rest[1:], [*at, i]))

        inner(list(counts), [])

    def blocks(self, count: int, size: int, body: Callable[[Index, int], None]) -> None:
        """A row in blocks: the body gets where one begins, and how many entries it has."""
        full = count // size * size
        self.loop(0, full, size, lambda i: body(i, size))
        if count > full:
            body(full, count - full)

    # -- numbers -----------------------------------------------------------------------------

    def book(self) -> Book:
        """Somewhere to write instructions on values."""
        book = Book()
        book.taken, book.helpers, book.declared = self.taken, self.helpers, self.declared
        return book

    def close(self, book: Book, ends: Iterable[Value]) -> None:
        """Put down the instructions that the ends need."""
        self.lines += [line for line in book.lines(ends) if line and not line.startswith(";")]

    def place(self, view: View, at: list[Index]) -> Index:
        """How far an entry is from the first one."""
        place: Index = 0
        for i, stride in zip(at, view.strides, strict=True):
            place = self.plus(place, self.times(i, stride))
        return place

    def entry(self, view: View, at: list[Index], shift: int = 0) -> str:
        """The address of an entry, or of one so many places behind it along the last axis.

        What is known beforehand is added last: then neighbours share the rest.

        What nobody sees but after the last step is written to one place until then: there it
        stays in the cache.
        """
        place = self.place(view, at)
        if id(view.storage) in self.hidden:
            self.hides = True
            place = self.line(f"and i64 {place}, %shown")
        kind = view.storage.kind
        known = view.offset + (shift * view.strides[-1] if at else 0)
        return self.at(self.at(self.pointer(view.storage), kind, place), kind, known)

    def load(self, book: Book, view: View, at: list[Index], lanes: Lanes, shift: int = 0) -> Value:
        """The entries from one on along the last axis; where fewer are used, the rest are 0.

        What repeats along that axis is one number, and what repeats along all is loaded once.
        """
        if not any(view.strides):
            return self._same(book, view)
        pointer = self.entry(view, at, shift)
        return self.load_at(book, pointer, view.storage.kind, view.strides[-1], lanes)

    def _same(self, book: Book, view: View) -> Value:
        kind = view.storage.kind
        key = (id(view.storage), view.offset)
        if key not in self.uniform:
            lines, self.lines = self.lines, self.early
            pointer = self.at(self.pointer(view.storage), kind, view.offset)
            self.uniform[key] = self.line(f"load {stored(kind)}, ptr {pointer}")
            self.lines = lines
        return self._truth(book, self.known(book, stored(kind), self.uniform[key]), kind)

    def load_at(self, book: Book, pointer: str, kind: Kind, stride: int, lanes: Lanes) -> Value:
        """As `load`, from an address."""
        memory = stored(kind)
        if lanes.width == 1 or stride == 0:
            name = self.line(f"load {memory}, ptr {pointer}")
            return self._truth(book, self.known(book, memory, name), kind)
        if stride != 1:
            return self._gathered(book, pointer, kind, stride, lanes)
        wide = Kind(memory.number, lanes.width)
        if lanes.used == lanes.width:
            name = self.line(f"load {wide}, ptr {pointer}, align {_bytes(kind)}")
        else:
            name = self._masked_load(pointer, wide, lanes.used)
        return self._truth(book, self.known(book, wide, name), kind)

    def _masked_load(self, pointer: str, kind: Kind, count: int) -> str:
        """The first so many lanes; zeros behind them."""
        function, lanes = f"@llvm.masked.load.{kind.suffix}.p0", kind.of("i1")
        self.declared.add(f"declare {kind} {function}(ptr, i32, {lanes}, {kind})")
        which = f"{lanes} {mask(kind.lanes, count)}, {kind} zeroinitializer"
        return self.line(f"call {kind} {function}(ptr {pointer}, i32 {_bytes(kind)}, {which})")

    def store_at(self, value: Value, pointer: str, count: int) -> None:
        """Write lanes side by side, the first so many of them."""
        kind, name = stored(value.kind), value.name
        if value.kind.number == BOOL.number:
            name = self.line(f"zext {value.kind} {value.name} to {kind}")
        if count == kind.lanes:
            self.lines.append(f"store {kind} {name}, ptr {pointer}, align {_bytes(kind)}")
            return
        function, lanes = f"@llvm.masked.store.{kind.suffix}.p0", kind.of("i1")
        self.declared.add(f"declare void {function}({kind}, ptr, i32, {lanes})")
        self.lines.append(
            f"call void {function}({kind} {name}, ptr {pointer}, i32 {_bytes(kind)}, "
            f"{lanes} {mask(kind.lanes, count)})"
        )

    @staticmethod
    def known(book: Book, kind: Kind, name: str) -> Value:
        """Something that has been written down already, as a value."""
        value = Value(book, kind, "")
        value.name = name
        return value

    def _truth(self, book: Book, value: Value, kind: Kind) -> Value:
        if kind.number != BOOL.number:
            return value
        zero = "0" if value.kind.lanes == 1 else "zeroinitializer"
        name = self.line(f"icmp ne {value.kind} {value.name}, {zero}")
        return self.known(book, value.kind.of("i1"), name)

    def _gathered(self, book: Book, pointer: str, kind: Kind, stride: int, lanes: Lanes) -> Value:
        """One after the other, where they do not lie side by side."""
        memory = stored(kind)
        wide = Kind(memory.number, lanes.width)
        name = "zeroinitializer"
        for i in range(lanes.used):
            one = self.line(f"load {memory}, ptr {self.at(pointer, kind, i * stride)}")
            name = self.line(f"insertelement {wide} {name}, {memory} {one}, i32 {i}")
        return self._truth(book, self.known(book, wide, name), kind)


def _bytes(kind: Kind) -> int:
    return {"double": 8, "i64": 8, "float": 4, "i32": 4}.get(kind.number, 1)


def mask(width: int, count: int) -> str:
    """A truth for each lane: whether it counts."""
    lanes = ", ".join(f"i1 {'true' if i < count else 'false'}" for i in range(width))
    return f"<{lanes}>"


def lanes_of(kinds: Iterable[Kind], vector: int) -> int:
    """How many lanes suit numbers of these kinds."""
    sizes = [_bytes(k) for k in kinds if k.number != BOOL.number]
    return vector // max(sizes, default=8)
