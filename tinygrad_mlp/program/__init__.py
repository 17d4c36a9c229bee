"""A training step as a program: captured from the eager step, written as NumPy.

`ir` says what a program is, `capture` records one, `source` writes it, `compiled` runs it.
"""

from __future__ import annotations

from tinygrad_mlp.program.capture import capture
from tinygrad_mlp.program.compiled import CompiledStep, compile_step
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var
from tinygrad_mlp.program.source import numpy_source

__all__ = [
    "Cell",
    "CompiledStep",
    "Equation",
    "Program",
    "Var",
    "capture",
    "compile_step",
    "numpy_source",
]
