r"""How an op is written: as plain text and in LaTeX.

This file knows templates and which parts need parentheses. It does not know which op it
writes, nor what the parts are: `symbol.py` fills them in.

A template names its parts in angle brackets: ``<0>`` is the first input, ``<*>`` all of them,
``<axis>`` an attribute. A level says how tightly an expression holds together; a part that
holds less tightly than its place asks for is put in parentheses.

>>> infix("+").text
'<0> + <1>'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "ANY",
    "ATOM",
    "POWER",
    "PRODUCT",
    "SUM",
    "Notation",
    "Template",
    "call",
    "infix",
    "postfix",
]

ANY, SUM, PRODUCT, POWER, ATOM = range(5)

Template: TypeAlias = str | Callable[[Mapping[str, Any], tuple[tuple[int, ...], ...]], str]
"""A template, or a function that makes one from the attributes and the inputs' shapes."""


@dataclass(frozen=True, slots=True)
class Notation:
    """The two ways in which an op is written.

    Attributes:
        text: The template for plain text.
        latex: The template for LaTeX.
        level: How tightly the whole holds together.
        slots: What each place asks of its part; the last one serves the rest.
        latex_slots: The same for LaTeX, where braces and bars often do the grouping.
    """

    text: Template
    latex: Template
    level: int = ATOM
    slots: tuple[int, ...] = (ANY,)
    latex_slots: tuple[int, ...] = ()

    def slot(self, i: int, *, latex: bool = False) -> int:
        """What place number `i` asks of the part that is put there."""
        slots = self.latex_slots or self.slots if latex else self.slots
        return slots[min(i, len(slots) - 1)]


def call(name: str, latex: str = "", parts: str = "<*>") -> Notation:
    r"""Write ``name(a, b)``; in LaTeX an upright operator name unless `latex` says otherwise."""
    head = latex or rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}"
    return Notation(f"{name}({parts})", rf"{head}\left({parts}\right)")


def infix(
    sign: str,
    latex: str = "",
    level: int = SUM,
    slots: tuple[int, ...] | None = None,
) -> Notation:
    """Write ``a sign b``."""
    if slots is None:
        slots = (level, level)
    return Notation(f"<0> {sign} <1>", f"<0> {latex or sign} <1>", level, slots)


def postfix(sign: str, latex: str) -> Notation:
    """Write ``a`` with a mark behind it, as in a transpose."""
    return Notation(f"<0>{sign}", f"<0>{latex}", POWER, (ATOM,))
