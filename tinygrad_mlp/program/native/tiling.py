"""Tiling: how a product of matrices is cut, and which factor is laid out anew.

This file knows what fits into registers and what is far apart in memory. It writes no code.
"""

from __future__ import annotations

from typing import NamedTuple

from tinygrad_mlp.program.native.items import Group, Product
from tinygrad_mlp.program.native.plan import Plan
from tinygrad_mlp.program.native.values import Kind, NotNativeError
from tinygrad_mlp.program.native.views import Storage, View

__all__ = ["Matrix", "Packs", "Shape", "Tiling"]


class Matrix(NamedTuple):
    """A factor: entry (i, j) is at ``offset + i down + j right``."""

    storage: Storage
    offset: int
    down: int
    right: int


class Packs(NamedTuple):
    """Room for factors that are laid out anew: none where nothing is to be done."""

    a: Storage | None
    b: Storage | None


class Shape(NamedTuple):
    """A tile: rows, and vectors in each."""

    rows: int
    vectors: int


_FAR = 1024
"""Rows a multiple of so many bytes apart share few places in the cache."""

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
    def _matrix(view: View, *, left: bool) -> Matrix:
        if len(view.shape) == 2:
            return Matrix(view.storage, view.offset, *view.strides)
        (stride,) = view.strides
        return Matrix(view.storage, view.offset, *((0, stride) if left else (stride, 0)))

    def _packs(self) -> Packs:
        columns = self.tile.vectors * self.width
        rows = -(-self.head.rows // self.tile.rows) * self.tile.rows
        return Packs(
            Storage("packed", self.kind, rows * self.head.inner) if self.pack_a else None,
            Storage("packed", self.kind, columns * self.head.inner) if self.pack_b else None,
        )


def _best(head: Product, width: int, registers: int) -> Shape:
    """The tile that wastes least: multiplications against loads, edges and the way in and out."""
    best: tuple[float, Shape] | None = None
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
                best = cost, Shape(rows, vectors)
    if best is None:
        raise NotNativeError("a product without a tile")
    return best[1]
