"""What a mistake must say: one test for each situation, run from a user's own file.

The numbers are those of the table of situations that the project holds itself to: 37 mistakes
that everybody makes, and what is said about each.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tinygrad_mlp.errors import (
    DTypeError,
    GradientError,
    GraphError,
    InPlaceError,
    ShapeError,
    StateError,
    TinygradError,
    TrainingWarning,
    UnsupportedError,
    UsageError,
)


def test_01_backward_of_a_vector(user):
    run = user("""
        x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 2
        y.backward()
    """)
    assert isinstance(run.error, ShapeError)
    assert run.text == (
        f"backward() needs one number, but 'y' has shape (3,) ({run.line('y = x')}, mul): only a "
        "single number has a gradient that is not a Jacobian. "
        "Use y.sum() or y.mean(), or pass gradient= of shape (3,)."
    )


def test_02_backward_twice(user):
    run = user("""
        w = tg.Tensor(2.0, requires_grad=True)
        loss = 3 * w * w
        loss.backward()
        first = float(w.grad)
        loss.backward()
        drawn = tg.draw(loss).svg
    """)
    assert (run["first"], float(run["w"].grad)) == (12.0, 24.0)
    assert "<svg" in run["drawn"]
    assert run.warnings == []


def test_03_the_wrong_width_inside_a_model(user):
    run = user("""
        class Net(nn.Module):
            def __init__(self):
                self.layers = [nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(5, 1)]
            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x
        Net()(np.ones((2, 3)))
    """)
    assert isinstance(run.error, ShapeError)
    assert run.text == (
        "Linear 'layers.2' takes 5 features, got (2, 4) from Sigmoid 'layers.1' ← "
        f"Linear 'layers.0' (3→4) ({run.line('x = layer(x)')}). "
        "Make layers.0 give 5, or layers.2 take 4."
    )


def test_04_fewer_inputs_than_weights(user):
    run = user("""
        class Net(nn.Module):
            def __init__(self):
                self.layers = [nn.Linear(3, 1)]
            def forward(self, x):
                return self.layers[0](x)
        Net()([1.0, 2.0])
    """)
    assert isinstance(run.error, ShapeError)
    assert run.text == (
        f"Linear 'layers.0' takes 3 features, got 2 ({run.line('return self.layers')})."
    )


def test_05_an_element_wise_clash(user):
    run = user("""
        heights = tg.Tensor(np.ones((4, 3)))
        widths = tg.Tensor(np.ones((2, 3)))
        area = heights * widths
    """)
    assert isinstance(run.error, ShapeError)
    assert run.text == (
        f"mul of 'heights' (4, 3) and 'widths' (2, 3) ({run.line('area')}): "
        "from the right, sizes must be equal or 1:\n"
        "    'heights'  4  3\n"
        "    'widths'   2  3\n"
        "               ^\n"
        "Axes of size 1 come from t[:, None] or t.reshape(…)."
    )


@pytest.mark.parametrize(
    "loss", ["nn.MSELoss()(p, t)", "F.mse_loss(p, t)", "nn.L1Loss()(p, t)", "F.huber_loss(p, t)"]
)
def test_06_losses_do_not_broadcast(user, loss):
    run = user(f"""
        p = tg.Tensor([[1.0], [2.0], [3.0], [4.0]])
        t = np.array([1.0, 2.0, 3.0, 4.0])
        loss = {loss}
    """)
    assert isinstance(run.error, ShapeError)
    assert "compares (4, 1) with (4,)" in run.text
    assert ": broadcasting would make 4×4 = 16 pairs. Use target.reshape(4, 1)." in run.text
    assert run.line("loss = ") in run.text
    told = user("""
        p, t = tg.Tensor([[1.0], [2.0]]), tg.Tensor([1.0, 2.0])
        loss = nn.MSELoss(broadcast=True)(p, t)
    """)
    assert told["loss"].item() == 0.5


def test_06_inside_fit_the_fix_is_for_all_the_data(user):
    head = """
        X = np.arange(5.0).reshape(5, 1)
        Y = 2 * X
        model, y = nn.Linear(1, 1), Y.ravel()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
    """
    for batch_size, why in (
        (1, "with more samples, broadcasting would pair each with all"),
        (4, "broadcasting would make 4×4 = 16 pairs"),
    ):
        n = batch_size
        run = user(
            head + f"    tg.fit(model, (X, y), loss=nn.MSELoss(), optimizer=optimizer,"
            f" batch_size={n})"
        )
        assert isinstance(run.error, ShapeError)
        assert run.text == (
            f"MSE compares ({n}, 1) with ({n},) ({run.line('tg.fit')}): {why}. "
            "Use Y.reshape(-1, 1)."
        )
    for call, name in (
        ("tg.fit(model, (X, y), loss=F.mse_loss, optimizer=optimizer, accumulate=2)", "Y"),
        ('tg.fit(model, (X, y), loss=nn.L1Loss(), optimizer=optimizer, compile="auto")', "Y"),
        ("tg.evaluate(model, (X, y), nn.MSELoss())", "Y"),
        (
            "tg.fit(model, (X, Y), loss=nn.MSELoss(), optimizer=optimizer, validation=(X, y))",
            "Y_validation",
        ),
    ):
        run = user(head + "    " + call)
        assert isinstance(run.error, ShapeError)
        assert f". Use {name}.reshape(-1, 1)." in run.text
    run = user(head + "    nn.MSELoss()(model(X[:1]), y[:1])")
    assert run.text.endswith("Use target.reshape(-1, 1).")
    run = user(head + "    report = tg.preflight(model, X, y, nn.MSELoss())")
    assert "Use y.reshape(-1, 1)." in str(run["report"])


def test_07_a_loss_called_as_a_function(user):
    run = user("loss = nn.MSELoss(tg.Tensor([1.0]), tg.Tensor([2.0]))")
    assert isinstance(run.error, UsageError)
    assert run.text == (
        f"MSELoss(...) makes a loss ({run.line('MSELoss')}). "
        "Call it: MSELoss()(pred, y), or mse_loss(pred, y)."
    )


def test_08_a_loss_with_one_argument(user):
    run = user("""
        loss_fn = nn.MSELoss()
        loss_fn(tg.Tensor([1.0]))
    """)
    assert isinstance(run.error, UsageError)
    assert run.text == (
        f"MSELoss was called with 1 argument ({run.line('loss_fn(tg')}): it compares a prediction "
        "with a target. loss_fn = MSELoss(); loss = loss_fn(model(x), y)."
    )


def test_09_the_gradient_of_an_intermediate(user):
    run = user("""
        x = tg.Tensor([1.0, 2.0], requires_grad=True)
        h = x * 3
        h.sum().backward()
    """)
    assert run["h"].grad.tolist() == [1.0, 1.0]
    assert run.warnings == []


LOOP = """
    w = tg.Tensor([1.0], requires_grad=True)
    for step in range({steps}):
        loss = ((w * 2.0 - 1.0) ** 2).sum()
        loss.backward()
        w = w - 0.1 * w.grad
"""


def test_10_a_weight_that_became_a_result(user):
    run = user(LOOP.format(steps=5))
    assert run.warned == (
        f"'w' is now the result of sub ({run.line('w = w')}); the graph holds 3 nodes of 3 "
        "earlier steps. Use w.data = w.data - lr * w.grad, or SGD([w])."
    )
    assert run.caught[0].category is TrainingWarning
    assert f"train.py:{run.caught[0].lineno}" == run.line("loss.backward()")
    assert user(LOOP.format(steps=4)).warnings == []
    assert len(user(LOOP.format(steps=25)).warnings) == 3  # of 3, 6 and 12 steps


def test_10_a_state_that_is_carried_on(user):
    loop = """
        w = tg.Tensor(np.eye(2) / 2, requires_grad=True)
        h = tg.Tensor([1.0, 1.0])
        for step in range(5):
            h = np.tanh(w @ h){detached}
            w.grad = None
            (h ** 2).sum().backward()
    """
    run = user(loop.format(detached=""))
    assert "'h' is now the result of tanh" in run.warned
    assert "Use h = h.detach() before each step." in run.warned
    assert user(loop.format(detached="").replace("h = np", "h = h.detach(); h = np")).warnings == []


def test_11_a_step_before_backward(user):
    run = user("""
        model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        optimizer.step()
    """)
    assert isinstance(run.error, GraphError)
    assert run.text.startswith(
        f"step(): none of the 4 parameters has a gradient ({run.line('.step')}). "
        "Did loss.backward() run?"
    )


FORGOT = """
    model, loss_fn = nn.Linear(2, 1), nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for step in range(2):
        loss = loss_fn(model(np.ones((3, 2))), np.ones((3, 1)))
        {clear}
        loss.backward({how})
        optimizer.step()
"""


@pytest.mark.parametrize("how", ["", "keep_graph=False"])
def test_12_forgot_zero_grad(user, how):
    run = user(FORGOT.format(clear="pass", how=how))
    assert run.warned == (
        f"backward() added to old gradients of 2 parameters ({run.line('loss.backward')}): they "
        "were there before the values last changed, so the sum belongs to no one step. "
        "Call optimizer.zero_grad() (or set .grad = None) before loss.backward()."
    )
    assert run.caught[0].category is TrainingWarning
    for clear in (
        "optimizer.zero_grad()",
        "model.zero_grad()",
        "model.weight.grad = model.bias.grad = None",
    ):
        assert user(FORGOT.format(clear=clear, how=how)).warnings == []


def test_12_accumulating_on_purpose_is_fine(user):
    run = user("""
        w = tg.Tensor([1.0], requires_grad=True)
        for step in range(3):
            w.grad = None
            for part in range(4):
                (w * w).sum().backward()
            w.data = w.data - 0.1 * w.grad
            w.grad *= 0
        w.grad[:] = 0
        (w * w).sum().backward()
    """)
    assert run.warnings == []


def test_12_names_a_weight_of_the_users_own(user):
    run = user("""
        w = tg.Tensor([1.0], requires_grad=True)
        (w * w).sum().backward()
        w.data -= 0.1 * w.grad
        (w * w).sum().backward()
    """)
    assert f"old gradients of 'w' ({run.line('w = tg')})" in run.warned


def test_13_layers_in_containers(user):
    run = user("""
        class Net(nn.Module):
            def __init__(self):
                self.blocks = [[nn.Linear(1, 1)], {"head": (nn.Linear(1, 1), "a note")}]
                self.free = (tg.Tensor(1.0, requires_grad=True),)
        names = [name for name, _ in Net().named_parameters()]
    """)
    assert run["names"] == [
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "blocks.1.head.0.weight",
        "blocks.1.head.0.bias",
        "free.0",
    ]


def test_14_forgot_super_init(user):
    run = user("""
        class Net(nn.Sequential):
            def __init__(self):
                self.extra = 1
        Net()(np.ones(2))
    """)
    assert isinstance(run.error, UsageError)
    assert "Net.__init__ never ran Sequential.__init__" in run.text
    assert "Begin Net.__init__ with super().__init__(...)." in run.text
    assert run.line("Net()(np") in run.text


def test_14_a_module_without_init_needs_none(user):
    run = user("""
        class Net(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(2, 1)
            def forward(self, x):
                return self.layer(x)
        y = Net()(np.ones((1, 2)))
    """)
    assert run["y"].shape == (1, 1)


def test_15_a_list_of_layers(user):
    assert user("y = nn.Sequential([nn.Linear(2, 3), nn.Tanh()])(np.ones(2))")["y"].shape == (3,)


def test_16_a_class_among_layers(user):
    run = user("nn.Sequential(nn.Linear(2, 2), nn.Sigmoid)")
    assert isinstance(run.error, UsageError)
    assert run.text == (f"item 1 is the class Sigmoid ({run.line('Sequential')}). Write Sigmoid().")


def test_17_parameters_without_a_call(user):
    run = user("""
        net = nn.Linear(2, 1)
        optim.SGD(net.parameters, lr=0.1)
    """)
    assert isinstance(run.error, UsageError)
    assert "Pass net.parameters(), with ()." in run.text
    assert run.line("optim.SGD") in run.text


def test_18_no_path_to_a_parameter(user):
    run = user("""
        w = tg.Tensor([1.0, 2.0], requires_grad=True)
        h = w * 3
        d = h.detach()
        loss = (d * d).sum()
        loss.backward()
    """)
    assert isinstance(run.error, GraphError)
    assert run.text == (
        f"loss depends on no parameter ({run.line('loss = ')}). "
        f"The path was cut at {run.line('d = h')} by detach() on 'h'."
    )


def test_18_through_layers_and_no_grad(user):
    run = user("""
        model = nn.MLP(2, [3], 1)
        with tg.no_grad():
            out = model(np.ones((4, 2)))
        loss = nn.MSELoss()(out, np.ones((4, 1)))
        loss.backward()
    """)
    assert f"The path was cut at {run.line('out = ')} by no_grad()" in run.text


def test_18_through_an_op_without_a_rule(user):
    run = user("""
        w = tg.Tensor([1.0, -2.0], requires_grad=True)
        loss = ((w > 0) * 2.0).sum()
        loss.backward()
    """)
    assert f"The path was cut at {run.line('loss = ')} by greater on 'w'" in run.text


def test_19_whole_numbers(user):
    assert user("w = tg.Tensor([1, 2], requires_grad=True)")["w"].dtype == np.float64
    run = user("tg.Tensor(np.array([1, 2]), requires_grad=True)")
    assert isinstance(run.error, DTypeError)
    assert "a tensor of int64 cannot need a gradient" in run.text
    assert "Use Tensor(array.astype(float), requires_grad=True)." in run.text
    assert run.line("tg.Tensor(") in run.text


def test_20_two_dtypes(user):
    run = user("""
        model = nn.Linear(2, 1, dtype=np.float32)
        x, y = np.ones((4, 2)), np.zeros((4, 1))
        out = model(x)
        report = tg.preflight(model, x, y, nn.MSELoss())
    """)
    assert run["out"].dtype == np.float64
    assert "dtypes" in run["report"].codes


def test_21_a_tensor_of_tensors(user):
    run = user("""
        a = tg.Tensor(1.0, requires_grad=True)
        t1, t2 = a * 2, a * 3
        both = tg.Tensor([t1, t2])
    """)
    assert isinstance(run.error, UsageError)
    assert "np.stack([...])" in run.text
    assert "gradients would stop there" in run.text
    assert run.line("both") in run.text


@pytest.mark.parametrize("call", ["math.exp(t)", "float(t)", "int(t)", "round(float(t), 2)"])
def test_22_pythons_own_functions(user, call):
    run = user(f"""
        import math
        t = tg.Tensor(0.5, requires_grad=True)
        number = {call}
    """)
    assert isinstance(run.error, UsageError)
    assert "np.exp(t)" in run.text
    assert "t.item()" in run.text
    assert run.line("number") in run.text
    assert user("t = tg.Tensor(0.5, requires_grad=True)\ns = f'{t:.4f}'")["s"] == "0.5000"


def test_23_a_numpy_function_without_a_rule(user):
    run = user("""
        t = tg.Tensor([2.0, 1.0], requires_grad=True)
        q = np.unwrap(t)
    """)
    assert isinstance(run.error, UnsupportedError)
    assert "np.unwrap has no gradient rule here" in run.text
    assert "t.data" in run.text
    assert run.line("q = ") in run.text


def test_23_never_an_object_array(user):
    for call in (
        "np.unwrap(t)",
        "np.histogram(t)",
        "np.add.at(t, 0, 1.0)",
        "np.array(t)",
    ):
        run = user(f"t = tg.Tensor([2.0, 1.0], requires_grad=True)\nq = {call}")
        assert isinstance(run.error, TinygradError), call


WHERE = """
    x = tg.Tensor([4.0, 0.0], requires_grad=True)
    y = np.where(x.data > 0, np.sqrt(x), 0.0)
    {run}
"""


def test_24_a_nan_behind_where(user):
    run = user(WHERE.format(run="with tg.detect_anomaly():\n        y.sum().backward()"))
    assert isinstance(run.error, TinygradError)
    for part in ("sqrt", "'x'", "[1]", "0", "inf", run.line("np.sqrt"), "np.where(x > 0, x, 1)"):
        assert part in run.text, part
    run = user(WHERE.format(run="y.sum().backward()\n    told = str(tg.why(x))"))
    assert np.isnan(run["x"].grad[1])
    for part in ("sqrt", "'x'", "[1]", "inf", run.line("np.sqrt"), "np.where(x > 0, x, 1)"):
        assert part in run["told"], part


def test_25_the_first_value_that_is_no_number(user):
    run = user("""
        x = tg.Tensor([1.0, 0.0, 2.0], requires_grad=True)
        with tg.detect_anomaly():
            h = np.log(x)
            y = (h * 0.0).sum()
    """)
    assert isinstance(run.error, ArithmeticError)
    for part in ("log", "-inf", "[1]", "'x'", run.line("np.log")):
        assert part in run.text, part


def test_25_in_the_backward_pass(user):
    run = user("""
        x = tg.Tensor([1.0, 0.0], requires_grad=True)
        with tg.detect_anomaly():
            h = x ** 0.5
            y = (h * h).sum()
            y.backward()
    """)
    for part in ("backward", "[1]", "'x'", run.line("x ** 0.5")):
        assert part in run.text, part


def test_26_a_naive_sigmoid(user):
    run = user("""
        x = tg.Tensor([-1000.0], requires_grad=True)
        with tg.detect_anomaly():
            s = 1 / (1 + np.exp(-x))
    """)
    for part in ("exp", "overflow", "[0]", "F.sigmoid(x)", run.line("s = ")):
        assert part in run.text, part
    run = user("""
        x = tg.Tensor([-1000.0], requires_grad=True)
        F.sigmoid(x).sum().backward()
    """)
    assert run["x"].grad.tolist() == [0.0]


def test_27_written_in_place_after_use(user):
    run = user("""
        y = tg.Tensor([1.0, 2.0], requires_grad=True)
        z = y * y
        y.data -= 1.0
        z.sum().backward()
    """)
    assert isinstance(run.error, InPlaceError)
    assert run.text == (
        f"'y' was used by mul at {run.line('z = ')} and written in place at "
        f"{run.line('y.data -=')}: the gradient needs the value that was used. "
        "Write y.data = y.data - …, or y = y - …."
    )


def test_28_the_callers_array_changes(user):
    run = user("""
        a = np.array([1.0, 2.0])
        t = tg.Tensor(a, requires_grad=True)
        b = np.array([3.0, 4.0])
        z = (t * b).sum()
        a[:] = 0
        b[:] = 0
        z.backward()
    """)
    assert run["t"].grad.tolist() == [3.0, 4.0]
    assert run["t"].data.tolist() == [1.0, 2.0]


def test_29_in_place_on_a_weight(user):
    run = user("""
        w = tg.Tensor([1.0], requires_grad=True)
        w += 1
    """)
    assert isinstance(run.error, UsageError)
    assert run.text == (
        f"w += … on a leaf that needs a gradient ({run.line('w += 1')}): it would become the "
        "result of an op, and no longer the weight. Write w.data = w.data + …; "
        "no_grad() is not needed for it."
    )
    assert user("w = tg.Tensor([1.0], requires_grad=True)\ny = w * 2\ny += 1")["y"].tolist() == [
        3.0
    ]


def test_30_a_custom_op_with_a_gradient_of_the_wrong_shape(user):
    run = user("""
        from tinygrad_mlp.ops import Op
        my_op = Op("my_op", lambda x: x * 2, lambda g, y, x: (g * 2).sum(), listed=False)
        x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
        y = my_op(x)
        y.sum().backward()
    """)
    assert isinstance(run.error, GradientError)
    assert run.text == (
        "my_op: gradient for input 0 'x' has shape (), expected (2, 3) "
        f"({run.line('y = my_op')}). Summed instead of un-broadcast?"
    )


def test_31_a_custom_op_with_a_wrong_gradient(user):
    needs("hypothesis")
    run = user("""
        from tinygrad_mlp.ops import Op
        from tinygrad_mlp.ops.domain import Domain
        from tinygrad_mlp.testing import check_op
        my_op = Op("my_op", lambda x: x * x, lambda g, y, x: g * x, domain=Domain(), listed=False)
        check_op(my_op)
    """)
    assert run.error is not None
    assert run.text.startswith("my_op: ")
    assert "analytic = 0.50 × numeric at all 6 entries; missing factor 2?" in run.text
    assert "Smallest failing input: x = 1" in run.text


def test_32_a_deep_graph(user):
    run = user("""
        x = tg.Tensor(1.0, requires_grad=True)
        y = x
        for _ in range(5_000):
            y = y + 1.0
        y.backward()
        source = tg.draw(y, fold=True).source
        told = str(tg.why(x))
    """)
    assert run["x"].grad == 1.0
    assert "digraph" in run["source"]
    assert "nothing is wrong" in run["told"]


def test_33_a_picture_without_graphviz(user, monkeypatch):
    monkeypatch.setenv("PATH", "")
    run = user("""
        w = tg.Tensor(2.0, requires_grad=True)
        picture = tg.draw(w * w)
        svg, dot = picture.svg, picture.source
    """)
    assert run["svg"].startswith("<svg")
    assert run["dot"].startswith("digraph")


def test_34_weights_of_another_size(user):
    run = user("""
        state = nn.MLP(2, [5], 1).state_dict()
        nn.MLP(2, [4], 1).load_state_dict(state)
    """)
    assert isinstance(run.error, StateError)
    assert "0.weight: (4, 2) here, (5, 2) there" in run.text
    assert "This would fit: Linear(2, 5) as '0', Linear(5, 1) as '2'." in run.text
    assert run.line("load_state_dict(state)") in run.text


def test_35_a_typo_in_a_name(user):
    run = user("""
        model = nn.Sequential({"hidden": nn.Linear(2, 2)})
        state = {k.replace("weight", "wieght"): v for k, v in model.state_dict().items()}
        model.load_state_dict(state)
    """)
    assert "did you mean 'hidden.wieght'?" in run.text
    run = user("nn.Sequential({'hidden': nn.Linear(2, 2)}).get_submodule('hiden')")
    assert "Did you mean 'hidden'?" in run.text


def test_36_a_power_written_as_xor(user):
    run = user("""
        x = tg.Tensor([1.0], requires_grad=True)
        y = x ^ 2
    """)
    assert isinstance(run.error, UsageError)
    assert run.text == (
        f"^ is bitwise xor in Python, and these are not truth values ({run.line('x ^ 2')}). "
        "For powers write x ** 2."
    )


@pytest.mark.parametrize(
    ("fault", "code", "path"),
    [
        (
            "model[0].weight.data = np.full((4, 2), 0.1); model[0].bias.data = np.zeros(4)",
            "equal-weights",
            "0",
        ),
        ("model[0].weight.data = model[0].weight.data * 1e4 + 1e4", "saturation", "1"),
        (
            (
                "model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)); "
                "model[0].bias.data = np.full(4, -99.0)"
            ),
            "dead-layer",
            "1",
        ),
    ],
)
def test_37_what_preflight_sees(user, fault, code, path):
    run = user(f"""
        model = nn.MLP(2, [4], 1, rng=0)
        {fault}
        x = np.random.default_rng(0).uniform(0, 1, (16, 2))
        report = tg.preflight(model, x, x[:, :1], nn.MSELoss())
    """)
    found = [item for item in (*run["report"], *run["report"].notes) if item.code == code]
    assert found, run["report"]
    assert repr(path) in str(found[0])


@pytest.mark.parametrize("row", range(1, 38))
def test_every_row_has_a_test(row):
    assert any(name.startswith(f"test_{row:02}_") for name in globals())


def test_every_error_is_what_a_python_user_would_catch():
    for kind, builtin in (
        (ShapeError, ValueError),
        (UsageError, TypeError),
        (GraphError, RuntimeError),
        (StateError, ValueError),
    ):
        assert issubclass(kind, TinygradError)
        assert issubclass(kind, builtin)
    assert issubclass(TrainingWarning, UserWarning)
    assert tg.Tensor is not None
