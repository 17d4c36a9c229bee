"""What is captured, and what is refused with the user's line."""

import threading

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.program.steps import Training, assert_same_bits, source_step
from tinygrad_mlp import nn
from tinygrad_mlp.errors import CaptureError, UsageError


def test_the_whole_step_of_the_lesson_is_eager_bit_for_bit_over_100_steps():
    twins = [Training(nn.MLP(2, [5], 1, bias=False, rng=3), batch=1, lr=0.1) for _ in range(2)]
    compiled, eager = tg.compile(twins[0].step, backend="numpy"), twins[1].step
    for i, (x, y) in enumerate(twins[0].batches(100)):
        if i == 2:
            compiled = source_step(compiled)
        assert_same_bits(compiled(x, y).data, eager(tg.Tensor(x), tg.Tensor(y)).data)
        for a, b in zip(twins[0].state(), twins[1].state(), strict=True):
            assert_same_bits(a, b)


def test_compile_is_a_function_and_a_decorator():
    @tg.compile
    def one(x):
        return x * 2

    @tg.compile(backend="numpy")
    def two(x):
        return x * 2, x + 1

    for _ in range(3):
        assert one(np.ones(2)).data.tolist() == [2.0, 2.0]
        double, more = two(np.ones(2))
        assert double.data.tolist() == more.data.tolist() == [2.0, 2.0]
    with pytest.raises(UsageError, match="no backend 'fast'"):
        tg.compile(lambda x: x, backend="fast")
    with pytest.raises(UsageError, match="takes a function"):
        tg.compile(3)


def test_source_before_two_calls_says_what_to_do():
    with pytest.raises(CaptureError, match="Call it twice"):
        _ = tg.compile(lambda x: x).source


@pytest.mark.parametrize(
    "use", [lambda t: t.item(), lambda t: float(t.data), lambda t: bool(t > 0), np.asarray]
)
def test_a_value_that_leaves_the_graph_is_an_error_with_the_users_line(use):
    def step(x):
        use((x * 2).sum())
        return x

    with pytest.raises(CaptureError, match="decides what happens next") as caught:
        tg.compile(step)(np.ones(2))
    assert caught.value.where.startswith("test_capture.py:")


def test_what_other_threads_do_meanwhile_is_no_part_of_a_recording():
    recording, stop = threading.Event(), threading.Event()
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")

    def other():
        recording.wait(10)
        own = tg.Tensor([3.0], requires_grad=True, name="w")
        (own * own).sum().backward()
        stop.set()

    def step(x):
        recording.set()
        stop.wait(10)
        return (w * x).sum()

    thread = threading.Thread(target=other)
    thread.start()
    compiled = tg.compile(step)
    for _ in range(3):
        compiled(np.ones(2))
    thread.join()
    assert "def step(x, w):" in compiled.source


def test_threads_that_capture_at_the_same_time_wait_for_each_other():
    together = threading.Barrier(2, timeout=10)
    found = []

    def train():
        w = tg.Tensor([1.0, 2.0], requires_grad=True)

        def step(x):
            return (w * x).sum()

        compiled = tg.compile(step)
        together.wait()
        found.extend(compiled(np.ones(2)).item() for _ in range(20))

    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3.0] * 40


def test_an_array_that_differs_is_not_said_to_be_the_same():
    rng = np.random.default_rng(0)
    step = tg.compile(lambda x: x + rng.normal(size=2))
    step(np.ones(2))
    with pytest.raises(CaptureError, match="the first time and another one the second"):
        step(np.ones(2))
