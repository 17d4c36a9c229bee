"""Files: round trips, PyTorch on the other side, damage, and being killed while saving."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import random
import signal
import struct
import time
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tests.conftest import needs
from tinygrad_mlp import nn
from tinygrad_mlp import serialization as files
from tinygrad_mlp.errors import MissingExtraError, StateError, UsageError

KINDS = [".npz", ".safetensors"]
both_kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _needs_the_library(request):
    if "safetensors" in request.node.name:
        needs("safetensors")


def some_arrays():
    rng = np.random.default_rng(0)
    return {
        "0.weight": rng.normal(size=(5, 3)),
        "file": rng.normal(size=4).astype(np.float32),
        "count": np.array(7),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 2)),
        "transposed": rng.normal(size=(2, 3)).T,
        "ümlaut/with space": np.arange(3, dtype=np.uint8),
        "half": np.array([1.5], np.float16),
    }


@both_kinds
def test_a_round_trip_keeps_every_bit_name_dtype_and_shape(kind, tmp_path):
    path = tmp_path / f"state{kind}"
    values = some_arrays()
    tg.save(values, path, metadata={"note": "ä", "epoch": "3"})
    loaded, notes = files.load_with_metadata(path)
    assert notes == {"note": "ä", "epoch": "3"}
    assert loaded.keys() == values.keys()
    for name, value in values.items():
        assert loaded[name].dtype == value.dtype
        assert loaded[name].shape == value.shape
        assert np.array_equal(loaded[name], value)
        assert loaded[name].flags.writeable
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@both_kinds
def test_the_same_state_is_the_same_file_and_an_old_file_is_replaced(kind, tmp_path):
    a, b = tmp_path / f"a{kind}", tmp_path / f"b{kind}"
    tg.save({"x": np.zeros(3)}, a)
    tg.save(some_arrays(), a)
    tg.save(some_arrays(), b)
    assert a.read_bytes() == b.read_bytes()


def test_numpy_reads_our_npz_and_we_read_numpys(tmp_path):
    tg.save({"w": np.arange(3.0)}, tmp_path / "ours.npz")
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as archive:
        assert archive["w"].tolist() == [0, 1, 2]
    np.savez_compressed(tmp_path / "theirs.npz", w=np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert tg.load(tmp_path / "theirs.npz")["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_other_endings_and_other_things_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"m.pt ends in .pt.*Use .safetensors or .npz"):
        tg.save({}, tmp_path / "m.pt")
    with pytest.raises(UsageError, match="'w' is of type str and holds no numbers"):
        tg.save({"w": "text"}, tmp_path / "m.npz")
    with pytest.raises(UsageError, match="cannot name an array"):
        tg.save({3: np.ones(2)}, tmp_path / "m.npz")
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(MissingExtraError, match=r"-m pip install .*\[safetensors\]"):
        tg.save({"w": np.ones(2)}, tmp_path / "m.safetensors")


# -- damage ----------------------------------------------------------------------------------


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_objects_in_an_npz_are_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.npz"
    np.savez(path, w=np.array([_Bomb()], dtype=object))
    with pytest.raises(StateError, match=r"bomb.npz cannot be read.*never objects"):
        tg.load(path)
    path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(StateError, match=r"no .npz file"):
        tg.load(path)
    assert not (tmp_path / "exploded").exists()


def test_an_array_that_claims_more_than_it_has_is_not_allocated(tmp_path):
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    with zipfile.ZipFile(tmp_path / "big.npz", "w") as archive:
        archive.writestr("w.npy", member.getvalue() + b"12345678")
    with pytest.raises(StateError, match="its size is another"):
        tg.load(tmp_path / "big.npz")


def test_a_header_of_safetensors_that_claims_more_than_it_has_is_refused(tmp_path):
    for raw in (b"", b"\xff" * 8, struct.pack("<Q", 10**9) + b"{}", struct.pack("<Q", 2) + b"[]"):
        (tmp_path / "m.safetensors").write_bytes(raw)
        with pytest.raises(StateError, match=r"m.safetensors cannot be read"):
            tg.load(tmp_path / "m.safetensors")


MODEL = nn.Sequential(nn.Linear(3, 4, rng=0), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 1, rng=1))
VALID: dict[str, bytes] = {}


def valid(kind, tmp_path_factory):
    if kind not in VALID:
        path = tmp_path_factory.mktemp("valid") / f"m{kind}"
        tg.save(MODEL.state_dict(), path, metadata={"epoch": "1"})
        VALID[kind] = path.read_bytes()
    return VALID[kind]


@st.composite
def damage(draw):
    """One way to damage a file: a function from bytes to bytes."""
    how = draw(st.sampled_from(["flip", "cut", "insert", "swap", "zero", "repeat"]))
    place, length = draw(st.floats(0, 1)), draw(st.integers(1, 40))
    value = draw(st.binary(min_size=1, max_size=8))

    def apply(raw: bytes) -> bytes:
        at = int(place * (len(raw) - 1))
        if how == "flip":
            return raw[:at] + bytes([raw[at] ^ (value[0] or 1)]) + raw[at + 1 :]
        if how == "cut":
            return raw[:at]
        if how == "insert":
            return raw[:at] + value + raw[at:]
        if how == "swap":
            return raw[:at] + raw[at : at + length][::-1] + raw[at + length :]
        if how == "zero":
            return raw[:at] + bytes(len(raw[at : at + length])) + raw[at + length :]
        return raw[:at] + raw[max(at - length, 0) : at] + raw[at:]

    return apply


@both_kinds
def test_a_damaged_file_is_refused_and_never_half_loaded(kind, tmp_path_factory):
    original = MODEL.state_dict()
    raw = valid(kind, tmp_path_factory)
    path = tmp_path_factory.mktemp("damaged") / f"m{kind}"
    counts = {"refused": 0, "whole": 0}

    @settings(max_examples=600, database=None)
    @given(change=damage())
    def check(change):
        path.write_bytes(change(raw))
        model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 1))
        before = model.state_dict()
        try:
            model.load_state_dict(tg.load(path))
        except StateError as error:
            said, expected = str(error), before
        else:  # the damage was to what nobody reads, such as a date
            said, expected = "", original
        counts["refused" if said else "whole"] += 1
        assert not said or str(path) in said or "does not fit" in said
        for name, value in model.state_dict().items():
            assert np.array_equal(value, expected[name])

    check()
    assert sum(counts.values()) >= 600
    assert counts["refused"] > counts["whole"]


# -- killed ----------------------------------------------------------------------------------


def wait_for_another_file(path):
    """Wait until the file has been replaced once, at most ten seconds."""
    before, begin = path.stat().st_ino, time.monotonic()
    while path.stat().st_ino == before and time.monotonic() - begin < 10:
        time.sleep(0.0002)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@both_kinds
def test_being_killed_while_saving_leaves_the_old_file_or_the_new_one(kind, tmp_path):
    path = tmp_path / f"m{kind}"
    chance = random.Random(0)
    tg.save({"version": np.array(0), "body": np.zeros(20_000)}, path)
    seen = set()
    for _ in range(100):
        first = int(tg.load(path)["version"]) + 1
        with warnings.catch_warnings():
            # From Python 3.12 on it warns where threads run, as pytest-xdist's do; the child
            # takes none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            # JAX, once another test has imported it, warns of every fork.
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
            child = os.fork()
        if child == 0:  # save newer and newer versions until the end
            try:
                for version in itertools.count(first):
                    body = np.full(20_000, float(version))
                    tg.save({"version": np.array(version), "body": body}, path)
            finally:
                os._exit(1)
        if chance.random() < 0.7:  # else perhaps before the first save
            wait_for_another_file(path)
        time.sleep(chance.uniform(0, 0.006))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        values = tg.load(path)
        assert (values["body"] == values["version"]).all()
        assert values["version"] >= first - 1
        seen.add(int(values["version"]))
    assert len(seen) > 10


def test_a_model_is_no_dict_of_arrays(tmp_path):
    with pytest.raises(UsageError, match=r"got a Linear.*Pass its state_dict\(\)"):
        tg.save(nn.Linear(2, 1), tmp_path / "m.npz")


def test_the_ending_may_be_written_in_capitals(tmp_path):
    values = {"w": np.arange(3.0)}
    files.save(values, tmp_path / "W.NPZ")
    assert np.array_equal(files.load(tmp_path / "W.NPZ")["w"], values["w"])


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "models" / "one.npz"
    with pytest.raises(FileNotFoundError) as error:
        tg.save({"w": np.ones(2)}, path)
    text = str(error.value)
    assert text.startswith(f"there is no folder {str(path.parent)!r} to save 'one.npz' in (")
    assert "mkdir(parents=True)" in text
    assert ".tmp" not in text
