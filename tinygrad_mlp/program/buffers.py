"""Buffers: a program as NumPy calls that write into memory which is made once.

This file knows how to write them: ``out=`` buffers that are used again as soon as nobody reads
them, parameters that are updated in place, views, constants and bound methods that are made once.
What it does not know it writes as `source` would. The function that comes out is printable too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.allocation import Allocator
from tinygrad_mlp.program.blocking import Call, blocked
from tinygrad_mlp.program.code import Code, literal, written
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.program.memory import Region
from tinygrad_mlp.program.writer import bare_or_tuple, wrapped

__all__ = ["Made", "buffered"]


@dataclass(slots=True)
class Made:
    """``make(*regions)`` gives ``step(*inputs, *arguments)``, which returns the results.

    Attributes:
        text: The source of ``make``.
        constants: The arrays that the text refers to by name.
        regions: The memory that it works on.
        arguments: The cells whose content it takes: those that it does not write.
    """

    text: str
    constants: dict[str, Array]
    regions: list[Region]
    arguments: list[Cell]


def buffered(program: Program) -> Made:
    """Write a program, lowered and simplified, as calls into buffers."""
    return _Emitter(program).made()


_SPREAD = 1 << 16
_REPEATED = 1 << 17


class _Emitter(Allocator):
    def made(self) -> Made:
        arguments = [c for c in self.program.reads if id(c.before) not in self.plan.befores]
        parameters = []
        taken = [c.before for c in arguments if c.before is not None]
        for v in (*self.program.inputs, *taken):
            self.names[id(v)] = name = self.writer.names.fresh(v.name or "x")
            parameters.append(name)
        self._lay_regions()
        for number, line in enumerate(self.packs.lines):
            self._line(number, line)
        self._settle()
        outputs = [self._result(v) for v in self.program.outputs]
        blocked(self.writer.lines, self.calls, self.once, self.writer.names)
        body = [*self.writer.lines, *self.at_last, f"return {bare_or_tuple(outputs)}"]
        lines = [
            *wrapped("def make", self.region_names, ":"),
            *(f"    {line}" for line in self.once),
            "",
            *(f"    {line}" for line in wrapped("def step", parameters, ":")),
            *(f"        {line}" for line in body),
            "",
            "    return step",
        ]
        return Made("\n".join(lines) + "\n", self.writer.arrays, self.regions, arguments)

    # -- lines -------------------------------------------------------------------------------

    def _line(self, number: int, line: list[Equation]) -> None:
        if len(line) > 1:
            self._group(number, line)
            return
        (e,) = line
        how = self.plan.kinds[id(e.output)]
        if how == "view" and id(e.inputs[0]) in self.static:
            self._view(e)
        elif how in {"ufunc", "dot", "reduce"}:
            out = self._memory(number, e)
            if how == "ufunc":
                operand = self._spread if e.op.name in {"minimum", "maximum"} else self._beside
                if getattr(
                    e.op.forward, "signature", None
                ):  # a product of matrices: shapes of their own
                    operand = self._operand
                self._ufunc(e, [operand(x, e.output) for x in e.inputs], out)
            elif how == "dot":
                self._dot(e, out)
            else:
                axis, keep = e.attrs["axis"], e.attrs["keepdims"]
                head = self._once(f"np.{e.op.name}", e.op.name)
                self.writer.lines.append(
                    f"{head}({self._operand(e.inputs[0], None)}, {axis!r}, None, {out}, {keep})"
                )
            self._bind(e.output, out)
            self._release(number, line, out)
            return
        else:
            codes = tuple(self._code(x) for x in e.inputs)
            name = self.writer.names.fresh(e.output.name or "t")
            if e.op.forward is np.dot and id(e.inputs[0]) in self.static:
                head = self._once(f"{codes[0].name}.dot", f"{codes[0].name}_dot")
                self.writer.lines.append(f"{name} = {head}({self._operand(e.inputs[1], None)})")
            else:
                self.writer.assign(written(e.op, codes, e.attrs), name)
            self.names[id(e.output)] = name
        self._release(number, line, "")

    def _view(self, e: Equation) -> None:
        """A view of memory that stays where it is: taken once."""
        codes = tuple(self._code(x) for x in e.inputs)
        text = self.writer.text(written(e.op, codes, e.attrs))
        self._bind(e.output, self._once(text, e.output.name))

    def _group(self, number: int, line: list[Equation]) -> None:
        """One call for all: the operands are packs."""
        e = line[0]
        out = self.packs.place[id(e.output)][0]
        if out not in self.pack_names:
            self._new_pack(number, line, out)
        operands = []
        for x in e.inputs:
            if type(x) is Var and x.ndim:
                operands.append(self._pack(self.packs.place[id(x)][0]))
            else:
                operands.append(self._operand(x, e.output))
        self._ufunc(e, operands, self._pack(out), flat=sum(x.output.size for x in line))

    def _ufunc(self, e: Equation, operands: list[str], out: str, *, flat: int = 0) -> None:
        name = e.op.forward.__name__
        head = self._once(f"np.{name}", name)
        call = Call(head, operands, out, by_name=name in {"minimum", "maximum"})
        y = e.output
        if flat:
            packs = set(self.pack_names.values())
            call.rows, call.row, call.cut = flat, 1, {x for x in (*operands, out) if x in packs}
        elif y.ndim:
            shaped = list(zip(e.inputs, operands, strict=True))
            whole = {name for x, name in shaped if np.shape(_value(x)) == y.shape}
            fixed = all(type(x) is not Var or id(x) in self.static or x.ndim == 0 for x in e.inputs)
            if fixed and all(name in whole or _repeats(_value(x), y) for x, name in shaped):
                call.rows, call.row, call.cut = y.shape[0], y.size // y.shape[0], {*whole, out}
        call.itemsize = y.dtype.itemsize
        self.calls[len(self.writer.lines)] = call
        self.writer.lines.append(call.text())

    def _dot(self, e: Equation, out: str) -> None:
        a, b = e.inputs
        left, right = self._operand(a, None), self._operand(b, None)
        if id(a) in self.static or type(a) is not Var:
            left = self._once(f"{left}.dot", f"{left}_dot")
            self.writer.lines.append(f"{left}({right}, {out})")
        else:
            self.writer.lines.append(f"{left}.dot({right}, {out})")

    def _operand(self, x: Any, y: Var | None) -> str:
        """An input as text; numbers beside arrays as arrays of no dimension, which are faster."""
        if type(x) is Var:
            if id(x) not in self.names and id(x) in self.packs.place:
                self._allocate(self.packs.place[id(x)][0])
            name = self.names[id(x)]
            if y is None or isinstance(x.value, np.ndarray):
                return name
            dtype = literal(self._meeting(x.value, y), 0, self.writer._constant)
            static = self._once(f"np.empty((), {dtype})  # {name}", f"{name}_0d")
            line = f"{static}[()] = {name}"
            if line not in self.writer.lines:
                self.writer.lines.append(line)
            return static
        if y is not None and np.ndim(x) == 0:
            dtype = literal(self._meeting(x, y), 0, self.writer._constant)
            value = x.item() if isinstance(x, np.ndarray | np.generic) else x
            return self._once(
                f"np.array({literal(value, 0, self.writer._constant)}, {dtype})", "number"
            )
        return self.writer._constant(np.asarray(x))

    def _beside(self, x: Any, y: Var) -> str:
        """As `_operand`; one number is faster without its axes, and a row beside rows of it.

        NumPy takes half a microsecond to begin with operands of different shapes, but not to
        assign one to another.
        """
        name = self._operand(x, y)
        if type(x) is not Var or not x.ndim or x.size == y.size:
            return name
        if x.size == 1:
            return self._once(f"{name}.reshape(())", name) if id(x) in self.static else name
        if y.size * x.dtype.itemsize > _REPEATED:
            return name
        dtype = literal(x.dtype, 0, self.writer._constant)
        spread = self._once(f"np.empty({y.shape}, {dtype})  # {name}", f"{name}_spread")
        self.writer.lines.append(f"{spread}[...] = {name}")
        return spread

    def _spread(self, x: Any, y: Var) -> str:
        """As `_beside`; minimum and maximum are twice as fast beside a whole array."""
        if type(x) is Var or np.ndim(x) or y.size > _SPREAD:
            return self._beside(x, y)
        number = self._operand(x, y)
        return self._once(f"np.full({y.shape}, {number})", "numbers")

    def _meeting(self, x: Any, y: Var) -> Any:
        """The dtype that a number has where it meets an array."""
        if isinstance(x, np.ndarray | np.generic):
            return x.dtype
        if y.dtype.kind == "f":
            return y.dtype
        arrays = [v for v in map(_value, self.plan.made[id(y)].inputs) if isinstance(v, np.ndarray)]
        floats = [v.dtype for v in arrays if v.dtype.kind == "f"]
        return np.result_type(*floats) if floats else np.asarray(x).dtype

    def _code(self, x: Any) -> Any:
        if type(x) is not Var:
            return x
        code = Code("", (), x.value)
        code.name = self._operand(x, None)
        return code

    # -- the end -----------------------------------------------------------------------------

    def _settle(self) -> None:
        """Copy into the cells what could not be computed there."""
        moved: dict[str, str] = {}
        for cell in self.plan.living:
            home, name = self.home_names[id(cell)], self._operand(cell.after, None)
            if (
                id(cell) in self.settled
                and self.plan.homes.get(id(self.plan.root(cell.after))) is cell
            ):
                continue
            if id(self.plan.root(cell.after)) in self.plan.befores:
                moved[name] = copied = self.writer.names.fresh(f"{name}_before")
                self.writer.lines.append(f"{copied} = {name}.copy()")
                name = copied
            self.at_last.append(f"{home}[...] = {name}")

    def _result(self, v: Any) -> str:
        """What is handed out: no memory of the step's own, and nothing that is yet overwritten."""
        if type(v) is not Var:
            return self.writer.text(v)
        name = self._operand(v, None)
        if not isinstance(v.value, np.ndarray) or (not v.ndim and self._is_number(v)):
            return name
        if id(self.plan.root(v)) not in self.plan.befores:
            return f"{name}.copy()"
        copied = self.writer.names.fresh(f"{name}_before")
        self.writer.lines.append(f"{copied} = {name}.copy()")
        return copied

    def _is_number(self, v: Var) -> bool:
        """Whether NumPy gives a number for certain, which nobody can write to."""
        e = self.plan.made.get(id(v))
        return e is not None and (
            isinstance(e.op.forward, np.ufunc)
            or e.op.forward is np.dot
            or e.op.name.endswith(".reduce")
        )


def _value(x: Any) -> Any:
    return x.value if type(x) is Var else x


def _repeats(value: Any, y: Var) -> bool:
    """Whether every row of `y` meets the same of it."""
    return np.ndim(value) < y.ndim or np.shape(value)[0] == 1
