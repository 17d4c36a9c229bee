"""Gathering: kernels that add up entries along axes, or take the largest of them.

This file knows in which direction the lanes go, and how what several lanes have gathered becomes
one. Sums of products are such a walk too, where they have few results.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.program.native.items import Reduction
from tinygrad_mlp.program.native.kernels import Index, Kernel, Lanes, Shelf, lanes_of, mask
from tinygrad_mlp.program.native.plan import Plan
from tinygrad_mlp.program.native.ufuncs import Entrywise, folded
from tinygrad_mlp.program.native.values import BOOL, Book, Kind, Value
from tinygrad_mlp.program.native.views import View, collapsed, whole

__all__ = ["reduction"]

_NEUTRAL = {"add": 0.0, "multiply": 1.0, "maximum": -np.inf, "minimum": np.inf,
            "logical_and": True, "logical_or": False}  # fmt: skip
_ABREAST = 4


class _Reducer:
    """Writes the kernel of one reduction."""

    def __init__(self, plan: Plan, item: Reduction, vector: int) -> None:
        self.item, self.k = item, Kernel()
        e = item.equation
        self.kind = Kind.of_dtype(e.output.dtype)
        self.width = lanes_of([self.kind], vector)
        self.product = len(item.operands) == 2
        self.pair: Entrywise = folded(e.op, e.output.dtype) or Book.add
        self.take: Entrywise = Book.fma if self.product else self.pair
        self.neutral = _NEUTRAL["add" if self.product else e.op.name.partition(".")[0]]
        views = [plan.view(x) for x, _ in item.operands]
        strides = [
            tuple(0 if axis is None else v.strides[axis] for axis in axes)
            for v, (_, axes) in zip(views, item.operands, strict=True)
        ]
        kept = [i for i in range(len(item.shape)) if i not in item.axes]
        self.outer, outer = self._part(kept, strides)
        self.inner, inner = self._part(list(item.axes), strides)
        self.across = bool(kept) and (not item.axes or kept[-1] > item.axes[-1])
        self.outside = [View(v.storage, self.outer, s, v.offset)
                        for v, s in zip(views, outer, strict=True)]  # fmt: skip
        self.within = [View(v.storage, self.inner, s) for v, s in zip(views, inner, strict=True)]
        self.target = whole(plan.view(e.output).storage, self.outer)

    def _part(
        self, axes: list[int], strides: list[tuple[int, ...]]
    ) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
        shape = tuple(self.item.shape[i] for i in axes)
        return collapsed(shape, [tuple(s[i] for i in axes) for s in strides])

    def write(self) -> Kernel:
        """The kernel."""
        (self._across if self.across else self._along)()
        return self.k

    def _load(
        self, book: Book, i: int, outer: list[Index], inner: list[Index], count: int
    ) -> Value:
        """Operand number i in lanes, which go along the last axis that stays, or that goes."""
        k, view = self.k, self.outside[i]
        stride = (view if self.across else self.within[i]).strides[-1]
        kind = view.storage.kind
        pointer = k.at(k.entry(view, outer), kind, k.place(self.within[i], inner))
        value = k.load_at(book, pointer, kind, stride, Lanes(self.width, count))
        return book.spread(value, self.width)

    def _step(
        self, outer: list[Index], inner: list[Index], room: str, place: int, count: int
    ) -> None:
        """Take some lanes into what has been gathered so far."""
        k, book = self.k, self.k.book()
        xs = [self._load(book, i, outer, inner, count) for i in range(len(self.within))]
        so_far = self._held(book, room, place)
        total = self.take(book, *xs, so_far)
        if count < self.width and not self.across:
            counts = k.known(book, self._wide().of("i1"), mask(self.width, count))
            total = book.select(counts, total, so_far)
        k.close(book, [total])
        k.store_at(total, k.at(room, self._wide(), place), self.width)

    def _wide(self) -> Kind:
        return Kind(self.kind.number, self.width)

    def _room(self, count: int) -> str:
        k, book = self.k, self.k.book()
        memory = Kind("i8" if self.kind == BOOL else self.kind.number)
        room = k.stack(memory, count * self.width)
        value = book.constant(self._wide(), self.neutral)
        for i in range(count):
            k.store_at(value, k.at(room, memory, i * self.width), self.width)
        return room

    def _held(self, book: Book, room: str, place: int) -> Value:
        memory = Kind("i8" if self.kind == BOOL else self.kind.number)
        pointer = self.k.at(room, memory, place)
        return self.k.load_at(book, pointer, self.kind, 1, Lanes(self.width, self.width))

    def _across(self) -> None:
        """Lanes along the last axis that stays; row after row is added to them."""
        k, n = self.k, self.outer[-1]
        block = _ABREAST * self.width

        def columns(at: list[Index], j: Index, count: int) -> None:
            several = -(-count // self.width)
            room = self._room(several)

            def take(inner: list[Index]) -> None:
                for i in range(several):
                    here = [*at, k.plus(j, i * self.width)]
                    some = min(self.width, count - i * self.width)
                    self._step(here, inner, room, i * self.width, some)

            k.nest(self.inner, take)
            for i in range(several):
                book = k.book()
                value = self._held(book, room, i * self.width)
                some = min(self.width, count - i * self.width)
                k.store_at(value, k.entry(self.target, [*at, j], i * self.width), some)

        k.nest(
            self.outer[:-1],
            lambda at: k.blocks(n, block, lambda j, count: columns(at, j, count)),
        )

    def _along(self) -> None:
        """Lanes along the last axis that goes; in the end the lanes are gathered too."""
        k, n = self.k, self.inner[-1]
        several = max(1, min(_ABREAST, n // self.width))

        def entry(at: list[Index]) -> None:
            room = self._room(several)

            def row(inner: list[Index]) -> None:
                block = several * self.width
                full = n // block * block

                def take(j: Index) -> None:
                    for i in range(several):
                        here = [*inner, k.plus(j, i * self.width)]
                        self._step(at, here, room, i * self.width, self.width)

                k.loop(0, full, block, take)
                k.blocks(
                    n - full,
                    self.width,
                    lambda j, count: self._step(at, [*inner, k.plus(j, full)], room, 0, count),
                )

            k.nest(self.inner[:-1], row)
            book = k.book()
            total = self._gathered(book, [self._held(book, room, i * self.width)
                                          for i in range(several)])  # fmt: skip
            k.close(book, [total])
            k.store_at(total, k.entry(self.target, at), 1)

        k.nest(self.outer, entry)

    def _gathered(self, book: Book, parts: list[Value]) -> Value:
        """All lanes of all parts in one."""
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=False)
            parts = [*(self.pair(book, a, b) for a, b in pairs),
                     *parts[len(parts) - len(parts) % 2 :]]  # fmt: skip
        total = parts[0]
        width = self.width
        while width > 1:
            width //= 2
            half = Kind(self.kind.number, width)
            low, high = (
                book.put(half, f"shufflevector {total.kind} {{0}}, {total.kind} poison, "
                               f"<{width} x i32> <{_places(start, width)}>", total)
                for start in (0, width)
            )  # fmt: skip
            if width == 1:
                low, high = (
                    book.put(self.kind, f"extractelement {half_kind} {{0}}, i32 {i}", total)
                    for i, half_kind in ((0, total.kind), (1, total.kind))
                )
            total = self.pair(book, low, high)
        return total


def _places(start: int, count: int) -> str:
    return ", ".join(f"i32 {start + i}" for i in range(count))


def reduction(shelf: Shelf, plan: Plan, item: Reduction, vector: int) -> str:
    """The call of a kernel that gathers."""
    k = _Reducer(plan, item, vector).write()
    name = shelf.put(k, f"gather.{item.equation.op.name}")
    return f"call void @{name}({k.arguments})"
