"""Walks: kernels that compute groups entry by entry, and copy.

This file knows how a walk through arrays becomes loops over lanes. Which equations walk together
was decided by `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.program.ir import Equation, Var
from tinygrad_mlp.program.native.items import Copy, Group
from tinygrad_mlp.program.native.kernels import Index, Kernel, Lanes, Shelf, lanes_of
from tinygrad_mlp.program.native.plan import Plan
from tinygrad_mlp.program.native.ufuncs import entrywise
from tinygrad_mlp.program.native.values import Book, Kind, Value
from tinygrad_mlp.program.native.views import View, collapsed, whole

__all__ = ["Body", "copy", "group"]


class Body:
    """What a group does to the entries at one place.

    Args:
        plan: The plan.
        item: The group.
        vector: How many bytes the processor works on at once.
    """

    def __init__(self, plan: Plan, item: Group, vector: int) -> None:
        self.plan, self.item = plan, item
        outputs = {id(v): v for v in item.outputs}
        self.stored = [v for v in item.outputs if id(v) not in plan.inside]
        self.loads: dict[int, View] = {}  # by id of the input
        for e in item.equations:
            for x in e.inputs:
                if self._number(x) or self._computed(x, outputs):
                    continue
                self.loads[id(x)] = plan.view(x).broadcast(item.shape)
        stores = [whole(plan.view(v).storage, item.shape) for v in self.stored]
        self.stores = dict(zip(map(id, self.stored), stores, strict=True))
        kinds = [Kind.of_dtype(v.dtype) for v in item.outputs]
        self.width = lanes_of(kinds, vector) if item.shape else 1

    def _number(self, x: Any) -> bool:
        return type(x) is not Var and np.ndim(x) == 0

    def _computed(self, x: Any, outputs: dict[int, Var]) -> bool:
        if type(x) is not Var or id(self.plan.root(x)) not in outputs:
            return False
        return self.plan.same_entry(x, self.plan.root(x), self.item.shape)

    def collapse(self) -> tuple[int, ...]:
        """Walk along fewer axes, where the arrays lie so; the shape that is left."""
        views = [*self.loads.values(), *self.stores.values()]
        shape, strides = collapsed(self.item.shape, [v.strides for v in views])
        merged = [View(v.storage, shape, s, v.offset) for v, s in zip(views, strides, strict=True)]
        self.loads = dict(zip(self.loads, merged, strict=False))
        self.stores = dict(zip(self.stores, merged[len(self.loads) :], strict=True))
        return shape

    def write(
        self, k: Kernel, at: list[Index], count: int, shift: int = 0, pointer: str = ""
    ) -> None:
        """The lines for the entries from one on along the last axis.

        Args:
            k: The kernel.
            at: The first entry.
            count: How many there are, if not all lanes are used.
            shift: How many places behind `at` they begin.
            pointer: Where the entries of the product are.
        """
        here = _Here(k, k.book(), at, Lanes(self.width, count), shift)
        if self.item.head is not None:
            v = self.item.head.equation.output
            whole_lanes = Lanes(self.width, self.width)
            kind = Kind.of_dtype(v.dtype)
            here.values[id(v)] = k.load_at(here.book, pointer, kind, 1, whole_lanes)
        for e in self.item.equations:
            xs = [self._operand(x, here) for x in e.inputs]
            here.values[id(e.output)] = self._result(e, here.book, xs)
        ends = [here.book.spread(here.values[id(v)], self.width) for v in self.stored]
        k.close(here.book, ends)
        for v, value in zip(self.stored, ends, strict=True):
            k.store_at(value, k.entry(self.stores[id(v)], at, shift), count)

    @staticmethod
    def _result(e: Equation, book: Book, xs: list[Any]) -> Value:
        each = entrywise(e)
        result = xs[0] if each is None else each(book, *xs)
        kind = Kind.of_dtype(e.output.dtype)
        return result if isinstance(result, Value) else book.constant(kind, result)

    def _operand(self, x: Any, here: _Here) -> Any:
        if self._number(x):
            return x.item() if isinstance(x, np.ndarray | np.generic) else x
        view = self.loads.get(id(x))
        if view is None:
            return here.values[id(self.plan.root(x))]
        key = (id(view.storage), view.offset, view.strides)
        if key not in here.loaded:
            here.loaded[key] = here.k.load(here.book, view, here.at, here.lanes, here.shift)
        return here.loaded[key]


@dataclass
class _Here:
    """One place of a walk: what has been loaded there and computed."""

    k: Kernel
    book: Book
    at: list[Index]
    lanes: Lanes
    shift: int
    values: dict[int, Value] = field(default_factory=dict)
    loaded: dict[Any, Value] = field(default_factory=dict)


def group(shelf: Shelf, plan: Plan, item: Group, vector: int) -> str:
    """The call of a kernel that computes a group without a product."""
    body, k = Body(plan, item, vector), Kernel()
    k.hidden = plan.hidden
    shape = body.collapse()

    def row(at: list[Index]) -> None:
        k.blocks(shape[-1], body.width, lambda i, count: body.write(k, [*at, i], count))

    k.nest(shape[:-1], row)
    name = shelf.put(k, f"walk.{item.equations[-1].op.name}")
    return f"call void @{name}({k.arguments})"


def copy(shelf: Shelf, plan: Plan, item: Copy, vector: int) -> str:
    """The call of a kernel that copies an array, or fills one with a number."""
    k = Kernel()
    kind = item.target.storage.kind
    width = lanes_of([kind], vector)
    source = item.source
    if type(source) is not Var and np.ndim(source) == 0:
        shape, strides = collapsed(item.target.shape, [item.target.strides])
        views = [View(item.target.storage, shape, strides[0])]
    else:
        found = plan.view(source).broadcast(item.target.shape)
        shape, strides = collapsed(found.shape, [found.strides, item.target.strides])
        views = [View(v.storage, shape, s, v.offset)
                 for v, s in zip((found, item.target), strides, strict=True)]  # fmt: skip

    def row(at: list[Index]) -> None:
        def lanes(i: Index, count: int) -> None:
            book = k.book()
            if len(views) == 1:
                value = book.constant(Kind(kind.number, width), source)
            else:
                value = book.spread(k.load(book, views[0], [*at, i], Lanes(width, count)), width)
            k.close(book, [value])
            k.store_at(value, k.entry(views[-1], [*at, i]), count)

        k.blocks(shape[-1], width, lanes)

    k.nest(shape[:-1], row)
    return f"call void @{shelf.put(k, 'walk.copy')}({k.arguments})"
