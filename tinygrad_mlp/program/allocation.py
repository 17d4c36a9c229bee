"""Allocation: which name the memory of each value has.

This file knows how a plan becomes names: homes of cells, packs that lie side by side, buffers that
are used again as soon as nobody reads them. It writes what is made once; `buffers` writes the step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.blocking import Call
from tinygrad_mlp.program.code import literal
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.program.memory import Plan, Region
from tinygrad_mlp.program.packing import packed
from tinygrad_mlp.program.writer import Writer

__all__ = ["Allocator"]


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


class Allocator:
    """Gives every value of a program its memory, and the memory its name."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.plan = plan = Plan(program)
        layable = {i for i in plan.kinds if plan.kinds[i] in {"ufunc", "dot", "reduce"}}
        layable |= set(plan.befores)
        self.packs = packed(program, layable, set(plan.befores))
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

    def _lay_regions(self) -> None:  # noqa: C901 - packs first, then the rest
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
        for same in rest.values():
            self._region(same)
        for k, pack in enumerate(self.packs.packs):
            if k in self.pack_names:
                for v in pack:
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
