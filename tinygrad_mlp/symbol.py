"""Symbols: values that write formulas.

This file knows how a record's notation is filled in, and how a rule becomes a formula: it is
run by `pullback` as it always is, but handed symbols. It states no formula and no derivative
of its own. A symbol carries a concrete array as well, because the formula of a rule may depend
on shapes: ``gᵀ x`` for a batch is an outer product for one sample.

>>> import numpy as np
>>> from tinygrad_mlp.ops import REGISTRY
>>> str(rule_formula(REGISTRY["sigmoid"], 0, (np.ones(3), np.ones(3)), {}))
'g y (1 − y)'
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.ops import READERS, REGISTRY, Array, Attrs, Op, Operand
from tinygrad_mlp.ops.notation import ATOM, PRODUCT, SUM

__all__ = ["Symbol", "formula", "input_names", "op_table", "rule_formula", "write"]


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
    """Apply an op to symbols: note what it was applied to. This is the symbols' reader."""
    if op.name == "mul":  # a factor of 1 is not written
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
    if template in {"<0> <1>", r"<0>\,<1>"} and text.endswith(template[3:-3] + parts[1].text):
        if parts[1].text[0].isdigit():  # two numbers side by side would read as one
            dot = r" \cdot " if latex else " · "
            text = text[: -len(template[3:-3] + parts[1].text)] + dot + parts[1].text
    level = parts[0].level if template == "<0>" else notation.level
    return _Written(text, level)


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


# -- formulas of records ---------------------------------------------------------------------

Names: TypeAlias = Sequence[str | Symbol | None] | None
"""What to call an op's inputs: a name, a symbol that writes itself, or None for an input that is
written as the number it is."""

_SHORT = {"weight": "W", "bias": "b"}


def input_names(op: Op, count: int) -> tuple[str, ...]:
    """What an op's inputs are called: by the parameters of its own rule or forward."""
    source = next((rule for rule in op.rules if rule is not None), None) or op.each
    skipped = 2 if op.each is None else 3
    names: list[str] = []
    if source is not None:
        for parameter in list(inspect.signature(source).parameters.values())[skipped:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                rest = count - len(names)
                stem = _SHORT.get(parameter.name) or parameter.name.removesuffix("s")
                names += [stem] if rest == 1 else [f"{stem}_{i + 1}" for i in range(rest)]
            elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and len(names) < count:
                names.append(_SHORT.get(parameter.name, parameter.name))
    while len(names) < count:
        names.append("abcdefgh"[len(names)] if count > 1 else "x")
    return tuple(names[:count])


def formula(op: Op, values: Sequence[Array], attrs: Attrs, names: Names = None) -> Symbol:
    """What an op computes, as a formula.

    Args:
        op: The op.
        values: The output, then the inputs, as arrays.
        attrs: The op's attributes.
        names: What to call the inputs (None for one that is written as the number it is); by
            default as its rules do.
    """
    return apply_symbol(op, _symbols(op, values[1:], names), attrs)


def rule_formula(
    op: Op,
    i: int,
    values: Sequence[Array],
    attrs: Attrs,
    names: Names = None,
    y: str | Symbol = "y",
    g: str | Symbol = "g",
) -> Symbol:
    """The gradient of input number `i`, as a formula: the rule itself, handed symbols.

    Args:
        op: The op.
        i: Which input.
        values: The output, then the inputs, as arrays.
        attrs: The op's attributes.
        names: What to call the inputs; by default as the rules do.
        y: What to call the output.
        g: What to call the gradient that arrives.
    """
    arrives, out = (s if isinstance(s, Symbol) else Symbol(s, values[0]) for s in (g, y))
    result = pullback(op, i, arrives, (out, *_symbols(op, values[1:], names)), attrs)
    return result if isinstance(result, Symbol) else Symbol(f"{result:.4g}", result)


def _symbols(op: Op, inputs: Sequence[Array], names: Names) -> tuple[Array, ...]:
    names = input_names(op, len(inputs)) if names is None else names
    return tuple(
        x if n is None else n if isinstance(n, Symbol) else Symbol(n, x)
        for n, x in zip(names, inputs, strict=True)
    )


class Row(NamedTuple):
    """One row of the op table."""

    op: Op
    forward: str
    gradients: tuple[str, ...]


def op_table(*, latex: bool = False) -> Iterator[Row]:
    """Every op with its formula and the gradient of each input, read from the records.

    This is the table of the documentation; the suite compares it with a golden copy.
    """
    for op in REGISTRY.values():
        if op.domain is None and op.differentiable:
            continue
        if op.domain is None and not isinstance(op.forward, np.ufunc):
            yield Row(op, _head(op, latex=latex), ())  # it reads no arrays: random numbers
            continue
        values, attrs = example(op)
        names = input_names(op, len(values) - 1)

        def text(symbol: Symbol) -> str:
            return symbol.latex if latex else str(symbol)

        gradients = tuple(
            f"{name}: {text(rule_formula(op, i, values, attrs))}"
            for i, name in enumerate(names)
            if op.flows(i)
        )
        yield Row(op, text(formula(op, values, attrs)), gradients)


def _head(op: Op, *, latex: bool) -> str:
    """How an op is written whose inputs are no arrays."""
    return rf"\operatorname{{{escape_latex(op.name)}}}(\dots)" if latex else f"{op.name}(…)"


def example(op: Op) -> tuple[tuple[Array, ...], Attrs]:
    """Typical inputs of an op: the output, then the inputs; and its attributes."""
    rng = np.random.default_rng(0)
    if op.domain is None:
        count = getattr(op.forward, "nin", 1)
        inputs: tuple[Array, ...] = tuple(rng.uniform(size=(2, 3)) for _ in range(count))
        if op.name.startswith("logical"):
            inputs = tuple(x > 0.5 for x in inputs)
        attrs: Attrs = {}
    else:
        shapes, attrs = op.domain.case(_typical)
        inputs = tuple(
            rng.uniform(*op.domain.interval(i).typical, size=s) if isinstance(s, tuple) else s
            for i, s in enumerate(shapes)
        )
    with np.errstate(all="ignore"):
        return (np.asarray(op.apply(inputs, attrs)), *inputs), attrs


def _typical(options: Any) -> Any:
    """Pick a matrix where there is one, else what comes first."""

    def matrix(option: Any) -> bool:
        first = option[0] if isinstance(option, tuple) and option else None
        shape = first if isinstance(first, tuple) else option
        while isinstance(shape, tuple) and shape and isinstance(shape[0], tuple):
            shape = shape[0]
        return (
            isinstance(shape, tuple)
            and len(shape) == 2
            and all(isinstance(n, int) and n > 1 for n in shape)
        )

    return next((option for option in options if matrix(option)), options[0])
