"""LLVM: text in its language becomes machine code in this process.

This file knows llvmlite, this processor and how compiled code is found again. It does not know
what the code computes. llvmlite is imported when the first text is compiled.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

from tinygrad_mlp.errors import MissingExtraError, install
from tinygrad_mlp.program.native import cache

__all__ = ["Library", "compiled", "import_llvm", "vector_bytes"]


def import_llvm() -> Any:
    """The module ``llvmlite.binding``.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import llvmlite.binding as llvm
    except ImportError as error:
        raise MissingExtraError(
            'compile(backend="native") needs llvmlite, which is not installed',
            why=str(error),
            fix=install("native"),
        ) from error
    return llvm


@lru_cache(maxsize=1)
def _host() -> tuple[Any, str, str]:
    """llvmlite, ready for this processor; the processor's name, and what it can do."""
    llvm = import_llvm()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm, llvm.get_host_cpu_name(), features


@lru_cache(maxsize=1)
def vector_bytes() -> int:
    """How many bytes this processor works on at once."""
    features = set(_host()[2].split(","))
    return 64 if "+avx512f" in features else 32 if "+avx" in features else 16


class Library:
    """Machine code in this process, for as long as somebody holds it.

    Args:
        code: An object file.
    """

    def __init__(self, code: bytes) -> None:
        llvm = _host()[0]
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str, result: Any, *arguments: Any, free: bool = False) -> Any:
        """One of its functions; a `free` one lets other threads run meanwhile."""
        kind = ctypes.CFUNCTYPE if free else ctypes.PYFUNCTYPE
        return kind(result, *arguments)(self._engine.get_function_address(name))

    def memory(self, name: str, size: int) -> Any:
        """The bytes of one of its global variables."""
        address = self._engine.get_global_value_address(name)
        return (ctypes.c_char * size).from_address(address)


def _target() -> Any:
    llvm, name, features = _host()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, jit=True)


def compiled(text: str, passes: str) -> Library:
    """Compile text, or find what was compiled from it before.

    Args:
        text: A module in LLVM's language, without a triple.
        passes: ``"all"`` for everything that LLVM can do, ``"few"`` for code that is written as
            it should run.
    """
    llvm, name, features = _host()
    host = f"{llvm.get_default_triple()} {name} {features}"
    key = f"{_version()} {llvm.llvm_version_info}\n{host}\n{passes}\n{text}"
    code = cache.load(key)
    if code is not None:
        try:
            return Library(code)
        except RuntimeError:  # whole, and yet nothing that this LLVM can load
            code = None
    code = _machine_code(text, passes)
    cache.save(key, code)
    return Library(code)


def _version() -> str:
    import llvmlite

    return str(llvmlite.__version__)


def _machine_code(text: str, passes: str) -> bytes:
    llvm = _host()[0]
    target = _target()
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_default_triple()
    module.data_layout = str(target.target_data)
    module.verify()
    if passes == "all":
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.slp_vectorization = True
        builder = llvm.create_pass_builder(target, options)
        builder.getModulePassManager().run(module, builder)
    else:
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        builder = llvm.create_pass_builder(target, options)
        manager = llvm.create_new_module_pass_manager()
        manager.add_always_inliner_pass()
        manager.add_sroa_pass()
        manager.run(module, builder)
    return bytes(target.emit_object(module))
