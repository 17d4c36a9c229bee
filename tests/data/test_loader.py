"""Data sets and loaders: every sample once, in an order that the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp import Tensor, data
from tinygrad_mlp.errors import DataError, UsageError


def batches(loader):
    return [tuple(part.data for part in batch) for batch in loader]


@given(n=st.integers(1, 20), size=st.integers(1, 25), shuffle=st.booleans(), drop=st.booleans())
def test_every_sample_comes_once_with_its_own_target(n, size, shuffle, drop):
    X, Y = np.arange(n * 2.0).reshape(n, 2), np.arange(n)
    if drop and n < size:
        with pytest.raises(DataError, match="make no batch"):
            data.DataLoader((X, Y), size, shuffle, drop_last=True)
        return
    loader = data.DataLoader((X, Y), size, shuffle, rng=0, drop_last=drop)
    found = batches(loader)
    assert len(found) == len(loader)
    assert all(len(x) == len(y) == size for x, y in found[: n // size])
    y = np.concatenate([y for _, y in found])
    x = np.concatenate([x for x, _ in found])
    assert np.array_equal(x, X[y])
    assert len(set(y.tolist())) == len(y) == (n // size * size if drop else n)
    if not shuffle:
        assert np.array_equal(y, Y[: len(y)])


def test_the_seed_decides_the_orders_and_every_epoch_has_its_own():
    def run(rng):
        loader = data.DataLoader((np.arange(50),), 50, shuffle=True, rng=rng)
        return [next(iter(loader))[0].tolist() for _ in range(3)]

    a, b = run(1), run(np.random.default_rng(1))
    assert a == b
    assert len({tuple(order) for order in a}) == 3
    assert run(2) != a


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_can_begin_in_its_middle(shuffle):
    whole = batches(data.DataLoader((np.arange(10),), 3, shuffle, rng=5))
    rest = batches(data.DataLoader((np.arange(10),), 3, shuffle, rng=5).epoch(skip=2))
    assert [x.tolist() for (x,) in rest] == [x.tolist() for (x,) in whole[2:]]


def test_batches_are_tensors_that_nobody_else_can_change():
    X = np.arange(4.0)
    for shuffle in (False, True):
        for (x,) in data.DataLoader((X,), 2, shuffle, rng=0):
            assert type(x) is Tensor
            x.data[:] = -1
    assert X.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("shuffle", [False, True])
def test_files_mapped_into_memory_are_read_batch_by_batch(tmp_path, shuffle):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(6, 2))
    X = np.load(tmp_path / "x.npy", mmap_mode="r")
    memory = batches(data.DataLoader((np.array(X), np.arange(6)), 4, shuffle, rng=3))
    disk = batches(data.DataLoader((X, np.arange(6)), 4, shuffle, rng=3))
    for (a, i), (b, j) in zip(memory, disk, strict=True):
        assert type(b) is np.ndarray
        assert np.array_equal(a, b)
        assert np.array_equal(i, j)


def test_samples_by_number_and_iterables_are_stacked():
    class Squares:
        def __len__(self):
            return 5

        def __getitem__(self, i):
            return np.array([i, i * i]), i % 2

    class Stream:
        def __iter__(self):
            return ((np.full(2, float(i)), Tensor(i)) for i in range(5))

    x, y = batches(data.DataLoader(Squares(), 3))[1]
    assert x.tolist() == [[3, 9], [4, 16]]
    assert y.tolist() == [1, 0]
    assert sorted(np.concatenate([x[:, 0] for x, _ in data.DataLoader(Squares(), 2, True)])) == [
        0, 1, 2, 3, 4,
    ]  # fmt: skip
    loader = data.DataLoader(Stream(), 2)
    for _ in range(2):
        assert [len(x) for x, _ in loader] == [2, 2, 1]
    assert [len(x) for x, _ in data.DataLoader(Stream(), 2, drop_last=True)] == [2, 2]
    assert [x.data[0, 0] for x, _ in loader.epoch(skip=1)] == [2, 4]


def test_what_cannot_be_a_data_set_is_said():
    with pytest.raises(DataError, match="arrays of 3, 2 samples"):
        data.ArrayDataset(np.ones(3), np.ones(2))
    with pytest.raises(DataError, match="single number"):
        data.ArrayDataset(3.0)
    with pytest.raises(DataError, match="of nothing"):
        data.ArrayDataset()
    with pytest.raises(UsageError, match="batch_size is 0"):
        data.DataLoader((np.ones(3),), 0)
    with pytest.raises(DataError, match="used up after one epoch"):
        data.DataLoader(iter([(1, 2)]), 1)
    with pytest.raises(UsageError, match="cannot be shuffled"):
        data.DataLoader({1, 2}, 1, shuffle=True)
    with pytest.raises(UsageError, match="a int is no data set"):
        data.DataLoader(3, 1)
    with pytest.raises(UsageError, match=r"Pass a tuple, \(X, Y\)"):
        data.DataLoader([np.ones(3), np.ones(3)], 1)
    with pytest.raises(DataError, match="different numbers of parts"):
        list(data.DataLoader([(1, 2), (1,)], 2))


# -- splitting and making --------------------------------------------------------------------


@given(n=st.integers(2, 60), share=st.floats(0.2, 0.8), seed=st.integers(0, 50))
def test_a_split_puts_every_sample_on_one_side(n, share, seed):
    if not 0 < round(n * share) < n:
        return
    (a, ay), (b, by) = data.split(np.arange(n), -np.arange(n), validation=share, rng=seed)
    assert sorted([*a, *b]) == list(range(n))
    assert np.array_equal(ay, -a)
    assert np.array_equal(by, -b)
    assert len(b) == round(n * share)


@given(seed=st.integers(0, 50), counts=st.lists(st.integers(3, 30), min_size=2, max_size=4))
def test_a_stratified_split_keeps_the_shares(seed, counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    (train, _), (held, _) = data.split(
        labels, np.arange(len(labels)), validation=1 / 3, rng=seed, stratify=labels
    )
    for label, count in enumerate(counts):
        assert abs((held == label).sum() - count / 3) <= 1.5
    assert len(train) + len(held) == len(labels)


def test_a_split_takes_a_share_or_a_number_and_nothing_else():
    assert len(data.split(np.arange(10), validation=np.int64(3))[1][0]) == 3
    assert len(data.split(np.arange(10), validation=np.float32(0.25))[1][0]) == 2
    for wrong in (True, "0.2", None):
        with pytest.raises(UsageError, match="a share of the samples, or their number"):
            data.split(np.arange(10), validation=wrong)


def test_a_split_with_an_empty_side_is_refused():
    with pytest.raises(UsageError, match="both sides need samples"):
        data.split(np.ones(3), validation=0.01)


@pytest.mark.parametrize("make", [data.moons, data.circles, data.spirals, data.blobs])
def test_generated_classes_are_balanced_and_by_seed(make):
    X, Y = make(300, rng=4)
    again, _ = make(300, rng=np.random.default_rng(4))
    assert X.shape == (300, 2)
    assert X.dtype == np.float64
    assert Y.dtype.kind == "i"
    assert np.array_equal(X, again)
    assert np.ptp(np.bincount(Y)) == 0


def test_generated_sums_curves_and_tables():
    X, Y = data.sum_of_two(10, rng=0)
    assert X.max() < 0.5
    assert np.array_equal(Y[:, 0], X[:, 0] + X[:, 1])
    X, Y = data.sine(1000, noise=0.0, rng=0)
    assert np.array_equal(Y, np.sin(X))
    assert data.xor()[1].shape == (4, 1)
    inner = data.circles(100, noise=0.0, rng=0)
    assert np.allclose(np.hypot(*inner[0].T), np.where(inner[1] == 0, 1, 0.5))


def test_inputs_and_targets_are_passed_together():
    x, y = np.ones((4, 2)), np.ones(4)
    for wrong in (y, y.tolist(), Tensor(y)):
        with pytest.raises(
            UsageError, match=r"Write DataLoader\(\(X, Y\), batch_size=32\)"
        ) as error:
            data.DataLoader(x, wrong)
        assert "[1" not in str(error.value)


def test_the_share_to_validate_on_has_a_name():
    with pytest.raises(UsageError, match=r"Write split\(X, Y, validation=0.2\)"):
        data.split(np.ones((4, 2)), np.ones(4), 0.2)
