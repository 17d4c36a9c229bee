"""Using a model: predictions and what they are worth, without a graph and in evaluation mode.

This file knows how a model is run over a whole set of data, part by part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.data import ArrayDataset, DataLoader
from tinygrad_mlp.errors import DataError, ShapeError, UsageError
from tinygrad_mlp.functional.comparing import of_data
from tinygrad_mlp.nn import Module
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.training.asked import check_loss, check_metric

__all__ = ["Metrics", "compared", "evaluate", "named_metrics", "predict", "with_target"]

Metric: TypeAlias = Callable[[Array, Array], float]
Metrics: TypeAlias = Mapping[str, Metric] | Iterable[Metric]
"""Functions (prediction, target) -> number, with names or called by their own."""


AT_ONCE = 4096
"""How many samples a model is run on at once, unless somebody says otherwise."""


def predict(model: Module, *inputs: Any, batch_size: int = AT_ONCE) -> Array:
    """What the model gives for `inputs`, as an array.

    Args:
        model: The model.
        *inputs: (samples, ...) each.
        batch_size: How many samples to run at once.

    >>> from tinygrad_mlp import nn
    >>> predict(nn.Linear(2, 1), np.zeros((3, 2))).shape
    (3, 1)
    """
    arrays = ArrayDataset(*inputs).arrays
    starts = range(0, max(len(arrays[0]), 1), batch_size)
    with model.evaluating():
        return _joined([model(*(a[i : i + batch_size] for a in arrays)) for i in starts])


def _joined(parts: list[Any]) -> Array:
    """Outputs of several batches as one array."""
    arrays = [part.data if isinstance(part, Tensor) else np.asarray(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def evaluate(
    model: Module, data: Any, loss: Callable[[Any, Any], Any], metrics: Metrics = ()
) -> dict[str, float]:
    """The loss and the metrics on data that the model is not trained on.

    Args:
        model: The model; it runs in evaluation mode.
        data: What `fit` takes: ``(X, Y)``, with the targets last; a data set, samples, or a
            `DataLoader` of them, whose samples are all used once, in their own order.
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
    check_loss(loss)
    loader = data if isinstance(data, DataLoader) else DataLoader(data, AT_ONCE)
    predictions, targets = [], []
    with model.evaluating():
        for batch in loader.in_order(AT_ONCE):
            *inputs, target = with_target(batch)
            predictions.append(model(*inputs))
            targets.append(target)
        prediction, wanted = _joined(predictions), _joined(targets)
        error = compared(loss, Tensor(prediction, copy=False), Tensor(wanted, copy=False))
    found = {"loss": float(error.item())}
    for name, metric in named_metrics(metrics).items():
        found[name] = float(metric(prediction, wanted))
    return found


def compared(loss: Callable[[Any, Any], Any], prediction: Any, target: Any, name: str = "Y") -> Any:
    """The loss of a batch; where shapes differ, the error says what to do with all the data."""
    try:
        return loss(prediction, target)
    except ShapeError as error:
        raise of_data(error, name).with_traceback(error.__traceback__) from None


def with_target(batch: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parts of a batch, of which the last is the target."""
    if len(batch) < 2:
        raise DataError(
            "a sample has one part, and no target", fix="Pass (X, Y), with the targets last."
        )
    return batch


def named_metrics(metrics: Metrics) -> dict[str, Metric]:
    """Metrics by name; without one, by the name of the function."""
    given: Any = metrics
    if callable(given):
        name = getattr(given, "__name__", "metric")
        raise UsageError(f"metrics is {name} itself", fix=f"Write metrics=[{name}], in a list.")
    if isinstance(given, str) or not isinstance(given, Iterable):
        check_metric(given)
    for metric in metrics.values() if isinstance(metrics, Mapping) else metrics:
        check_metric(metric)
    if isinstance(metrics, Mapping):
        return dict(metrics)
    return {getattr(metric, "__name__", repr(metric)): metric for metric in metrics}
