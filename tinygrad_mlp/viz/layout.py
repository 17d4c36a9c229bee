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
    """How much space a box needs, and how wide the label of its arrows is."""

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


Within: TypeAlias = str | None


@dataclass(slots=True)
class _Part:
    """A frame while it is laid out; the whole picture is the part None."""

    items: dict[Item, Size] = field(default_factory=dict)
    links: dict[Link, None] = field(default_factory=dict)
    block: Block | None = None


def lay_out(
    sizes: Mapping[str, Size],
    edges: Sequence[tuple[str, str]],
    frame_of: Mapping[str, Within] | None = None,
    frames: Mapping[str, Frame] | None = None,
    *,
    down: bool = False,
) -> Layout:
    """Place boxes, frames and arrows.

    Args:
        sizes: The boxes by key, in the order of computation.
        edges: The arrows as (tail, head).
        frame_of: The frame that a box stands in.
        frames: The frames; each after the one that it lies in.
        down: Whether arrows run downward instead of to the right.

    >>> layout = lay_out({"a": Size(40, 20), "b": Size(40, 20)}, [("a", "b")])
    >>> layout.boxes["a"].x < layout.boxes["b"].x
    True
    """
    frame_of, frames = frame_of or {}, frames or {}
    if down:
        sizes = {key: Size(s.h, s.w, 14.0 if s.label else 0.0) for key, s in sizes.items()}
    parts: dict[Within, _Part] = {None: _Part()} | {key: _Part() for key in frames}
    above = _ancestry(frames)
    for key, size in sizes.items():
        parts[frame_of.get(key)].items["n", key] = size
    routes = [
        _route(tail, head, frame_of=frame_of, above=above, parts=parts, number=k)
        for k, (tail, head) in _numbered(edges)
    ]
    inward: list[Within] = [None, *frames]
    for within in reversed(inward):
        part = parts[within]
        frame = None if within is None else frames[within]
        inset = PADDING if frame else 0.0
        top = inset + (HEADER if frame and not down else 0.0)
        left = inset + (HEADER if frame and down else 0.0)
        part.block = arrange(
            part.items,
            list(part.links),
            left=left,
            top=top,
            inset=inset,
            blocks=blocks_of(parts),
        )
        if frame is not None and within is not None:
            wanted = frame.title + 2 * PADDING
            if down:
                part.block.h = max(part.block.h, wanted)
            else:
                part.block.w = max(part.block.w, wanted)
                part.block.widen()
            parts[frame.parent].items["g", within] = Size(part.block.w, part.block.h, 0.0)
    return _collect(parts, frames, routes, down=down)


def blocks_of(parts: Mapping[Within, _Part]) -> Mapping[Within, Block]:
    """The blocks of the frames that are laid out already."""
    return {key: part.block for key, part in parts.items() if part.block is not None}


def _ancestry(frames: Mapping[str, Frame]) -> dict[Within, list[Within]]:
    """For every frame the frames that it lies in and itself, outermost first."""
    above: dict[Within, list[Within]] = {None: [None]}
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
    frame_of: Mapping[str, Within],
    above: Mapping[Within, list[Within]],
    parts: Mapping[Within, _Part],
    number: int,
) -> list[tuple[Within, Link]]:
    """The links that an arrow is made of: out of frames, across, and into frames."""
    out, into = above[frame_of.get(tail)], above[frame_of.get(head)]
    shared = 0
    while shared < min(len(out), len(into)) and out[shared] == into[shared]:
        shared += 1
    route: list[tuple[Within, Link]] = []
    here: Item = ("n", tail)
    for within in out[: shared - 1 : -1]:
        route.append((within, Link(here, ("o", tail), tail, 0)))
        here = ("g", str(within))
    rest = into[shared:]
    target: Item = ("g", str(rest[0])) if rest else ("n", head)
    route.append((out[shared - 1], Link(here, target, tail, 0 if rest else number)))
    for i, within in enumerate(rest):
        last = i == len(rest) - 1
        target = ("n", head) if last else ("g", str(rest[i + 1]))
        route.append((within, Link(("i", tail), target, tail, number if last else 0)))
    for within, link in route:
        parts[within].links[link] = None
    return route


def _collect(
    parts: Mapping[Within, _Part],
    frames: Mapping[str, Frame],
    routes: Sequence[Sequence[tuple[Within, Link]]],
    *,
    down: bool,
) -> Layout:
    """Turn places inside frames into places in the picture."""
    origin: dict[Within, Point] = {None: Point(0.0, 0.0)}
    boxes: dict[str, Box] = {}
    framed: dict[str, Box] = {}
    for within in [None, *frames]:
        part = parts[within]
        assert part.block is not None  # noqa: S101 - every part was arranged
        for (what, key), size in part.items.items():
            x, y = part.block.places[what, key]
            at = Point(origin[within].x + x, origin[within].y + y)
            if what == "g":
                origin[key] = at
                framed[key] = Box(*at, size.w, size.h)
            elif what == "n":
                boxes[key] = Box(*at, size.w, size.h)
    lines = []
    for route in routes:
        line: list[Point] = []
        for within, link in route:
            block, (dx, dy) = parts[within].block, origin[within]
            assert block is not None  # noqa: S101
            points = [Point(x + dx, y + dy) for x, y in block.paths[link]]
            line += points[1:] if line and points[0] == line[-1] else points
        lines.append(line)
    whole = parts[None].block
    assert whole is not None  # noqa: S101
    if not down:
        return Layout(whole.w, whole.h, boxes, framed, lines)
    turn = {key: Box(b.y, b.x, b.h, b.w) for key, b in boxes.items()}
    turned = {key: Box(b.y, b.x, b.h, b.w) for key, b in framed.items()}
    return Layout(
        whole.h, whole.w, turn, turned, [[Point(y, x) for x, y in line] for line in lines]
    )
