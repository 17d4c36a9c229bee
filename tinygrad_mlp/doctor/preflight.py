"""``preflight``: what will go wrong in training, before it does.

This file knows in which order a training step is tried: data, forward, loss, gradients, update;
and that trying leaves no trace. What is looked for at each stop is in `checks` (how the parts
fit together) and `numbers` (what the numbers say).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp.autodiff import enable_grad
from tinygrad_mlp.doctor import checks, numbers
from tinygrad_mlp.doctor.report import CODES, Finding, Report
from tinygrad_mlp.doctor.trial import Trial
from tinygrad_mlp.errors import DataError, IndexingError, ShapeError, UsageError
from tinygrad_mlp.functional.comparing import of_data
from tinygrad_mlp.graph import title
from tinygrad_mlp.nn import Module
from tinygrad_mlp.nn.watching import listening
from tinygrad_mlp.origin import place
from tinygrad_mlp.tensor import Tensor

__all__ = ["preflight"]


def preflight(
    model: Any,
    x: Any,
    y: Any,
    loss: Any,
    optimizer: Any = None,
    *,
    ignore: tuple[str, ...] = (),
) -> Report:
    """Try one training step, and say what will go wrong in training.

    Nothing is changed: parameters, gradients, buffers and generators are as they were.

    Args:
        model: The model, in the mode in which it will be trained.
        x: The inputs, one sample per row; a tuple for a model of several inputs.
        y: The targets.
        loss: ``loss(prediction, target)``.
        optimizer: The optimiser, or a list of them; without one its checks are left out.
        ignore: Codes of findings to silence; see ``tinygrad_mlp.doctor.CODES``.

    Returns:
        The findings, as a sequence that prints, with ``.codes``, ``.ok`` and ``.notes``.

    Raises:
        UsageError: If a code to ignore does not exist, or the arguments are in a wrong order.

    >>> import numpy as np
    >>> from tinygrad_mlp import nn, optim
    >>> model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))
    >>> x, y = np.eye(2), np.array([0.5, 1.5])
    >>> preflight(model, x, y, nn.MSELoss(), optim.SGD(model.parameters())).codes
    ('loss-shape',)
    >>> preflight(model, x, y[:, None], nn.MSELoss(), optim.SGD(model.parameters()))
    nothing is wrong
    """
    if not isinstance(model, Module) or not callable(loss):
        raise UsageError(
            f"preflight() of {type(model).__name__}",
            fix="Write preflight(model, x, y, loss, optimizer).",
        )
    unknown = set(ignore) - CODES.keys()
    if unknown:
        raise UsageError(f"there is no code {min(unknown)!r}", fix=f"There are {', '.join(CODES)}.")
    optimizers = optimizer if isinstance(optimizer, list | tuple) else [optimizer]
    trial = Trial(model, x, y, loss, [o for o in optimizers if o is not None])
    with untouched(model), enable_grad(), np.errstate(all="ignore"):
        found = [item for item in _all(trial) if item.code not in ignore]
    return Report(found)


def _all(trial: Trial) -> Iterator[Finding]:
    """Every finding, in the order of a training step."""
    stops = list(checks.data(trial))
    yield from stops
    yield from checks.parameters(trial)
    yield from checks.optimisers(trial)
    yield from checks.modes(trial)
    yield from numbers.inputs(trial)
    if any(item.code == "samples" for item in stops):
        return
    refusal = _forward(trial)
    if refusal is not None:
        yield refusal
        return
    yield from checks.targets(trial)
    yield from numbers.units(trial)
    refusal = _loss(trial)
    if refusal is not None:
        yield refusal
        return
    yield from checks.loss(trial)
    if trial.value is None or trial.value.size != 1:
        return
    yield from checks.paths(trial)
    if trial.value.requires_grad:
        yield from numbers.gradients(trial)


def _forward(trial: Trial) -> Finding | None:
    """Call the model; a refusal becomes a finding."""
    try:
        with listening(trial.model, lambda _, __, made: trial.heard.append(made)):
            trial.out = trial.model(*trial.inputs)
    except Exception as error:  # noqa: BLE001 - whatever a user's model raises
        code = "shapes" if isinstance(error, ShapeError | DataError) else "forward"
        return Finding(code, "error", f"{type(trial.model).__name__} refuses the data: {error}")
    if isinstance(trial.out, Tensor):
        return None
    return Finding(
        "forward", "error", f"the model gives a {type(trial.out).__name__}, not a tensor",
        fix="Return a tensor from forward().",
    )  # fmt: skip


def _loss(trial: Trial) -> Finding | None:
    """Compute the loss; a refusal becomes a finding."""
    try:
        trial.value = trial.loss(trial.out, trial.target)
    except ShapeError as error:
        return Finding("loss-shape", "error", str(of_data(error, "y")))
    except (IndexingError, IndexError) as error:
        return Finding("target-range", "error", str(error))
    except Exception as error:  # noqa: BLE001 - whatever a user's loss raises
        code = "squashed-twice" if "squashed" in str(error) else "loss"
        return Finding(code, "error", f"the loss refuses: {error}")
    if isinstance(trial.value, Tensor):
        trial.look()
        if trial.value.size == 1:
            return None
        return Finding(
            "loss-not-scalar",
            "error",
            f"{title(trial.value) or 'the loss'} has shape {trial.value.shape}",
            where=str(place(trial.value.site) or ""),
            why="only one number can be made smaller",
            fix='Use reduction="mean", or .mean().',
        )
    return Finding(
        "loss", "error", f"the loss is a {type(trial.value).__name__}, not a tensor",
        why="a number remembers nothing", fix="Return the tensor, without .item().",
    )  # fmt: skip


@contextmanager
def untouched(model: Module) -> Iterator[None]:
    """Put back whatever a forward pass changes: buffers, and the state of generators."""
    held = [(item, item.data) for _, item in model.named_state()]
    generators = [
        (value, value.bit_generator.state)
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, np.random.Generator)
    ]
    try:
        yield
    finally:
        for item, array in held:
            if item.data is not array:
                item.data = array
        for generator, state in generators:
            generator.bit_generator.state = state
