"""A training step as a program: captured from the eager step, written as NumPy.

`ir` says what a program is, `capture` records one, `compare` tells two recordings apart,
`passes` make it smaller, `source` writes it for people, `compiled` runs it.
"""

from __future__ import annotations

from tinygrad_mlp.program.capture import Recording, capture
from tinygrad_mlp.program.compiled import CompiledStep
from tinygrad_mlp.program.entry import BACKENDS, compile_step
from tinygrad_mlp.program.ir import Cell, Equation, Program, Var, evaluate
from tinygrad_mlp.program.source import Source, numpy_source

compile = compile_step

__all__ = [
    "BACKENDS",
    "Cell",
    "CompiledStep",
    "Equation",
    "Program",
    "Recording",
    "Source",
    "Var",
    "capture",
    "compile",
    "compile_step",
    "evaluate",
    "numpy_source",
]
