"""Passes: small functions from a program to a program that computes the same.

This file knows what may be left out, merged or computed beforehand without changing a result.
It does not know how a program is run.
"""

from __future__ import annotations

from dataclasses import replace

from tinygrad_mlp.program.ir import Program

__all__ = ["dead_code", "unread_cells"]


def dead_code(program: Program) -> Program:
    """Leave out equations on which no result depends. Draws stay: they move a generator on."""
    live = {id(v) for v in program.results}
    kept = []
    for equation in reversed(program.equations):
        if id(equation.output) in live or not equation.pure:
            kept.append(equation)
            live.update(id(x) for x in equation.inputs)
    return program.with_equations(kept[::-1])


def unread_cells(program: Program) -> Program:
    """Forget what cells held where nobody reads it, and cells that are left as they were."""
    read = {id(x) for equation in program.equations for x in equation.inputs}
    read |= {id(v) for v in program.results}
    cells = []
    for cell in program.cells:
        if cell.before is None or id(cell.before) in read:
            cells.append(cell)
        elif cell.changed:
            cells.append(replace(cell, before=None))
    return replace(program, cells=[c for c in cells if c.before is not None or c.changed])
