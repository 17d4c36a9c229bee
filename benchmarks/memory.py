"""Memory: bytes per node of a graph, the peak of a training step, and whether a long run grows.

Each is measured in a process of its own, against that process before the work began. Bytes per
node are counted by `tracemalloc`, which sees Python's and NumPy's allocations but not those of C++;
peaks and growth are resident memory, which sees all. Knows Linux's /proc; elsewhere it says so.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import workloads
from benchmarks.contenders import BY_KEY, LINE_UP
from benchmarks.isolation import Process
from benchmarks.results import NOT_INSTALLED, Row
from benchmarks.workloads import Workload

PER_NODE = "bytes per node"
IN_ALL, BEYOND, IN_RAM = "in all", "beyond its array", "resident"
NODES = 100_000

PEAK = "peak memory"
DEEP = Workload("20 × 1024, batch 512", (1024,) * 21, 512, "float32", 1, "peak memory")
PEAK_CONTENDERS = ("ours", "ours-kept", "pytorch", "by-hand")

RESIDENT = "resident memory"
GROWTH = "growth of resident memory"
STEPS = 100_000
LONG_RUN = f"{STEPS:,} steps of sum, gc off"
LONG_CONTENDERS = ("ours", "ours-kept")
SAMPLES = 10

MIB = 2.0**20
ELSEWHERE = "" if sys.platform == "linux" else "measured on Linux only"


def per_node() -> Iterator[Row]:
    """Bytes of one node after the forward pass: in all, and beyond the array it holds."""
    for contender in LINE_UP:
        if not contender.chain or contender.deepest < NODES:
            continue
        if not contender.installed:
            yield Row(PER_NODE, IN_ALL, contender.key, "bytes", note=NOT_INSTALLED)
            continue
        with Process() as process:
            traced, array, resident = process(_node_bytes, contender.key)
        if traced > array:
            yield Row(PER_NODE, IN_ALL, contender.key, "bytes", (traced,))
            yield Row(PER_NODE, BEYOND, contender.key, "bytes", (traced - array,))
        else:
            note = "its nodes are not Python objects"
            yield Row(PER_NODE, IN_ALL, contender.key, "bytes", note=note)
        yield Row(PER_NODE, IN_RAM, contender.key, "bytes", resident)


def peak() -> Iterator[Row]:
    """Peak resident memory of making a deep network and three steps of training."""
    for contender in (BY_KEY[key] for key in PEAK_CONTENDERS):
        note = contender.absence or ELSEWHERE
        values: tuple[float, ...] = ()
        if not note:
            with Process() as process:
                values = (process(_peak_bytes, contender.key) / MIB,)
        yield Row(PEAK, DEEP.name, contender.key, "MiB", values, note)


def long_run() -> Iterator[Row]:
    """Resident memory along many steps of `sum` with the garbage collector off.

    Growth is counted from the end of the first tenth to the end of the run.
    """
    for contender in (BY_KEY[key] for key in LONG_CONTENDERS):
        note = contender.absence or ELSEWHERE
        if note:
            yield Row(GROWTH, LONG_RUN, contender.key, "MiB", note=note)
            continue
        with Process() as process:
            resident = tuple(size / MIB for size in process(_resident_bytes, contender.key))
        yield Row(RESIDENT, LONG_RUN, contender.key, "MiB", resident)
        yield Row(GROWTH, LONG_RUN, contender.key, "MiB", (resident[-1] - resident[0],))


# ------------------------------------------------------ in the process of one contender


def _node_bytes(key: str) -> tuple[float, float, tuple[float, ...]]:
    """Traced bytes per node, traced bytes of its array, resident bytes per node (Linux)."""
    chain = BY_KEY[key].chain_class()(NODES)
    gc.disable()
    resident: tuple[float, ...] = ()
    if sys.platform == "linux":
        before = _status("VmRSS")
        root = chain.forward()
        resident = ((_status("VmRSS") - before) / NODES,)
        del root
        gc.collect()

    traced = []
    for make in (chain.forward, lambda: [np.empty(()) for _ in range(NODES)]):
        tracemalloc.start()
        held = make()
        traced.append(tracemalloc.get_traced_memory()[0] / NODES)
        tracemalloc.stop()
        del held
    list_slot = sys.getsizeof(list(range(NODES))) / NODES
    return traced[0], traced[1] - list_slot, resident


def _peak_bytes(key: str) -> float:
    """Peak resident bytes of making a trainer and three epochs, beyond what was there before."""
    trainer_class = BY_KEY[key].trainer()
    task = workloads.draw(DEEP)
    trainer_class(workloads.draw(workloads.BY_NAME["small"])).epoch()  # loads what loads lazily
    gc.collect()
    _forget_peak()
    before = _status("VmRSS")
    trainer = trainer_class(task)
    for _ in range(3):
        trainer.epoch()
    return _status("VmHWM") - before


def _resident_bytes(key: str) -> tuple[float, ...]:
    """Resident bytes after a first tenth of the steps, and after each further tenth."""
    workload = workloads.BY_NAME["sum"]
    trainer = BY_KEY[key].trainer()(workloads.draw(workload))
    gc.disable()
    sizes = []
    for _ in range(SAMPLES):
        for _ in range(STEPS // SAMPLES // workload.steps):
            trainer.epoch()
        sizes.append(_status("VmRSS"))
    return tuple(sizes)


def _status(name: str) -> float:
    """A field of /proc/self/status in bytes: VmRSS is resident memory, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in lines if line.startswith(name))
    return float(line.split()[1]) * 1024


def _forget_peak() -> None:
    """Give freed memory back to the system, and let the peak start again from here."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
