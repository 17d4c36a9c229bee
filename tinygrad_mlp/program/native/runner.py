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
from tinygrad_mlp.program.native.module import Module, address
from tinygrad_mlp.program.native.scalars import scalars
from tinygrad_mlp.program.native.values import NotNativeError
from tinygrad_mlp.program.native.wording import Worded, worded
from tinygrad_mlp.program.runner import Runner

__all__ = ["NativeRunner"]

_WORK = 200_000_000
"""How many operations run in one go: a key that interrupts is heeded ten times a second."""

_DRAWN = 1 << 20
"""How many random numbers are drawn in one go."""


class NativeRunner(Runner):
    """Runs one program as machine code."""

    native: _Native | None = None

    def _quick(self, program: Program) -> Callable[..., Any] | None:
        try:
            words = worded(program, self.made)
            self.native = _Native(words, _module(words.program, words.made))
        except NotNativeError as reason:
            self.remark = f"not native: {reason}"
            return super()._quick(program)
        return self.native.bound

    @property
    def forms(self) -> dict[str, str]:
        """The sources of what runs, by the name of the form."""
        if self.native is None:
            return {"not native": self.remark, **super().forms}
        return {"native": self.native.module.text, **super().forms}

    def scan(self, *arrays: Array) -> list[Array]:
        """A step for each entry along the first axis of every array."""
        if self.native is None or not self.native.in_range(arrays):
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
        words: The program.
        module: Its text.
    """

    def __init__(self, words: Worded, module: Module) -> None:
        self.words, self.module = words, module
        try:
            self.library = library = module.compile()
        except RuntimeError as error:  # LLVM's word is final
            raise NotNativeError(f"LLVM: {error}") from error
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
        draws = {f"draw_{i}": draw for i, draw in enumerate(self.words.draws)}
        known = {"run": self.run, "known": self.known, "in_order": in_order}
        limits = {f"limit_{i}": np.uint64(n) for i, n in self.words.limits.items()}
        return {**known, "unsigned": np.uint64, **limits, **draws, **there, **results}

    def lines(self, given: list[str], *, single: bool) -> list[str]:
        """One step: copy what is given to where the code reads it, run it, take the results.

        A number of Python's is another object when it has changed, and is copied only then. Where
        an argument numbers entries, NumPy says what happens to a number that none has.
        """
        count = len(self.inputs) - len(self.words.draws)
        own, arguments = given[:count], given[count:]
        drawn = [f"draw_{i}({arguments[d.argument]})" for i, d in enumerate(self.words.draws)]
        sources = [*own, *drawn, *(arguments[i] for i in self.words.numbers)]
        lines = []
        for i, source in enumerate(sources):
            lines += self._copied(i, source)
        # The runner makes an array of one number anyhow; all others are the code's own.
        bare = single and not self.results[0].ndim
        results = [f"result_{i}{'' if bare else '.copy()'}" for i in range(len(self.results))]
        lines += ["run()", f"results = {', '.join(results)}"]
        if not self.words.limits:
            return lines
        fits = " and ".join(
            f"({own[i]}.view(unsigned) < limit_{i}).all()" for i in self.words.limits
        )
        return [
            f"if {fits}:",
            *(f"    {line}" for line in lines),
            "else:",
            f"    results = careful({', '.join(given)})",
        ]

    def _copied(self, i: int, source: str) -> list[str]:
        k = i - len(self.inputs)
        place = [*self.module.inputs, *self.module.numbers][i]
        if place.far:
            return [f"far_{i} = in_order({source})", f"there_{i}.value = far_{i}.ctypes.data"]
        if not place.plain:
            return [f"there_{i}[...] = {source}"]
        return [
            f"number = {source}",
            f"if number is not known[{k}]:",
            f"    there_{i}[...] = known[{k}] = number",
        ]

    # -- many steps --------------------------------------------------------------------------

    def in_range(self, arrays: tuple[Array, ...]) -> bool:
        """Whether what numbers entries numbers those that there are."""
        limits = self.words.limits.items()
        return all((arrays[i] >= 0).all() and (arrays[i] < n).all() for i, n in limits)

    def epoch(self, inputs: tuple[Array, ...], given: tuple[Any, ...]) -> list[Array]:
        """Steps on the rows of the arrays, in one call or a few."""
        numbers = [given[i] for i in self.words.numbers]
        places, kept = self.module.numbers, []
        for place, there, number in zip(places, self.numbers, numbers, strict=True):
            if place.far:
                kept.append(in_order(number))
                there.value = kept[-1].ctypes.data
            else:
                there[...] = number
        self.known[:] = [n if p.plain else None for p, n in zip(places, numbers, strict=True)]
        data = [*map(in_order, inputs)]
        count = len(inputs[0])
        results = [np.empty((count, *place.shape), place.dtype) for place in self.module.results]
        rows = [(_address(a), a.strides[0]) for a in data]
        ends = [(_address(a), a.strides[0]) for a in results]
        for start, length in self._pieces(count):
            drawn = self._drawn(length, given)
            self.loop(
                length,
                *(at + start * step for at, step in rows),
                *map(_address, drawn),
                *(at + start * step for at, step in ends),
            )
        return results

    def _drawn(self, count: int, given: tuple[Any, ...]) -> list[Array]:
        """What so many steps draw, in the order in which they would draw it."""
        draws = self.words.draws
        drawn = [np.empty((count, *d.equation.output.shape), d.equation.output.dtype)
                 for d in draws]  # fmt: skip
        for step in range(count if draws else 0):
            for draw, array in zip(draws, drawn, strict=True):
                array[step] = draw(given[draw.argument])
        return drawn

    def _pieces(self, count: int) -> Iterator[tuple[int, int]]:
        longest = max(1, _WORK // max(1, self.module.work))
        size = sum(d.equation.output.size for d in self.words.draws)
        if size:
            longest = max(1, min(longest, _DRAWN // size))
        for start in range(0, count, longest):
            yield start, min(longest, count - start)


def in_order(a: Array) -> Array:
    """An array whose entries lie one behind the other, each where the processor likes it."""
    flags = a.flags
    return a if flags.c_contiguous and flags.aligned else np.require(a, None, ["C", "A"])


def _address(a: Array) -> int:
    address: int = a.__array_interface__["data"][0]
    return address


def _room(size: int) -> tuple[Array, int]:
    """Memory of so many bytes, and the address in it where a line of the cache begins."""
    memory = np.empty(size + _LINE, np.uint8)
    return memory, memory.ctypes.data + -memory.ctypes.data % _LINE


_LINE = 64
