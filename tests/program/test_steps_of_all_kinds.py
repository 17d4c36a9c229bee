"""Steps beyond the usual one: derivatives of derivatives, ops of one's own, hooks, buffers."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tests.program.steps import source_step
from tinygrad_mlp import functional as F
from tinygrad_mlp import nn, optim
from tinygrad_mlp.ops import REGISTRY


def assert_close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def plain(gradient):
    return gradient.data if isinstance(gradient, tg.Tensor) else gradient


def weights():
    rng = np.random.default_rng(3)
    return [
        tg.Tensor(rng.normal(size=(3, 4)), requires_grad=True, name="W"),
        tg.Tensor(rng.normal(size=(4, 1)), requires_grad=True, name="v"),
    ]


def descend(params):
    for p in params:
        p.data = p.data - 0.05 * p.grad


def penalised(W, v):
    """A loss with a penalty on its own gradient: double backward."""

    def step(x):
        W.grad = v.grad = None
        loss = (np.tanh(x @ W) @ v).mean()
        loss.backward(create_graph=True)
        penalty = sum((p.grad * p.grad).sum() for p in (W, v))
        W.grad = v.grad = None
        (loss * 0.0 + penalty).backward()
        descend((W, v))
        return penalty

    return step


def by_transform(W, v):
    """The transform gives gradients and touches nobody's grad."""

    def loss(W, v, x):
        return ((np.tanh(x @ W) @ v) ** 2).mean()

    def step(x):
        dW, dv = tg.grad(loss, argnums=(0, 1))(W, v, x)
        W.data = W.data - 0.05 * dW.data
        v.data = v.data - 0.05 * dv.data
        return loss(W, v, x)

    return step


def hooked(W, v):
    """A hook that changes a gradient on its way."""
    W.register_hook(lambda g: g * 0.5)

    def step(x):
        hidden = np.tanh(x @ W)
        hidden.register_hook(lambda g: np.minimum(g, 0.1))
        loss = ((hidden @ v) ** 2).mean()
        W.grad = v.grad = None
        loss.backward()
        descend((W, v))
        return loss

    return step


def averaged(W, v):
    """A second copy of the weights follows them: a value that one cell gives to another."""
    follower = tg.Tensor(W.data, name="follower")

    def step(x):
        loss = ((np.tanh(x @ W) @ v) ** 2).mean() + ((x @ follower) ** 2).mean()
        W.grad = v.grad = None
        loss.backward()
        descend((W, v))
        follower.data = 0.9 * follower.data + 0.1 * W.data
        return loss

    return step


def swapped(W, v):
    """Two tensors change places at every step."""
    other = tg.Tensor(W.data * 2.0, requires_grad=True, name="other")

    def step(x):
        loss = ((x @ W @ v) ** 2).mean()
        W.data, other.data = other.data, W.data
        return loss

    return step


def twice(W, v):
    """Two descents in one step, the second along the sum of both gradients."""

    def step(x):
        W.grad = v.grad = None
        for _ in range(2):
            loss = ((np.tanh(x @ W) @ v) ** 2).mean()
            loss.backward()
            descend((W, v))
        return loss

    return step


def indexed(W, v):
    """Rows picked by numbers that are themselves an argument's."""

    def step(x):
        rows = W[np.array([0, 2, 2])]
        loss = ((rows @ v) ** 2).sum() + x[:, 1].sum() * 0.1 + np.concatenate([x, x]).mean()
        W.grad = v.grad = None
        loss.backward()
        descend((W, v))
        return loss

    return step


@pytest.mark.filterwarnings("ignore:.*added to old gradients")  # `twice` means it
@pytest.mark.parametrize(
    "make", [penalised, by_transform, hooked, averaged, swapped, twice, indexed]
)
@pytest.mark.parametrize("form", ["source", "numpy", "jax"])
def test_a_step_of_this_kind(make, form):
    if form == "jax":
        needs("jax")
    ours, theirs = weights(), weights()
    step, eager = make(*ours), make(*theirs)
    compiled = tg.compile(step, backend="jax" if form == "jax" else "numpy")
    rng = np.random.default_rng(0)
    for i in range(6):
        x = rng.normal(size=(5, 3))
        if i == 2 and form == "source":
            compiled = source_step(compiled)
        # Not bit for bit: BLAS multiplies a matrix by a vector in an order that depends on the
        # address of the matrix, and no two arrays have the same.
        assert_close(compiled(x).data, eager(tg.Tensor(x)).data)
        for a, b in zip(ours, theirs, strict=True):
            assert_close(a.data, b.data)
            if a.grad is not None:
                assert_close(plain(a.grad), plain(b.grad))


@pytest.fixture
def _registry_as_before():
    before = dict(REGISTRY)
    yield
    for name in REGISTRY.keys() - before.keys():
        del REGISTRY[name]


@pytest.mark.usefixtures("_registry_as_before")
def test_an_op_of_ones_own():
    op = tg.define_op(
        "compiled_softplus",
        forward=lambda x: np.logaddexp(0.0, x),
        vjp=lambda g, y, x: g * F.sigmoid(x),
    )
    ours, theirs = weights()[0], weights()[0]

    def make(w):
        def step(x):
            loss = op(x @ w).mean()
            w.grad = None
            loss.backward()
            w.data = w.data - 0.1 * w.grad
            return loss

        return step

    compiled, eager = tg.compile(make(ours)), make(theirs)
    for _ in range(5):
        x = np.ones((2, 3))
        assert_close(compiled(x).data, eager(tg.Tensor(x)).data)
    assert_close(ours.data, theirs.data)
    assert "np.logaddexp(0.0, matmul)" in compiled.source


def test_an_embedding_and_its_integers():
    def make():
        model = nn.Sequential(nn.Embedding(7, 4, rng=0), nn.Flatten(), nn.Linear(8, 3, rng=1))
        optimizer, loss_fn = optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss()

        def step(x, y):
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return model, step

    (ours, step), (theirs, eager) = make(), make()
    compiled, rng = tg.compile(step), np.random.default_rng(0)
    for _ in range(8):
        x, y = rng.integers(0, 7, (5, 2)), rng.integers(0, 3, 5)
        assert_close(compiled(x, y).data, eager(tg.Tensor(x), tg.Tensor(y)).data)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(a.data, b.data)


def test_batch_norm_in_training_and_in_use():
    def make():
        return nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4))

    ours, theirs = make(), make()
    compiled, rng = tg.compile(lambda x: ours(x)), np.random.default_rng(0)
    for mode in (True, False, True, False):
        ours.train(mode)
        theirs.train(mode)
        for _ in range(3):
            x = rng.normal(size=(6, 3))
            assert_close(compiled(x).data, theirs(tg.Tensor(x)).data)
            for (_, a), (_, b) in zip(ours.named_state(), theirs.named_state(), strict=True):
                assert_close(a.data, b.data)
    assert compiled.captures == 4


def test_dropout_draws_what_it_would_have_drawn():
    def make():
        return nn.Sequential(nn.Linear(3, 40, rng=0), nn.Dropout(0.5, rng=7))

    ours, theirs = make(), make()
    compiled = tg.compile(lambda x: ours(x))
    for _ in range(6):
        x = np.ones((2, 3))
        assert_close(compiled(x).data, theirs(tg.Tensor(x)).data)
    assert_close(ours(tg.Tensor(x)).data, theirs(tg.Tensor(x)).data)
    assert "generator.random((2, 40))" in compiled.source
