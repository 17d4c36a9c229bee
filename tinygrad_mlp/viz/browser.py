"""Showing a page: what a drawing, an explanation and a player do alike.

This file knows the browser and a place for a file. It does not know what is on the page.
"""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path

__all__ = ["show"]


def show(save: Callable[[str], Path]) -> Path:
    """Let `save` write a page to a file of its own, open it, and return the file."""
    with tempfile.NamedTemporaryFile(suffix=".html", delete=False) as file:
        path = save(file.name)
    webbrowser.open(path.as_uri())
    return path
