"""Containers, combinations, tables and kind errors of the layers beyond the first ones."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_mlp import Tensor, nn, no_grad, optim
from tinygrad_mlp.errors import DataError, DTypeError, IndexingError, ShapeError, UsageError

ones = np.ones


class Nest(nn.Module):
    """A list of 3 layers, a dict of layers, nested in a list."""

    def __init__(self):
        self.stack = [[nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)],
                      {"a": nn.Linear(3, 2), "b": nn.LayerNorm(2)}]  # fmt: skip

    def forward(self, x):
        layers, named = self.stack
        for layer in layers:
            x = np.tanh(layer(x))
        return named["b"](named["a"](x))


def test_nested_lists_and_dicts_are_trained_and_all_in_the_summary():
    model = Nest()
    before = model.state_dict()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (model(np.arange(6.0).reshape(2, 3)) * [1.0, 2.0]).sum().backward()
        optimizer.step()
    assert all(not np.array_equal(before[k], v) for k, v in model.state_dict().items())
    rows = model.summary(ones((4, 3))).rows
    assert [row[:3] for row in rows] == [
        *[(f"stack.0.{i}", "Linear", "(4, 3)") for i in range(3)],
        ("stack.1.a", "Linear", "(4, 2)"),
        ("stack.1.b", "LayerNorm", "(4, 2)"),
    ]
    assert sum(row[3] for row in rows) == model.summary().parameters == 3 * 12 + 8 + 4
    assert model.summary(ones((4, 3))).multiply_adds == 4 * (27 + 6)


def test_a_summary_puts_modes_and_modules_back():
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(2))
    before = model.state_dict()
    model.summary(ones((3, 2)))
    assert {m.training for m in model.modules()} == {True}
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert not any("forward" in vars(m) for m in model.modules())
    with pytest.raises(ShapeError):
        model.summary(ones((3, 5)))
    assert not any("forward" in vars(m) for m in model.modules())


def test_a_shared_layer_counts_once_in_a_summary():
    layer = nn.Linear(2, 2)
    table = nn.Sequential(layer, nn.Tanh(), layer).summary(ones(2))
    assert table.parameters == 6
    assert table.multiply_adds == 8
    assert "total" in str(table)


def test_activations_are_those_of_every_layer_with_a_graph():
    model = nn.MLP(2, [3], 1, rng=0)
    found = model.activations([0.3, 0.1])
    h = model[0](np.array([0.3, 0.1]))
    assert np.array_equal(found["0"].data, h.data)
    assert np.array_equal(found["1"].data, nn.Sigmoid()(h).data)
    found[""].backward()
    assert found["1"].grad is not None


def test_residual_and_concat_name_what_does_not_fit():
    assert nn.Residual(nn.Linear(3, 3))(ones((2, 3))).shape == (2, 3)
    with pytest.raises(ShapeError, match=r"adds \(2, 3\) and \(2, 4\)"):
        nn.Residual(nn.Linear(3, 4))(ones((2, 3)))
    model = nn.Concat(nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 1)), np.tanh)
    assert model(ones((4, 3))).shape == (4, 6)
    assert list(model.state_dict())[:2] == ["branches.0.weight", "branches.0.bias"]
    assert nn.Concat([nn.Identity(), nn.Identity()], dim=0)(ones((4, 3))).shape == (8, 3)


def test_module_lists_and_dicts():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Tanh()])
    layers.extend([np.tanh])
    layers[1] = nn.ReLU()
    assert [type(m).__name__ for m in layers] == ["Linear", "ReLU", "Function"]
    assert len(layers[1:]) == 2
    with pytest.raises(UsageError, match="Loop over it"):
        layers(ones(2))
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = nn.Linear(2, 2)
    assert "b" in heads
    assert list(heads.keys()) == list(heads) == ["a", "b"]
    assert len(list(heads.items())) == len(list(heads.values())) == len(heads) == 2
    with pytest.raises(ValueError, match="no module 'c'"):
        heads["c"]
    with pytest.raises(UsageError, match=r"heads\['name'\]"):
        heads(ones(2))
    with pytest.raises(UsageError, match=r"Write Tanh\(\)"):
        nn.ModuleList([nn.Tanh])


def test_embedding_says_what_it_cannot_look_up():
    table = nn.Embedding(3, 2)
    assert table([0, 2]).shape == (2, 2)
    with pytest.raises(DTypeError, match=r"numbers of float64.*Use x.astype\(int\)"):
        table([0.0, 1.0])
    for wrong in (3, -1):
        with pytest.raises(IndexingError, match=f"has no row {wrong}.*: its rows are 0 to 2"):
            table([0, wrong])


def test_normalisation_says_what_it_cannot_normalise():
    with pytest.raises(
        ShapeError, match=r"LayerNorm normalises 3, got \(2, 4\).*Write LayerNorm\(4\)"
    ):
        nn.LayerNorm(3)(ones((2, 4)))
    with pytest.raises(ShapeError, match="BatchNorm1d normalises 3 features"):
        nn.BatchNorm1d(3)(ones((2, 4)))
    with pytest.raises(DataError, match="a single number per feature has no variance"):
        nn.BatchNorm1d(3)(ones((1, 3)))
    assert nn.BatchNorm1d(3).eval()(ones((1, 3))).shape == (1, 3)


def test_running_statistics_are_rebound_and_old_graphs_stay_exact():
    norm = nn.BatchNorm1d(2)
    held = norm.running_mean.data
    norm(np.arange(6.0).reshape(3, 2))
    assert held.tolist() == [0, 0]
    assert norm.running_mean.data.tolist() != [0, 0]


def test_probabilities_are_refused_where_logits_are_meant():
    x, y = Tensor(ones((2, 3)), requires_grad=True), np.array([0, 1])
    for squash in (nn.Softmax(), nn.Sigmoid()):
        with pytest.raises(
            UsageError, match=rf"CrossEntropyLoss got the output of {type(squash).__name__}"
        ):
            nn.CrossEntropyLoss()(squash(x), y)
        with no_grad(), pytest.raises(UsageError, match="would be squashed a second time"):
            nn.CrossEntropyLoss()(squash(x), y)
    with pytest.raises(UsageError, match=r"Leave the last Sigmoid out, or use BCELoss\(\)"):
        nn.BCEWithLogitsLoss()(nn.MLP(3, [], 3)(x), ones((2, 3)))
    model = nn.MLP(3, [4], 3, output_activation=None)  # a Sigmoid further inside is no mistake
    assert nn.CrossEntropyLoss()(model(x), y).shape == ()


def test_cross_entropy_says_what_does_not_fit():
    loss = nn.CrossEntropyLoss()
    assert loss([0.0, 0.0], 1).item() == pytest.approx(np.log(2))
    assert loss([[0.0, 0.0]], [1]).item() == pytest.approx(np.log(2))
    with pytest.raises(ShapeError, match=r"axis 1 counts 3 classes.*class numbers of shape \(2,\)"):
        loss(ones((2, 3)), np.array([[0], [1]]))
    with pytest.raises(DTypeError, match=r"Use target.astype\(int\)"):
        loss(ones((2, 3)), np.array([0.0, 1.0]))
    for wrong in (3, -1):
        with pytest.raises(IndexingError, match=f"got class {wrong}.*Number the classes 0 to 2"):
            loss(ones((2, 3)), np.array([0, wrong]))


@pytest.mark.parametrize("p", [1.5, -0.5])
def test_a_prediction_that_is_no_probability_is_refused(p):
    with pytest.raises(UsageError, match=f"prediction of {p}.*BCEWithLogitsLoss"):
        nn.BCELoss()(Tensor([0.5, p], requires_grad=True), [0.0, 1.0])


@pytest.mark.parametrize("make", [nn.L1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss])
def test_no_loss_broadcasts_in_silence(make):
    with pytest.raises(ShapeError, match="broadcasting would make 4×4 = 16 pairs"):
        make()(ones((4, 1)), ones(4))
    with pytest.raises(UsageError, match=rf"Call it: {make.__name__}\(\)\(pred, y\)"):
        make(ones(3), ones(3))


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="it is a probability"):
        nn.Dropout(1.5)
    with pytest.raises(UsageError, match="it is a distance"):
        nn.HuberLoss(delta=0)


# -- initialisers ----------------------------------------------------------------------------

SHAPE = (300, 200)  # outputs, inputs


@pytest.mark.parametrize(
    ("init", "std", "bound"),
    [
        (nn.init.uniform(-1, 1), 1 / 3**0.5, 1),
        (nn.init.normal(0, 0.5), 0.5, None),
        (nn.init.xavier_uniform(), (2 / 500) ** 0.5, (6 / 500) ** 0.5),
        (nn.init.xavier_normal(2.0), 2 * (2 / 500) ** 0.5, None),
        (nn.init.kaiming_uniform(), (2 / 200) ** 0.5, (6 / 200) ** 0.5),
        (nn.init.kaiming_normal(), (2 / 200) ** 0.5, None),
        (nn.init.lecun_uniform(), (1 / 600) ** 0.5, 200**-0.5),
    ],
)
def test_initialisers_have_the_spread_of_their_papers(init, std, bound):
    w = init(SHAPE, np.random.default_rng(0))
    assert w.shape == SHAPE
    assert w.std() == pytest.approx(std, rel=0.02)
    assert abs(w.mean()) < 0.02 * std
    if bound is not None:
        assert 0.99 * bound < np.abs(w).max() <= bound
    assert np.array_equal(w, init(SHAPE, np.random.default_rng(0)))


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 2)])
def test_orthogonal_weights_are(shape):
    w = nn.init.orthogonal(2.0)(shape, np.random.default_rng(0)).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    assert np.allclose(product, 4 * np.eye(len(product)))


def test_constant_zeros_and_ones_and_vectors_without_fans():
    rng = np.random.default_rng(0)
    assert nn.init.zeros()((2,), rng).tolist() == [0, 0]
    assert nn.init.ones()((2,), rng).tolist() == [1, 1]
    with pytest.raises(ShapeError, match="no fan-in"):
        nn.init.xavier_normal()((3,), rng)


def test_classes_need_more_than_one_output():
    for prediction, wrong in ((np.zeros((4, 1)), [0, 1, 2, 1]), (np.zeros(1), 2)):
        with pytest.raises(IndexingError, match="one output per sample") as error:
            nn.CrossEntropyLoss()(prediction, np.array(wrong))
        assert "as many outputs as there are classes" in str(error.value)
        assert "BCEWithLogitsLoss()" in str(error.value)
        assert "0 to 0" not in str(error.value)
        assert error.value.__suppress_context__


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.L1Loss, nn.HuberLoss])
def test_classes_for_a_loss_of_distances(loss):
    with pytest.raises(ShapeError) as error:
        loss()(np.zeros((4, 3)), np.array([0, 2, 1, 1]))
    assert "For classes use nn.CrossEntropyLoss(), or the target np.eye(3)[y];" in str(error.value)
    assert "broadcast" not in str(error.value)
    with pytest.raises(ShapeError, match=r"np.eye\(3\)\[y.astype\(int\)\]"):
        loss()(np.zeros((4, 3)), np.array([0.0, 2.0, 1.0, 1.0]))
    for other in ([0, 3, 1, 1], [0, -1, 1, 1], [0.5, 1, 1, 1], [np.nan, 1, 1, 1], [0, 1]):
        with pytest.raises(ShapeError, match=r"Give a target of shape \(4, 3\)"):
            loss()(np.zeros((4, 3)), np.array(other))
