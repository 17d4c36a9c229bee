"""``user(source)`` writes ``train.py`` and runs it."""

from __future__ import annotations

import pytest

from tests.errors.users import Run


@pytest.fixture
def user(tmp_path):
    return lambda source: Run(tmp_path / "train.py", source)
