"""Symbols: values that write formulas.

This file knows how a record's notation is filled in. It states no formula of its own: applying a
record to symbols notes what was applied to what, and writing reads that note. It has two habits
that are no op's: a factor of 1 is left out, and where factors side by side would read as
something else (two numbers, a word and a bracket) there is a dot. A symbol carries a concrete
array as well, because the formula of a rule may depend on shapes: ``gᵀ x`` for a batch is an
outer product for one sample.

>>> import numpy as np
>>> g, y = Symbol("g", np.ones(3)), Symbol("y", np.ones(3))
>>> str(g * y * (1.0 - y))
'g y (1 − y)'
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.ops import READERS, Array, Attrs, Op, Operand
from tinygrad_mlp.ops.notation import ATOM, PRODUCT, SUM

__all__ = ["Symbol", "apply_symbol", "escape_latex", "latex_name", "write"]


class Symbol(Operand):
    """A value that is written, not computed: an atom with a name, or an op applied to parts.

    Args:
        name: How the atom is written in text.
        like: A concrete array: shapes and dtypes are read off it.
        latex: How the atom is written in LaTeX; by default its name.
    """

    __slots__ = ("attrs", "inputs", "latex_name", "like", "name", "op")

    def __init__(self, name: str, like: Array, latex: str = "") -> None:
        self.name = name
        self.latex_name = latex or latex_name(name)
        self.like = np.asarray(like)
        self.op: Op | None = None
        self.inputs: tuple[Array, ...] = ()
        self.attrs: Attrs = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value that it stands for."""
        return self.like.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.like.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.like.size

    @property
    def dtype(self) -> Any:
        """The dtype of the value that it stands for."""
        return self.like.dtype

    @property
    def latex(self) -> str:
        """The formula in LaTeX."""
        return write(self, latex=True)

    def __str__(self) -> str:
        return write(self, latex=False)

    def __repr__(self) -> str:
        return f"<{self} : {self.shape}>"


def apply_symbol(op: Op, inputs: tuple[Array, ...], attrs: Attrs) -> Symbol:
    """Apply an op to symbols: note what it was applied to. This is the symbols' reader.

    A product by the number 1 is the other factor.
    """
    if op.name == "mul":
        for one, other in (inputs, inputs[::-1]):
            if isinstance(one, int | float) and one == 1 and isinstance(other, Symbol):
                return other
    with np.errstate(all="ignore"):
        like = op.apply(tuple(x.like if isinstance(x, Symbol) else x for x in inputs), attrs)
    symbol = Symbol("", like, " ")
    symbol.op, symbol.inputs, symbol.attrs = op, inputs, attrs
    return symbol


READERS[Symbol] = apply_symbol


# -- writing ---------------------------------------------------------------------------------


class _Written(NamedTuple):
    text: str
    level: int


_PART = re.compile(r"<(\d+|\*|[a-z_]+)>")


def write(symbol: Symbol, *, latex: bool = False) -> str:
    """Write a symbol as text or LaTeX: parts first, so that no formula is too deep."""
    done: dict[int, _Written] = {}
    waiting = [symbol]
    while waiting:
        top = waiting[-1]
        parts = [x for x in top.inputs if isinstance(x, Symbol) and id(x) not in done]
        if parts:
            waiting.extend(parts)
            continue
        done[id(top)] = _write_one(top, done, latex=latex)
        waiting.pop()
    return done[id(symbol)].text


def _write_one(symbol: Symbol, done: Mapping[int, _Written], *, latex: bool) -> _Written:
    op = symbol.op
    if op is None:
        return _Written(symbol.latex_name if latex else symbol.name, ATOM)
    notation = op.notation
    template = notation.latex if latex else notation.text
    if not isinstance(template, str):
        template = template(symbol.attrs, tuple(np.shape(x) for x in symbol.inputs))
    parts = [_part(x, i, done, latex=latex) for i, x in enumerate(symbol.inputs)]

    def fill(match: re.Match[str]) -> str:
        key = match[1]
        if key == "*":
            return ", ".join(part.text for part in parts)
        if not key.isdigit():
            return str(symbol.attrs[key])
        i = int(key)
        alone = template == match[0] or parts[i].level >= notation.slot(i, latex=latex)
        return parts[i].text if alone else _parenthesised(parts[i].text, latex=latex)

    text = _PART.sub(fill, template)
    if template in {"<0> <1>", r"<0>\,<1>"}:
        left, right = map(fill, _PART.finditer(template))
        if _needs_dot(left, right):
            text = left + (r" \cdot " if latex else " · ") + right
    level = parts[0].level if template == "<0>" else notation.level
    return _Written(text, level)


def _needs_dot(left: str, right: str) -> bool:
    """Whether two factors side by side would read as one number, or as a function and its input.

    >>> _needs_dot("g", "y"), _needs_dot("g", "2"), _needs_dot("size", "(1 − y)")
    (False, True, True)
    >>> _needs_dot("g", "cos(x)"), _needs_dot("Wᵀ", "x"), _needs_dot("0.5", "size")
    (False, False, True)
    """
    if right[0].isdigit():
        return True
    last, first = _LAST.search(left), _FIRST.match(right)
    return any(match is not None and _is_word(match[1] or match[2]) for match in (last, first))


_LAST = re.compile(r"\\mathrm\{([^{}]+)\}$|([\w.]+)$")
_FIRST = re.compile(r"\\mathrm\{([^{}]+)\}|([\w.]+)(?![\w.(\[])")
"""A name at the end and at the beginning, in LaTeX or in text; not that of a function."""


def _is_word(name: str) -> bool:
    """Whether a name has more than one letter: ``W1``, ``Wᵀ`` and ``h_1`` have one."""
    return len(name) > 1 and all(unicodedata.category(c) in {"Lu", "Ll", "Lo"} for c in name[:2])


def _part(x: Array, i: int, done: Mapping[int, _Written], *, latex: bool) -> _Written:
    if isinstance(x, Symbol):
        return done[id(x)]
    if np.ndim(x) == 0:
        number = float(x)
        if abs(number) == np.inf:
            sign = "" if number > 0 else "-" if latex else "−"
            return _Written(sign + (r"\infty" if latex else "∞"), ATOM if number > 0 else SUM)
        text = f"{number:.4g}"
        if latex and "e" in text:
            digits, exponent = text.split("e")
            text = rf"{digits} \cdot 10^{{{int(exponent)}}}"
        return _Written(
            text.replace("-", "-" if latex else "−"),
            (PRODUCT if i == 0 else SUM) if number < 0 else PRODUCT if "cdot" in text else ATOM,
        )
    name = "×".join(map(str, np.shape(x)))
    return _Written(rf"\left[{name}\right]" if latex else f"[{name}]", ATOM)


def _parenthesised(text: str, *, latex: bool) -> str:
    return rf"\left({text}\right)" if latex else f"({text})"


_GREEK = {"alpha", "beta", "gamma", "delta", "lambda", "mu", "sigma", "tau", "theta", "phi"}


def latex_name(name: str) -> str:
    r"""A name as LaTeX: letters stay, Greek names become letters, words stand upright.

    >>> latex_name("w"), latex_name("h_1"), latex_name("layers.0.weight")
    ('w', 'h_{1}', '\\mathrm{layers.0.weight}')
    """
    if name in _GREEK:
        return "\\" + name
    if re.fullmatch(r"[A-Za-z]", name):
        return name
    if match := re.fullmatch(r"([A-Za-z])_?(\d+)", name):
        return f"{match[1]}_{{{match[2]}}}"
    return rf"\mathrm{{{escape_latex(name)}}}"


_ESCAPES = {
    "\\": r"\backslash{}",
    "~": r"\sim{}",
    "^": r"\hat{}",
    "\n": " ",
    **{c: "\\" + c for c in "{}$&#%_"},
}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_ESCAPES.get(c, c) for c in text)
