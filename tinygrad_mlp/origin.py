"""When and where a value came to be: the one clock, the user's line, the module it ran in.

This file knows frames, code objects and the chain of modules that are being called. It does
not know what a tensor is. What is recorded on every node costs well under a microsecond; line,
expression and variable name are worked out only when somebody asks.
"""

from __future__ import annotations

import dis
import itertools
import linecache
import os.path
import sys
import threading
from collections import deque
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeAlias

from tinygrad_mlp import errors

__all__ = [
    "Place",
    "Scope",
    "Site",
    "here",
    "inside",
    "of_library",
    "place",
    "scope_modules",
    "tick",
    "user_site",
    "users_line",
]

tick = itertools.count(1).__next__
"""The one clock. It numbers nodes and stamps writes, so that order is a comparison of ints."""

Site: TypeAlias = tuple[CodeType, int] | None
"""A code object and an instruction in it: the cheapest note of "this line, this call"."""

Scope: TypeAlias = tuple[Any, Any, Site] | None
"""The modules that are being called, innermost first: ``(outer scope, module, site)``.

A scope is made anew for every call, so two calls of one module are two scopes. The site is the
user's instruction that led there, if the module is one of the package's: inside it no line is
the user's, so its nodes take this one over instead of looking for it once more."""


class _Here(threading.local):
    def __init__(self) -> None:
        self.scope: Scope = None
        self.past: deque[int] = deque((0, 0, 0), maxlen=50)
        self.outdated: list[Any] = []


here = _Here()
"""What is going on in this thread: ``here.scope`` is the innermost module call, ``here.past``
holds the births of the losses from which backward ran lately, and ``here.outdated`` the leaves
whose old gradient was older than their values when the running backward added to it."""

_PACKAGE = os.path.dirname(__file__) + os.sep  # pathlib would add 4 ms to the import
_USERS_OWN = ("demo.py",)  # written like a user's file, so its lines are shown like a user's


class _Inside(dict[str, bool]):
    """Whether a source file belongs to the package, worked out once per file."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = filename.startswith(_PACKAGE) and not filename.endswith(_USERS_OWN)
        return self[filename]


_inside = _Inside()
inside = _inside.__getitem__
"""Whether a source file belongs to the package."""


def user_site(depth: int = 2) -> Site:
    """The instruction that is running in the innermost frame outside the package.

    Args:
        depth: How many frames are the package's for certain, this one included.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        code = frame.f_code
        if not _inside[code.co_filename]:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


class Place(NamedTuple):
    """A site, read: what a person would say of it.

    Attributes:
        file: The file's path.
        line: The line number, from 1.
        function: The function's name.
        expression: The source of the exact expression, if it stands on one line.
        variable: The variable that the value was assigned to, if it was.
    """

    file: str
    line: int
    function: str
    expression: str
    variable: str | None

    def __str__(self) -> str:
        if "ipykernel_" in self.file:  # the name of a notebook's cell says nothing
            return f"line {self.line} of the cell"
        return f"{os.path.basename(self.file)}:{self.line}"


_STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")


def place(site: Site) -> Place | None:
    """Work out line, expression and variable of a site; None if there is none."""
    # Equal code in two files is equal to Python: only the file tells them apart.
    return None if site is None else _place(site[0].co_filename, *site)


@lru_cache(maxsize=1024)
def _place(file: str, code: CodeType, lasti: int) -> Place:
    positions = list(code.co_positions())
    first, last, start, end = positions[lasti // 2] if lasti >= 0 else (None,) * 4
    line = first or code.co_firstlineno
    expression = ""
    if first is not None and first == last and start is not None and end is not None:
        text = linecache.getline(file, first).encode()
        expression = text[start:end].decode(errors="replace")
    return Place(file, line, code.co_name, expression, _assigned(code, lasti))


def _assigned(code: CodeType, lasti: int) -> str | None:
    """The variable that takes the value of the call at `lasti`: ``h`` in ``h = x @ w``."""
    after = (i for i in dis.get_instructions(code) if i.offset > lasti and i.opname != "CACHE")
    instruction = next(after, None)
    if instruction is None or instruction.opname not in _STORES:
        return None
    name = str(instruction.argval)
    return name if name.isidentifier() else None  # not pytest's @py_assert


def users_line() -> str:
    """The user's file and line that is running, if it is in a file: ``train.py:7``."""
    spot = place(_own_site() or user_site())
    return "" if spot is None or spot.file.startswith("<") else str(spot)


def _own_site() -> Site:
    """The instruction in the innermost frame that is the user's, and not of any library."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not _inside[file] and not of_library(file):
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None


@lru_cache(maxsize=1024)
def of_library(filename: str) -> bool:
    """Whether a source file belongs to Python, or to a package that was installed."""
    import sysconfig  # 2 ms that only an error needs

    homes = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return filename.startswith(("<frozen", "<__array_function__", *homes)) or any(
        f"{os.sep}{folder}{os.sep}" in filename for folder in ("site-packages", "dist-packages")
    )


errors.locate = users_line  # so that every message can say where


def scope_modules(scope: Scope) -> list[Any]:
    """The modules of a scope, outermost first."""
    modules = []
    while scope is not None:
        scope, module, _ = scope
        modules.append(module)
    return modules[::-1]
