"""Source: a program as a NumPy function that one can read and paste.

This file knows how Python is written. It knows no op: the text of each line comes from running
the op's own forward function on `Code` values, which behave like arrays and write down what
is done to them. So the line that is generated is the line that computes.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from tinygrad_mlp.ops import Array, Attrs, Op
from tinygrad_mlp.program.ir import Program, Var

__all__ = ["Code", "identifier", "numpy_source"]

_LOWEST, _COMPARE, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(7)


class Code:
    """An array and the Python expression that computes it.

    Args:
        template: The expression, with ``{0}`` where its first part goes.
        parts: The parts: code, arrays, numbers.
        like: The array itself.
        level: How tightly Python binds the expression.
        slots: What each part must bind at least; the last one serves the rest.
    """

    __slots__ = ("effects", "level", "like", "name", "parts", "slots", "template")

    def __init__(
        self,
        template: str,
        parts: tuple[Any, ...],
        like: Array,
        level: int = _ATOM,
        slots: tuple[int, ...] = (_LOWEST,),
    ) -> None:
        self.template, self.parts, self.like = template, parts, like
        self.level, self.slots = level, slots
        self.name = ""
        self.effects: list[tuple[str, tuple[Any, ...]]] = []

    shape = property(lambda self: np.shape(self.like))
    ndim = property(lambda self: np.ndim(self.like))
    size = property(lambda self: np.size(self.like))
    dtype = property(lambda self: getattr(self.like, "dtype", np.dtype(type(self.like))))
    T = property(lambda self: Code("{0}.T", (self,), self.like.T, _ATOM, (_ATOM,)))
    mT = property(lambda self: Code("{0}.mT", (self,), self.like.mT, _ATOM, (_ATOM,)))

    def _infix(self, sign: str, other: Any, level: int, *, left: bool, tight: bool = False) -> Code:
        a, b = (self, other) if left else (other, self)
        like = _INFIX[sign](_like(a), _like(b))
        return Code(f"{{0}} {sign} {{1}}", (a, b), like, level, (level + tight, level + (not tight)))

    def __add__(self, other: Any) -> Code:
        return self._infix("+", other, _SUM, left=True)

    def __radd__(self, other: Any) -> Code:
        return self._infix("+", other, _SUM, left=False)

    def __sub__(self, other: Any) -> Code:
        return self._infix("-", other, _SUM, left=True)

    def __rsub__(self, other: Any) -> Code:
        return self._infix("-", other, _SUM, left=False)

    def __mul__(self, other: Any) -> Code:
        return self._infix("*", other, _PRODUCT, left=True)

    def __rmul__(self, other: Any) -> Code:
        return self._infix("*", other, _PRODUCT, left=False)

    def __truediv__(self, other: Any) -> Code:
        return self._infix("/", other, _PRODUCT, left=True)

    def __rtruediv__(self, other: Any) -> Code:
        return self._infix("/", other, _PRODUCT, left=False)

    def __matmul__(self, other: Any) -> Code:
        return self._infix("@", other, _PRODUCT, left=True)

    def __rmatmul__(self, other: Any) -> Code:
        return self._infix("@", other, _PRODUCT, left=False)

    def __pow__(self, other: Any) -> Code:
        return self._infix("**", other, _POWER, left=True, tight=True)

    def __rpow__(self, other: Any) -> Code:
        return self._infix("**", other, _POWER, left=False, tight=True)

    def __neg__(self) -> Code:
        return Code("-{0}", (self,), -self.like, _SIGN, (_SIGN,))

    def __eq__(self, other: object) -> Code:  # type: ignore[override]
        return self._infix("==", other, _COMPARE, left=True, tight=True)

    def __ne__(self, other: object) -> Code:  # type: ignore[override]
        return self._infix("!=", other, _COMPARE, left=True, tight=True)

    def __lt__(self, other: Any) -> Code:
        return self._infix("<", other, _COMPARE, left=True, tight=True)

    def __le__(self, other: Any) -> Code:
        return self._infix("<=", other, _COMPARE, left=True, tight=True)

    def __gt__(self, other: Any) -> Code:
        return self._infix(">", other, _COMPARE, left=True, tight=True)

    def __ge__(self, other: Any) -> Code:
        return self._infix(">=", other, _COMPARE, left=True, tight=True)

    __hash__: ClassVar[Any] = object.__hash__

    def __getitem__(self, key: Any) -> Code:
        items = key if isinstance(key, tuple) else (key,)
        like = self.like[tuple(_like(item) for item in items)]
        holes = ", ".join(f"{{{i + 1}}}" for i in range(len(items))) or "()"
        return Code(f"{{0}}[{holes}]", (self, *items), like, _ATOM, (_ATOM, _LOWEST))

    def __setitem__(self, key: Any, value: Any) -> None:
        items = key if isinstance(key, tuple) else (key,)
        self.like[tuple(_like(item) for item in items)] = _like(value)
        holes = ", ".join(f"{{{i + 1}}}" for i in range(len(items))) or "()"
        self.effects.append((f"{{0}}[{holes}] = {{{len(items) + 1}}}", (self, *items, value)))

    def __getattr__(self, method: str) -> Any:
        """Any other method of arrays: ``x.reshape(…)``, ``x.sum(…)``, ``x.astype(…)``."""
        if method.startswith("_"):
            raise AttributeError(method)

        def call(*args: Any, **kwargs: Any) -> Code:
            like = getattr(self.like, method)(*map(_like, args), **kwargs)
            return _call(f"{{0}}.{method}", like, args, kwargs, self)

        return call

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        like = function(*_like(inputs), **kwargs)
        name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        if method == "at":
            holes = ", ".join(f"{{{i}}}" for i in range(len(inputs)))
            inputs[0].effects.append((f"{name}({holes})", inputs))
            return None
        sign = _UFUNC_SIGNS.get(ufunc) if method == "__call__" and not kwargs else None
        if sign is not None and len(inputs) == 2:
            level = _LEVELS[sign]
            tight = sign == "**" or level == _COMPARE
            return Code(
                f"{{0}} {sign} {{1}}", inputs, like, level, (level + tight, level + (not tight))
            )
        return _call(name, like, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Code:
        like = function(*_like(args), **{k: _like(v) for k, v in kwargs.items()})
        module = "np.linalg" if function.__module__ == "numpy.linalg" else "np"
        return _call(f"{module}.{function.__name__}", like, args, kwargs)


_INFIX = {
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
_LEVELS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "@": _PRODUCT, "**": _POWER}
_LEVELS |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _COMPARE)
_UFUNC_SIGNS = {
    np.add: "+",
    np.subtract: "-",
    np.multiply: "*",
    np.divide: "/",
    np.matmul: "@",
    np.power: "**",
    np.equal: "==",
    np.not_equal: "!=",
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
}


def _call(head: str, like: Array, args: Any, kwargs: Any, owner: Code | None = None) -> Code:
    parts: list[Any] = [] if owner is None else [owner]
    texts = []
    for key, value in [*((None, a) for a in args), *kwargs.items()]:
        texts.append(f"{key}={{{len(parts)}}}" if key else f"{{{len(parts)}}}")
        parts.append(value)
    slots = (_LOWEST,) if owner is None else (_ATOM, _LOWEST)
    return Code(f"{head}({', '.join(texts)})", tuple(parts), like, _ATOM, slots)


def _like(x: Any) -> Any:
    if isinstance(x, Code):
        return x.like
    if isinstance(x, tuple | list):
        return type(x)(_like(item) for item in x)
    return x


# -- from expressions to lines ---------------------------------------------------------------


class _Writer:
    """Turns the code of one program into lines; what is used twice gets a line of its own."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.taken: set[str] = {"np", "step"}
        self.constants: dict[str, Array] = {}

    def fresh(self, wanted: str) -> str:
        """An identifier that is not used yet."""
        stem = name = identifier(wanted)
        count = 2
        while name in self.taken:
            name = f"{stem}_{count}"
            count += 1
        self.taken.add(name)
        return name

    def assign(self, result: Any, wanted: str) -> str:
        """Write the lines that compute `result`; return the name that holds it."""
        uses: dict[int, int] = {}
        order: list[Code] = []
        _collect(result, uses, order)
        for code in order:
            if code.name or code is result:
                continue
            if uses[id(code)] > 1 or code.effects:
                self._define(code, self.fresh("t"))
        if isinstance(result, Code) and result.name and not result.effects:
            name = self.fresh(wanted)
            self.lines.append(f"{name} = {result.name}")
            return name
        name = self.fresh(wanted)
        if isinstance(result, Code):
            self._define(result, name)
        else:
            self.lines.append(f"{name} = {self.text(result)}")
        return name

    def _define(self, code: Code, name: str) -> None:
        self.lines.append(f"{name} = {self.text(code)}")
        code.name = name
        for template, parts in code.effects:
            self.lines.append(template.format(*(self.text(part) for part in parts)))

    def text(self, x: Any, level: int = _LOWEST) -> str:
        """`x` as Python, in parentheses if it binds less tightly than `level`."""
        if isinstance(x, Code):
            if x.name:
                return x.name
            parts = [
                self.text(part, x.slots[min(i, len(x.slots) - 1)]) for i, part in enumerate(x.parts)
            ]
            text = x.template.format(*parts)
            return text if x.level >= level else f"({text})"
        if isinstance(x, tuple):
            inner = ", ".join(self.text(item) for item in x)
            return f"({inner},)" if len(x) == 1 else f"({inner})"
        if isinstance(x, list):
            return "[" + ", ".join(self.text(item) for item in x) + "]"
        return self._literal(x, level)

    def _literal(self, x: Any, level: int) -> str:
        if isinstance(x, slice):
            parts = ["" if n is None else str(n) for n in (x.start, x.stop)]
            return ":".join(parts) + ("" if x.step is None else f":{x.step}")
        if x is Ellipsis:
            return "..."
        if isinstance(x, np.dtype):
            return f"np.{x.name}" if x.name != "bool" else "np.bool_"
        if isinstance(x, np.ndarray | np.generic):
            return self._array(x)
        if isinstance(x, float) and x in (float("inf"), float("-inf")) or x != x:
            return {"inf": "np.inf", "-inf": "(-np.inf)"}.get(str(x), "np.nan")
        text = repr(x)
        return f"({text})" if text.startswith("-") and level > _SUM else text

    def _array(self, x: Array) -> str:
        if x.ndim == 0:
            return f"np.{x.dtype.name if x.dtype != bool else 'bool_'}({x.item()!r})"
        if x.size <= 16 and np.isfinite(x).all():
            return f"np.array({x.tolist()!r}, dtype={self._literal(x.dtype, 0)})"
        name = self.fresh("constant")
        self.constants[name] = x
        return name


def _collect(result: Any, uses: dict[int, int], order: list[Code]) -> None:
    """Every code that `result` is made of, parts before wholes, and how often each is used."""
    waiting: list[tuple[Any, bool]] = [(result, False)]
    while waiting:
        x, done = waiting.pop()
        if isinstance(x, tuple | list):
            waiting.extend((item, False) for item in x)
        elif isinstance(x, Code):
            if done:
                order.append(x)
                continue
            uses[id(x)] = uses.get(id(x), 0) + 1
            if uses[id(x)] == 1 and not x.name:
                waiting.append((x, True))
                waiting.extend((part, False) for part in x.parts)
                waiting.extend((p, False) for _, ps in x.effects for p in ps if p is not x)


def identifier(name: str) -> str:
    """A harmless Python identifier that reads like `name`.

    >>> identifier("layers.0.weight"), identifier("class"), identifier("x; import os")
    ('layers_0_weight', 'class_', 'x_import_os')
    """
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:60] or "v"
    if text[0].isdigit():
        text = "_" + text if not text[0].isalpha() else text
        text = "p" + text
    reserved = keyword.iskeyword(text) or hasattr(builtins, text) or text in ("np", "step")
    return text + "_" if reserved else text


def numpy_source(program: Program) -> tuple[str, dict[str, Array]]:
    """Write a program as a function of its inputs and of what its cells hold.

    Returns:
        The source of ``step(*inputs, *cells) -> (outputs, new contents of cells)``, and the
        arrays it refers to by name, which are constants too large to be written out.
    """
    writer = _Writer()
    codes: dict[int, Code] = {}
    arguments = []
    for v in (*program.inputs, *(cell.before for cell in program.reads)):
        code = Code("", (), v.value)
        code.name = writer.fresh(v.name or "x")
        codes[id(v)] = code
        arguments.append(code.name)
    phase = ""
    for equation in program.live_equations():
        if equation.phase != phase:
            phase = equation.phase
            writer.lines.append(f"# {phase}")
        inputs = tuple(codes.get(id(x), x) for x in equation.inputs)
        result = written(equation.op, inputs, equation.attrs)
        v = equation.output
        name = writer.assign(result, v.name or ("d" if phase == "backward" else "t"))
        codes[id(v)] = Code("", (), v.value)
        codes[id(v)].name = name
    outputs = [writer.text(codes.get(id(v), v)) for v in program.outputs]
    state = [writer.text(codes.get(id(c.after), c.after)) for c in program.writes]
    lines = [
        f"def step({', '.join(arguments)}):",
        *(f"    {line}" for line in writer.lines),
        f"    return {_tuple(outputs)}, {_tuple(state)}",
    ]
    return "\n".join(lines) + "\n", writer.constants


def written(op: Op, inputs: tuple[Any, ...], attrs: Attrs) -> Any:
    """The code of one op: its forward function, run on code."""
    if not any(isinstance(x, Code) for x in inputs):
        return op.forward(*inputs, **attrs)
    with np.errstate(all="ignore"):
        first = next(i for i, x in enumerate(inputs) if isinstance(x, Code))
        if isinstance(op.forward, np.ufunc) and first > 0:
            return inputs[first].__array_ufunc__(op.forward, "__call__", *inputs)
        return op.forward(*inputs, **attrs)


def _tuple(texts: Iterable[str]) -> str:
    inner = list(texts)
    return f"({', '.join(inner)},)" if len(inner) == 1 else f"({', '.join(inner)})"
