"""Products of matrices: tiles that stay in registers, and what follows them while it is at hand.

This file knows how large a tile is, when a factor is laid out anew so that it is read in order, and
that a group which follows a product is computed tile by tile. It does not know what the group is.
"""

from __future__ import annotations

from typing import NamedTuple

from tinygrad_mlp.program.native.kernels import Index, Kernel, Lanes, Shelf
from tinygrad_mlp.program.native.plan import Group, Plan, Product
from tinygrad_mlp.program.native.values import Book, Kind, NotNativeError, Value
from tinygrad_mlp.program.native.views import Storage, View
from tinygrad_mlp.program.native.walks import Body

__all__ = ["Packs", "product"]


class _Matrix(NamedTuple):
    """A factor: entry (i, j) is at ``offset + i down + j right``."""

    storage: Storage
    offset: int
    down: int
    right: int


class Packs(NamedTuple):
    """Room for factors that are laid out anew: none where nothing is to be done."""

    a: Storage | None
    b: Storage | None


class _Spot(NamedTuple):
    """A place in storage."""

    storage: Storage
    at: Index


class _Shape(NamedTuple):
    """A tile: rows, and vectors in each."""

    rows: int
    vectors: int


_FAR = 1024
"""Rows a multiple of so many bytes apart share few places in the cache."""

_TILES = 8
"""So many tiles are laid side by side in one go."""

_PAGES = 1 << 18
"""Over more bytes than this, addresses are looked up slowly."""


class Tiling:
    """How a product is cut.

    Args:
        plan: The plan.
        item: The group that the product heads.
        vector: How many bytes the processor works on at once.
    """

    def __init__(self, plan: Plan, item: Group, vector: int) -> None:
        head = item.head
        if head is None:
            raise NotNativeError("no product")
        self.head = head
        self.kind = Kind.of_dtype(head.equation.output.dtype)
        self.bytes = 8 if self.kind.number == "double" else 4
        self.width = vector // self.bytes
        self.a = self._matrix(plan.view(head.a), left=True)
        self.b = self._matrix(plan.view(head.b), left=False)
        self.tile = _best(head, self.width, 32 if vector == 64 else 16)
        long = head.inner >= 64
        again = head.columns > 4 * self.width
        self.pack_a = long and again and self._far(self.a.right)
        many = head.rows > 4 * self.tile.rows
        far = long and many and self._far(self.b.down)
        self.pack_b = (self.b.right != 1 and head.columns > 1) or far
        self.packs = self._packs()

    def _far(self, step: int) -> bool:
        """Whether going down a column of such steps would be slow."""
        size = step * self.bytes
        return size >= _FAR and (not size % _FAR or size * self.head.inner > _PAGES)

    @staticmethod
    def _matrix(view: View, *, left: bool) -> _Matrix:
        if len(view.shape) == 2:
            return _Matrix(view.storage, view.offset, *view.strides)
        (stride,) = view.strides
        return _Matrix(view.storage, view.offset, *((0, stride) if left else (stride, 0)))

    def _packs(self) -> Packs:
        columns = self.tile.vectors * self.width
        rows = -(-self.head.rows // self.tile.rows) * self.tile.rows
        return Packs(
            Storage("packed", self.kind, rows * self.head.inner) if self.pack_a else None,
            Storage("packed", self.kind, columns * self.head.inner) if self.pack_b else None,
        )


def _best(head: Product, width: int, registers: int) -> _Shape:
    """The tile that wastes least: multiplications against loads, edges and the way in and out."""
    best: tuple[float, _Shape] | None = None
    for rows in (1, 2, 3, 4, 5, 6, 8, 10, 12, 14):
        for vectors in (1, 2, 3, 4, 6, 8):
            if rows * vectors + vectors + 1 > registers - 3 or rows > max(head.rows, 1):
                continue
            if (vectors - 1) * width >= head.columns:
                continue
            cost = 0.0
            across, down = divmod(head.columns, vectors * width), divmod(head.rows, rows)
            for r, times in ((rows, down[0]), (down[1], 1)):
                for v, often in ((vectors, across[0]), (-(-across[1] // width), 1)):
                    if r and v:
                        one = max(r * v / 2, (r + v) / 2, 4.0) * head.inner + 30 + 3 * r * v
                        cost += one * times * often
            if best is None or cost < best[0]:
                best = cost, _Shape(rows, vectors)
    if best is None:
        raise NotNativeError("a product without a tile")
    return best[1]


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
        rows = _transposed(book, columns, 16 // t.bytes)[:size]
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
        inner = _sums(t, _Shape(rows, vectors), steps, down, last)
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


def _transposed(book: Book, rows: list[Value], quarter: int) -> list[Value]:
    """A square of lanes with rows and columns exchanged.

    Processors are quick to mix lanes within each sixteen bytes, and to move sixteen bytes as they
    are. So entries are mixed there first, and these stretches, each of `quarter` entries, are
    moved afterwards.
    """
    width = len(rows)
    stretches = range(0, width, quarter)
    half = quarter // 2
    step = 1
    while step < quarter:
        mixed = list(rows)
        for i in (i for i in range(width) if not i & step):
            # Runs of `step` entries by turns, from either half of each stretch.
            for k in (0, 1):
                places = [
                    p
                    for start in stretches
                    for run in range(start + k * half, start + k * half + half, step)
                    for p in (*range(run, run + step), *range(width + run, width + run + step))
                ]
                mixed[i + k * step] = _mixed(book, rows[i], rows[i + step], places)
        rows = mixed
        step *= 2
    groups = [_moved(book, rows[c::quarter], quarter) for c in _turned_order(quarter)]
    return [groups[c][stretch] for stretch in range(len(stretches)) for c in range(quarter)]


def _turned_order(quarter: int) -> list[int]:
    """Which of the mixed rows holds column c of each stretch: their numbers are bit-reversed."""
    return [0, 2, 1, 3] if quarter == 4 else list(range(quarter))


def _moved(book: Book, rows: list[Value], quarter: int) -> list[Value]:
    """The same stretch of every row in one row, for each stretch."""
    if len(rows) == 1:
        return rows
    width = rows[0].kind.lanes
    halves = []
    for first in (0, quarter):
        places = [
            other + start + i
            for other in (0, width)
            for start in range(first, width, 2 * quarter)
            for i in range(quarter)
        ]
        pairs = zip(rows[::2], rows[1::2], strict=True)
        halves.append(_moved(book, [_mixed(book, a, b, places) for a, b in pairs], quarter))
    return [row for pair in zip(*halves, strict=True) for row in pair]


def _mixed(book: Book, a: Value, b: Value, places: list[int]) -> Value:
    where = ", ".join(f"i32 {p}" for p in places)
    text = f"shufflevector {a.kind} {{0}}, {a.kind} {{1}}, <{len(places)} x i32> <{where}>"
    return book.put(a.kind, text, a, b)


def _sums(t: Tiling, tile: _Shape, steps: tuple[int, int], down: int, last: int) -> Kernel:
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
