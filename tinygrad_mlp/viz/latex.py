"""An explanation as a LaTeX document.

This file knows LaTeX documents. Formulas are LaTeX already; text is escaped.
"""

from __future__ import annotations

from tinygrad_mlp.viz.document import Block, Figure, Formulas, Heading, Say, aligned, latex_text

__all__ = ["latex"]

_HEAD = r"""\documentclass{article}
\usepackage{amsmath}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
\fi
\usepackage{geometry}
\begin{document}
"""

# Signs in sentences that not every LaTeX font has.
_SIGNS = {
    "∂": r"$\partial$",
    "←": r"$\leftarrow$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "−": r"$-$",
    "‖": r"$\|$",
    "…": r"\ldots{}",
    "↵": r"$\hookleftarrow$",
    "\u202f": r"\,",
    "\u2068": "",
    "\u2069": "",
    "\ufffd": "?",
}


# Verbatim text has no commands, so it must do with letters that every font has.
_BOX = str.maketrans("├└│─−∂×ᵀΣσ‖√²…", "|`|--dx'Ss|r2.")


def words(plain: str) -> str:
    """Text between formulas."""
    return "".join(_SIGNS.get(c, c) for c in latex_text(plain))


def latex(blocks: tuple[Block, ...]) -> str:
    """Write a document in LaTeX."""
    parts = [_HEAD]
    for block in blocks:
        if isinstance(block, Heading):
            command = ("section*", "subsection*", "subsubsection*")[block.level - 1]
            parts.append(f"\\{command}{{{words(block.title)}}}\n")
        elif isinstance(block, Say):
            number = f"\\textbf{{{block.step}.}} " if block.step else ""
            sentence = "".join(
                words(p) if isinstance(p, str) else f"${p.latex}$" for p in block.parts
            )
            parts.append(f"\\noindent {number}{sentence}\n\n")
        elif isinstance(block, Figure):
            plain = "\n".join(block.lines.splitlines()[1:]).translate(_BOX)
            parts.append(f"\\begin{{verbatim}}\n{plain}\n\\end{{verbatim}}\n")
        elif isinstance(block, Formulas):
            parts.append(f"\\[\n{aligned(block.rows)}\n\\]\n")
    return "".join(parts) + "\\end{document}\n"
