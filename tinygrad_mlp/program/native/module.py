"""A module: the text that is compiled, and how the memory that it names is reached.

This file knows how inputs, numbers and results stand in memory of the compiled code's own, and how
functions are put together. It does not know what they compute.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.ir import Program, Var
from tinygrad_mlp.program.naming import comment
from tinygrad_mlp.program.native import elementary
from tinygrad_mlp.program.native.llvm import Library, compiled, vector_bytes
from tinygrad_mlp.program.native.values import BOOL, Kind, NotNativeError
from tinygrad_mlp.program.printing import names_of

__all__ = ["Module", "Place", "address", "called", "indented", "place_of", "stored"]


@dataclass(frozen=True, eq=False)
class Place:
    """A global variable that holds an array.

    Attributes:
        name: What it is called.
        shape: The shape of the array.
        dtype: Its dtype.
        plain: Whether it is a number of Python's.
        far: Whether the variable is the address of the array, which stays where it is.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    plain: bool = False
    far: bool = False

    @property
    def size(self) -> int:
        """How many entries it has."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def kind(self) -> Kind:
        """What kind of number an entry is; a truth value takes a byte."""
        return stored(Kind.of_dtype(self.dtype))

    @property
    def text(self) -> str:
        """Its definition."""
        if self.far:
            return f"@{self.name} = global ptr null  ; {self.dtype}{list(self.shape)}"
        return (
            f"@{self.name} = global [{self.size} x {self.kind}] zeroinitializer, align 64"
            f"  ; {self.dtype}{list(self.shape)}"
        )

    def array(self, library: Library) -> Any:
        """The array, in the memory of compiled code; of a far one, where its address goes."""
        if self.far:
            return address(library, self.name)
        held = library.memory(self.name, self.size * self.dtype.itemsize)
        return np.frombuffer(held, self.dtype).reshape(self.shape)


def address(library: Library, name: str) -> Any:
    """A global variable that holds an address."""
    return ctypes.c_void_p.from_buffer(library.memory(name, ctypes.sizeof(ctypes.c_void_p)))


def stored(kind: Kind) -> Kind:
    """How a number stands in memory."""
    return kind.of("i8") if kind.number == BOOL.number else kind


@dataclass(eq=False)
class Module:
    """A program in LLVM's language.

    Attributes:
        inputs: Where the arguments of the step are copied to;
        numbers: Where the content of cells that are only read is copied to.
        results: Where one step leaves what it returns.
        regions: The names of the pointers to the memory that outlives the step.
        body: The functions.
        passes: What LLVM does to it.
        work: How many operations a step is, about.
        room: How many bytes the values of a step need.
        constants: Arrays that the program holds itself, and where they are copied to.
        helpers: The elementary functions that are called.
        declared: Declarations of what is called.
    """

    inputs: list[Place] = field(default_factory=list)
    numbers: list[Place] = field(default_factory=list)
    results: list[Place] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    passes: str = "all"
    work: int = 1
    room: int = 0
    constants: list[tuple[Place, Array]] = field(default_factory=list)
    helpers: dict[str, Kind] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        """All of it, as LLVM reads it."""
        functions: list[str] = []
        declared = set(self.declared)
        for name, kind in sorted(self.helpers.items()):
            lines, needed = elementary.definition(name, kind, "#0")
            functions += [*([""] if functions else []), *lines]
            declared |= needed
        places = [place.text for place in (*self.inputs, *self.numbers, *self.results)]
        pointers = [f"@{name} = global ptr null  ; memory of cells" for name in self.regions]
        width = f'"prefer-vector-width"="{8 * vector_bytes()}"'
        places += [place.text for place, _ in self.constants]
        if self.room:
            pointers.append(
                f"@room = global ptr null  ; {self.room} bytes, for the values of a step"
            )
        parts = [[*places, *pointers], self.body, functions, sorted(declared)]
        parts.append([f'attributes #0 = {{ nounwind "no-trapping-math"="true" {width} }}'])
        return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"

    def compile(self) -> Library:
        """Machine code."""
        return compiled(self.text, self.passes)


_NEAR = 1 << 16
"""Up to so many bytes an array is copied: that is quicker than to ask for its address."""


def place_of(v: Var, name: str, largest: int) -> Place:
    """A place for an input, a number or a result.

    Raises:
        NotNativeError: If native code cannot hold it.
    """
    value = v.value
    if isinstance(value, np.ndarray) and 0 < value.size <= largest and value.dtype.isnative:
        Kind.of_dtype(value.dtype)
        return Place(name, value.shape, value.dtype, far=value.nbytes > _NEAR)
    if type(value) in {float, int}:  # a number of Python's; it adapts to what it meets
        return Place(name, (), np.dtype(np.float64), plain=True)
    raise NotNativeError(f"{name}: {value!r:.40}")


def indented(lines: Iterable[str]) -> list[str]:
    """Lines inside a function."""
    return [f"  {line}" if line else "" for line in lines]


def called(program: Program) -> Iterator[str]:
    """Each equation as a comment: ``name = op(inputs)``."""
    names = names_of(program)
    for e in program.equations:
        parts = [names.get(id(x)) or _constant(x) for x in e.inputs]
        parts += [f"{key}={value!r}" for key, value in e.attrs.items()]
        yield comment(f"{names[id(e.output)]} = {e.op.name}({', '.join(parts)})")


def _constant(x: Any) -> str:
    return str(x) if np.ndim(x) == 0 else f"{x.dtype}{list(x.shape)} constant"
