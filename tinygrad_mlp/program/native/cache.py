"""The cache: machine code that an earlier process compiled, in files.

This file knows where the files are, how they are named and how one is told from a broken one. It
does not know how code is compiled. Whatever goes wrong with a file, the code is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

__all__ = ["SWITCH", "folder", "load", "save"]

SWITCH = "TINYGRAD_MLP_CACHE"
"""The variable that names the folder, or turns the cache off where it is ``0`` or ``off``."""

_MARK = b"tinygrad_mlp native 1\n"


def folder() -> Path | None:
    """The folder of the files: the user's own for caches, unless the environment says otherwise."""
    chosen = os.environ.get(SWITCH, "")
    if chosen.lower() in {"0", "off", "no", "false"}:
        return None
    if chosen:
        return Path(chosen)
    try:
        return _caches() / "tinygrad_mlp"
    except RuntimeError:  # nobody's home
        return None


def _caches() -> Path:
    """Where this system keeps what can be made again."""
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        if os.environ.get(variable):
            return Path(os.environ[variable])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def load(key: str) -> bytes | None:
    """What was kept under a key, if the file is whole and this user's own."""
    place = folder()
    if place is None:
        return None
    try:
        path = _path(place, key)
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            return None  # code that somebody else has put there
        content = path.read_bytes()
    except OSError:
        return None
    mark, digest, code = (
        content[: len(_MARK)], content[len(_MARK) : len(_MARK) + 32], content[len(_MARK) + 32 :],
    )  # fmt: skip
    whole = mark == _MARK and digest == _digest(key, code)
    return code if whole else None


def save(key: str, code: bytes) -> None:
    """Keep code under a key. Another process sees all of the file or none of it."""
    place = folder()
    if place is None:
        return
    with contextlib.suppress(OSError):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=place, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MARK + _digest(key, code) + code)
            Path(name).replace(_path(place, key))
        except OSError:
            Path(name).unlink(missing_ok=True)


def _path(place: Path, key: str) -> Path:
    return place / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.o"


def _digest(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + code).digest()
