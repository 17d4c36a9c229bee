"""The tester is tested: skips that must fail, golden files, leaks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import conftest
from tests.conftest import needs, needs_file, needs_program


@pytest.fixture(autouse=True)
def _optional_things_may_be_absent(monkeypatch):
    monkeypatch.delenv("TINYGRAD_MLP_REQUIRE_ALL", raising=False)


def test_needs_gives_what_is_there(monkeypatch):
    monkeypatch.setenv("A_FILE", __file__)
    assert needs("numpy") is np
    assert os.access(needs_program("no-such-program", sys.executable), os.X_OK)
    assert needs_file("A_FILE") == Path(__file__)


ABSENT = [
    pytest.param(lambda: needs("no_such_module"), "module no_such_module", id="module"),
    pytest.param(lambda: needs_program("no-such-program"), "no-such-program", id="program"),
    pytest.param(lambda: needs_file("NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE", id="file"),
]


@pytest.mark.parametrize(("ask", "reason"), ABSENT)
def test_what_is_absent_skips(ask, reason):
    with pytest.raises(pytest.skip.Exception, match=reason):
        ask()


@pytest.mark.parametrize(("ask", "reason"), ABSENT)
def test_what_is_absent_fails_where_everything_is_required(ask, reason, monkeypatch):
    monkeypatch.setenv("TINYGRAD_MLP_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=reason):
        ask()


def test_golden_shows_the_difference(golden, request, tmp_path, monkeypatch):
    if request.config.getoption("--update-golden"):
        pytest.skip("golden files are being rewritten: nothing is compared")
    monkeypatch.setattr(conftest, "GOLDEN", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="does not exist"):
        golden("a.txt", "1\n2\n")
    tmp_path.joinpath("a.txt").write_text("1\n2\n", encoding="utf-8")
    golden("a.txt", "1\n2\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-2\n\+3.*--update-golden"):
        golden("a.txt", "1\n3\n")
    with pytest.raises(pytest.fail.Exception, match="newline"):
        golden("a.txt", "1\n2")


def test_every_leak_is_noticed(tmp_path, monkeypatch):
    before = {what: look() for what, look in conftest.LEAKS.items()}
    state = np.random.get_state()  # noqa: NPY002 - the leak that is planted
    try:
        monkeypatch.chdir(tmp_path)
        np.random.random()  # noqa: NPY002 - the same
        with np.errstate(over="raise"):
            unnoticed = [what for what, look in conftest.LEAKS.items() if look() == before[what]]
    finally:
        np.random.set_state(state)  # noqa: NPY002 - put back
        monkeypatch.undo()
    assert unnoticed == []
