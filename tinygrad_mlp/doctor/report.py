"""What `preflight` answers: findings and notes, each with a code, a severity and a fix.

This file knows how a report is told, and the list of codes. It does not know how anything is
found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tinygrad_mlp.errors import message

__all__ = ["CODES", "Finding", "Report", "Severity"]

Severity: TypeAlias = Literal["error", "warning", "note"]

CODES: dict[str, str] = {
    "samples": "inputs and targets are not equally many, or there are none",
    "data-not-finite": "the data holds infinity or NaN",
    "forward": "the model cannot be called with these inputs",
    "shapes": "two layers do not fit together, or the first does not fit the data",
    "loss": "the loss cannot be computed",
    "loss-shape": "prediction and target have different shapes",
    "loss-broadcasts": "the loss pairs every prediction with every target",
    "loss-not-scalar": "the loss is not one number",
    "loss-not-finite": "the loss is infinite or NaN",
    "squashed-twice": "the loss applies a sigmoid or softmax to one",
    "target-range": "targets that the loss or the last layer cannot reach",
    "prediction-range": "predictions that are no probabilities, for a loss of probabilities",
    "one-class": "a softmax over one class is always 1",
    "no-parameters": "there is nothing to train",
    "unregistered": "a tensor is trained that the model does not know",
    "unused": "a parameter that the loss does not depend on",
    "cut": "the path from the loss to a parameter is cut",
    "not-optimised": "a parameter that the optimiser does not have",
    "foreign": "the optimiser has a parameter that is not the model's",
    "learning-rate": "one step makes the loss much larger, or the rate is not positive",
    "dtypes": "numbers of different precision meet",
    "eval-mode": "a layer that behaves differently in training is in evaluation mode",
    "equal-weights": "all units of a hidden layer begin alike",
    "dead-layer": "no unit of a relu layer lets anything through",
    "dead-units": "many units of a relu layer let nothing through",
    "zero-gradient": "a parameter's gradient is 0",
    "gradient-not-finite": "a gradient is infinite or NaN",
    "wrong-gradient": "an op's rule disagrees with finite differences",
    "vanishing": "early layers get a millionth of the gradient of late ones",
    "exploding": "early layers get a million times the gradient of late ones",
    "saturation": "most of a layer's outputs are where it is flat",
    "unscaled-inputs": "inputs are large, or of very different sizes",
    "constant-target": "all targets are the same",
}
"""Every code and what it stands for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that will go wrong, or is worth knowing.

    Attributes:
        code: Its name, to silence it by.
        severity: ``error``, ``warning``, or ``note``, which is no finding.
        what: What is the case.
        where: The user's file and line, if there is one.
        why: One clause of mathematics.
        fix: What to write instead.
    """

    code: str
    severity: Severity
    what: str
    where: str = ""
    why: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = message(self.what, where=self.where, why=self.why, fix=self.fix)
        return f"{self.severity} [{self.code}] {text}"


class Report(Sequence[Finding]):
    """The findings of a `preflight`; empty if nothing is wrong. Notes are kept apart.

    Attributes:
        notes: What is worth knowing and is no mistake.
    """

    def __init__(self, found: Sequence[Finding]) -> None:
        self._findings = tuple(item for item in found if item.severity != "note")
        self.notes = tuple(item for item in found if item.severity == "note")

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self._findings

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings, each once."""
        return tuple(dict.fromkeys(item.code for item in self._findings))

    def __len__(self) -> int:
        return len(self._findings)

    def __getitem__(self, key: int) -> Finding:  # type: ignore[override]
        return self._findings[key]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def __str__(self) -> str:
        lines = [str(item) for item in (*self._findings, *self.notes)]
        if self.ok:
            headline = "nothing is wrong for certain; worth a look:"
            lines.insert(0, headline if self.notes else "nothing is wrong")
        else:
            lines.append(f"To silence: preflight(..., ignore={self.codes!r})")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        rows = [
            f"| {item.severity} | `{item.code}` | "
            f"{message(item.what, where=item.where, why=item.why)} | {item.fix} |"
            for item in (*self._findings, *self.notes)
        ]
        return "\n".join(["| severity | code | what | fix |", "|---|---|---|---|", *rows])
