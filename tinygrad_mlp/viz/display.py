"""What tensors, modules and ops show of themselves in a notebook.

This file knows short displays that need no script and survive a notebook that is not trusted:
text, tables, and pictures as images. The classes themselves only point here.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from tinygrad_mlp.graph import ancestors, describe
from tinygrad_mlp.viz.drawing import draw
from tinygrad_mlp.viz.heat import table
from tinygrad_mlp.viz.labels import NOT_YET, clean, gradient_text, numbers, shape_text, thousands
from tinygrad_mlp.viz.opcard import explain_op
from tinygrad_mlp.viz.page import fragment
from tinygrad_mlp.viz.svg import as_image, n, wrap

__all__ = ["heat_svg", "module_html", "op_html", "tensor_html"]

SMALL = 60
"""A tensor shows its graph too, if that has at most so many nodes."""


def heat_svg(array: Any, title: str) -> str:
    """An array as a map: orange above zero, blue below, full colour for the largest."""
    rows = table(array)
    finite = [x for row in rows for x in row if isinstance(x, float)]
    largest = max((abs(x) for x in finite), default=0.0) or 1.0
    parts = []
    for r, row in enumerate(rows):
        for c, x in enumerate(row):
            sign = "bad" if isinstance(x, str) else "up" if x > 0 else "down"
            strength = 1.0 if isinstance(x, str) else abs(x) / largest
            place = f'x="{n(c * 14)}" y="{n(r * 14)}" width="14" height="14"'
            parts.append(
                f'<rect class="cell" {place}/>'
                f'<rect class="cell {sign}" fill-opacity="{strength:.3f}" {place}/>'
            )
    wide = 14.0 * max((len(row) for row in rows), default=1)
    description = f"A map of {shape_text(np.shape(array))} numbers."
    return wrap(title, description, (wide, 14.0 * len(rows)), parts, "auto")


def tensor_html(tensor: Any) -> str:
    """A tensor: what it is, its numbers as a map, and the graph behind it."""
    data = tensor.data
    facts = [f"shape {shape_text(data.shape)}", str(data.dtype)]
    if tensor.op is not None:
        facts.append(f"made by {tensor.op.name}")
    if tensor.requires_grad:
        shown = (
            NOT_YET
            if tensor.grad is None
            else gradient_text(np.asarray(tensor.grad), sign="of norm")[0]
        )
        facts.append(f"gradient {shown}")
    name = clean(tensor.name) if tensor.name else "Tensor"
    parts = [f"<p><strong>{html.escape(name)}</strong> {html.escape(', '.join(facts))}</p>"]
    parts.append(f"<pre>{html.escape(numbers(data, 40))}</pre>")
    if data.size > 1 and data.ndim <= 2:
        parts.append(as_image(heat_svg(data, f"The numbers of {name}"), f"The numbers of {name}"))
    if tensor.op is not None and len(ancestors(tensor, through_constants=True)) <= SMALL:
        picture = draw(tensor)
        image = as_image(picture.svg, picture.picture.title)
        summary = html.escape(f"The graph of {clean(describe(tensor))}")
        parts.append(f"<details><summary>{summary}</summary>{image}</details>")
    return "\n".join(parts)


def module_html(module: Any) -> str:
    """A module: every module in it with its parameters, their shapes and counts."""
    rows = []
    for path, inner in module.named_modules(remove_duplicate=False):
        own = {
            name.rpartition(".")[2]: p for name, p in inner.named_parameters() if "." not in name
        }
        listing = ", ".join(f"{name} {shape_text(p.shape)}" for name, p in own.items())
        count = sum(p.size for p in inner.parameters())
        indent = "&emsp;" * (path.count(".") + 1 if path else 0)
        shown = html.escape(clean(path) or "·")
        rows.append(
            f"<tr><td style='text-align:left'>{indent}<code>{shown}</code>"
            f"</td><td style='text-align:left'>{html.escape(clean(type(inner).__name__))}</td>"
            f"<td style='text-align:left'>{html.escape(clean(listing, 120))}</td>"
            f"<td style='text-align:right'>{thousands(count)}</td></tr>"
        )
    heads = "".join(
        f"<th style='text-align:{side}'>{head}</th>"
        for head, side in (
            ("path", "left"),
            ("class", "left"),
            ("parameters", "left"),
            ("total", "right"),
        )
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def op_html(op: Any) -> str:
    """An op: its formula, its rules and an example."""
    return fragment(explain_op(op).blocks)
