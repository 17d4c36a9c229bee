"""Memory: where each value of a program may live, and until when.

This file knows which equations can write into memory that is made once, which values are views
of others, and what outlives the step. It does not write code: `buffers` does, with this plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.tensor import Tensor

__all__ = ["Plan", "Region", "kind", "lives_on"]

_VIEWS = {"reshape", "transpose", "matrix_transpose", "broadcast_to", "getitem"}


@dataclass(slots=True, eq=False)
class Region:
    """One stretch of memory that outlives the step, and the cells that live in it, in order."""

    cells: list[Cell]
    dtype: Any

    def spans(self) -> list[tuple[Cell, int, int]]:
        """Each cell with the places where it begins and ends."""
        ends = np.cumsum([c.after.size for c in self.cells]).tolist()
        return list(zip(self.cells, [0, *ends[:-1]], ends, strict=True))

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return sum(cell.after.size for cell in self.cells)


def lives_on(cell: Cell) -> bool:
    """Whether the step computes a new content for a tensor's cell."""
    return cell.changed and isinstance(cell.owner, Tensor) and type(cell.after) is Var


def kind(e: Equation) -> str:
    """How an equation is run.

    ``ufunc``, ``dot`` and ``reduce`` write where they are told; ``view`` is a view of something;
    ``text`` is an expression that is run anew each time.
    """
    op, y = e.op, e.output
    number = y.ndim == 0 and not _shares(e)
    if not isinstance(y.value, np.ndarray) or y.size == 0 or number:
        return "text"
    if isinstance(op.forward, np.ufunc):
        return "ufunc"
    arrays = [x for x in e.inputs if np.ndim(x.value if type(x) is Var else x)]
    if op.forward is np.dot:
        fits = all(x.dtype == y.dtype and 0 < x.ndim <= 2 for x in arrays) and len(arrays) == 2
        return "dot" if fits and y.dtype.kind == "f" else "text"
    if op.name.endswith(".reduce"):
        return "reduce" if e.inputs[0].dtype == y.dtype else "text"
    if op.name in _VIEWS and len(e.inputs) == 1 and type(e.inputs[0]) is Var:
        return "view"
    return "text"


def _shares(e: Equation) -> bool:
    """Whether a single number is a view all the same: ``x.reshape(())`` and ``x[..., 0]``."""
    picked = e.op.name == "getitem" and Ellipsis not in e.attrs["key"]
    return e.op.name in _VIEWS and len(e.inputs) == 1 and type(e.inputs[0]) is Var and not picked


class Plan:
    """Roots, homes and last uses of a program's variables.

    A view has the root of what it is a view of, and so has what only may be one. A home is the
    memory of a cell that the step writes; the variable that ends up in the cell is computed right
    there, where nobody needs the old content any more.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kinds = {id(e.output): kind(e) for e in program.equations}
        self.made = {id(e.output): e for e in program.equations}
        self.living = [cell for cell in program.cells if lives_on(cell)]
        self.roots: dict[int, Any] = {}
        self.contiguous: dict[int, bool] = {}
        for e in program.equations:
            self._root(e)
        self.befores = {id(c.before): c for c in self.living if c.before is not None}
        self.homes: dict[int, Cell] = {}
        for cell in self.living:
            root = self.root(cell.after)
            if (
                id(root) not in self.homes
                and id(root) not in self.befores
                and self.writable(root)
                and root.size == cell.after.size
                and self.contiguous.get(id(cell.after), True)
            ):
                self.homes[id(root)] = cell

    def root(self, v: Any) -> Any:
        """What a view is a view of; anything else itself."""
        return self.roots.get(id(v), v)

    def writable(self, v: Any) -> bool:
        """Whether it is computed by something that writes where it is told."""
        return self.kinds.get(id(v)) in {"ufunc", "dot", "reduce"}

    def _root(self, e: Equation) -> None:
        y = e.output
        if self.kinds[id(y)] != "view":
            if (shown := _shown(e)) is not None:
                self._lean(y, shown)
            return
        x = e.inputs[0]
        whole = self.contiguous.get(id(x), True)
        if e.op.name == "reshape" and not whole:
            self.kinds[id(y)] = "text"  # it would be a copy, as a rule
            self._lean(y, x)
            return
        self.roots[id(y)] = self.root(x)
        self.contiguous[id(y)] = whole and (
            e.op.name == "reshape" or (e.op.name == "getitem" and y.size == x.size and _in_order(e))
        )

    def _lean(self, y: Var, x: Var) -> None:
        """Note that one shows the memory of another, in no order that is known."""
        self.roots[id(y)] = self.root(x)
        self.contiguous[id(y)] = False

    def last_uses(self, lines: list[list[Equation]]) -> dict[int, int]:
        """The line that reads a root last, itself or through a view."""
        last: dict[int, int] = {}
        for number, line in enumerate(lines):
            for e in line:
                for x in e.inputs:
                    if type(x) is Var:
                        last[id(self.root(x))] = number
        for v in self.program.results:
            if type(v) is Var:
                last[id(self.root(v))] = len(lines)
        return last


def _shown(e: Equation) -> Var | None:
    """The input whose memory the result showed when the step was recorded, as after `np.flip`."""
    y = e.output.value
    if isinstance(y, np.ndarray):
        for x in e.inputs:
            if (
                type(x) is Var
                and isinstance(x.value, np.ndarray)
                and np.may_share_memory(x.value, y)
            ):
                return x
    return None


def _in_order(e: Equation) -> bool:
    return all(k is None or k is Ellipsis or k == 0 for k in e.attrs["key"])
