"""What every test can ask for, and what every test is held to.

* ``needs("torch")``, ``needs_program("dot")``, ``needs_file("AXE_PATH")``: the optional
  things of the world outside. Absent, the test is skipped and says why; with
  ``TINYGRAD_MLP_REQUIRE_ALL=1`` (as in CI, where everything is installed) it fails, so that
  no test can go missing in silence.
* ``golden(name, text)``: generated text against a file of ``tests/golden``;
  ``pytest --update-golden`` rewrites the files.
* hypothesis: profile ``dev``, or the one named by ``HYPOTHESIS_PROFILE``. Both are derandomised,
  so a failure is the same for everybody; ``ci`` draws more examples.
* A test that changes the state of the process and does not put it back fails (``LEAKS``).
"""

from __future__ import annotations

import difflib
import importlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

# One BLAS thread per worker: the tests run side by side and their matrices are small. Set before
# NumPy is imported, which is when BLAS reads it.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import hypothesis
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

GOLDEN = Path(__file__).parent / "golden"

# ------------------------------------------------------------------ the world outside


def missing(reason: str) -> NoReturn:
    """Skip a test for this reason; fail it where nothing may be missing."""
    if os.environ.get("TINYGRAD_MLP_REQUIRE_ALL", "0") not in {"", "0"}:
        pytest.fail(f"{reason}, and TINYGRAD_MLP_REQUIRE_ALL is set", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def needs(module: str) -> ModuleType:
    """Import and return an optional module, at the head of a test file or inside a test."""
    state = np.random.get_state()  # noqa: NPY002 - some modules draw from it when imported (jax)
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing(f"needs the Python module {module} ({error})")
    finally:
        np.random.set_state(state)  # noqa: NPY002


def needs_program(*names: str) -> str:
    """Return the path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    missing(f"needs the program {' or '.join(names)}")


def needs_file(variable: str) -> Path:
    """Return the path that an environment variable names."""
    path = Path(os.environ.get(variable, ""))
    if path.is_file():
        return path
    missing(f"needs the environment variable {variable} to name a file")


# ------------------------------------------------------------------ hypothesis

# No deadline and no complaint about slow drawing: a busy machine is no defect of the code.
_COMMON: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("dev", max_examples=30, **_COMMON)
hypothesis.settings.register_profile("ci", max_examples=60, print_blob=True, **_COMMON)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# ------------------------------------------------------------------ golden files


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files of tests/golden with what the code produces now",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare generated text with the file ``tests/golden/<name>``."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        __tracebackhide__ = True
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        if not path.is_file():
            pytest.fail(f"tests/golden/{name} does not exist; make it with --update-golden")
        expected = path.read_text(encoding="utf-8")
        if text != expected:
            diff = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm=""
            )
            lines = list(diff) or ["only the end of the text differs: a newline"]
            pytest.fail("\n".join([*lines, "", "If it is meant: pytest --update-golden"]))

    return compare


# ------------------------------------------------------------------ leaks


def _global_random_state() -> bytes:
    return np.random.get_state()[1].tobytes()  # noqa: NPY002 - looked at, so that nobody uses it


LEAKS: dict[str, Callable[[], object]] = {
    "the working directory": os.getcwd,
    "NumPy's error handling (np.seterr)": np.geterr,
    "NumPy's global random generator (pass a Generator)": _global_random_state,
}
"""What a test must leave as it found it: a name, and how to look at it."""


@pytest.fixture(autouse=True)
def _leaks_nothing() -> Iterator[None]:
    before = {what: look() for what, look in LEAKS.items()}
    yield
    changed = [what for what, look in LEAKS.items() if look() != before[what]]
    if changed:
        pytest.fail(f"changed {' and '.join(changed)}, and did not put it back", pytrace=False)
