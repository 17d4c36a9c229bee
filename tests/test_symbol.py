"""Formulas are the rules themselves, handed symbols: the table of all ops, golden and true.

The table is compared with golden copies, in `golden/op_table.txt` and in the documentation, so that
every change of a rule is seen by a person. And each formula carries the number that it stands for,
which must be the number that the rule gives.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import ops
from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.formulas import example, formula, input_names, op_table, rule_formula
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.symbol import Symbol, escape_latex, latex_name

PAGE = Path(__file__).parent.parent / "docs" / "ops.md"
TABLE = re.compile(r"(?<=-->\n).*\Z", re.DOTALL)


def rules():
    return [
        pytest.param(op, i, id=f"{op.name}-{i}")
        for op in REGISTRY.values()
        if op.domain is not None
        for i in range(len(example(op)[0]) - 1)
        if op.flows(i)
    ]


# ------------------------------------------------------------------ the table


def table_of_the_package(*options):
    """The table in a process of its own, where no test has added ops."""
    process = subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "ops", *options],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=60,
        check=True,
    )
    return process.stdout


def test_the_table_of_all_ops(golden):
    golden("op_table.txt", table_of_the_package())


def test_the_table_of_all_ops_in_the_documentation(golden):
    page = PAGE.read_text(encoding="utf-8")
    table = table_of_the_package("--markdown")
    golden("../../docs/ops.md", TABLE.sub(lambda _: f"\n{table}", page))


def test_the_table_misses_no_op():
    shown = {line.split("  ")[0] for line in table_of_the_package().splitlines()}
    records = {record.name for record in vars(ops).values() if isinstance(record, ops.Op)}
    assert records <= shown, "an op through which a gradient flows needs a domain to be shown"


def test_every_input_has_its_gradient_or_none_flows():
    for op, _, gradients in op_table():
        count = len(example(op)[0]) - 1 if op.differentiable else 0
        assert len(gradients) == sum(op.flows(i) for i in range(count))


def test_the_formulas_of_the_textbooks():
    rows = {row.op.name: row for row in op_table()}
    assert rows["sigmoid"].gradients == ("x: g y (1 − y)",)
    assert rows["linear"].forward == "x Wᵀ + b"
    assert rows["linear"].gradients == ("x: g W", "W: gᵀ x", "b: Σ_rows g")
    assert rows["matmul"].gradients == ("a: g bᵀ", "b: aᵀ g")
    assert rows["mul"].gradients == ("a: g b", "b: g a")
    assert rows["exp"].gradients == ("x: g y",)


# ------------------------------------------------------------------ the formulas are the rules


@pytest.mark.parametrize(("op", "i"), rules())
def test_a_formula_has_the_shape_of_its_input(op, i):
    values, attrs = example(op)
    written = rule_formula(op, i, values, attrs)
    assert written.shape == values[i + 1].shape


@pytest.mark.parametrize(("op", "i"), rules())
def test_a_formula_carries_the_number_that_the_rule_gives(op, i):
    """A symbol computes what it writes, so the formula cannot be another rule's."""
    values, attrs = example(op)
    g = np.ones_like(values[0])
    written = rule_formula(op, i, values, attrs)
    with np.errstate(all="ignore"):
        wanted = pullback(op, i, values[0], values, attrs)  # the symbol g holds the output
        ones = pullback(op, i, g, values, attrs)
    np.testing.assert_array_equal(written.like, wanted)
    assert ones.shape == wanted.shape


@pytest.mark.parametrize(("op", "i"), rules())
def test_latex_is_balanced_and_ascii(op, i):
    values, attrs = example(op)
    for symbol in (formula(op, values, attrs), rule_formula(op, i, values, attrs)):
        latex = symbol.latex
        assert latex.isascii()
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right")
        assert latex.count(r"\begin") == latex.count(r"\end")
        assert "<" not in re.sub(r" < ", "", latex), "a place of the template stayed open"


def test_factors_that_would_read_as_a_call_have_a_dot():
    g, size, rate = (Symbol(name, np.ones(3)) for name in ("g", "size", "learning_rate"))
    assert str(g * size * (1.0 - size)) == "g · size · (1 − size)"
    assert (g * size * (1.0 - size)).latex == (
        r"g \cdot \mathrm{size} \cdot \left(1 - \mathrm{size}\right)"
    )
    assert str(rate * g) == "learning_rate · g"
    assert str(g * np.cos(size)) == "g cos(size)"
    assert (g * np.cos(size)).latex == r"g\,\cos\left(\mathrm{size}\right)"
    shape = Symbol("[2×3]", np.ones(3))
    assert (str(shape * shape), "cdot" in (shape * shape).latex) == ("[2×3] [2×3]", False)


def test_parentheses_stand_where_they_are_needed_and_nowhere_else():
    a, b, c = (Symbol(name, np.ones(3)) for name in "abc")
    assert str(a + b * c) == "a + b c"
    assert str((a + b) * c) == "(a + b) c"
    assert str(a - (b - c)) == "a − (b − c)"
    assert str(a - b - c) == "a − b − c"
    assert str(a / (b * c)) == "a / (b c)"
    assert str(-(a + b)) == "−(a + b)"
    assert str((a + b) ** 2) == "(a + b)²"
    assert str(np.exp(a + b)) == "exp(a + b)"
    assert ((a + b) / c).latex == r"\frac{a + b}{c}"
    assert np.sqrt(a + b).latex == r"\sqrt{a + b}"


def test_a_formula_of_ten_thousand_terms_is_written_without_recursion():
    x = Symbol("x", np.ones(()))
    total = x
    for _ in range(10_000):
        total = total + x
    assert str(total).count("x") == 10_001


def test_a_composed_function_writes_itself():
    x, w = Symbol("x", np.ones((1, 2))), Symbol("w", np.ones((2, 1)))
    assert str(np.exp(x @ w).sum()) == "Σ exp(x w)"
    assert str(ops.sigmoid(x) * (1 - ops.sigmoid(x))) == "σ(x) (1 − σ(x))"


# ------------------------------------------------------------------ names


def test_inputs_are_called_as_the_rules_call_them():
    assert input_names(ops.linear, 3) == ("x", "W", "b")
    assert input_names(ops.matmul, 2) == ("a", "b")
    assert input_names(ops.concatenate, 3) == ("x_1", "x_2", "x_3")
    assert input_names(ops.linear, 3, short=False) == ("x", "weight", "bias")


def test_names_that_latex_would_misread_are_escaped():
    assert latex_name("sigma") == r"\sigma"
    assert latex_name("W1") == "W_{1}"
    assert latex_name("my_weight") == r"\mathrm{my\_weight}"
    assert escape_latex("50% of {x} & y_1") == r"50\% of \{x\} \& y\_1"


def test_a_rule_written_with_the_names_of_a_graph():
    x = tg.Tensor([[1.0, 2.0]])
    W = tg.Tensor([[3.0, 4.0]], requires_grad=True)
    y = ops.linear(x, W)
    written = rule_formula(ops.linear, 1, y.values, y.attrs, names=("h", "W2"), y="z")
    assert str(written) == "gᵀ h"
    assert written.latex == r"g^{\top}\,h"
