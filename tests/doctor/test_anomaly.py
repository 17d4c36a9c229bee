"""`detect_anomaly`: the first value that is no finite number, in either pass."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import AnomalyError
from tinygrad_mlp.ops import READERS


def caught(function):
    with pytest.raises(AnomalyError) as error, tg.detect_anomaly():
        function()
    return error.value


def zero():
    return tg.Tensor([4.0, 0.0], requires_grad=True, name="x")


@pytest.mark.parametrize(
    ("function", "parts", "index", "backward"),
    [
        (lambda x: np.log(x), ("log gives -inf", "'x' is 0", "1e-12"), (1,), False),
        (lambda x: 1 / x, ("div gives inf", "a division by 0"), (1,), False),
        (lambda x: np.sqrt(x - 5), ("sqrt gives nan", "no square root"), (0,), False),
        (lambda x: np.exp(x * 1000), ("exp gives inf", "overflow", "F.sigmoid(x)"), (0,), False),
        (lambda x: x**-1.5, ("constant_power gives inf",), (1,), False),
        (lambda x: (x + 1e200) * 1e200, ("mul gives inf", "too large"), (0,), False),
        (lambda x: np.sqrt(x).sum().backward(), ("backward of sqrt", "slope", "inf"), (1,), True),
        (
            lambda x: (np.sqrt(x) ** 2).sum().backward(),
            ("'x' is nan at [1]", "0 · inf is nan", "np.where(x > 0, x, 1)"),
            (1,),
            True,
        ),
        (lambda x: (x**0.5).sum().backward(), ("backward of constant_power",), (1,), True),
        (
            lambda x: np.sqrt(x).sum().backward(create_graph=True),
            ("backward of sqrt", "slope"),
            (1,),
            True,
        ),
        (
            lambda x: np.where(x.data > 0, np.log(x), 0.0),
            ("log gives -inf", "np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)"),
            (1,),
            False,
        ),
        (lambda x: (x * 1e200).sum().backward(np.array(1e200)), ("backward of mul",), (0,), True),
    ],
)
def test_it_names_the_op_the_element_and_the_remedy(function, parts, index, backward):
    error = caught(lambda: function(zero()))
    for part in (*parts, "test_anomaly.py:"):
        assert part in str(error)
    assert (error.index, error.backward) == (index, backward)
    assert error.inputs


def test_numbers_that_were_given_are_blamed_on_the_data():
    error = caught(lambda: tg.Tensor([1.0, np.nan], name="data") * 2)
    assert "'data' is nan at [1] before mul reads it" in str(error)


def test_a_forward_pass_from_before_the_block():
    x = zero()
    with np.errstate(all="ignore"):
        loss = (np.log(x) * 0.0).sum()
    error = caught(lambda: loss.backward(np.array(1.0)))
    assert "in the forward pass" in str(error)


def test_inside_a_model_it_names_the_users_line():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), lambda h: np.log(h * 0.0))
    error = caught(lambda: model(np.ones((1, 2))))
    assert "test_anomaly.py:" in str(error)
    assert "log gives -inf at [0, 0]" in str(error)


def test_what_is_right_stays_as_it_is():
    def train():
        model = nn.MLP(2, [3], 1, rng=0)
        optimizer = optim.Adam(model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            nn.MSELoss()(model([[0.3, 0.1]]), [[0.4]]).backward()
            optimizer.step()
        return model[0].weight.data

    plain = train()
    with tg.detect_anomaly(), tg.detect_anomaly():
        watched = train()
    assert np.array_equal(plain, watched)


def test_it_goes_away_again():
    before = dict(READERS)
    caught(lambda: np.log(zero()))
    assert dict(READERS) == before
    with np.errstate(divide="ignore"):
        assert np.log(zero()).data[1] == -np.inf

    @tg.detect_anomaly()
    def decorated():
        return np.log(zero())

    for _ in range(2):
        with pytest.raises(AnomalyError):
            decorated()
    assert dict(READERS) == before


def test_other_threads_are_left_alone():
    found = []

    def elsewhere():
        with np.errstate(divide="ignore"):
            found.append(np.log(zero()).data[1])

    with tg.detect_anomaly():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [-np.inf]


def test_it_is_what_python_calls_it():
    assert issubclass(AnomalyError, FloatingPointError)


# ------------------------------------------------------------------ side by side


def test_blocks_may_end_in_any_order():
    a, b = tg.detect_anomaly(), tg.detect_anomaly()
    a.__enter__()
    b.__enter__()
    a.__exit__(None, None, None)
    with pytest.raises(AnomalyError):
        np.log(zero())
    b.__exit__(None, None, None)
    with np.errstate(divide="ignore"):
        assert np.log(zero()).data[1] == -np.inf


def test_a_block_of_one_thread_and_a_capture_of_another_leave_nothing_behind():
    w = tg.Tensor(2.0, requires_grad=True)
    entered, captured = threading.Event(), threading.Event()

    def look():
        with tg.detect_anomaly():
            entered.set()
            captured.wait(10)

    def slow(x):
        entered.wait(10)
        return x * w

    thread = threading.Thread(target=look)
    step = tg.compile(slow)
    thread.start()
    assert [step(1.0).item() for _ in range(3)] == [2.0] * 3
    captured.set()
    thread.join()
    w.data = np.array(7.0)
    assert step(1.0).item() == 7.0
    with np.errstate(divide="ignore"):
        assert np.log(zero()).data[1] == -np.inf


def test_a_step_that_is_compiled_in_a_block_still_reads_its_weights():
    model = nn.Linear(1, 1, rng=0)
    step = tg.compile(lambda x: model(x))
    with tg.detect_anomaly():
        for _ in range(3):
            step(np.ones((1, 1)))
    model.weight.data = np.array([[100.0]])
    x = np.ones((1, 1))
    assert step(x).item() == model(x).item()


def test_a_block_inside_a_step_that_is_compiled_does_no_harm():
    w = tg.Tensor(2.0, requires_grad=True)

    def checked(x):
        with tg.detect_anomaly():
            return x * w

    step = tg.compile(checked)
    assert [step(3.0).item() for _ in range(3)] == [6.0] * 3
    w.data = np.array(7.0)
    assert step(3.0).item() == 21.0
