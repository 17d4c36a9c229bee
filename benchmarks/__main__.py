"""The command: `python -m benchmarks quick` or `all`, or `page` to write the page once more.

Knows the order of the measurements and how much effort each run puts in. It sets the number of
threads before anything imports NumPy, which is why the other modules are imported late.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from benchmarks import threads
from benchmarks.timing import Effort

if TYPE_CHECKING:
    from benchmarks.results import Results, Row

P = ParamSpec("P")

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plan:
    """What a run measures, and with how much effort."""

    name: str
    out: Path
    effort: Effort
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    two_threads: bool
    imports: int


QUICK = Plan(
    name="quick",
    out=ROOT / "build" / "benchmarks",
    effort=Effort(segment=0.05, rounds=7),
    depths=(1_000, 10_000, 100_000),
    widths=(16, 64, 256),
    two_threads=False,
    imports=5,
)
ALL = Plan(
    name="all",
    out=ROOT / "docs",
    effort=Effort(segment=0.1, rounds=15),
    depths=(1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000),
    widths=(8, 16, 32, 64, 128, 256, 512, 1024),
    two_threads=True,
    imports=15,
)
PLANS = {plan.name: plan for plan in (QUICK, ALL)}


def measure(plan: Plan, results: Results) -> None:
    """Run every measurement of `plan`, saying on stderr which one is running."""
    from benchmarks import anatomy, extras, memory, overhead, startup, training
    from benchmarks.workloads import WORKLOADS

    def run(what: str, rows: Callable[P, Iterable[Row]], *args: P.args, **kwargs: P.kwargs) -> None:
        print(f"{what} ...", end=" ", file=sys.stderr, flush=True)
        start = time.perf_counter()
        results.add(rows(*args, **kwargs))
        print(f"{time.perf_counter() - start:.1f} s", file=sys.stderr)

    effort = plan.effort
    for workload in WORKLOADS:
        run(f"training {workload.name}", training.one_thread, workload, effort)
    run("one addition", overhead.one_add, effort)
    for name in ("sum", "small"):
        run(f"extras at {name}", extras.cost, name, effort)
        run(f"anatomy of {name}", anatomy.of, name, effort)
    run("width", training.width, effort, plan.widths)
    run("depth", overhead.depth, plan.depths)
    run("bytes per node", memory.per_node)
    run("peak memory", memory.peak)
    run("long run", memory.long_run)
    run("imports", startup.imports, plan.imports)
    if plan.two_threads:
        for workload in WORKLOADS:
            run(f"training {workload.name}, two threads", training.two_threads, workload, effort)


def write(results: Results, out: Path) -> None:
    """Write page, pictures and rows, and show what matters most."""
    from benchmarks import pictures, report

    folder = out / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    (out / "performance.md").write_text(report.page(results), encoding="utf-8")
    (folder / "results.json").write_text(results.to_json(), encoding="utf-8")
    for name, draw in (("steps", pictures.steps), ("growth", pictures.growth)):
        (folder / f"{name}.svg").write_text(draw(results), encoding="utf-8")
    print(report.brief(results))
    print(f"\nEverything else: {out / 'performance.md'}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "plan",
        nargs="?",
        default=QUICK.name,
        choices=(*PLANS, "page"),
        help="quick: under three minutes; all: everything; page: write OUT's page again",
    )
    parser.add_argument("--out", type=Path, help="folder for performance.md and performance/")
    arguments = parser.parse_args()

    threads.limit(1)
    from benchmarks import machine
    from benchmarks.results import Results

    if arguments.plan == "page":
        out = arguments.out or ALL.out
        text = (out / "performance" / "results.json").read_text(encoding="utf-8")
        write(Results.from_json(text), out)
        return
    plan = PLANS[arguments.plan]
    results = Results(f"python -m benchmarks {plan.name}", machine.describe())
    measure(plan, results)
    write(results, arguments.out or plan.out)


if __name__ == "__main__":
    main()
