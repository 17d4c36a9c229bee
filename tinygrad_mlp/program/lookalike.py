"""Lookalikes: values that stand where an array could stand inside an op's forward function.

This file knows every way in which a forward function can touch an array: operators, ufuncs and
their ``reduce`` and ``at``, NumPy's functions, methods, indexing. Each becomes one `Touch`. What
is done about it is for subclasses to say: write Python (`code`), append equations (`lowering`),
call another library (`xla`). So no back end states again what an op computes.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = ["OPERATORS", "Lookalike", "Touch", "alike", "done", "unwrapped"]

OPERATORS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "@": np.matmul,
    "**": np.power,
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
"""The sign of each operator and the ufunc behind it."""


class Touch(NamedTuple):
    """One thing that a forward function did to an array.

    Attributes:
        kind: ``infix`` (what is a sign), ``negative``, ``ufunc``; ``reduce``, ``accumulate``,
            ``outer``, ``at`` (methods of a ufunc); ``function`` (a NumPy function), ``method``
            and ``attribute`` (a name), ``item``, ``set``.
        what: The sign, the function or the name.
        args: The arguments; for methods, items and attributes the array itself comes first.
        kwargs: The keyword arguments.
    """

    kind: str
    what: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Lookalike:
    """The base: tells `touched` of everything, and answers questions about shape by `like`."""

    __slots__ = ()

    like: Array
    """An array of the same shape and dtype."""

    def touched(self, touch: Touch) -> Any:
        """Say what comes of it."""
        raise NotImplementedError

    shape = property(lambda self: np.shape(self.like))
    ndim = property(lambda self: np.ndim(self.like))
    size = property(lambda self: np.size(self.like))
    dtype = property(lambda self: getattr(self.like, "dtype", np.dtype(type(self.like))))
    T = property(lambda self: self.touched(Touch("attribute", "T", (self,), {})))
    mT = property(lambda self: self.touched(Touch("attribute", "mT", (self,), {})))

    def _infix(self, sign: str, a: Any, b: Any) -> Any:
        return self.touched(Touch("infix", sign, (self._number(a), self._number(b)), {}))

    def _number(self, x: Any) -> Any:
        """A constant that is one number of this dtype, as the number: so it is written."""
        if type(x) is np.ndarray and x.ndim == 0 and x.dtype == self.dtype:
            return x.item()
        return x

    def __add__(self, other: Any) -> Any:
        return self._infix("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._infix("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._infix("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._infix("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._infix("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._infix("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._infix("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._infix("/", other, self)

    def __matmul__(self, other: Any) -> Any:
        return self._infix("@", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._infix("@", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._infix("**", self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._infix("**", other, self)

    def __eq__(self, other: object) -> Any:
        return self._infix("==", self, other)

    def __ne__(self, other: object) -> Any:
        return self._infix("!=", self, other)

    def __lt__(self, other: Any) -> Any:
        return self._infix("<", self, other)

    def __le__(self, other: Any) -> Any:
        return self._infix("<=", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._infix(">", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._infix(">=", self, other)

    def __neg__(self) -> Any:
        return self.touched(Touch("negative", np.negative, (self,), {}))

    __hash__: ClassVar[Any] = object.__hash__

    def __getitem__(self, key: Any) -> Any:
        return self.touched(Touch("item", None, (self, key), {}))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.touched(Touch("set", None, (self, key, value), {}))

    def __getattr__(self, method: str) -> Any:
        """Any other method of arrays: ``x.reshape(…)``, ``x.sum(…)``, ``x.astype(…)``."""
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **kwargs: self.touched(Touch("method", method, (self, *args), kwargs))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(out is not None for out in kwargs.pop("out", ())):
            return NotImplemented
        if method not in {"__call__", "reduce", "accumulate", "outer", "at"}:
            return NotImplemented
        if len(inputs) == 2:
            inputs = tuple(map(self._number, inputs))
        return self.touched(
            Touch("ufunc" if method == "__call__" else method, ufunc, inputs, kwargs)
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self.touched(Touch("function", function, tuple(args), dict(kwargs)))


def alike(x: Any) -> Any:
    """The array of a lookalike, also inside tuples and lists; anything else as it is."""
    if isinstance(x, Lookalike):
        return x.like
    if isinstance(x, tuple | list):
        return type(x)(alike(item) for item in x)
    return x


def unwrapped(x: Any) -> Any:
    """A lookalike that ``np.asarray`` has put into an array of objects, out of it again."""
    if isinstance(x, np.ndarray) and x.dtype == object and isinstance(x.item(), Lookalike):
        return x.item()
    return x


def done(touch: Touch) -> Any:  # noqa: PLR0911 - one case for each kind of touch
    """Do it to arrays: what the forward function would have got."""
    args, kwargs = alike(touch.args), {k: alike(v) for k, v in touch.kwargs.items()}
    if isinstance(args[0], np.random.Generator):
        args = (copy.deepcopy(args[0]), *args[1:])  # a look must not move it on
    match touch.kind:
        case "infix":
            return _INFIX[touch.what](*args)
        case "reduce" | "accumulate" | "outer" | "at":
            return getattr(touch.what, touch.kind)(*args, **kwargs)
        case "item":
            return args[0][args[1]]
        case "set":
            args[0][args[1]] = args[2]
            return None
        case "attribute":
            return getattr(args[0], touch.what)
        case "method":
            return getattr(args[0], touch.what)(*args[1:], **kwargs)
        case _:
            return touch.what(*args, **kwargs)


_INFIX: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "@": lambda a, b: a @ b,
    "**": lambda a, b: a**b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
