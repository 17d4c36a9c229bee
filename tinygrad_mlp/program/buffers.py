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
from tinygrad_mlp.program.code import Code, literal, written
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.program.memory import Plan, Region
from tinygrad_mlp.program.blocking import Call, blocked
from tinygrad_mlp.program.packing import packed
from tinygrad_mlp.program.writer import Writer, bare_or_tuple, wrapped

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


class _Constants(Writer):
    """A writer that passes large arrays by name and not as text."""

    def __init__(self, *taken: str) -> None:
        super().__init__(*taken)
        self.arrays: dict[str, Array] = {}

    def _constant(self, x: Array) -> str:
        return next((n for n, a in self.arrays.items() if a is x), None) or self._new(x)

    def _new(self, x: Array) -> str:
        name = self.names.fresh("constant")
        self.arrays[name] = x
        return name


class _Emitter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.plan = plan = Plan(program)
        layable = {i for i in plan.kinds if plan.kinds[i] in {"ufunc", "dot", "reduce"}}
        layable |= set(plan.befores)
        self.packs = packed(program, layable)
        self.last = plan.last_uses(self.packs.lines)
        self.writer = _Constants("make", "step", "np")
        self.once: list[str] = []
        self.at_last: list[str] = []
        self.names: dict[int, str] = {}  # of variables, in the body of step
        self.static: set[int] = set()  # variables whose array is always the same
        self.shared: dict[str, str] = {}  # what is made once, by its text
        self.free: dict[Any, list[str]] = {}
        self.regions: list[Region] = []
        self.region_names: list[str] = []
        self.home_names: dict[int, str] = {}  # by id of the cell
        self.pack_names: dict[int, str] = {}
        self.settled: set[int] = set()
        self.calls: dict[int, Call] = {}

    def made(self) -> Made:
        arguments = [c for c in self.program.reads if id(c.before) not in self.plan.befores]
        parameters = []
        for v in (*self.program.inputs, *(c.before for c in arguments)):
            assert v is not None
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

    # -- memory ------------------------------------------------------------------------------

    def _lay_regions(self) -> None:
        """Cells that are updated together lie side by side; the rest fill what is left."""
        laid: set[int] = set()
        for k, pack in enumerate(self.packs.packs):
            cells = [self.plan.befores.get(id(v)) or self._new_home(v) for v in pack]
            whole = [c for c in cells if c is not None and id(c) not in laid]
            if len(whole) == len(pack) and all(
                self.plan.root(c.after) is v or c.before is v
                for c, v in zip(whole, pack, strict=True)
            ):
                self.pack_names[k] = self._region(whole)
                laid.update(map(id, whole))
        rest: dict[Any, list[Cell]] = {}
        for cell in self.plan.living:
            if id(cell) not in laid:
                rest.setdefault(cell.after.dtype.str, []).append(cell)
        for cells in rest.values():
            self._region(cells)
        for k, pack in enumerate(self.packs.packs):
            for i, v in enumerate(pack):
                if k in self.pack_names:
                    cell = self.plan.befores.get(id(v)) or self.plan.homes[id(v)]
                    if id(v) not in self.plan.befores:
                        self.settled.add(id(cell))
                    self._bind(v, self._shaped(self.home_names[id(cell)], cell.after.shape, v))
        for v_id, cell in self.plan.befores.items():
            self.names.setdefault(v_id, self.home_names[id(cell)])
            self.static.add(v_id)

    def _new_home(self, v: Any) -> Cell | None:
        """The home of a variable, if what the cell held before is not read."""
        cell = self.plan.homes.get(id(v))
        return cell if cell is not None and cell.before is None else None

    def _region(self, cells: list[Cell]) -> str:
        region = Region(cells, cells[0].after.dtype)
        name = self.writer.names.fresh("memory")
        self.regions.append(region)
        self.region_names.append(name)
        for cell, start, end in region.spans():
            text = f"{name}[{start}:{end}].reshape({cell.after.shape})"
            self.home_names[id(cell)] = self._once(text, cell.name)
        return name

    def _shaped(self, name: str, shape: tuple[int, ...], v: Var) -> str:
        return name if v.shape == shape else self._once(f"{name}.reshape({v.shape})", v.name)

    def _once(self, text: str, wanted: str) -> str:
        """A name for something that is made once, outside the step."""
        if text not in self.shared:
            self.shared[text] = name = self.writer.names.fresh(wanted or "t")
            self.once.append(f"{name} = {text}")
        return self.shared[text]

    def _bind(self, v: Var, name: str) -> None:
        self.names[id(v)] = name
        self.static.add(id(v))

    def _memory(self, number: int, e: Equation) -> str:
        """Where the result of an equation is written."""
        v = e.output
        if id(v) in self.packs.place and id(v) not in self.static:
            self._allocate(self.packs.place[id(v)][0])
        if id(v) in self.static:
            return self.names[id(v)]
        cell = self.plan.homes.get(id(v))
        if cell is not None and id(cell) not in self.settled and self._vacant(number, e, cell):
            self.settled.add(id(cell))
            home = self.home_names[id(cell)]
            return self._shaped(home, cell.after.shape, v)
        if e.op.forward is not np.dot and self.plan.kinds[id(v)] == "ufunc":
            for x in e.inputs:  # the operand that is read last may be overwritten
                root = self.plan.root(x)
                if root is x and self._dying(number, x, v):
                    return self.names[id(x)]
        key = (v.shape, v.dtype.str)
        if self.free.get(key):
            return self.free[key].pop()
        name = self.writer.names.fresh(v.name or "t")
        dtype = literal(v.dtype, 0, self.writer._constant)
        self.once.append(f"{name} = np.empty({v.shape}, {dtype})")
        return name

    def _vacant(self, number: int, e: Equation, cell: Cell) -> bool:
        """Whether nobody needs what the cell held before."""
        if cell.before is None:
            return True
        last = self.last.get(id(cell.before), -1)
        return last < number or (last == number and self._entrywise(e, cell.before))

    def _entrywise(self, e: Equation, v: Var) -> bool:
        return (
            self.plan.kinds[id(e.output)] == "ufunc"
            and e.op.name != "matmul"
            and (
                all(x is v or self.plan.root(x) is not v for x in e.inputs)
                and v.shape == e.output.shape
            )
        )

    def _dying(self, number: int, x: Any, v: Var) -> bool:
        return (
            type(x) is Var
            and id(x) in self.static
            and self.plan.writable(x)
            and id(x) not in self.packs.place
            and id(x) not in self.plan.homes
            and self.last.get(id(x)) == number
            and x.shape == v.shape
            and x.dtype == v.dtype
            and self.names[id(x)] not in {n for ns in self.free.values() for n in ns}
        )

    def _release(self, number: int, line: list[Equation], kept: str) -> None:
        """Give back the buffers of what is not read again."""
        for root in {id(r): r for e in line for r in map(self.plan.root, e.inputs)}.values():
            if (
                type(root) is Var
                and self.last.get(id(root)) == number
                and id(root) in self.static
                and self.plan.writable(root)
                and id(root) not in self.packs.place
                and id(root) not in self.plan.homes
                and self.names[id(root)] != kept
            ):
                self.free.setdefault((root.shape, root.dtype.str), []).append(self.names[id(root)])

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
                self._ufunc(e, [self._alone(x, e.output) for x in e.inputs], out)
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

    def _pack(self, k: int) -> str:
        if k not in self.pack_names:
            self._allocate(k)
        return self.pack_names[k]

    def _allocate(self, k: int) -> None:
        pack = self.packs.packs[k]
        name = self.writer.names.fresh("flat")
        size = sum(v.size for v in pack)
        dtype = literal(pack[0].dtype, 0, self.writer._constant)
        self.once.append(f"{name} = np.empty({size}, {dtype})")
        self.pack_names[k] = name
        start = 0
        for v in pack:
            text = f"{name}[{start}:{start + v.size}].reshape({v.shape})"
            self._bind(v, self._once(text, v.name))
            start += v.size

    def _new_pack(self, number: int, line: list[Equation], k: int) -> None:
        """Memory for the results of a group: the cells' own, if they end up there."""
        cells = [self.plan.homes.get(id(e.output)) for e in line]
        for i, region in enumerate(self.regions):
            if len(region.cells) == len(cells) and all(
                a is b and id(a) not in self.settled and self._vacant(number, e, a)
                for a, b, e in zip(region.cells, cells, line, strict=True)
            ):
                self.pack_names[k] = self.region_names[i]
                for e, cell in zip(line, region.cells, strict=True):
                    self.settled.add(id(cell))
                    home = self.home_names[id(cell)]
                    self._bind(e.output, self._shaped(home, cell.after.shape, e.output))
                return
        self._allocate(k)

    def _ufunc(self, e: Equation, operands: list[str], out: str, *, flat: int = 0) -> None:
        name = e.op.forward.__name__
        head = self._once(f"np.{name}", name)
        call = Call(head, operands, out, by_name=name in {"minimum", "maximum"})
        y = e.output
        if flat:
            packs = set(self.pack_names.values())
            call.rows, call.row, call.cut = flat, 1, {x for x in (*operands, out) if x in packs}
        elif y.ndim:
            whole = {
                self.names[id(x)]
                for x in e.inputs
                if type(x) is Var and id(x) in self.static and x.shape == y.shape
            }
            spread = all(
                type(x) is not Var or id(x) in self.static or x.ndim == 0 for x in e.inputs
            ) and all(
                type(x) is not Var or x.shape == y.shape or x.ndim < y.ndim or x.shape[0] == 1
                for x in e.inputs
            )
            if spread:
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
            name = self.names.get(id(x))
            if name is None and id(x) in self.packs.place:
                self._allocate(self.packs.place[id(x)][0])
                name = self.names[id(x)]
            assert name is not None
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

    def _alone(self, x: Any, y: Var) -> str:
        """As `_operand`; one number in an array is faster without its axes."""
        name = self._operand(x, y)
        single = type(x) is Var and x.size == 1 < y.size and id(x) in self.static and x.ndim
        return self._once(f"{name}.reshape(())", name) if single else name

    @staticmethod
    def _meeting(x: Any, y: Var) -> Any:
        """The dtype that a number has where it meets an array."""
        if isinstance(x, np.ndarray | np.generic):
            return x.dtype
        return y.dtype if y.dtype.kind == "f" else np.asarray(x).dtype

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
        if type(v) is not Var:
            return self.writer.text(v)
        name = self._operand(v, None)
        return f"{name}.copy()" if v.ndim else name
