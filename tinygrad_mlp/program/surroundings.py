"""Surroundings: what a step may look at besides its arguments, and whether it changes it.

This file knows Python: names, closures, attributes, nested code. From the code of the step, and of
the functions and methods that it calls by name, it works out which values they can reach. What is
found there is either frozen into a program, and then it has to stay (`guards` sees to that), or
changed by the step itself, and then the step is no list of equations.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops import Op
from tinygrad_mlp.optim import Optimizer
from tinygrad_mlp.origin import inside, of_library
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.writes import memory_of

__all__ = [
    "PLAIN",
    "Fact",
    "Surroundings",
    "changes",
    "contents",
    "copied",
    "entry",
    "memory",
    "same",
]

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.dtype, type, np.generic)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_LONG = 1_000  # longer containers are told apart by identity alone
_LARGE = 1 << 16  # and so are larger arrays, in bytes, that enter no equation
_DEEP = 4


class Fact(NamedTuple):
    """Something that has to be so: ``test`` with the holder and the value put in.

    Attributes:
        holder: Whose it is.
        test: A Python expression of ``{0}``, the holder, and ``{1}``, the value.
        value: What it has to be.
    """

    holder: Any
    test: str
    value: Any


class Alike:
    """Says whether a container still holds the same things; ``==`` would ask tensors for theirs."""

    def __init__(self, container: Any) -> None:
        self.content = copied(container)

    def __call__(self, container: Any) -> bool:
        return same(self.content, container)


def copied(value: Any, depth: int = _DEEP) -> Any:
    """Containers are copied, and what is in them: so a layer that is appended shows."""
    if not depth or not isinstance(value, list | dict | set):
        return value
    if isinstance(value, dict):
        twin = value.copy()
        twin.update((k, copied(v, depth - 1)) for k, v in value.items())
        return twin
    return value.copy() if isinstance(value, set) else [copied(v, depth - 1) for v in value]


def same(a: Any, b: Any) -> bool:  # noqa: PLR0911 - one line for each kind of value
    """Whether two values are the same thing, or equal plain ones."""
    if a is b:
        return True
    if isinstance(a, Alike):
        return isinstance(b, Alike) and same(a.content, b.content)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, set | frozenset | MethodType):
        return bool(a == b)
    return isinstance(a, PLAIN) and bool(a == b or (a != a and b != b))  # noqa: PLR0124 - a nan


def entry(name: Any) -> str:
    """How a dict's entry is read in a `Fact`'s test."""
    return f"{{0}}[{repr(name).replace('{', '{{').replace('}', '}}')}]"


def _fact(holder: Any, access: str, value: Any) -> Fact:
    if isinstance(value, _CONTAINERS) and len(value) <= _LONG:
        return Fact(holder, f"{{1}}({access})", Alike(value))
    equal = isinstance(value, (*PLAIN, MethodType)) and value == value  # noqa: PLR0124 - a nan
    return Fact(holder, f"{access} {'==' if equal else 'is'} {{1}}", value)


class Surroundings:
    """What the functions that it is shown can reach by name.

    Attributes:
        facts: What is there, by whose it is and what it is called.
        modules: The modules of networks among it.
        optimizers: The optimisers among it.
        states: What the random generators among it would draw next, by their ids.
    """

    def __init__(self) -> None:
        self.facts: dict[tuple[int, str], Fact] = {}
        self.modules: dict[int, Module] = {}
        self.optimizers: dict[int, Optimizer] = {}
        self.states: dict[int, str] = {}
        self._kept: dict[Any, Any] = {}  # what was looked at already, and stays alive meanwhile

    def look(self, function: Any, modules: Iterable[Module] = ()) -> None:
        """Look at everything that a function can reach, and the functions that it calls.

        Args:
            function: The step.
            modules: Modules that it is known to call, whatever they are called.
        """
        self._function(function, None, root=True)
        for module in modules:
            self._content(module, type(module).__name__, frozenset())

    # -- functions ---------------------------------------------------------------------------

    def _function(self, function: Any, me: Any, *, root: bool = False) -> None:
        given: list[Any] = []
        while isinstance(function, partial):
            given += (*function.args, *function.keywords.values())
            function = function.func
        if isinstance(function, MethodType):
            function, me = function.__func__, function.__self__
        code = getattr(function, "__code__", None)
        if code is None:
            call = getattr(type(function), "__call__", None)  # noqa: B004 - its code is wanted
            if root and isinstance(call, FunctionType):
                self._function(call, function)
            return
        if (not root and not _users(code)) or self._known((id(function), id(me)), function):
            return
        loaded, names = _names(code)
        for i, value in enumerate(given):
            self._content(value, f"argument {i}", names)
        for name in sorted(loaded & function.__globals__.keys()):
            self._named(function.__globals__, name, name, names)
        if me is not None:
            self._members(me, names)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            with suppress(ValueError):  # nothing in it yet, so it was not needed
                value = cell.cell_contents
                self._put(cell, name, _fact(cell, "{0}.cell_contents", value))
                self._content(value, name, names)

    def _known(self, key: Any, thing: Any) -> bool:
        if key in self._kept:
            return True
        self._kept[key] = thing
        return False

    # -- values ------------------------------------------------------------------------------

    def _named(self, holder: dict[str, Any], name: str, label: str, names: frozenset[str]) -> None:
        value = holder[name]
        if not isinstance(value, ModuleType):
            self._put(holder, label, _fact(holder, entry(name), value))
        self._content(value, label, names)

    def _put(self, holder: Any, label: str, fact: Fact) -> None:
        self.facts[id(holder), label] = fact

    def _member(  # noqa: C901 - one line for each kind of attribute
        self, me: Any, name: str, names: frozenset[str]
    ) -> None:
        """An attribute of an object that a function reads."""
        label = (
            f"{type(me).__name__}.{name}" if not isinstance(me, type) else f"{me.__name__}.{name}"
        )
        own = me.__dict__ if hasattr(me, "__dict__") and not isinstance(me, type) else {}
        if name in own:
            if isinstance(me, Module):  # all of it is compared as a whole
                self._content(own[name], label, names)
            else:
                self._named(own, name, label, names)
            return
        for kind in me.__mro__ if isinstance(me, type) else type(me).__mro__:
            if name not in vars(kind):
                continue
            if inside(_file_of(kind)) or not _users_class(kind):
                return
            found = vars(kind)[name]
            if isinstance(found, property):
                self._function(found.fget, me)
            elif isinstance(found, staticmethod | classmethod):
                self._function(found.__func__, me)
            elif isinstance(found, FunctionType):
                self._function(found, me)
            elif isinstance(found, PLAIN + _CONTAINERS + (Tensor, np.ndarray)):
                self._put(kind, label, _fact(kind, f"{{0}}.{name}", found))
                self._content(found, label, names)
            elif hasattr(type(found), "__get__"):  # a slot
                with suppress(AttributeError):
                    self._put(me, label, _fact(me, f"{{0}}.{name}", getattr(me, name)))
            return

    def _content(  # noqa: C901, PLR0912 - one line for each kind of value
        self, value: Any, label: str, names: frozenset[str], depth: int = _DEEP
    ) -> None:
        """What is in a value, as far as the names in the code can lead into it."""
        if isinstance(value, PLAIN) and not isinstance(value, type):
            return
        if isinstance(value, np.ndarray):
            if value.nbytes <= _LARGE:
                self._put(value, f"the numbers of {label}", contents(value))
        elif isinstance(value, np.random.Generator):
            self._kept[id(value)] = value
            self.states[id(value)] = str(value.bit_generator.state)
        elif isinstance(value, FunctionType | MethodType | partial):
            self._function(value, None)
        elif isinstance(value, Op):
            for rule in (value.forward, *value.rules):
                if isinstance(rule, FunctionType):
                    self._function(rule, None)
        elif not depth or self._known((id(value), names), value):
            return
        elif isinstance(value, _CONTAINERS):
            if len(value) <= _LONG:
                for item in value.values() if isinstance(value, dict) else value:
                    self._content(item, f"what is in {label}", names, depth - 1)
        elif isinstance(value, Module):
            for module in value.modules():
                self.modules[id(module)] = module
                self._function(type(module).forward, module)
            self._members(value, names)
        elif isinstance(value, ModuleType):
            if _users_file(getattr(value, "__file__", None) or "<built in>"):
                for name in sorted(names & vars(value).keys()):
                    self._named(vars(value), name, f"{label}.{name}", names)
        elif not isinstance(value, Tensor | BuiltinFunctionType | np.ufunc):
            if isinstance(value, Optimizer):
                self.optimizers[id(value)] = value
                self._function(type(value).update, value)
            self._members(value, names)

    def _members(self, value: Any, names: frozenset[str]) -> None:
        for name in sorted(names):
            self._member(value, name, names)


def contents(array: Any) -> Fact:
    """The fact that an array holds these numbers."""
    return Fact(array, "{0}.tobytes() == {1}", array.tobytes())


def memory(array: Any) -> tuple[Any, ...]:
    """Which numbers of which memory an array shows: two arrays that do are one and the same."""
    return id(memory_of(array)), array.__array_interface__["data"][0], array.shape, array.strides


def changes(
    before: dict[Any, Fact], after: dict[Any, Fact], modules: Sequence[tuple[Any, dict[str, Any]]]
) -> Iterator[str]:
    """What is no longer as it was before the step: its names.

    Args:
        before: The surroundings before the step.
        after: The surroundings after it.
        modules: Modules, and copies of what was in them.
    """
    for key, fact in before.items():
        if key in after and not same(fact.value, after[key].value):
            yield key[1]
    for module, were in modules:
        now = vars(module)
        for name in sorted({*were, *now} - {"training"}):
            if name not in were or name not in now or not same(were[name], now[name]):
                yield f"{type(module).__name__}.{name}"


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The global names and the attributes that a code loads, with all that is written inside it."""
    loaded: set[str] = set()
    attributes: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            loaded.add(instruction.argval)
        elif instruction.opname in {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"}:
            attributes.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _names(constant)
            loaded |= inner[0]
            attributes |= inner[1]
    return frozenset(loaded), frozenset(attributes)


def _users(code: CodeType) -> bool:
    return not inside(code.co_filename) and _users_file(code.co_filename)


def _users_file(file: str) -> bool:
    return file != "<built in>" and not of_library(file)


def _file_of(kind: type) -> str:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or ""


def _users_class(kind: type) -> bool:
    return kind.__module__ != "builtins" and _users_file(_file_of(kind))
