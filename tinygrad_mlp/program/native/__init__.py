"""The native back end: a program as LLVM's own language, compiled for this processor.

`values` write down operations on numbers, `elementary` knows exp and its like, `scalars` writes a
small program out number by number, `llvm` compiles, `cache` keeps what was compiled, `runner` ties
it to the tensors. llvmlite is imported only when a program is made for it.
"""

from __future__ import annotations

from tinygrad_mlp.program.native.llvm import import_llvm
from tinygrad_mlp.program.native.runner import NativeRunner

__all__ = ["NativeRunner", "import_llvm"]
