"""What `why` answers: a verdict, its cause, and the path that it is about.

This file knows how an answer is told. It does not know how it is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tinygrad_mlp.errors import message
from tinygrad_mlp.graph import Node

__all__ = ["Factor", "Why"]


@dataclass(frozen=True, slots=True)
class Factor:
    """One step of the way back: by what a gradient was multiplied.

    Attributes:
        label: The layer's path, or what the tensor is called.
        op: The op that was undone.
        size: The root mean square of the gradient after it.
        factor: What it was multiplied by, in size.
    """

    label: str
    op: str
    size: float
    factor: float


@dataclass(frozen=True, slots=True, repr=False)
class Why:
    """Why a gradient is what it is.

    Attributes:
        tensor: The tensor.
        name: What it is called.
        verdict: ``none``, ``zero``, ``nan``, ``inf``, ``huge``, ``tiny`` or ``fine``.
        cause: One word, for programs; the rest is for people.
        what: What is the case.
        where: The user's file and line where it began.
        why: One clause of mathematics.
        fix: What to write instead.
        path: The tensors from the result to this one, or as far as there is a path.
        factors: What the gradient was multiplied by along it.
    """

    tensor: Node = field(repr=False)
    name: str
    verdict: str
    cause: str
    what: str
    where: str = ""
    why: str = ""
    fix: str = ""
    path: tuple[Node, ...] = ()
    factors: tuple[Factor, ...] = ()

    def __str__(self) -> str:
        where = "" if self.where in self.what else self.where
        text = message(self.what, where=where, why=self.why, fix=self.fix)
        return "\n".join([text, *_table(self.factors)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        lines = [f"**{self.verdict}: {self.cause}** {str(self).splitlines()[0]}"]
        table = _table(self.factors)
        return "\n\n".join([*lines, "```\n" + "\n".join(table) + "\n```"] if table else lines)


SHOWN = 12
"""A longer table is shown by its ends."""


def _table(factors: tuple[Factor, ...]) -> list[str]:
    """The factors along the path, one layer on a line."""
    if not factors:
        return []
    rows = [(f.label, f.op, f"× {f.factor:.3g}", f"{f.size:.3g}") for f in factors]
    if len(rows) > SHOWN:
        left = len(rows) - SHOWN
        middle = (f"… {left} more", "", "", "")
        rows = [*rows[: SHOWN // 2], middle, *rows[-SHOWN // 2 :]]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    head = "  the way back from the loss: layer, op, factor, size of the gradient"
    return [
        head,
        *(
            "    "
            + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ),
    ]
