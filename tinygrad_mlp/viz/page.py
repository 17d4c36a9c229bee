"""An explanation as HTML: a page of its own, or a piece for a notebook.

This file knows HTML and its escapes. Formulas are MathML; there is no script and no request.
"""

from __future__ import annotations

import html

from tinygrad_mlp.viz.assets import asset
from tinygrad_mlp.viz.document import Block, Figure, Heading, Inline, Row, Say
from tinygrad_mlp.viz.mathml import formula
from tinygrad_mlp.viz.svg import as_image

__all__ = ["fragment", "page"]


def fragment(blocks: tuple[Block, ...]) -> str:
    """Write a document as a piece of HTML that brings its own style."""
    return f'<style>{asset("explain.css")}</style>\n<div class="tgx">\n{_body(blocks)}</div>\n'


def page(blocks: tuple[Block, ...]) -> str:
    """Write a document as a page."""
    title = next((b.title for b in blocks if isinstance(b, Heading)), "An explanation")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n"
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<style>\n{asset('explain.css')}body {{ margin: 0; }}\n"
        "main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.2rem 4rem; }\n"
        "html { background: Canvas; }\n</style>\n</head>\n"
        f'<body class="tgx">\n<main>\n{_body(blocks)}</main>\n</body>\n</html>\n'
    )


def _body(blocks: tuple[Block, ...]) -> str:
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"<h{block.level}>{html.escape(block.title)}</h{block.level}>\n")
        elif isinstance(block, Say):
            number = f'<span class="number">{block.step}</span>' if block.step else ""
            parts.append(f"<p>{number}{''.join(_inline(p) for p in block.parts)}</p>\n")
        elif isinstance(block, Figure):
            parts.append(f"<p>{as_image(block.svg, block.title)}</p>\n")
        else:
            rows = "".join(_row(row) for row in block.rows)
            parts.append(
                '<div class="formula" tabindex="0" role="group" aria-label="formulas">'
                f"<table>{rows}</table></div>\n"
            )
    return "".join(parts)


def _row(row: Row) -> str:
    left = formula(row.left.text, row.left.latex, block=True) if row.left.text else ""
    right = formula(row.right.text, row.right.latex, block=True) if row.right.text else ""
    remark = html.escape(row.remark)
    return (
        f'<tr><td class="left">{left}</td><td class="sign">{row.sign}</td>'
        f'<td class="right">{right}</td><td class="remark">{remark}</td></tr>'
    )


def _inline(part: Inline) -> str:
    return html.escape(part) if isinstance(part, str) else formula(part.text, part.latex)
