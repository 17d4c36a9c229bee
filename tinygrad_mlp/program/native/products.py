"""Products of matrices: tiles that stay in registers, and what follows them while it is at hand.

This file knows how factors are laid out anew so that they are read in order, how a tile is summed
up, and that a group which follows a product is computed tile by tile. How large a tile is, `tiling`
has decided; what the group is, it does not know.
"""

from __future__ import annotations

from typing import NamedTuple

from tinygrad_mlp.program.native.items import Group
from tinygrad_mlp.program.native.kernels import Index, Kernel, Lanes, Shelf
from tinygrad_mlp.program.native.plan import Plan
from tinygrad_mlp.program.native.tiling import Shape, Tiling
from tinygrad_mlp.program.native.transposing import transposed
from tinygrad_mlp.program.native.values import Kind
from tinygrad_mlp.program.native.views import Storage
from tinygrad_mlp.program.native.walks import Body

__all__ = ["product"]


class _Spot(NamedTuple):
    """A place in storage."""

    storage: Storage
    at: Index


_TILES = 8
"""So many tiles are laid side by side in one go."""


def product(shelf: Shelf, plan: Plan, item: Group, tiling: Tiling, vector: int) -> str:
    """The call of a kernel that computes a product and the group behind it."""
    return _Writer(shelf, plan, item, tiling, vector).write()


class _Writer:
    def __init__(self, shelf: Shelf, plan: Plan, item: Group, tiling: Tiling, vector: int) -> None:
        self.shelf, self.t, self.packs, self.k = shelf, tiling, tiling.packs, Kernel()
        self.body = Body(plan, item, vector)
        self.body.width = tiling.width
        self.k.hidden = plan.hidden
        self.head = tiling.head

    def write(self) -> str:
        """The call."""
        k, t, head = self.k, self.t, self.head
        columns = t.tile.vectors * t.width
        self.room = k.stack(t.kind, t.tile.rows * columns)
        if self.packs.a is not None:
            self._lay_a(self.packs.a)

        def panel(j: Index, count: int) -> None:
            vectors = -(-count // t.width)
            if self.packs.b is not None:
                self._lay_b(self.packs.b, j, count, vectors * t.width)
            k.blocks(head.rows, t.tile.rows, lambda i, rows: self._tile(i, j, rows, count))

        k.blocks(head.columns, columns, panel)
        name = self.shelf.put(k, f"dot.{head.rows}x{head.inner}x{head.columns}")
        return f"call void @{name}({k.arguments})"

    # -- laying out anew ---------------------------------------------------------------------

    def _lay_a(self, pack: Storage) -> None:
        """Tiles of rows, each column of a tile side by side.

        Several tiles at a time, so that what a line of the cache brings along is used.
        """
        k, t = self.k, self.t
        tall = t.tile.rows

        def band(i: Index, rows: int) -> None:
            def column(j: Index) -> None:
                source = k.plus(t.a.offset, k.plus(k.times(i, t.a.down), k.times(j, t.a.right)))
                target = k.plus(k.times(i, t.head.inner), k.times(j, tall))
                for n in range(0, rows, tall):
                    here = _Spot(t.a.storage, k.plus(source, n * t.a.down))
                    there = _Spot(pack, k.plus(target, n * t.head.inner))
                    some = min(tall, rows - n)
                    self._row(here, t.a.down, there, some, some)

            k.loop(0, t.head.inner, 1, column)

        k.blocks(t.head.rows, _TILES * tall, band)

    def _lay_b(self, pack: Storage, j: Index, count: int, wide: int) -> None:
        """A panel: so many columns, each row of them side by side."""
        k, t = self.k, self.t
        start = k.plus(t.b.offset, k.times(j, t.b.right))
        if t.b.down != 1 or t.b.right == 1:

            def row(i: Index) -> None:
                source = _Spot(t.b.storage, k.plus(start, k.times(i, t.b.down)))
                self._row(source, t.b.right, _Spot(pack, k.times(i, wide)), count, wide)

            k.loop(0, t.head.inner, 1, row)
            return
        for n in range(0, count, t.width):

            def block(i: Index, size: int, n: int = n) -> None:
                source = k.plus(start, k.plus(n * t.b.right, i))
                target = _Spot(pack, k.plus(k.times(i, wide), n))
                self._turned(source, target, size, min(t.width, count - n), wide)

            k.blocks(t.head.inner, t.width, block)

    def _row(self, source: _Spot, stride: int, target: _Spot, count: int, wide: int) -> None:
        """Entries in order, and zeros behind them up to so many."""
        k, t = self.k, self.t
        for i in range(0, wide, t.width):
            some = max(0, min(t.width, count - i))
            book = k.book()
            pointer = k.at(k.pointer(source.storage), t.kind, k.plus(source.at, i * stride))
            there = k.at(k.pointer(target.storage), t.kind, k.plus(target.at, i))
            value = k.load_at(book, pointer, t.kind, stride, Lanes(t.width, some))
            value = book.spread(value, t.width)
            k.close(book, [value])
            k.store_at(value, there, min(t.width, wide - i))

    def _turned(self, at: Index, target: _Spot, size: int, count: int, wide: int) -> None:
        """A block: so many columns of `size` entries each become rows."""
        k, t = self.k, self.t
        book, kind = k.book(), Kind(t.kind.number, t.width)
        columns = []
        for n in range(t.width):
            if n < count:
                place = k.plus(at, n * t.b.right)
                pointer = k.at(k.pointer(t.b.storage), t.kind, place)
                columns.append(k.load_at(book, pointer, t.kind, 1, Lanes(t.width, size)))
            else:
                columns.append(book.constant(kind, 0.0))
        rows = transposed(book, columns, 16 // t.bytes)[:size]
        k.close(book, rows)
        for i, row in enumerate(rows):
            place = k.plus(target.at, i * wide)
            k.store_at(row, k.at(k.pointer(target.storage), t.kind, place), t.width)

    # -- tiles -------------------------------------------------------------------------------

    def _tile(self, i: Index, j: Index, rows: int, count: int) -> None:
        """One tile, and the group on its entries."""
        k, t = self.k, self.t
        vectors = -(-count // t.width)
        wide = vectors * t.width
        if self.packs.a is not None:
            a = k.at(k.pointer(self.packs.a), t.kind, k.times(i, t.head.inner))
            steps = 1, t.tile.rows
        else:
            place = k.plus(t.a.offset, k.times(i, t.a.down))
            a = k.at(k.pointer(t.a.storage), t.kind, place)
            steps = t.a.down, t.a.right
        if self.packs.b is not None:
            b, down, last = k.pointer(self.packs.b), wide, t.width
        else:
            place = k.plus(t.b.offset, k.times(j, t.b.right))
            b, down = k.at(k.pointer(t.b.storage), t.kind, place), t.b.down
            last = count - wide + t.width
        inner = _sums(t, Shape(rows, vectors), steps, down, last)
        name = self.shelf.put(inner, f"tile.{rows}x{vectors}.{t.head.inner}")
        k.lines.append(f"call void @{name}(ptr {a}, ptr {b}, ptr {self.room})")

        def row(r: Index) -> None:
            for v in range(0, wide, t.width):
                pointer = k.at(k.at(self.room, t.kind, k.times(r, wide)), t.kind, v)
                at = self._entry(k.plus(i, r), j)
                self.body.write(k, at, min(t.width, count - v), v, pointer)

        k.loop(0, rows, 1, row)

    def _entry(self, i: Index, j: Index) -> list[Index]:
        """Where an entry is in the result, which has an axis for each matrix that is one."""
        axes = len(self.body.item.shape)
        return [i, j] if axes == 2 else [] if not axes else [j if self.head.rows == 1 else i]


def _sums(t: Tiling, tile: Shape, steps: tuple[int, int], down: int, last: int) -> Kernel:
    """The innermost loop: one tile's sums, which stay in registers until they are written.

    Args:
        t: What the tile is of.
        tile: Its size.
        steps: How far apart the entries of the left factor are, down and along.
        down: How far apart the rows of the right factor are.
        last: How many lanes count in the last vector.
    """
    k, kind = Kernel(), Kind(t.kind.number, t.width)
    whole = Lanes(t.width, t.width)
    a, b, c = (k.pointer(Storage(name, t.kind, 0)) for name in "abc")
    sums = [[k.stack(kind, 1) for _ in range(tile.vectors)] for _ in range(tile.rows)]
    for place in (p for row in sums for p in row):
        k.lines.append(f"store {kind} zeroinitializer, ptr {place}, align 64")

    def step(i: Index) -> None:
        left, right = k.times(i, steps[1]), k.times(i, down)
        columns = []
        for v in range(tile.vectors):
            pointer = k.at(b, t.kind, k.plus(right, v * t.width))
            lanes = Lanes(t.width, last) if v == tile.vectors - 1 else whole
            columns.append(k.load_at(k.book(), pointer, t.kind, 1, lanes))
        for r in range(tile.rows):
            pointer = k.at(a, t.kind, k.plus(left, r * steps[0]))
            book = k.book()
            factor = book.spread(k.load_at(book, pointer, t.kind, 0, whole), t.width)
            totals = [
                book.fma(factor, column, k.load_at(book, place, t.kind, 1, whole))
                for column, place in zip(columns, sums[r], strict=True)
            ]
            k.close(book, totals)
            for total, place in zip(totals, sums[r], strict=True):
                k.lines.append(f"store {kind} {total.name}, ptr {place}, align 64")

    unroll = 4 if tile.rows * tile.vectors <= 8 else 2
    full = t.head.inner // unroll * unroll

    def several(i: Index) -> None:
        for n in range(unroll):
            step(k.plus(i, n))

    k.loop(0, full, unroll, several)
    k.loop(full, t.head.inner, 1, step)
    for i, place in enumerate(p for row in sums for p in row):
        value = k.load_at(k.book(), place, t.kind, 1, whole)
        k.store_at(value, k.at(c, t.kind, i * t.width), t.width)
    return k
