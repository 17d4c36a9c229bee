"""The plan: which equations run in one walk through memory, and where their results are kept.

This file knows that what works entry by entry on arrays of one shape may run together, behind the
product that it follows, and when a parameter may be overwritten. It writes no code: `walks` and
`products` do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.program.native.items import Copy, Group, Item, Product, Reduction
from tinygrad_mlp.program.native.module import Place
from tinygrad_mlp.program.native.ufuncs import entrywise, folded
from tinygrad_mlp.program.native.values import Kind, NotNativeError
from tinygrad_mlp.program.native.views import Storage, View, is_view, whole

__all__ = ["Plan", "results"]


class Plan:
    """Items in the order in which they run, and storage for what outlives one.

    Args:
        program: The program.
        given: Where inputs, numbers and cells are, by ``id`` of their variable.
        cells: Where the content of the cells is that the step writes.
    """

    def __init__(
        self, program: Program, given: dict[int, Storage], cells: list[tuple[Cell, View]]
    ) -> None:
        self.program, self.given, self.cells = program, given, cells
        self.items: list[Item] = []
        self.roots: dict[int, Var] = {}
        self.ghosts: dict[int, Array] = {}
        self.storages: dict[int, Storage] = dict(given)
        self.where: dict[int, int] = {}
        self.constants: list[tuple[Place, Array]] = []
        self._known: dict[int, Storage] = {}
        for v in [*program.inputs, *(c.before for c in program.reads)]:
            if v is not None:
                self._new(v)
                self.where[id(v)] = -1
        for e in program.equations:
            self._add(e)
        self.last = self._last_uses()
        self.inside = self._inside()
        self.late: list[Copy] = []
        self.early: list[Copy] = []
        self._homes()

    # -- roots and views ---------------------------------------------------------------------

    def root(self, v: Any) -> Any:
        """The variable whose storage a variable is a view of."""
        return self.roots[id(v)]

    def _new(self, v: Var) -> None:
        self.roots[id(v)] = v
        value = v.value if isinstance(v.value, np.ndarray) else np.zeros(())
        self.ghosts[id(v)] = np.empty(value.shape, value.dtype)

    def view(self, x: Any) -> View:
        """Where the entries of an input are."""
        if type(x) is not Var:
            storage = self._constant(x)
            return whole(storage, np.shape(x))
        root = self.roots[id(x)]
        if id(root) not in self.storages:
            kind = Kind.of_dtype(root.dtype)
            self.storages[id(root)] = Storage(root.name or "v", kind, root.size)
        storage = self.storages[id(root)]
        return View.of(storage, self.ghosts[id(x)], self.ghosts[id(root)])

    def _constant(self, x: Any) -> Storage:
        """An array that the program holds itself."""
        if id(x) not in self._known:
            name = f"constant.{len(self.constants)}"
            array = np.ascontiguousarray(x)
            self.constants.append((Place(name, array.shape, array.dtype), array))
            kind = Kind.of_dtype(array.dtype)
            self._known[id(x)] = Storage(name, kind, array.size, f"@{name}")
        return self._known[id(x)]

    # -- items -------------------------------------------------------------------------------

    def _add(self, e: Equation) -> None:
        if not e.pure or e.output.size == 0:
            raise NotNativeError(e.op.name)
        first = e.inputs[0]
        if type(first) is Var:
            view = is_view(e, self.ghosts[id(first)])
            if view is not None:
                self.roots[id(e.output)] = self.roots[id(first)]
                self.ghosts[id(e.output)] = view
                return
        self._new(e.output)
        Kind.of_dtype(e.output.dtype)
        if entrywise(e) is not None or e.op.name == "reshape":
            self._join(e)
        elif e.op.forward is np.dot or e.op.name == "matmul":
            self._multiply(e)
        elif folded(e.op, e.output.dtype) is not None:
            self._reduce(e)
        else:
            raise NotNativeError(e.op.name)

    def _put(self, item: Item) -> None:
        for v in item.outputs:
            self.where[id(v)] = len(self.items)
        self.items.append(item)

    def _join(self, e: Equation) -> None:
        """Into the first group of this shape behind everything that the equation needs."""
        shape = e.output.shape if e.op.name != "reshape" else e.inputs[0].shape
        first = 0
        for x in e.inputs:
            if type(x) is Var:
                root = self.root(x)
                first = max(first, self.where[id(root)] + (not self.same_entry(x, root, shape)))
        for number in range(first, len(self.items)):
            item = self.items[number]
            if isinstance(item, Group) and item.open and item.shape == shape:
                item.equations.append(e)
                self.where[id(e.output)] = number
                return
        self._put(Group(shape, None, [e]))

    def same_entry(self, x: Var, root: Var, shape: tuple[int, ...]) -> bool:
        """Whether entry (i, j) of an input is entry (i, j) of its root, which a group computes."""
        ghost, whole_ghost = self.ghosts[id(x)], self.ghosts[id(root)]
        same = ghost is whole_ghost or (
            ghost.shape == whole_ghost.shape
            and ghost.strides == whole_ghost.strides
            and ghost.__array_interface__["data"][0] == whole_ghost.__array_interface__["data"][0]
        )
        return same and x.shape == shape

    def _multiply(self, e: Equation) -> None:
        a, b = e.inputs
        dims = np.ndim(self._value(a)), np.ndim(self._value(b))
        dtypes = {np.asarray(self._value(x)).dtype for x in (a, b)}
        if not set(dims) <= {1, 2} or dtypes != {e.output.dtype} or e.output.dtype.kind != "f":
            raise NotNativeError(f"{e.op.name} of {' and '.join(map(str, dims))} dimensions")
        rows = np.shape(self._value(a))[0] if dims[0] == 2 else 1
        inner = np.shape(self._value(a))[-1]
        columns = np.shape(self._value(b))[-1] if dims[1] == 2 else 1
        if min(rows, columns) <= 2 and self._along(a, b, dims):
            # Few results: along the sums, not across.
            left = (0, None, 1) if dims[0] == 2 else (None, None, 0)
            right = (None, 1, 0) if dims[1] == 2 else (None, None, 0)
            walk = (rows, columns, inner)
            self._put(Reduction(e, [(a, left), (b, right)], walk, (2,)))
            return
        product = Product(e, a, b, rows, inner, columns)
        group = Group(e.output.shape, product)
        group.open = dims == (2, 2)
        self._put(group)

    def _along(self, a: Any, b: Any, dims: tuple[int, int]) -> bool:
        """Whether both factors lie in order along the axis that goes."""
        left, right = self.view(a), self.view(b)
        return left.strides[-1] in {0, 1} and right.strides[0 if dims[1] == 2 else -1] in {0, 1}

    @staticmethod
    def _value(x: Any) -> Any:
        return x.value if type(x) is Var else x

    def _reduce(self, e: Equation) -> None:
        x = e.inputs[0]
        if type(x) is not Var or x.dtype != e.output.dtype:
            raise NotNativeError(e.op.name)
        axis = e.attrs["axis"]
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        self._put(
            Reduction(
                e, [(x, tuple(range(x.ndim)))], x.shape, tuple(sorted(a % x.ndim for a in axes))
            )
        )

    # -- how long things are needed ----------------------------------------------------------

    def _last_uses(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for number, item in enumerate(self.items):
            for e in item.all:
                for x in e.inputs:
                    if type(x) is Var:
                        last[id(self.root(x))] = number
        for v in self.program.results:
            if type(v) is Var:
                last[id(self.root(v))] = len(self.items)
        return last

    def _inside(self) -> set[int]:
        """What nobody needs outside the group that computes it."""
        return {
            id(v)
            for number, item in enumerate(self.items)
            for v in item.outputs
            if isinstance(item, Group) and self.last.get(id(v), number) == number
        }

    # -- where cells and results are written -------------------------------------------------

    def _homes(self) -> None:
        """Compute what a cell will hold right there, if nobody needs what it holds by then."""
        befores = {id(c.before) for c, _ in self.cells if c.before is not None}
        homes: set[int] = set()
        for cell, target in self.cells:
            root = self.root(cell.after)
            if id(root) in befores and cell.after is not cell.before:
                raise NotNativeError("cells that change places")
            if (
                id(root) not in homes
                and id(root) not in self.given
                and self._fits(root, cell)
                and self._vacant(root, cell)
            ):
                homes.add(id(root))
                self.storages[id(root)] = target.storage
            else:
                self.late.append(Copy(cell.after, target))
        self.homes = homes
        self.hidden = {id(self.storages[i]) for i in self._hidden(homes)}

    def _hidden(self, homes: set[int]) -> set[int]:
        """What is written anew in each step and read by nobody inside: a gradient, mostly."""
        read = {id(self.root(v)) for v in self.program.outputs if type(v) is Var}
        for number, item in enumerate(self.items):
            for x in (x for e in item.all for x in e.inputs if type(x) is Var):
                root = self.root(x)
                if self.where[id(root)] != number or not self.same_entry(x, root, root.shape):
                    read.add(id(root))
        kept = {id(self.root(c.after)) for c, _ in self.cells if c.before is not None}
        late = {id(self.root(c.source)) for c in self.late if type(c.source) is Var}
        return homes - read - kept - late

    def _fits(self, root: Var, cell: Cell) -> bool:
        after = cell.after
        ghost = self.ghosts[id(after)]
        return bool(ghost.flags.c_contiguous and ghost.size == root.size)

    def _vacant(self, root: Var, cell: Cell) -> bool:
        """Whether the cell's old content is read for the last time before it is overwritten."""
        before = cell.before
        if before is None:
            return True
        when = self.where[id(root)]
        if self.last.get(id(before), -1) < when:
            return True
        if self.last[id(before)] > when or not isinstance(self.items[when], Group):
            return False
        item = self.items[when]
        readers = [
            (e, x) for e in item.all for x in e.inputs if type(x) is Var and self.root(x) is before
        ]
        head = item.head.equation if isinstance(item, Group) and item.head else None
        return all(e is not head and self.same_entry(x, before, e.output.shape) for e, x in readers)


def results(plan: Plan, places: list[Place], storages: list[Storage]) -> None:
    """Copy what the step returns to its place: first what will be overwritten."""
    befores = {id(c.before) for c, _ in plan.cells if c.before is not None}
    for v, place, storage in zip(plan.program.outputs, places, storages, strict=True):
        early = type(v) is Var and id(plan.root(v)) in befores
        copy = Copy(v, whole(storage, place.shape))
        (plan.early if early else plan.late).append(copy)
