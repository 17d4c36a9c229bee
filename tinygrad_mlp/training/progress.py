"""The progress bar: loss, rate and time left, where somebody watches.

This file knows tqdm, imports it only when a bar is shown, and is silent where standard error
is no terminal.
"""

from __future__ import annotations

import sys
from typing import Any, Self

from tinygrad_mlp.training.run import Callback, Run

__all__ = ["Progress"]


class Progress(Callback):
    """A bar over all steps of a training; does nothing unless it is shown.

    Args:
        total: How many steps there will be, if that is known.
        shown: True, False, or None for: in a terminal or a notebook.
    """

    def __init__(self, total: int | None, *, shown: bool | None = None) -> None:
        self.total = total
        self.shown = _watched() if shown is None else shown
        self._bar: Any = None

    def begin(self, run: Run) -> None:
        """Show the bar."""
        if self.shown:
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, unit="step", dynamic_ncols=True)

    def after(self, run: Run) -> None:
        """One step is done."""
        if self._bar is not None:
            if run.step - self._bar.n != 1:  # an interrupted training goes on
                self._bar.update(run.step - 1 - self._bar.n)
            if not run.numbers:
                self._bar.set_postfix_str(f"loss {run.error:.4g}", refresh=False)
            self._bar.update()

    def epoch(self, run: Run) -> None:
        """An epoch is done."""
        if self._bar is not None:
            text = ", ".join(f"{name} {value:.4g}" for name, value in run.numbers.items())
            self._bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _watched() -> bool:
    stream = sys.stderr
    return "ipykernel" in sys.modules or (stream is not None and stream.isatty())
