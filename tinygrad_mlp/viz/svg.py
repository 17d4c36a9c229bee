"""The picture as SVG: one file for light and dark, readable by people and by screen readers.

This file knows shapes, colours (as the names of CSS classes) and how text is escaped. It does
not know the graph: it writes the model of a picture at the places that `layout.py` found.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal, TypeAlias

from tinygrad_mlp.viz.assets import asset
from tinygrad_mlp.viz.heat import map_size
from tinygrad_mlp.viz.labels import width
from tinygrad_mlp.viz.layout import Box, Frame, Layout, Point, Size, lay_out
from tinygrad_mlp.viz.model import Kind, Node, Picture

__all__ = ["Theme", "as_image", "attribute", "place", "stylesheet", "svg", "wrap"]

Theme: TypeAlias = Literal["auto", "light", "dark"]

MARGIN = 14.0
SIDE, ABOVE, TITLE, LINE = 14.0, 7.0, 17.0, 15.0
TITLE_SIZE, TEXT_SIZE, LABEL_SIZE = 12.5, 11.0, 10.5
SWATCH = 36.0


def attribute(text: str) -> str:
    """Text for inside an element or an attribute."""
    return html.escape(text, quote=True)


def n(x: float) -> str:
    """A coordinate, without needless digits."""
    return f"{x:.1f}".removesuffix(".0")


def stylesheet(theme: Theme = "auto", *, marked: bool = False) -> str:
    """The style of pictures, for one theme or for whichever the reader prefers."""

    def style(of: str) -> str:
        return asset(f"{of}.css") + (asset(f"mark-{of}.css") if marked else "")

    shared = asset("picture.css") + (asset("mark.css") if marked else "")
    if theme != "auto":
        return shared + style(theme)
    dark = style("dark")
    return f"{shared}{style('light')}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


# -- sizes -----------------------------------------------------------------------------------


def size_of(node: Node, *, labelled: bool = False) -> Size:
    """How much room a box needs."""
    head = width(node.title, TITLE_SIZE, bold=True)
    if _beside(node):
        head += 10 + width(_beside(node), TEXT_SIZE)
    bold = node.loud or bool(node.reserve)
    lines = [width(_line(role, text), TEXT_SIZE, bold=bold) for role, text in node.lines]
    lines[-1:] = (
        [max([*lines[-1:], width(node.reserve, TEXT_SIZE)])] if node.reserve else lines[-1:]
    )
    if node.subtitle and not node.formula:
        lines.append(width(node.subtitle, TEXT_SIZE))
    wide = max([head, *lines]) + 2 * SIDE
    tall = 2 * ABOVE + TITLE + LINE * len(lines)
    if node.heat:
        map_wide, map_tall = map_size(node.heat)
        wide = max(wide, 2 * map_wide + 10 + 2 * SIDE)
        tall += map_tall + 6
    return Size(round(wide, 1), round(tall, 1), 1.0 if labelled else 0.0)


def _beside(node: Node) -> str:
    return node.shape


def _line(role: str, text: str) -> str:
    return f"= {text}" if role == "formula" else text


def place(picture: Picture, *, down: bool = False) -> Layout:
    """Lay a picture out."""
    labels = {edge.tail: edge.label for edge in picture.edges if edge.label}
    sizes = {}
    for node in picture.nodes:
        size = size_of(node)
        label = labels.get(node.key)
        sizes[node.key] = Size(size.w, size.h, width(label, LABEL_SIZE) if label else 0.0)
    return lay_out(
        sizes,
        [(edge.tail, edge.head) for edge in picture.edges],
        {node.key: node.group for node in picture.nodes},
        {g.key: Frame(g.parent, width(g.title, LABEL_SIZE)) for g in picture.groups},
        down=down,
    )


# -- writing ---------------------------------------------------------------------------------


def svg(
    picture: Picture,
    layout: Layout | None = None,
    *,
    theme: Theme = "auto",
    down: bool = False,
    interactive: bool = False,
) -> str:
    """Write a picture.

    Args:
        picture: What to write.
        layout: Where it stands; worked out if not given.
        theme: Colours for light or dark paper, or for whichever the reader prefers.
        down: Whether arrows run downward.
        interactive: Whether boxes can be pointed at with the keyboard, as in the player.
    """
    layout = layout or place(picture, down=down)
    parts = list(_parts(picture, layout, down=down, interactive=interactive))
    wide, tall = layout.width, layout.height
    below = [("note", picture.note), ("legend", picture.legend)]
    if not interactive:  # the player says it once, beside all of its pictures
        below += [("note", sign) for sign in picture.signs]
    for role, text in below:
        if not text:
            continue
        x = SWATCH if role == "legend" else 0.0
        if x:
            line = f'<path class="line" d="M1 {n(tall + 12)}h{n(x - 10)}"/>'
            parts.append(f'<g class="legend marked">{line}</g>')
        parts.append(f'<text class="note" x="{n(x)}" y="{n(tall + 16)}">{attribute(text)}</text>')
        wide = max(wide, x + width(text, LABEL_SIZE))
        tall += 20.0
    return wrap(
        picture.title,
        picture.description,
        (wide, tall),
        parts,
        theme,
        interactive=interactive,
        marked=bool(picture.legend),
    )


def wrap(
    title: str,
    description: str,
    size: tuple[float, float],
    parts: Sequence[str],
    theme: Theme,
    *,
    interactive: bool = False,
    marked: bool = False,
) -> str:
    """Put the root element, title, description and style round the parts of a picture."""
    wide, tall = size
    body = "\n".join(parts)
    mark = "tg" + hashlib.sha256(f"{title}{wide}{tall}{body}".encode()).hexdigest()[:8]
    role = "group" if interactive else "img"
    w, h = wide + 2 * MARGIN, tall + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tg" role="{role}" '
        f'aria-labelledby="{mark}-title {mark}-desc" width="{n(w)}" height="{n(h)}" '
        f'viewBox="{n(-MARGIN)} {n(-MARGIN)} {n(w)} {n(h)}">\n'
        f'<title id="{mark}-title">{attribute(title)}</title>\n'
        f'<desc id="{mark}-desc">{attribute(description)}</desc>\n'
        f"<style>\n{stylesheet(theme, marked=marked)}</style>\n"
        f'<rect class="paper" x="{n(-MARGIN)}" y="{n(-MARGIN)}" width="{n(w)}" '
        f'height="{n(h)}"/>\n{body}\n</svg>\n'
    )


def _parts(picture: Picture, layout: Layout, *, down: bool, interactive: bool) -> Iterator[str]:
    for group in picture.groups:
        b = layout.frames[group.key]
        yield (
            f'<g data-key="{group.key}"><rect class="frame" x="{n(b.x)}" y="{n(b.y)}" '
            f'width="{n(b.w)}" height="{n(b.h)}" rx="12"/>'
            f'<text class="frame-title" x="{n(b.x + 13)}" y="{n(b.y + 17)}">'
            f"{attribute(group.title)}</text></g>"
        )
    lines = list(zip(picture.edges, layout.lines, strict=True))
    for edge, line in sorted(lines, key=lambda pair: pair[0].marked):  # marked ones on top
        marked = " marked" if edge.marked else ""
        yield (
            f'<g class="edge{marked}" data-tail="{edge.tail}" data-head="{edge.head}" '
            f'data-operand="{edge.operand}"><path class="line" d="{curve(line, down=down)}"/>'
            f'<path class="tip" d="{tip(line[-1], down=down)}"/></g>'
        )
    yield from _labels(picture, layout, down=down)
    for node in picture.nodes:
        yield _node(node, layout.boxes[node.key], interactive=interactive)


def curve(points: Sequence[Point], *, down: bool) -> str:
    """A line through points: straight across columns, bent in the gaps between them."""
    path = [f"M{n(points[0].x)} {n(points[0].y)}"]
    points = [*points[:-1], _short_of(points[-1], down=down)]
    for a, b in pairwise(points):
        if down:
            if a.x == b.x:
                path.append(f"V{n(b.y)}")
            else:
                half = n((a.y + b.y) / 2)
                path.append(f"C{n(a.x)} {half} {n(b.x)} {half} {n(b.x)} {n(b.y)}")
        elif a.y == b.y:
            path.append(f"H{n(b.x)}")
        else:
            half = n((a.x + b.x) / 2)
            path.append(f"C{half} {n(a.y)} {half} {n(b.y)} {n(b.x)} {n(b.y)}")
    return "".join(path)


def _short_of(p: Point, *, down: bool) -> Point:
    return Point(p.x, p.y - 6) if down else Point(p.x - 6, p.y)


def tip(p: Point, *, down: bool) -> str:
    """The head of an arrow that ends at a point."""
    if down:
        return f"M{n(p.x)} {n(p.y)}l-3.6 -8h7.2z"
    return f"M{n(p.x)} {n(p.y)}l-8 -3.6v7.2z"


def _labels(picture: Picture, layout: Layout, *, down: bool) -> Iterator[str]:
    """The shape that flows, once for every box that it flows out of."""
    done = set()
    for edge in picture.edges:
        if not edge.label or edge.tail in done:
            continue
        done.add(edge.tail)
        b = layout.boxes[edge.tail]
        if down:
            x, y = b.x + b.w / 2 + 5, b.y + b.h + 12
        else:
            x, y = b.x + b.w + 4, b.y + b.h / 2 - 5
        yield f'<text class="label" x="{n(x)}" y="{n(y)}">{attribute(edge.label)}</text>'


def _node(node: Node, b: Box, *, interactive: bool) -> str:
    loud = (" loud" if node.loud else "") + (" marked" if node.marked else "")
    sentence = attribute(node.sentence)
    if interactive:  # what the gradient will be is not told beforehand
        sentence = attribute(replace(node, gradient="").sentence)
    head = f'<g class="node {node.kind}{loud}" data-key="{node.key}"><title>{sentence}</title>'
    parts = [head, outline(node.kind, b)]
    y = b.y + ABOVE + 13
    title = f'<text class="title" x="{n(b.x + SIDE)}" y="{n(y)}">{attribute(node.title)}</text>'
    parts.append(title)
    if _beside(node):
        parts.append(
            f'<text class="shape" text-anchor="end" x="{n(b.x + b.w - SIDE)}" y="{n(y)}">'
            f"{attribute(_beside(node))}</text>"
        )
    y += 2
    lines = [(role, _line(role, text)) for role, text in node.lines]
    if node.subtitle and not node.formula:
        lines.insert(0, ("formula", node.subtitle))
    for role, text in lines:
        y += LINE
        parts.append(
            f'<text class="{role}" x="{n(b.x + SIDE)}" y="{n(y)}">{attribute(text)}</text>'
        )
    if node.heat:
        wide, _ = map_size(node.heat)
        for k, role in enumerate(("value", "gradient")):
            parts.append(
                f'<g class="heat" data-role="{role}" data-cell="{n(wide / node.heat[1])}" '
                f'transform="translate({n(b.x + SIDE + k * (wide + 10))} {n(y + 8)})"/>'
            )
    if interactive:
        parts.append(
            f'<rect class="hit" x="{n(b.x)}" y="{n(b.y)}" width="{n(b.w)}" height="{n(b.h)}" '
            f'rx="8" tabindex="0" role="button" aria-label="{sentence}"/>'
        )
    return "".join(parts) + "</g>"


def outline(kind: Kind, b: Box) -> str:  # noqa: PLR0911 - one return per shape
    """The shape of a kind: told apart without colour as well."""
    x, y, w, h = n(b.x), n(b.y), n(b.w), n(b.h)
    right, bottom = n(b.x + b.w), n(b.y + b.h)
    plain = f'<rect class="body" x="{x}" y="{y}" width="{w}" height="{h}"'
    if kind == Kind.INPUT:
        return f'{plain}/><rect class="trim" x="{x}" y="{y}" width="4" height="{h}"/>'
    if kind == Kind.PARAMETER:
        c = 9
        return (
            f'<path class="body" d="M{n(b.x + c)} {y}H{n(b.x + b.w - c)}L{right} {n(b.y + c)}'
            f"V{n(b.y + b.h - c)}L{n(b.x + b.w - c)} {bottom}H{n(b.x + c)}L{x} {n(b.y + b.h - c)}"
            f'V{n(b.y + c)}z"/>'
        )
    if kind == Kind.OUTPUT:
        return (
            f'{plain} rx="5"/><rect class="trim" x="{n(b.x + 3)}" y="{n(b.y + 3)}" '
            f'width="{n(b.w - 6)}" height="{n(b.h - 6)}" rx="3"/>'
        )
    if kind == Kind.MODULE:
        return (
            f'{plain} rx="4"/><path class="trim" d="M{n(b.x + 5)} {y}V{bottom}'
            f'M{n(b.x + b.w - 5)} {y}V{bottom}"/>'
        )
    if kind == Kind.FOLD:
        return (
            f'<rect class="trim" x="{n(b.x + 4)}" y="{n(b.y - 4)}" width="{w}" height="{h}" '
            f'rx="8"/>{plain} rx="8"/>'
        )
    if kind == Kind.FAILED:
        cx, cy = b.x + b.w - 14, b.y + 14
        return (
            f'{plain} rx="14"/><path class="trim" d="M{n(cx - 5)} {n(cy - 5)}l10 10m0 -10l-10 10"/>'
        )
    return f'{plain} rx="14"/>'


def as_image(picture: str, title: str) -> str:
    """An SVG as an image that no sanitiser takes away and no style sheet changes."""
    data = base64.b64encode(picture.encode()).decode()
    return (
        f'<img alt="{html.escape(title)}" style="max-width:100%" '
        f'src="data:image/svg+xml;base64,{data}"/>'
    )
