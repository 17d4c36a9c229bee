"""An interrupted training that goes on ends as one that was never interrupted, bit for bit."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from random import Random

import numpy as np
import pytest

from tinygrad_mlp import data, load, nn, optim
from tinygrad_mlp.errors import StateError
from tinygrad_mlp.training import (
    BestWeights,
    Callback,
    Checkpoint,
    EarlyStopping,
    ReduceOnPlateau,
    fit,
)

X, Y = data.moons(60, rng=0)
EPOCHS, BATCH = 5, 8  # 8 steps each: 40 in all


class Interrupt(Exception):  # noqa: N818
    pass


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def after(self, run):
        if run.step == self.step:
            raise Interrupt


def train(path=None, every=3, stop=None, shared=False, epochs=EPOCHS, **options):
    """A training with everything in it that remembers something."""
    rng = np.random.default_rng(7)
    drops = rng if shared else np.random.default_rng(8)
    net = nn.Sequential(
        nn.Linear(2, 8, rng=rng), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2, rng=drops),
        nn.Linear(8, 2, rng=rng),
    )  # fmt: skip
    optimizer = optim.AdamW(net.parameters(), lr=0.02)
    history = fit(
        net, (X, Y), loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs,
        batch_size=BATCH, shuffle=True, rng=rng, validation=(X, Y),
        schedule=optim.warm_up(5, optim.cosine(35), 0.1), keep_best=True,
        early_stopping=EarlyStopping(3),
        callbacks=[StopAt(stop)],
        checkpoint=None if path is None else Checkpoint(path, every, resume=True),
        **options,
    )  # fmt: skip
    return net.state_dict(), optimizer.state_dict(), history.to_dict()


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return np.array_equal(a, b)


WHOLE = {shared: train(shared=shared) for shared in (False, True)}


@pytest.mark.parametrize("shared", [False, True], ids=["two generators", "one for all"])
@pytest.mark.parametrize("stop", sorted(Random(1).sample(range(1, EPOCHS * BATCH), 20)))
def test_interrupted_at_any_step_and_resumed(tmp_path, stop, shared):
    path = tmp_path / "run.npz"
    with pytest.raises(Interrupt):
        train(path, every=stop % 5 + 1, stop=stop, shared=shared)
    assert same(train(path, shared=shared), WHOLE[shared])


def test_interrupted_again_and_again(tmp_path):
    for stop in (4, 5, 17, 18, 39):
        with pytest.raises(Interrupt):
            train(tmp_path / "run.npz", every=2, stop=stop)
    assert same(train(tmp_path / "run.npz", every=2), WHOLE[False])


def test_a_finished_training_is_finished_and_can_be_made_longer(tmp_path):
    path = tmp_path / "run.npz"
    finished = train(path)
    assert same(finished, WHOLE[False])
    assert same(train(path), finished)
    longer = train(path, epochs=EPOCHS + 2)
    assert len(longer[2]["loss"]) == EPOCHS + 2
    assert longer[2]["loss"][:EPOCHS] == finished[2]["loss"]


def test_a_checkpoint_of_another_training_changes_nothing(tmp_path):
    path = tmp_path / "run.npz"
    train(path)
    net = nn.Linear(2, 2)
    before = net.state_dict()

    def go(net, **options):
        fit(net, (X, Y), loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(net.parameters(), lr=0.1),
            checkpoint=Checkpoint(path, resume=True), **options)  # fmt: skip

    with pytest.raises(StateError, match="belongs to another training"):
        go(net, batch_size=3)
    from tinygrad_mlp import save

    save({"w": np.ones(2)}, path)
    with pytest.raises(StateError, match="is no checkpoint"):
        go(net)
    assert same(net.state_dict(), before)
    assert load(path).keys() == {"w"}


SCRIPT = """
import sys
import numpy as np
import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import Checkpoint
path, out = sys.argv[1:]
rng = np.random.default_rng(0)
X, Y = data.moons(200, rng=rng)
net = nn.Sequential(nn.Linear(2, 16, rng=rng), nn.Tanh(), nn.Dropout(0.1, rng=rng),
                    nn.Linear(16, 2, rng=rng))
tg.fit(net, (X, Y), loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(net.parameters()), epochs=25,
       batch_size=10, shuffle=True, rng=rng, checkpoint=Checkpoint(path, 7, resume=True))
tg.save(net.state_dict(), out)
"""


def wait_for_another(path, process):
    """Wait until the file has been written or replaced once more, or the process is done."""

    def number():
        return path.stat().st_ino if path.exists() else None

    before = number()
    while number() == before and process.poll() is None:
        time.sleep(0.0002)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_any_moment_and_started_again(tmp_path):
    def start(name):
        command = [
            sys.executable,
            "-c",
            SCRIPT,
            tmp_path / f"{name}.run.npz",
            tmp_path / f"{name}.npz",
        ]
        return subprocess.Popen(command)

    assert start("whole").wait(timeout=120) == 0
    chance, checkpoint = Random(3), tmp_path / "killed.run.npz"
    kills = 0
    for _ in range(6):
        process = start("killed")
        for _ in range(chance.randint(1, 8)):
            wait_for_another(checkpoint, process)
        time.sleep(chance.uniform(0, 0.003))
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert start("killed").wait(timeout=120) == 0
    assert kills >= 3
    assert same(load(tmp_path / "killed.npz"), load(tmp_path / "whole.npz"))


@pytest.mark.parametrize("first", [False, True], ids=["checkpoint last", "checkpoint first"])
def test_rates_and_what_was_best_go_on_too_wherever_the_checkpoint_stands(tmp_path, first):
    def go(path=None, stop=None, epochs=12):
        net = nn.Linear(2, 2, rng=0)
        optimizer = optim.SGD(net.parameters(), lr=30.0, momentum=0.9)
        rates = []
        saving = [] if path is None else [Checkpoint(path, 2, resume=True)]
        others = [
            ReduceOnPlateau(0.5, patience=2), EarlyStopping(7), BestWeights(), StopAt(stop),
            lambda run: rates.append(optimizer.lr),
        ]  # fmt: skip
        callbacks = [*saving, *others] if first else [*others, *saving]
        history = fit(
            net, (X, Y), loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs,
            batch_size=20, callbacks=callbacks,
        )  # fmt: skip
        assert optimizer.lr == 30.0
        return net.state_dict(), history.to_dict(), rates

    whole = go()
    assert whole[2][-1] < 30.0
    with pytest.raises(Interrupt):
        go(tmp_path / "run.npz", stop=23)
    weights, history, rates = go(tmp_path / "run.npz")
    assert same((weights, history), whole[:2])
    assert rates == whole[2][-len(rates) :]
