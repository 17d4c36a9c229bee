"""Programs as users write them: a real file, run as a script, and what it said."""

from __future__ import annotations

import linecache
import textwrap
import warnings
from pathlib import Path
from typing import Any

HEAD = (
    "import numpy as np, tinygrad_mlp as tg; from tinygrad_mlp import nn, optim, functional as F\n"
)


class Run:
    """What came of a program: its variables, its error, its warnings."""

    def __init__(self, path: Path, source: str) -> None:
        self.source = HEAD + textwrap.dedent(source).strip("\n") + "\n"
        path.write_text(self.source, encoding="utf-8")
        linecache.checkcache(str(path))
        self.space: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
        self.error: BaseException | None = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                exec(compile(self.source, str(path), "exec"), self.space)  # noqa: S102
            except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
                self.error = error
        self.caught = caught

    @property
    def text(self) -> str:
        """The message of the error."""
        assert self.error is not None, "the program ran"
        return str(self.error)

    @property
    def warnings(self) -> list[str]:
        """The texts of all warnings."""
        return [str(warning.message) for warning in self.caught]

    @property
    def warned(self) -> str:
        """The text of the one warning."""
        assert self.error is None, self.error
        assert len(self.caught) == 1, self.warnings
        return self.warnings[0]

    def __getitem__(self, name: str) -> Any:
        assert self.error is None, self.error
        return self.space[name]

    def line(self, part: str) -> str:
        """``train.py:7`` for the line that holds this text."""
        numbers = [i for i, line in enumerate(self.source.splitlines(), 1) if part in line]
        assert len(numbers) == 1, numbers
        return f"train.py:{numbers[0]}"
