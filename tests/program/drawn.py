"""Training steps for hypothesis to draw: stacks of layers, losses, optimisers, clipping."""

import dataclasses
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

ACTIVATIONS = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "leaky": nn.LeakyReLU,
    "elu": nn.ELU,
    "softmax": nn.Softmax,
    "log_softmax": nn.LogSoftmax,
}
BETWEEN = {
    "nothing": None,
    "layer_norm": nn.LayerNorm,
    "batch_norm": nn.BatchNorm1d,
    "dropout": lambda width: nn.Dropout(0.4, rng=width),
    "residual": lambda width: nn.Residual(nn.Linear(width, width, rng=width)),
    "identity": lambda width: nn.Identity(),
}


class Momentum(optim.Optimizer):
    """A user's own optimiser: the momentum of SEEDS D."""

    def __init__(self, params, N=0.1, M=0.05):
        super().__init__(params, N=N, M=M)

    def init(self, p, group):  # noqa: ARG002
        return {"previous": np.zeros_like(p)}

    def update(self, p, g, state, group):
        change = optim.hyper(group, "N") * g + optim.hyper(group, "M") * state["previous"]
        return p - change, {"previous": g}


OPTIMISERS = {
    "sgd": lambda ps: optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: optim.SGD(ps, lr=0.05, momentum=0.9, dampening=0.1, weight_decay=1e-3),
    "nesterov": lambda ps: optim.SGD(ps, lr=0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda ps: optim.RMSprop(ps, lr=0.01, momentum=0.5, centered=True),
    "adam": lambda ps: optim.Adam(ps, lr=0.01, weight_decay=1e-3),
    "amsgrad": lambda ps: optim.Adam(ps, lr=0.01, amsgrad=True),
    "adamw": lambda ps: optim.AdamW(ps, lr=0.01),
    "users_own": Momentum,
}
PENALTIES = {
    "l1": lambda p: 0.01 * np.abs(p).sum(),
    "l2": lambda p: 0.01 * (p * p).sum(),
    "mean": lambda p: (p**2).mean(),
    "tanh": lambda p: np.tanh(p).mean(),
    "root": lambda p: np.sqrt(1.0 + p * p).mean(),
    "largest": lambda p: 0.01 * p.max(),
}
RETURNED = {
    "old": lambda p, y: p * 1.0,
    "transposed": lambda p, y: p.T,
    "entry": lambda p, y: p.reshape(-1)[0],
    "single": lambda p, y: p.sum(keepdims=True).reshape(()),
    "output": lambda p, y: y,
    "row": lambda p, y: y[0],
    "turned": lambda p, y: np.flip(y),
    "product": lambda p, y: (y * 0.1 + 1.0).prod(),
    "greatest": lambda p, y: y.max(),
}
LOSSES = ("mse", "mse_sum", "l1", "huber", "bce", "logits", "cross_entropy")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a training step is made of; every `cook` makes the same one anew."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    between: tuple[str, ...]
    bias: bool
    loss: str
    optimiser: str
    clip: str
    batch: int
    dtype: str
    penalty: str = ""
    returned: tuple[str, ...] = ()

    def cook(self):
        return Dish(self)


class Dish:
    def __init__(self, recipe):
        self.recipe, layers = recipe, []
        dtype = np.dtype(recipe.dtype)
        for i, (before, after) in enumerate(zip(recipe.widths, recipe.widths[1:], strict=False)):
            # A bias in front of a batch norm has no gradient but rounding errors, which adaptive
            # methods blow up to steps of full size: nothing that two orders of sums agree on.
            bias = recipe.bias and recipe.between[i : i + 1] != ("batch_norm",)
            layers.append(nn.Linear(before, after, bias, rng=i))
            if i < len(recipe.widths) - 2:
                make = BETWEEN[recipe.between[i]]
                layers += [make(after)] if make else []
                layers.append(ACTIVATIONS[recipe.activations[i]]())
        if recipe.loss == "bce":
            layers.append(nn.Sigmoid())
        self.model = nn.Sequential(*layers).astype(dtype)
        self.loss_fn: Callable = {
            "mse": nn.MSELoss(),
            "mse_sum": nn.MSELoss(reduction="sum"),
            "l1": nn.L1Loss(),
            "huber": nn.HuberLoss(delta=0.3),
            "bce": nn.BCELoss(),
            "logits": nn.BCEWithLogitsLoss(),
            "cross_entropy": nn.CrossEntropyLoss(),
        }[recipe.loss]
        self.optimizer = OPTIMISERS[recipe.optimiser](self.model.parameters())

    def step(self, x, y):
        recipe, parameters = self.recipe, list(self.model.parameters())
        output = self.model(x)
        loss = self.loss_fn(output, y)
        if recipe.penalty:
            loss = loss + sum(PENALTIES[recipe.penalty](p) for p in parameters)
        more = [
            RETURNED[name](parameters[-1 - i % len(parameters)], output)
            for i, name in enumerate(recipe.returned)
        ]
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.clip == "norm":
            optim.clip_grad_norm_(self.model.parameters(), 0.5)
        elif self.recipe.clip == "value":
            optim.clip_grad_value_(self.model.parameters(), 0.1)
        self.optimizer.step()
        return (loss, *more) if more else loss

    def eager(self, x, y):
        return self.step(tg.Tensor(x), tg.Tensor(y))

    def batches(self, count):
        rng, recipe = np.random.default_rng(7), self.recipe
        for _ in range(count):
            x = rng.uniform(-1, 1, (recipe.batch, recipe.widths[0])).astype(recipe.dtype)
            if recipe.loss == "cross_entropy":
                y = rng.integers(0, recipe.widths[-1], recipe.batch)
            else:
                y = rng.uniform(0, 1, (recipe.batch, recipe.widths[-1])).astype(recipe.dtype)
            yield x, y

    def state(self):
        yield from (t.data for _, t in self.model.named_state())
        yield from (p.grad for p in self.model.parameters())
        for group in self.optimizer.groups:
            for state in group.state:
                yield from (t.data for t in state.values())


@st.composite
def recipes(
    draw,
    dtypes=("float64",),
    optimisers=tuple(OPTIMISERS),
    between=tuple(BETWEEN),
    more=False,
):
    """Draw a recipe; with `more`, steps with penalties that return several things.

    Normalised over two numbers, everything is ±1 and its gradient nothing but rounding errors,
    which adaptive methods blow up; so widths and the batches of a batch norm begin at 3.
    """
    widths = draw(st.lists(st.integers(3, 6), min_size=2, max_size=4))
    inner = len(widths) - 2
    kinds = tuple(draw(st.sampled_from(between)) for _ in range(inner))
    return Recipe(
        tuple(widths),
        tuple(draw(st.sampled_from(list(ACTIVATIONS))) for _ in range(inner)),
        kinds,
        draw(st.booleans()),
        draw(st.sampled_from(LOSSES)),
        draw(st.sampled_from(optimisers)),
        draw(st.sampled_from(("", "norm", "value"))),
        draw(st.integers(3 if "batch_norm" in kinds else 1, 5)),
        draw(st.sampled_from(dtypes)),
        draw(st.sampled_from(("", *PENALTIES))) if more else "",
        tuple(draw(st.lists(st.sampled_from(list(RETURNED)), max_size=3))) if more else (),
    )
