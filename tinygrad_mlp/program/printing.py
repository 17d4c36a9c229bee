"""Printing: a program as text, one equation a line.

This file knows how a program is shown to people. It does not know what is done with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.graph import module_path
from tinygrad_mlp.origin import place
from tinygrad_mlp.program.ir import Program

__all__ = ["kind_of", "lines", "names_of"]


def kind_of(v: Any) -> str:
    """The type of a variable as the printer writes it: ``float64[2, 3]``."""
    if isinstance(v.value, np.random.Generator):
        return "Generator"
    return f"{v.dtype}[{', '.join(map(str, v.shape))}]"


def names_of(program: Program) -> dict[int, str]:
    """What every variable is called, by its ``id``: what is written again has a prime."""
    names = {id(v): v.name or f"input_{i}" for i, v in enumerate(program.inputs)}
    names |= {id(cell.before): cell.name for cell in program.reads}
    taken: dict[str, int] = dict.fromkeys(names.values(), 1)
    for number, equation in enumerate(program.equations):
        name = equation.output.name or f"v{number}"
        count = taken[name] = taken.get(name, 0) + 1
        names[id(equation.output)] = name if count == 1 else f"{name}'{count - 1}"
    return names


def lines(program: Program) -> Iterator[str]:
    """``name: dtype[shape] = op(args)  # module path, user line``, one line per equation."""
    names = names_of(program)
    for v in program.inputs:
        yield f"input {names[id(v)]}: {kind_of(v)}"
    for cell in program.reads:
        yield f"cell {cell.name}: {kind_of(cell.before)}"
    for equation in program.equations:
        v = equation.output
        parts = [names.get(id(x)) or _constant(x) for x in equation.inputs]
        parts += [f"{key}={value!r}" for key, value in equation.attrs.items()]
        facts = [module_path(equation.scope), str(place(equation.site) or "")]
        note = ", ".join(fact for fact in facts if fact)
        yield (
            f"{names[id(v)]}: {kind_of(v)} = {equation.op.name}({', '.join(parts)})"
            + (f"  # {note}" if note else "")
        )
    for v in program.outputs:
        yield f"return {names.get(id(v)) or _constant(v)}"
    for cell in program.writes:
        yield f"write {cell.name} = {names.get(id(cell.after)) or _constant(cell.after)}"


def _constant(x: Any) -> str:
    if np.ndim(x) == 0:
        return str(x)
    return f"{x.dtype}[{', '.join(map(str, x.shape))}] constant"
