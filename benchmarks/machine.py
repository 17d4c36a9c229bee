"""The machine and the versions that a run's figures belong to, as a table of facts.

Knows where a system keeps its facts. Names no host, no user and no path.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from benchmarks import threads

PEERS = ("numpy", "torch", "jax", "jaxlib", "autograd", "mygrad", "llvmlite")


def describe() -> dict[str, str]:
    """Facts in the order in which they are shown."""
    pinned = os.environ.get("OPENBLAS_CORETYPE")
    return {
        "CPU": f"{_cpu()}, {len(threads.AVAILABLE) or os.cpu_count()} usable",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: _version(name) for name in PEERS},
        "NumPy's BLAS": _blas(),
        "OPENBLAS_CORETYPE": f"{pinned}: the kernel is pinned" if pinned else "not set",
        "busy when it began": _load(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    values = {key.strip(): value.strip() for key, value in fields.items()}
    model = values.get("model name", platform.machine())
    family = f" (family {values['cpu family']})" if "cpu family" in values else ""
    widest = next((f for f in ("avx512f", "avx2") if f in values.get("flags", "").split()), "")
    return f"{model}{family}" + (f", {widest}" if widest else "")


def _memory() -> str:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{pages / 2**30:.0f} GiB"


def _load() -> str:
    """How many processes wanted a CPU: well above 0, others took part in the run."""
    try:
        return f"{os.getloadavg()[0]:.1f} CPUs, mean of the last minute"
    except (AttributeError, OSError):
        return "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    if find_spec("threadpoolctl") is None:
        import numpy as np

        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas['version']} (install threadpoolctl to see the kernel)"
    import numpy as np
    from threadpoolctl import threadpool_info

    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return "; ".join(
        f"{pool['internal_api']} {pool['version']}, kernel {pool.get('architecture', 'unknown')}"
        for pool in pools
    )
