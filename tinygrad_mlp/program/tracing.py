"""Tracing: a program as a pure function of JAX's arrays.

This file knows how an op's own forward function runs on JAX's arrays: each touch of NumPy's has
its counterpart there, and what NumPy writes in place becomes a new array. It does not know where
state lives nor on how many devices: `xla` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CaptureError, UnsupportedError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import place
from tinygrad_mlp.program.ir import Cell, Equation, Program
from tinygrad_mlp.program.lookalike import OPERATORS, Lookalike, Touch, unwrapped
from tinygrad_mlp.program.memory import lives_on

__all__ = ["given_cells", "native", "pure"]


class _Traced(Lookalike):
    """A JAX array inside a forward function of ours."""

    __slots__ = ("like",)

    def __init__(self, like: Array) -> None:
        self.like = like

    def touched(self, touch: Touch) -> Any:  # noqa: C901, PLR0911 - one case for each kind
        """Do it in JAX. What NumPy writes in place becomes a new array in the same wrapper."""
        import jax.numpy as jnp

        args, kwargs = _plain(touch.args), {k: _plain(v) for k, v in touch.kwargs.items()}
        what, new = touch.what, type(self)
        match touch.kind:
            case "infix":
                return new(self.function(OPERATORS[what].__name__)(*args))
            case "ufunc":
                return new(self.function(what.__name__)(*args, **kwargs))
            case "reduce" | "accumulate":
                name = _GATHERED.get((touch.kind, what.__name__))
                if name is None:
                    raise _unsupported(f"np.{what.__name__}.{touch.kind}")
                return new(getattr(jnp, name)(args[0], *args[1:], **kwargs))
            case "at":
                target, key, *values = touch.args
                place = target.like.at[_plain(key)]
                target.like = getattr(place, what.__name__)(*_plain(tuple(values)))
                return None
            case "set":
                self.like = _with(*args)
                return None
            case "item":
                return new(jnp.asarray(args[0])[args[1]])
            case "attribute":
                return new(getattr(jnp.asarray(args[0]), what))
            case "method" if what == "astype" and args[0].dtype == bool:
                return new(_truth(args[0], args[1]))
            case "method":
                return new(getattr(jnp.asarray(args[0]), what)(*args[1:], **kwargs))
            case _:
                return new(self.function(what.__name__)(*args, **kwargs))

    def function(self, name: str) -> Callable[..., Any]:
        """JAX's function for one of NumPy's."""
        return _OTHERWISE.get(name) or _jax(name)


class _Rounded(_Traced):
    """One whose products are rounded before they are added to anything.

    XLA computes a value anew for each of its readers, and a processor may round a product and a
    sum in one go for one of them and one after the other for another. Then a number is not equal
    to itself, and the largest of some numbers is none of them.
    """

    __slots__ = ()

    def function(self, name: str) -> Callable[..., Any]:
        """JAX's function; behind a product with a choice that changes nothing."""
        import jax.numpy as jnp

        function = super().function(name)
        if name not in {"multiply", "square", "power"}:
            return function

        def rounded(*args: Any, **kwargs: Any) -> Any:
            y = function(*args, **kwargs)
            return jnp.where(jnp.isnan(y), jnp.nan, y) if _floating(y) else y

        return rounded


_EQUAL = {"equal", "not_equal", "greater_equal", "less_equal"}


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


def _floating(x: Any) -> bool:
    import jax.numpy as jnp

    return bool(jnp.issubdtype(jnp.result_type(x), jnp.floating))


def _product(a: Any, b: Any) -> Any:
    """``a b``. XLA takes a truth value times x for a choice, and loses 0 NaN and 0 ∞."""
    import jax.numpy as jnp

    for test, x in ((a, b), (b, a)):
        if jnp.result_type(test).kind == "b" and _floating(x):
            return jnp.where(test, x, x * 0.0)
    return jnp.multiply(a, b)


def _with(x: Any, key: Any, value: Any) -> Any:
    """What ``x[key] = value`` leaves; by truth values it is a choice."""
    import jax.numpy as jnp

    x = jnp.asarray(x)
    mask = getattr(getattr(key, "dtype", None), "kind", "") == "b"
    if mask and np.shape(key) == x.shape and not np.ndim(value):
        return jnp.where(key, jnp.asarray(value, x.dtype), x)
    return x.at[key].set(value)


def _truth(test: Any, dtype: Any) -> Any:
    """Truth values as numbers; for the same reason not such as XLA sees through."""
    import jax

    return jax.lax.optimization_barrier(test.astype(dtype))


def _power(x: Any, n: Any) -> Any:
    """``xⁿ``; where n is a number, NumPy does not leave every root and square to ``pow``."""
    import jax.numpy as jnp

    if np.ndim(n) == 0 and isinstance(n, float | int | np.generic):
        if n == 0.5:
            return jnp.sqrt(x)
        if n == 2 and _floating(x):
            return jnp.square(x)
    return jnp.power(x, n)


def _polynomial(coefficients: Any, x: Any) -> Any:
    """``polyval`` of numbers, as NumPy adds it up."""
    import jax.numpy as jnp

    y = jnp.zeros_like(x)
    for c in np.asarray(coefficients):
        y = y * x + c
    return y


def _order(x: Any, axis: Any = -1, kind: Any = None) -> Any:
    """``argsort``, where JAX has another word for what keeps equals in their order."""
    import jax.numpy as jnp

    return jnp.argsort(x, axis=axis, stable=kind in {"stable", "mergesort"})


_OTHERWISE: dict[str, Callable[..., Any]] = {
    "multiply": _product,
    "power": _power,
    "polyval": _polynomial,
    "argsort": _order,
}
"""What is not said in JAX as it is in NumPy."""


def _jax(name: str) -> Callable[..., Array]:
    import jax.numpy as jnp

    function = getattr(jnp, name, None)
    if function is None:
        raise _unsupported(f"np.{name}")
    return function  # type: ignore[no-any-return]


def _unsupported(name: str) -> UnsupportedError:
    return UnsupportedError(f"{name} has no counterpart there")


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
    compares = any(e.op.name in _EQUAL for e in program.equations)
    traced = _Rounded if compares else _Traced

    def step(state: list[Array], inputs: Any, numbers: Any, drawn: Any) -> Any:
        known = {id(v): x for v, x in zip(program.inputs, inputs, strict=True)}
        known |= {id(c.before): x for c, x in zip(living, state, strict=True)}
        known |= {id(c.before): x for c, x in zip(given, numbers, strict=True)}
        known |= {id(e.output): x for e, x in zip(draws, drawn, strict=True)}
        for e in program.equations:
            if id(e.output) in known:
                continue
            xs = [
                traced(known[id(x)]) if id(x) in known
                else traced(x) if isinstance(x, np.ndarray) and x.ndim else x
                for x in e.inputs
            ]  # fmt: skip
            known[id(e.output)] = _said(e, xs)
        outputs = [known.get(id(v), v) for v in program.outputs]
        return outputs, [known.get(id(c.after), c.after) for c in living]

    return step


def _said(e: Equation, xs: list[Any]) -> Any:
    """What an equation gives, in the dtype that it had when it was recorded.

    Raises:
        CaptureError: If JAX cannot say it.
    """
    try:
        y = _applied(e, xs)
        if isinstance(e.output.value, np.ndarray) and y.dtype != native(e.output.dtype):
            y = y.astype(native(e.output.dtype))
        if np.shape(y) != e.output.shape:
            raise _unsupported(f"a result of shape {e.output.shape}")  # noqa: TRY301
    except Exception as error:
        what, _, _ = str(error).partition("\n")
        raise CaptureError(
            f"{e.op.name} cannot be said in JAX",
            where=str(place(e.site) or ""),
            why=what,
            fix='Compile this step with backend="numpy" or "native".',
        ) from error
    return y


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same numbers in this processor's order of bytes."""
    return dtype.newbyteorder("=")


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
