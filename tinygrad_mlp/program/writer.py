"""The writer: expressions become lines, and what is used twice gets a line of its own.

This file knows lines, their width and the comments beside them. It does not know what a program
is: `source` decides what is written and what it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.code import LOWEST, Code, literal, uniform
from tinygrad_mlp.program.naming import Names

__all__ = ["Writer", "bare_or_tuple", "tuple_text", "wrapped"]

WIDTH = 92


class Writer:
    """Writes the code of one program.

    Args:
        taken: Names that must not be used.
    """

    def __init__(self, *taken: str) -> None:
        self.lines: list[str] = []
        self.names = Names(*taken)
        self.constants: list[str] = []
        self._known: dict[int, str] = {}

    def assign(self, result: Any, name: str, remark: str = "") -> None:
        """Write the lines that compute `result` into `name`, with a comment on the last."""
        uses: dict[int, int] = {}
        order: list[Code] = []
        _collect(result, uses, order)
        for code in order:
            if not code.name and code is not result and (uses[id(code)] > 1 or code.effects):
                self._define(code, self.names.fresh("t"))
        if isinstance(result, Code) and not result.name:
            self._define(result, name, remark)
        else:
            self._line(f"{name} = {self.text(result)}", remark)

    def _define(self, code: Code, name: str, remark: str = "") -> None:
        self._line(f"{name} = {self.text(code)}", remark)
        code.name = name
        for template, parts in code.effects:
            self._line(template.format(*(self.text(part) for part in parts)))

    def _line(self, text: str, remark: str = "") -> None:
        if not remark:
            self.lines.append(text)
        elif len(text) + len(remark) + 4 <= WIDTH:
            self.lines.append(f"{text}  # {remark}")
        else:
            self.lines += [f"# {remark}", text]

    def text(self, x: Any, level: int = LOWEST) -> str:
        """`x` as Python, in parentheses if it binds less tightly than `level`."""
        if isinstance(x, Code):
            if x.name:
                return x.name
            parts = [
                self.text(part, x.slots[min(i, len(x.slots) - 1)]) for i, part in enumerate(x.parts)
            ]
            text = x.template.format(*parts)
            return text if x.level >= level else f"({text})"
        if type(x) is tuple:
            return tuple_text(self.text(item) for item in x)
        if isinstance(x, list):
            return "[" + ", ".join(self.text(item) for item in x) + "]"
        return literal(x, level, self._constant)

    def _constant(self, x: Array) -> str:
        """A name for an array that is too large for a line; its bytes stand above."""
        if id(x) not in self._known:
            self._known[id(x)] = name = self.names.fresh("constant")
            if text := uniform(x):
                self.constants.append(f"{name} = {text}")
                return name
            dtype = literal(x.dtype, LOWEST, self._constant)
            digits = np.ascontiguousarray(x).tobytes().hex()
            self.constants.append(
                f'{name} = np.frombuffer(bytes.fromhex("{digits}"), {dtype}).reshape({x.shape})'
            )
        return self._known[id(x)]


def _collect(result: Any, uses: dict[int, int], order: list[Code]) -> None:
    """Every code that `result` is made of, parts before wholes, and how often each is used."""
    waiting: list[tuple[Any, bool]] = [(result, False)]
    while waiting:
        x, finished = waiting.pop()
        if isinstance(x, tuple | list):
            waiting.extend((item, False) for item in x)
        elif isinstance(x, Code):
            if finished:
                order.append(x)
                continue
            uses[id(x)] = uses.get(id(x), 0) + 1
            if uses[id(x)] == 1 and not x.name:
                waiting.append((x, True))
                waiting.extend((part, False) for part in x.parts)
                waiting.extend((p, False) for _, ps in x.effects for p in ps if p is not x)


def tuple_text(items: Any) -> str:
    """Texts as a Python tuple.

    >>> tuple_text(["a"]), tuple_text(["a", "b"])
    ('(a,)', '(a, b)')
    """
    texts = list(items)
    return f"({', '.join(texts)},)" if len(texts) == 1 else f"({', '.join(texts)})"


def bare_or_tuple(texts: list[str]) -> str:
    """One thing as it is, several as a tuple."""
    return texts[0] if len(texts) == 1 else tuple_text(texts)


def wrapped(head: str, items: list[str], tail: str) -> Iterator[str]:
    """``head(a, b, …)tail``, on one line if it fits, else with the items on lines of their own."""
    if len(head) + len(tuple_text(items)) + len(tail) <= WIDTH:
        trailing = "," if len(items) == 1 and not tail else ""
        yield f"{head}({', '.join(items)}{trailing}){tail}"
        return
    yield f"{head}("
    line = ""
    for item in items:
        if line and len(line) + len(item) > WIDTH - 8:
            yield f"    {line.rstrip()}"
            line = ""
        line += f"{item}, "
    yield f"    {line.rstrip()}"
    yield f"){tail}"
