"""History: what happened in training, one row per epoch.

This file knows names and numbers. It does not know how they came about.
"""

from __future__ import annotations

from collections.abc import Iterator

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

    def __getitem__(self, name: str) -> list[float]:
        return self.columns[name]

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
