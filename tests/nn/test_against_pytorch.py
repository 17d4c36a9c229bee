"""Every layer and loss against PyTorch: outputs, gradients, 20 steps, float64 and float32."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nn.peer import carry, close, compare, over, torch
from tinygrad_mlp import Tensor, nn, optim

both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
seeds = st.integers(0, 10_000)
sizes = st.integers(1, 5)


def numbers(seed, shape, dtype, scale=2.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


def torch_kind(dtype):
    return torch.float64 if dtype is np.float64 else torch.float32


# -- activations -----------------------------------------------------------------------------

ACTIVATIONS = [
    (nn.Sigmoid, torch.nn.Sigmoid, ()),
    (nn.Tanh, torch.nn.Tanh, ()),
    (nn.ReLU, torch.nn.ReLU, ()),
    (nn.SiLU, torch.nn.SiLU, ()),
    (nn.Softplus, torch.nn.Softplus, ()),
    (nn.LeakyReLU, torch.nn.LeakyReLU, (0.2,)),
    (nn.LeakyReLU, torch.nn.LeakyReLU, ()),
    (nn.ELU, torch.nn.ELU, (1.5,)),
    (nn.ELU, torch.nn.ELU, ()),
    (nn.GELU, torch.nn.GELU, ()),
    (nn.GELU, torch.nn.GELU, ("tanh",)),
    (nn.Softmax, torch.nn.Softmax, (-1,)),
    (nn.Softmax, torch.nn.Softmax, (0,)),
    (nn.LogSoftmax, torch.nn.LogSoftmax, (-1,)),
    (nn.Identity, torch.nn.Identity, ()),
    (nn.Mish, torch.nn.Mish, ()),
    (nn.Softsign, torch.nn.Softsign, ()),
    (nn.Hardtanh, torch.nn.Hardtanh, ()),
    (nn.Hardtanh, torch.nn.Hardtanh, (-0.5, 3.0)),
]


@both_dtypes
@pytest.mark.parametrize(
    ("ours", "theirs", "args"), ACTIVATIONS, ids=lambda v: getattr(v, "__name__", None)
)
@given(seed=seeds, shape=st.sampled_from([(3,), (2, 4), (1, 1), (2, 3, 4)]))
def test_activations(ours, theirs, args, dtype, seed, shape):
    compare(ours(*args), theirs(*args), numbers(seed, shape, dtype, 4.0), dtype)


@both_dtypes
@given(
    seed=seeds, features=st.sampled_from([1, 3]), shape=st.sampled_from([(2, 3), (4, 3, 2), (3,)])
)
def test_prelu(dtype, seed, features, shape):
    if features == 3 and len(shape) == 1:
        return
    ours = nn.PReLU(features, 0.3, dtype=dtype)
    theirs = torch.nn.PReLU(features, 0.3, dtype=torch_kind(dtype))
    carry(ours, theirs)
    compare(ours, theirs, numbers(seed, shape, dtype), dtype)


# -- layers ----------------------------------------------------------------------------------


@both_dtypes
@given(
    seed=seeds,
    n=sizes,
    m=sizes,
    batch=st.sampled_from([(), (1,), (4,), (2, 3)]),
    bias=st.booleans(),
)
def test_linear(dtype, seed, n, m, batch, bias):
    ours = nn.Linear(n, m, bias, dtype=dtype, rng=seed)
    theirs = torch.nn.Linear(n, m, bias, dtype=torch_kind(dtype))
    carry(ours, theirs)
    compare(ours, theirs, numbers(seed, (*batch, n), dtype), dtype)


@both_dtypes
@given(seed=seeds, n=sizes, m=sizes, shape=st.sampled_from([(), (3,), (2, 4), (0,)]))
def test_embedding(dtype, seed, n, m, shape):
    ours = nn.Embedding(n, m, dtype=dtype, rng=seed)
    theirs = torch.nn.Embedding(n, m, dtype=torch_kind(dtype))
    carry(ours, theirs)
    compare(ours, theirs, np.random.default_rng(seed).integers(0, n, shape), dtype)


@both_dtypes
@given(
    seed=seeds,
    shape=st.sampled_from([(4,), (2, 3)]),
    batch=st.sampled_from([(), (3,), (2, 2)]),
    affine=st.booleans(),
    bias=st.booleans(),
    eps=st.sampled_from([1e-5, 1e-2]),
)
def test_layer_norm(dtype, seed, shape, batch, affine, bias, eps):
    ours = nn.LayerNorm(shape, eps, affine, bias, dtype=dtype)
    theirs = torch.nn.LayerNorm(shape, eps, affine, bias, dtype=torch_kind(dtype))
    for i, p in enumerate(ours.parameters()):
        p.data = numbers(seed + i, p.shape, dtype)
    carry(ours, theirs)
    compare(ours, theirs, numbers(seed, (*batch, *shape), dtype), dtype)


@both_dtypes
@given(
    seed=seeds,
    features=sizes,
    rest=st.sampled_from([(4,), (5,), (3, 4)]),  # two numbers, normalised, keep no digits
    momentum=st.sampled_from([0.1, 0.5, None]),
    affine=st.booleans(),
    track=st.booleans(),
)
def test_batch_norm_over_three_batches_and_then_in_use(
    dtype, seed, features, rest, momentum, affine, track
):
    args = (features, 1e-5, momentum, affine, track)
    ours = nn.BatchNorm1d(*args, dtype=dtype)
    theirs = torch.nn.BatchNorm1d(*args, dtype=torch_kind(dtype))
    for i, p in enumerate(ours.parameters()):
        p.data = numbers(seed + i, p.shape, dtype)
    carry(ours, theirs)
    n, *length = rest
    for i in range(3):
        ours.zero_grad()
        theirs.zero_grad()
        compare(ours, theirs, numbers(seed + i, (n, features, *length), dtype) + i, dtype)
    ours.eval()
    theirs.eval()
    ours.zero_grad()
    theirs.zero_grad()
    compare(ours, theirs, numbers(seed + 9, (n, features, *length), dtype), dtype)
    if track:
        assert ours.state_dict()["num_batches_tracked"] == 3
        assert ours.state_dict()["num_batches_tracked"].dtype == np.int64


@given(
    shape=st.sampled_from([(2, 3, 4), (2, 3), (5,), (1, 2, 3, 4)]),
    dims=st.sampled_from([(1, -1), (0, 1), (0, -1)]),
)
def test_flatten(shape, dims):
    if dims[0] < len(shape) and dims[1] < len(shape):
        compare(nn.Flatten(*dims), torch.nn.Flatten(*dims), numbers(0, shape, np.float64))


def test_dropout_in_use_and_with_p_zero_changes_nothing():
    x = numbers(0, (3, 4), np.float64)
    compare(nn.Dropout(0.3).eval(), torch.nn.Dropout(0.3).eval(), x)
    compare(nn.Dropout(0.0), torch.nn.Dropout(0.0), x)
    compare(nn.Dropout(1.0), torch.nn.Dropout(1.0), x)


@both_dtypes
def test_dropout_drops_the_right_share_scales_the_rest_and_stops_their_gradients(dtype):
    layer = nn.Dropout(0.25, rng=1)
    x = Tensor(np.ones(40_000, dtype), requires_grad=True)
    y = layer(x)
    assert y.dtype == dtype
    assert set(np.unique(y.data)) == {dtype(0), dtype(1) / dtype(0.75)}
    assert abs((y.data == 0).mean() - 0.25) < 0.01
    y.backward(np.ones_like(y.data))
    assert np.array_equal(x.grad, y.data)
    assert not np.array_equal(layer(x).data, y.data)


# -- losses ----------------------------------------------------------------------------------


def compare_loss(ours, theirs, prediction, target, dtype):
    a, b = Tensor(prediction, requires_grad=True), over(prediction).requires_grad_()
    y, z = ours(a, target), theirs(b, over(target))
    close(y.data, z, dtype)
    y.backward(np.ones_like(y.data))
    z.backward(torch.ones_like(z))
    close(a.grad, b.grad, dtype)


reductions = st.sampled_from(["mean", "sum", "none"])
shapes = st.sampled_from([(3,), (2, 3), (1, 1), ()])


@both_dtypes
@given(seed=seeds, shape=shapes, reduction=reductions, delta=st.sampled_from([0.5, 1.0, 3.0]))
def test_losses_of_entries(dtype, seed, shape, reduction, delta):
    p, t = numbers(seed, shape, dtype), numbers(seed + 1, shape, dtype)
    for ours, theirs, options in (
        (nn.MSELoss, torch.nn.MSELoss, {}),
        (nn.L1Loss, torch.nn.L1Loss, {}),
        (nn.HuberLoss, torch.nn.HuberLoss, {"delta": delta}),
        (nn.SmoothL1Loss, torch.nn.SmoothL1Loss, {"beta": delta}),
    ):
        options |= {"reduction": reduction}
        compare_loss(ours(**options), theirs(**options), p, t, dtype)


@both_dtypes
@given(
    seed=seeds, shape=st.sampled_from([(3,), (2, 3)]), reduction=reductions, weighted=st.booleans()
)
def test_binary_cross_entropies(dtype, seed, shape, reduction, weighted):
    rng = np.random.default_rng(seed)
    t = rng.choice([0.0, 1.0, 0.3], shape).astype(dtype)
    w = rng.uniform(0.5, 2, shape).astype(dtype) if weighted else None
    other = {"reduction": reduction, "weight": None if w is None else over(w)}
    p = rng.uniform(0.01, 0.99, shape).astype(dtype)
    compare_loss(nn.BCELoss(weight=w, reduction=reduction), torch.nn.BCELoss(**other), p, t, dtype)
    z = numbers(seed, shape, dtype, 5.0)
    compare_loss(
        nn.BCEWithLogitsLoss(weight=w, pos_weight=w, reduction=reduction),
        torch.nn.BCEWithLogitsLoss(**other, pos_weight=other["weight"]),
        z, t, dtype,
    )  # fmt: skip


@both_dtypes
@given(
    seed=seeds,
    shape=st.sampled_from([(4, 3), (1, 2), (3,), (2, 3, 4)]),
    reduction=reductions,
    weighted=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.2]),
    soft=st.booleans(),
    ignored=st.sampled_from([None, 0, -100]),
)
def test_cross_entropy(dtype, seed, shape, reduction, weighted, smoothing, soft, ignored):
    rng = np.random.default_rng(seed)
    axis = 0 if len(shape) == 1 else 1
    classes = shape[axis]
    if soft:
        t = rng.dirichlet(np.ones(classes), [n for i, n in enumerate(shape) if i != axis])
        t = np.moveaxis(t, -1, axis).astype(dtype)
    else:
        t = rng.integers(0, classes, shape[:axis] + shape[axis + 1 :])
        t = some_ignored(t, ignored)
    w = rng.uniform(0.5, 2, classes).astype(dtype) if weighted else None
    other = {} if ignored is None or soft else {"ignore_index": ignored}
    compare_loss(
        nn.CrossEntropyLoss(
            weight=w, label_smoothing=smoothing, reduction=reduction, ignore_index=ignored
        ),
        torch.nn.CrossEntropyLoss(
            weight=None if w is None else over(w),
            label_smoothing=smoothing,
            reduction=reduction,
            **other,
        ),
        numbers(seed, shape, dtype, 5.0), np.asarray(t), dtype,
    )  # fmt: skip


def some_ignored(t, ignored):
    """Targets of which every other one does not count; the first does."""
    t = np.array(t)
    if ignored is not None:
        t[t == ignored] = 1
        flat = t.reshape(-1)
        flat[1::2] = ignored
    return t


@both_dtypes
@given(
    seed=seeds,
    shape=st.sampled_from([(4, 3), (1, 2), (3,), (2, 3, 4)]),
    reduction=reductions,
    weighted=st.booleans(),
    ignored=st.sampled_from([None, 0, -100]),
)
def test_negative_log_likelihood(dtype, seed, shape, reduction, weighted, ignored):
    rng = np.random.default_rng(seed)
    axis = 0 if len(shape) == 1 else 1
    t = some_ignored(rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :]), ignored)
    w = rng.uniform(0.5, 2, shape[axis]).astype(dtype) if weighted else None
    other = {} if ignored is None else {"ignore_index": ignored}
    compare_loss(
        nn.NLLLoss(weight=w, reduction=reduction, ignore_index=ignored),
        torch.nn.NLLLoss(weight=None if w is None else over(w), reduction=reduction, **other),
        numbers(seed, shape, dtype), t, dtype,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")  # what "mean" may become there
@both_dtypes
@given(
    seed=seeds,
    shape=st.sampled_from([(4, 3), (1, 2), (2, 3, 4)]),
    reduction=st.sampled_from(["mean", "sum", "none", "batchmean"]),
    logs=st.booleans(),
)
def test_divergence_of_kullback_and_leibler(dtype, seed, shape, reduction, logs):
    rng = np.random.default_rng(seed)
    t = rng.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype)
    t = np.log(t) if logs else np.where(t < 0.2, dtype(0), t)
    compare_loss(
        nn.KLDivLoss(reduction=reduction, log_target=logs),
        torch.nn.KLDivLoss(reduction=reduction, log_target=logs),
        numbers(seed, shape, dtype), t, dtype,
    )  # fmt: skip


# -- what is made of other layers ------------------------------------------------------------


class Combined(torch.nn.Module):
    """Residual, Concat and branches, as one writes them there."""

    def __init__(self):
        super().__init__()
        self.branches = torch.nn.ModuleList([torch.nn.Linear(3, 2), torch.nn.Linear(3, 3)])
        self.body = torch.nn.Linear(5, 5)

    def forward(self, x):
        h = torch.cat([self.branches[0](x), torch.tanh(self.branches[1](x))], dim=-1)
        return h + torch.relu(self.body(h))


@both_dtypes
@given(seed=seeds, batch=st.sampled_from([(), (4,), (2, 3)]))
def test_residual_and_concat(dtype, seed, batch):
    a, b, c = nn.Linear(3, 2, rng=seed), nn.Linear(3, 3, rng=seed), nn.Linear(5, 5, rng=seed)
    ours = nn.Sequential(nn.Concat(a, nn.Sequential(b, nn.Tanh())), nn.Residual([c, nn.ReLU()]))
    ours.astype(dtype)
    theirs = Combined().to(torch_kind(dtype))
    pairs = zip((a, b, c), (*theirs.branches, theirs.body), strict=True)
    for mine, other in pairs:
        carry(mine, other)
    x = numbers(seed, (*batch, 3), dtype)
    p, q = Tensor(x, requires_grad=True), over(x).requires_grad_()
    y, z = ours(p), theirs(q)
    close(y.data, z, dtype)
    y.backward(np.ones_like(y.data))
    z.backward(torch.ones_like(z))
    close(p.grad, q.grad, dtype)
    for mine, other in zip((a, b, c), (*theirs.branches, theirs.body), strict=True):
        close(mine.weight.grad, other.weight.grad, dtype)


# -- whole stacks, 20 steps ------------------------------------------------------------------

STACKS = {
    "sigmoid": lambda L, N: [L(4, 6), N.Sigmoid(), L(6, 3), N.Sigmoid()],
    "relu": lambda L, N: [L(4, 8), N.ReLU(), L(8, 8), N.Tanh(), L(8, 3)],
    "layer norm": lambda L, N: [L(4, 6), N.LayerNorm(6), N.ELU(), L(6, 3)],
    "batch norm": lambda L, N: [L(4, 6), N.BatchNorm1d(6), N.SiLU(), L(6, 3), N.LeakyReLU(0.1)],
    "embedding": lambda L, N: [N.Embedding(7, 3), N.Flatten(), L(12, 8), N.Tanh(), L(8, 3)],
    "softplus": lambda L, N: [N.Flatten(), L(4, 6), N.Softplus(), L(6, 3), N.GELU()],
}


@both_dtypes
@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize(
    "loss", ["MSELoss", "L1Loss", "HuberLoss", "CrossEntropyLoss", "BCEWithLogitsLoss"]
)
def test_twenty_steps(name, loss, dtype):
    ours = nn.Sequential(STACKS[name](nn.Linear, nn)).astype(dtype)
    theirs = torch.nn.Sequential(*STACKS[name](torch.nn.Linear, torch.nn)).to(torch_kind(dtype))
    for i, p in enumerate(ours.parameters()):
        p.data = numbers(i, p.shape, dtype, 0.5)
    carry(ours, theirs)
    rng = np.random.default_rng(3)
    a, b = optim.SGD(ours.parameters(), lr=0.05), torch.optim.SGD(theirs.parameters(), lr=0.05)
    f, g = getattr(nn, loss)(), getattr(torch.nn, loss)()
    if name == "sigmoid" and loss in {"CrossEntropyLoss", "BCEWithLogitsLoss"}:
        ours, theirs = ours[:-1], theirs[:-1]
    for _ in range(20):
        x = rng.normal(size=(8, 4)).astype(dtype)
        if name == "embedding":
            x = rng.integers(0, 7, (8, 4))
        t = (
            rng.integers(0, 3, 8)
            if loss == "CrossEntropyLoss"
            else rng.uniform(0, 1, (8, 3)).astype(dtype)
        )
        a.zero_grad()
        b.zero_grad()
        mine, other = f(ours(x), t), g(theirs(over(x)), over(t))
        mine.backward()
        other.backward()
        a.step()
        b.step()
        close(mine.data, other, dtype)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(mine.data, other, dtype)
