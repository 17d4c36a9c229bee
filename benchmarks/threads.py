"""How many threads a process computes with: environment variables, and the CPUs it may run on.

Knows the variables that BLAS and OpenMP libraries read when they are loaded, so `limit` has to be
called before NumPy is imported. Knows nothing of what is measured. On Linux the process is also
bound to as many CPUs as it gets threads: JAX sizes its pool by them and has no other switch.
"""

from __future__ import annotations

import os
import sys

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def available() -> list[int]:
    """The CPUs that this process may run on now; empty where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


AVAILABLE = available()


def limit(count: int, cpus: list[int] = AVAILABLE) -> None:
    """Let this process, and the children it starts from now on, compute with `count` threads.

    `cpus` are those to choose from. A child inherits the few that its parent was bound to, so it
    is handed the parent's `AVAILABLE`.
    """
    if "numpy" in sys.modules:
        raise RuntimeError("the number of threads must be set before NumPy is imported")
    for variable in VARIABLES:
        os.environ[variable] = str(count)
    if sys.platform == "linux":
        os.sched_setaffinity(0, cpus[-count:])


def count() -> int:
    """The number of threads that `limit` set for this process or for its parent."""
    return int(os.environ.get(VARIABLES[0], "1"))
