"""fit: the same as the loop by hand, whatever is asked for besides."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, data, nn, optim
from tinygrad_mlp.errors import (
    CaptureError,
    DataError,
    GraphError,
    ShapeError,
    TrainingWarning,
    UsageError,
)
from tinygrad_mlp.training import (
    BestWeights,
    Callback,
    Checkpoint,
    EarlyStopping,
    ReduceOnPlateau,
    accuracy,
    classes,
    confusion,
    evaluate,
    fit,
    predict,
    r2,
)

X, Y = data.sine(40, rng=0)


def model(seed=0, **options):
    return nn.MLP(1, [8], 1, activation=nn.Tanh, output_activation=None, rng=seed, **options)


def by_hand(net, optimizer, epochs, batch_size, rng=None):
    loader = data.DataLoader((X, Y), batch_size, shuffle=rng is not None, rng=rng)
    loss_fn, losses = nn.MSELoss(), []
    for _ in range(epochs):
        total = 0.0
        for x, y in loader:
            loss = loss_fn(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        losses.append(total / len(X))
    return losses


@pytest.mark.parametrize("shuffled", [False, True])
def test_fit_is_the_loop_by_hand_bit_for_bit(shuffled):
    a, b = model(), model()
    one, two = optim.Adam(a.parameters(), lr=0.01), optim.Adam(b.parameters(), lr=0.01)
    losses = by_hand(a, one, 5, 7, rng=3 if shuffled else None)
    history = tg.fit(
        b, (X, Y), loss=nn.MSELoss(), optimizer=two, epochs=5, batch_size=7,
        shuffle=shuffled, rng=3,
    )  # fmt: skip
    assert history.loss == losses
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert np.array_equal(p.data, q.data)


def run(net=None, **options):
    net = net or model()
    options = {"epochs": 4, "batch_size": 8, **options}
    optimizer = options.pop("optimizer", None) or optim.SGD(net.parameters(), lr=0.1)
    loss = options.pop("loss", nn.MSELoss())
    return fit(net, (X, Y), loss=loss, optimizer=optimizer, **options)


def test_the_same_seed_is_the_same_run_bit_for_bit():
    nets = [nn.Sequential(nn.Linear(1, 8, rng=1), nn.Dropout(0.2, rng=2), nn.Linear(8, 1, rng=3))
            for _ in range(2)]  # fmt: skip
    histories = [run(net, shuffle=True, rng=5) for net in nets]
    assert histories[0].loss == histories[1].loss


def test_accumulation_takes_the_same_steps():
    whole, parts = model(), model()
    a, b = run(whole), run(parts, accumulate=3)
    assert np.allclose(a.loss, b.loss, rtol=1e-12)
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        assert np.allclose(p.data, q.data, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(reduction="sum"),
        nn.CrossEntropyLoss(weight=[0.1, 1.0, 5.0]),
        nn.CrossEntropyLoss(weight=[0.1, 1.0, 5.0], reduction="sum"),
        nn.CrossEntropyLoss(ignore_index=2),
        nn.CrossEntropyLoss(weight=[0.1, 1.0, 5.0], ignore_index=0, label_smoothing=0.1),
        nn.NLLLoss(weight=[0.1, 1.0, 5.0]),
    ],
)
@pytest.mark.parametrize("compile", [False, "numpy"])
def test_accumulation_takes_the_same_steps_whatever_the_loss_reduces_to(loss, compile):
    rng = np.random.default_rng(0)
    data_set = rng.normal(size=(24, 2)), rng.permutation(24) % 3
    ends = []
    for parts in (1, 3):
        net = nn.MLP(2, [4], 3, output_activation=None, rng=0)
        optimizer = optim.SGD(net.parameters(), lr=0.02)
        history = fit(net, data_set, loss=loss, optimizer=optimizer, epochs=3, batch_size=8,
                      accumulate=parts, compile=compile)  # fmt: skip
        ends.append([*history.loss, *net[0].weight.data.flat])
    assert np.allclose(*ends, rtol=1e-10, atol=1e-12)


def test_accumulation_asks_for_a_number_of_parts_and_for_a_tensor():
    with pytest.raises(UsageError, match=r"accumulate is 0"):
        run(accumulate=0)
    with pytest.raises(UsageError, match=r"the loss gave a float, not a tensor"):
        run(accumulate=2, loss=lambda p, t: ((p - t) ** 2).mean().item())


def test_clipping_bounds_the_step():
    net = model()
    before = net.state_dict()
    run(net, epochs=1, batch_size=40, clip_norm=0.01)
    moved = sum(((net.state_dict()[k] - v) ** 2).sum() for k, v in before.items()) ** 0.5
    assert moved == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_a_schedule_sets_the_rate_before_every_step_in_every_group():
    net = model()
    first, *rest = net.parameters()
    optimizer = optim.SGD([{"params": first, "lr": 1.0}, {"params": rest}], lr=0.1)
    seen = []

    class Watch(Callback):
        def after(self, run):
            seen.append([group.lr for group in run.optimizer.groups])

    run(net, optimizer=optimizer, schedule=optim.step_decay(5, 0.5), epochs=2, callbacks=[Watch()])
    assert seen == [[0.5 ** (i // 5), 0.1 * 0.5 ** (i // 5)] for i in range(10)]


@pytest.mark.parametrize("compile", [False, "auto"])
@pytest.mark.parametrize(
    "make", [optim.SGD, optim.Adam, lambda p, lr: optim.SGD(p, lr, momentum=0.9)]
)
def test_a_schedule_in_numbers_of_numpy_leaves_float32_weights_float32(make, compile):
    net = model(dtype=np.float32)
    optimizer = make(net.parameters(), lr=0.01)
    data_set = X.astype(np.float32), Y.astype(np.float32)
    fit(net, data_set, loss=nn.MSELoss(), optimizer=optimizer, batch_size=8, epochs=2,
        schedule=lambda s: 0.5 * (1 + np.cos(s)), compile=compile)  # fmt: skip
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float32)}


def test_after_a_schedule_the_rates_are_what_they_were():
    def stop(run):
        raise KeyboardInterrupt

    net = model()
    first, *rest = net.parameters()
    optimizer = optim.SGD([{"params": first, "lr": 1.0}, {"params": rest}], lr=0.1)
    for _ in range(2):
        run(net, optimizer=optimizer, schedule=optim.cosine(20))
        assert [group.lr for group in optimizer.groups] == [1.0, 0.1]
    with pytest.raises(KeyboardInterrupt):
        run(net, optimizer=optimizer, schedule=optim.cosine(20), callbacks=[stop])
    assert [group.lr for group in optimizer.groups] == [1.0, 0.1]


def test_rates_become_smaller_where_the_loss_stays():
    values = iter([3.0, 2.0, 2.1, 2.2, 2.3, 1.0, 1.1, 1.2, 1.3, 1.4])
    rates = []

    class Fake(Callback):
        def epoch(self, run):
            run.numbers["score"] = next(values)

    net = model()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    plateau = ReduceOnPlateau(0.5, patience=2, min_lr=0.02, monitor="score")
    run(net, optimizer=optimizer, epochs=10,
        callbacks=[Fake(), plateau, lambda _: rates.append(optimizer.lr)])  # fmt: skip
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.02]
    assert optimizer.lr == 0.1
    with pytest.raises(UsageError, match="beside a schedule"):
        run(callbacks=[ReduceOnPlateau()], schedule=optim.cosine(10))
    with pytest.raises(UsageError, match="factor is 1"):
        ReduceOnPlateau(1.0)


def test_rates_become_smaller_as_in_pytorch():
    from tests.conftest import needs

    torch = needs("torch")
    values = np.random.default_rng(0).normal(size=40).cumsum().tolist()
    theirs = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.7, patience=2, threshold=0.1, threshold_mode="abs", min_lr=0.02
    )
    expected = []
    for value in values:
        scheduler.step(value)
        expected.append(theirs.param_groups[0]["lr"])
    rates, left = [], iter(values)

    class Fake(Callback):
        def epoch(self, run):
            run.numbers["score"] = next(left)

    net = model()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    plateau = ReduceOnPlateau(0.7, patience=3, min_lr=0.02, min_delta=0.1, monitor="score")
    run(net, optimizer=optimizer, epochs=40, batch_size=40,
        callbacks=[Fake(), plateau, lambda _: rates.append(optimizer.lr)])  # fmt: skip
    assert np.allclose(rates, expected, rtol=1e-12)


def test_validation_metrics_and_a_table_of_it_all(tmp_path):
    history = run(validation=(X, Y), metrics=[r2])
    assert list(history) == ["loss", "val_loss", "val_r2"]
    assert len(history) == 4
    history.to_csv(tmp_path / "h.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "h.csv").read_text())))
    assert [float(row["val_loss"]) for row in rows] == history.val_loss
    assert rows[3]["epoch"] == "4"
    assert history.to_dict()["loss"] == history["loss"]
    assert history._repr_svg_().count("<polyline") == 3
    named = run(validation=(X, Y), metrics={"error": lambda p, t: np.abs(p - t).max()})
    assert "val_error" in named
    with pytest.raises(UsageError, match=r"Pass validation=\(X, Y\)"):
        run(metrics=[r2])


def test_validation_runs_in_use_training_in_training_mode_and_both_are_put_back():
    modes = []

    class Spy(nn.Module):
        def forward(self, x):
            modes.append((self.training, tg.autodiff.grad_enabled.get()))
            return x

    net = nn.Sequential(nn.Linear(1, 1), Spy())
    net.eval()
    run(net, epochs=2, batch_size=40, validation=(X, Y))
    assert modes == [(True, True), (False, False)] * 2
    assert not net[1].training


def test_early_stopping_and_the_best_weights():
    values = iter([3.0, 2.0, 2.5, 2.6, 2.7, 1.0])
    states = []

    class Fake(Callback):
        def epoch(self, run):
            run.numbers["score"] = next(values)
            states.append(run.model.state_dict())

    net = model()
    stop, best = EarlyStopping(2, monitor="score"), BestWeights(monitor="score")
    history = run(net, epochs=6, callbacks=[Fake(), stop, best])
    assert len(history) == 4
    assert best.best_epoch == 2
    assert all(np.array_equal(v, states[1][k]) for k, v in net.state_dict().items())
    with pytest.raises(UsageError, match="looks at 'val_loss', which is not in the history"):
        run(callbacks=[EarlyStopping(monitor="val_loss")])


def test_what_looks_for_the_best_epoch_begins_anew_with_every_training():
    class Fake(Callback):
        def __init__(self, values):
            self.values = iter(values)

        def epoch(self, run):
            run.numbers["score"] = next(self.values)

    net = model()
    stop, best = EarlyStopping(2, monitor="score"), BestWeights(monitor="score")
    run(net, epochs=3, callbacks=[Fake([3.0, 2.0, 1.0]), stop, best])
    states = []
    history = run(
        net, epochs=4, callbacks=[
            Fake([9.0, 8.0, 7.0, 6.0]), stop, best, lambda r: states.append(r.model.state_dict()),
        ],
    )  # fmt: skip
    assert len(history) == 4
    assert best.best_epoch == 4
    assert all(np.array_equal(v, states[-1][k]) for k, v in net.state_dict().items())


def test_early_stopping_as_an_argument_looks_at_the_validation_loss():
    history = run(epochs=50, validation=(X, -Y), early_stopping=3, keep_best=True)
    assert len(history) < 50
    assert np.argmin(history.val_loss) == len(history) - 4


def test_a_plain_function_is_told_of_every_epoch():
    seen = []
    run(callbacks=[lambda run: seen.append((run.epoch, run.step))])
    assert seen == [(1, 5), (2, 10), (3, 15), (4, 20)]
    with pytest.raises(UsageError, match=r"Write EarlyStopping\(\)"):
        run(callbacks=[EarlyStopping])
    with pytest.raises(UsageError, match="of type int"):
        run(callbacks=[3])


def test_data_without_targets_says_so_and_sets_may_be_given_in_every_form():
    net = model()
    with pytest.raises(DataError, match="no target"):
        fit(net, X, loss=nn.MSELoss(), optimizer=optim.SGD(net.parameters(), lr=0.1))
    found = [evaluate(net, given, nn.MSELoss())["loss"]
             for given in ((X, Y), data.ArrayDataset(X, Y), data.DataLoader((X, Y)))]  # fmt: skip
    assert len(set(found)) == 1
    with pytest.raises(ShapeError, match="needs one number"):
        run(net, loss=nn.MSELoss(reduction="none"))


def test_evaluation_uses_every_sample_once_however_the_data_is_given():
    class Stream:
        def __iter__(self):
            return iter(zip(X, Y, strict=True))

    net, samples = model(), list(zip(X, Y, strict=True))
    expected = evaluate(net, (X, Y), nn.MSELoss(), [r2])
    for given in (
        samples,
        Stream(),
        data.DataLoader(samples, 7),
        data.DataLoader(samples, 7, shuffle=True, drop_last=True, rng=0),
        data.DataLoader(Stream(), 7),
        data.DataLoader((X, Y), 7, shuffle=True, drop_last=True, rng=0),
    ):
        before = given.rng.bit_generator.state if isinstance(given, data.DataLoader) else None
        assert evaluate(net, given, nn.MSELoss(), [r2]) == pytest.approx(expected, rel=1e-12)
        history = run(net, epochs=1, validation=given, optimizer=optim.SGD(net.parameters(), lr=0))
        assert history.val_loss == pytest.approx([expected["loss"]], rel=1e-12)
        if before is not None:
            assert given.rng.bit_generator.state == before
    with pytest.raises(DataError, match="no target"):
        evaluate(net, (X,), nn.MSELoss())


def test_whole_numbers_in_lists_stay_whole():
    net = nn.MLP(2, [4], 3, output_activation=None, rng=0)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    points, classes_ = [[0, 1], [1, 0], [1, 1]], [0, 2, 1]
    for targets in (classes_, np.eye(3, dtype=int)[classes_].tolist()):
        history = fit(net, (points, targets), loss=nn.CrossEntropyLoss(), optimizer=optimizer,
                      epochs=3, validation=(points, targets))  # fmt: skip
        assert history.loss[-1] < history.loss[0]
    words = nn.Sequential(nn.Embedding(4, 2, rng=0), nn.Flatten(), nn.Linear(4, 1, rng=0))
    fit(words, ([[0, 1], [2, 3]], [[0], [1]]), loss=nn.MSELoss(), compile="auto", epochs=4,
        optimizer=optim.SGD(words.parameters(), lr=0.1))  # fmt: skip


def test_after_training_every_module_is_in_the_mode_in_which_it_was():
    net = nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.5, rng=0), nn.Linear(4, 1))
    net.eval()
    net[0].train()
    run(net)
    assert [module.training for module in net.modules()] == [False, True, False, False]
    with pytest.raises(ShapeError):
        fit(net, (X, Y[:, 0]), loss=nn.MSELoss(), optimizer=optim.SGD(net.parameters(), lr=0.1))
    assert [module.training for module in net.modules()] == [False, True, False, False]


def test_a_history_says_what_it_has():
    history = run()
    assert history["val_loss"] == history.val_loss == []
    with pytest.raises(UsageError, match=r"'val_r2' is not in the history.*It has loss; for val_"):
        history["val_r2"]


def test_an_optimiser_that_was_not_made_is_asked_for():
    net = nn.Linear(1, 1)
    with pytest.raises(UsageError, match=r"optim\.Adam\(model\.parameters\(\)"):
        fit(net, (X, Y), loss=nn.MSELoss(), optimizer=optim.Adam)


def test_a_loss_that_is_a_plain_number_is_refused():
    net = nn.Linear(1, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(UsageError, match=r"gave a float, not a tensor.*\.item\(\)"):
        fit(net, (np.ones((2, 1)), np.ones((2, 1))), optimizer=optimizer,
            loss=lambda p, t: ((p - t) ** 2).mean().item())  # fmt: skip


def test_the_loss_is_not_called_what_the_history_is():
    net = nn.Linear(1, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    with pytest.warns(tg.errors.TrainingWarning, match="^'loss' is nan"):
        history = tg.fit(
            net, (np.full((1, 1), np.nan), np.ones((1, 1))), loss=nn.MSELoss(),
            optimizer=optimizer, stop_on_nan=False,
        )  # fmt: skip
    assert len(history) == 1


def test_several_inputs_and_a_loader_of_ones_own():
    class Two(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Linear(1, 1, rng=0), nn.Linear(1, 1, rng=1)

        def forward(self, x, z):
            return self.a(x) + self.b(z)

    net = Two()
    loader = data.DataLoader((X, X**2, Y), 10)
    optimizer = optim.SGD(net.parameters(), lr=0.002)
    history = fit(net, loader, loss=nn.MSELoss(), optimizer=optimizer, epochs=20,
                  validation=(X, X**2, Y))  # fmt: skip
    assert history.loss[-1] < history.loss[0]


def test_an_iterable_of_samples():
    class Stream:
        def __iter__(self):
            return zip(X, Y, strict=True)

    net = model()
    history = fit(net, data.DataLoader(Stream(), 8), loss=nn.MSELoss(), epochs=4,
                  optimizer=optim.SGD(net.parameters(), lr=0.1), progress=True)  # fmt: skip
    assert history.loss == run().loss


def test_compiled_steps_are_the_eager_ones():
    a, b = model(), model()
    assert run(a, compile="numpy").loss == run(b).loss
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert np.array_equal(p.data, q.data)
    steps = []
    run(compile=lambda step: lambda *xs: (steps.append(1), step(*xs))[1])
    assert len(steps) == 20


def test_the_bar_is_silent_where_nobody_watches_and_shows_loss_and_rate_on_demand(capsys):
    run()
    assert capsys.readouterr() == ("", "")
    run(progress=True)
    shown = capsys.readouterr().err
    assert "20/20" in shown
    assert "loss " in shown
    assert "step/s" in shown


def test_without_a_bar_tqdm_is_not_imported():
    code = (
        "import sys, numpy as np, tinygrad_mlp as tg; from tinygrad_mlp import nn, optim; "
        "m = nn.Linear(1, 1); tg.fit(m, (np.ones((4, 1)),) * 2, loss=nn.MSELoss(), "
        "optimizer=optim.SGD(m.parameters(), lr=0.1)); print('tqdm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert done.stderr == ""


# -- metrics ---------------------------------------------------------------------------------


def test_classes_of_all_the_ways_to_say_them():
    assert classes(np.array([[0.1, 0.9], [2.0, 1.0]])).tolist() == [1, 0]
    assert classes(np.array([[0.7], [0.5], [0.2]])).tolist() == [1, 1, 0]
    assert classes(Tensor([0.7, 0.2])).tolist() == [1, 0]
    assert classes(np.array([-1.0, 1.0]), threshold=0).tolist() == [0, 1]
    assert classes(np.array([2, 0])).tolist() == [2, 0]
    one_hot = np.eye(3)[[0, 2, 1]]
    assert accuracy(one_hot, np.array([0, 2, 2])) == pytest.approx(2 / 3)
    assert accuracy(np.array([[0.6], [0.4]]), np.array([[1.0], [1.0]])) == 0.5


# ------------------------------------------------------------------ losses that are no numbers


def diverging(**options):
    net = model()
    optimizer = optim.SGD(net.parameters(), lr=options.pop("lr", 1000.0))
    settings = {"loss": nn.MSELoss(), "optimizer": optimizer, "epochs": 300, "batch_size": 8}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fit(net, (X, Y), **{**settings, **options})
    return net, history, caught


@pytest.mark.parametrize("options", [{}, {"accumulate": 2}, {"compile": "numpy"}])
def test_a_loss_that_is_no_number_stops_the_training_and_says_where(options):
    seen = []
    _, history, caught = diverging(callbacks=[seen.append], **options)
    (warning,) = caught
    assert warning.category is TrainingWarning
    assert warning.filename == __file__
    text = str(warning.message)
    assert re.match(
        rf"fit\(\) stopped: the loss is (inf|nan) at epoch {len(history)}, batch \d, "
        r"with lr=1000 \(test_fit.py:\d+\): once it is no finite number, no step "
        r"makes it smaller\. Use lr=0\.1, or clip_norm=1\.0; in tg\.detect_anomaly\(\) the op "
        r"that began it is named\.",
        text,
    ), text
    assert 1 < len(history) < 300
    assert np.isfinite(history.loss[:-1]).all()
    assert not np.isfinite(history.loss[-1])
    assert len(seen) == len(history) - 1
    assert "<svg" in history.svg


def test_a_loss_that_is_no_number_leaves_the_weights_and_the_best_ones(tmp_path):
    bad = np.where(np.arange(40)[:, None] == 20, np.nan, X)
    net, optimizer = model(), None
    before = net.state_dict()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    with pytest.warns(TrainingWarning, match=r"epoch 1, batch 3 \("):
        history = fit(net, (bad, Y), loss=nn.MSELoss(), optimizer=optimizer, batch_size=8, epochs=3)
    assert len(history) == 1
    assert all(np.isfinite(p.data).all() for p in net.parameters())
    assert any((p != before[name]).any() for name, p in net.state_dict().items())
    checkpoint = Checkpoint(tmp_path / "run.npz", every=3)
    net, history, _ = diverging(keep_best=True, checkpoint=checkpoint, validation=(X, Y))
    assert len(history.val_loss) == len(history) - 1
    assert evaluate(net, (X, Y), nn.MSELoss())["loss"] == min(history.val_loss)
    assert all(np.isfinite(v).all() for v in tg.load(tmp_path / "run.npz").values())


def test_a_compiled_step_is_taken_before_its_loss_is_known_and_the_best_weights_help():
    bad = np.where(np.arange(40)[:, None] == 36, np.nan, X)
    loss = nn.MSELoss()
    nets = [model() for _ in range(3)]
    for net, options in zip(
        nets, ({}, {"compile": "numpy"}, {"compile": "numpy", "keep_best": True}), strict=True
    ):
        loader = data.DataLoader((X, Y), 8)
        spoil = Spoil(loader, bad)
        with pytest.warns(TrainingWarning, match=r"epoch 3, batch 5"):
            fit(net, loader, loss=loss, optimizer=optim.SGD(net.parameters(), lr=0.1), epochs=5,
                callbacks=[spoil], **options)  # fmt: skip
    finite = [all(np.isfinite(p.data).all() for p in net.parameters()) for net in nets]
    assert finite == [True, False, True]


class Spoil(Callback):
    """Puts other numbers into a set after the second epoch."""

    def __init__(self, loader, other):
        self.loader, self.other = loader, other

    def epoch(self, run):
        if run.epoch == 2:
            self.loader.dataset.arrays = (self.other, *self.loader.dataset.arrays[1:])


@pytest.mark.parametrize("options", [{}, {"compile": "numpy"}])
def test_the_optimiser_of_another_model_is_found_out(options):
    with pytest.raises(UsageError, match=r"none of the parameters of this Seq.*Make it anew"):
        fit(nn.Sequential(nn.Linear(1, 1)), (X, Y), loss=nn.MSELoss(),
            optimizer=optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1), **options)  # fmt: skip


def test_a_step_without_gradients_is_not_said_to_be_of_another_model():
    net = model()
    with pytest.raises(GraphError, match="none of the"):
        fit(net, (X, Y), loss=lambda p, t: tg.Tensor(1.0, requires_grad=True) * 2,
            optimizer=optim.SGD(net.parameters(), lr=0.1))  # fmt: skip


NOBODY = optim.SGD([Tensor(1.0, requires_grad=True)])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"loss": "mse"}, r"the loss is the text 'mse'.*Pass nn.MSELoss\(\)"),
        ({"loss": "binary_crossentropy"}, r"Pass nn.BCEWithLogitsLoss\(\)"),
        ({"loss": nn.L1Loss}, r"the loss is the class L1Loss.*Write L1Loss\(\)"),
        (
            {"net": nn.Linear, "optimizer": NOBODY},
            r"fit\(\) got the class Linear.*Write model = Linear\(…\)",
        ),
        ({"net": np.exp, "optimizer": NOBODY}, r"fit\(\) got a ufunc as its model"),
        ({"loss": None}, "the loss is of type NoneType"),
        ({"metrics": ["accuracy"]}, r"the text 'accuracy'.*Write metrics=\[training.accuracy\]"),
        ({"metrics": "r2"}, r"the text 'r2'.*Write metrics=\[training.r2\]"),
        ({"metrics": r2}, r"metrics is r2 itself.*metrics=\[r2\], in a list"),
        ({"metrics": {"score": 1}}, "a metric is of type int"),
        ({"metrics": 1}, "a metric is of type int"),
        ({"validation": 0.3}, r"validation=0.3.*data.split\(X, Y, validation=0.3, rng=0\)"),
        ({"validation": True}, r"data.split\(X, Y, validation=0.2, rng=0\)"),
    ],
)
def test_what_is_written_as_elsewhere_is_refused_with_the_line_to_write(options, text):
    with pytest.raises(UsageError, match=text):
        run(**{"validation": (X, Y), **options})


def test_inputs_and_targets_are_passed_together():
    net = model()
    with pytest.raises(UsageError, match=r"Write fit\(model, \(X, Y\), loss=…, optimizer=…\)"):
        fit(net, X, Y, loss=nn.MSELoss(), optimizer=optim.SGD(net.parameters(), lr=0.1))
    with pytest.raises(UsageError, match="the loss is of type ndarray"):
        evaluate(net, X, Y, nn.MSELoss())


def test_a_loss_that_is_no_number_from_the_first_step_is_no_matter_of_the_rate():
    with pytest.warns(TrainingWarning, match=r"no step had been made.*tg.preflight\(model"):
        run(loss=lambda p, t: (np.log(-abs(p)) * t).mean())


def warned(x, y, loader=None, **options):
    """What `fit` warns of for this data."""
    net = nn.Sequential(nn.Linear(x.shape[1], 4, rng=0), nn.ReLU(), nn.Linear(4, 1, rng=1))
    optimizer = optim.SGD(net.parameters(), lr=options.pop("lr", 0.1))
    with pytest.warns(TrainingWarning) as caught:
        fit(net, loader or (x, y), loss=nn.MSELoss(), optimizer=optimizer, epochs=9, **options)
    (warning,) = caught
    return str(warning.message)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_gap_in_the_inputs_is_named_and_no_rate(shuffle):
    bad = np.hstack([X, X])
    bad[20, 1] = np.nan
    text = warned(bad, Y, batch_size=8, shuffle=shuffle, rng=0)
    assert re.search(
        r"the inputs hold nan at row 20, column 1\. Leave such rows out: "
        r"ok = np\.isfinite\(X\)\.all\(1\); X, Y = X\[ok\], Y\[ok\]\.$",
        text,
    ), text
    assert "lr" not in text
    bad[30:33] = np.inf
    assert "at row 20, column 1, and in 3 more rows." in warned(bad, Y, batch_size=8)


def test_a_gap_in_the_targets_or_in_samples_is_named():
    bad = Y.copy()
    bad[3] = -np.inf
    assert "the targets hold -inf at row 3, column 0. Leave" in warned(X, bad, batch_size=8)
    samples = [(x, y) for x, y in zip(X, bad, strict=True)]
    text = warned(X, bad, loader=data.DataLoader(samples, 2))
    assert "the targets of this batch hold -inf at row 1, column 0" in text


@pytest.mark.parametrize("lr", [10.0, 1.0, 0.1])
def test_large_inputs_are_named_before_the_rate(lr):
    text = warned(X * 100, Y, lr=lr)
    assert re.search(
        r"with lr=\S+ \(.*\): the inputs are not scaled: inputs reach \d+, .*"
        r"\. Write X = \(X - X\.mean\(0\)\) / X\.std\(0\)\. tg\.preflight\(model, X, Y, loss, "
        r"optimizer\) tries a rate first\.$",
        text,
    ), text


def test_whole_numbers_and_targets_are_looked_at_too():
    text = warned((X * 1000).astype(int), Y, lr=10.0)
    assert "the inputs are not scaled: inputs reach " in text
    text = warned(X, Y * 1e6, lr=10.0)
    assert "the targets are not scaled: they reach " in text
    assert "Write Y = (Y - Y.mean(0)) / Y.std(0). tg.preflight(" in text


def test_words_by_number_are_not_to_be_scaled():
    net = nn.Sequential(nn.Embedding(900, 3), nn.Flatten(), nn.Linear(6, 1))
    words = np.random.default_rng(0).integers(0, 900, (8, 2))
    with pytest.warns(TrainingWarning, match=r"Use lr=0\.1, or clip_norm"):
        fit(net, (words, np.ones((8, 1))), loss=nn.MSELoss(), epochs=99,
            optimizer=optim.SGD(net.parameters(), lr=1e3))  # fmt: skip


def test_training_goes_on_without_a_number_if_it_is_told_to():
    _, history, caught = diverging(stop_on_nan=False)
    assert len(history) == 300
    assert {w.category for w in caught} >= {TrainingWarning, RuntimeWarning}
    assert not any("fit() stopped" in str(w.message) for w in caught)


def test_what_numpy_shall_raise_is_raised_in_fit_too():
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        diverging()


def test_confusion_and_r2():
    table = confusion(np.eye(3)[[0, 1, 1, 2]], np.array([0, 1, 2, 2]))
    assert table.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    t = np.array([1.0, 2.0, 6.0])
    assert r2(np.full(3, 3.0), t) == 0
    assert r2(t, t) == 1
    with pytest.raises(ShapeError, match=r"Use target.reshape\(3, 1\)"):
        r2(t[:, None], t)


def test_metrics_agree_with_scikit_learn():
    from tests.conftest import needs

    metrics = needs("sklearn.metrics")
    rng = np.random.default_rng(0)
    p, t = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    assert np.array_equal(confusion(p, t), metrics.confusion_matrix(t, p))
    assert accuracy(p, t) == metrics.accuracy_score(t, p)
    a, b = rng.normal(size=30), rng.normal(size=30)
    assert r2(a, b) == pytest.approx(metrics.r2_score(b, a), abs=1e-12)


def test_predict_in_parts_is_predict_in_one():
    net = model()
    assert np.allclose(predict(net, X, batch_size=7), predict(net, X), rtol=0, atol=1e-14)
    assert evaluate(net, (X, Y), nn.MSELoss())["loss"] == nn.MSELoss()(net(X), Y).item()


def test_a_run_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(validation=(X, Y))


def counting():
    class Counting(nn.Module):
        def __init__(self):
            self.linear, self.calls = nn.Linear(1, 1, init=nn.init.constant(0.1)), 0

        def forward(self, x):
            self.calls += 1
            return self.linear(x) * (0.5 if self.calls > 3 else 1.0)

    return Counting()


def test_what_cannot_be_compiled_is_trained_as_it_is():
    X = np.linspace(0.0, 1.0, 12).reshape(12, 1)
    weights = []
    for how in (None, "auto"):
        model = counting()
        options = {
            "loss": nn.MSELoss(),
            "optimizer": optim.SGD(model.parameters(), lr=0.1),
            "batch_size": 12,
            "shuffle": False,
            "epochs": 2,
        }
        if how:
            with pytest.warns(
                TrainingWarning, match=r"without compiling: the step changed .*calls"
            ):
                tg.fit(model, (X, X), compile=how, **options)
        else:
            tg.fit(model, (X, X), **options)
        weights.append([p.data.item() for p in model.parameters()])
    assert weights[0] == weights[1]
    with pytest.raises(CaptureError, match="calls"):
        tg.fit(model, (X, X), compile="numpy", **options)
