"""Scalars: a tiny program as plain Python numbers, without an array in sight.

This file knows that a NumPy call costs as much as ten operations on Python floats, so that below
some 500 of them plain Python wins. Structure (transposes, products, sums) comes from running the
ops' own forward functions on arrays of `Node`; only functions of one number are named here.

Python raises where NumPy gives inf or nan. The function writes nothing before its last line, so
whoever runs it can do the step over with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.buffers import Made
from tinygrad_mlp.program.ir import Equation, Program, Var
from tinygrad_mlp.program.memory import Region
from tinygrad_mlp.program.naming import Names, identifier
from tinygrad_mlp.program.nodes import (
    ATOM,
    LARGEST,
    SUM,
    Book,
    Node,
    TooMuchError,
    counted,
    functions,
    is_truth,
    shared_products,
)
from tinygrad_mlp.program.passes import between_ones
from tinygrad_mlp.program.writer import bare_or_tuple, tuple_text, wrapped

__all__ = ["apart", "scalars"]

_DEEPEST = 12
_LONGEST = 400


class _Scalariser:
    def __init__(self, program: Program, made: Made) -> None:
        self.program, self.made = program, made
        self.book = Book()
        self.table = functions(self.book)
        self.names = Names("make", "step", "epoch", "Struct", "array", "losses", *_MATH)
        self.memory = [self.names.fresh("memory") for _ in made.regions]
        self.names.taken |= {f"{word}_{name}" for name in self.memory for word in ("pack", "view")}
        self.small = between_ones(program)
        self.values: dict[int, Any] = {}
        self.hints: dict[int, str] = {}

    def text(self) -> str:
        """The source of ``make``."""
        numbers: list[str] = []
        reads: list[str] = []
        arrays = [self._given(v) for v in self.program.inputs]  # names, and how to unpack them
        for cell in self.made.arguments:
            if cell.before is None or not isinstance(cell.before.value, float | int | np.ndarray):
                raise TooMuchError
            if isinstance(cell.before.value, np.ndarray):
                name, pattern = self._given(cell.before)
                numbers.append(name)
                reads.append(_taken(name, pattern))
                continue
            numbers.append(self.names.fresh(cell.name))
            self.values[id(cell.before)] = self.book.atom(numbers[-1])
        atoms_of = map(self._region, self.made.regions)
        regions = list(zip(self.memory, atoms_of, strict=True))
        for equation in self.program.equations:
            self._equation(equation)
        outputs = [self._value(v) for v in self.program.outputs]
        state = [
            [n for c in r.cells for n in np.ravel(np.asarray(self._value(c.after), object))]
            for r in self.made.regions
        ]
        lines, write = _lines(self.book, self.names, self.hints, [*outputs, *state])
        results = bare_or_tuple([_nested(o, write, "array({})") for o in outputs])
        packs = [
            list(wrapped(f"pack_{name}", [f"view_{name}", "0", *map(write, nodes)], ""))
            for (name, _), nodes in zip(regions, state, strict=True)
        ]
        after, last = self._kept(regions, state, write)
        used = self._read()
        for (name, atoms), region in zip(regions, self.made.regions, strict=True):
            if any(id(c.before) in used for c in region.cells):
                reads.append(f"{', '.join(atoms)}, = {name}.tolist()")
        names = [name for name, _ in arrays]
        body = [*reads, *lines, *(line for pack in packs for line in pack), f"return {results}"]
        each, rows = zip(*map(_rounds, arrays), strict=True) if arrays else ((), ())
        loop = [*reads, "results = []", "keep = results.append",
                f"for {tuple_text(each)} in zip({', '.join(rows)}):",
                *(f"    {line}" for line in [*lines, f"keep({results})", *after]),
                *(line for (name, _), nodes in zip(regions, last, strict=True)
                  for line in wrapped(f"pack_{name}", [f"view_{name}", "0", *nodes], "")),
                "return results"]  # fmt: skip
        given = [*names, *numbers]
        return "\n".join([
            f"from math import {', '.join(_MATH)}",
            "from struct import Struct",
            "",
            "from numpy import array",
            "",
            "",
            *wrapped("def make", [name for name, _ in regions], ":"),
            *(f'    pack_{name} = Struct("{len(atoms)}d").pack_into' for name, atoms in regions),
            *(f"    view_{name} = memoryview({name})  # found sooner" for name, _ in regions),
            "",
            *(f"    {line}" for line in wrapped("def step", [*map(_flat, arrays), *numbers], ":")),
            *(f"        {line}" for line in body),
            "",
            *(f"    {line}" for line in wrapped("def epoch", given, ":")),
            *(f"        {line}" for line in (loop if arrays else ["return None"])),
            "",
            "    return step, epoch",
            "",
        ])  # fmt: skip

    def _kept(
        self,
        regions: list[tuple[str, list[str]]],
        state: list[list[Any]],
        write: Callable[[Any], str],
    ) -> tuple[list[str], list[list[str]]]:
        """What a round of the loop leaves to the next one, and what the last round leaves behind.

        What the next round does not read and has a name of its own stays where it is.
        """
        read = self._read()
        moves: list[tuple[str, Any]] = []
        last: list[list[str]] = []
        for (_, atoms), region, nodes in zip(regions, self.made.regions, state, strict=True):
            flags = [id(c.before) in read for c in region.cells for _ in range(c.after.size)]
            last.append([])
            for atom, node, again in zip(atoms, nodes, flags, strict=True):
                stays = not again and isinstance(node, Node) and bool(node.name and node.args)
                last[-1].append(node.name if stays else atom)
                if not stays:
                    moves.append((atom, node))
        moved: set[str] = set()
        for atom, node in moves:
            if moved & _mentioned(node):  # what it was before: all at once
                left, right = zip(*((a, write(n)) for a, n in moves), strict=True)
                return [f"{', '.join(left)} = {', '.join(right)}"], last
            moved.add(atom)
        return [f"{atom} = {write(node)}" for atom, node in moves], last

    # -- what is given -----------------------------------------------------------------------

    def _given(self, v: Var) -> tuple[str, str]:
        if (
            not isinstance(v.value, np.ndarray)
            or v.dtype != np.float64
            or not 0 < v.size <= LARGEST
        ):
            raise TooMuchError
        name = self.names.fresh(v.name or "x")
        array = self._atoms(name, v.shape)
        self.values[id(v)] = array
        return name, _pattern(array) if v.ndim else array[()].name

    def _region(self, region: Region) -> list[str]:
        if region.dtype != np.float64 or region.size > LARGEST:
            raise TooMuchError
        atoms = []
        for cell in region.cells:
            array = self._atoms(cell.name, cell.after.shape)
            atoms += [node.name for node in array.ravel()]
            if cell.before is not None:
                self.values[id(cell.before)] = array
        return atoms

    def _atoms(self, name: str, shape: tuple[int, ...]) -> Array:
        array = np.empty(shape, object)
        for place in np.ndindex(shape):
            label = "_".join([identifier(name), *map(str, place)])
            array[place] = self.book.atom(self.names.fresh(label))
        return array

    def _read(self) -> set[int]:
        read = {id(x) for e in self.program.equations for x in e.inputs}
        return read | {id(v) for v in self.program.results}

    # -- what is computed --------------------------------------------------------------------

    def _value(self, x: Any) -> Any:
        if type(x) is Var:
            return self.values[id(x)]
        if isinstance(x, np.ndarray | np.generic):
            if x.dtype not in _DTYPES:
                raise TooMuchError
            return x.astype(object) if x.ndim else x.item()
        return float(x) if type(x) is int else x

    def _equation(self, e: Equation) -> None:
        y = e.output
        if not e.pure or y.dtype not in _DTYPES or not 0 < y.size <= LARGEST:
            raise TooMuchError
        result = self._computed(e, [self._value(x) for x in e.inputs])
        if np.shape(result) != y.shape or self.book.full:
            raise TooMuchError
        if y.dtype == bool and not all(map(is_truth, _each(result))):
            raise TooMuchError
        if y.dtype != bool:
            result = np.frompyfunc(self.book.number, 1, 1)(result)
        self.values[id(y)] = result
        if id(y) in self.small:
            for node in _nodes(result):
                node.small = True
        if y.name:
            for place in np.ndindex(y.shape):
                node = result[place] if y.shape else result
                self.hints.setdefault(id(node), "_".join([identifier(y.name), *map(str, place)]))

    def _computed(self, e: Equation, inputs: list[Any]) -> Any:
        """The numbers of one equation: an array of nodes, or a node."""
        forward, name = e.op.forward, e.op.name
        words = _OF_TRUTHS if e.output.dtype == bool else {}
        if isinstance(forward, np.ufunc) and name != "matmul":
            return self._each(words.get(forward.__name__, forward.__name__))(*inputs)
        if name.endswith(".reduce"):
            axis, keep, gathering = (
                e.attrs["axis"],
                e.attrs["keepdims"],
                name.removesuffix(".reduce"),
            )
            return _reduced(self._each(words.get(gathering, gathering)), inputs[0], axis, keep)
        if name in {"where", "constant_power", "cast"}:
            if name == "cast" and e.output.dtype == bool:
                raise TooMuchError
            return self._each(name)(*inputs, *(v for v in e.attrs.values() if name != "cast"))
        return forward(*(np.asarray(x, object) for x in inputs), **e.attrs)

    def _each(self, name: str) -> np.ufunc:
        if name not in self.table:
            raise TooMuchError
        each: np.ufunc = np.frompyfunc(*self.table[name], 1)
        return each


def _reduced(each: np.ufunc, x: Array, axis: Any, keep: bool) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in sorted((a % x.ndim for a in axes), reverse=True):
        x = each.reduce(x, axis=a, keepdims=keep)
    return x


_DTYPES = (np.dtype(np.float64), np.dtype(bool))
_MATH = ("exp", "log", "sqrt", "sin", "cos", "tanh", "log1p", "expm1", "pow")
_OF_TRUTHS = {"multiply": "logical_and", "add": "logical_or"}


# -- text ------------------------------------------------------------------------------------


def _lines(
    book: Book, names: Names, hints: dict[int, str], results: list[Any]
) -> tuple[list[str], Callable[[Any], str]]:
    """The lines that compute what is needed, and how a node is written after them."""
    ends = [n for r in results for n in _nodes(r)]
    shared_products(book, ends)
    uses = counted(ends)
    live = [n for n in book.order if id(n) in uses]
    if len(live) > LARGEST:
        raise TooMuchError
    lines: list[str] = []
    texts: dict[int, tuple[str, int, int]] = {}

    def write(x: Any, level: int = 0) -> str:
        if not isinstance(x, Node):
            text = repr(x) if np.isfinite(x) else f'float("{x}")'
            return f"({text})" if text.startswith("-") and level > SUM else text
        if x.name:
            return x.name
        text, own, _ = texts[id(x)]
        return text if own >= level else f"({text})"

    for node in live:
        infix = node.level < ATOM
        levels = (node.level, node.level + 1) if infix else (0, 0, 0)
        args = [write(a, levels[i]) for i, a in enumerate(node.args)]
        text = node.template.format(*args)
        depth = 1 + max((texts[id(a)][2] for a in node.args if id(a) in texts and not a.name),
                        default=0)  # fmt: skip
        texts[id(node)] = text, node.level, depth
        if uses[id(node)] > 1 or depth > _DEEPEST or len(text) > _LONGEST:
            node.name = names.fresh(hints.get(id(node), "t"))
            lines.append(f"{node.name} = {text}")
    return lines, write


def _each(x: Any) -> list[Any]:
    return list(np.ravel(np.asarray(x, object)))


def _nodes(x: Any) -> list[Node]:
    return [n for n in _each(x) if isinstance(n, Node)]


def _mentioned(x: Any) -> set[str]:
    """The names in the text of a node."""
    if not isinstance(x, Node):
        return set()
    return {x.name} if x.name else set().union(*map(_mentioned, x.args))


def _pattern(x: Any) -> str:
    """The names of an array as something to assign ``x.tolist()`` to."""
    if not isinstance(x, np.ndarray):
        return x if isinstance(x, str) else str(x.name)
    return "[" + ", ".join(_pattern(item) for item in x) + "]"


def _taken(name: str, pattern: str) -> str:
    """The line that takes the numbers out of an array."""
    if pattern.count("[") == 0 or "," in pattern:
        return f"{pattern} = {name}.tolist()"
    return f"{pattern.strip('[]')} = {name}.item()"


def _flat(given: tuple[str, str]) -> str:
    return given[1].replace("[", "").replace("]", "")


def _rounds(given: tuple[str, str]) -> tuple[str, str]:
    """The numbers of one round of the loop, and what gives them round by round, without nesting."""
    name, flat = given[0], _flat(given)
    if "," not in flat:
        return flat, f"{name}.ravel().tolist()"
    return f"[{flat}]", f"{name}.reshape(len({name}), -1).tolist()"


def _nested(x: Any, write: Callable[[Any], str], outside: str) -> str:
    if not isinstance(x, np.ndarray):
        return write(x)
    inner = "[" + ", ".join(_nested(item, write, "{}") for item in x) + "]"
    return outside.format(inner)


def apart(name: str, shape: tuple[int, ...], names: list[str]) -> str:
    """The line that takes an array of this shape apart, and fails where a length is another.

    >>> apart("x", (1, 2), ["a", "b"]), apart("y", (1, 1), ["c"])
    ('[[a, b]] = x.tolist()', 'c = y.item()')
    """
    parts = np.empty(shape, object)
    parts.reshape(-1)[:] = names
    return _taken(name, _pattern(parts) if shape else names[0])


def scalars(program: Program, made: Made) -> str | None:
    """Write a program, lowered and simplified, in Python numbers.

    Args:
        program: The program.
        made: Its form with buffers, whose memory this form works on too.

    Returns:
        The source of ``make(*regions)``, which gives ``step`` and ``epoch``; None where the
        program is too large, or not of float64. A step takes the numbers in its inputs one by one.
    """
    try:
        return _Scalariser(program, made).text()
    except (TooMuchError, ArithmeticError, TypeError, ValueError):
        return None
