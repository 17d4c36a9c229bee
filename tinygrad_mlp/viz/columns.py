"""What the steps of the layout hand to each other: columns of items and the arrows between them.

This file knows items, links, blocks and columns as data. The steps are in `layers.py` (columns,
order, coordinates) and `heights.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

__all__ = ["APART", "Block", "Columns", "Item", "Link", "Sizes"]

Item: TypeAlias = tuple[str, str]
"""What stands in a column: ``("n", key)`` a box, ``("g", key)`` a frame, ``("i", tail)`` and
``("o", tail)`` a port on the left and right edge, ``("d", …)`` a placeholder of an arrow."""

APART = {"n": 16.0, "g": 20.0, "i": 10.0, "o": 10.0, "d": 12.0}
"""How far items stay away from what is above and below them."""


class Link(NamedTuple):
    """An arrow inside one room; parallel ones are numbered."""

    source: Item
    target: Item
    tail: str
    number: int


@dataclass(slots=True)
class Block:
    """A room that has been laid out, measured from its own top left corner."""

    w: float
    h: float
    places: dict[Item, tuple[float, float]]
    paths: dict[Link, list[tuple[float, float]]]
    enter: dict[str, float] = field(default_factory=dict)
    leave: dict[str, float] = field(default_factory=dict)

    def widen(self) -> None:
        """Move what leaves on the right to the right edge, after the room was made wider."""
        for link, path in self.paths.items():
            if link.target[0] == "o":
                path[-1] = (self.w, path[-1][1])


Sizes: TypeAlias = Mapping[Item, Any]


@dataclass(slots=True)
class Columns:
    """The room while it is laid out."""

    sizes: Sizes
    blocks: Mapping[Any, Block]
    columns: list[list[Item]]
    layer: dict[Item, int]
    before: dict[Item, list[tuple[Item, str]]]
    after: dict[Item, list[tuple[Item, str]]]
    hops: dict[Link, list[Item]]
    leaves: set[Item]
    y: dict[Item, float] = field(default_factory=dict)

    def height(self, item: Item) -> float:
        """How tall an item is; ports and placeholders are lines."""
        size = self.sizes.get(item)
        return 0.0 if size is None else float(size.h)

    def port(self, item: Item, tail: str, *, into: bool) -> float:
        """How far below its middle an arrow meets an item."""
        if item[0] != "g":
            return 0.0
        block = self.blocks[item[1]]
        return (block.enter if into else block.leave)[tail] - block.h / 2
