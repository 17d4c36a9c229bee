"""Planted faults: a training step that is right, and ways to spoil it, alone or several at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp import Tensor, nn, optim
from tinygrad_mlp import functional as F
from tinygrad_mlp.ops import Op

WRONG = Op("wrong_rule", lambda x: x * 1.5, lambda g, y, x: g * 3.0, listed=False)


@dataclass
class Step:
    """A step under construction; as it is made, nothing is wrong with it."""

    x: Any = field(default_factory=lambda: np.random.default_rng(0).normal(size=(32, 3)))
    y: Any = field(default_factory=lambda: np.random.default_rng(1).uniform(0, 1, (32, 1)))
    first: Any = field(default_factory=lambda: nn.Linear(3, 8, rng=0))
    last: Any = field(default_factory=lambda: nn.Linear(8, 1, rng=1))
    activation: Any = field(default_factory=nn.Tanh)
    middle: list[Any] = field(default_factory=list)
    end: list[Any] = field(default_factory=list)
    loss: Any = field(default_factory=nn.MSELoss)
    late: list[Callable[[Step], None]] = field(default_factory=list)
    lr: float = 0.05
    model: Any = None
    optimizer: Any = None

    def build(self) -> tuple[Any, Any, Any, Any, Any]:
        """The arguments of `preflight`."""
        self.model = nn.Sequential(self.first, self.activation, *self.middle, self.last, *self.end)
        self.optimizer = optim.SGD(self.model.parameters(), lr=self.lr)
        for change in self.late:
            change(self)
        return self.model, self.x, self.y, self.loss, self.optimizer


@dataclass(frozen=True)
class Fault:
    """A way to spoil a step.

    Attributes:
        code: What `preflight` calls it.
        plant: Spoils a step.
        seen: At which stop it is seen: 0 wiring, 1 forward, 2 loss, 3 gradients.
        stops: At which stop `preflight` can go no further because of it; 9 for none.
    """

    code: str
    plant: Callable[[Step], None]
    seen: int
    stops: int = 9


def _set(**values: Any) -> Callable[[Step], None]:
    def plant(step: Step) -> None:
        for name, value in values.items():
            setattr(step, name, value)

    return plant


def _late(change: Callable[[Step], None]) -> Callable[[Step], None]:
    return lambda step: step.late.append(change)


def _between(function: Callable[[Any], Any]) -> Callable[[Step], None]:
    return lambda step: step.middle.append(function)


def _nan(step: Step) -> None:
    step.x[3, 1] = np.nan


def _equal(step: Step) -> None:
    step.first.weight.data = np.full((8, 3), 0.1)
    step.first.bias.data = np.zeros(8)


def _dead(step: Step) -> None:
    step.activation = nn.ReLU()
    step.first.bias.data = np.full(8, -99.0)


def _some_dead(step: Step) -> None:
    step.activation = nn.ReLU()
    step.first.bias.data = np.array([-99.0] * 7 + [1.0])


def _part(step: Step) -> None:
    step.optimizer = optim.SGD(list(step.model.parameters())[:2], lr=step.lr)


def _stranger(step: Step) -> None:
    mine = list(step.model.parameters())
    step.optimizer = optim.SGD([*mine, Tensor(1.0, requires_grad=True)], lr=step.lr)


def _scaled(step: Step) -> None:
    scale = Tensor(1.25, requires_grad=True, name="scale")
    step.middle.append(lambda h: h * scale)


def _extra(step: Step) -> None:
    step.late.append(lambda s: setattr(s.model, "extra", nn.Linear(2, 2)))
    step.late.append(lambda s: setattr(s, "optimizer", optim.SGD(s.model.parameters(), lr=s.lr)))


def _dropout(step: Step) -> None:
    step.middle.append(nn.Dropout(0.1, rng=0).eval())


def _flat_targets(step: Step) -> None:
    step.y = np.asarray(step.y).reshape(-1)


def _broadcasting(step: Step) -> None:
    _flat_targets(step)
    step.loss = lambda p, t: ((p - t) ** 2).mean()


def _sigmoid_end(step: Step) -> None:
    step.end.append(nn.Sigmoid())
    step.y = step.y * 5


def _probabilities(step: Step) -> None:
    step.loss = nn.BCELoss()


def _twice(step: Step) -> None:
    step.last = nn.Linear(8, 3, rng=1)
    step.end.append(nn.Softmax())
    step.y = np.arange(32) % 3
    step.loss = unguarded


def unguarded(p: Any, t: Any) -> Any:
    """The function, which does not look where its logits come from."""
    return F.cross_entropy(p, Tensor(t))


def _one_class(step: Step) -> None:
    step.y = np.zeros(32, int)
    step.loss = nn.CrossEntropyLoss()


def _classes(step: Step) -> None:
    step.last = nn.Linear(8, 3, rng=1)
    step.y = np.arange(32) % 4
    step.loss = nn.CrossEntropyLoss()


def _negative_rate(step: Step) -> None:
    step.optimizer.lr = -0.1  # an optimiser cannot be made with it


FAULTS: dict[str, Fault] = {
    "too few targets": Fault("samples", lambda s: setattr(s, "y", s.y[:-1]), 0, 1),
    "nan in the data": Fault("data-not-finite", _nan, 0, 3),
    "another precision": Fault("dtypes", lambda s: setattr(s, "x", s.x.astype(np.float32)), 0),
    "half an optimiser": Fault("not-optimised", _late(_part), 0),
    "a stranger in the optimiser": Fault("foreign", _late(_stranger), 0),
    "a negative rate": Fault("learning-rate", _late(_negative_rate), 0),
    "all frozen": Fault("no-parameters", _late(lambda s: s.model.requires_grad_(False)), 0, 1),
    "dropout in evaluation mode": Fault("eval-mode", _dropout, 0),
    "widths that do not meet": Fault("shapes", _set(first=nn.Linear(4, 8, rng=0)), 1, 1),
    "a model that fails": Fault("forward", _between(lambda h: h.no_such_method()), 1, 1),
    "a dead layer": Fault("dead-layer", _dead, 1),
    "many dead units": Fault("dead-units", _some_dead, 1),
    "targets out of reach": Fault("target-range", _sigmoid_end, 1),
    "probabilities that are none": Fault("prediction-range", _probabilities, 1, 2),
    "one class": Fault("one-class", _one_class, 1),
    "a class too many": Fault("target-range", _classes, 1, 2),
    "flat targets": Fault("loss-shape", _flat_targets, 2, 2),
    "a loss of pairs": Fault("loss-broadcasts", _broadcasting, 2),
    "a loss that is no number": Fault(
        "loss-not-scalar", _set(loss=nn.MSELoss(reduction="none")), 2, 2
    ),
    "a loss that leaves the graph": Fault(
        "loss", _set(loss=lambda p, t: nn.MSELoss()(p, t).item()), 2, 2
    ),
    "an infinite loss": Fault(
        "loss-not-finite", _set(loss=lambda p, t: np.log((p * 0.0).sum())), 2, 3
    ),
    "softmax twice": Fault("squashed-twice", _twice, 2),
    "an unused layer": Fault("unused", _extra, 2),
    "a tensor outside the model": Fault("unregistered", _scaled, 2),
    "a detached layer": Fault("cut", _between(lambda h: h.detach()), 2),
    "equal weights": Fault("equal-weights", _equal, 3),
    "multiplied by 0": Fault("zero-gradient", _between(lambda h: h * 0.0), 3),
    "a wrong rule": Fault("wrong-gradient", _between(WRONG), 3),
    "a vanishing gradient": Fault("vanishing", _between(lambda h: 1 + h * 1e-9), 3),
    "an infinite slope": Fault(
        "gradient-not-finite", _between(lambda h: np.sqrt(abs(h) * 0.0)), 3, 3
    ),
    "a giant step": Fault("learning-rate", _set(lr=1e6), 3),
}

HIDES: dict[str, tuple[str, ...]] = {
    # Units that are 0, cut off or NaN have no gradient of which more could be said.
    "nan in the data": ("equal weights", "a dead layer", "many dead units"),
    "a dead layer": ("equal weights", "a vanishing gradient", "probabilities that are none"),
    "many dead units": ("equal weights",),
    "a detached layer": (
        "equal weights",
        "a vanishing gradient",
        "multiplied by 0",
        "an infinite slope",
        "a wrong rule",
        "a tensor outside the model",
    ),
    "multiplied by 0": ("equal weights", "a vanishing gradient", "probabilities that are none"),
    # Without spread in what comes in, the model gives what its last bias says: a probability.
    "a vanishing gradient": ("probabilities that are none",),
    "an infinite slope": ("probabilities that are none",),
    # A sigmoid gives probabilities, and a bounded loss cannot blow up.
    "targets out of reach": ("probabilities that are none", "a giant step"),
    "softmax twice": ("a giant step",),
    "half an optimiser": ("a giant step",),  # its tanh bounds what the first layer does
    # A loss that is always 0 has no gradient, and a wrong one leads nowhere in particular.
    "one class": ("a giant step", "a vanishing gradient"),
    "a wrong rule": ("a giant step",),
    # What can be reached is known of the shipped losses only.
    "a loss that leaves the graph": ("targets out of reach",),
    "an infinite loss": ("targets out of reach",),
}
"""For each fault, those that cannot be seen while it is there, for a reason of mathematics."""
