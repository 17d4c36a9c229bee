"""The repository tests itself: versions, commands, examples, public names, and the house.

The house is the table ``ROOMS``: a room may import the rooms above its line in the table (the
lower rooms of the house), never those below it. It is read from the source, so an import inside
a function or under ``TYPE_CHECKING`` counts as well. What must look upward all the same is a
door, listed in ``DOORS`` with its reason; a door that nobody uses any more fails too.
"""

from __future__ import annotations

import ast
import graphlib
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from tests.conftest import needs

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygrad_mlp"
ROOT_NAME = PACKAGE.name

# From the ground up. Rooms of one line do not know each other.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("ops", "origin", "cells"),
    ("graph", "writes", "dialects"),
    ("alarms", "arrays", "autodiff", "refusals"),
    ("tensor",),
    ("symbol",),
    ("formulas",),
    ("transforms",),
    ("functional",),
    ("nn",),
    ("optim",),
    ("data",),
    ("serialization",),
    ("training",),
    ("steps",),
    ("program",),
    ("viz",),
    ("doctor",),
    ("testing",),
    ("__init__",),
    ("demo",),
    ("cli",),
    ("__main__",),
)

DOORS: dict[tuple[str, str], str] = {
    ("nn", "viz"): "a notebook asks a module for its HTML, and only then",
    ("ops", "viz"): "a notebook asks an op for its HTML, and only then",
    ("tensor", "viz"): "a notebook asks a tensor for its HTML, and only then",
    ("training", "program"): "fit(compile=...) hands its step to the compiler, only when asked to",
}
"""(room, the upper room that it imports): why."""


# ------------------------------------------------------------------ one version


def package_version() -> str:
    text = PACKAGE.joinpath("__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def test_the_newest_release_of_the_changelog_is_the_version():
    text = ROOT.joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert releases, "no heading like '## [0.1.0] - 2026-01-31'"
    assert releases[0] == package_version()
    assert releases == sorted(releases, key=lambda v: [*map(int, v.split("."))], reverse=True)
    assert text.index("## [Unreleased]") < text.index(f"## [{releases[0]}]")


def test_the_version_is_stated_once():
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == f"{ROOT_NAME}/__init__.py"
    assert importlib.import_module(ROOT_NAME).__version__ == package_version()


def test_the_classifiers_begin_with_the_oldest_python():
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert project["requires-python"] == f">={named[0]}"


# ------------------------------------------------------------------ the documents

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(ROOT.joinpath("docs").glob("*.md")),
]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_that_a_page_names_exists(page):
    makefile = ROOT.joinpath("Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    code = CODE.findall(page.read_text(encoding="utf-8"))
    named = re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(code))
    assert set(named) <= targets
    if page.name == "README.md":
        assert {"demo", "test"} <= set(named)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_exists(page):
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!\w+:|#)([^)#]+)", text)
    absent = [link for link in links if not page.parent.joinpath(link).exists()]
    assert absent == []


# ------------------------------------------------------------------ the examples

EXAMPLES = sorted(ROOT.joinpath("examples").glob("*.py"))
LONGEST_EXAMPLE = 80


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_numbered_and_says_what_it_shows(example):
    text = example.read_text(encoding="utf-8")
    assert re.match(r"\d\d_[a-z0-9_]+$", example.stem)
    assert len(text.splitlines()) < LONGEST_EXAMPLE
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_must_be_installed_for_it(example):
    head = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))
    packages = {found.target.split(".")[0] for found in imports_of(example, example.stem)}
    if packages - {*sys.stdlib_module_names, ROOT_NAME, "numpy"}:
        assert "`pip install " in head


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example, tmp_path):
    for module in sorted({found.target for found in imports_of(example, example.stem)}):
        if module.split(".")[0] not in {*sys.stdlib_module_names, ROOT_NAME}:
            needs(module)
    run = subprocess.run(
        [sys.executable, "-W", "error", example],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if absent := re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", run.stderr):
        needs(absent[1])  # what the package imports for it, such as scikit-learn's digits
    assert run.returncode == 0, f"{example.name} failed:\n{run.stdout[-2000:]}{run.stderr[-4000:]}"


# ------------------------------------------------------------------ the house


class Import(NamedTuple):
    """One name that a file imports, absolute; ``runs``: when the file itself is imported."""

    target: str
    line: int
    runs: bool


def imports_of(path: Path, module: str) -> list[Import]:
    """Everything that a file imports, at any depth of its code."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []

    def visit(node: ast.AST, *, runs: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, runs) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level]
            source = ".".join([*(base if node.level else []), *([node.module] * bool(node.module))])
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                found.append(Import(submodule if exists(submodule) else source, node.lineno, runs))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            runs = False
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, runs=False)
            for child in node.orelse:
                visit(child, runs=runs)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, runs=runs)

    visit(ast.parse(path.read_text(encoding="utf-8")), runs=True)
    return found


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or path.joinpath("__init__.py").is_file()


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def packages_above(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def room_of(module: str) -> str:
    """``tinygrad_mlp.nn.linear`` lies in the room ``nn``; the package itself is the roof."""
    return [*module.split("."), "__init__"][1]


def floor_of(room: str) -> int:
    return next(number for number, line in enumerate(ROOMS) if room in line)


def test_every_room_has_its_place():
    rooms = {room_of(module) for module in MODULES}
    assert rooms - {room for line in ROOMS for room in line} == set(), "give it a line in ROOMS"


def test_lower_rooms_never_import_upper_ones():
    wrong, used = [], set()
    for module, path in MODULES.items():
        room = room_of(module)
        for found in imports_of(path, module):
            if found.target.split(".")[0] != ROOT_NAME:
                continue
            other = room_of(found.target)
            if other == room or floor_of(other) < floor_of(room):
                continue
            used.add((room, other))
            if (room, other) not in DOORS:
                wrong.append(f"{path.relative_to(ROOT)}:{found.line}: {room} imports {other}")
    assert wrong == []
    assert set(DOORS) - used == set(), "a door that nobody uses"


def test_no_import_circle():
    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        targets = {found.target for found in imports_of(path, module) if found.runs}
        # `import a.b.c` runs a and a.b first, unless they are already under way here.
        above = {package for target in targets for package in packages_above(target)}
        under_way = packages_above(module) | {module}
        graph[module] = (targets | (above - under_way)) & set(MODULES)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]), pytrace=False)


@pytest.mark.parametrize("module", MODULES)
def test_a_file_opens_with_prose(module):
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


# ------------------------------------------------------------------ the public names


def ruff_order(name: str) -> tuple[int, str]:
    """How ruff sorts ``__all__`` (RUF022): CONSTANTS, then Classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_all_is_sorted_and_is_what_is_public():
    package = importlib.import_module(ROOT_NAME)
    listed = package.__all__
    assert listed == sorted(set(listed), key=ruff_order)
    assert [name for name in listed if not hasattr(package, name)] == []
    assert set(listed) <= set(dir(package)), "dir() must show the names that are loaded late"
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public - {"TYPE_CHECKING", "annotations"} - set(listed) == set()


def test_importing_the_package_imports_no_extra():
    """NumPy and the standard library; graphviz, tqdm and every extra wait until they are asked."""
    code = (
        "import sys, numpy; before = set(sys.modules); import tinygrad_mlp; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(run.stdout.split()) - sys.stdlib_module_names - {ROOT_NAME, "numpy"} == set()
