"""Options that are one word of a few.

This file knows what is said of a word that is none of them. Which words there are is stated where
the option is, as a `Literal`.
"""

from __future__ import annotations

import difflib
from typing import Any, get_args

from tinygrad_mlp.errors import UsageError

__all__ = ["check_choice"]


def check_choice(option: str, given: Any, kinds: Any) -> None:
    """Refuse a word that is not among those of a `Literal`.

    Args:
        option: What the option is called.
        given: What was given.
        kinds: The `Literal`.

    Raises:
        UsageError: If it is none of them; it names them all, and the closest.
    """
    words: tuple[str, ...] = get_args(kinds)
    if isinstance(given, str) and given in words:
        return
    listed = ", ".join(repr(word) for word in words[:-1])
    near = difflib.get_close_matches(str(given).lower(), words, n=1)
    raise UsageError(
        f"{option}={given!r}",
        why=f"it is {listed} or {words[-1]!r}",
        fix=f"Did you mean {option}={near[0]!r}?" if near else "",
    )
