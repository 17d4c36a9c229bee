"""The native back end: a program as LLVM's own language, compiled for this processor.

`wording` says a program in the words that native code has, `values` write down operations on
numbers, `ufuncs` and `elementary` know which. `scalars` writes out a small program number by
number; of a larger one, `plan` decides what walks through memory together, `walks`, `gathering`
and `products` write such kernels, and `arrays` puts them in order. `llvm` compiles, `cache` keeps
what was compiled, `runner` ties it to the tensors. llvmlite is imported only when a program is
made for it.
"""

from __future__ import annotations

from tinygrad_mlp.program.native.llvm import import_llvm
from tinygrad_mlp.program.native.runner import NativeRunner

__all__ = ["NativeRunner", "import_llvm"]
