"""The pages of the documentation: complete, reachable, and true because they run.

``make docs`` executes the pages too, with Sphinx. Here their cells run as plain Python, so that
a page which is no longer true fails where everything else does. Cells that show ``>>>`` are
doctests, which pytest collects by itself.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_mlp
from tests.conftest import needs

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("reference/*.md")])
DOCUMENTS = [*PAGES, *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))]

TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:[a-z-]+:.*\n", re.MULTILINE)
EXTRA = re.compile(r"^<!-- needs: ([\w, ]+) -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"^```\{names\} (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
AMERICAN = re.compile(
    r"\b(behavior|center|color|favor|gray|initializ|labeled|modeling|normaliz|optimiz|parametriz|"
    r"recogniz|regulariz|summariz|visualiz)\w*",
    re.IGNORECASE,
)


def name_of(page):
    return page.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/")


def cells(page):
    """Each code cell of a page, its options left out, at the line where it stands."""
    text = page.read_text(encoding="utf-8")
    for match in CELL.finditer(text):
        before = text.count("\n", 0, match.start(1))
        head = OPTION.match(match[1])
        code = match[1][head.end() :] if head else match[1]
        yield "\n" * (before + bool(head)) + code


def extras(page):
    """Each block that needs packages which not everybody has: their names, and the block."""
    text = page.read_text(encoding="utf-8")
    for match in EXTRA.finditer(text):
        yield match[1].split(", "), "\n" * text.count("\n", 0, match.start(2)) + match[2]


def every(pattern, page):
    return pattern.findall(page.read_text(encoding="utf-8"))


# ------------------------------------------------------------------ the pages


def test_every_page_is_in_the_table_of_contents_once():
    listed = [
        line
        for page in PAGES
        for tree in every(TOCTREE, page)
        for line in tree.splitlines()
        if line and not line.startswith(":")
    ]
    assert sorted([*listed, "index"]) == sorted(name_of(page) for page in PAGES)


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_a_page_has_one_title(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_every_public_name_is_written_about():
    written = [page for page in DOCUMENTS if page.parent.name != "reference"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in written)
    words = set(re.findall(r"\w+", text))
    assert [name for name in tinygrad_mlp.__all__ if name not in words] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_prose_is_spelt_the_british_way(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    prose = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|https?://\S+", "", text)
    assert [match[0] for match in AMERICAN.finditer(prose)] == []


# ------------------------------------------------------------------ their code

EXECUTED = [page for page in PAGES if "{code-cell}" in page.read_text(encoding="utf-8")]
RUN = "import sys; exec(compile(sys.stdin.read(), {!r}, 'exec'))"


@pytest.mark.parametrize("page", EXECUTED, ids=name_of)
def test_a_page_is_a_notebook(page):
    head = page.read_text(encoding="utf-8").split("---\n")[1]
    assert "file_format: mystnb" in head
    assert "name: python3" in head


@pytest.mark.parametrize("page", EXECUTED, ids=name_of)
def test_the_cells_of_a_page_run(page):
    """In a process of their own, one after the other, with warnings as errors."""
    run_all(page, cells(page))


@pytest.mark.parametrize("page", [page for page in PAGES if [*extras(page)]], ids=name_of)
def test_what_needs_a_package_runs_where_it_is_installed(page):
    for package in sorted({package for packages, _ in extras(page) for package in packages}):
        needs(package)
    blocks = [*cells(page), *(block for _, block in extras(page))]
    run_all(page, sorted(blocks, key=lambda block: len(block) - len(block.lstrip("\n"))))


def run_all(page, blocks):
    lines: list[str] = []
    for block in blocks:
        lines += block.splitlines()[len(lines) :]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN.format(page.name)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", EXECUTED, ids=name_of)
def test_cells_are_in_the_projects_format_and_as_narrow_as_a_page(page):
    needs("ruff")
    for cell in [*cells(page), *(block for _, block in extras(page))]:
        code = cell.lstrip("\n")
        run = subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--quiet", "--line-length=88", "-"],
            input=code,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
            timeout=60,
            check=True,
        )
        assert run.stdout == code


# ------------------------------------------------------------------ every name

LISTED = [
    (room, name)
    for page in sorted(DOCS.glob("reference/*.md"))
    for room, listed in every(NAMES, page)
    for name in listed.split()
]
ROOMS = ("", ".nn", ".nn.init", ".functional", ".optim", ".data", ".training", ".testing")
"""Where everything public is listed. Elsewhere (the doctor, programs) it is what these give."""


def found(room, name):
    """What a name stands for; it may go through the file where it is written."""
    path, _, last = f"{room}.{name}".rpartition(".")
    return getattr(importlib.import_module(path), last)


def test_every_public_name_is_listed_once():
    assert len(LISTED) == len(set(LISTED))
    listed = [found(*entry) for entry in LISTED]
    absent = []
    for room in ROOMS:
        module = importlib.import_module(f"tinygrad_mlp{room}")
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.ismodule(thing) and all(thing is not other for other in listed):
                absent.append(f"{module.__name__}.{name}")
    assert absent == []


@pytest.mark.parametrize(("room", "name"), LISTED, ids=[".".join(entry) for entry in LISTED])
def test_a_listed_name_is_public_and_says_in_a_line_what_it_is(room, name):
    assert name.rpartition(".")[2] in importlib.import_module(room).__all__
    thing = found(room, name)
    if inspect.isroutine(thing) or isinstance(thing, type):
        first = (inspect.getdoc(thing) or "").splitlines()[0]
        assert first.endswith((".", ":"))


# ------------------------------------------------------------------ what pages show of the source


def test_the_record_that_the_guide_shows_is_a_real_one():
    guide = ROOT.joinpath("CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    shipped = "".join(
        path.read_text(encoding="utf-8") for path in ROOT.joinpath("tinygrad_mlp/ops").glob("*.py")
    )
    assert shown
    assert [block for block in shown if block not in shipped] == []


def test_the_files_that_the_guide_names_exist():
    guide = ROOT.joinpath("CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|tinygrad_mlp)/[\w/.]+)`", guide))
    assert {name for name in named if not ROOT.joinpath(name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_shows_of_the_source_is_there(page):
    for target, options in every(INCLUDE, page):
        path = DOCS / target
        assert path.is_file()
        text = path.read_text(encoding="utf-8")
        for marker in re.findall(
            r"^:(?:start|end)-(?:at|after|before): (.*)$", options, re.MULTILINE
        ):
            assert text.count(marker.strip('"')) == 1, f"{marker} in {target}"
        for name in re.findall(r"^:pyobject: (.*)$", options, re.MULTILINE):
            names = {getattr(node, "name", None) for node in ast.walk(ast.parse(text))}
            assert name.split(".")[-1] in names
