"""The command line: what it prints, what it writes, and how it says no."""

from __future__ import annotations

import csv
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_mlp import __version__, nn
from tinygrad_mlp.cli import main


def run(capsys, *words):
    """The exit status, and what was printed to the two streams."""
    try:
        status = main(words)
    except SystemExit as error:
        status = error.code
    out, err = capsys.readouterr()
    return status, out, err


# ------------------------------------------------------------------ the demo

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
SUFFIXES = ("txt", "md", "html", "tex")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of the demo as users start it: the folder and what was printed."""
    out = tmp_path_factory.mktemp("demo")
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tinygrad_mlp", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=120,
        check=True,
    )
    assert process.stderr == "", "no bar where nobody watches"
    return out, process.stdout


def test_the_demo_learns_to_add(demo):
    _, printed = demo
    errors = re.findall(r"^Error: (\d\.\d+) at epoch (\d+)$", printed, re.MULTILINE)
    assert [int(epoch) for _, epoch in errors] == list(range(1, 51))
    assert float(errors[-1][0]) < 0.001
    belief = re.search(
        r"^Our network believes that 0\.3 \+ 0\.1 is equal to (\S+)$", printed, re.MULTILINE
    )
    assert abs(float(belief[1]) - 0.4) < 0.02


def test_the_demo_says_where_its_files_are(demo):
    out, printed = demo
    named = re.findall(r"^  (\S+\.\w+)  ", printed, re.MULTILINE)
    assert sorted(named) == sorted(path.name for path in out.iterdir())
    assert all(out.joinpath(name).stat().st_size > 0 for name in named)
    assert str(out) in printed


def test_the_readme_quotes_the_demo(demo):
    _, printed = demo
    readme = ROOT.joinpath("README.md").read_text(encoding="utf-8")
    quoted = re.search(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)[1]
    assert quoted in printed


def test_the_history_is_what_was_printed(demo):
    out, printed = demo
    with out.joinpath("history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [f"Error: {float(r['error']):.6f} at epoch {r['epoch']}" for r in rows] == [
        line for line in printed.splitlines() if line.startswith("Error")
    ]


def test_the_chain_rule_of_the_demo_is_told_in_its_own_numbers(demo):
    """One entry of the first weights: the graph's gradient, in every format, and it is right."""
    out, _ = demo
    told = {suffix: out.joinpath(f"chain_rule.{suffix}").read_text("utf-8") for suffix in SUFFIXES}
    gradient = re.search(r"∂loss/∂W1\[0, 0\]  = (\S+)", told["txt"])[1]
    assert all(gradient in text for text in told.values())
    assert "demo.py:" in told["txt"], "its lines are a user's lines"
    rng = np.random.default_rng(0)
    W1, W2 = rng.uniform(size=(5, 2)), rng.uniform(size=(1, 5))
    x, t = np.array([0.3, 0.1]), np.array([0.4])
    h = 1 / (1 + np.exp(-(W1 @ x)))
    o = 1 / (1 + np.exp(-(W2 @ h)))
    delta = W2.T @ ((o - t) * o * (1 - o)) * h * (1 - h)
    assert float(gradient) == pytest.approx(delta[0] * x[0], rel=1e-3)


def drawn(picture):
    """A picture without its style sheet."""
    return re.sub(r"<style>.*?</style>", "", picture, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["graph.svg", "network.svg"])
def test_the_pictures_of_the_readme_are_the_demos(demo, golden, name):
    out, _ = demo
    now, shown = (path.joinpath(name).read_text(encoding="utf-8") for path in (out, IMAGES))
    if drawn(now) != drawn(shown):
        golden(f"../../docs/images/{name}", now)


def test_the_code_of_the_demo_is_the_step_of_the_lesson(demo):
    """Run from a fresh start, the written file gives what the lesson's formulas give."""
    out, _ = demo
    step = runpy.run_path(str(out / "backprop.py"))["step"]
    results = step.__doc__.rstrip().splitlines()[-1].strip().split(", ")
    rng = np.random.default_rng(0)
    W1, W2 = rng.uniform(size=(5, 2)), rng.uniform(size=(1, 5))
    w1, w2 = W1.T.copy(), W2.T.copy()  # the lesson keeps them as (inputs, outputs)
    for _ in range(100):
        x = rng.uniform(0, 0.5, 2)
        t = x.sum(keepdims=True)
        _, state = step(inputs=x, target=t, W1=W1, W2=W2, lr=0.1)
        new = dict(zip(results, state, strict=True))
        W1, W2 = new["W1"], new["W2"]
        h = 1 / (1 + np.exp(-(x @ w1)))
        o = 1 / (1 + np.exp(-(h @ w2)))
        delta2 = (t - o) * o * (1 - o)
        delta1 = (w2 @ delta2) * h * (1 - h)
        w2 += 0.1 * np.outer(h, delta2)
        w1 += 0.1 * np.outer(x, delta1)
        np.testing.assert_allclose(W1, w1.T, rtol=0, atol=1e-12)
        np.testing.assert_allclose(W2, w2.T, rtol=0, atol=1e-12)


def test_a_second_run_writes_the_same_files(capsys, tmp_path):
    words = ("demo", "--out", str(tmp_path), "--epochs", "2", "--seed", "3")
    first = run(capsys, *words)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(capsys, *words) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_another_seed_is_another_network(capsys, tmp_path):
    printed = {
        run(capsys, "demo", "--out", str(tmp_path), "--epochs", "1", "--seed", seed)[1]
        for seed in ("0", "1")
    }
    assert len(printed) == 2


def test_the_demo_makes_the_folder_it_is_asked_for(capsys, tmp_path):
    out = tmp_path / "new" / "folder"
    status, _, err = run(capsys, "demo", "--out", str(out), "--epochs", "1")
    assert (status, err) == (0, "")
    assert out.joinpath("history.csv").is_file()


def test_a_file_in_the_way_of_the_folder(capsys, tmp_path):
    path = tmp_path / "demo"
    path.write_text("mine")
    status, out, err = run(capsys, "demo", "--out", str(path))
    assert (status, out) == (2, "")
    assert err == (
        f"tinygrad_mlp demo: --out {path} cannot be written into: file exists. "
        "Name a folder of your own: --out somewhere/demo.\n"
    )
    assert path.read_text() == "mine"


@pytest.mark.parametrize("epochs", ["0", "-1", "many", "1.5"])
def test_epochs_are_a_count(capsys, epochs):
    status, _, err = run(capsys, "demo", f"--epochs={epochs}")
    assert status == 2
    assert f"{epochs!r} is no whole number from 1 upward" in err


def test_the_network_of_the_demo_is_the_lessons():
    model = nn.MLP(2, [5], 1, bias=False, init=nn.init.uniform(), rng=0)
    assert [w.shape for w in model.parameters()] == [(5, 2), (1, 5)]
    assert all(((w.data >= 0) & (w.data < 1)).all() for w in model.parameters())


# ------------------------------------------------------------------ ops


def test_ops_prints_the_rows_that_are_asked_for(capsys):
    status, out, _ = run(capsys, "ops", "sigmoid", "linear")
    assert status == 0
    assert out == (
        "op       forward   gradient of each input\n"
        "───────  ────────  ──────────────────────\n"
        "sigmoid  σ(x)      x: g y (1 − y)\n"
        "linear   x Wᵀ + b  x: g W\n"
        "                   W: gᵀ x\n"
        "                   b: Σ_rows g\n"
    )


def test_ops_as_markdown(capsys):
    _, out, _ = run(capsys, "ops", "sigmoid", "--markdown")
    assert out.splitlines()[-1] == (
        r"| `sigmoid` | $\sigma\left(x\right)$ | $\partial x$: $g\,y\,\left(1 - y\right)$ |"
    )


def test_an_op_with_a_slip_of_the_pen(capsys):
    status, _, err = run(capsys, "ops", "sigmod")
    assert status == 2
    assert err.startswith("tinygrad_mlp ops: there is no op 'sigmod'. Did you mean sigmoid")


def test_explain_tells_the_rules_of_an_op_and_gives_an_example(capsys):
    status, out, _ = run(capsys, "explain", "sigmoid")
    assert status == 0
    assert "g y (1 − y)" in out
    assert "An example" in out


def test_explain_an_op_that_does_not_exist(capsys):
    status, _, err = run(capsys, "explain", "sigmod")
    assert status == 2
    assert err.startswith("tinygrad_mlp explain: there is no op 'sigmod'. Did you mean sigmoid")


# ------------------------------------------------------------------ the rest


def test_without_a_command_it_says_what_there_is(capsys):
    status, out, _ = run(capsys)
    assert status == 0
    assert "demo" in out
    assert "ops" in out


def test_a_command_that_does_not_exist(capsys):
    status, _, err = run(capsys, "dmeo")
    assert status == 2
    assert "invalid choice: 'dmeo'" in err
    assert "Traceback" not in err


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"tinygrad_mlp {__version__}\n", "")


def test_an_interrupted_command_stops_quietly(capsys, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_mlp.cli._ops", interrupt)
    status, _, err = run(capsys, "ops")
    assert (status, err) == (130, "\nStopped.\n")


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m tinygrad_mlp ops | head -n 1"
    process = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=60,
        check=False,
    )
    assert process.stderr == ""
