"""Linear, activations, losses and stacks: what they take, give and say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tinygrad_mlp import Tensor, nn, no_grad
from tinygrad_mlp import functional as F
from tinygrad_mlp.errors import ShapeError, StateError, UsageError


def said(caught):
    """The message without the line of this file, if it names one."""
    return re.sub(r" \(test_layers\.py:\d+\)", "", str(caught.value))


def test_linear_takes_arrays_lists_tensors_and_single_samples():
    layer = nn.Linear(3, 2, rng=0)
    x = np.arange(6.0).reshape(2, 3)
    y = layer(x).data
    assert np.allclose(y, x @ layer.weight.data.T + layer.bias.data)
    assert np.array_equal(layer(x.tolist()).data, y)
    assert np.array_equal(layer(Tensor(x)).data, y)
    assert np.allclose(layer(x[0]).data, y[0])
    assert layer(x.reshape(1, 2, 3)).shape == (1, 2, 2)


def test_linear_starts_within_the_bound_of_pytorch_and_by_its_seed():
    a, b = nn.Linear(16, 100, rng=5), nn.Linear(16, 100, rng=np.random.default_rng(5))
    assert np.array_equal(a.weight.data, b.weight.data)
    assert 0.2 < np.abs(a.weight.data).max() <= 0.25
    assert 0.2 < np.abs(a.bias.data).max() <= 0.25


def test_linear_with_init_begins_with_bias_zero():
    layer = nn.Linear(2, 3, init=nn.init.uniform(1, 2), dtype=np.float32, rng=0)
    assert layer.bias.data.tolist() == [0, 0, 0]
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    assert layer.weight.data.min() >= 1


def test_the_widths_that_do_not_meet_are_named_with_the_layers_that_they_come_from():
    class Net(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(5, 1)]

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    message = (
        "Linear 'layers.2' takes 5 features, got (2, 4) from "
        "Sigmoid 'layers.1' ← Linear 'layers.0' (3→4). "
        "Make layers.0 give 5, or layers.2 take 4."
    )
    with pytest.raises(ShapeError) as caught:
        Net()(np.zeros((2, 3)))
    assert said(caught) == message
    with pytest.raises(ShapeError, match=r"Linear 'layers.0' takes 3 features, got 2"):
        Net()([1.0, 2.0])
    with no_grad(), pytest.raises(ShapeError, match=r"takes 5 features, got \(2, 4\) from Sigmoid"):
        Net()(np.zeros((2, 3)))


def test_a_single_number_is_no_sample():
    with pytest.raises(ShapeError, match="takes 2 features, got a single number"):
        nn.Linear(2, 3)(1.0)


@pytest.mark.parametrize("widths", [(2.5, 1), (2, -1), ("2", 1), ([2, 5], 1)])
def test_linear_refuses_widths_that_count_nothing(widths):
    with pytest.raises(UsageError, match="it counts numbers"):
        nn.Linear(*widths)


# -- stacks ----------------------------------------------------------------------------------


def test_sequential_accepts_layers_a_list_a_dict_and_functions():
    a, b = nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=1)
    x = np.ones((4, 2))
    expected = nn.Sequential(a, np.tanh, b)(x).data
    for model in (
        nn.Sequential([a, np.tanh, b]),
        nn.Sequential({"in": a, "act": nn.Tanh(), "out": b}),
        nn.Sequential(a, nn.Tanh())[:] and nn.Sequential(*nn.Sequential(a, nn.Tanh()), b),
    ):
        assert np.array_equal(model(x).data, expected)
    assert list(nn.Sequential({"in": a, "out": b}).state_dict()) == [
        "in.weight", "in.bias", "out.weight", "out.bias",
    ]  # fmt: skip


def test_sequential_is_sliced_indexed_and_asked_by_name():
    model = nn.Sequential({"in": nn.Linear(2, 3), "act": nn.Tanh(), "out": nn.Linear(3, 1)})
    assert model["act"] is model[1] is list(model)[1]
    assert len(model[1:]) == 2
    assert model[1:]["out"] is model[-1]
    assert nn.Sequential(nn.Tanh(), nn.Linear(1, 1))[1:].state_dict().keys() == {
        "0.weight", "0.bias",
    }  # fmt: skip
    with pytest.raises(StateError, match="Did you mean 'out'"):
        model["outt"]


def test_sequential_says_what_is_no_layer():
    with pytest.raises(UsageError, match=r"item 1 is the class Sigmoid.*Write Sigmoid\(\)\."):
        nn.Sequential(nn.Linear(2, 2), nn.Sigmoid)
    with pytest.raises(UsageError, match="item 0 is of type int"):
        nn.Sequential(3)


def test_a_subclass_of_sequential_may_keep_more():
    class Scaled(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 2))
            self.scale = nn.Parameter(2.0)

        def forward(self, x):
            return super().forward(x) * self.scale

    assert list(Scaled().state_dict()) == ["0.weight", "0.bias", "scale"]


def test_an_mlp_is_the_usual_stack():
    model = nn.MLP(num_inputs=2, hidden_layers=[5, 4], num_outputs=1, activation=nn.Tanh)
    assert [type(layer).__name__ for layer in model] == [
        "Linear", "Tanh", "Linear", "Tanh", "Linear", "Sigmoid",
    ]  # fmt: skip
    plain = nn.MLP(2, [], 1, bias=False, output_activation=None, rng=1)
    assert list(plain.state_dict()) == ["0.weight"]
    assert np.array_equal(plain[0].weight.data, nn.Linear(2, 1, bias=False, rng=1).weight.data)


# -- losses ----------------------------------------------------------------------------------


def test_a_loss_that_is_called_as_a_function_says_how_to_call_it():
    p, y = np.zeros(3), np.zeros(3)
    with pytest.raises(UsageError) as caught:
        nn.MSELoss(p, y)
    assert said(caught) == (
        "MSELoss(...) makes a loss. Call it: MSELoss()(pred, y), or mse_loss(pred, y)."
    )


def test_a_loss_with_one_argument_shows_the_line_to_write():
    with pytest.raises(UsageError) as caught:
        nn.MSELoss()(np.zeros(3))
    assert "MSELoss was called with 1 argument (test_layers.py:" in str(caught.value)
    assert "loss_fn = MSELoss(); loss = loss_fn(model(x), y)" in str(caught.value)


def test_mse_does_not_broadcast_unless_told():
    p, t = np.zeros((4, 1)), np.zeros(4)
    for call in (nn.MSELoss(), F.mse_loss):
        with pytest.raises(ShapeError) as caught:
            call(p, t)
        assert "broadcasting would make 4×4 = 16 pairs. Use target.reshape(4, 1)." in str(
            caught.value
        )
    assert nn.MSELoss(broadcast=True)(p, t + 1).item() == 1
    assert F.mse_loss(p, t + 1, broadcast=True) == 1


def test_mse_reduces_as_told():
    p, t = [1.0, 2.0, 3.0], [1.0, 0.0, 0.0]
    assert nn.MSE()(p, t).item() == pytest.approx(13 / 3)
    assert nn.MSELoss(reduction="sum")(p, t).item() == 13
    assert nn.MSELoss(reduction="none")(p, t).tolist() == [0, 4, 9]
    with pytest.raises(UsageError, match="no reduction 'avg'"):
        nn.MSELoss(reduction="avg")


def test_functions_give_back_what_they_are_given():
    x = np.array([0.5, -1.0])
    for function in (F.sigmoid, F.tanh, F.relu):
        assert type(function(x)) is np.ndarray
        assert type(function(Tensor(x))) is Tensor
    assert isinstance(F.mse_loss(x, x), float)
    assert type(F.mse_loss(Tensor(x), x)) is Tensor


def test_one_hidden_layer_is_a_list_too():
    with pytest.raises(UsageError, match=r"hidden_layers is 5.*MLP\(2, \[5\], 1\)"):
        nn.MLP(2, 5, 1)


# -- what was wrong when it was written ------------------------------------------------------


def test_an_activation_of_an_mlp_may_be_said_in_every_way():
    slopes = nn.PReLU(init=0.5)
    model = nn.MLP(2, [3, 3], 1, activation=slopes, output_activation=nn.Identity())
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == ["Linear", "PReLU", "Linear", "PReLU", "Linear", "Identity"]
    assert len({id(layer) for layer in (model[1], model[3], slopes)}) == 3
    assert len(list(model.parameters())) == 8
    made = nn.MLP(2, [3], 1, activation=lambda: nn.LeakyReLU(0.1), output_activation=None)
    assert made[1].negative_slope == 0.1
    for function in (np.tanh, F.tanh, lambda x: np.tanh(x)):
        model = nn.MLP(2, [3], 1, activation=function, rng=0)
        assert np.array_equal(model([1.0, 2.0]).data, nn.MLP(2, [3], 1, activation=nn.Tanh,
            rng=0)([1.0, 2.0]).data)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"activation": "relu"},
            r"MLP's activation is 'relu'.*Write activation=nn.ReLU, the class",
        ),
        ({"output_activation": "gelu"}, r"Write output_activation=nn.GELU, the class"),
        ({"activation": 3}, r"activation is 3.*Write activation=nn.ReLU, the class"),
        ({"activation": lambda: None}, "made a NoneType, not a layer"),
        ({"init": nn.init.xavier_uniform}, r"Call it: init=nn.init.xavier_uniform\(\)"),
        ({"init": nn.init.uniform}, r"init is the function uniform.*init=nn.init.uniform\(\)"),
        ({"init": nn.init.constant}, r"init=nn.init.constant\(0.0\)"),
        ({"init": "zeros"}, r"init is 'zeros'.*such as init=nn.init.xavier_uniform\(\)"),
    ],
)
def test_what_is_no_activation_and_no_initialiser_is_answered_with_what_to_write(options, text):
    with pytest.raises(UsageError, match=text):
        nn.MLP(2, [3], 1, **options)


def test_an_initialiser_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"init gave \(3,\) for a weight of shape \(2, 3\)"):
        nn.Linear(3, 2, init=lambda shape, _: np.ones(shape[1]))


def test_numbers_of_numpy_leave_float32_float32():
    half, x = np.float64(0.5), np.ones((4, 2), np.float32)
    for layer in (
        nn.LeakyReLU(half), nn.ELU(half), nn.Hardtanh(-half, half), nn.Dropout(half, rng=0),
        nn.LayerNorm(2, eps=half, dtype=np.float32),
        nn.BatchNorm1d(2, half, half, dtype=np.float32),
        nn.BatchNorm1d(2, half, half, dtype=np.float32).eval(),
    ):  # fmt: skip
        assert layer(x).dtype == np.float32
        assert {value.dtype for value in layer.state_dict().values()} <= {
            np.dtype(np.float32), np.dtype(np.int64),
        }  # fmt: skip
    for loss in (nn.HuberLoss(delta=half), nn.SmoothL1Loss(beta=half)):
        assert loss(x, x).dtype == np.float32
    soft = np.full((4, 2), 0.5, np.float32)
    assert nn.CrossEntropyLoss(label_smoothing=half)(x, soft).dtype == np.float32


@pytest.mark.parametrize("dims", [(2, 1), (1, 5), (-4, 1), (1, -4), (3, -1)])
def test_flatten_joins_only_axes_that_are_there(dims):
    with pytest.raises(ShapeError, match=rf"Flatten joins axes {dims[0]} to {dims[1]} of"):
        nn.Flatten(*dims)(np.zeros((2, 3, 4) if dims != (3, -1) else (2, 3)))


def test_flatten_leaves_a_single_sample_alone():
    assert nn.Flatten()(np.zeros(3)).shape == (3,)
    assert nn.Flatten()(1.0).shape == ()
    assert nn.Flatten(-2, -1)(np.zeros((2, 3, 4))).shape == (2, 12)


@pytest.mark.parametrize("smoothing", [2.0, -0.1, np.nan])
def test_label_smoothing_is_a_share(smoothing):
    with pytest.raises(UsageError, match=r"label_smoothing is .*it is a share of each target"):
        nn.CrossEntropyLoss(label_smoothing=smoothing)


def test_sizes_may_be_numpys_and_must_count():
    assert nn.LayerNorm(np.int64(2))(np.ones((3, 2))).shape == (3, 2)
    assert nn.LayerNorm([2, np.int64(3)]).normalized_shape == (2, 3)
    assert repr(nn.Embedding(np.int64(3), np.int64(2))).startswith("Embedding(3, 2)")
    for make, text in (
        (lambda: nn.LayerNorm(2.0), r"LayerNorm's normalized_shape is 2.0.*Write LayerNorm\(5\)"),
        (lambda: nn.BatchNorm1d("2"), r"BatchNorm1d's num_features is '2'"),
        (lambda: nn.Embedding(3, -1), r"Embedding's embedding_dim is -1"),
        (lambda: nn.PReLU(2.5), r"PReLU's num_parameters is 2.5"),
        (lambda: nn.Hardtanh(1.0, 1.0), r"Hardtanh from 1.0 to 1.0"),
        (lambda: nn.SmoothL1Loss(beta=0.0), r"beta is 0.0"),
        (lambda: nn.NLLLoss(ignore_index=1.5), r"ignore_index is 1.5"),
    ):
        with pytest.raises(UsageError, match=text):
            make()
    with pytest.raises(ShapeError, match=r"PReLU has 3 slopes, got \(2, 4\).*Write PReLU\(4\)"):
        nn.PReLU(3)(np.ones((2, 4)))


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (nn.MSELoss(), "MSE"), (nn.MSELoss(reduction="sum"), "MSE"), (nn.L1Loss(), "L1"),
        (nn.HuberLoss(), "Huber"), (nn.SmoothL1Loss(), "SmoothL1"), (nn.BCELoss(), "BCE"),
        (nn.BCEWithLogitsLoss(), "BCEWithLogits"), (nn.KLDivLoss(), "KLDiv"),
    ],
)  # fmt: skip
def test_every_loss_of_entries_compares_by_its_own_name(loss, name):
    with pytest.raises(ShapeError) as caught:
        loss(np.zeros((4, 1)), np.zeros(4))
    assert said(caught).startswith(f"{name} compares (4, 1) with (4,): broadcasting would make")
    assert "test_layers.py:" in str(caught.value)
    assert caught.value.compared == ((4, 1), (4,))


def test_negative_log_likelihood_takes_class_numbers_only():
    p = np.log(np.full((2, 3), 1 / 3))
    assert nn.NLLLoss()(p, [0, 2]).item() == pytest.approx(np.log(3))
    for wrong in ([0.0, 2.0], [[0, 1, 0], [1, 0, 0]]):
        with pytest.raises(ShapeError, match=r"Give class numbers of shape \(2,\)"):
            nn.NLLLoss()(p, wrong)


def test_one_hot_rows_of_whole_numbers_are_probabilities():
    p, rows = np.array([[1.0, 2.0, 0.5], [0.3, 0.2, 0.1]]), [[0, 1, 0], [1, 0, 0]]
    expected = nn.CrossEntropyLoss()(p, [1, 0]).item()
    assert nn.CrossEntropyLoss()(p, rows).item() == pytest.approx(expected, rel=1e-14)
    with pytest.raises(ShapeError, match="cross_entropy compares"):
        nn.CrossEntropyLoss()(p, [1, 0, 1])


def test_layers_are_added_to_a_stack_and_taken_out_of_a_list():
    model = nn.Sequential(nn.Linear(2, 3)).append(nn.Tanh()).append(np.exp)
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert model(np.ones((1, 2))).shape == (1, 3)
    with pytest.raises(UsageError, match=r"there is a layer '1' already"):
        nn.Sequential({"1": nn.Tanh()}).append(nn.Tanh())
    layers = nn.ModuleList([nn.Tanh(), nn.Linear(2, 2)])
    layers.insert(1, nn.ReLU())
    assert [type(layer).__name__ for layer in layers] == ["Tanh", "ReLU", "Linear"]
    assert list(layers.state_dict()) == ["2.weight", "2.bias"]
    assert isinstance(layers.pop(0), nn.Tanh)
    del layers[0]
    assert list(layers.state_dict()) == ["0.weight", "0.bias"]
    with pytest.raises(UsageError, match=r"Write Tanh\(\)"):
        layers.insert(0, nn.Tanh)


def test_samples_in_columns_are_turned_round():
    with pytest.raises(
        ShapeError, match=r"takes 3 features, got \(3, 20\) .*Use x.T: a sample is"
    ) as e:
        nn.Linear(3, 2)(np.ones((3, 20)))
    assert e.value.__suppress_context__
    assert nn.Linear(3, 2)(np.ones((3, 20)).T).shape == (20, 2)
    for other in (np.ones((4, 20)), np.ones(20), np.ones((3, 4, 5))):
        with pytest.raises(ShapeError) as e:
            nn.Linear(3, 2)(other)
        assert "x.T" not in str(e.value)


def test_a_message_that_says_it_all_stands_alone():
    with pytest.raises(ShapeError) as error:
        nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 1))(np.ones((2, 3)))
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    with pytest.raises(UsageError, match="called with 1 argument") as error:
        nn.MSELoss()(np.ones(2))
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
