"""Formulas of records: what an op computes and how its gradient flows, written out.

This file knows how a rule becomes a formula: it is run by `pullback` as it always is, but handed
symbols. It states no derivative of its own. The table of all ops is made of it.

>>> import numpy as np
>>> from tinygrad_mlp.ops import REGISTRY
>>> str(rule_formula(REGISTRY["sigmoid"], 0, (np.ones(3), np.ones(3)), {}))
'g y (1 − y)'
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.graph import Node
from tinygrad_mlp.ops import REGISTRY, Array, Attrs, Op
from tinygrad_mlp.symbol import Symbol, apply_symbol, escape_latex, latex_name

__all__ = [
    "Letter",
    "Names",
    "Row",
    "example",
    "formula",
    "input_names",
    "letters",
    "op_table",
    "rule_formula",
    "with_letters",
]

Names: TypeAlias = Sequence[str | Symbol | None] | None
"""What to call an op's inputs: a name, a symbol that writes itself, or None for an input that is
written as the number it is."""

_SHORT = {"weight": "W", "bias": "b"}


def input_names(op: Op, count: int, *, short: bool = True) -> tuple[str, ...]:
    """What an op's inputs are called: by the parameters of its own rules.

    Args:
        op: The op.
        count: How many inputs there are.
        short: Whether a weight and a bias have the letters of formulas.

    >>> linear = REGISTRY["linear"]
    >>> input_names(linear, 3), input_names(linear, 3, short=False)
    (('x', 'W', 'b'), ('x', 'weight', 'bias'))
    """
    abbreviated = _SHORT if short else {}
    source = next((rule for rule in op.rules if rule is not None), None) or op.each
    skipped = 2 if op.each is None else 3
    names: list[str] = []
    if source is not None:
        for parameter in list(inspect.signature(source).parameters.values())[skipped:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                rest = count - len(names)
                whole = parameter.name if parameter.name in _SHORT else None
                stem = abbreviated.get(parameter.name) or whole or parameter.name.removesuffix("s")
                names += [stem] if rest == 1 else [f"{stem}_{i + 1}" for i in range(rest)]
            elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and len(names) < count:
                names.append(abbreviated.get(parameter.name, parameter.name))
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
    *,
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


# -- parameters of numbered layers -----------------------------------------------------------


class Letter(NamedTuple):
    """What a parameter of a numbered layer is called in formulas: ``W₀`` for ``0.weight``."""

    text: str
    latex: str


# A number somewhere, and a word at the end.
_PATH = re.compile(r"(?:.*\.)?[0-9]+\.(?:.*\.)?(?![0-9]+$)[^.]+")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def letters(nodes: Iterable[Node], named: Mapping[int, str]) -> dict[str, Letter]:
    """Letters for the paths that would read as numbers in a formula; each letter is used once.

    A name that the user gave stays as it is.

    Args:
        nodes: The nodes of a graph.
        named: Their names by birth, as of `graph.names`.
    """
    nodes = [node for node in nodes if node.birth in named]
    given = {named[node.birth] for node in nodes if node.name}
    leaves = dict.fromkeys(named[node.birth] for node in nodes if node.op is None)
    paths = [name for name in leaves if name not in given and _PATH.fullmatch(name)]
    found: dict[str, Letter] = {}
    taken = {*named.values(), *map(latex_name, named.values())} if paths else set()
    for path in paths:
        tries = (_letter(path, count) for count in itertools.count(1))
        found[path] = next(letter for letter in tries if taken.isdisjoint(letter))
        taken |= {*found[path]}
    return found


def _letter(path: str, count: int) -> Letter:
    """The last word of a path with what stands before it as subscript.

    >>> _letter("0.weight", 1), _letter("1.a.weight", 1).text, _letter("0.bias", 2).text
    (Letter(text='W₀', latex='W_{0}'), 'W_1.a', 'b₀₍₂₎')
    """
    below, _, word = path.rpartition(".")
    again = re.fullmatch(r"(weight|bias)_(\d+)", word)  # a second model has the same paths
    stem = _SHORT.get(again[1] if again else word, word)
    plain = re.fullmatch(r"[0-9.]+", below)
    text = below.translate(_LOWERED) if plain else f"_{below}"
    latex = below if plain else rf"\mathrm{{{escape_latex(below)}}}"
    if count > 1:
        text, latex = f"{text}₍{str(count).translate(_LOWERED)}₎", f"{latex}({count})"
    upright = latex_name(stem) if stem.isalpha() else rf"\mathrm{{{escape_latex(stem)}}}"
    return Letter(f"{stem}{text}", f"{upright}_{{{latex}}}")


def with_letters(
    operands: Sequence[str | None], inputs: Sequence[Array], known: Mapping[str, Letter]
) -> list[str | Symbol | None]:
    """The names of an op's inputs as a formula writes them."""
    return [
        Symbol(known[name].text, x, known[name].latex) if name and name in known else name
        for name, x in zip(operands, inputs, strict=True)
    ]


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
