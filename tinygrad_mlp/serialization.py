"""Saving and loading arrays by name: what was learned is never lost, and never half there.

This file knows two kinds of file and how to write one safely. It knows no model: a
`state_dict` is a dict of arrays, and so is what comes back.

* ``.safetensors`` is what PyTorch users exchange. The `safetensors` library reads and writes
  it; it is an extra, not a core dependency, because everything here also works without it.
* ``.npz`` is NumPy's own, and needs nothing. Nothing in it is ever unpickled.

Both carry a checksum. A file is written under another name in the same folder, forced to the
disk, and then renamed, so that at any moment there is the old file or the new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import MissingExtraError, StateError, UsageError, install, message
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import users_line
from tinygrad_mlp.tensor import Tensor

__all__ = ["load", "load_with_metadata", "save"]

KINDS = (".safetensors", ".npz")
METADATA = "__metadata__"
CHECKSUM = "sha256"


def save(
    values: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays to a file, all of them or none.

    Args:
        values: Arrays or tensors by name, such as ``model.state_dict()``.
        path: Ends in ``.safetensors`` or ``.npz``. An existing file is replaced in one step.
        metadata: Texts by name, to be kept beside the arrays.

    Raises:
        UsageError: For another ending, or values that are no arrays of numbers.
        MissingExtraError: For ``.safetensors`` without the library.
        FileNotFoundError: If the folder does not exist.

    >>> import tempfile
    >>> from tinygrad_mlp import nn
    >>> model = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model.state_dict(), f"{folder}/model.npz")
    ...     model.load_state_dict(load(f"{folder}/model.npz"))
    """
    target = Path(path)
    kind = _kind(target)
    if not hasattr(values, "items"):
        whole = hasattr(values, "state_dict")
        raise UsageError(
            f"save() got a {type(values).__name__}, not arrays by name",
            fix=f"Pass {'its state_dict()' if whole else 'a dict such as model.state_dict()'}.",
        )
    arrays = {_name(name): _numbers(name, value) for name, value in values.items()}
    notes = {str(k): str(v) for k, v in (metadata or {}).items()}
    notes[CHECKSUM] = _checksum(arrays, notes)
    raw = _to_safetensors(arrays, notes) if kind == ".safetensors" else _to_npz(arrays, notes)
    _replace(target, raw)


def load(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read arrays from a file that `save`, PyTorch's users or NumPy wrote.

    Args:
        path: Ends in ``.safetensors`` or ``.npz``.

    Returns:
        The arrays by name.

    Raises:
        StateError: If the file is damaged, cut short or something else; the message names the
            file and the reason. No code in a file is ever run.
        FileNotFoundError: If there is no such file.
    """
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """As `load`, with the texts that were kept beside the arrays."""
    source = Path(path)
    kind = _kind(source)
    raw = source.read_bytes()
    try:
        read = _from_safetensors if kind == ".safetensors" else _from_npz
        arrays, notes = read(raw)
    except MissingExtraError:
        raise
    except Exception as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise StateError(
            f"{source} cannot be read",
            why=f"it is damaged, cut short, or no {kind} file ({reason})",
            fix="Take an older copy, or save it again.",
        ) from error
    found = notes.pop(CHECKSUM, None)
    if found is not None and found != _checksum(arrays, notes):
        raise StateError(
            f"{source} cannot be trusted",
            why="its numbers are not those that were saved: the checksum differs",
            fix="Take an older copy, or save it again.",
        )
    return arrays, notes


# -- names, numbers, checksums ---------------------------------------------------------------


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UsageError(
            f"{path.name} ends in {path.suffix or 'nothing'}",
            why="the ending says what kind of file it is",
            fix=f"Use {' or '.join(KINDS)}.",
        )
    return kind


def _name(name: Any) -> str:
    if not isinstance(name, str) or name == METADATA:
        raise UsageError(f"{name!r} cannot name an array", fix="Use other texts as names.")
    return name


def _numbers(name: str, value: Any) -> Array:
    """The value as an array of numbers in native byte order, one stretch of memory."""
    array = np.asarray(value.data if isinstance(value, Tensor) else value)
    if array.dtype.kind not in "fbiu":
        raise UsageError(
            f"{name!r} is of type {type(value).__name__} and holds no numbers",
            why="files hold arrays of numbers by name",
            fix="Save model.state_dict(); put texts into metadata=.",
        )
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def _checksum(arrays: Mapping[str, Array], notes: Mapping[str, str]) -> str:
    """Of every name, dtype, shape, number and text, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    digest.update(repr(sorted(notes.items())).encode())
    return digest.hexdigest()


# -- the two kinds of file -------------------------------------------------------------------


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingExtraError(
            "safetensors is not installed",
            why="it reads and writes .safetensors files",
            fix=f"{install('safetensors')}, or use a name that ends in .npz.",
        ) from error
    return safetensors.numpy


def _to_safetensors(arrays: Mapping[str, Array], notes: Mapping[str, str]) -> bytes:
    return bytes(_library().save(dict(arrays), metadata=dict(notes)))


def _from_safetensors(raw: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    arrays = _library().load(raw)
    length = int.from_bytes(raw[:8], "little")  # the library has checked the header by now
    notes = json.loads(raw[8 : 8 + length]).get(METADATA) or {}
    return {name: np.array(array) for name, array in arrays.items()}, dict(notes)


def _to_npz(arrays: Mapping[str, Array], notes: Mapping[str, str]) -> bytes:
    text = np.frombuffer(json.dumps(dict(notes)).encode(), np.uint8)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in (*arrays.items(), (METADATA, text)):
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return file.getvalue()


def _from_npz(raw: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for info in archive.infolist():
            name, dot, ending = info.filename.rpartition(".")
            if (dot, ending) != (".", "npy"):
                raise ValueError(f"it contains {info.filename!r}, which is no array")
            if name in arrays:
                raise ValueError(f"it contains {name!r} twice")
            arrays[name] = _from_npy(name, archive.read(info))  # verifies the CRC
    text = arrays.pop(METADATA, None)
    notes = {} if text is None else json.loads(text.tobytes())
    return arrays, {str(k): str(v) for k, v in notes.items()}


def _from_npy(name: str, raw: bytes) -> Array:
    """One array of NumPy's own format, read only after its size has been checked."""
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"{name!r} is of version {version} of the format")
    if dtype.kind not in "fbiu":
        raise ValueError(f"{name!r} holds {dtype}; only numbers are read, never objects")
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(raw) - file.tell():
        raise ValueError(f"{name!r} says it has shape {shape}, and its size is another")
    flat = np.frombuffer(raw, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


# -- writing safely --------------------------------------------------------------------------


def _replace(path: Path, raw: bytes) -> None:
    """Put `raw` in the place of the file in one step: there is the old file, then the new."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            message(
                f"there is no folder {str(path.parent)!r} to save {path.name!r} in",
                where=users_line(),
                fix=f"Make it: pathlib.Path({str(path.parent)!r}).mkdir(parents=True).",
            )
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name is in the folder, and the folder must reach the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
