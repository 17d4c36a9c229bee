"""Passes: small functions from a program to a program that computes the same.

This file knows what may be left out, merged or computed beforehand. It does not know how a
program is run. `exact` passes change no bit of any result; `close` ones may change the order in
which numbers are multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.ops import constant_power, mul, neg
from tinygrad_mlp.program.ir import Equation, Program, Var

__all__ = [
    "Pass",
    "algebra",
    "between_ones",
    "common_subexpressions",
    "constants",
    "dead_code",
    "early_products",
    "run",
    "unclamped",
    "unread_cells",
]

Pass: TypeAlias = Callable[[Program], Program]


def run(program: Program, passes: Iterable[Pass]) -> Program:
    """Run passes one after the other, and check the program after each."""
    for step in passes:
        program = step(program).check()
    return program


def dead_code(program: Program) -> Program:
    """Leave out equations on which no result depends. Draws stay: they move a generator on."""
    live = {id(v) for v in program.results}
    kept = []
    for equation in reversed(program.equations):
        if id(equation.output) in live or not equation.pure:
            kept.append(equation)
            live.update(id(x) for x in equation.inputs)
    return program.with_equations(kept[::-1])


def unread_cells(program: Program) -> Program:
    """Forget what cells held where nobody reads it, and cells that are left as they were."""
    read = {id(x) for equation in program.equations for x in equation.inputs}
    read |= {id(v) for v in program.results}
    cells = []
    for cell in program.cells:
        if cell.before is None or id(cell.before) in read:
            cells.append(cell)
        elif cell.changed:
            cells.append(replace(cell, before=None))
    return replace(program, cells=[c for c in cells if c.before is not None or c.changed])


def common_subexpressions(program: Program) -> Program:
    """Compute what is computed twice once."""
    known: dict[Any, Var] = {}

    def first(equation: Equation) -> Var | None:
        if not equation.pure:
            return None
        key = (equation.op, _key(equation.attrs), *map(_key, equation.inputs))
        return known.setdefault(key, equation.output)

    return _replaced(program, first)


def constants(program: Program) -> Program:
    """Compute beforehand what depends on no input and no cell."""

    def value(equation: Equation) -> Any:
        if any(type(x) is Var for x in equation.inputs) or not equation.pure:
            return None
        return equation.output.value

    return _replaced(program, value)


def algebra(program: Program) -> Program:
    """Leave out what changes no bit, and write ``x²`` as ``x x``.

    Left out are ``1 x``, ``x / 1``, ``x - 0``, ``x¹``, ``xᵀᵀ``, casts to the same dtype, and
    shapes that are so already.
    """
    made: dict[int, Equation] = {}

    def simpler(equation: Equation) -> Any:
        made[id(equation.output)] = equation
        return _identity(equation, made)

    program = _replaced(program, simpler)
    squares = [
        replace(e, op=mul, inputs=(e.inputs[0], e.inputs[0]), attrs={})
        if e.op is constant_power and e.attrs["n"] == 2 and e.output.dtype.kind == "f"
        else e
        for e in program.equations
    ]
    return program.with_equations(squares)


_NEUTRAL = {"mul": 1, "div": 1, "sub": 0}


def _identity(equation: Equation, made: dict[int, Equation]) -> Any:
    """The variable that an equation only repeats, or None."""
    name, y = equation.op.name, equation.output
    x = equation.inputs[0]
    same = type(x) is Var and x.shape == y.shape and x.dtype == y.dtype
    if same and name in _NEUTRAL and _is(equation.inputs[1], _NEUTRAL[name]):
        return x
    if name == "mul" and _is(x, 1):
        other = equation.inputs[1]
        return other if other.shape == y.shape and other.dtype == y.dtype else None
    if same and name == "constant_power" and equation.attrs["n"] == 1:
        return x
    if same and name in {"reshape", "broadcast_to", "cast"}:
        return x
    before = made.get(id(x))
    if name == "matrix_transpose" and before is not None and before.op is equation.op:
        return before.inputs[0]
    return None


def _is(x: Any, number: float) -> bool:
    """Whether a constant is that number, in every entry if it is an array."""
    return type(x) is not Var and np.size(x) > 0 and bool(np.all(x == number))


def early_products(program: Program) -> Program:
    """Multiply first what is known first: ``(g y) (1 - y)`` becomes ``g (y (1 - y))``.

    The slope of an activation is known before the gradient arrives. The order of a product
    changes its last bit. It would also change which products are too large or too small to be
    numbers; so this is for factors between -1 and 1.
    """
    small = between_ones(program)
    made: dict[int, Equation] = {}
    uses = _uses(program)
    when: dict[int, tuple[int, int]] = {}
    result: list[Equation] = []
    for number, equation in enumerate(program.equations, 1):
        e = equation
        for product, other in (e.inputs, e.inputs[::-1]) if e.op is mul else ():
            inner = made.get(id(product))
            if inner is None or uses[id(product)] > 1 or type(other) is not Var:
                continue
            early, late = sorted(inner.inputs, key=lambda x: when.get(id(x), (0, 0)))
            if id(early) not in small or id(other) not in small:
                continue
            if not early.shape == other.shape == late.shape or when.get(id(late), (0, 0)) <= max(
                when.get(id(early), (0, 0)), when.get(id(other), (0, 0))
            ):
                continue
            slope = Var(e.output.program, early.value * other.value)
            result.append(replace(e, inputs=(early, other), output=slope))
            when[id(slope)] = _when(result[-1], when, number)
            e = replace(e, inputs=(late, slope))
            break
        result.append(e)
        when[id(e.output)] = _when(e, when, number)
        if e.op is mul and all(type(x) is Var for x in e.inputs):
            made[id(e.output)] = e
    return dead_code(program.with_equations(result))


def unclamped(program: Program) -> Program:
    """``e / (1 + e)`` of ``e = exp(min(x, 709))`` as ``1 / (1 + exp(-x))``, without the minimum.

    Only where ``-x`` is beyond 709 does that make a difference: Python's own ``exp`` raises there.
    So this is for programs of Python numbers, whose errors are caught.
    """
    made = {id(e.output): e for e in program.equations}
    users: dict[int, list[Equation]] = {}
    for e in program.equations:
        for x in e.inputs:
            users.setdefault(id(x), []).append(e)
    results = {id(v) for v in program.results}
    changed: dict[int, list[Equation]] = {}
    for e in program.equations:
        inner = made.get(id(e.inputs[0])) if e.op.name == "exp" else None
        if inner is None or inner.op.name != "minimum" or id(e.output) in results:
            continue
        x, limit = inner.inputs
        names = sorted(user.op.name for user in users.get(id(e.output), []))
        if names == ["add", "div"] and type(limit) is float and limit > 700:
            total = next(u for u in users[id(e.output)] if u.op.name == "add")
            quotient = next(u for u in users[id(e.output)] if u.op.name == "div")
            if (
                _is(total.inputs[0], 1)
                and quotient.inputs[0] is e.output
                and quotient.inputs[1] is total.output
            ):
                turned = Var(e.output.program, -x.value if type(x) is Var else -x)
                changed[id(e.output)] = [
                    replace(e, op=neg, inputs=(x,), attrs={}, output=turned),
                    replace(e, inputs=(turned,)),
                ]
                changed[id(quotient.output)] = [
                    replace(quotient, inputs=(total.inputs[0], total.output))
                ]
    kept = [one for e in program.equations for one in changed.get(id(e.output), [e])]
    return dead_code(program.with_equations(kept))


def between_ones(program: Program) -> set[int]:
    """The variables that are between -1 and 1 whatever the program is given, or not a number."""
    known: dict[int, tuple[float, float]] = {}
    made = {id(e.output): e for e in program.equations}
    for e in program.equations:
        known[id(e.output)] = _bounds(e, made, known)
    return {v for v, (low, high) in known.items() if low >= -1 and high <= 1}


_ANY = (-np.inf, np.inf)
_BOUNDS = {"exp": (0.0, np.inf), "tanh": (-1.0, 1.0), "sin": (-1.0, 1.0), "cos": (-1.0, 1.0)}
_SAME = {"reshape", "transpose", "matrix_transpose", "broadcast_to", "getitem"}


def _bounds(  # noqa: PLR0911 - one case for each op
    e: Equation, made: dict[int, Equation], known: dict[int, tuple[float, float]]
) -> tuple[float, float]:
    """Between which numbers a result is for certain."""
    if e.output.dtype == bool:
        return 0.0, 1.0
    (low, high), *others = [_bounds_of(x, known) for x in e.inputs] or [_ANY]
    match e.op.name:
        case "exp" | "tanh" | "sin" | "cos":
            return _BOUNDS[e.op.name]
        case "neg":
            return -high, -low
        case "add":
            return low + others[0][0], high + others[0][1]
        case "sub":
            return low - others[0][1], high - others[0][0]
        case "mul":
            corners = [0.0 if a == 0 or b == 0 else a * b for a in (low, high) for b in others[0]]
            square = e.inputs[0] is e.inputs[1]
            return max(min(corners), 0.0) if square else min(corners), max(corners)
        case "div":
            whole = made.get(id(e.inputs[1]))
            part = whole is not None and whole.op.name == "add" and e.inputs[0] is whole.inputs[1]
            if part and whole is not None and _is(whole.inputs[0], 1) and low >= 0:
                return 0.0, 1.0
            return (0.0, high / others[0][0]) if low >= 0 and others[0][0] > 0 else _ANY
        case name if name in _SAME:
            return low, high
        case _:
            return _ANY


def _bounds_of(x: Any, known: dict[int, tuple[float, float]]) -> tuple[float, float]:
    if type(x) is Var:
        return (0.0, 1.0) if x.dtype == bool else known.get(id(x), _ANY)
    if not isinstance(x, int | float | np.ndarray | np.generic) or not np.size(x):
        return _ANY
    low, high = float(np.min(x)), float(np.max(x))
    return (low, high) if low <= high else _ANY


def _when(equation: Equation, when: dict[int, tuple[int, int]], number: int) -> tuple[int, int]:
    """How late a value is known: the last product before it, and how far behind that it is."""
    known = max((when.get(id(x), (0, 0)) for x in equation.inputs), default=(0, 0))
    return (known[0], known[1] + 1) if isinstance(equation.op.forward, np.ufunc) else (number, 0)


def _uses(program: Program) -> dict[int, int]:
    uses: dict[int, int] = {}
    for x in [*(x for e in program.equations for x in e.inputs), *program.results]:
        if type(x) is Var:
            uses[id(x)] = uses.get(id(x), 0) + 1
    return uses


def _replaced(program: Program, instead: Callable[[Equation], Any]) -> Program:
    """Drop every equation for which `instead` names something else, and use that."""
    swap: dict[int, Any] = {}
    kept = []
    for equation in program.equations:
        inputs = tuple(swap.get(id(x), x) for x in equation.inputs)
        changed = replace(equation, inputs=inputs)
        other = instead(changed)
        if other is None or other is equation.output:
            kept.append(changed)
            continue
        swap[id(equation.output)] = other
        if type(other) is Var and not other.name:
            other.name = equation.output.name
    cells = [replace(cell, after=swap.get(id(cell.after), cell.after)) for cell in program.cells]
    outputs = [swap.get(id(v), v) for v in program.outputs]
    return replace(program, equations=kept, cells=cells, outputs=outputs)


def _key(x: Any) -> Any:
    """Something to compare by: the identity of a variable, the bits of a constant."""
    if type(x) is Var:
        return id(x)
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.str, x.shape, x.tobytes()
    if isinstance(x, dict):
        return tuple((k, _key(v)) for k, v in sorted(x.items()))
    return type(x), repr(x)
