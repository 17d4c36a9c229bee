"""The tester is tested: each planted bug is called by its name, and shipped ops have none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.shipped import DIFFERENTIABLE, for_each
from tests.planted import planted
from tinygrad_mlp.errors import GradientMismatchError, UsageError
from tinygrad_mlp.ops import REGISTRY, Op, broadcast_to
from tinygrad_mlp.ops.domain import POSITIVE, Domain, Edge, broadcasting, same_shape
from tinygrad_mlp.ops.indexing import numpy_key
from tinygrad_mlp.ops.reduction import count, reductions, spread
from tinygrad_mlp.testing import Bug, check_op

TWO = Domain(case=broadcasting(2))
GETITEM, MATMUL, TRANSPOSE = (REGISTRY[name] for name in ("getitem", "matmul", "transpose"))


def sums(x, axis, keepdims):
    return np.add.reduce(x, axis, keepdims=keepdims)


def means(x, axis, keepdims):
    return sums(x, axis, keepdims) / count(x, axis)


def forget_repeats(g, y, x, *arrays, key):
    out = np.zeros(x.shape)
    out[numpy_key(key, arrays)] = g
    return out


def first_copy(g, y, a, b):
    """The gradient of the first copy of `b`, where the sum over all copies belongs."""
    new = g.ndim - b.ndim
    g = g[(0,) * new] if g.size else np.zeros(g.shape[new:])
    ones = tuple(slice(0, 1) if n == 1 else slice(None) for n in b.shape)
    return g[ones] if all(g.shape) else np.zeros(b.shape)


def write_into_g(g, y, x):
    g *= 2
    return g * x


def change_x(x):
    y = np.square(x)
    if x.ndim:
        x[...] = y
    return y


def mse_by_rows(g, y, p, t):
    return (p - t) * (g * (2.0 / (p.shape[0] if p.ndim else 1)))


def mse(p, t):
    return np.square(p - t).mean()


def nonempty(pick):
    return same_shape(2)(lambda options: pick([s for s in options if 0 not in s]))


def column(pick):
    return (pick(((3,), (2,), (5,))),), {}


# name: (forward, vjp, what else a record has, the class that must be named)
PLANTED = {
    "a missing factor": (np.square, lambda g, y, x: g * x, {}, Bug.FACTOR),
    "a factor too much": (np.exp, lambda g, y, x: 3.0 * g * y, {}, Bug.FACTOR),
    "a missing minus": (np.cos, lambda g, y, x: g * np.sin(x), {}, Bug.SIGN),
    "a minus in one of two": (np.subtract, (lambda g, y, a, b: g, lambda g, y, a, b: g),
                              {"domain": TWO}, Bug.SIGN),
    "zero": (np.tanh, lambda g, y, x: g * 0.0, {}, Bug.NO_GRADIENT),
    "g forgotten": (np.exp, lambda g, y, x: y * 1.0, {}, Bug.UPSTREAM),
    "a mean without 1/N": (means, lambda g, y, x, axis, keepdims: spread(g, x, axis),
                           {"domain": Domain(case=reductions)}, Bug.ONE_OVER_N),
    "a sum with 1/N": (sums, lambda g, y, x, axis, keepdims: spread(g / count(x, axis), x, axis),
                       {"domain": Domain(case=reductions)}, Bug.ONE_OVER_N),
    "a mean over rows only": (mse, (mse_by_rows, lambda g, y, p, t: -mse_by_rows(g, y, p, t)),
                              {"domain": Domain(case=nonempty)}, Bug.ONE_OVER_N),
    "two mistakes": (np.multiply, (lambda g, y, a, b: -g * b, lambda g, y, a, b: 2.0 * g * a),
                     {"domain": TWO}, Bug.SIGN),
    "rules swapped": (np.multiply, (lambda g, y, a, b: g * a, lambda g, y, a, b: g * b),
                      {"domain": Domain(case=same_shape(2))}, Bug.SWAPPED),
    "a transpose forgotten": (lambda x, w: x @ w.T,
                              (lambda g, y, x, w: g @ w, lambda g, y, x, w: x.T @ g),
                              {"domain": Domain(case=lambda pick: (((4, 3), (2, 3)), {}))},
                              Bug.TRANSPOSED),
    "a transpose forgotten on squares": (
        np.matmul, (lambda g, y, a, b: g @ b, lambda g, y, a, b: (a.mT @ g).mT),
        {"domain": Domain(case=lambda pick: (((3, 3), (3, 3)), {}))}, Bug.TRANSPOSED),
    "a gradient turned": (lambda x: np.square(x).T * 1.0, lambda g, y, x: 2.0 * g * x.T,
                          {"domain": Domain(case=lambda pick: ((pick(((2, 3), (3, 3))),), {}))},
                          Bug.TRANSPOSED),
    "axes put back the wrong way": (
        TRANSPOSE.forward, lambda g, y, x, axes: g.transpose(axes),
        {"domain": Domain(case=lambda pick: (((2, 2, 2),), {"axes": (2, 0, 1)}))}, Bug.TRANSPOSED),
    "repeats forgotten": (GETITEM.forward, (forget_repeats, None),
                          {"domain": GETITEM.domain}, Bug.MISSING_ACCUMULATION),
    "one copy of many": (np.add, (lambda g, y, a, b: g, first_copy),
                         {"domain": TWO}, Bug.NOT_UNBROADCAST),
    "copies not summed": (lambda x: x[:, None] * np.array([1.0, 2.0, 3.0, 4.0]),
                          lambda g, y, x: g * np.array([1.0, 2.0, 3.0, 4.0]),
                          {"domain": Domain(case=column, analytic=False)}, Bug.NOT_UNBROADCAST),
    "summed in the rule": (np.square, lambda g, y, x: (2.0 * g * x).sum(),
                           {"domain": Domain(case=lambda pick: (((2, 3),), {}))},
                           Bug.WRONG_SHAPE),
    "wrong below zero": (lambda x: np.where(x > 0, x, 0.1 * x),
                         lambda g, y, x: g * np.where(x > 0, 1.0, 0.5),
                         {"domain": Domain(kink=np.abs, analytic=False)}, Bug.IN_PART),
    "wrong at a tie": (np.maximum,
                       (lambda g, y, a, b: np.where(a >= b, g, 0.0),
                        lambda g, y, a, b: np.where(a >= b, 0.0, g)),
                       {"domain": Domain(case=broadcasting(2), kink=lambda a, b: np.abs(a - b),
                                         analytic=False, edges=(Edge((1.0, 1.0), (0.5, 0.5)),))},
                       Bug.AT_KINKS),
    "wrong at a kink": (np.abs, lambda g, y, x: g * np.where(x >= 0, 1.0, -1.0),
                        {"domain": REGISTRY["abs"].domain}, Bug.AT_KINKS),
    "forward writes into x": (change_x, lambda g, y, x: 2.0 * g * x, {}, Bug.FORWARD_MUTATES),
    "the rule writes into g": (np.square, write_into_g, {}, Bug.RULE_MUTATES),
    "forward in float64": (lambda x: np.sin(x.astype(np.float64)),
                           lambda g, y, x: g * np.cos(x), {}, Bug.DTYPE),
    "a rule in float64": (np.square, lambda g, y, x: g * np.float64(2.0) * x, {}, Bug.DTYPE),
    "another composition": (np.tanh, lambda g, y, x: g * (1.0 - y * y),
                            {"same_as": np.sin}, Bug.COMPOSITION),
    "a domain too large": (np.log, lambda g, y, x: g / x, {}, Bug.WARNS),
    "a rule that warns": (lambda x: np.maximum(x, 0.0),
                          lambda g, y, x: g * (np.sqrt(x) > 0.0),
                          {"domain": Domain(kink=np.abs, analytic=False)}, Bug.WARNS),
    "a rule with a typo": (np.exp, lambda g, y, x: g * y.exp(), {}, Bug.RAISES),
    "the slope of something else": (np.tanh, lambda g, y, x: g * (1.0 - y), {}, Bug.WRONG),
}  # fmt: skip


@pytest.mark.parametrize(("forward", "vjp", "more", "bug"), PLANTED.values(), ids=PLANTED)
def test_a_planted_bug_is_called_by_its_name(forward, vjp, more, bug):
    record = {"domain": Domain(), **more}
    with planted("my_op", forward, vjp, **record) as op, pytest.raises(AssertionError) as caught:
        check_op(op)
    (finding,) = caught.value.report.findings
    assert finding.bug is bug, str(finding)
    assert str(caught.value).startswith(f"my_op: {bug}: ")
    assert isinstance(caught.value, GradientMismatchError)


def second_order_only():
    """Right slopes from parts whose own slopes are wrong: only a derivative of them tells."""
    frozen = Op("frozen", lambda x: x * 1.0)
    turned = Op("turned", np.cos, lambda g, y, x: g * np.sin(x))
    return {
        "a part without a rule": (np.tanh, lambda g, y, x: g * (1.0 - frozen(y) * y)),
        "a part with a wrong rule": (np.sin, lambda g, y, x: g * turned(x)),
        "all of it without a rule": (np.square, lambda g, y, x: g * frozen(2.0 * x)),
    }


@pytest.mark.parametrize("name", ["a part without a rule", "a part with a wrong rule",
                                  "all of it without a rule"])  # fmt: skip
def test_what_is_wrong_at_second_order_only(name):
    try:
        forward, vjp = second_order_only()[name]
        with planted("my_op", forward, vjp, domain=Domain()) as op:
            report = check_op(op, raises=False)
    finally:
        del REGISTRY["frozen"], REGISTRY["turned"]
    (finding,) = report.findings
    assert finding.bug is Bug.SECOND_ORDER
    assert "order 2" in finding.text


@for_each(DIFFERENTIABLE)
def test_no_bug_in_a_shipped_op(op):
    report = check_op(op, examples=20, raises=False)
    assert report, str(report)
    assert report.notes == ()


def test_the_report_says_what_where_and_on_which_input():
    with planted("my_op", np.square, lambda g, y, x: g * x, domain=Domain()) as op:
        report = check_op(op, raises=False)
    assert not report
    text = str(report)
    assert text.startswith("my_op: wrong factor: analytic = 0.50 × numeric at all 6 entries; ")
    assert "missing factor 2?" in text
    assert text.endswith("Smallest failing input: x = 1.")


def test_the_smallest_case_is_small():
    with planted("my_op", np.multiply, (lambda g, y, a, b: g * b, lambda g, y, a, b: g * b),
                 domain=TWO) as op:  # fmt: skip
        report = check_op(op, raises=False)
    case = report.findings[0].case
    assert max(x.size for x in case.inputs) == 1
    assert all(float(x.sum()) in {0.0, 1.0, -1.0} for x in case.inputs)


def test_a_rule_for_arrays_only_is_no_bug_but_is_noted():
    def arrays_only(g, y, x):
        return np.asarray(g) * np.cos(np.asarray(x))

    with planted("my_op", np.sin, arrays_only, domain=Domain()) as op:
        report = check_op(op)
    assert report
    assert "only arrays, so there is no second order" in str(report)


def test_an_op_without_domain_cannot_be_checked():
    message = r"'my_op' states no domain.*domain=Domain"
    with (
        planted("my_op", np.sin, lambda g, y, x: g * np.cos(x)) as op,
        pytest.raises(UsageError, match=message),
    ):
        check_op(op)


def test_a_rule_that_repeats_is_fine():
    """Broadcasting inside a rule is undone by the engine, so it is no bug."""
    with planted("my_op", lambda x: np.log(x) * 1.0, lambda g, y, x: broadcast_to(g / x, x.shape),
                 domain=Domain((POSITIVE,))) as op:  # fmt: skip
        assert check_op(op)


def test_an_op_without_rules_is_only_computed():
    with planted("my_op", np.floor, domain=Domain()) as op:
        assert check_op(op)
    assert MATMUL.name in REGISTRY
