"""What was measured, as records: one `Row` per suite, case and contender, one value per round.

Knows how rows are found, compared and kept as JSON. Does not know how a value came about, what it
should have been (`targets`), or how it is shown (`report`, `pictures`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any, Self

NOT_INSTALLED = "not installed"
"""The note of a row whose contender's package is not on this machine."""


@dataclass(frozen=True)
class Spread:
    """The distribution of a few values: smallest, quartiles and median, largest."""

    low: float
    lower: float
    middle: float
    upper: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        if len(values) == 1:
            (value,) = values
            return cls(value, value, value, value, value)
        lower, _, upper = quantiles(values, n=4, method="inclusive")
        return cls(min(values), lower, median(values), upper, max(values))


@dataclass(frozen=True)
class Row:
    """One measurement. `values` is empty when there is none; then `note` says why."""

    suite: str
    case: str
    contender: str
    unit: str
    values: tuple[float, ...] = ()
    note: str = ""

    @property
    def spread(self) -> Spread:
        return Spread.of(self.values)


@dataclass
class Results:
    """All rows of one run, with the machine they come from and the command that made them."""

    command: str
    machine: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    def add(self, rows: Iterable[Row]) -> None:
        self.rows.extend(rows)

    def select(self, suite: str) -> Iterator[Row]:
        return (row for row in self.rows if row.suite == suite)

    def find(self, suite: str, case: str, contender: str) -> Row | None:
        for row in self.select(suite):
            if row.case == case and row.contender == contender:
                return row
        return None

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        data: dict[str, Any] = json.loads(text)
        rows = [Row(**{**row, "values": tuple(row["values"])}) for row in data["rows"]]
        return cls(data["command"], data["machine"], rows)


def ratios(top: Row, bottom: Row) -> Spread:
    """`top` ÷ `bottom`, each taken within one round."""
    pairs = zip(top.values, bottom.values, strict=True)
    return Spread.of([above / below for above, below in pairs])


def ratio_of_minima(top: Row, bottom: Row) -> Spread:
    """The best of `top` ÷ the best of `bottom`: for processes that cannot share a round."""
    return Spread.of([min(top.values) / min(bottom.values)])
