"""The compiled step against the eager one: the same numbers, in whatever way they are mixed."""

import itertools
import math

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.program.drawn import OPTIMISERS
from tests.program.steps import Training, source_step
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import CaptureError, TrainingWarning, UsageError


def assert_close(a, b, tolerance=1e-12):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def pair(make):
    return make(), make()


def run(compiled, eager, batches, check=assert_close):
    for x, y in batches:
        check(compiled(x, y).data, eager(tg.Tensor(x), tg.Tensor(y)).data)


def mlp(**kwargs):
    return lambda: Training(nn.MLP(3, [4], 2, rng=0), **kwargs)


def test_tiny_steps_run_as_python_numbers_and_larger_ones_in_buffers():
    tiny, larger = Training(nn.MLP(2, [5], 1, rng=0), batch=1), Training(nn.MLP(9, [40], 9, rng=0))
    for training, forms in ((tiny, {"scalars", "buffers", "call"}), (larger, {"buffers", "call"})):
        compiled = tg.compile(training.step)
        run(compiled, training.step, [])
        for x, y in training.batches(2):
            compiled(x, y)
        assert set(compiled.executed) == forms


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("width", [4, 40])
def test_every_array_that_training_changes_is_the_same(batch, width):
    ours, theirs = pair(lambda: Training(nn.MLP(3, [width], 2, rng=0), batch=batch))
    compiled = tg.compile(ours.step)
    for x, y in ours.batches(30):
        assert_close(compiled(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
        for a, b in zip(ours.state(), theirs.state(), strict=True):
            assert_close(a, b)


@pytest.mark.parametrize("sizes", [(300, 500, 300), (1200, 700, 3)])
@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_large_arrays_are_worked_on_in_pieces(sizes, optimiser):
    ours, theirs = pair(
        lambda: Training(
            nn.MLP(sizes[0], [sizes[1]], sizes[2], rng=0),
            batch=300,
            optimizer=OPTIMISERS[optimiser],
        )
    )
    compiled = tg.compile(ours.step)
    for x, y in ours.batches(4):
        assert_close(compiled(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_close(a, b)
    assert "in blocks" in compiled.executed["buffers"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [3, 70, 400])
def test_rows_and_columns_beside_a_matrix(size, dtype):
    """Small ones are written out, since NumPy is slow to begin with different shapes."""
    rng = np.random.default_rng(0)
    shapes = [(size,), (1, size), (size, 1), (1, 1), (1,)]
    parts = [tg.Tensor(rng.random(s).astype(dtype), requires_grad=True) for s in shapes]

    def step(x):
        y = x
        for part in parts:
            y = np.maximum(y * part + part - part / 2, part)
        loss = (y * y).mean()
        for part in parts:
            part.grad = None
        loss.backward()
        for part in parts:
            part.data = part.data - 0.1 * part.grad
        return loss

    compiled = tg.compile(step)
    x = rng.random((size, size)).astype(dtype)
    start = [part.data for part in parts]
    expected = [step(tg.Tensor(x)).item() for _ in range(5)]
    for part, data in zip(parts, start, strict=True):
        part.data = data
    assert_close([compiled(x).item() for _ in range(5)], expected, 1e-5 if size > 3 else 1e-6)
    if size == 70:
        assert "_spread[...] = " in compiled.executed["buffers"]


def test_eager_and_compiled_steps_mix_freely():
    ours, theirs = pair(mlp())
    compiled = tg.compile(ours.step)
    for i, (x, y) in enumerate(ours.batches(40)):
        step = compiled if i % 3 or i < 9 else lambda x, y: ours.step(tg.Tensor(x), tg.Tensor(y))
        assert_close(step(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
        if i == 20:
            for training in (ours, theirs):
                for p in training.model.parameters():
                    p.data = p.data * 0.5
        if i == 25:
            for training in (ours, theirs):
                training.model.load_state_dict(
                    {k: np.zeros_like(v) for k, v in training.model.state_dict().items()}
                )
        if i == 30:
            for training in (ours, theirs):
                for p in training.model.parameters():
                    p.data -= 0.125
    assert compiled.captures == 2


def test_whoever_kept_an_array_or_a_graph_keeps_it():
    training = Training(nn.MLP(3, [4], 2, rng=0))
    compiled = tg.compile(training.step)
    kept = []
    for x, y in training.batches(8):
        p = next(training.model.parameters())
        loss = training.loss_fn(training.model(tg.Tensor(x)), tg.Tensor(y))
        kept.append((p.data, p.data.copy(), p.numpy()[1:], p.data[1:].copy(), loss))
        compiled(x, y)
        if p.grad is not None:
            kept.append((p.grad, p.grad.copy(), p.grad.T, p.grad.T.copy(), loss))
    for whole, copy, part, copied, loss in kept:
        assert np.array_equal(whole, copy)
        assert np.array_equal(part, copied)
        training.optimizer.zero_grad()
        loss.backward()


def test_a_returned_array_is_the_callers():
    training = Training(nn.MLP(3, [4], 2, rng=0))

    @tg.compile
    def predict(x):
        return training.model(x)

    x = training.batches(1)[0][0]
    results = [predict(x * k).data for k in range(4)]
    for k, result in enumerate(results):
        assert_close(result, training.model(tg.Tensor(x * k)).data)


def test_the_numbers_of_the_recordings_are_let_go():
    training = Training(nn.MLP(50, [60], 20, rng=0), batch=40)
    compiled = tg.compile(training.step)
    for x, y in training.batches(2):
        compiled(x, y)
    held = [e.output.value for e in compiled.program.equations if e.output.size > 64]
    assert held
    assert not any(any(a.strides) for a in held)
    step = source_step(compiled)
    x, y = training.batches(1)[0]
    expected = training.loss_fn(training.model(tg.Tensor(x)), tg.Tensor(y))
    assert_close(step(x, y).data, expected.data)


def test_a_step_of_any_number_of_arguments():
    step = tg.compile(lambda *batch: sum(t.sum() for t in batch))
    for count in (1, 2, 3):
        for _ in range(3):
            assert step(*[np.ones(2)] * count).item() == 2.0 * count


def test_a_tuple_of_one_stays_a_tuple():
    step = tg.compile(lambda x: (x * 2.0,))
    for _ in range(4):
        (y,) = step(np.ones(2))
        assert y.data.tolist() == [2.0, 2.0]


def test_gradients_add_up_as_in_eager_mode():
    def make():
        training = Training(nn.MLP(3, [4], 2, rng=0))

        def step(x, y):
            loss = training.loss_fn(training.model(x), y)
            loss.backward()
            return loss

        return training, step

    (ours, a), (theirs, b) = make(), make()
    compiled = tg.compile(a)
    for i, (x, y) in enumerate(ours.batches(12)):
        compiled(x, y)
        b(tg.Tensor(x), tg.Tensor(y))
        for p, q in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
            assert_close(p.grad, q.grad)
            if i == 8:
                p.grad = q.grad = None


def test_overflow_falls_back_to_numpy():
    w = tg.Tensor([1.0, 1.0], requires_grad=True)

    @tg.compile
    def step(x):
        loss = np.exp(x * w).sum()
        w.grad = None
        loss.backward()
        return loss

    for value in (1.0, 2.0, 3.0):
        assert_close(step([value, 0.0]).data, math.exp(value) + 1.0)
    assert "scalars" in step.executed
    with np.errstate(over="ignore"):
        assert step([1000.0, 0.0]).item() == np.inf
    assert w.grad.tolist() == [np.inf, 0.0]
    assert_close(step([1.0, 0.0]).data, math.e + 1.0)


# -- what is not frozen ----------------------------------------------------------------------


def test_a_learning_rate_that_changes_is_followed():
    ours, theirs = pair(lambda: Training(nn.MLP(3, [4], 2, rng=0), optimizer=lambda ps: optim.SGD(
        ps, lr=0.1, momentum=0.9)))  # fmt: skip
    compiled = tg.compile(ours.step)
    for i, (x, y) in enumerate(ours.batches(20)):
        for training in (ours, theirs):
            training.optimizer.lr = 0.1 / (1 + i)
            training.optimizer.groups[0].momentum = 0.9 - i / 100
        assert_close(compiled(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
    assert compiled.captures == 2


def test_another_shape_dtype_or_mode_is_another_program():
    training = Training(nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1)))
    twin = Training(nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1)))
    compiled = tg.compile(training.step)

    def both(count=3, batch=3):
        training.batch = twin.batch = batch
        for x, y in training.batches(count):
            assert_close(compiled(x, y).data, twin.step(tg.Tensor(x), tg.Tensor(y)).data)
            for a, b in zip(training.state(), twin.state(), strict=True):
                if a is not None:
                    assert_close(a, b)

    both()
    assert compiled.captures == 2
    both(batch=5)
    assert compiled.captures == 4
    both()
    both(batch=5)
    assert compiled.captures == 4
    for t in (training, twin):
        t.model[0].requires_grad_(False)
    both()
    assert compiled.captures == 7  # the first of the three also forgets the gradient of before
    for t in (training, twin):
        t.model[0].requires_grad_(True)
    both()
    assert compiled.captures == 7
    for t in (training, twin):
        t.model.eval()
    both()
    assert compiled.captures == 9
    removers = [t.model[0].weight.register_hook(lambda g: g * 2) for t in (training, twin)]
    both()
    assert compiled.captures == 11
    for remove in removers:
        remove()
    both()
    assert compiled.captures == 11


def test_a_new_layer_and_a_new_model_are_seen():
    class Stack(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(3, 3, rng=0)]

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Stack()

    @tg.compile
    def predict(x):
        return model(x)

    x = np.ones((2, 3))
    for _ in range(3):
        predict(x)
    model.layers.append(nn.Linear(3, 3, rng=1))
    for _ in range(4):
        assert_close(predict(x).data, model(tg.Tensor(x)).data)
    model = nn.Linear(3, 3, rng=5)
    for _ in range(4):
        assert_close(predict(x).data, model(tg.Tensor(x)).data)


@pytest.mark.parametrize("place", ["attribute", "list", "optimiser"])
def test_a_parameter_is_not_taken_for_an_equal_one(place):
    class Scaled(nn.Module):
        def __init__(self):
            self.scale, self.others = nn.Parameter([2.0]), [nn.Parameter([3.0])]

        def forward(self, x):
            return x * self.scale * self.others[0]

    model = Scaled()
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def step(x):
        loss = model(x).sum()
        model.scale.grad = model.others[0].grad = None
        loss.backward()
        optimizer.step()
        return loss

    compiled = tg.compile(step)
    for _ in range(4):
        compiled(np.ones(1))
    old = model.others[0] if place == "list" else model.scale
    new = nn.Parameter(old.data)
    if place == "attribute":
        model.scale = new
    elif place == "list":
        model.others[0] = new
    else:
        model.scale = optimizer.groups[0].params[0] = new
        optimizer = optim.SGD(model.parameters(), lr=0.01)
    compiled(np.ones(1))
    assert compiled.captures == 3
    assert new.grad is not None


def test_a_model_is_not_taken_for_an_equal_one():
    class Equal(nn.Linear):
        def __eq__(self, other):
            return type(other) is Equal

        __hash__ = nn.Linear.__hash__

    model = nn.Sequential(Equal(2, 1, rng=0))
    holder = nn.Sequential(model)
    compiled = tg.compile(lambda x: holder(x))
    for _ in range(4):
        compiled(np.ones((1, 2)))
    model._layers = (Equal(2, 1, rng=1),)
    x = np.ones((1, 2))
    for _ in range(4):
        assert_close(compiled(x).data, holder(tg.Tensor(x)).data)


def test_a_number_around_the_function_is_seen():
    scale = 2.0

    @tg.compile
    def step(x):
        return x * scale

    for scale in (2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 2.0):
        assert step(np.ones(2)).data.tolist() == [scale, scale]
    assert step.captures == 4


def test_a_number_around_the_function_may_have_any_name():
    x0 = 2.0

    @tg.compile
    def step(x):
        return x * x0

    for _ in range(5):
        assert step(np.ones(2)).data.tolist() == [2.0, 2.0]
    assert step.captures == 2


def test_a_variable_around_the_function_that_holds_nothing_yet():
    def make():
        @tg.compile
        def step(x):
            return x * 2.0 if x.shape == (2,) else x * later

        for _ in range(3):
            assert step(np.ones(2)).tolist() == [2.0, 2.0]
        later = 5.0
        for _ in range(3):
            assert step(np.ones(3)).tolist() == [5.0] * 3
            assert step(np.ones(2)).tolist() == [2.0, 2.0]
        later = 6.0
        assert step(np.ones(3)).tolist() == [6.0] * 3

    make()


def test_the_optimiser_is_watched_while_its_numbers_change():
    ours, theirs = pair(lambda: Training(nn.MLP(3, [4], 2, rng=0), optimizer=lambda ps: optim.SGD(
        ps, lr=0.1, momentum=0.9)))  # fmt: skip
    compiled = tg.compile(ours.step)
    for i, (x, y) in enumerate(ours.batches(16)):
        for group in (ours.optimizer.groups[0], theirs.optimizer.groups[0]):
            group.lr = 0.1 / (1 + i)
            group.nesterov = i >= 9
            if i == 6:
                group.note = "an attribute that the step does not look at"
        assert_close(compiled(x, y).data, theirs.step(tg.Tensor(x), tg.Tensor(y)).data)
    assert compiled.captures == 4
    ours.optimizer.groups[0].lr = 1  # a number of another type
    compiled(*ours.batches(1)[0])
    assert compiled.captures == 5


def test_a_result_is_a_tensor_like_any_other():
    step = tg.compile(lambda x: (x * 2.0).sum())
    for _ in range(4):
        result, usual = step(np.ones(3)), tg.Tensor(6.0)
        assert (result.shape, result.dtype, result.item()) == ((), np.float64, 6.0)
        for slot in tg.Tensor.__slots__:
            if slot not in {"__weakref__", "_data", "birth", "site"}:
                assert getattr(result, slot) == getattr(usual, slot)


def test_a_counter_that_others_move_does_no_harm():
    class Counting(nn.Module):
        def __init__(self):
            self.epoch, self.linear = 0, nn.Linear(3, 2, rng=0)

        def forward(self, x):
            return self.linear(x)

    model = Counting()
    step = tg.compile(lambda x: model(x))
    for _ in range(5):
        model.epoch += 1
        step(np.ones((1, 3)))
    assert step.captures == 2


@pytest.mark.parametrize("name", ["{0}", "a b", "'", "{1}\n", "x; import os"])
def test_attributes_of_any_name_are_watched(name):
    model = nn.Linear(3, 2, rng=0)
    setattr(model, name, 1)
    compiled = tg.compile(lambda x: model(x))
    for _ in range(4):
        setattr(model, name, getattr(model, name) + 1)  # makes no difference: it is not watched
        compiled(np.ones((1, 3)))
    assert compiled.captures == 2
    setattr(model, name + "'{", True)
    for _ in range(4):
        compiled(np.ones((1, 3)))
    assert compiled.captures == 4


def test_only_so_many_programs_are_kept():
    step = tg.compile(lambda x: x * 2.0)

    def many():
        for n in range(1, 11):
            for _ in range(3):
                assert step(np.ones(n)).data.tolist() == [2.0] * n

    with pytest.warns(TrainingWarning, match="only 8 are kept"):
        many()
    assert "8 of 8 programs" in repr(step)


def test_it_takes_lists_tensors_and_arrays_and_refuses_a_history():
    step = tg.compile(lambda x: x * 2.0)
    for given in ([1.0], np.array([1.0]), tg.Tensor([1.0]), [1.0], np.array([1.0])):
        assert step(given).data.tolist() == [2.0]
    w = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(UsageError, match="has a history"):
        step(w * 1.0)


def test_parameters_of_another_dtype_are_another_program():
    training = Training(nn.MLP(3, [4], 2, rng=0))
    compiled = tg.compile(training.step)
    for x, y in training.batches(3):
        compiled(x, y)
    training.model.astype(np.float32)
    training.dtype = np.dtype(np.float32)
    for x, y in training.batches(3):
        assert compiled(x, y).dtype == np.float32
    assert {p.dtype for p in training.model.parameters()} == {np.dtype(np.float32)}


# -- what would be frozen is an error --------------------------------------------------------


def test_a_mask_from_a_users_own_generator_is_caught():
    rng = np.random.default_rng(0)

    def step(x):
        return x * (rng.random(3) > 0.5)

    compiled = tg.compile(step)
    compiled(np.ones(3))
    with pytest.raises(CaptureError, match="would be frozen") as caught:
        compiled(np.ones(3))
    assert caught.value.where.startswith("test_compiled.py:")


def test_a_float_that_changes_inside_is_caught():
    scales = iter([0.5, 0.25])

    def step(x):
        return x * next(scales)

    compiled = tg.compile(step)
    compiled(np.ones(3))
    with pytest.raises(CaptureError, match=r"mul used 0\.5 the first time and 0\.25 the second"):
        compiled(np.ones(3))


def test_another_path_is_caught():
    turns = itertools.cycle([True, False])

    def step(x):
        return x * 2.0 if next(turns) else np.tanh(x)

    compiled = tg.compile(step)
    compiled(np.ones(3))
    with pytest.raises(CaptureError, match="another path the second time: mul, then tanh"):
        compiled(np.ones(3))


def test_a_value_kept_in_a_list_is_caught():
    earlier = []

    def step(x):
        y = x * 2.0
        earlier.append(y)
        return y + earlier[0]

    compiled = tg.compile(step)
    compiled(np.ones(3))
    with pytest.raises(CaptureError, match="kept outside a tensor"):
        compiled(np.ones(3))


def test_a_step_that_fails_leaves_everything_as_it_was():
    training = Training(nn.MLP(3, [4], 2, rng=0))
    before = [p.data for p in training.model.parameters()]

    def step(x, y):
        loss = training.step(x, y)
        return loss.item()

    with pytest.raises(CaptureError):
        tg.compile(step)(*training.batches(1)[0])
    after = [p.data for p in training.model.parameters()]
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert training.step(*map(tg.Tensor, training.batches(1)[0])).item() > 0


def test_a_schedule_inside_the_step_is_refused_in_words():
    training = Training(nn.MLP(3, [4], 2, rng=0))

    def step(x, y):
        loss = training.step(x, y)
        training.optimizer.lr = training.optimizer.groups[0].lr * 0.5
        return loss

    with pytest.raises(CaptureError, match=r"changed lr from 0\.1 to 0\.05 in Python"):
        tg.compile(step)(*training.batches(1)[0])


def test_the_source_follows_the_mode():
    training = Training(nn.MLP(3, [4], 2, rng=0))
    compiled = tg.compile(training.step)
    for x, y in training.batches(2):
        compiled(x, y)
    step = source_step(compiled)
    x, y = training.batches(1)[0]
    assert step(x, y).item() > 0
