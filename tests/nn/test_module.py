"""Modules: what belongs to them, under which names, and what is said when something is wrong."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from tinygrad_mlp import Tensor, nn, optim
from tinygrad_mlp.errors import StateError, UsageError


class Nested(nn.Module):
    def __init__(self, rng=0):
        super().__init__()
        rng = np.random.default_rng(rng)
        self.blocks = [nn.Linear(2, 3, rng=rng), {"a": nn.Linear(3, 3, rng=rng), "b": [nn.Tanh()]}]
        self.heads = (nn.Linear(3, 1, rng=rng),)
        self.scale = nn.Parameter(1.5)
        self.free = Tensor([0.5], requires_grad=True)
        self.note = "no parameter"

    def forward(self, x):
        first, named = self.blocks
        h = named["b"][0](named["a"](nn.Sigmoid()(first(x))))
        return self.heads[0](h) * self.scale + self.free


NAMES = [
    "blocks.0.weight", "blocks.0.bias", "blocks.1.a.weight", "blocks.1.a.bias",
    "heads.0.weight", "heads.0.bias", "scale", "free",
]  # fmt: skip


def test_parameters_are_found_in_lists_tuples_and_dicts_at_any_depth():
    model = Nested()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert list(model.state_dict()) == NAMES
    assert [path for path, _ in model.named_modules()] == [
        "", "blocks.0", "blocks.1.a", "blocks.1.b.0", "heads.0",
    ]  # fmt: skip


def test_all_of_them_are_trained():
    model = Nested()
    before = model.state_dict()
    nn.MSELoss()(model(np.ones((4, 2))), np.zeros((4, 1))).backward()
    optim.SGD(model.parameters(), lr=0.1).step()
    after = model.state_dict()
    assert [name for name in NAMES if np.array_equal(before[name], after[name])] == []


def test_a_shared_module_is_one_module_and_its_state_is_saved_under_both_names():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert sum(1 for _ in model.modules()) == 3

    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [path for path, _ in model.named_modules()] == ["", "0", "1"]
    assert [path for path, _ in model.named_modules(remove_duplicate=False)] == ["", "0", "1", "2"]
    assert model.get_submodule("2") is layer
    assert model.get_parameter("2.weight") is layer.weight


def test_a_shared_module_shows_in_each_of_its_places():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.ReLU(), nn.Sequential(layer), layer)
    assert repr(model).splitlines() == [
        "Sequential(  # 6 parameters",
        "  (0): Linear(2, 2)  # 6 parameters",
        "  (1): ReLU()",
        "  (2): Sequential(  # 6 parameters",
        "    (0): Linear(2, 2)  # the same as 0",
        "  )",
        "  (3): Linear(2, 2)  # the same as 0",
        ")",
    ]
    rows = model.summary(np.ones((1, 2))).rows
    assert [row[0] for row in rows] == ["0", "1", "2.0", "3"]
    assert [row[2:] for row in rows] == [
        ("(1, 2)", 6, 4), ("(1, 2)", 0, 0), ("(1, 2)", 0, 4), ("(1, 2)", 0, 4),
    ]  # fmt: skip


def test_a_shared_module_loads_from_all_of_its_names_or_from_one_of_them():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    state = {name: value + 1 for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    assert np.array_equal(layer.weight.data, state["0.weight"])
    model.load_state_dict({name: state[name] * 2 for name in ("0.weight", "2.bias")})
    assert np.array_equal(layer.bias.data, state["0.bias"] * 2)
    with pytest.raises(StateError, match=r"2.bias: the same as 0.bias here, other numbers there"):
        model.load_state_dict({**state, "2.bias": np.zeros(2)})
    with pytest.raises(StateError, match=r"0.bias: missing"):
        model.load_state_dict({"0.weight": state["0.weight"]})


def test_modules_that_point_at_each_other_are_walked_once():
    inner, outer = nn.Linear(1, 1), Nested()
    inner.parent, outer.inner = outer, inner
    assert "inner.weight" in outer.state_dict()
    assert "inner.parent.scale" not in outer.state_dict()
    assert "(inner): Linear(1, 1)" in repr(outer)
    assert repr(inner).startswith("Linear(1, 1")


def test_modules_directly_inside_and_a_function_for_all_of_them():
    shared = nn.Tanh()
    model = nn.Sequential(nn.Residual(shared), shared, nn.Sequential(nn.ReLU()), shared)
    assert [path for path, _ in model.named_children()] == ["0", "1", "2"]
    assert list(model.children()) == [model[0], shared, model[2]]
    met = []
    assert model.apply(lambda module: met.append(type(module).__name__)) is model
    assert met == ["Tanh", "Residual", "ReLU", "Sequential", "Sequential"]
    with pytest.raises(StateError, match=r"no parameter '0.weigth'.*Did you mean '0.weight'"):
        nn.MLP(2, [3], 1).get_parameter("0.weigth")


def test_a_mode_for_a_block_is_put_back_in_every_module_even_after_an_error():
    model = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
    model[1].eval()
    with model.evaluating() as same:
        assert same is model
        assert not any(module.training for module in model.modules())
        assert not (Tensor([1.0], requires_grad=True) * 2).requires_grad
    with pytest.raises(ZeroDivisionError), model.in_mode(training=True):
        raise ZeroDivisionError
    assert [module.training for module in model.modules()] == [True, True, False]
    assert (Tensor([1.0], requires_grad=True) * 2).requires_grad


def test_train_and_eval_reach_every_module():
    model = Nested()
    assert model.eval() is model
    assert {m.training for m in model.modules()} == {False}
    assert {m.training for m in model.train().modules()} == {True}


def test_the_scope_is_that_of_the_innermost_call_and_is_put_back_after_an_error():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh()))
    y = model(np.ones(2))
    (outer, middle, _), tanh, _ = y.scope
    assert outer[:2] == (None, model)
    assert (middle, tanh) == (model[1], model[1][0])
    with pytest.raises(ValueError, match="takes 2 features"):
        model(np.ones(3))
    assert Tensor(0.0).scope is None


def test_copies_and_pickles_are_models_of_their_own():
    model = Nested()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        assert isinstance(twin.scale, nn.Parameter)
        twin.scale.data = twin.scale.data + 1
        assert model.scale.item() == 1.5
        assert list(twin.state_dict()) == NAMES


def test_astype_changes_parameters_and_results():
    model = nn.MLP(2, [3], 1).astype(np.float32)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    y = model(np.ones((2, 2), np.float32))
    assert y.dtype == np.float32
    y.sum().backward()
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


def test_requires_grad_freezes_and_keeps_the_names():
    model = nn.MLP(2, [3], 1)
    model[0].requires_grad_(False)
    model(np.ones(2)).sum().backward()
    assert [p.grad is None for p in model.parameters()] == [True, True, False, False]
    assert len(model.state_dict()) == 4


def test_a_plain_tensor_that_was_frozen_keeps_its_place_and_can_be_trained_again():
    model = Nested().requires_grad_(False)
    assert list(model.state_dict()) == NAMES
    assert not any(p.requires_grad for p in model.parameters())
    assert [name for name, p in model.requires_grad_().named_parameters() if p.requires_grad] == (
        NAMES
    )
    assert isinstance(model.free, nn.Parameter)


def test_a_forgotten_super_init_is_harmless():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(2, 1)]

        def forward(self, x):
            return self.layers[0](x)

    assert Forgetful()(np.ones(2)).shape == (1,)
    assert len(list(Forgetful().parameters())) == 2


@pytest.mark.parametrize("base", [nn.Linear, nn.Sequential, nn.MSELoss])
def test_a_forgotten_super_init_of_a_shipped_layer_is_named(base):
    class Forgetful(base):
        def __init__(self):
            pass

    with pytest.raises(UsageError, match=r"Begin Forgetful.__init__ with super\(\).__init__"):
        Forgetful()(*[np.ones(2)] * (2 if base is nn.MSELoss else 1))


def test_an_attribute_error_of_the_users_own_stays_one():
    class Typo(nn.Module):
        def forward(self, x):
            return self.layer(x)

    with pytest.raises(AttributeError, match="no attribute 'layer'"):
        Typo()(np.ones(2))


def test_a_module_without_forward_says_so():
    with pytest.raises(UsageError, match=r"Define forward\(self, x\)"):
        nn.Module()(1.0)


# -- state -----------------------------------------------------------------------------------


def test_a_state_dict_is_a_copy_and_loads_bit_for_bit():
    model, other = Nested(0), Nested(1)
    state = model.state_dict()
    state["scale"] += 1
    assert model.scale.item() == 1.5
    other.load_state_dict(model.state_dict())
    x = np.ones((3, 2))
    assert np.array_equal(model(x).data, other(x).data)


def test_loading_lists_every_difference_and_changes_nothing():
    model = nn.MLP(2, [5], 1)
    before = model.state_dict()
    state = nn.MLP(3, [4], 1).state_dict()
    state["0.weigth"] = state.pop("0.weight")
    state["2.bias"] = "text"
    with pytest.raises(StateError) as caught:
        model.load_state_dict(state)
    text = str(caught.value)
    assert "the state does not fit MLP, in 5 ways" in text
    assert "0.weight: missing; did you mean '0.weigth'?" in text
    assert "0.bias: (5,) here, (4,) there" in text
    assert "2.weight: (1, 5) here, (1, 4) there" in text
    assert "2.bias: these are no numbers (str)" in text
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())


def test_loading_weights_of_another_size_names_the_call_that_would_fit():
    with pytest.raises(StateError, match=r"This would fit: Linear\(3, 4\) as '0'"):
        nn.MLP(2, [5], 1).load_state_dict(nn.MLP(3, [4], 1).state_dict())


def test_loading_what_is_there_only():
    model = nn.MLP(2, [5], 1)
    model.load_state_dict({"0.bias": np.arange(5), "more": 1.0}, strict=False)
    assert model[0].bias.data.tolist() == [0, 1, 2, 3, 4]
    assert model[0].bias.dtype == np.float64


def test_a_typo_in_a_path_is_answered_with_what_is_near():
    model = Nested()
    assert model.get_submodule("blocks.1.a") is model.blocks[1]["a"]
    with pytest.raises(StateError, match=r"no module 'blocks.1.aa'.*Did you mean 'blocks.1.a'\?"):
        model.get_submodule("blocks.1.aa")


def test_the_repr_is_a_tree_with_counts():
    assert repr(Nested()).splitlines() == [
        "Nested(  # 27 parameters",
        "  (blocks.0): Linear(2, 3)  # 9 parameters",
        "  (blocks.1.a): Linear(3, 3)  # 12 parameters",
        "  (blocks.1.b.0): Tanh()",
        "  (heads.0): Linear(3, 1)  # 4 parameters",
        ")",
    ]


class Squares(nn.Module):
    def __init__(self):
        self.inner = nn.Linear(2, 1)

    def forward(self, x):
        return self.inner(x**2)


class Shaped(nn.Module):
    def forward(self, x):
        return x.reshape(-1)


@pytest.mark.parametrize("build", [Squares, Shaped, lambda: nn.Sequential(Squares(), nn.Tanh())])
@pytest.mark.parametrize("given", [[1.0, 2.0], (1.0, 2.0)])
def test_a_list_for_a_module_of_a_users_own_is_named(build, given):
    with pytest.raises(UsageError) as error:
        build()(given)
    text = str(error.value)
    assert f".forward got a {type(given).__name__}, not a tensor (test_module.py:" in text
    assert "Pass tg.Tensor(…)." in text
    assert isinstance(error.value.__cause__, TypeError | AttributeError)


def test_an_array_that_is_asked_for_what_a_tensor_has_is_named():
    class Cut(nn.Module):
        def forward(self, x):
            return x.detach()

    with pytest.raises(UsageError, match=r"Cut.forward got a ndarray, not a tensor.*'detach'"):
        Cut()(np.ones(2))


def test_what_has_nothing_to_do_with_a_list_is_said_as_it_is():
    class Broken(nn.Module):
        def forward(self, x):
            return self.missing(x)

    with pytest.raises(AttributeError, match="missing"):
        Broken()([1.0])


@pytest.mark.parametrize("whose", ["model", "optimizer"])
def test_a_state_is_a_dict(whose):
    net = nn.Linear(2, 1)
    target = net if whose == "model" else optim.SGD(net.parameters())
    for wrong, text in (
        ("m.npz", rf"Write {whose}.load_state_dict\(tg.load\('m.npz'\)\)"),
        (Path("m.npz"), r"tg.load\('m.npz'\)"),
        (net, r"got a Linear.*Pass its state_dict\(\)"),
        (None, rf"such as {whose}.state_dict\(\) gives"),
    ):
        with pytest.raises(UsageError, match=text):
            target.load_state_dict(wrong)


def test_plain_tensors_that_look_like_parameters_are_named():
    class Own(nn.Module):
        def __init__(self, *names):
            self.count = Tensor(np.array(3))
            for name in names:
                setattr(self, name, Tensor(np.ones(2)))

    with pytest.raises(UsageError, match=r"Own has no parameters.*'w' is a plain tensor") as error:
        optim.SGD(Own("w").parameters())
    assert "Assign nn.Parameter(…) in the place of tg.Tensor(…)." in str(error.value)
    with pytest.raises(UsageError, match=r"'0\.w', '0\.b' are plain tensors"):
        optim.SGD(nn.Sequential(Own("w", "b")).parameters())
    for none in (Own().parameters(), nn.BatchNorm1d(2, affine=False).parameters(), []):
        with pytest.raises(UsageError, match="an optimiser without parameters"):
            optim.SGD(none)


def test_the_parameters_of_a_module_are_walked_once():
    net = nn.Linear(2, 1)
    found = net.parameters()
    assert next(found) is net.weight
    assert [p is net.bias for p in found] == [True]
    assert list(found) == []
