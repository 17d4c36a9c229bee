"""The native runner: compiled code on the memory of the tensors.

This file knows how arguments get into compiled code and results out of it. State, guards and who
holds the memory are the business of the runner that it extends; where native code cannot say what
a program does, it is that runner.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.buffers import Made
from tinygrad_mlp.program.ir import Program
from tinygrad_mlp.program.native.arrays import arrays
from tinygrad_mlp.program.native.llvm import Library
from tinygrad_mlp.program.native.module import Module, address
from tinygrad_mlp.program.native.scalars import scalars
from tinygrad_mlp.program.native.values import NotNativeError
from tinygrad_mlp.program.runner import Runner

__all__ = ["NativeRunner"]

_WORK = 200_000_000
"""How many operations run in one go: a key that interrupts is heeded ten times a second."""


class NativeRunner(Runner):
    """Runs one program as machine code."""

    native: _Native | None = None

    def _quick(self, program: Program) -> Callable[..., Any] | None:
        try:
            module = _module(program, self.made)
        except NotNativeError as reason:
            self.remark = f"not native: {reason}"
            return super()._quick(program)
        self.native = _Native(module, module.compile())
        return self.native.bound

    @property
    def forms(self) -> dict[str, str]:
        """The sources of what runs, by the name of the form."""
        if self.native is None:
            return {"not native": self.remark, **super().forms}
        return {"native": self.native.module.text, **super().forms}

    def scan(self, *arrays: Array) -> list[Array]:
        """A step for each entry along the first axis of every array."""
        if self.native is None:
            return super().scan(*arrays)
        self.space["prepare"]()
        results = self.native.epoch(arrays, self.space["given"]())
        self.space["finish"]()
        return results

    def _names(self, slow: Callable[..., Any]) -> None:
        super()._names(slow)
        if self.native is not None:
            self.space.update(self.native.names())

    def _run(self, given: list[str]) -> list[str]:
        if self.native is None:
            return super()._run(given)
        return self.native.lines(given, single=self.single)


def _module(program: Program, made: Made) -> Module:
    """A program number by number if it is small, else in kernels over arrays."""
    try:
        return scalars(program, made)
    except NotNativeError:
        return arrays(program, made)


class _Native:
    """Compiled code, and what it is handed.

    Args:
        module: What was compiled.
        library: The code.
    """

    def __init__(self, module: Module, library: Library) -> None:
        self.module, self.library = module, library
        self.inputs = [place.array(library) for place in module.inputs]
        self.numbers = [place.array(library) for place in module.numbers]
        self.results = [place.array(library) for place in module.results]
        self.memory = [address(library, name) for name in module.regions]
        if module.room:
            self.room, address(library, "room").value = _room(module.room)
        for place, array in module.constants:
            place.array(library)[...] = array
        self.known: list[Any] = [None] * len(self.numbers)  # the numbers that were copied last
        count = len(self.inputs) + len(self.results)
        free = module.passes == "few"  # long enough for others to run meanwhile
        self.run = library.function("step", None, free=free)
        self.loop = library.function(
            "epoch", None, ctypes.c_int64, *[ctypes.c_void_p] * count, free=free
        )

    def bound(self, *regions: Array) -> tuple[Callable[..., Any], None]:
        """The code on this memory; an epoch has a way of its own."""
        for pointer, region in zip(self.memory, regions, strict=True):
            pointer.value = region.ctypes.data
        return self.run, None

    # -- one step ----------------------------------------------------------------------------

    def names(self) -> dict[str, Any]:
        """What the lines of a step mention."""
        there = {f"there_{i}": a for i, a in enumerate([*self.inputs, *self.numbers])}
        results = {f"result_{i}": a for i, a in enumerate(self.results)}
        return {"run": self.run, "known": self.known, "in_order": in_order, **there, **results}

    def lines(self, given: list[str], *, single: bool) -> list[str]:
        """One step: copy what is given to where the code reads it, run it, take the results.

        A number of Python's is another object when it has changed, and is copied only then.
        """
        lines = []
        for i, name in enumerate(given):
            k = i - len(self.inputs)
            place = [*self.module.inputs, *self.module.numbers][i]
            if place.far:
                lines += [f"far_{i} = in_order({name})", f"there_{i}.value = far_{i}.ctypes.data"]
            elif not place.plain:
                lines.append(f"there_{i}[...] = {name}")
            else:
                lines += [
                    f"number = {name}",
                    f"if number is not known[{k}]:",
                    f"    there_{i}[...] = known[{k}] = number",
                ]
        # The runner makes an array of one number anyhow; all others are the code's own.
        bare = single and not self.results[0].ndim
        results = [f"result_{i}{'' if bare else '.copy()'}" for i in range(len(self.results))]
        return [*lines, "run()", f"results = {', '.join(results)}"]

    # -- many steps --------------------------------------------------------------------------

    def epoch(self, inputs: tuple[Array, ...], given: tuple[Any, ...]) -> list[Array]:
        """Steps on the rows of the arrays, in one call or a few."""
        places, kept = self.module.numbers, []
        for place, there, number in zip(places, self.numbers, given, strict=True):
            if place.far:
                kept.append(in_order(number))
                there.value = kept[-1].ctypes.data
            else:
                there[...] = number
        self.known[:] = [n if p.plain else None for p, n in zip(places, given, strict=True)]
        data = [*map(in_order, inputs)]
        count = len(inputs[0])
        results = [np.empty((count, *place.shape), place.dtype) for place in self.module.results]
        for start, length in self._pieces(count):
            self.loop(length, *(a[start:].ctypes.data for a in (*data, *results)))
        return results

    def _pieces(self, count: int) -> Iterator[tuple[int, int]]:
        longest = max(1, _WORK // self.module.work)
        for start in range(0, count, longest):
            yield start, min(longest, count - start)


def in_order(a: Array) -> Array:
    """An array whose entries lie one behind the other, each where the processor likes it."""
    return np.require(a, None, ["C", "A"])


def _room(size: int) -> tuple[Array, int]:
    """Memory of so many bytes, and the address in it where a line of the cache begins."""
    memory = np.empty(size + _LINE, np.uint8)
    return memory, memory.ctypes.data + -memory.ctypes.data % _LINE


_LINE = 64
