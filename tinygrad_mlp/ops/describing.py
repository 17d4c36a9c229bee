"""What ``help()`` says of an op: read from its record when somebody asks.

This file knows how a record becomes a docstring: its sentence, its formula, its inputs and options,
an example of shapes. It states nothing of its own but what the common options mean.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from inspect import Parameter
from textwrap import wrap
from typing import Any

import numpy as np

from tinygrad_mlp.ops.calling import input_names, op_signature
from tinygrad_mlp.ops.domain import Interval

__all__ = ["Described", "docstring"]

OPTIONS = {
    "a_max": "no entry is above it; None: no bound",
    "a_min": "no entry is below it; None: no bound",
    "affine": "the weight, and then the bias if there is one",
    "alpha": "the limit far below 0, with its sign turned",
    "atol": "the difference that is allowed however small the numbers",
    "axes": "the axes in their new order",
    "axis": "which axis or axes, numbered from 0, or from -1 backwards",
    "ddof": "what is taken off the number of entries before dividing by it",
    "decimals": "how many decimals are kept",
    "delta": "where the square ends and the straight line begins",
    "dtype": "the dtype of the result",
    "eps": "added to the variance",
    "equal_nan": "whether nan is equal to nan",
    "generator": "one of NumPy's random generators",
    "keepdims": "whether gathered axes stay, with length 1",
    "key": "what stands in the brackets; arrays of positions or truth values are marked",
    "kind": "NumPy's name for a way of sorting; every one of them is stable here",
    "max": "as `a_max`",
    "min": "as `a_min`",
    "n": "a number: which power, or how many classes",
    "negative_slope": "the slope below 0",
    "order": "of entries in memory; C only",
    "rtol": "the difference that is allowed for numbers of size 1",
    "shape": "the lengths of the axes of the result",
    "side": "before or behind equal numbers: left or right",
    "stable": "as `kind`",
    "subscripts": "letters for the axes, as in ij,jk->ik",
}
"""What the options mean, for all ops alike."""


class Described:
    """An attribute of a record that is worked out whenever somebody asks for it.

    Args:
        tell: Works it out for a record.
        of_class: What the class itself says; None: it does not have the attribute.
    """

    def __init__(self, tell: Callable[[Any], Any], of_class: Any = None) -> None:
        self.tell = tell
        self.of_class = of_class

    def __get__(self, op: Any, owner: Any = None) -> Any:
        if op is not None:
            return self.tell(op)
        if self.of_class is None:
            raise AttributeError
        return self.of_class


def docstring(op: Any) -> str:
    """The docstring of an op.

    >>> from tinygrad_mlp.ops import matmul
    >>> print(docstring(matmul))
    The matrix product; vectors count as one row or column, leading axes are a batch.
    <BLANKLINE>
        y = matmul(a, b) = a b
    <BLANKLINE>
    Args:
        a: Array or tensor of real numbers.
        b: Array or tensor of real numbers.
    <BLANKLINE>
    Returns:
        An array; a tensor if an input is one. Shapes, for example: (2, 3), (3, 4) → (2, 4).
    <BLANKLINE>
    Answers to np.matmul. ``tg.explain(op)`` shows its rules; tinygrad_mlp/ops/products.py has them.
    """
    written, shapes = _call(op), ""
    case = _example(op)
    if case is not None:
        inputs, attrs, y = case
        formula = _formula(op, inputs, attrs)
        written += "" if formula.startswith(f"{op.name}(") else f" = {formula}"
        given = ", ".join(str(np.shape(x)) for x in inputs)
        shapes = f" Shapes, for example: {given} → {np.shape(y)}."
    lines = [op.doc, "", f"    y = {written}", ""]
    lines += ["Args:", *(f"    {line}" for line in _arguments(op)), ""]
    lines += ["Returns:", f"    An array; a tensor if an input is one.{shapes}", ""]
    return "\n".join([*lines, *_sources(op)])


def _call(op: Any) -> str:
    """How the op is called, without the mark of what is only given by position."""
    told = op_signature(op).parameters.values()
    bare = [
        p.replace(kind=Parameter.POSITIONAL_OR_KEYWORD)
        if p.kind is Parameter.POSITIONAL_ONLY
        else p
        for p in told
    ]
    return f"{op.name}{inspect.Signature(bare)}"


def _example(op: Any) -> tuple[tuple[Any, ...], Any, Any] | None:
    """Typical inputs, attributes and the output."""
    if op.domain is None:
        return None
    rng = np.random.default_rng(0)
    shapes, attrs = op.domain.case(_matrix)
    inputs = []
    for i, shape in enumerate(shapes):
        low, high = op.domain.interval(i).typical
        inputs.append(rng.uniform(low, high, shape) if isinstance(shape, tuple) else shape)
    with np.errstate(all="ignore"):
        return tuple(inputs), attrs, op.forward(*inputs, **attrs)


def _matrix(options: Sequence[Any]) -> Any:
    """A case with a matrix where there is one, else the first."""
    matrices = (o for o in options if isinstance(o, tuple) and o and _axes(o) == 2)
    return next(matrices, options[0])


def _axes(option: tuple[Any, ...]) -> int:
    first = option[0]
    while isinstance(first, tuple) and first and isinstance(first[0], tuple):
        first = first[0]
    return len(first) if isinstance(first, tuple) else len(option)


def _formula(op: Any, inputs: Sequence[Any], attrs: Any) -> str:
    template = op.notation.text
    if not isinstance(template, str):
        template = template(attrs, tuple(np.shape(x) for x in inputs))
    names = list(input_names(op))
    if names and names[-1].startswith("*"):
        stem = names.pop()[1:]
        rest = len(inputs) - len(names)
        names += [stem] if rest == 1 else [f"{stem}_{i + 1}" for i in range(rest)]

    def fill(match: re.Match[str]) -> str:
        part = match[1]
        if part == "*":
            return ", ".join(names)
        return names[int(part)] if part.isdigit() else str(attrs[part])

    return re.sub(r"<(\d+|\*|[a-z_]+)>", fill, template)


def _arguments(op: Any) -> Iterator[str]:
    """A line for each argument."""
    named = [name.lstrip("*") for name in input_names(op)]
    for i, (name, parameter) in enumerate(op_signature(op).parameters.items()):
        given = (
            parameter.default is Parameter.empty and parameter.kind is not Parameter.KEYWORD_ONLY
        )
        if name in OPTIONS:
            yield f"{name}: {OPTIONS[name][0].upper()}{OPTIONS[name][1:]}."
        elif name in named or given:
            several = op.each or parameter.kind is Parameter.VAR_POSITIONAL
            arrays = "Arrays or tensors" if several else "Array or tensor"
            numbers = _numbers(op.domain.interval(i)) if op.domain else "numbers"
            flows = "" if op.flows(i) or not op.differentiable else "; no gradient flows there"
            yield f"{name}: {arrays} of {numbers}{flows}."
        else:
            yield f"{name}: An option, fixed when the op is applied."


def _numbers(interval: Interval) -> str:
    if interval.boolean:
        return "truth values"
    low, high = interval.low, interval.high
    if (np.isinf(low) and np.isinf(high)) or max(abs(low), abs(high)) > 1e90:
        return "real numbers"
    if np.isinf(high):
        return f"numbers from {low:g} on"
    return f"numbers from {low:g} to {high:g}"


def _sources(op: Any) -> Iterator[str]:
    """Where more is to be read."""
    if op.source:
        yield from wrap(f"Source: {op.source}", 96)
    numpy = ", ".join(_numpy_name(f) for f in op.numpy)
    where = _file(op)
    rules = "``tg.explain(op)`` shows its rules" if op.differentiable else "It has no gradient"
    held = f"; {where} has {'them' if op.differentiable else 'it'}" if where else ""
    yield from wrap(f"Answers to {numpy}. {rules}{held}." if numpy else f"{rules}{held}.", 96)


def _numpy_name(function: Any) -> str:
    linalg = "linalg." if getattr(function, "__module__", "").endswith("linalg") else ""
    return f"np.{linalg}{function.__name__}"


def _file(op: Any) -> str:
    """The file that the record is in, from the package on."""
    for part in (op.each, *op.rules, op.forward, op.bind):
        code = getattr(inspect.unwrap(part) if part else None, "__code__", None)
        if code is not None and "tinygrad_mlp" in code.co_filename:
            from pathlib import PurePath  # 5 ms that only a description needs

            parts = PurePath(code.co_filename).parts
            return "/".join(parts[parts.index("tinygrad_mlp") :])
    return ""
