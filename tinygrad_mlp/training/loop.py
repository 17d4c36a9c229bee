"""fit: the training loop, with a progress bar.

This file knows in what order forward, backward and step happen. Everything that it does can be
done by hand with the public pieces: a `DataLoader`, a loss, ``backward()`` and an optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.autodiff import no_grad
from tinygrad_mlp.data import DataLoader
from tinygrad_mlp.nn import Module
from tinygrad_mlp.optim import Optimizer
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.training.history import History
from tinygrad_mlp.training.progress import Progress

__all__ = ["evaluate", "fit"]


def fit(
    model: Module,
    data: Any,
    *,
    loss: Callable[[Any, Any], Tensor],
    optimizer: Optimizer,
    epochs: int = 1,
    batch_size: int = 1,
    shuffle: bool = False,
    rng: np.random.Generator | int | None = None,
    validation: Any = None,
    progress: bool | None = None,
) -> History:
    """Train a model.

    Args:
        model: The model.
        data: ``(X, Y)``, or a `DataLoader`.
        loss: ``loss(prediction, target)`` gives one number.
        optimizer: Made with ``model.parameters()``.
        epochs: How often every sample is used.
        batch_size: Samples per step.
        shuffle: Whether to draw a new order for every epoch.
        rng: A generator or a seed for the orders.
        validation: ``(X, Y)`` to measure the loss on after every epoch.
        progress: Show a bar. By default only where somebody watches: in a terminal.

    Returns:
        The mean loss of every epoch, and ``val_loss`` with `validation`.

    >>> from tinygrad_mlp import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Linear(1, 1, init=nn.init.uniform(), rng=rng)
    >>> X = np.linspace(0, 1, 8).reshape(8, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.5)
    >>> fit(model, (X, 2 * X), loss=nn.MSELoss(), optimizer=optimizer, epochs=10)
    History(10 epochs: loss 0.01847 → 0.0001556)
    """
    loader = (
        data
        if isinstance(data, DataLoader)
        else DataLoader(data, batch_size=batch_size, shuffle=shuffle, rng=rng)
    )

    def step(x: Tensor, y: Tensor) -> Tensor:
        error = loss(model(x), y)
        optimizer.zero_grad()
        error.backward(keep_graph=False)
        optimizer.step()
        return error

    history = History()
    with Progress(epochs * len(loader), shown=progress) as bar:
        for _ in range(epochs):
            total = samples = 0.0
            for x, y in loader:
                error = step(x, y).item()
                total += error * len(x)
                samples += len(x)
                bar.advance(error)
            numbers = {"loss": total / samples}
            if validation is not None:
                numbers["val_loss"] = evaluate(model, validation, loss)
            history.append(**numbers)
            bar.epoch(numbers)
    return history


def evaluate(model: Module, data: Any, loss: Callable[[Any, Any], Tensor]) -> float:
    """The loss on ``(X, Y)`` in evaluation mode, without a graph."""
    X, Y = data
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            return float(loss(model(X), Y).item())
    finally:
        for module, mode in modes:
            module.training = mode
