"""The pictures of the page: two SVG files, drawn by hand so that they need no library.

One shows how long a step takes for each contender, relative to ours; the other how time grows with
the depth of a graph and with the width of a layer. Each file carries its colours for light and dark
and its own background. Knows rows and contenders' titles; measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks import overhead, training
from benchmarks.contenders import BY_KEY
from benchmarks.report import number
from benchmarks.results import Results, Row, ratios
from benchmarks.workloads import WORKLOADS

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .faint { fill: #59636e }
.ground { fill: #ffffff } .rule { stroke: #d1d9e0; fill: none }
.mark { fill: #9aa4ae } .ours { fill: #0b62c4 } .even { stroke: #0b62c4; stroke-dasharray: 3 3 }
.line { fill: none; stroke-width: 2 } .c0 { stroke: #0b62c4 } .c1 { stroke: #57606a }
.c2 { stroke: #b3540b } .c3 { stroke: #1a7f37 } .c4 { stroke: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .faint { fill: #9198a1 }
.ground { fill: #14181d } .rule { stroke: #3d444d }
.mark { fill: #656f7a } .ours { fill: #4ea1ff } .even { stroke: #4ea1ff }
.c0 { stroke: #4ea1ff } .c1 { stroke: #9aa4ae } .c2 { stroke: #f0883e } .c3 { stroke: #56d364 }
.c4 { stroke: #bc8cff }
}
"""


def steps(results: Results) -> str:
    """Bars: each contender's step ÷ ours, a panel per workload, on one logarithmic axis."""
    rows = [row for row in results.select(training.ONE_THREAD) if row.values]
    ours = {row.case: row for row in rows if row.contender == "ours"}
    factors = {
        (row.case, row.contender): ratios(row, ours[row.case]).middle
        for row in rows
        if row.case in ours
    }
    if not factors:
        return ""
    scale = _Log(min([*factors.values(), 0.5]), max([*factors.values(), 2]), 250, 700)
    even, y = scale(1), 62.0
    parts = [
        _text(even - 10, y, "← faster than ours", "faint", "end"),
        _text(even + 10, y, "slower than ours →", "faint"),
    ]
    for case in (w.name for w in WORKLOADS if w.name in ours):
        y += 28
        micros = number(1e6 * ours[case].spread.middle)
        parts.append(_text(16, y, f"{case}: ours takes {micros} µs per step", "title"))
        top = y = y + 8
        for factor, key in sorted((f, key) for (c, key), f in factors.items() if c == case):
            parts += _bar(y, BY_KEY[key].title, even, scale(factor), factor, ours=key == "ours")
            y += 20
        parts.append(f'<path class="even" d="M{even:.1f} {top:.0f}V{y:.0f}"/>')
        y += 8
    heading = "Time of one training step ÷ ours, one thread, logarithmic axis"
    return _document(780, y + 8, heading, parts)


def _bar(y: float, title: str, even: float, x: float, factor: float, *, ours: bool) -> list[str]:
    """One contender: its name, a bar from `even` to `x`, the factor."""
    label = [_text(238, y + 14, title, "title" if ours else "", "end")]
    if ours:
        return [*label, f'<circle class="ours" cx="{even:.1f}" cy="{y + 10:.1f}" r="6"/>']
    left, right = sorted((even, x))
    place = f'x="{left:.1f}" y="{y + 3:.1f}" width="{right - left:.1f}" height="14"'
    bar = f'<rect class="mark" {place} rx="2"/>'
    return [*label, bar, _text(right + 8, y + 14, f"{number(factor)} ×", "faint")]


def growth(results: Results) -> str:
    """Lines: seconds against the depth of a graph, and against the width of a layer."""
    panels = [
        ("A chain of n additions, forward + backward", _depth(results)),
        ("One step of two layers of n units, batch 32", _curves(results.select(training.WIDTH))),
    ]
    panels = [panel for panel in panels if any(len(points) > 1 for points in panel[1].values())]
    parts: list[str] = []
    for i, (heading, curves) in enumerate(panels):
        parts += _panel(heading, curves, left=70 + 540 * i)
    return _document(540 * len(panels), 400, "How time grows", parts) if panels else ""


# ---------------------------------------------------------------------------- curves

Curves = dict[str, list[tuple[float, float]]]


def _curves(rows: Iterable[Row]) -> Curves:
    curves: Curves = {}
    for row in rows:
        if row.values:
            curves.setdefault(row.contender, []).append((float(row.case), min(row.values)))
    return curves


def _depth(results: Results) -> Curves:
    back = _curves(results.select(overhead.BACKWARD))
    forth = _curves(results.select(overhead.FORWARD))
    return {
        key: [(n, a + b) for (n, a), (_, b) in zip(points, back[key], strict=True)]
        for key, points in forth.items()
    }


# --------------------------------------------------------------------------- drawing


@dataclass(frozen=True)
class _Log:
    """A logarithmic axis: `low` to `high` in numbers, `start` to `end` in the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten, with 2 and 5 between them where there would be few."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1,) if math.log10(self.high / self.low) > 1.9 else (1, 2, 5)
        marks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [mark for mark in marks if self.low * 0.999 <= mark <= self.high * 1.001]


def _panel(heading: str, curves: Curves, left: float) -> list[str]:
    top, bottom, right = 84.0, 340.0, left + 250
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    across = _Log(min(xs), max(xs), left, right)
    up = _Log(min(ys) / 1.3, max(ys) * 1.3, bottom, top)
    parts = [_text(left, top - 18, heading, "title")]
    parts.append(f'<path class="rule" d="M{left} {top}V{bottom}H{right}"/>')
    for tick in across.ticks():
        parts.append(f'<path class="rule" d="M{across(tick):.1f} {bottom}v5"/>')
        parts.append(_text(across(tick), bottom + 20, f"{tick:,.0f}", "faint", "middle"))
    parts.append(_text((left + right) / 2, bottom + 40, "n", "faint", "middle"))
    for tick in up.ticks():
        parts.append(f'<path class="rule" d="M{left} {up(tick):.1f}h-5"/>')
        parts.append(_text(left - 9, up(tick) + 4, _time(tick), "faint", "end"))
    labels = []
    for i, (key, points) in enumerate(curves.items()):
        places = [(across(x), up(y)) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path class="line c{i % 5}" d="M{path}"/>')
        parts += [
            f'<circle class="line c{i % 5}" cx="{x:.1f}" cy="{y:.1f}" r="1"/>' for x, y in places
        ]
        labels.append((places[-1][1], f"c{i % 5}", BY_KEY[key].title))
    for y, colour, label in _apart(sorted(labels)):
        parts.append(f'<path class="line {colour}" d="M{right + 12} {y:.1f}h16"/>')
        parts.append(_text(right + 34, y + 4, label))
    return parts


def _apart(labels: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Push labels, which come from the top, down until none covers another."""
    placed: list[tuple[float, str, str]] = []
    for y, colour, label in labels:
        floor = placed[-1][0] + 17 if placed else y
        placed.append((max(y, floor), colour, label))
    return placed


def _time(seconds: float) -> str:
    size, unit = next(
        (size, unit)
        for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
        if seconds >= 0.999 * size
    )
    return f"{seconds / size:.0f} {unit}"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    label = f' class="{kind}"' if kind else ""
    side = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{label}{side}>{escape(text)}</text>'


def _document(width: float, height: float, heading: str, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(heading)}</title>",
        f"<style>{STYLE}</style>",
        '<rect class="ground" width="100%" height="100%" rx="6"/>',
        _text(16, 26, heading, "title"),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
