"""One room of a picture: boxes in columns, arrows from left to right.

This file knows the steps of a layered layout (Sugiyama, Tagawa and Toda 1981): columns by the
longest path, placeholders where an arrow crosses a column, few crossings by barycentres, and
heights by least squares under the condition that nothing touches (pool adjacent violators). It
does not know frames from boxes: a frame that is laid out already is a box with ports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_mlp.viz.columns import Block, Columns, Item, Link, Sizes
from tinygrad_mlp.viz.heights import settle

__all__ = ["arrange"]

GAP = 34.0  # between columns
SPREAD = 9.0  # between arrows that arrive at one box
SWEEPS = 6


def arrange(
    sizes: Sizes,
    links: Sequence[Link],
    *,
    left: float,
    top: float,
    inset: float,
    blocks: Mapping[Any, Block],
) -> Block:
    """Lay out one room.

    Args:
        sizes: The size of every box and frame, by item, in the order of computation.
        links: The arrows.
        left: The room left free on the left.
        top: The room left free above.
        inset: The room left free on the other sides.
        blocks: The frames that are laid out already, for their ports.
    """
    columns = _columns(sizes, links, blocks)
    _order(columns)
    settle(columns)
    return _block(columns, links, left, top, inset)


# -- columns ---------------------------------------------------------------------------------


def _columns(sizes: Sizes, links: Sequence[Link], blocks: Mapping[Any, Block]) -> Columns:
    order = {item: k for k, item in enumerate(sizes)}
    inner = [k for k in links if k.source in order and k.target in order]
    forward = [(k.source, k.target) for k in inner if k.source != k.target]
    layer = _longest_paths(list(sizes), forward)
    readers: dict[Item, list[int]] = defaultdict(list)
    has_input = {target for _, target in forward} | {k.target for k in links if k.source[0] == "i"}
    for source, target in forward:
        readers[source].append(layer[target])
    leaves = {item for item in sizes if item not in has_input}
    for item in leaves:
        if readers[item]:
            layer[item] = min(readers[item]) - 1
    last = max(layer.values(), default=-1) + 1
    for link in links:
        layer.setdefault(link.source, -1)
        layer.setdefault(link.target, last)
    hops: dict[Link, list[Item]] = {}
    columns: list[list[Item]] = [[] for _ in range(last + 2)]
    for item in [*dict.fromkeys(k.source for k in links if k.source[0] == "i"), *sizes]:
        columns[layer[item] + 1].append(item)
    for item in dict.fromkeys(k.target for k in links if k.target[0] == "o"):
        columns[layer[item] + 1].append(item)
    before: dict[Item, list[tuple[Item, str]]] = defaultdict(list)
    after: dict[Item, list[tuple[Item, str]]] = defaultdict(list)
    for link in links:
        chain = [link.source]
        start, stop = layer[link.source], layer[link.target]
        for at in range(start + 1, stop):
            hop = ("d", f"{link.source[0]}{link.source[1]}/{link.tail}/{at}")
            if hop not in layer:
                layer[hop] = at
                columns[at + 1].append(hop)
                before[hop].append((chain[-1], link.tail))
                after[chain[-1]].append((hop, link.tail))
            chain.append(hop)
        before[link.target].append((chain[-1], link.tail))
        after[chain[-1]].append((link.target, link.tail))
        hops[link] = [*chain, link.target]
    return Columns(sizes, blocks, columns, layer, before, after, hops, leaves)


def _longest_paths(items: Sequence[Item], edges: Sequence[tuple[Item, Item]]) -> dict[Item, int]:
    """The column of every item: one to the right of the last thing that it reads."""
    targets: dict[Item, list[Item]] = defaultdict(list)
    missing = dict.fromkeys(items, 0)
    for source, target in edges:
        targets[source].append(target)
        missing[target] += 1
    layer = dict.fromkeys(items, 0)
    ready = [item for item in items if not missing[item]]
    while ready:
        item = ready.pop()
        for target in targets[item]:
            layer[target] = max(layer[target], layer[item] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return layer


# -- order -----------------------------------------------------------------------------------


def _order(room: Columns) -> None:
    """Sweep back and forth; every item wants to stand beside the middle of its neighbours."""
    for column in room.columns:
        column.sort(key=lambda item: item in room.leaves)
    for sweep in range(SWEEPS):
        ahead = sweep % 2 == 1
        columns = room.columns if ahead else room.columns[::-1]
        neighbours = room.before if ahead else room.after
        place = {item: k / max(len(column), 1) for column in columns
                 for k, item in enumerate(column)}  # fmt: skip
        for column in columns:
            wish = {}
            for k, item in enumerate(column):
                beside = neighbours[item]
                own = k / len(column)
                wish[item] = sum(place[n] for n, _ in beside) / len(beside) if beside else own
                if not ahead and item in room.leaves:
                    wish[item] += 1e-6 * (1 + _operand(room, item))
            column.sort(key=wish.__getitem__)
            for k, item in enumerate(column):
                place[item] = k / len(column)


def _operand(room: Columns, item: Item) -> int:
    """Which input of its reader a leaf is: leaves stand in the order of the operands."""
    reader = room.after[item][0][0] if room.after[item] else None
    if reader is None:
        return 0
    return next((k for k, (x, _) in enumerate(room.before[reader]) if x == item), 0)


# -- coordinates -----------------------------------------------------------------------------


def _block(room: Columns, links: Sequence[Link], left: float, top: float, inset: float) -> Block:
    highest = min(
        (room.y[item] - room.height(item) / 2 for column in room.columns for item in column),
        default=0.0,
    )
    y = {item: round(room.y[item] - highest + top, 1) for item in room.y}
    x, start, stop = {}, [0.0] * len(room.columns), [0.0] * len(room.columns)
    at, gap, after = left, 0.0, 0.0
    for k, column in enumerate(room.columns):
        edge = k in (0, len(room.columns) - 1)
        widths = {item: 0.0 if (s := room.sizes.get(item)) is None else s.w for item in column}
        wide = max(widths.values(), default=0.0)
        start[k], stop[k] = at, at + wide
        if edge:
            continue
        gap, after = GAP, inset
        for item, w in widths.items():
            x[item] = round(at + (wide - w) / 2, 1)
            size = room.sizes.get(item)
            if size is not None and size.label:
                after = max(after, size.label + 8.0 - (wide - w) / 2)
                gap = max(gap, after + 14.0)
        at += wide + gap
    w = at - gap + (after if room.columns[-1] else inset) if len(room.columns) > 2 else left + inset
    start[0] = stop[0] = 0.0
    start[-1] = stop[-1] = w
    h = max((y[i] + room.height(i) / 2 for i in y), default=0.0) + inset
    places = {item: (x[item], round(y[item] - room.height(item) / 2, 1)) for item in room.sizes}
    fans = _fans(room, y)
    paths = {link: _path(room, link, x=x, y=y, start=start, stop=stop, fans=fans) for link in links}
    enter = {item[1]: y[item] for item in room.columns[0]}
    leave = {item[1]: y[item] for item in room.columns[-1]}
    return Block(round(w, 1), round(h, 1), places, paths, enter, leave)


def _fans(room: Columns, y: Mapping[Item, float]) -> dict[Link, float]:
    """Arrows that arrive at one box arrive beside each other, from top to bottom."""
    arriving: dict[Item, list[Link]] = defaultdict(list)
    for link in room.hops:
        if link.target[0] == "n":
            arriving[link.target].append(link)
    fans = {}
    for target, links in arriving.items():
        step = min(SPREAD, max(room.height(target) - 12.0, 0.0) / len(links))
        comes = {k: y[x := room.hops[k][-2]] + room.port(x, k.tail, into=False) for k in links}
        ordered = sorted(links, key=lambda k: (comes[k], k.number))
        straight = [k for k in ordered if abs(comes[k] - y[target]) < 1.0]
        middle = ordered.index(straight[0]) if len(straight) == 1 else (len(ordered) - 1) / 2
        for k, link in enumerate(ordered):
            fans[link] = (k - middle) * step
    return fans


def _path(
    room: Columns,
    link: Link,
    *,
    x: Mapping[Item, float],
    y: Mapping[Item, float],
    start: Sequence[float],
    stop: Sequence[float],
    fans: Mapping[Link, float],
) -> list[tuple[float, float]]:
    """The points of an arrow: out of its box, across columns, into the next box."""
    hops = room.hops[link]
    points: list[tuple[float, float]] = []
    for k, item in enumerate(hops):
        column = room.layer[item] + 1
        size = room.sizes.get(item)
        if k == 0:
            at = y[item] + room.port(item, link.tail, into=False)
            if link.number and item[0] == "n":
                at += min(SPREAD * link.number, room.height(item) / 2 - 4)
            if size is not None:
                points.append((x[item] + size.w, at))
            points.append((stop[column], at))
        elif k == len(hops) - 1:
            at = y[item] + room.port(item, link.tail, into=True) + fans.get(link, 0.0)
            points.append((start[column], at))
            if size is not None:
                points.append((x[item], at))
        else:
            points += [(start[column], y[item]), (stop[column], y[item])]
    clean = [points[0]]
    for point in points[1:]:
        if point != clean[-1]:
            clean.append(point)
    return clean
