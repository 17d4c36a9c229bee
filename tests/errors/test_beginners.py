"""What is said to somebody on the first day: mistakes in whole programs, each with its line."""

from __future__ import annotations

import pytest

from tinygrad_mlp.errors import ShapeError, UsageError

DATA = """
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.ReLU(), nn.Linear(4, 1, rng=1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
"""


def test_an_optimiser_of_ones_own_that_returns_only_p(user):
    run = user("""
        class Descent(optim.Optimizer):
            def update(self, p, g, state, group):
                return p - 0.1 * g
        w = tg.Tensor(np.ones((2, 3)), requires_grad=True)
        (w * w).sum().backward()
        Descent([w]).step()
    """)
    assert isinstance(run.error, UsageError)
    assert run.text == (
        f"Descent.update() returned one array of shape (2, 3) ({run.line('.step()')}): it must "
        "return (new p, state). Write return p - …, {}, or the new state instead of {}."
    )
    assert run.space["w"].shape == (2, 3)


def test_a_table_with_a_gap(user):
    run = user(
        DATA
        + """
    X[3, 1] = np.nan
    tg.fit(model, (X, Y), loss=nn.MSELoss(), optimizer=optimizer)
    """
    )
    assert run.warned == (
        f"fit() stopped: the loss is nan at epoch 1, batch 4 ({run.line('tg.fit')}): the inputs "
        "hold nan at row 3, column 1. Leave such rows out: ok = np.isfinite(X).all(1); "
        "X, Y = X[ok], Y[ok]."
    )


def test_a_table_with_a_gap_in_a_loop_by_hand(user):
    run = user(
        DATA
        + """
    X[3, 1] = np.nan
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.MSELoss()(model(X), Y)
        loss.backward()
        optimizer.step()
    told = str(tg.why(model[0].weight))
    """
    )
    assert "holds nan at [3, 1]" in run["told"]
    assert "learning rate" not in run["told"]


def test_inputs_around_a_hundred(user):
    run = user(
        DATA
        + """
    tg.fit(model, (X * 100, Y), loss=nn.MSELoss(), optimizer=optimizer, epochs=9)
    """
    )
    assert "the inputs are not scaled: inputs reach 233" in run.warned
    assert "Write X = (X - X.mean(0)) / X.std(0)." in run.warned


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("optim.SGD(nn.Linear(3, 1).parameters(), lr=0.1)", "none of the parameters of this"),
        ("optim.SGD", "Write optimizer=optim.SGD(model.parameters(), lr=0.1)."),
    ],
)
def test_an_optimiser_that_is_not_this_models(user, line, text):
    run = user(
        DATA
        + f"""
    tg.fit(model, (X, Y), loss=nn.MSELoss(), optimizer={line})
    """
    )
    assert isinstance(run.error, UsageError)
    assert text in run.text
    assert run.line("tg.fit") in run.text


def test_classes_for_a_loss_of_distances_in_fit(user):
    run = user("""
        model = nn.Linear(2, 3)
        y = np.array([0, 2, 1, 1])
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        tg.fit(model, (np.ones((4, 2)), y), loss=nn.MSELoss(), optimizer=optimizer)
    """)
    assert isinstance(run.error, ShapeError)
    assert run.text == (
        f"MSE compares (1, 3) with (1,) ({run.line('tg.fit')}): whole numbers below the number of "
        "outputs look like classes. For classes use nn.CrossEntropyLoss(), or the target "
        "np.eye(3)[y]; else give 3 numbers per sample."
    )
