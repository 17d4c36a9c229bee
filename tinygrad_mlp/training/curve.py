"""Curves of a training as a small SVG picture, without any library.

This file knows lines, ticks and a legend. It does not know what the numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["curves"]

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 14, 34
COLOURS = ("#1668b8", "#b8541a", "#2a7d3f", "#8c3fa8", "#a3301f", "#5c6670")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "", "6 3")  # told apart without colour too
STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#888;fill:none}.back{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.back{fill:#1b1e23}.curve{filter:brightness(1.6)}}"
)


def curves(columns: Mapping[str, Sequence[float]], title: str = "training") -> str:
    """Draw every column against its position.

    Args:
        columns: Numbers by name. What is not finite is left out.
        title: What the picture is called for those who cannot see it.

    Returns:
        The picture, one ``<svg>`` element.

    >>> curves({"loss": [1.0, 0.5]}).startswith("<svg")
    True
    """
    finite = [v for values in columns.values() for v in values if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    count = max((len(values) for values in columns.values()), default=0)

    def x(i: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (i / (count - 1) if count > 1 else 0.5)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>',
    ]
    parts.extend(
        _text(LEFT - 6, y(value) + 4, f"{value:.3g}", "end")
        for value in (low, (low + high) / 2, high)
    )
    parts.append(_text(x(0), HEIGHT - BOTTOM + 16, "1", "middle"))
    if count > 1:
        parts.append(_text(x(count - 1), HEIGHT - BOTTOM + 16, str(count), "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "epoch", "middle"))
    for number, (name, values) in enumerate(columns.items()):
        style = number % len(COLOURS)
        points = [(x(i), y(v)) for i, v in enumerate(values) if math.isfinite(v)]
        drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        line = f'stroke="{COLOURS[style]}" stroke-width="2" stroke-dasharray="{DASHES[style]}"'
        parts.append(f'<polyline class="curve" fill="none" {line} points="{drawn}"/>')
        height = TOP + 8 + 16 * number
        start = WIDTH - RIGHT - 150
        parts.append(f'<path class="curve" {line} d="M{start} {height}h24"/>')
        parts.append(_text(start + 30, height + 4, name, "start"))
    return "".join([*parts, "</svg>"])


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
