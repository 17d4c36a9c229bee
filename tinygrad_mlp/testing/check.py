"""`check_op`: draw inputs, try everything that an op promises, name what it does wrong.

This file knows the order of the stages, how hypothesis finds a smallest failing case, and how a
report reads. What is promised is in `stages`; how a bug is recognised is in `diagnosis`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tinygrad_mlp.errors import GradientMismatchError, TinygradError
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.testing.bugs import Bug, Observation
from tinygrad_mlp.testing.drawing import Case, Seeded, domain_of, draw
from tinygrad_mlp.testing.stages import (
    Finding,
    Refused,
    composition,
    dtypes,
    edges,
    first_order,
    forward,
    named,
    observe,
    second_order,
)
from tinygrad_mlp.testing.strategies import cases, hypothesis
from tinygrad_mlp.testing.subject import Subject, climb, gradients, of_op

__all__ = ["OpReport", "check_op"]


@dataclass(frozen=True)
class OpReport:
    """What `check_op` found out. True if the op keeps its promises.

    Attributes:
        op: The op.
        findings: Its bugs; the first stage that fails ends the check.
        notes: What could not be checked.
    """

    op: Op
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        lines = [f"{self.op.name}: {finding}" for finding in self.findings]
        return "\n".join([*(lines or [f"{self.op.name}: no bug found"]), *self.notes])


def check_op(op: Op, *, examples: int = 50, raises: bool = True) -> OpReport:
    """Try an op on inputs drawn from its domain and name the class of its bug, if it has one.

    Args:
        op: The op; it must state a domain.
        examples: How many cases to draw.
        raises: Whether a bug is raised; otherwise look at the report.

    Returns:
        The report.

    Raises:
        GradientMismatchError: If there is a bug and `raises`; an `AssertionError` too.
        UsageError: If the op states no domain.
        MissingExtraError: If hypothesis is not installed.

    >>> from tinygrad_mlp.ops import tanh
    >>> print(check_op(tanh))
    tanh: no bug found
    """
    domain_of(op)
    report = OpReport(op, *_check(op, examples))
    if raises and report.findings:
        error = GradientMismatchError(str(report))
        error.report = report
        raise error
    return report


Stage: TypeAlias = Callable[[Case], Finding | None]


def _check(op: Op, examples: int) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    stages: list[Stage] = [forward, first_order]
    if op.differentiable:
        if _only_arrays(op):
            notes = (f"{op.name}: the rule understands only arrays, so there is no second order",)
        else:
            stages += [second_order, dtypes]
        if op.same_as is not None and not notes:
            stages.append(composition)

    # Edges come before second order: a wrong kink is a mistake of the first.
    smallest = _smallest(op, stages, examples)
    edge = edges(op)
    if smallest is None:
        return ((edge,) if edge else ()), notes
    stage, case = smallest
    if edge and stage not in {forward, first_order}:
        return (edge,), notes
    finding = stage(case)
    if finding is None:  # pragma: no cover - a forward function that changes its mind
        return (Finding(Bug.WRONG, "it does not give the same result twice.", case),), notes
    if stage is first_order:
        finding = _named(op, case)
    return (finding,), notes


def _smallest(op: Op, stages: Sequence[Stage], examples: int) -> tuple[Stage, Case] | None:
    """The earliest stage that fails anywhere, and the smallest case on which it does."""
    if _failing(op, stages, examples, shrink=False) is None:
        return None
    for stage in stages:
        case = _failing(op, [stage], examples, shrink=True)
        if case is not None:
            return stage, case
    return None


def _failing(op: Op, stages: Sequence[Stage], examples: int, *, shrink: bool) -> Case | None:
    """A case on which one of the stages fails, the smallest one if asked for."""
    package = hypothesis()
    phase = package.Phase
    settings = package.settings(
        max_examples=examples,
        phases=(phase.generate, phase.shrink) if shrink else (phase.generate,),
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(package.HealthCheck),
    )
    try:
        found: Case = package.find(
            cases(op),
            lambda case: any(stage(case) is not None for stage in stages),
            settings=settings,
        )
    except package.errors.NoSuchExample:
        return None
    return found


def _named(op: Op, smallest: Case) -> Finding:
    """The bug, named from many cases, shown on the smallest."""
    seen: list[Observation] = []
    for case in (smallest, *(draw(op, Seeded(seed)) for seed in range(60))):
        if case is None:
            continue
        try:
            seen += observe(case)
        except Refused as refused:
            return Finding(refused.finding.bug, refused.finding.text, smallest)
    return named(seen, smallest)


def _only_arrays(op: Op) -> bool:
    """Whether a rule cannot be read by tensors, so that there is no second order."""
    case = next((case for s in range(9) if (case := draw(op, Seeded(s))) is not None), None)
    if case is None:
        return False
    subject: Subject = of_op(op, case.inputs, case.attrs)
    try:
        *_, (_, derived, gs) = climb(subject, [case.g], 2)
        gradients(derived, derived.inputs, gs)
    except (TinygradError, TypeError, ValueError, AttributeError):
        return _reads_arrays(subject, [case.g])
    return False


def _reads_arrays(subject: Subject, gs: Sequence[Array]) -> bool:
    try:
        if subject.slopes is not None:
            subject.slopes(subject.inputs, gs)
    except Exception:  # noqa: BLE001 - then first order says what is wrong
        return False
    return True
