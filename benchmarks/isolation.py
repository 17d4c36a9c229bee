"""A process of its own, for what another library's threads or memory would falsify.

Knows how to start a Python process with a given number of threads and to call functions in it, by
name, one after the other. The process lives until the `with` block ends, so a measurement may keep
state there between calls. Knows nothing of what is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, Self, TypeVar

from benchmarks import threads

P = ParamSpec("P")
T = TypeVar("T")


class Process:
    """One fresh process. `process(f, *args)` runs the module-level function `f` there.

    with Process(threads=2) as process:
        seconds = process(measure, "wide")
    """

    def __init__(self, *, threads: int = 1) -> None:
        self.threads = threads

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=get_context("spawn"),
            initializer=threads.limit,
            initargs=(self.threads, threads.AVAILABLE),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._pool.submit(function, *args, **kwargs).result()
