"""Using a model: predictions and what they are worth, without a graph and in evaluation mode.

This file knows the two modes of a model, and puts them back as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import no_grad
from tinygrad_mlp.data import ArrayDataset, DataLoader
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.functional.comparing import of_data
from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["Metrics", "compared", "evaluate", "in_use", "named_metrics", "predict"]

Metric: TypeAlias = Callable[[Array, Array], float]
Metrics: TypeAlias = Mapping[str, Metric] | Iterable[Metric]
"""Functions (prediction, target) -> number, with names or called by their own."""


@contextmanager
def in_use(model: Module) -> Iterator[None]:
    """Evaluation mode and no graph, for a block."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def predict(model: Module, *inputs: Any, batch_size: int = 4096) -> Array:
    """What the model gives for `inputs`, as an array.

    Args:
        model: The model.
        *inputs: (samples, ...) each.
        batch_size: How many samples to run at once.

    >>> from tinygrad_mlp import nn
    >>> predict(nn.Linear(2, 1), np.zeros((3, 2))).shape
    (3, 1)
    """
    arrays = parts_of(inputs)
    starts = range(0, max(len(arrays[0]), 1), batch_size)
    with in_use(model):
        parts = [model(*(a[i : i + batch_size] for a in arrays)) for i in starts]
    arrays_out = [part.data if isinstance(part, Tensor) else np.asarray(part) for part in parts]
    return arrays_out[0] if len(arrays_out) == 1 else np.concatenate(arrays_out)


def evaluate(
    model: Module, data: Any, loss: Callable[[Any, Any], Any], metrics: Metrics = ()
) -> dict[str, float]:
    """The loss and the metrics on data that the model is not trained on.

    Args:
        model: The model; it runs in evaluation mode.
        data: ``(X, Y)``: inputs, and the targets last; or an `ArrayDataset`, or its loader.
        loss: ``loss(prediction, target)``.
        metrics: Functions of arrays (prediction, target), such as `accuracy`.

    Returns:
        ``{"loss": …, "accuracy": …}``.

    >>> from tinygrad_mlp import nn
    >>> from tinygrad_mlp.training import r2
    >>> X = np.array([[1.0], [2.0]])
    >>> evaluate(nn.Identity(), (X, X), nn.MSELoss(), [r2])
    {'loss': 0.0, 'r2': 1.0}
    """
    *inputs, target = parts_of(data)
    prediction = predict(model, *inputs)
    with no_grad():
        error = compared(loss, Tensor(prediction, copy=False), target)
    found = {"loss": float(error.item())}
    for name, metric in named_metrics(metrics).items():
        found[name] = float(metric(prediction, target))
    return found


def compared(loss: Callable[[Any, Any], Any], prediction: Any, target: Any, name: str = "Y") -> Any:
    """The loss of a batch; where shapes differ, the error says what to do with all the data."""
    try:
        return loss(prediction, target)
    except ShapeError as error:
        raise of_data(error, name).with_traceback(error.__traceback__) from None


def parts_of(data: Any) -> tuple[Array, ...]:
    """The arrays of a data set, however it was given."""
    if isinstance(data, DataLoader):
        data = data.dataset
    return data.arrays if isinstance(data, ArrayDataset) else ArrayDataset(*data).arrays


def named_metrics(metrics: Metrics) -> dict[str, Metric]:
    """Metrics by name; without one, by the name of the function."""
    if isinstance(metrics, Mapping):
        return dict(metrics)
    return {getattr(metric, "__name__", repr(metric)): metric for metric in metrics}
