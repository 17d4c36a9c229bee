"""Tracing: a program as a pure function of JAX's arrays.

This file knows how an op's own forward function runs on JAX's arrays: each touch of NumPy's has
its counterpart there, and what NumPy writes in place becomes a new array. It does not know where
state lives nor on how many devices: `xla` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.ir import Cell, Equation, Program
from tinygrad_mlp.program.lookalike import OPERATORS, Lookalike, Touch, unwrapped
from tinygrad_mlp.program.memory import lives_on

__all__ = ["given_cells", "pure"]


class _Traced(Lookalike):
    """A JAX array inside a forward function of ours."""

    __slots__ = ("like",)

    def __init__(self, like: Array) -> None:
        self.like = like

    def touched(self, touch: Touch) -> Any:  # noqa: PLR0911 - one case for each kind
        """Do it in JAX. What NumPy writes in place becomes a new array in the same wrapper."""
        import jax.numpy as jnp

        args, kwargs = _plain(touch.args), {k: _plain(v) for k, v in touch.kwargs.items()}
        what = touch.what
        match touch.kind:
            case "infix":
                return _Traced(_jax(OPERATORS[what].__name__)(*args))
            case "reduce" | "accumulate":
                name = _GATHERED.get((touch.kind, what.__name__))
                if name is None:
                    raise _unsupported(f"np.{what.__name__}.{touch.kind}")
                return _Traced(getattr(jnp, name)(args[0], *args[1:], **kwargs))
            case "at":
                target, key, *values = touch.args
                place = target.like.at[_plain(key)]
                target.like = getattr(place, what.__name__)(*_plain(tuple(values)))
                return None
            case "set":
                self.like = self.like.at[args[1]].set(args[2])
                return None
            case "item":
                return _Traced(args[0][args[1]])
            case "attribute":
                return _Traced(getattr(args[0], what))
            case "method":
                return _Traced(getattr(args[0], what)(*args[1:], **kwargs))
            case _:
                return _Traced(_jax(what.__name__)(*args, **kwargs))


_GATHERED = {
    ("reduce", "add"): "sum",
    ("reduce", "multiply"): "prod",
    ("reduce", "maximum"): "max",
    ("reduce", "minimum"): "min",
    ("reduce", "logical_and"): "all",
    ("reduce", "logical_or"): "any",
    ("accumulate", "add"): "cumsum",
    ("accumulate", "multiply"): "cumprod",
}


def _jax(name: str) -> Callable[..., Array]:
    import jax.numpy as jnp

    function = getattr(jnp, name, None)
    if function is None:
        raise _unsupported(f"np.{name}")
    return function  # type: ignore[no-any-return]


def _unsupported(name: str) -> UnsupportedError:
    return UnsupportedError(f"{name} has no counterpart in JAX", fix='Use backend="numpy".')


def _plain(x: Any) -> Any:
    if isinstance(x, Lookalike):
        return x.like
    if isinstance(x, tuple | list):
        return type(x)(_plain(item) for item in x)
    return x


def pure(program: Program, draws: list[Equation]) -> Callable[..., Any]:
    """The program as a function of JAX arrays, from the old state to results and the new one."""
    living = [cell for cell in program.cells if lives_on(cell)]
    given = given_cells(program)

    def step(state: list[Array], inputs: Any, numbers: Any, drawn: Any) -> Any:
        known = {id(v): x for v, x in zip(program.inputs, inputs, strict=True)}
        known |= {id(c.before): x for c, x in zip(living, state, strict=True)}
        known |= {id(c.before): x for c, x in zip(given, numbers, strict=True)}
        known |= {id(e.output): x for e, x in zip(draws, drawn, strict=True)}
        for e in program.equations:
            if id(e.output) in known:
                continue
            xs = [
                _Traced(known[id(x)]) if id(x) in known
                else _Traced(x) if isinstance(x, np.ndarray) and x.ndim else x
                for x in e.inputs
            ]  # fmt: skip
            known[id(e.output)] = _applied(e, xs)
        outputs = [known.get(id(v), v) for v in program.outputs]
        return outputs, [known.get(id(c.after), c.after) for c in living]

    return step


def _applied(e: Equation, xs: list[Any]) -> Any:
    first = next((x for x in xs if isinstance(x, _Traced)), None)
    if first is not None and isinstance(e.op.forward, np.ufunc):
        return _plain(first.touched(Touch("ufunc", e.op.forward, tuple(xs), dict(e.attrs))))
    return _plain(unwrapped(e.op.forward(*xs, **e.attrs)))


def given_cells(program: Program) -> list[Cell]:
    """The cells that are read and not written: numbers, and tensors that stay as they are."""
    return [
        c
        for c in program.reads
        if not lives_on(c) and not isinstance(getattr(c.before, "value", None), np.random.Generator)
    ]
