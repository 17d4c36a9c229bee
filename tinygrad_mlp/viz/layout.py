"""Where everything stands: a layered layout with frames, and no program but this one.

This file knows boxes as sizes, arrows as pairs and frames as nested blocks. It does not know
what is written in a box. A frame is laid out by itself first (`layers.py`), innermost frames
first, and then is a box in the frame around it; an arrow that crosses a frame passes through a
port on its edge. So frames never overlap, and an arrow never runs under a box: arrows bend only
in the gaps between columns and run straight across columns, in lanes of their own.

Nothing recurses and nothing is drawn at random: the same picture has the same coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from tinygrad_mlp.viz.columns import Block, Item, Link
from tinygrad_mlp.viz.layers import arrange

__all__ = ["Box", "Frame", "Layout", "Point", "Size", "lay_out"]

PADDING = 14.0
HEADER = 22.0


class Point(NamedTuple):
    """A place in the picture, from its top left corner."""

    x: float
    y: float


class Size(NamedTuple):
    """How much room a box needs, and how wide the label of its arrows is."""

    w: float
    h: float
    label: float = 0.0


class Frame(NamedTuple):
    """A group: the key of the one that it lies in, and the width of its title."""

    parent: str | None
    title: float


@dataclass(frozen=True, slots=True)
class Box:
    """A placed rectangle."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands.

    Attributes:
        width, height: The size of the whole.
        boxes: The rectangle of every node, by its key.
        frames: The rectangle of every group, by its key.
        lines: For every arrow the points that it runs through; between two points it is
            straight if they stand in one column, and bends if they stand on the sides of a gap.
    """

    width: float
    height: float
    boxes: dict[str, Box]
    frames: dict[str, Box]
    lines: list[list[Point]]


Home: TypeAlias = str | None


@dataclass(slots=True)
class _Room:
    """A frame while it is laid out; the whole picture is the room None."""

    items: dict[Item, Size] = field(default_factory=dict)
    links: dict[Link, None] = field(default_factory=dict)
    block: Block | None = None


def lay_out(
    sizes: Mapping[str, Size],
    edges: Sequence[tuple[str, str]],
    homes: Mapping[str, Home] | None = None,
    frames: Mapping[str, Frame] | None = None,
    *,
    down: bool = False,
) -> Layout:
    """Place boxes, frames and arrows.

    Args:
        sizes: The boxes by key, in the order of computation.
        edges: The arrows as (tail, head).
        homes: The frame that a box stands in.
        frames: The frames; each after the one that it lies in.
        down: Whether arrows run downward instead of to the right.

    >>> layout = lay_out({"a": Size(40, 20), "b": Size(40, 20)}, [("a", "b")])
    >>> layout.boxes["a"].x < layout.boxes["b"].x
    True
    """
    homes, frames = homes or {}, frames or {}
    if down:
        sizes = {key: Size(s.h, s.w, 14.0 if s.label else 0.0) for key, s in sizes.items()}
    rooms: dict[Home, _Room] = {None: _Room()} | {key: _Room() for key in frames}
    above = _ancestry(frames)
    for key, size in sizes.items():
        rooms[homes.get(key)].items["n", key] = size
    routes = [
        _route(tail, head, homes=homes, above=above, rooms=rooms, number=k)
        for k, (tail, head) in _numbered(edges)
    ]
    inward: list[Home] = [None, *frames]
    for home in reversed(inward):
        room = rooms[home]
        frame = None if home is None else frames[home]
        inset = PADDING if frame else 0.0
        top = inset + (HEADER if frame and not down else 0.0)
        left = inset + (HEADER if frame and down else 0.0)
        room.block = arrange(
            room.items,
            list(room.links),
            left=left,
            top=top,
            inset=inset,
            blocks=rooms_of(rooms),
        )
        if frame is not None and home is not None:
            wanted = frame.title + 2 * PADDING
            if down:
                room.block.h = max(room.block.h, wanted)
            else:
                room.block.w = max(room.block.w, wanted)
                room.block.widen()
            rooms[frame.parent].items["g", home] = Size(room.block.w, room.block.h, 0.0)
    return _collect(rooms, frames, routes, down=down)


def rooms_of(rooms: Mapping[Home, _Room]) -> Mapping[Home, Block]:
    """The blocks of the frames that are laid out already."""
    return {key: room.block for key, room in rooms.items() if room.block is not None}


def _ancestry(frames: Mapping[str, Frame]) -> dict[Home, list[Home]]:
    """For every frame the frames that it lies in and itself, outermost first."""
    above: dict[Home, list[Home]] = {None: [None]}
    for key, frame in frames.items():
        above[key] = [*above[frame.parent], key]
    return above


def _numbered(edges: Sequence[tuple[str, str]]) -> list[tuple[int, tuple[str, str]]]:
    """Parallel arrows are told apart by a number."""
    seen: dict[tuple[str, str], int] = {}
    result = []
    for edge in edges:
        seen[edge] = seen.get(edge, -1) + 1
        result.append((seen[edge], edge))
    return result


def _route(
    tail: str,
    head: str,
    *,
    homes: Mapping[str, Home],
    above: Mapping[Home, list[Home]],
    rooms: Mapping[Home, _Room],
    number: int,
) -> list[tuple[Home, Link]]:
    """The links that an arrow is made of: out of frames, across, and into frames."""
    out, into = above[homes.get(tail)], above[homes.get(head)]
    shared = 0
    while shared < min(len(out), len(into)) and out[shared] == into[shared]:
        shared += 1
    route: list[tuple[Home, Link]] = []
    here: Item = ("n", tail)
    for home in out[: shared - 1 : -1]:
        route.append((home, Link(here, ("o", tail), tail, 0)))
        here = ("g", str(home))
    rest = into[shared:]
    target: Item = ("g", str(rest[0])) if rest else ("n", head)
    route.append((out[shared - 1], Link(here, target, tail, 0 if rest else number)))
    for i, home in enumerate(rest):
        last = i == len(rest) - 1
        target = ("n", head) if last else ("g", str(rest[i + 1]))
        route.append((home, Link(("i", tail), target, tail, number if last else 0)))
    for home, link in route:
        rooms[home].links[link] = None
    return route


def _collect(
    rooms: Mapping[Home, _Room],
    frames: Mapping[str, Frame],
    routes: Sequence[Sequence[tuple[Home, Link]]],
    *,
    down: bool,
) -> Layout:
    """Turn places inside frames into places in the picture."""
    origin: dict[Home, Point] = {None: Point(0.0, 0.0)}
    boxes: dict[str, Box] = {}
    framed: dict[str, Box] = {}
    for home in [None, *frames]:
        room = rooms[home]
        assert room.block is not None  # noqa: S101 - every room was arranged
        for (what, key), size in room.items.items():
            x, y = room.block.places[what, key]
            at = Point(origin[home].x + x, origin[home].y + y)
            if what == "g":
                origin[key] = at
                framed[key] = Box(*at, size.w, size.h)
            elif what == "n":
                boxes[key] = Box(*at, size.w, size.h)
    lines = []
    for route in routes:
        line: list[Point] = []
        for home, link in route:
            block, (dx, dy) = rooms[home].block, origin[home]
            assert block is not None  # noqa: S101
            points = [Point(x + dx, y + dy) for x, y in block.paths[link]]
            line += points[1:] if line and points[0] == line[-1] else points
        lines.append(line)
    whole = rooms[None].block
    assert whole is not None  # noqa: S101
    if not down:
        return Layout(whole.w, whole.h, boxes, framed, lines)
    turn = {key: Box(b.y, b.x, b.h, b.w) for key, b in boxes.items()}
    turned = {key: Box(b.y, b.x, b.h, b.w) for key, b in framed.items()}
    return Layout(
        whole.h, whole.w, turn, turned, [[Point(y, x) for x, y in line] for line in lines]
    )
