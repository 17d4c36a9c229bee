"""Training: seconds per step of every contender, on one thread and on two, and against width.

One thread: everybody in one process, interleaved. Two threads: a process per contender, since the
thread pools of two libraries in one process fight; rounds still interleave, process by process,
with a pause in which the last one's workers fall asleep. Nobody is timed before losses and weights
agree with the reference. Knows contenders by their interface only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from benchmarks import reference, timing, workloads
from benchmarks.contenders import BY_KEY, LINE_UP, Contender, Trainer
from benchmarks.isolation import Process
from benchmarks.results import Row
from benchmarks.workloads import Task, Workload

ONE_THREAD = "training, one thread"
TWO_THREADS = "training, two threads"
WIDTH = "step against width"

PAUSE = 0.06
"""Seconds before a segment on two threads: BLAS workers spin for some 25 ms after a call."""

WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
WIDTH_CONTENDERS = ("ours", "by-hand", "pytorch")


def start(contender: Contender, task: Task, expected: reference.Run) -> Trainer:
    """A trainer that has been checked and is ready to be timed."""
    trainer = contender.trainer()(task)
    losses = trainer.losses()
    reference.check(contender.title, task, losses, trainer.weights(), expected)
    return trainer


def one_thread(workload: Workload, effort: timing.Effort, suite: str = ONE_THREAD) -> list[Row]:
    """Time all contenders that run `workload`, in this process."""
    keys = WIDTH_CONTENDERS if suite == WIDTH else tuple(BY_KEY)
    contenders = [c for c in LINE_UP if c.key in keys and c.runs(workload.name)]
    task = workloads.draw(workload)
    expected = {bias: reference.train(task, bias=bias) for bias in (True, False)}
    trainers = {
        c.key: start(c, task, expected[c.trainer().bias]) for c in contenders if c.installed
    }
    units = {key: trainer.epoch for key, trainer in trainers.items()}
    seconds = timing.interleave(units, effort)
    return rows(suite, workload, contenders, seconds)


def width(effort: timing.Effort, widths: Iterable[int] = WIDTHS) -> Iterator[Row]:
    """Time two square layers of each width, in this process."""
    for units in widths:
        yield from one_thread(workloads.square(units), effort, WIDTH)


def two_threads(workload: Workload, effort: timing.Effort) -> list[Row]:
    """Time all contenders that run `workload`, each in a process of its own with two threads."""
    contenders = [c for c in LINE_UP if c.runs(workload.name)]
    seconds: dict[str, list[float]] = {c.key: [] for c in contenders if c.installed}
    with ExitStack() as stack:
        processes = {key: stack.enter_context(Process(threads=2)) for key in seconds}
        for key, process in processes.items():
            process(_open, key, workload.name, effort.segment)
        for _ in range(effort.rounds):
            for key, process in processes.items():
                seconds[key].append(process(_segment))
    return rows(TWO_THREADS, workload, contenders, seconds)


def rows(
    suite: str,
    workload: Workload,
    contenders: Iterable[Contender],
    seconds: Mapping[str, Sequence[float]],
) -> list[Row]:
    """Turn seconds per epoch into rows of seconds per step."""
    return [
        Row(
            suite,
            workload.name,
            c.key,
            "s/step",
            tuple(value / workload.steps for value in seconds.get(c.key, ())),
            c.absence,
        )
        for c in contenders
    ]


# ------------------------------------------------------ in the process of one contender

_opened: list[tuple[Trainer, int]] = []


def _open(key: str, workload_name: str, seconds: float) -> None:
    """Prepare, check and calibrate; the trainer waits here for its rounds."""
    contender = BY_KEY[key]
    task = workloads.draw(workloads.BY_NAME[workload_name])
    expected = reference.train(task, bias=contender.trainer().bias)
    trainer = start(contender, task, expected)
    _opened.append((trainer, timing.calls(trainer.epoch, seconds)))


def _segment() -> float:
    """Seconds per epoch, over one segment."""
    trainer, count = _opened[-1]
    time.sleep(PAUSE)
    trainer.epoch()  # wakes the workers and the caches
    return timing.segment(trainer.epoch, count) / count
