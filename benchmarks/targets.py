"""The targets, as data: which measured figure, compared with what, may be how large.

A target is a bound on one row, or on the ratio of two. Knows the names of suites and contenders;
measures nothing and prints nothing. A target whose contender does not exist yet stays in the list
and is reported as not built: it is a promise, not a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from benchmarks import extras, memory, overhead, startup, training
from benchmarks.contenders import BY_KEY
from benchmarks.results import NOT_INSTALLED, Results, Row, Spread, ratios


class Verdict(Enum):
    """What a run says about a target."""

    HOLDS = "holds"
    MISSED = "missed"
    NOT_MEASURED = "not measured"
    NOT_INSTALLED = "not installed"
    NOT_BUILT = "not built yet"


@dataclass(frozen=True)
class Target:
    """`top`, or `top` ÷ `bottom`, of one suite and case, within a bound.

    `bound` is at least (`"≥"`) or at most (`"≤"`) so much; `shown` is how the bound is written, if
    not as its number.
    """

    claim: str
    suite: str
    case: str
    top: str
    bottom: str | None
    sense: str
    bound: float
    shown: str = ""

    @property
    def text(self) -> str:
        return f"{self.sense} {self.shown or f'{self.bound:g}'}"

    def measured(self, results: Results) -> Spread | None:
        """The figure that the bound is about, or None where a row is missing or empty."""
        top, *bottom = self._rows(results)
        if not top or not top.values:
            return None
        if not bottom:
            return top.spread
        return ratios(top, bottom[0]) if bottom[0] and bottom[0].values else None

    def verdict(self, results: Results) -> Verdict:
        rows = self._rows(results)
        spread = self.measured(results)
        if spread is not None:
            value = spread.middle
            holds = value >= self.bound if self.sense == "≥" else value <= self.bound
            return Verdict.HOLDS if holds else Verdict.MISSED
        if any(row and row.note == NOT_INSTALLED for row in rows):
            return Verdict.NOT_INSTALLED
        planned = self.top in PLANNED or self.bottom in PLANNED
        return Verdict.NOT_BUILT if planned else Verdict.NOT_MEASURED

    def _rows(self, results: Results) -> list[Row | None]:
        keys = [self.top] if self.bottom is None else [self.top, self.bottom]
        return [results.find(self.suite, self.case, key) for key in keys]


def _training(
    claim: str, top: str, bottom: str, bounds: dict[str, float | tuple[float, str]]
) -> list[Target]:
    """One target per workload; a bound may come with the way it is written."""
    suite = training.ONE_THREAD
    return [
        Target(claim, suite, case, top, bottom, "≥", *bound)
        for case, given in bounds.items()
        for bound in [given if isinstance(given, tuple) else (given,)]
    ]


def _over(number: float) -> tuple[float, str]:
    """A bound that is written 1/n: at most n times as slow."""
    return 1 / number, f"1/{number:g}"


NUMPY, NATIVE, SCAN = "ours-compiled-numpy", "ours-compiled-native", "ours-scan-native"
PLANNED = {NUMPY, NATIVE, SCAN} - set(BY_KEY)

STEPS = [
    *_training(
        "PyTorch ÷ ours", "pytorch", "ours", {"sum": 3, "small": 2.5, "digits": 1.3, "wide": 1}
    ),
    *_training(
        "NumPy by hand ÷ ours",
        "by-hand",
        "ours",
        {"sum": _over(1.8), "small": _over(1.5), "digits": _over(1.2), "wide": _over(1.12)},
    ),
    *_training("MyGrad ÷ ours", "mygrad", "ours", {"sum": 4, "small": 4}),
    *_training("HIPS/autograd ÷ ours", "autograd", "ours", {"sum": 4, "small": 4}),
    *_training(
        "NumPy by hand ÷ ours, compiled with NumPy",
        "by-hand",
        NUMPY,
        {"sum": 5, "small": 1.5, "digits": 1.05, "wide": 0.98},
    ),
    *_training("JAX, jit ÷ ours, compiled with NumPy", "jax-jit", NUMPY, {"sum": 4}),
    *_training(
        "JAX, jit ÷ ours, compiled natively",
        "jax-jit",
        NATIVE,
        {"sum": 12, "small": 3, "digits": 1.4, "wide": 1.05},
    ),
    *_training(
        "JAX, scan ÷ ours, scan natively",
        "jax-scan",
        SCAN,
        {"sum": 12, "small": 2.2, "digits": 1.3, "wide": 1.1},
    ),
]


def _limit(
    claim: str,
    suite: str,
    case: str,
    bound: float,
    *,
    top: str = "ours",
    bottom: str | None = None,
) -> Target:
    return Target(claim, suite, case, top, bottom, "≤", bound)


LIMITS = [
    _limit(
        "time against depth, forward + backward: log-log slope",
        overhead.SLOPE,
        overhead.CHAIN,
        1.15,
    ),
    _limit("backward ÷ forward, deepest graph", overhead.BACK_TO_FORTH, overhead.CHAIN, 2.5),
    _limit("bytes of a node beyond its array", memory.PER_NODE, memory.BEYOND, 600),
    _limit(
        "peak memory, graph dropped: ours ÷ PyTorch",
        memory.PEAK,
        memory.DEEP.name,
        1.3,
        bottom="pytorch",
    ),
    _limit(
        "peak memory, graph kept: ours ÷ PyTorch",
        memory.PEAK,
        memory.DEEP.name,
        3.2,
        top="ours-kept",
        bottom="pytorch",
    ),
    _limit("growth of a long run, graph dropped, MiB", memory.GROWTH, memory.LONG_RUN, 1),
    _limit(
        "growth of a long run, graph kept, MiB", memory.GROWTH, memory.LONG_RUN, 1, top="ours-kept"
    ),
    _limit("import, beyond NumPy's, ms", startup.IMPORT, "tinygrad_mlp", 30),
    _limit("optional packages that the import brings", startup.DRAGGED, "tinygrad_mlp", 0),
    _limit(
        "always-on extras at sum: with ÷ without", extras.SUITE, "sum", 1.08, bottom=extras.BARE
    ),
    _limit(
        "always-on extras at small: with ÷ without", extras.SUITE, "small", 1.04, bottom=extras.BARE
    ),
]

TARGETS = (*STEPS, *LIMITS)
