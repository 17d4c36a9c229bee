"""Lowering: fused ops taken apart into what NumPy does in one call each.

This file knows how to watch an op's forward function at work. It does not know any op: sigmoid
becomes negative, minimum, exp, add, reciprocal because that is what its forward function calls.
An op that does something else than calling functions (it writes in place, say) stays whole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_mlp.ops import REGISTRY, Array, Op, cast, constant_power, reshape, transpose
from tinygrad_mlp.ops.indexing import Slice, getitem
from tinygrad_mlp.ops.shaping import matrix_transpose
from tinygrad_mlp.program.ir import Equation, Program, Var
from tinygrad_mlp.program.lookalike import OPERATORS, Lookalike, Touch, done, unwrapped

__all__ = ["lowered", "primitive", "reduction"]


class _WholeError(Exception):
    """The op cannot be taken apart."""


class _Traced(Lookalike):
    """A variable or constant inside a forward function: what is done to it becomes equations."""

    __slots__ = ("like", "trace", "var")

    def __init__(self, trace: _Trace, var: Array) -> None:
        self.trace, self.var = trace, var
        self.like = var.value if type(var) is Var else var

    def touched(self, touch: Touch) -> Any:
        """Append an equation."""
        return self.trace.append(touch)


class _Trace:
    """The equations that stand for one equation."""

    def __init__(self, whole: Equation) -> None:
        self.whole = whole
        self.equations: list[Equation] = []

    def append(self, touch: Touch) -> _Traced:
        op, inputs, attrs = _meaning(touch)
        if any(isinstance(x, list | tuple | dict) or _boxes(x) for x in inputs):
            raise _WholeError
        value = done(touch)
        value = np.asarray(value) if isinstance(value, np.generic) else value
        whole = self.whole
        output = Var(whole.output.program, value)
        plain = tuple(x.var if isinstance(x, _Traced) else x for x in inputs)
        self.equations.append(
            Equation(op, plain, attrs, output, whole.site, whole.scope, whole.phase, whole.edge)
        )
        return _Traced(self, output)


def _meaning(  # noqa: C901, PLR0911 - one case for each kind of touch
    touch: Touch,
) -> tuple[Op, tuple[Array, ...], dict[str, Any]]:
    """The op, inputs and attributes that say the same as one touch."""
    what, args, kwargs = touch.what, touch.args, touch.kwargs
    x = args[0]
    match touch.kind:
        case "infix" if what == "**" and isinstance(args[1], int | float):
            return constant_power, args[:1], {"n": args[1]}
        case "infix":
            return primitive(OPERATORS[what]), args, {}
        case "negative" | "ufunc" if not kwargs:
            return primitive(what), args, {}
        case "reduce" if set(kwargs) <= {"axis", "keepdims"}:
            axis = args[1] if len(args) > 1 else kwargs.get("axis", 0)
            return reduction(what), (x,), {"axis": axis, "keepdims": kwargs.get("keepdims", False)}
        case "attribute" if what == "mT" or x.ndim == 2:
            return matrix_transpose, (x,), {}
        case "attribute":
            return transpose, (x,), {"axes": tuple(range(x.ndim))[::-1]}
        case "method" if what == "reshape":
            return reshape, (x,), {"shape": done(touch).shape}
        case "method" if what == "dot" and not kwargs:
            return primitive(np.dot), args, {}
        case "method" if what == "astype":
            return cast, (x,), {"dtype": done(touch).dtype}
        case "item" if _basic(args[1]):
            key = args[1] if isinstance(args[1], tuple) else (args[1],)
            items = tuple(Slice(k.start, k.stop, k.step) if isinstance(k, slice) else k
                          for k in key)  # fmt: skip
            return getitem, (x,), {"key": items}
        case "function" if not kwargs and all(isinstance(a, Lookalike | float | int | np.ndarray)
                                              for a in args):  # fmt: skip
            return primitive(what), args, {}
        case _:
            raise _WholeError


def _boxes(x: Any) -> bool:
    """Whether NumPy has put what it did not know into an array of objects."""
    return isinstance(x, np.ndarray) and x.dtype == object


def _basic(key: Any) -> bool:
    items = key if isinstance(key, tuple) else (key,)
    return all(isinstance(k, int | slice) or k is None or k is Ellipsis for k in items)


@lru_cache(maxsize=256)
def primitive(function: Any) -> Op:
    """The op that is this NumPy function: a record if there is one, else an op for programs."""
    for op in REGISTRY.values():
        if op.forward is function:
            return op
    return Op(function.__name__, function, doc="A NumPy function.", listed=False)


@lru_cache(maxsize=16)
def reduction(ufunc: np.ufunc) -> Op:
    """The op that gathers with a ufunc over axes."""
    return Op(
        f"{ufunc.__name__}.reduce",
        lambda x, axis, keepdims: ufunc.reduce(x, axis, keepdims=keepdims),
        doc="A reduction.",
        listed=False,
    )


def lowered(program: Program) -> Program:
    """The same program with every op taken apart, as far as that goes."""
    equations: list[Equation] = []
    for equation in program.equations:
        equations += _parts(equation)
    return program.with_equations(equations)


def _parts(equation: Equation) -> list[Equation]:
    if isinstance(equation.op.forward, np.ufunc) or not equation.pure:
        return [equation]
    trace = _Trace(equation)
    inputs = [
        _Traced(trace, x) if type(x) is Var or (type(x) is np.ndarray and x.ndim) else x
        for x in equation.inputs
    ]
    try:
        with np.errstate(all="ignore"):
            result = unwrapped(equation.op.forward(*inputs, **equation.attrs))
    except (_WholeError, AttributeError, IndexError, TypeError, ValueError):
        return [equation]
    last = trace.equations[-1] if trace.equations else None
    if last is None or not isinstance(result, _Traced) or result.var is not last.output:
        return [equation]
    if len(trace.equations) == 1 and last.op is equation.op:
        return [equation]
    last.output = equation.output
    return trace.equations
