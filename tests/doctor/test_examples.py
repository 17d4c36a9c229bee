"""`preflight` has no finding in any example, at any call of ``fit``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted(
    path
    for path in ROOT.joinpath("examples").glob("*.py")
    if "tg.fit(" in path.read_text(encoding="utf-8")
)

DRIVER = """
import runpy, sys, warnings
import tinygrad_mlp as tg
from tinygrad_mlp.errors import TrainingWarning

warnings.simplefilter("error", TrainingWarning)

def fit(model, data, *, loss, optimizer, **options):
    x, y = data if isinstance(data, tuple) else data.dataset.arrays
    report = tg.preflight(model, x, y, loss, optimizer)
    print("checked", report.codes)
    if not report.ok:
        sys.exit(str(report))
    count[0] += 1
    options["epochs"] = 1
    return real(model, data, loss=loss, optimizer=optimizer, **options)

count, real = [0], tg.fit
tg.fit = fit
try:
    runpy.run_path(sys.argv[1], run_name="__main__")
except AssertionError:
    assert count[0]  # after a single epoch it has not learnt what it then asserts
print("fits:", count[0])
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_finding_in_an_example(path, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    absent = ("ModuleNotFoundError", "MissingExtraError", "This example needs")
    if any(words in run.stderr for words in absent):
        missing(run.stderr.strip().splitlines()[-1])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "fits: 0" not in run.stdout
