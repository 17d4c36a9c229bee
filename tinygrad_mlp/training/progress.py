"""The progress bar: loss, rate and time left, where somebody watches.

This file knows tqdm, imports it only when a bar is shown, and is silent where standard error
is no terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self

__all__ = ["Progress"]


class Progress:
    """A bar over all steps of a training; does nothing unless it is shown.

    Args:
        total: How many steps there will be.
        shown: True, False, or None for: in a terminal or a notebook.
    """

    def __init__(self, total: int, *, shown: bool | None = None) -> None:
        self._bar: Any = None
        self._text = ""
        if _watched() if shown is None else shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, unit="step", dynamic_ncols=True, leave=True)

    def advance(self, loss: float) -> None:
        """One step is done."""
        if self._bar is not None:
            if not self._text:
                self._bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self._bar.update()

    def epoch(self, numbers: Mapping[str, float]) -> None:
        """An epoch is done."""
        if self._bar is not None:
            self._text = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            self._bar.set_postfix_str(self._text, refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _watched() -> bool:
    stream = sys.stderr
    return "ipykernel" in sys.modules or (stream is not None and stream.isatty())
