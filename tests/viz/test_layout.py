"""Nothing touches anything: the geometry of the layout, on the golden graphs and drawn ones."""

from __future__ import annotations

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.viz.graphs import GRAPHS
from tinygrad_mlp.viz.layout import Box, Frame, Point, Size, lay_out
from tinygrad_mlp.viz.read import read
from tinygrad_mlp.viz.svg import place


def apart(a: Box, b: Box, least: float = 4.0) -> bool:
    return (
        a.x + a.w + least <= b.x
        or b.x + b.w + least <= a.x
        or a.y + a.h + least <= b.y
        or b.y + b.h + least <= a.y
    )


def within(a: Box, b: Box) -> bool:
    slack = 0.2  # coordinates are rounded to tenths
    return (
        b.x - slack <= a.x
        and b.y - slack <= a.y
        and a.x + a.w <= b.x + b.w + slack
        and a.y + a.h <= b.y + b.h + slack
    )


def bezier(a: Point, b: Point, *, down: bool) -> list[Point]:
    """Points on the way from one point to the next, as `svg.curve` draws it."""
    points = []
    for k in range(1, 16):
        t = k / 16
        u = 1 - t
        if down:
            x = (u**3 + 3 * u * u * t) * a.x + (3 * u * t * t + t**3) * b.x
            half = (a.y + b.y) / 2
            y = u**3 * a.y + 3 * u * u * t * half + 3 * u * t * t * half + t**3 * b.y
        else:
            half = (a.x + b.x) / 2
            x = u**3 * a.x + 3 * u * u * t * half + 3 * u * t * t * half + t**3 * b.x
            y = (u**3 + 3 * u * u * t) * a.y + (3 * u * t * t + t**3) * b.y
        points.append(Point(x, y))
    return points


def crossed(layout, edges, *, down):
    """Boxes that an arrow runs through without beginning or ending there."""
    found = []
    for (tail, head), line in zip(edges, layout.lines, strict=True):
        for a, b in itertools.pairwise(line):
            for p in bezier(a, b, down=down):
                for key, box in layout.boxes.items():
                    inside = (
                        box.x + 1 < p.x < box.x + box.w - 1 and box.y + 1 < p.y < box.y + box.h - 1
                    )
                    if inside and key not in (tail, head):
                        found.append((tail, head, key))
    return found


def check(layout, edges, homes, frames, *, down):
    boxes = layout.boxes
    for a, b in itertools.combinations(boxes, 2):
        assert apart(boxes[a], boxes[b]), (a, b)
    above = {None: ()}
    for key, frame in frames.items():
        above[key] = (*above[frame.parent], key)
    for key, box in boxes.items():
        for frame in layout.frames:
            if frame in above[homes.get(key)]:
                assert within(box, layout.frames[frame]), (key, frame)
            else:
                assert apart(box, layout.frames[frame]), (key, frame)
    for a, b in itertools.combinations(layout.frames, 2):
        if a not in above[b] and b not in above[a]:
            assert apart(layout.frames[a], layout.frames[b]), (a, b)
    for box in [*boxes.values(), *layout.frames.values()]:
        assert within(box, Box(0, 0, layout.width, layout.height))
    assert crossed(layout, edges, down=down) == []


@pytest.mark.parametrize("down", [False, True], ids=["right", "down"])
@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_touches_in_a_golden_graph(name, down):
    picture = read(GRAPHS[name]().root)
    layout = place(picture, down=down)
    edges = [(e.tail, e.head) for e in picture.edges]
    homes = {n.key: n.group for n in picture.nodes}
    frames = {g.key: Frame(g.parent, 10) for g in picture.groups}
    check(layout, edges, homes, frames, down=down)


@st.composite
def graphs(draw):
    """A random graph whose frames are stretches of its order, nested, as module calls are."""
    count = draw(st.integers(1, 14))
    sizes = {
        f"n{i}": Size(draw(st.integers(20, 160)), draw(st.integers(20, 90)),
                      draw(st.sampled_from([0, 0, 30])))
        for i in range(count)
    }  # fmt: skip
    edges = [
        (f"n{draw(st.integers(0, i - 1))}", f"n{i}")
        for i in range(1, count)
        for _ in range(draw(st.integers(0, 3)))
    ]
    frames, homes = {}, {}
    for k in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, count - 1))
        stop = draw(st.integers(start + 1, count))
        members = [f"n{i}" for i in range(start, stop)]
        parents = {homes.get(m) for m in members}
        if len(parents) == 1:
            frames[f"g{k}"] = Frame(parents.pop(), draw(st.integers(10, 200)))
            homes.update(dict.fromkeys(members, f"g{k}"))
    return sizes, edges, homes, frames


@hypothesis.given(graphs(), st.booleans())
def test_nothing_touches_in_a_drawn_graph(graph, down):
    sizes, edges, homes, frames = graph
    layout = lay_out(sizes, edges, homes, frames, down=down)
    check(layout, edges, homes, frames, down=down)
    assert layout == lay_out(sizes, edges, homes, frames, down=down)


@hypothesis.given(graphs())
def test_arrows_point_onward(graph):
    sizes, edges, homes, frames = graph
    layout = lay_out(sizes, edges, homes, frames)
    for (tail, head), line in zip(edges, layout.lines, strict=True):
        a, b = layout.boxes[tail], layout.boxes[head]
        assert line[0].x == pytest.approx(a.x + a.w, abs=0.2)
        assert line[-1].x == pytest.approx(b.x, abs=0.2)
        assert a.y <= line[0].y <= a.y + a.h
        assert b.y - 0.2 <= line[-1].y <= b.y + b.h + 0.2
        assert all(p.x <= q.x + 0.2 for p, q in itertools.pairwise(line))


def test_a_chain_is_straight():
    sizes = {f"n{i}": Size(60, 40, 20) for i in range(8)}
    edges = [(f"n{i}", f"n{i + 1}") for i in range(7)]
    layout = lay_out(sizes, edges)
    assert len({box.y for box in layout.boxes.values()}) == 1
