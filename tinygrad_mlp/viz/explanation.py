"""An explanation that shows, prints and saves itself.

This file knows which writer makes which kind of text. What is said was decided in `explain.py`.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.viz.browser import show
from tinygrad_mlp.viz.document import Block, Formulas, Heading, aligned, markdown, text
from tinygrad_mlp.viz.latex import latex
from tinygrad_mlp.viz.page import fragment, page

__all__ = ["Explanation"]


class Explanation:
    """The chain rule of one graph, in words and numbers; `explain` makes it.

    Attributes:
        blocks: The document.
        root: The result that is explained.
        contributions: The arrays that add up to the gradient: one per path where paths are
            listed, else one per edge that arrives at the tensor (before its hooks, if it has any).
        gradient: The gradient of the tensor that was asked about.
    """

    def __init__(
        self,
        blocks: tuple[Block, ...],
        root: Tensor,
        contributions: tuple[Array, ...],
        gradient: Array | None,
    ) -> None:
        self.blocks = blocks
        self.root = root
        self.contributions = contributions
        self.gradient = gradient

    @property
    def title(self) -> str:
        """What it explains."""
        return next(block.title for block in self.blocks if isinstance(block, Heading))

    @cached_property
    def text(self) -> str:
        """It as plain text."""
        return text(self.blocks)

    @cached_property
    def markdown(self) -> str:
        """It in Markdown, formulas in LaTeX."""
        return markdown(self.blocks)

    @cached_property
    def latex(self) -> str:
        """It as a LaTeX document that compiles."""
        return latex(self.blocks)

    @cached_property
    def html(self) -> str:
        """It as a page of its own, formulas in MathML; no script, no request."""
        return page(self.blocks)

    def save(self, path: str | Path) -> Path:
        """Write it; the suffix (.txt, .md, .tex, .html) says as what."""
        path = Path(path)
        kinds = {".txt": "text", ".md": "markdown", ".tex": "latex", ".html": "html"}
        kind = kinds.get(path.suffix.lower())
        if kind is None:
            raise UsageError(
                f"an explanation cannot be saved as {path.name!r}",
                fix="End the name in .txt, .md, .tex or .html.",
            )
        path.write_text(getattr(self, kind), encoding="utf-8")
        return path

    def open(self) -> Path:
        """Show it in a browser, and return the file that was written for it."""
        return show(self.save)

    def __str__(self) -> str:
        return self.text.rstrip("\n")

    def __repr__(self) -> str:
        return f"<Explanation {self.title!r}: print it, or .save('chain_rule.html')>"

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_latex_(self) -> str:
        """The equations of the result, for notebooks that show only LaTeX."""
        last = [block for block in self.blocks if isinstance(block, Formulas)][-1]
        return f"$\\displaystyle {aligned(last.rows)}$"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        """What a notebook shows; each form survives by itself."""
        return {
            "text/html": fragment(self.blocks),
            "text/markdown": self.markdown,
            "text/latex": self._repr_latex_(),
            "text/plain": str(self),
        }
