"""Start-up: what an import adds to `import numpy`, and which optional packages it drags in.

Each value comes from a fresh interpreter that imports NumPy first and then, timed, one package.
The first interpreter only warms the file cache. Knows packages by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.contenders import LINE_UP
from benchmarks.results import NOT_INSTALLED, Row

IMPORT = "import, beyond NumPy's"
DRAGGED = "optional packages imported"
OPTIONAL = ("tqdm", "graphviz", "jax", "llvmlite", "matplotlib", "IPython", "torch", "sklearn")

PROGRAM = """
import json, sys, time
import numpy
start = time.perf_counter()
import {package}
end = time.perf_counter()
print(json.dumps([end - start, [name for name in {optional!r} if name in sys.modules]]))
"""


def imports(repetitions: int) -> Iterator[Row]:
    """Milliseconds that importing each contender's package adds, once NumPy is there."""
    first = {c.package: c for c in reversed(LINE_UP) if c.package != "numpy"}
    for package in dict.fromkeys(c.package for c in LINE_UP if c.package in first):
        contender = first[package]
        if not contender.installed:
            yield Row(IMPORT, package, contender.key, "ms", note=NOT_INSTALLED)
            continue
        _import(package)
        runs = [_import(package) for _ in range(repetitions)]
        yield Row(IMPORT, package, contender.key, "ms", tuple(1e3 * time for time, _ in runs))
        if package == "tinygrad_mlp":
            dragged = runs[-1][1]
            note = ", ".join(dragged)
            yield Row(DRAGGED, package, contender.key, "", (float(len(dragged)),), note)


def _import(package: str) -> tuple[float, list[str]]:
    program = PROGRAM.format(package=package, optional=OPTIONAL)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    seconds, dragged = json.loads(done.stdout)
    return seconds, dragged
