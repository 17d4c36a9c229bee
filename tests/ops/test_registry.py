"""Every op of the registry: its value, its gradient, the gradient of its gradient.

Written once for all ops. A new record is tried without a line here; what it must bring is a
domain to draw from and an entry in references.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.ops.references import REFERENCES
from tests.ops.shipped import DIFFERENTIABLE, DRAWABLE, RANDOM, SHIPPED, for_each, subject_of
from tinygrad_mlp.ops.domain import broadcasting
from tinygrad_mlp.testing.comparison import compare
from tinygrad_mlp.testing.drawing import Seeded
from tinygrad_mlp.testing.strategies import Drawn, cases
from tinygrad_mlp.testing.subject import climb, gradients, of_composition, of_op

ANALYTIC = [op for op in DIFFERENTIABLE if op.domain and op.domain.analytic]
FUSED = [op for op in DIFFERENTIABLE if op.same_as is not None]
DECISIONS = [op for op in SHIPPED if op.domain is None and op not in RANDOM]
EDGES = [(op, edge) for op in DRAWABLE for edge in op.domain.edges]


def test_there_are_ops():
    assert len(DIFFERENTIABLE) >= 36


@for_each(SHIPPED)
def test_a_record_says_what_it_is(op):
    assert op.doc.endswith(".")
    assert op.name in REFERENCES, "say in references.py what it computes"
    if op.differentiable:
        assert op.domain is not None, "a record needs a domain to draw from"


def test_no_reference_without_a_record():
    assert set(REFERENCES) - {op.name for op in SHIPPED} == set()


# ------------------------------------------------------------------ values


def assert_close(got, expected, relative=1e-12, size=0.0):
    """Equal but for rounding, which is relative to the largest entry, or to what cancelled."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    finite = np.abs(expected[np.isfinite(expected)])
    atol = relative * finite.max(initial=0.0) + 1e-14 * size
    np.testing.assert_allclose(got, expected, rtol=relative, atol=atol)


def size_of(arrays):
    return max((float(np.abs(x).max(initial=0.0)) for x in arrays), default=0.0)


@for_each(DRAWABLE)
@pytest.mark.parametrize("wide", [False, True], ids=["typical", "wide"])
@given(data=st.data())
def test_forward_is_numpy(op, wide, data):
    case = data.draw(cases(op, wide=wide))
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            expected = REFERENCES[op.name](*case.inputs, **case.attrs)
    except FloatingPointError:
        assume(False)
    assert_close(case.y, expected, size=size_of(x for x in case.inputs if x.dtype.kind == "f"))
    assert case.y.dtype == (np.float64 if op.differentiable else np.asarray(expected).dtype)


@for_each(DECISIONS)
@given(data=st.data())
def test_ops_without_rules_are_numpy(op, data):
    source = Drawn(data.draw)
    shapes, _ = broadcasting(len(REFERENCES[op.name].__code__.co_varnames))(source.pick)
    inputs = [np.round(source.numbers(shape, -2, 2)) for shape in shapes]
    for kind in (float, int, bool):
        xs = [x.astype(kind) for x in inputs]
        if op.name == "sign" and kind is bool:
            continue
        try:
            with np.errstate(all="ignore"):
                expected = REFERENCES[op.name](*xs)
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                op.forward(*xs)
            continue
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(op.forward(*xs), expected)


@for_each(RANDOM)
def test_ops_that_draw_draw_from_the_generator(op):
    got = op.forward(np.random.default_rng(3), shape=(2, 3))
    np.testing.assert_array_equal(got, REFERENCES[op.name](np.random.default_rng(3), shape=(2, 3)))


# Products of infinities depend on the order of adding, powers overflow; those have tests above.
ORDINARY = {"power", "constant_power", "mse", "matmul", "dot", "linear", "einsum", "var", "std"}
# What compares entries with the largest one is for finite numbers.
ORDINARY |= {"logsumexp", "softmax", "log_softmax", "cross_entropy", "cross_entropy_probs"}
ORDINARY |= {"standard", "layer_norm", "bce_with_logits"}
# What adds in another order than the reference: huge numbers then cancel elsewhere.
ORDINARY |= {"sum_to"}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 5e-324, -1e-300, 1e300, -1e300, np.inf, -np.inf, np.nan)


@for_each([op for op in DRAWABLE if op.name not in ORDINARY])
@given(data=st.data())
def test_forward_is_numpy_for_special_values(op, data):
    case = data.draw(cases(op))
    source = Drawn(data.draw)
    inputs = tuple(
        np.array([source.pick(SPECIAL) for _ in range(x.size)]).reshape(x.shape)
        if x.dtype.kind == "f"
        else x
        for x in case.inputs
    )
    with np.errstate(all="ignore"):
        got = op.apply(inputs, case.attrs)
        expected = REFERENCES[op.name](*inputs, **case.attrs)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-300)


@for_each(DRAWABLE)
@given(data=st.data())
def test_whole_numbers_and_truth_values(op, data):
    case = data.draw(cases(op))
    kind = data.draw(st.sampled_from([np.int64, np.int32, np.uint8, np.bool_]))
    # sum_to adds gradients up, the fastest way; there are no gradients of truth values.
    assume(op.name != "sum_to" or kind is not np.bool_)
    inputs = tuple(
        np.abs(x).round().astype(kind) if x.dtype.kind == "f" else x for x in case.inputs
    )
    try:
        with np.errstate(all="ignore"):
            expected = REFERENCES[op.name](*inputs, **case.attrs)
    except (TypeError, ValueError, OverflowError) as error:
        with pytest.raises(type(error)):
            op.apply(inputs, case.attrs)
        return
    with np.errstate(all="ignore"):
        got = np.asarray(op.apply(inputs, case.attrs))
    assert_close(got, expected, 1e-6)


# ------------------------------------------------------------------ gradients


@for_each(DIFFERENTIABLE)
@given(data=st.data())
def test_gradients_are_central_differences(op, data):
    case = data.draw(cases(op))
    for order, subject, gs in climb(subject_of(case), [case.g], 2):
        assert compare(subject, gs, order=order) == []


@for_each(ANALYTIC)
@pytest.mark.parametrize("wide", [False, True], ids=["typical", "wide"])
@given(data=st.data())
def test_gradients_are_complex_steps(op, wide, data):
    case = data.draw(cases(op, wide=wide))
    with np.errstate(all="ignore"):
        size = np.abs(case.y[case.y != 0])
        assume(size.max(initial=1.0) < 1e100 and size.min(initial=1.0) > 1e-100)
    for order, subject, gs in climb(subject_of(case), [case.g], 2):
        assert compare(subject, gs, order=order, exactly=True) == []


@for_each(FUSED)
@given(data=st.data())
def test_a_fused_op_is_its_composition_to_second_order(op, data):
    case = data.draw(cases(op))
    fused = climb(subject_of(case), [case.g], 2)
    composed = climb(of_composition(op, case.inputs, case.attrs), [case.g], 2)
    for (_, one, gs), (_, other, _) in zip(fused, composed, strict=True):
        size = size_of(gs) * max(1.0, size_of(one.inputs))
        for a, b in zip(one.compute(one.inputs), other.compute(other.inputs), strict=True):
            assert_close(a, b, 1e-11, size)
        for a, b in zip(
            gradients(one, one.inputs, gs), gradients(other, other.inputs, gs), strict=True
        ):
            assert_close(a, b, 1e-11, size)


@pytest.mark.parametrize(("op", "edge"), EDGES, ids=lambda x: getattr(x, "name", ""))
def test_edges_have_the_gradients_agreed_on(op, edge):
    inputs = tuple(np.asarray(x, dtype=np.float64) for x in edge.inputs)
    subject = of_op(op, inputs, _attrs_for(op, inputs))
    expected = [x for x in edge.gradients if x is not None]
    seed = np.ones_like(subject.compute(subject.inputs)[0])
    for got, agreed in zip(gradients(subject, subject.inputs, [seed]), expected, strict=True):
        np.testing.assert_array_equal(got, agreed)


def _attrs_for(op, inputs):
    """Attributes of the op's domain that suit inputs of these shapes, as far as axes matter."""
    for seed in range(50):
        shapes, attrs = op.domain.case(Seeded(seed).pick)
        if "axis" not in attrs or [len(s) for s in shapes] == [x.ndim for x in inputs]:
            return attrs
    raise AssertionError(f"no case of {op.name} is like its edge")


# ------------------------------------------------------------------ dtypes and layouts


@for_each(DIFFERENTIABLE)
@given(data=st.data())
def test_float32_stays_float32(op, data):
    case = data.draw(cases(op))
    small = case.astype(np.float32)
    assert small.y.dtype == np.float32
    large = climb(subject_of(case), [case.g], 2)
    for (_, one, gs), (_, other, exact) in zip(
        climb(subject_of(small), [small.g], 2), large, strict=True
    ):
        point = [x.astype(np.float32) for x in one.inputs]
        got = gradients(one, point, [g.astype(np.float32) for g in gs])
        expected = gradients(other, other.inputs, exact)
        for a, b in zip(got, expected, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * np.abs(b).max(initial=1.0))


LAYOUTS = {
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1] if x.ndim else x,
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2] if x.ndim else x,
    "columns first": lambda x: x.copy(order="F"),
    "a view": lambda x: np.stack([x, x])[1, ...],
}


@for_each(DIFFERENTIABLE)
@given(data=st.data())
def test_memory_layout_does_not_matter_and_inputs_are_only_read(op, data):
    case = data.draw(cases(op))
    layout = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))]
    laid = [layout(x) for x in case.inputs]
    g = layout(case.g)
    for array in (*laid, g):
        array.flags.writeable = False
    one, other = subject_of(case), of_op(op, laid, case.attrs)
    assert_close(other.compute(other.inputs)[0], case.y)
    for a, b in zip(
        gradients(one, one.inputs, [case.g]), gradients(other, other.inputs, [g]), strict=True
    ):
        assert_close(b, a, size=size_of([g]))
    for a, b in zip(one.slopes(one.inputs, [case.g]), other.slopes(other.inputs, [g]), strict=True):
        assert_close(b, a, size=size_of([g]))


@for_each([op for op in DIFFERENTIABLE if op.name in {"add", "mul", "div", "where", "maximum"}])
@given(data=st.data())
def test_inputs_that_are_broadcast_views(op, data):
    case = data.draw(cases(op))
    views = [np.broadcast_to(x, case.y.shape) for x in case.inputs]
    whole = of_op(op, [view.copy() for view in views], case.attrs)
    seen = of_op(op, views, case.attrs)
    for a, b in zip(
        gradients(whole, whole.inputs, [case.g]),
        gradients(seen, seen.inputs, [case.g]),
        strict=True,
    ):
        assert_close(b, a, size=size_of([case.g]))
