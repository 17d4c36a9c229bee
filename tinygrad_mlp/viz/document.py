"""An explanation as a document: headings, sentences and formulas, before it is any format.

This file knows the parts of a document and how they are written as plain text and Markdown.
LaTeX and HTML are written by `latex.py` and `page.py`. Nothing here knows graphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Block",
    "Figure",
    "Formulas",
    "Heading",
    "Inline",
    "Math",
    "Row",
    "Say",
    "markdown",
    "text",
]


@dataclass(frozen=True, slots=True)
class Math:
    """A formula, written both ways."""

    text: str
    latex: str


Inline: TypeAlias = str | Math


@dataclass(frozen=True, slots=True)
class Heading:
    """A title of some level; 1 is the whole document's."""

    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Say:
    """A paragraph; `step` numbers it."""

    parts: tuple[Inline, ...]
    step: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an equation: what stands left and right of a sign, and a remark."""

    left: Math
    right: Math
    sign: str = "="
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Formulas:
    """Lines that belong together, set with their signs below each other."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, and the same as lines of text where no picture can stand."""

    title: str
    svg: str
    lines: str


Block: TypeAlias = Heading | Say | Formulas | Figure


# -- plain text ------------------------------------------------------------------------------


def text(blocks: tuple[Block, ...]) -> str:
    """Write a document as plain text."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            lines += [""] if lines else []
            lines.append(block.title)
            if block.level < 3:
                lines.append(("=" if block.level == 1 else "-") * len(block.title))
        elif isinstance(block, Say):
            head = f"{block.step}. " if block.step else ""
            lines += [""] if block.step and lines[-1] else []
            lines.append(head + "".join(p if isinstance(p, str) else p.text for p in block.parts))
        elif isinstance(block, Figure):
            lines += [*(f"     {line}" for line in block.lines.splitlines()[1:]), ""]
        else:
            lines += _equations(block.rows)
    return "\n".join(lines) + "\n"


def _equations(rows: tuple[Row, ...]) -> list[str]:
    left = max(len(row.left.text) for row in rows)
    lines = []
    for row in rows:
        remark = f"   ({row.remark})" if row.remark else ""
        lines.append(f"     {row.left.text:>{left}} {row.sign:>2} {row.right.text}{remark}")
    return lines


# -- Markdown --------------------------------------------------------------------------------


_SPECIAL = str.maketrans({c: "\\" + c for c in "\\`*_{}[]<>#|$~"})


def escaped(plain: str) -> str:
    r"""Plain text for Markdown: nothing in it marks anything up.

    >>> escaped("<b>layers_0</b>")
    '\\<b\\>layers\\_0\\</b\\>'
    """
    return plain.translate(_SPECIAL)


def markdown(blocks: tuple[Block, ...]) -> str:
    """Write a document in Markdown with formulas in LaTeX, as GitHub and Jupyter read it."""
    paragraphs: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            paragraphs.append(f"{'#' * block.level} {escaped(block.title)}")
        elif isinstance(block, Say):
            head = f"**{block.step}.** " if block.step else ""
            paragraphs.append(
                head
                + "".join(escaped(p) if isinstance(p, str) else f"${p.latex}$" for p in block.parts)
            )
        elif isinstance(block, Figure):
            paragraphs.append(f"```text\n{block.lines}\n```")
        else:
            paragraphs.append(f"$$\n{aligned(block.rows)}\n$$")
    return "\n\n".join(paragraphs) + "\n"


_SIGNS = {"=": "=", "+=": r"\mathrel{+=}", "≈": r"\approx", "←": r"\leftarrow"}


def aligned(rows: tuple[Row, ...]) -> str:
    """Equations in LaTeX with their signs below each other."""
    lines = []
    for row in rows:
        remark = rf" \quad \text{{({latex_text(row.remark)})}}" if row.remark else ""
        lines.append(f"{row.left.latex} &{_SIGNS[row.sign]} {row.right.latex}{remark}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "{}$&#%_"},
}


def latex_text(plain: str) -> str:
    r"""Plain text for LaTeX, outside formulas.

    >>> latex_text("50% of $x_1$")
    '50\\% of \\$x\\_1\\$'
    """
    return "".join(_LATEX.get(c, c) for c in plain)
