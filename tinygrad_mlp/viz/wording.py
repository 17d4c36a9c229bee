"""How names, numbers and formulas of one graph are written in an explanation.

This file knows notation: ∂loss/∂w, arrays as brackets or matrices, formulas with shapes or
numbers in the place of names. It takes formulas from the records and states none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinygrad_mlp.formulas import Letter, rule_formula
from tinygrad_mlp.graph import Node, ancestors, held
from tinygrad_mlp.ops import Array
from tinygrad_mlp.steps import BackwardStep, ForwardStep, replay
from tinygrad_mlp.symbol import Symbol, latex_name
from tinygrad_mlp.viz.document import Math
from tinygrad_mlp.viz.labels import number, numbers, shape_text

__all__ = ["Words", "difference_quotients", "hooks_of", "latex_numbers", "tex"]

MOST = 25
"""So many numbers of an array are written; of more, those at the ends."""

_TEX = {"−": "-", "×": r"\times ", "…": r"\ldots ", "∂": r"\partial ", "‖": r"\|", "·": r"\cdot ",
        "²": "^{2}", "∞": r"\infty ", "←": r"\leftarrow ", "↵": r"\hookleftarrow "}  # fmt: skip


def tex(formula: str) -> str:
    """LaTeX with commands in the place of signs that plain LaTeX does not know."""
    return "".join(_TEX.get(c, c) for c in formula)


def latex_numbers(array: Array, digits: int = 4) -> str:
    r"""An array in LaTeX: a number, a row, a matrix; long ones with dots.

    >>> latex_numbers(np.array([[1.0, -0.5]]))
    '\\begin{pmatrix}1 & -0.5\\end{pmatrix}'
    """
    array = np.asarray(array)
    if array.ndim == 0:
        return _latex_number(array[()], digits)
    if array.ndim > 2:
        shape = tex(shape_text(array.shape))
        return rf"\left[{shape}\right]"
    table = array.reshape(1, -1) if array.ndim == 1 else array
    side = MOST if array.size <= MOST else 5
    # The row that stands for those left out: dots below each other, and across where both are.
    gap = " & ".join(r"\ddots" if x is None else r"\vdots" for x in _ends(list(table.T), side))
    rows = r" \\ ".join(
        gap if row is None else _latex_row(row, digits, side) for row in _ends(list(table), side)
    )
    return rf"\begin{{pmatrix}}{rows}\end{{pmatrix}}"


def _latex_row(row: Array, digits: int, side: int) -> str:
    cells = _ends(list(row), side)
    return " & ".join(r"\cdots" if x is None else _latex_number(x, digits) for x in cells)


def _ends(items: list[Array], side: int) -> list[Array | None]:
    """All of up to `side`, else the first and the last with a gap between."""
    return items if len(items) <= side else [*items[:2], None, items[-1]]


def _latex_number(x: Array, digits: int) -> str:
    shown = number(x, digits).replace("−", "-")
    if shown.lstrip("-") in {"inf", "nan", "True", "False"}:
        return shown.replace("inf", r"\infty ").replace("nan", r"\mathrm{nan}")
    if match := re.fullmatch(r"(.*)e([+-]?)0*(\d+)", shown):
        return rf"{match[1]} \cdot 10^{{{match[2].replace('+', '')}{match[3]}}}"
    return shown


@dataclass(frozen=True, slots=True)
class Words:
    """The notation of one explanation: the names, the name of the result, the digits, the letters.

    Sentences say the name of a node; formulas have a letter for a path such as ``0.weight``.
    """

    known: Mapping[int, str]
    root: str
    digits: int
    letters: Mapping[str, Letter] = field(default_factory=dict)

    def name(self, node: Node) -> Math:
        """What a node is called."""
        title = self.known[node.birth]
        return Math(title, tex(latex_name(title)))

    def symbol(self, name: str) -> Math:
        """What formulas call the node of that name."""
        text, latex = self.letters.get(name) or (name, latex_name(name))
        return Math(text, tex(latex))

    def meanings(self, steps: Sequence[ForwardStep]) -> list[tuple[Math, str]]:
        """The letters that some steps use, each with what it stands for."""
        shapes = {
            name: shape_text(np.shape(value))
            for step in steps
            for name, value in zip(step.operands, step.node.values[1:], strict=True)
            if name and name in self.letters
        }
        return [(self.symbol(name), f" is {name} ({shapes[name]})") for name in shapes]

    def partial(self, x: str, *, part: int = 0, entry: int | tuple[int, ...] | None = None) -> Math:
        """The gradient of the result by `x`, or one path's part of it, or one entry of it."""
        below, plain = self.symbol(x).latex, self.symbol(x).text
        if entry is not None:
            index = ", ".join(map(str, entry)) if isinstance(entry, tuple) else str(entry)
            below, plain = f"{below}[{index}]", f"{plain}[{index}]"
        latex = rf"\frac{{\partial {tex(latex_name(self.root))}}}{{\partial {below}}}"
        if part:
            return Math(f"path {part}", rf"\text{{path {part}}}")
        return Math(f"∂{self.root}/∂{plain}", latex)

    def formula(self, symbol: Symbol) -> Math:
        """A formula of this graph."""
        return Math(str(symbol), tex(symbol.latex))

    def value(self, array: Array) -> Math:
        """An array, in full if it is small."""
        array = np.asarray(array)
        if array.size > MOST:
            shape = shape_text(array.shape)
            plain = f"{numbers(array, MOST, self.digits)}"
            if array.ndim > 2:
                plain = f"[{shape}]"
            return Math(plain, latex_numbers(array, self.digits))
        return Math(numbers(array, MOST, self.digits), latex_numbers(array, self.digits))

    def shapes(self, step: BackwardStep) -> Math:
        """The rule of a step with shapes in the place of names."""
        node = step.node
        operands = [
            None if name is None else f"[{shape_text(np.shape(value))}]"
            for name, value in zip(step.operands, node.values[1:], strict=True)
        ]
        shape = f"[{shape_text(node.values[0].shape)}]"
        rule = rule_formula(node.op, step.i, node.values, node.attrs, operands, y=shape, g=shape)
        return self.formula(rule)

    def numbers(self, step: BackwardStep) -> Math | None:
        """The rule of a step with numbers in the place of names, if they are few."""
        node = step.node
        if any(np.size(value) > 4 for value in node.values):
            return None
        operands = [
            None if name is None else self._written(value)
            for name, value in zip(step.operands, node.values[1:], strict=True)
        ]
        y, g = self._written(node.values[0]), self._written(step.upstream)
        rule = self.formula(
            rule_formula(node.op, step.i, node.values, node.attrs, operands, y=y, g=g)
        )
        if step.local is None:
            return rule
        product = self.product((step.upstream, step.local))
        if rule.text == self.value(step.contribution).text:  # g came through as it was
            return product
        return Math(f"{rule.text} = {product.text}", f"{rule.latex} = {product.latex}")

    def _written(self, array: Array) -> Symbol:
        """An array as a symbol that is written as its numbers."""
        factor = self.product((array,))
        return Symbol(factor.text, array, factor.latex)

    def product(self, factors: Sequence[Array]) -> Math:
        """Numbers multiplied; what is negative stands in parentheses."""
        plain, latex = [], []
        for factor in factors:
            shown = self.value(factor)
            negative = shown.text.startswith("−")
            plain.append(f"({shown.text})" if negative else shown.text)
            latex.append(rf"\left({shown.latex}\right)" if negative else shown.latex)
        return Math(" × ".join(plain), r" \times ".join(latex))


def hooks_of(names: Sequence[str]) -> str:
    """Who changed gradients.

    >>> hooks_of(["h"]), hooks_of(["h", "w"])
    ('a hook of h', 'hooks of h and w')
    """
    if len(names) == 1:
        return f"a hook of {names[0]}"
    return f"hooks of {', '.join(names[:-1])} and {names[-1]}"


CHECKED = 200
"""At most so many entries are checked by finite differences."""


def difference_quotients(
    root: Node, x: Node, total: Array, at: int | tuple[int, ...] | None
) -> tuple[Array, float]:
    """Central differences of the result's sum by entries of `x`, and how far off they are.

    Args:
        root: The result.
        x: The tensor.
        total: Its gradient, to compare with.
        at: One entry; by default all (of a large tensor the first ones; the rest is nan).
    """
    used = held(ancestors(root, through_constants=True)).get(x.birth, x.data)
    base = np.asarray(used, dtype=np.float64 if x.dtype == np.float64 else x.dtype)
    quotients = np.full(base.shape, np.nan)
    entries = (
        [at if isinstance(at, tuple) else (at,)]
        if at is not None
        else list(itertools.islice(np.ndindex(base.shape), CHECKED))
    )
    small = 1e-6 if base.dtype == np.float64 else 1e-3
    for entry in entries:
        h = small * max(1.0, abs(float(base[entry])))
        up, down = base.copy(), base.copy()
        up[entry] += h
        down[entry] -= h
        difference = replay(root, {x.birth: up}) - replay(root, {x.birth: down})
        quotients[entry] = difference.sum() / float(up[entry] - down[entry])
    chosen = tuple(np.array(entries).T) if entries and entries[0] else ()
    worst = np.max(np.abs(quotients[chosen] - total[chosen]), initial=0.0) if entries else 0.0
    return (np.asarray(quotients[at]) if at is not None else quotients), float(worst)
