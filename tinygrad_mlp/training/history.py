"""History: what happened in training, one row per epoch.

This file knows names and numbers. It does not know how they came about.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.training.curve import curves

__all__ = ["History"]


class History:
    """The numbers of every epoch: ``history.loss[-1]``, ``history["val_loss"]``.

    >>> history = History()
    >>> history.append(loss=0.5)
    >>> history.append(loss=0.25)
    >>> history
    History(2 epochs: loss 0.5 → 0.25)
    >>> history.loss
    [0.5, 0.25]
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[float]] = {}

    def append(self, **numbers: float) -> None:
        """Add an epoch."""
        for name, value in numbers.items():
            self.columns.setdefault(name, []).append(float(value))

    @property
    def loss(self) -> list[float]:
        """The mean loss over the samples of each epoch, as they were trained on."""
        return self.columns.get("loss", [])

    @property
    def val_loss(self) -> list[float]:
        """The mean loss over the validation samples after each epoch."""
        return self.columns.get("val_loss", [])

    def to_dict(self) -> dict[str, list[float]]:
        """A copy of the columns."""
        return {name: list(values) for name, values in self.columns.items()}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a table: one row per epoch, one column per name, every digit."""
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *self.columns])
            for i in range(len(self)):
                row = [values[i] if i < len(values) else "" for values in self.columns.values()]
                writer.writerow([i + 1, *row])

    @property
    def svg(self) -> str:
        """The curves as a small picture; needs no plotting library."""
        return curves(self.columns, repr(self))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table or the picture; the suffix (.csv, .svg) says which.

        Raises:
            UsageError: If the suffix is another one.
        """
        path = Path(path)
        if path.suffix.lower() == ".csv":
            self.to_csv(path)
        elif path.suffix.lower() == ".svg":
            path.write_text(self.svg, encoding="utf-8")
        else:
            raise UsageError(
                f"a history cannot be saved as {path.name!r}",
                fix="End the name in .csv for the numbers or .svg for the curves.",
            )
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.columns and name not in {"loss", "val_loss"}:
            known = ", ".join(self.columns) or "nothing yet"
            raise UsageError(
                f"{name!r} is not in the history",
                fix=f"It has {known}; for val_… pass validation=.",
            )
        return self.columns.get(name, [])

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return max((len(values) for values in self.columns.values()), default=0)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name} {values[0]:.4g} → {values[-1]:.4g}" for name, values in self.columns.items()
        )
        count = len(self)
        return f"History({count} epoch{'' if count == 1 else 's'}{f': {shown}' if shown else ''})"
