"""The pages of the documentation: complete, reachable, and true because they run.

``make docs`` executes the pages too, with Sphinx. Here their cells run as plain Python, so that
a page which is no longer true fails where everything else does. Cells that show ``>>>`` are
doctests, which pytest collects by itself.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_mlp
from tests.conftest import needs

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
DOCUMENTS = [*PAGES, *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))]

TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:[a-z-]+:.*\n", re.MULTILINE)
INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
AMERICAN = re.compile(
    r"\b(behavior|center|color|favor|gray|initializ|labeled|modeling|normaliz|optimiz|parametriz|"
    r"recogniz|regulariz|summariz|visualiz)\w*",
    re.IGNORECASE,
)


def cells(page):
    """Each code cell of a page, its options left out, at the line where it stands."""
    text = page.read_text(encoding="utf-8")
    for match in CELL.finditer(text):
        before = text.count("\n", 0, match.start(1))
        head = OPTION.match(match[1])
        code = match[1][head.end() :] if head else match[1]
        yield "\n" * (before + bool(head)) + code


def every(pattern, page):
    return pattern.findall(page.read_text(encoding="utf-8"))


# ------------------------------------------------------------------ the pages


def test_every_page_is_in_the_table_of_contents_once():
    listed = [
        line
        for tree in TOCTREE.findall(DOCS.joinpath("index.md").read_text(encoding="utf-8"))
        for line in tree.splitlines()
        if line and not line.startswith(":")
    ]
    assert len(listed) == len(set(listed))
    assert sorted([*listed, "index"]) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.stem)
def test_a_page_has_one_title(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_every_public_name_is_written_about():
    text = "\n".join(page.read_text(encoding="utf-8") for page in DOCUMENTS)
    words = set(re.findall(r"\w+", text))
    assert [name for name in tinygrad_mlp.__all__ if name not in words] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.stem)
def test_prose_is_spelt_the_british_way(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    prose = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|https?://\S+", "", text)
    assert [match[0] for match in AMERICAN.finditer(prose)] == []


# ------------------------------------------------------------------ their code

EXECUTED = [page for page in PAGES if "{code-cell}" in page.read_text(encoding="utf-8")]
RUN = "import sys; exec(compile(sys.stdin.read(), {!r}, 'exec'))"


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_a_page_is_a_notebook(page):
    head = page.read_text(encoding="utf-8").split("---\n")[1]
    assert "file_format: mystnb" in head
    assert "name: python3" in head


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_the_cells_of_a_page_run(page):
    """In a process of their own, one after the other, with warnings as errors."""
    lines: list[str] = []
    for cell in cells(page):
        lines += cell.splitlines()[len(lines) :]
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


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_cells_are_in_the_projects_format_and_as_narrow_as_a_page(page):
    needs("ruff")
    for cell in cells(page):
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
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
