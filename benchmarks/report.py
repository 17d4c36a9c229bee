"""The tables and the page: results as Markdown, every target beside what was measured.

Knows rows, targets and contenders' titles. Takes no time itself, and decides nothing: whether a
target holds is `Target.verdict`'s word. The prose of the page is `page.md`, with a `$name` for each
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from string import Template

from benchmarks import anatomy, extras, memory, overhead, startup, training
from benchmarks.contenders import BY_KEY
from benchmarks.results import Results, Row, Spread, ratio_of_minima, ratios
from benchmarks.targets import TARGETS, Target, Verdict
from benchmarks.workloads import WORKLOADS

PAGE = Path(__file__).with_name("page.md")
TIGHT = "\N{NO-BREAK SPACE}"
NOT_RUN = "*Not part of this run: `python -m benchmarks all` measures it.*"


def page(results: Results) -> str:
    """The whole page, from its template."""
    tables = {name: write(results) for name, write in SECTIONS.items()}
    return Template(PAGE.read_text(encoding="utf-8")).substitute(tables, command=results.command)


def brief(results: Results) -> str:
    """What a terminal shows: training times, their ratios and the targets."""
    names = ("one_thread", "one_thread_ratios", "targets", "summary")
    return "\n\n".join(SECTIONS[name](results) for name in names)


def summary(results: Results) -> str:
    """How many targets hold, and each one that does not, in words."""
    verdicts = [(target, target.verdict(results)) for target in TARGETS]
    counts = {verdict: sum(v is verdict for _, v in verdicts) for verdict in Verdict}
    measured = counts[Verdict.HOLDS] + counts[Verdict.MISSED]
    line = f"{counts[Verdict.HOLDS]} of {measured} measured targets hold"
    others = [f"{n} {v.value}" for v, n in counts.items() if n and v not in (HOLDS, MISSED)]
    missed = [_miss(target, results) for target, v in verdicts if v is Verdict.MISSED]
    text = "; ".join([line, *others]) + "."
    return "\n".join([text, "", *missed] if missed else [text])


HOLDS, MISSED = Verdict.HOLDS, Verdict.MISSED


def _figure(target: Target, spread: Spread) -> str:
    """The measured figure, written as its target is: 0.62 [0.61–0.63], or 1/1.61 [1/…]."""
    if not target.shown.startswith("1/"):
        return spread_of(spread)
    middle, lower, upper = (number(1 / x) for x in (spread.middle, spread.lower, spread.upper))
    return f"1/{middle}{TIGHT}[1/{lower}–1/{upper}]"


def _miss(target: Target, results: Results) -> str:
    measured = target.measured(results)
    assert measured is not None
    figure = f"{_figure(target, measured)}, target {target.text}"
    return f"- **Missed**: {target.claim}, {target.case}: {figure}"


def targets(results: Results) -> str:
    """Every target of the project, with the measured figure and a verdict."""
    body = []
    for target in TARGETS:
        spread, verdict = target.measured(results), target.verdict(results)
        figure = _figure(target, spread) if spread else "–"
        word = f"**{verdict.value}**" if verdict is MISSED else verdict.value
        body.append((target.claim, target.case, target.text, figure, word))
    return table(("figure", "case", "target", "measured", ""), body, texts=5)


# ------------------------------------------------------------------------ one table each


def machine(results: Results) -> str:
    return table(("", ""), results.machine.items(), texts=2)


def the_workloads(_: Results) -> str:
    return table(
        ("name", "layers", "batch", "dtype", "what it stands for"),
        (
            (w.name, "-".join(map(str, w.sizes)), str(w.batch), w.dtype, w.stands_for)
            for w in WORKLOADS
        ),
        texts=5,
    )


def step_times(suite: str) -> Callable[[Results], str]:
    """Median, fastest and slowest round of each contender, in microseconds per step."""
    return lambda results: by_case(results.select(suite), _microseconds)


def step_ratios(suite: str) -> Callable[[Results], str]:
    """How many times as long as ours each contender takes."""
    paired = suite != training.TWO_THREADS

    def write(results: Results) -> str:
        def cell(row: Row) -> str:
            ours = results.find(suite, row.case, "ours")
            if not (ours and ours.values):
                return "–"
            return spread_of(ratios(row, ours) if paired else ratio_of_minima(row, ours))

        return by_case((r for r in results.select(suite) if r.contender != "ours"), cell)

    return write


def one_add(results: Results) -> str:
    return by_case(results.select(overhead.ONE_ADD), _microseconds)


def depth(results: Results) -> str:
    """Nanoseconds per addition at each depth, with the slope."""

    def both(row: Row) -> str:
        back = results.find(overhead.BACKWARD, row.case, row.contender)
        assert back is not None
        nodes = int(row.case)
        forth = number(min(row.values) / nodes * 1e9)
        return f"{forth} + {number(min(back.values) / nodes * 1e9)}"

    times = by_case(results.select(overhead.FORWARD), both)
    facts = by_contender(
        ("", "slope", "backward ÷ forward", "measured"),
        results.select(overhead.SLOPE),
        lambda row: (
            _value(row),
            _value(results.find(overhead.BACK_TO_FORTH, row.case, row.contender)),
            row.note,
        ),
    )
    return f"{times}\n\n{facts}"


def per_node(results: Results) -> str:
    return by_case(results.select(memory.PER_NODE), _value)


def peak(results: Results) -> str:
    pytorch = results.find(memory.PEAK, memory.DEEP.name, "pytorch")

    def cells(row: Row) -> tuple[str, ...]:
        compared = pytorch is not None and pytorch.values and row.values
        ratio = number(ratios(row, pytorch).middle) if pytorch and compared else "–"
        return _value(row), ratio

    return by_contender(("", "MiB", "÷ PyTorch"), results.select(memory.PEAK), cells)


def long_run(results: Results) -> str:
    def cells(row: Row) -> tuple[str, ...]:
        sizes = results.find(memory.RESIDENT, row.case, row.contender)
        first, last = (sizes.values[0], sizes.values[-1]) if sizes else (0.0, 0.0)
        return f"{first:.1f}", f"{last:.1f}", _value(row, 2)

    head = ("", "MiB after a tenth", "MiB at the end", "growth")
    return by_contender(head, results.select(memory.GROWTH), cells)


def extra_costs(results: Results) -> str:
    """What each extra adds to a step, in percent of the step without it."""
    rows = list(results.select(extras.SUITE))

    def cell(row: Row) -> str:
        ours = results.find(extras.SUITE, row.case, "ours")
        if row.contender == "ours" or not row.values or ours is None:
            return row.note or _microseconds(row)
        added = ratios(ours, row)
        percent = (100 * (x - 1) for x in (added.middle, added.lower, added.upper))
        return "{:+.1f}%{}[{:+.1f}, {:+.1f}]".format(next(percent), TIGHT, *percent)

    return by_case(rows, cell)


def parts_of_a_step(results: Results) -> str:
    """Each part of a step: all of it, NumPy's arithmetic alone, and what is left."""
    cases = list(dict.fromkeys(row.case for row in results.select(anatomy.WHOLE)))

    def cells(part: str, case: str) -> tuple[float, float]:
        rows = (results.find(suite, case, part) for suite in (anatomy.WHOLE, anatomy.ALONE))
        whole, alone = (row.spread.middle * 1e6 if row and row.values else 0.0 for row in rows)
        return whole, alone

    body = []
    sums = dict.fromkeys(cases, (0.0, 0.0))
    for part in anatomy.PARTS if cases else ():
        line = [part]
        for case in cases:
            whole, alone = cells(part, case)
            sums[case] = (sums[case][0] + whole, sums[case][1] + alone)
            line += [number(whole), number(alone), number(whole - alone)]
        body.append(line)
    if cases:
        total = [[number(a), number(b), number(a - b)] for a, b in sums.values()]
        body.append(["all", *(cell for cells in total for cell in cells)])
    head = [cell for case in cases for cell in (case, "NumPy alone", "the rest")]
    return table(("", *head), body)


def imports(results: Results) -> str:
    rows = results.select(startup.IMPORT)
    return table(
        ("package", "ms"),
        ((row.case, spread_of(row.spread) if row.values else row.note) for row in rows),
    )


SECTIONS: dict[str, Callable[[Results], str]] = {
    "summary": summary,
    "targets": targets,
    "machine": machine,
    "workloads": the_workloads,
    "one_thread": step_times(training.ONE_THREAD),
    "one_thread_ratios": step_ratios(training.ONE_THREAD),
    "two_threads": step_times(training.TWO_THREADS),
    "two_threads_ratios": step_ratios(training.TWO_THREADS),
    "width": step_times(training.WIDTH),
    "one_add": one_add,
    "depth": depth,
    "per_node": per_node,
    "peak": peak,
    "long_run": long_run,
    "extras": extra_costs,
    "anatomy": parts_of_a_step,
    "imports": imports,
}


# ------------------------------------------------------------------------ writing tables


def table(head: Sequence[str], body: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """A Markdown table; its first `texts` columns are text, the others stand on the right."""
    rows = [tuple(head), *(tuple(row) for row in body)]
    if len(rows) == 1:
        return NOT_RUN
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rule = "|".join("-" * (w + 1) + ("-" if i < texts else ":") for i, w in enumerate(widths))
    lines = [
        "| " + " | ".join(f"{c:<{w}}" for c, w in zip(r, widths, strict=True)) + " |" for r in rows
    ]
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def by_case(rows: Iterable[Row], cell: Callable[[Row], str]) -> str:
    """Contenders down, cases across."""
    found = {(row.contender, row.case): row for row in rows}
    cases = list(dict.fromkeys(case for _, case in found))
    keys = dict.fromkeys(key for key, _ in found)
    body = [(title(key), *(_cell(found.get((key, case)), cell) for case in cases)) for key in keys]
    return table(("", *(_case(case) for case in cases)), body)


def by_contender(
    head: Sequence[str], rows: Iterable[Row], cells: Callable[[Row], tuple[str, ...]]
) -> str:
    """Contenders down, what `cells` says of each across."""
    blanks = ("",) * (len(head) - 2)
    return table(
        head,
        (
            (title(row.contender), *(cells(row) if row.values else (row.note, *blanks)))
            for row in rows
        ),
    )


def title(key: str) -> str:
    return BY_KEY[key].title if key in BY_KEY else key


def number(value: float, digits: int = 3) -> str:
    """`value` to about three figures, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    places = digits - 1 if size < 10 else digits - 2
    return f"{value:.{places}f}" if size >= 0.1 else f"{value:.2g}"


def spread_of(spread: Spread) -> str:
    """The median, with the quartiles where there are several values."""
    if spread.low == spread.high:
        return number(spread.middle)
    return f"{number(spread.middle)}{TIGHT}[{number(spread.lower)}–{number(spread.upper)}]"


def _case(case: str) -> str:
    return f"{int(case):,}" if case.isdigit() else case


def _cell(row: Row | None, cell: Callable[[Row], str]) -> str:
    if row is None:
        return ""
    return cell(row) if row.values else row.note


def _microseconds(row: Row) -> str:
    spread = row.spread
    low, middle, high = (number(1e6 * x) for x in (spread.low, spread.middle, spread.high))
    return f"{middle}{TIGHT}({low}–{high})"


def _value(row: Row | None, digits: int = 3) -> str:
    return number(row.spread.middle, digits) if row and row.values else "–"
