"""Training pictures: what is drawn, into which Axes, and that nothing global changes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tinygrad_mlp import nn
from tinygrad_mlp.errors import MissingExtraError, ShapeError, UsageError
from tinygrad_mlp.training import History
from tinygrad_mlp.viz import plots


@pytest.fixture
def ax():
    needs("matplotlib").use("Agg")
    from matplotlib.figure import Figure

    return Figure().subplots()


@pytest.fixture
def model():
    return nn.MLP(2, [4], 1, rng=0)


def test_loss_curves(ax):
    history = History()
    for loss in (1.0, 0.1, 0.001):
        history.append(loss=loss, val_loss=2 * loss)
    assert plots.loss_curves(history, ax=ax) is ax
    assert [line.get_label() for line in ax.lines] == ["loss", "val_loss"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), history.loss)
    assert ax.get_yscale() == "log"
    assert plots.loss_curves({"loss": [1.0, 0.9]}).get_yscale() == "linear"


def test_decision_boundary(ax, model):
    X = np.random.default_rng(0).normal(size=(20, 2))
    assert plots.decision_boundary(model, X, X[:, 0] > 0, ax=ax, grid_resolution=20) is ax
    assert ax.collections
    plots.decision_boundary(model, X, threshold=None, grid_resolution=5)
    plots.decision_boundary(lambda points: np.c_[points, points[:, :1]], X, grid_resolution=5)
    with pytest.raises(ShapeError, match="two axes"):
        plots.decision_boundary(model, np.ones((3, 4)))


def test_histograms(ax, model):
    assert plots.histograms(model, ax=ax) is ax
    assert len(ax.get_legend().get_texts()) == 4
    with pytest.raises(UsageError, match="no gradient"):
        plots.histograms(model, of="gradients")
    model(np.ones((3, 2))).sum().backward()
    with pytest.raises(UsageError, match="Did you mean of='weights'"):
        plots.histograms(model, of="weight")
    assert len(plots.histograms(model, of="gradients").get_legend().get_texts()) == 4


def test_activations(ax, model):
    plots.activations(model, np.ones((3, 2)), ax=ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "0 Linear", "1 Sigmoid", "2 Linear", "3 Sigmoid",
    ]  # fmt: skip


def test_gradient_norms_show_what_vanishes(ax):
    layers = [module for i in range(8) for module in (nn.Linear(4, 4, rng=i), nn.Sigmoid())]
    deep = nn.Sequential(*layers)
    norms = plots.GradientNorms(deep)
    for _ in range(3):
        deep.zero_grad()
        deep(np.ones((2, 4))).sum().backward()
        norms.note()
    assert norms.columns["0.weight"][0] < 1e-2 * norms.columns["14.weight"][0]
    assert plots.gradient_norms(norms, ax=ax) is ax
    assert ax.get_yscale() == "log"


def test_nothing_global_changes(model):
    matplotlib = needs("matplotlib")
    before = dict(matplotlib.rcParams)
    plots.histograms(model)
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[plot\]"):
        plots.loss_curves({"loss": [1.0]})
    history = History()
    history.append(loss=1.0)
    history.append(loss=0.5)
    assert history._repr_svg_().startswith("<svg")


def test_pictures_import_no_plotting_library():
    code = (
        "import sys, tinygrad_mlp as tg; w = tg.Tensor(1.0, requires_grad=True); "
        "tg.draw(w * w).svg; tg.player(w * w).html; tg.explain(w * w).html; "
        "print([m for m in ('matplotlib', 'graphviz', 'IPython') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "[]"
    assert tg.draw  # the package under test is the one that was imported here
