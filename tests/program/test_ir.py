"""The program itself: printed, checked, evaluated, and made smaller pass by pass."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.program.steps import Training, assert_same_bits
from tinygrad_mlp import nn
from tinygrad_mlp.errors import CaptureError
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.program import Equation, Program, Var, evaluate
from tinygrad_mlp.program.compiled import held, optimised
from tinygrad_mlp.program.lowering import lowered
from tinygrad_mlp.program.passes import (
    algebra,
    common_subexpressions,
    constants,
    dead_code,
    early_products,
    run,
    unclamped,
)

mul, sub, exp = REGISTRY["mul"], REGISTRY["sub"], REGISTRY["exp"]


def program_of(function, *arrays):
    """A program that computes a function of variables."""
    program = Program()
    program.inputs = [Var(program, np.asarray(a), name) for a, name in zip(arrays, "xyz")]  # noqa: B905
    program.outputs = [function(*program.inputs)]
    return program


def ops(program):
    return [e.op.name for e in program.equations]


def value(program, *arrays):
    known = {id(v): np.asarray(a) for v, a in zip(program.inputs, arrays, strict=True)}
    return evaluate(program, known)[0]


X = np.array([[0.5, -1.0], [2.0, 3.0]])


def test_a_program_prints_one_equation_a_line_with_types_paths_and_places():
    training = Training(nn.MLP(2, [3], 1, rng=0), batch=4)
    step = tg.compile(training.step)
    for x, y in training.batches(2):
        step(x, y)
    lines = str(step.program).splitlines()
    assert lines[0] == "input x: float64[4, 2]"
    assert "cell lr: float64[]" in lines
    linear = "linear: float64[4, 3] = linear(x, 0.weight, 0.bias)  # 0, steps.py:"
    assert any(line.startswith(linear) for line in lines)
    assert any(line.startswith("d_0.weight: float64[3, 2] = dot(") for line in lines)
    assert "write 0.weight = 0.weight'1" in lines


def test_a_variable_must_be_defined_before_it_is_used_and_once():
    program = program_of(lambda x: exp(x) * x, X)
    first, second = program.equations
    with pytest.raises(CaptureError, match="before it is defined"):
        program.with_equations([second, first]).check()
    with pytest.raises(CaptureError, match="defined twice"):
        program.with_equations([first, first, second]).check()
    with pytest.raises(CaptureError, match="no equation defines"):
        program.with_equations([first]).check()


def test_a_pass_that_breaks_a_program_is_stopped():
    program = program_of(lambda x: exp(x) * x, X)
    with pytest.raises(CaptureError):
        run(program, [lambda p: p.with_equations(p.equations[1:])])


def test_dead_code_goes_and_draws_stay():
    generator = np.random.default_rng(0)
    program = Program()
    source = Var(program, generator, "generator")
    program.inputs = [source, Var(program, X, "x")]
    draw = Equation(REGISTRY["uniform"], (source,), {"shape": (2,)}, Var(program, np.ones(2)))
    program.equations = [draw]
    program.outputs = [exp(program.inputs[1])]
    program.inputs[1] * 2.0
    assert ops(dead_code(program)) == ["uniform", "exp"]


def test_what_is_computed_twice_is_computed_once():
    program = program_of(lambda x: exp(x * 2.0) + exp(x * 2.0), X)
    smaller = common_subexpressions(program)
    assert ops(smaller) == ["mul", "exp", "add"]
    assert_same_bits(value(smaller, X + 1), value(program, X + 1))


def test_constants_are_computed_beforehand():
    program = Program()
    x = Var(program, X, "x")
    known = Equation(mul, (2.0, np.ones(2)), {}, Var(program, np.full(2, 2.0)))
    program.inputs, program.equations = [x], [known]
    program.outputs = [x * known.output]
    assert ops(constants(program)) == ["mul"]
    assert_same_bits(value(constants(program), X), X * 2.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: mul(1.0, x),
        lambda x: x * np.ones_like(X),
        lambda x: mul(x, 1),
        lambda x: x / 1.0,
        lambda x: x - 0.0,
        lambda x: x**1,
        lambda x: x.mT.mT,
        lambda x: x.reshape(2, 2),
        lambda x: x.astype(np.float64),
    ],
)
def test_what_changes_no_bit_goes(function):
    program = program_of(lambda x: exp(function(x)), X)
    smaller = dead_code(algebra(program))
    assert ops(smaller) == ["exp"]
    assert_same_bits(value(smaller, -X), value(program, -X))


@pytest.mark.parametrize(
    "function", [lambda x: x + 0.0, lambda x: mul(np.ones((3, 2, 2)), x), lambda x: x / 2.0]
)
def test_what_changes_something_stays(function):
    """``-0.0 + 0.0`` is ``0.0``; a product with ones may change the shape."""
    program = program_of(function, X)
    assert len(algebra(program).equations) == 1
    assert_same_bits(value(algebra(program), -0.0 * X), value(program, -0.0 * X))


def test_a_square_is_a_product():
    program = program_of(lambda x: x**2, X)
    assert ops(algebra(program)) == ["mul"]
    assert_same_bits(value(algebra(program), X), X**2)


def test_a_fused_op_comes_apart_into_what_numpy_does():
    program = lowered(program_of(REGISTRY["sigmoid"], X))
    assert "sigmoid" not in ops(program)
    assert {"exp", "add"} <= set(ops(program))
    assert_same_bits(value(program, X), REGISTRY["sigmoid"](X))


def test_the_slope_is_multiplied_before_the_gradient_arrives():
    program = program_of(lambda x, w: (x @ w) * np.tanh(x) * (1.0 - np.tanh(x)), X, X.T)
    earlier = early_products(common_subexpressions(program))
    last, before = earlier.equations[-1], earlier.equations[-2]
    assert before.output is last.inputs[1]
    np.testing.assert_allclose(value(earlier, X, X), value(program, X, X), rtol=1e-15)


def test_the_clamp_of_a_sigmoid_goes_and_that_of_anything_else_stays():
    sigmoid = common_subexpressions(lowered(program_of(REGISTRY["sigmoid"], X)))
    if "minimum" in ops(sigmoid):
        assert "minimum" not in ops(unclamped(sigmoid))
    other = program_of(lambda x: exp(np.minimum(x, 709.0)), X)
    assert "minimum" in ops(unclamped(other))


def test_an_evaluated_program_is_the_step():
    ours, theirs = (Training(nn.MLP(2, [3], 1, rng=0), batch=4) for _ in range(2))
    step = tg.compile(ours.step)
    batches = ours.batches(3)
    for x, y in batches[:2]:
        step(x, y)
        theirs.step(tg.Tensor(x), tg.Tensor(y))
    x, y = batches[2]
    for program, check in (
        (step.program, assert_same_bits),
        (optimised(step.program), lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12)),
    ):
        known = dict(zip(map(id, program.inputs), (x, y), strict=True))
        known |= {id(c.before): held(c) for c in program.reads}
        results = evaluate(program, known)
        if program is step.program:
            loss = theirs.step(tg.Tensor(x), tg.Tensor(y))
        check(results[0], loss.data)
        arrays = dict(zip([c.name for c in program.writes], results[1:], strict=True))
        check(arrays["0.weight"], theirs.model[0].weight.data)
