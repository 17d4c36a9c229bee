"""What a compiled step may be called with: by position, by name, by name only, with defaults."""

import inspect

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.program.steps import Training
from tinygrad_mlp import nn
from tinygrad_mlp.errors import UsageError

ONE, TWO, THREE = np.ones(2), np.full(2, 2.0), np.full(2, 3.0)


def values(results):
    return [r.tolist()[0] for r in results]


def test_arguments_by_name_are_the_same_step():
    ours, theirs = (Training(nn.MLP(3, [4], 2, rng=0)) for _ in range(2))
    compiled = tg.compile(ours.step)
    calls = [
        lambda f, x, y: f(x, y),
        lambda f, x, y: f(x, y=y),
        lambda f, x, y: f(y=y, x=x),
    ]
    for i, (x, y) in enumerate(ours.batches(12)):
        a = calls[i % 3](compiled, x, y)
        b = theirs.step(tg.Tensor(x), tg.Tensor(y))
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-12)
    assert compiled.captures == 2


def test_arguments_by_name_only():
    step = tg.compile(lambda x, *, y: x - 2.0 * y)
    assert values(step(THREE, y=ONE) for _ in range(4)) == [1.0] * 4
    assert values([step(x=THREE, y=TWO), step(y=TWO, x=ONE)]) == [-1.0, -3.0]
    assert step.captures == 2


def test_arguments_by_position_only():
    step = tg.compile(lambda x, /, y: x - 2.0 * y)
    assert values(step(THREE, ONE) for _ in range(4)) == [1.0] * 4
    assert values([step(THREE, y=TWO)]) == [-1.0]
    with pytest.raises(UsageError, match=r"(?s)takes x and y.*Write <lambda>\(x, y\)"):
        step(y=ONE)
    assert step.captures == 2


def test_defaults_hold_until_another_value_is_given():
    @tg.compile
    def step(x, scale=2.0, *, shift=0.5):
        return x * scale + shift

    for _ in range(3):
        assert values([step(ONE)]) == [2.5]
        assert values([step(ONE, THREE), step(ONE, scale=THREE)]) == [3.5, 3.5]
        assert values([step(ONE, shift=TWO)]) == [4.0]
        assert values([step(ONE, shift=TWO, scale=THREE), step(ONE, THREE, shift=TWO)]) == [5, 5]
    assert step.captures == 8


def test_two_arguments_that_may_be_left_out_are_told_apart():
    @tg.compile
    def step(x, a=0.0, b=0.0):
        return x + 10.0 * a + 100.0 * b

    for _ in range(4):
        assert values([step(ONE, a=ONE), step(ONE, b=ONE), step(ONE, ONE)]) == [11, 101, 11]


def test_any_number_of_arguments_by_name():
    @tg.compile
    def step(*xs, **named):
        return sum(xs) + named["a"] * 10.0 + named["b"] * 100.0

    for _ in range(4):
        assert values([step(ONE, ONE, a=ONE, b=TWO), step(ONE, b=TWO, a=ONE)]) == [212, 211]
    assert step.captures == 4


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_is_missing_or_unknown_is_said_before_and_after_compiling(count):
    @tg.compile
    def step(x, y):
        return x - y

    for _ in range(count):
        step(ONE, ONE)
    for wrong, said in [
        (lambda: step(ONE), r"step\(\) got no 'y' \(test_arguments.py:\d+\): it takes x and y\."),
        (lambda: step(ONE), r"Write step\(x, y\)\."),
        (lambda: step(), r"step\(\) got no 'x' and no 'y' "),
        (lambda: step(y=ONE), r"step\(\) got no 'x' "),
        (lambda: step(ONE, target=ONE), r"step\(\) has no argument 'target' \(test_arguments"),
        (lambda: step(ONE, ONE, z=ONE, t=ONE), r"has no argument 'z' or 't' .*takes x and y\."),
        (lambda: step(ONE, ONE, ONE), r"step\(\) got 3 arguments by position"),
        (lambda: step.scan(ONE), r"step\(\) got no 'y' \(test_arguments"),
        (lambda: step.scan(ONE, t=ONE), r"step\(\) has no argument 't'"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=said):
            wrong()
    for _ in range(3):
        assert step(TWO, ONE).tolist() == [1.0, 1.0]
    assert step.captures == 2


def test_one_argument_given_twice():
    @tg.compile
    def step(x, y):
        return x - y

    for _ in range(4):
        with pytest.raises(TypeError, match=r"step\(\) got (multiple values for argument )?'x'"):
            step(ONE, x=ONE)
        step(ONE, ONE)


def test_nothing_to_give():
    w = tg.Tensor([1.0])
    step = tg.compile(lambda: w * 2.0)
    for _ in range(3):
        assert step().tolist() == [2.0]
    with pytest.raises(UsageError, match="it takes none"):
        step(ONE)


NAMES = [
    "step",
    "array",
    "type",
    "results",
    "named",
    "others",
    "memory",
    "view_0",
    "dicts",
    "slow",
    "shape_0",
    "holder_0",
    "given_0",
    "renewed",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_may_be_called_like_anything_inside(name):
    space = {}
    exec(  # noqa: S102 - a function with this name in it
        f"def f({name}, y):\n    return {name} - y",
        space,
    )
    by_name = tg.compile(space["f"])
    for _ in range(4):
        assert by_name(THREE, ONE).tolist() == [2.0, 2.0]
        assert by_name(THREE, y=ONE).tolist() == [2.0, 2.0]
        assert by_name(**{"y": ONE, name: THREE}).tolist() == [2.0, 2.0]
    assert by_name.captures == 2
    exec(  # noqa: S102
        f"def f(x, *, {name}):\n    return x - {name}",
        space,
    )
    only = tg.compile(space["f"])
    for _ in range(4):
        assert only(THREE, **{name: ONE}).tolist() == [2.0, 2.0]
    assert only.captures == 2


def test_a_whole_epoch_by_name():
    steps = np.arange(6.0).reshape(6, 1)
    by_position, by_name = (tg.compile(lambda x, *, y=1.0: x * y) for _ in range(2))
    assert by_name.scan(steps, y=steps).tolist() == [[k * k] for k in range(6)]
    assert by_name.scan(x=steps, y=steps).tolist() == [[k * k] for k in range(6)]
    assert by_position.scan(steps).tolist() == steps.tolist()


def test_it_shows_the_signature_of_the_step():
    def step(x, *, y=1.0):
        """Two numbers."""
        return x * y

    compiled = tg.compile(step)
    assert inspect.signature(compiled) == inspect.signature(step)
    assert compiled.__doc__ == "Two numbers."
    assert callable(compiled)


def test_a_history_is_refused_with_the_users_line_after_compiling_too():
    step = tg.compile(lambda x, y: x - y)
    w = tg.Tensor([1.0, 1.0], requires_grad=True)
    for _ in range(3):
        step(ONE, ONE)
    with pytest.raises(UsageError, match=r"argument 'y'.*test_arguments.py"):
        step(ONE, w * 1.0)
