"""The benchmarks measure what they say: same training, right tables, no misses hidden.

No time is looked at here. Contenders of other packages are not imported: each is checked against
the reference by the benchmark itself, before it is timed.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from benchmarks import (
    anatomy,
    extras,
    overhead,
    pictures,
    reference,
    report,
    targets,
    timing,
    training,
    workloads,
)
from benchmarks.contenders import BY_KEY, LINE_UP
from benchmarks.results import Results, Row, Spread, ratios
from benchmarks.targets import TARGETS, Target, Verdict

OWN = [c for c in LINE_UP if c.package in {"numpy", "tinygrad_mlp"}]


def task_of(name):
    return workloads.draw(dataclasses.replace(workloads.BY_NAME[name], steps=8))


@pytest.mark.parametrize(
    ("key", "name"),
    [(c.key, name) for c in OWN for name in ("sum", "small", "digits") if c.runs(name)],
)
def test_a_contender_trains_the_network_of_the_reference(key, name):
    contender = BY_KEY[key]
    task = task_of(name)
    expected = reference.train(task, bias=contender.trainer().bias)
    training.start(contender, task, expected)


@pytest.mark.parametrize("name", ["sum", "small"])
def test_the_reference_notices_another_learning_rate(name):
    task = task_of(name)
    other = reference.train(dataclasses.replace(task, learning_rate=0.101))
    with pytest.raises(reference.Disagreement, match="by hand"):
        training.start(BY_KEY["by-hand"], task, other)


def test_the_reference_notices_a_layer_that_does_not_learn():
    task = task_of("small")
    expected = reference.train(task)
    frozen = (task.weights[0], *expected.weights[1:])
    with pytest.raises(reference.Disagreement, match="weight 0"):
        reference.check("nobody", task, expected.losses, frozen, expected)


def test_the_reference_follows_the_slope_of_the_loss():
    task = task_of("sum")
    one_step = dataclasses.replace(task, inputs=task.inputs[:1], targets=task.targets[:1])
    moved = reference.train(one_step).weights[0]
    step = 1e-6

    def loss(nudge):
        weights = (task.weights[0] + nudge, *task.weights[1:])
        return reference.train(dataclasses.replace(one_step, weights=weights)).losses[0]

    for i in np.ndindex(moved.shape):
        nudge = np.zeros_like(moved)
        nudge[i] = step
        slope = (loss(nudge) - loss(-nudge)) / (2 * step)
        assert (task.weights[0] - moved)[i] == pytest.approx(0.1 * slope, rel=1e-6, abs=1e-10)


def test_ours_adds_along_a_chain():
    chain = BY_KEY["ours"].chain_class()(100)
    overhead.check("ours", 100, chain.backward(chain.forward()))


def test_every_extra_is_still_where_it_is_replaced():
    for name, replacements in extras.VARIANTS.items():
        assert extras.missing(replacements) == "", name


@pytest.mark.parametrize("variant", extras.VARIANTS)
def test_training_is_the_same_without_the_extras_and_they_come_back(variant):
    tensor = import_module("tinygrad_mlp.tensor")  # the name in the package is the class
    original = tensor.user_site
    task = task_of("sum")
    with extras.replaced(extras.VARIANTS[variant]):
        training.start(BY_KEY["ours"], task, reference.train(task))
    assert tensor.user_site is original
    with extras.replaced(extras.LINE):
        assert tensor.Tensor(1.0).site is None
    assert tensor.Tensor(1.0).site is not None


def test_the_anatomy_of_a_step_is_the_step():
    task = task_of("small")
    trainer = training.start(BY_KEY["ours"], task, reference.train(task))
    bare = anatomy._bare(trainer)
    x, y = trainer.batches[0]
    out = trainer.model(x)
    loss = trainer.loss_fn(out, y)
    trainer.optimizer.zero_grad()
    loss.backward()
    assert bare["loss"]() == loss.data
    np.testing.assert_array_equal(bare["model"]()[-1], out.data)
    parameters = list(trainer.model.parameters())
    gradients = {p.shape: p.grad for p in parameters}
    computed = bare["backward"]()
    for shape, gradient in gradients.items():
        assert any(a.shape == shape and np.array_equal(a, gradient) for a in computed), shape
    new = bare["update"]()
    trainer.optimizer.step()
    for mine, p in zip(new, parameters, strict=True):
        np.testing.assert_array_equal(mine, p.data)


def test_the_parts_of_a_step_are_in_the_page():
    rows = [*anatomy.of("sum", timing.Effort(segment=0.001, rounds=2))]
    text = report.parts_of_a_step(results_of(*rows))
    assert all(part in text for part in (*anatomy.PARTS, "all", "NumPy alone"))
    assert report.parts_of_a_step(results_of()) == report.NOT_RUN


def test_rounds_interleave_and_rotate():
    calls = []
    units = {name: lambda name=name: calls.append(name) for name in "abc"}
    values = timing.interleave(units, timing.Effort(segment=0.0, rounds=3))
    assert "".join(calls[-9:]) == "abcbcacab"
    assert {name: len(v) for name, v in values.items()} == dict.fromkeys("abc", 3)


@pytest.mark.parametrize("power", [1.0, 1.15, 2.0])
def test_the_slope_is_the_exponent(power):
    assert overhead.slope({n: 3 * n**power for n in (10, 100, 5000)}) == pytest.approx(power)


def test_a_ratio_is_taken_within_a_round():
    slow, fast = (Row("s", "c", key, "s", values) for key, values in
                  (("a", (2.0, 20.0, 6.0)), ("b", (1.0, 10.0, 2.0))))  # fmt: skip
    assert ratios(slow, fast) == Spread.of([2.0, 2.0, 3.0])


# ------------------------------------------------------------------------ the report


def results_of(*rows):
    return Results("python -m benchmarks quick", {"CPU": "one"}, list(rows))


def step(key, *seconds, case="sum", note=""):
    return Row(training.ONE_THREAD, case, key, "s/step", seconds, note)


RATIO = next(t for t in TARGETS if t.claim == "PyTorch ÷ ours" and t.case == "sum")


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([step("ours", 1e-6), step("pytorch", 3.1e-6)], Verdict.HOLDS),
        ([step("ours", 1e-6), step("pytorch", 2.9e-6)], Verdict.MISSED),
        ([step("ours", 1e-6), step("pytorch", note="not installed")], Verdict.NOT_INSTALLED),
        ([], Verdict.NOT_MEASURED),
    ],
)
def test_a_target_is_judged_by_what_was_measured(rows, verdict):
    assert RATIO.verdict(results_of(*rows)) is verdict


def test_a_target_of_something_planned_is_not_hidden(monkeypatch):
    monkeypatch.setattr(targets, "PLANNED", {"ours-some-day"})
    planned = Target("c", training.ONE_THREAD, "sum", "jax-jit", "ours-some-day", "≥", 12)
    assert planned.verdict(results_of()) is Verdict.NOT_BUILT


def test_a_missed_target_and_an_absent_peer_are_said_in_the_page():
    rows = [
        step("ours", 1.0e-6, 1.0e-6),
        step("pytorch", 2.5e-6, 2.7e-6),
        step("mygrad", note="not installed"),
    ]
    page = report.page(results_of(*rows))
    assert "**Missed**: PyTorch ÷ ours, sum: 2.60\N{NO-BREAK SPACE}[2.55–2.65], target ≥ 3" in page
    assert "not installed" in page
    assert "python -m benchmarks quick" in page


def test_results_survive_json_and_the_page_is_the_same():
    results = results_of(step("ours", 1e-6, 2e-6), step("pytorch", 3e-6, 4e-6))
    again = Results.from_json(results.to_json())
    assert again == results
    assert report.page(again) == report.page(results)


def test_every_target_names_contenders_that_exist_or_are_planned():
    known = {*BY_KEY, extras.BARE, "ours-compiled-numpy", "ours-compiled-native"}
    named = {key for t in TARGETS for key in (t.top, t.bottom) if key is not None}
    assert named <= known | {"ours-scan-native"}


def test_the_pictures_are_svg_and_name_who_is_in_them():
    rows = [step("ours", 1e-6), step("by-hand", 5e-7)]
    rows += [
        Row(suite, str(n), "ours", "s", (n * 1e-6,))
        for suite in (overhead.FORWARD, overhead.BACKWARD)
        for n in (10, 100, 1000)
    ]
    results = results_of(*rows)
    for draw, wanted in ((pictures.steps, "NumPy by hand"), (pictures.growth, "tinygrad_mlp")):
        text = "".join(ET.fromstring(draw(results)).itertext())  # noqa: S314 - our own file
        assert wanted in text
    assert pictures.steps(results_of()) == pictures.growth(results_of()) == ""
