"""The doctor's table of ops: every op has a kind, and every name in it is an op."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.ops.shipped import DIFFERENTIABLE
from tinygrad_mlp.doctor import kinds
from tinygrad_mlp.doctor.nonfinite import op_culprit
from tinygrad_mlp.ops import REGISTRY

SETS = {name: getattr(kinds, name) for name in kinds.__all__ if name.isupper()}


def test_every_op_with_a_rule_has_one_kind():
    named = [name for names in kinds._KINDS.values() for name in names.split()]
    assert sorted(named) == sorted(set(named))
    shipped = {op.name for op in DIFFERENTIABLE if op.domain is not None}
    assert shipped - set(named) == set(), "say in doctor/kinds.py of what kind it is"
    assert set(named) - REGISTRY.keys() == set()


@pytest.mark.parametrize("name", SETS)
def test_every_name_is_an_op(name):
    assert set(SETS[name]) - REGISTRY.keys() == set()


def test_the_sets_do_not_contradict_the_kinds():
    assert {kinds.kind_of(op) for op in kinds.LAYERS} == {"multiplies"}
    assert {kinds.kind_of(op) for op in kinds.BOUNDS} == {"saturates", "rectifies"}
    assert {kinds.kind_of(op) for op in kinds.PROBABILITIES} == {"saturates"}
    assert kinds.EDGES.keys() - kinds.STEEP == {"constant_power"}
    for op, (low, high) in kinds.BOUNDS.items():
        y = REGISTRY[op](np.array([-50.0, -1.0, 0.0, 1.0, 50.0]))
        assert low <= y.min()
        assert y.max() <= high


@pytest.mark.parametrize("op", sorted(kinds.EDGES.keys() - {"power", "constant_power", "div"}))
def test_the_rewrite_of_an_edge_runs(op):
    y = np.array([np.inf])
    found = op_culprit(REGISTRY[op], y, [np.array([0.0])], ["x"], guarded=True)
    code = found.fix.partition("first, ")[2].removesuffix(".")
    x = np.array([0.0, 4.0])
    with np.errstate(all="raise"):
        assert eval(code, {"np": np, "x": x})[1] == getattr(np, op)(4.0)  # noqa: S307 - our text


def test_a_saturated_layer_is_noticed_for_every_op_with_two_bounds():
    for op in ("sigmoid", "tanh", "erf"):
        model = tg.nn.Sequential(
            tg.nn.Linear(2, 8, rng=0), Squash(REGISTRY[op]), tg.nn.Linear(8, 1)
        )
        model[0].weight.data = model[0].weight.data * 1e3
        x = np.random.default_rng(0).normal(size=(16, 2))
        report = tg.preflight(model, x, np.ones((16, 1)) / 3, tg.nn.MSELoss())
        assert "saturation" in [found.code for found in (*report, *report.notes)]


class Squash(tg.nn.Module):
    def __init__(self, op):
        self.op = op

    def forward(self, x):
        return self.op(x)
