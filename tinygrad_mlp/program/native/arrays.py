"""Arrays: a larger program as kernels over memory, one after the other.

This file knows where everything lies: what is given, what is kept from one step to the next, and
the room that the values of a step share as soon as nobody reads them. Which kernels there are is
for `plan` to say, and how they are written for `walks` and `products`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.program.buffers import Made
from tinygrad_mlp.program.ir import Cell, Program, Var
from tinygrad_mlp.program.naming import Names
from tinygrad_mlp.program.native.gathering import reduction
from tinygrad_mlp.program.native.items import Group
from tinygrad_mlp.program.native.kernels import Shelf
from tinygrad_mlp.program.native.llvm import vector_bytes
from tinygrad_mlp.program.native.module import Module, Place, called, indented, place_of, stored
from tinygrad_mlp.program.native.plan import Plan, results
from tinygrad_mlp.program.native.products import product
from tinygrad_mlp.program.native.tiling import Tiling
from tinygrad_mlp.program.native.values import Kind, NotNativeError
from tinygrad_mlp.program.native.views import Storage, View, whole
from tinygrad_mlp.program.native.walks import copy, group

__all__ = ["arrays"]

_LINE = 64
_WORDS = ("step", "epoch", "one", "room", "shown", "count", "begin", "again", "end", "i", "next",
          "more")  # fmt: skip
_LARGEST = 1 << 26


class _Room:
    """Memory that values share: who needs it from one item to another."""

    def __init__(self) -> None:
        self.size = 0
        self.taken: list[tuple[int, int, int, int]] = []  # from, to (bytes); first, last (items)

    def place(self, size: int, first: int, last: int) -> int:
        """The first stretch that is free all the while."""
        size = -(-size // _LINE) * _LINE
        others = sorted(t for t in self.taken if t[2] <= last and first <= t[3])
        start = 0
        for begin, end, _, _ in others:
            if start + size <= begin:
                break
            start = max(start, end)
        self.taken.append((start, start + size, first, last))
        self.size = max(self.size, start + size)
        return start


class _Arrays:
    def __init__(self, program: Program, made: Made) -> None:
        self.program, self.made = program, made
        self.vector = vector_bytes()
        self.names = Names(*_WORDS)
        self.module = Module(passes="few")
        self.given: dict[int, Storage] = {}
        self.addresses: list[str] = []
        self.calls: list[str] = []
        self.shelf = Shelf()
        self.room = _Room()

    def made_module(self) -> Module:
        """The module."""
        cells = self._given()
        places, kept = self._results()
        self.plan = plan = Plan(self.program, self.given, cells)
        results(plan, places, kept)
        self._share()
        texts = dict(
            zip((id(e) for e in self.program.equations), called(self.program), strict=True)
        )
        for c in plan.early:
            self.calls += ["", copy(self.shelf, plan, c, self.vector)]
        for number, item in enumerate(plan.items):
            self.calls += ["", *(f"; {texts[id(e)]}" for e in item.all)]
            self.calls.append(self._item(number, item))
        for c in plan.late:
            self.calls += ["", copy(self.shelf, plan, c, self.vector)]
        self.module.constants = plan.constants
        self._write()
        return self.module

    # -- what is given -----------------------------------------------------------------------

    def _given(self) -> list[tuple[Cell, View]]:
        for x in self.program.inputs:
            place = place_of(x, self.names.fresh(x.name or "x"), _LARGEST)
            self.module.inputs.append(place)
            self.given[id(x)] = self._storage(place, f"%{place.name}")
        for cell in self.made.arguments:
            v: Any = cell.before
            place = place_of(v, self.names.fresh(cell.name), _LARGEST)
            self.module.numbers.append(place)
            pointer = f"@{place.name}"
            if place.far:
                pointer = f"%{place.name}"
                self.addresses.append(f"{pointer} = load ptr, ptr @{place.name}")
            self.given[id(v)] = self._storage(place, pointer)
        cells = []
        for region in self.made.regions:
            name = self.names.fresh("memory")
            self.module.regions.append(name)
            self.addresses.append(f"%{name} = load ptr, ptr @{name}")
            for cell, start, _ in region.spans():
                kind = Kind.of_dtype(cell.after.dtype)
                storage = Storage(cell.name, kind, cell.after.size)
                storage.pointer = f"%{self.names.fresh(cell.name)}"
                self.addresses.append(
                    f"{storage.pointer} = getelementptr {stored(kind)}, ptr %{name}, i64 {start}"
                )
                cells.append((cell, whole(storage, cell.after.shape)))
                if cell.before is not None:
                    self.given[id(cell.before)] = storage
        return cells

    @staticmethod
    def _storage(place: Place, pointer: str) -> Storage:
        return Storage(place.name, Kind.of_dtype(place.dtype), place.size, pointer)

    def _results(self) -> tuple[list[Place], list[Storage]]:
        places, storages = [], []
        for v in self.program.outputs:
            value = v.value if type(v) is Var else np.asarray(v)
            dtype = np.asarray(value).dtype
            place = Place(self.names.fresh("result"), np.shape(value), dtype)
            if place.size > _LARGEST or not place.size:
                raise NotNativeError("a large result")
            places.append(place)
            storages.append(self._storage(place, f"%{place.name}"))
        self.module.results = places
        return places, storages

    # -- the room of a step ------------------------------------------------------------------

    def _share(self) -> None:
        plan = self.plan
        for number, item in enumerate(plan.items):
            for v in item.outputs:
                if id(v) in plan.homes or id(v) in plan.inside:
                    continue
                storage = plan.view(v).storage
                self._settle(storage, number, max(number, plan.last.get(id(v), number)))

    def _settle(self, storage: Storage, first: int, last: int) -> None:
        size = storage.size * max(1, _SIZES[stored(storage.kind).number])
        start = self.room.place(size, first, last)
        storage.pointer = f"%{self.names.fresh(storage.name)}"
        self.addresses.append(
            f"{storage.pointer} = getelementptr i8, ptr %room, i64 {start}  ; {storage.size} "
            f"x {storage.kind}"
        )

    def _item(self, number: int, item: Any) -> str:
        if not isinstance(item, Group):
            return reduction(self.shelf, self.plan, item, self.vector)
        if item.head is None:
            return group(self.shelf, self.plan, item, self.vector)
        tiling = Tiling(self.plan, item, self.vector)
        for pack in tiling.packs:
            if pack is not None:
                self._settle(pack, number, number)
        return product(self.shelf, self.plan, item, tiling, self.vector)

    # -- text --------------------------------------------------------------------------------

    def _write(self) -> None:
        module = self.module
        data = [*module.inputs, *module.results]
        parameters = ", ".join(f"ptr %{p.name}" for p in data)
        here = [line for p in data for line in (
            f"%{p.name}.at = mul i64 %i, {p.size}",
            f"%{p.name}.here = getelementptr {p.kind}, ptr %{p.name}, i64 %{p.name}.at",
        )]  # fmt: skip
        module.room = self.room.size
        module.helpers, module.declared = self.shelf.helpers, self.shelf.declared
        module.work = sum(_work(item) for item in self.plan.items)
        module.body = [
            f"define internal void @one({parameters}, i64 %shown) noinline #0 {{",
            *(["  %room = load ptr, ptr @room"] if self.room.size else []),
            *indented(self.addresses),
            *indented(self.calls),
            "  ret void",
            "}",
            "",
            f"define void @epoch(i64 %count, {parameters}) #0 {{",
            "begin:",
            "  br label %again",
            "again:  ; step number i",
            "  %i = phi i64 [ 0, %begin ], [ %next, %again ]",
            *indented(here),
            "  %next = add i64 %i, 1",
            "  %more = icmp ult i64 %next, %count",
            "  %shown = select i1 %more, i64 0, i64 -1  ; what only the last step shows",
            f"  call void @one({', '.join(f'ptr %{p.name}.here' for p in data)}, i64 %shown)",
            "  br i1 %more, label %again, label %end",
            "end:",
            "  ret void",
            "}",
            "",
            "define void @step() #0 {",
            *(f"  %{p.name} = load ptr, ptr @{p.name}" for p in data if p.far),
            f"  call void @one({', '.join(map(_given, data))}, i64 -1)",
            "  ret void",
            "}",
            "",
            *self.shelf.lines,
        ]


_SIZES = {"double": 8, "float": 4, "i64": 8, "i8": 1}


def _given(place: Place) -> str:
    return f"ptr {'%' if place.far else '@'}{place.name}"


def _work(item: Any) -> int:
    if not isinstance(item, Group):
        return int(np.prod(item.shape, dtype=int)) // 4 + 1
    size = int(np.prod(item.shape, dtype=int))
    inner = item.head.inner if item.head else 0
    return size * (2 * inner // 16 + 4 * len(item.equations)) // 2 + 1


def arrays(program: Program, made: Made) -> Module:
    """Write a program, lowered and simplified, as kernels over memory.

    Args:
        program: The program.
        made: Its form with buffers, whose memory this form works on too.

    Raises:
        NotNativeError: If the program does what the form cannot say.
    """
    try:
        return _Arrays(program, made).made_module()
    except (AttributeError, ArithmeticError, TypeError, ValueError, IndexError) as error:
        raise NotNativeError(f"{type(error).__name__}: {error}") from error
