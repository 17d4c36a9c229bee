"""The files that pages and pictures are made of: CSS, JavaScript and HTML, as they are.

This file knows how to read them from the installed package and nothing of what they say.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["asset"]


@cache
def asset(name: str) -> str:
    """The text of one file.

    >>> asset("light.css").startswith(".tg .paper")
    True
    """
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
