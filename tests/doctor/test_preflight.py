"""`preflight` finds planted faults, alone and in pairs, and nothing in what is right."""

from __future__ import annotations

import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tests.doctor.faults import FAULTS, HIDES, Step
from tinygrad_mlp import nn, optim
from tinygrad_mlp.doctor import CODES
from tinygrad_mlp.errors import UsageError


def checked(*faults, **options):
    step = Step()
    for fault in faults:
        fault.plant(step)
    return tg.preflight(*step.build(), **options)


def test_nothing_is_found_in_the_step_that_the_faults_are_planted_in():
    assert checked().ok, checked()
    assert str(checked()) == "nothing is wrong"


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_alone(name):
    report = checked(FAULTS[name])
    assert FAULTS[name].code in report.codes, report
    found = next(item for item in report if item.code == FAULTS[name].code)
    assert found.severity in {"error", "warning"}
    assert f"[{found.code}]" in str(report)
    assert f"ignore=({report.codes[0]!r}" in str(report)


CLASHING = {"loss", "x", "y", "first", "last", "activation", "lr", "end", "optimizer"}


def parts(fault):
    """What a fault changes: two that change the same thing cannot be planted together."""
    step, plain = Step(), Step()
    fault.plant(step)
    changed = {
        name
        for name in CLASHING
        if name in {"x", "y"}
        and not np.array_equal(getattr(step, name), getattr(plain, name), equal_nan=True)
    }
    for name in ("loss", "first", "last", "activation"):
        if vars(getattr(step, name)).keys() != vars(getattr(plain, name)).keys() or type(
            getattr(step, name)
        ) is not type(getattr(plain, name)):
            changed.add(name)
    weights = [(s.first.weight.data, s.first.bias.data, s.first.in_features) for s in (step, plain)]
    if any(not np.array_equal(a, b) for a, b in zip(*weights, strict=True)):
        changed.add("first")
    if type(step.loss) is nn.MSELoss and step.loss.reduction != "mean":
        changed.add("loss")
    if step.y.shape != plain.y.shape or step.y.dtype != plain.y.dtype:
        changed.add("loss")
    return changed | ({"lr"} if step.lr != plain.lr else set()) | (
        {"optimizer"} if step.late else set()
    )  # fmt: skip


PARTS = {name: parts(fault) for name, fault in FAULTS.items()}
PAIRS = [pair for pair in itertools.combinations(FAULTS, 2) if not PARTS[pair[0]] & PARTS[pair[1]]]


def test_faults_in_pairs():
    missed = []
    for pair in PAIRS:
        report = checked(*(FAULTS[name] for name in pair))
        for name, other in (pair, pair[::-1]):
            hidden = FAULTS[name].seen >= FAULTS[other].stops or name in HIDES.get(other, ())
            if not hidden and FAULTS[name].code not in report.codes:
                missed.append((name, other, report.codes))
    assert missed == []
    assert len(PAIRS) > 250


def test_every_code_of_a_finding_is_planted():
    notes = {"saturation", "unscaled-inputs", "constant-target"}
    assert {fault.code for fault in FAULTS.values()} == CODES.keys() - notes - {"exploding"}
    assert len(FAULTS) >= 15


def test_an_exploding_gradient():
    step = Step()
    step.middle.append(lambda h: np.sin(h * 1e8))
    assert "exploding" in tg.preflight(*step.build()).codes


@pytest.mark.parametrize("name", FAULTS)
def test_a_code_can_be_silenced(name):
    assert FAULTS[name].code not in checked(FAULTS[name], ignore=(FAULTS[name].code,)).codes


def test_notes_are_no_findings():
    step = Step()
    step.x = step.x * 1000
    step.y = np.full((32, 1), 0.5)
    step.x[: len(step.x) // 4] /= 1e5  # of these none are flat
    report = tg.preflight(*step.build(), ignore=("learning-rate",))
    assert report.ok
    assert {item.code for item in report.notes} == {
        "saturation", "unscaled-inputs", "constant-target",
    }  # fmt: skip
    assert str(report).startswith(
        "nothing is wrong for certain; worth a look:\nnote [unscaled-inputs]"
    )
    assert "| note | `saturation` |" in report._repr_markdown_()


def test_a_layer_that_is_flat_for_every_sample_is_no_note():
    step = Step()
    step.x = step.x * 1e4
    report = tg.preflight(*step.build(), ignore=("learning-rate", "zero-gradient"))
    assert report.codes == ("saturation",)
    assert report[0].severity == "warning"
    assert "100% of the outputs of '1', tanh, are where it is flat" in str(report)
    assert "nothing is wrong" not in str(report)


def test_a_plain_tensor_in_the_place_of_a_parameter_is_named():
    class Own(nn.Module):
        def __init__(self):
            self.w = tg.Tensor(np.ones((3, 1)))

        def forward(self, x):
            return x @ self.w

    report = tg.preflight(Own(), np.ones((4, 3)), np.ones((4, 1)), nn.MSELoss())
    assert report.codes == ("no-parameters",)
    assert "its attribute 'w' is a plain tensor" in str(report)
    assert "Assign nn.Parameter(…)" in report[0].fix


def test_an_optimiser_of_ones_own_that_returns_no_pair_is_found_before_training():
    def update(_, p, g, *rest):
        return p - 0.1 * g

    Own = type("Own", (optim.Optimizer,), {"update": update})
    model, x, y, loss, _ = Step().build()
    with pytest.raises(UsageError, match=r"Own.update\(\) returned one array of shape \(8, 3\)"):
        tg.preflight(model, x, y, loss, Own(model.parameters()))


def test_nothing_is_changed():
    step = Step()
    step.middle += [nn.BatchNorm1d(8), nn.Dropout(0.5, rng=3)]
    model, x, y, loss, optimizer = step.build()
    before = {name: t.data for name, t in model.named_state()}
    generator = step.middle[1].generator.bit_generator.state
    tg.preflight(model, x, y, loss, optimizer)
    assert {name: t.data is before[name] for name, t in model.named_state()} == dict.fromkeys(
        before, True
    )
    assert step.middle[1].generator.bit_generator.state == generator
    assert all(p.grad is None for p in model.parameters())


def test_what_it_is_called_with_wrongly():
    with pytest.raises(UsageError, match="there is no code 'dtype'"):
        checked(ignore=("dtype",))
    with pytest.raises(UsageError, match=r"preflight\(model, x, y, loss, optimizer\)"):
        tg.preflight(np.ones(2), np.ones(2), np.ones(2), nn.MSELoss())


# ------------------------------------------------------------------ what is right


LAYERS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "silu": nn.SiLU, "softplus": nn.Softplus,
          "elu": nn.ELU, "leaky": nn.LeakyReLU, "relu": nn.ReLU}  # fmt: skip


@st.composite
def right_steps(draw):
    """A stack of layers with a loss, targets and an optimiser that fit it."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    widths = draw(st.lists(st.integers(6, 10), min_size=0, max_size=3))
    inputs, outputs = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    kind = draw(st.sampled_from(["mse", "l1", "huber", "classes", "bce", "logits"]))
    layers, before = [], inputs
    for width in widths:
        layers += [nn.Linear(before, width, bias=draw(st.booleans()), rng=rng)]
        extra = draw(st.sampled_from(["", "norm", "layer", "dropout"]))
        layers += {"norm": [nn.BatchNorm1d(width)], "layer": [nn.LayerNorm(width)],
                   "dropout": [nn.Dropout(0.2, rng=rng)]}.get(extra, [])  # fmt: skip
        layers.append(LAYERS[draw(st.sampled_from(sorted(LAYERS)))]())
        before = width
    layers.append(nn.Linear(before, outputs, rng=rng))
    n = draw(st.integers(8, 40))
    x = rng.normal(size=(n, inputs))
    y = rng.normal(size=(n, outputs))
    if kind in {"bce", "logits"}:
        y = rng.integers(0, 2, (n, outputs)).astype(float)
        layers += [nn.Sigmoid()] if kind == "bce" else []
    if kind == "classes":
        y = rng.integers(0, outputs, n)
    loss = {"mse": nn.MSELoss, "l1": nn.L1Loss, "huber": nn.HuberLoss, "bce": nn.BCELoss,
            "classes": nn.CrossEntropyLoss, "logits": nn.BCEWithLogitsLoss}[kind]()  # fmt: skip
    model = nn.Sequential(*layers)
    if draw(st.booleans()):
        model, x = model.astype(np.float32), x.astype(np.float32)
        y = y.astype(np.float32) if y.dtype.kind == "f" else y
    make = draw(st.sampled_from([
        lambda p: optim.SGD(p, lr=0.1), lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
        lambda p: optim.Adam(p), lambda p: optim.RMSprop(p, lr=1e-3),
    ]))  # fmt: skip
    return model, x, y, loss, make(model.parameters())


@hypothesis.settings(max_examples=200)
@hypothesis.given(right_steps())
def test_no_finding_on_a_right_stack(step):
    report = tg.preflight(*step)
    assert report.ok, report
