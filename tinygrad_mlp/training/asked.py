"""What may be asked of a training, checked before it begins, and what to write instead.

This file knows the arguments of `fit` and `evaluate`, and how they are often written elsewhere.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn import Module

__all__ = ["check", "check_loss", "check_metric"]

LOSSES = {
    "mse": "MSELoss",
    "mean_squared_error": "MSELoss",
    "mae": "L1Loss",
    "l1": "L1Loss",
    "mean_absolute_error": "L1Loss",
    "huber": "HuberLoss",
    "bce": "BCEWithLogitsLoss",
    "binary_crossentropy": "BCEWithLogitsLoss",
    "binary_cross_entropy": "BCEWithLogitsLoss",
    "crossentropy": "CrossEntropyLoss",
    "cross_entropy": "CrossEntropyLoss",
    "categorical_crossentropy": "CrossEntropyLoss",
    "sparse_categorical_crossentropy": "CrossEntropyLoss",
}
"""Names of losses that other frameworks know, and the class that is meant."""

METRICS = {"accuracy": "accuracy", "acc": "accuracy", "r2": "r2"}
"""Names of metrics, and the function that is meant."""


def check(model: Any, wrong: tuple[Any, ...], loss: Any, optimizer: Any, validation: Any) -> None:
    """Raise for arguments of `fit` that it cannot use."""
    if isinstance(model, type):
        raise UsageError(
            f"fit() got the class {model.__name__} as its model",
            fix=f"Write model = {model.__name__}(…), and the optimiser with its parameters.",
        )
    if not isinstance(model, Module):
        raise UsageError(
            f"fit() got a {type(model).__name__} as its model",
            why="a model is a module, which has parameters",
            fix="Pass an nn.Module; nn.Sequential takes layers and plain functions.",
        )
    if wrong:
        raise UsageError(
            f"fit() got {len(wrong) + 2} arguments without a name",
            why="inputs and targets are passed together, and the rest by name",
            fix="Write fit(model, (X, Y), loss=…, optimizer=…).",
        )
    check_loss(loss)
    if not hasattr(optimizer, "groups"):
        given = getattr(optimizer, "__name__", None)  # of a class, which is not yet an optimiser
        raise UsageError(
            f"fit() got {optimizer!r} as its optimizer",
            why="an optimiser is made with the parameters that it shall move",
            fix=f"Write optimizer=optim.{given or 'SGD'}(model.parameters(), lr=0.1).",
        )
    if isinstance(validation, int | float):
        share = validation if 0 < validation < 1 else 0.2
        raise UsageError(
            f"fit() got validation={validation!r}",
            why="it is data to measure on, and fit() sets none aside",
            fix=f"Write (X, Y), (Xv, Yv) = data.split(X, Y, validation={share}, rng=0), then "
            "fit(model, (X, Y), validation=(Xv, Yv), …).",
        )


def check_loss(loss: Any) -> None:
    """Raise for a loss that cannot be called with a prediction and a target."""
    if isinstance(loss, type):
        raise UsageError(f"the loss is the class {loss.__name__}", fix=f"Write {loss.__name__}().")
    if callable(loss):
        return
    name = LOSSES.get(loss.lower().strip(), "MSELoss") if isinstance(loss, str) else "MSELoss"
    raise UsageError(
        f"the loss is {f'the text {loss!r}' if isinstance(loss, str) else _a(loss)}",
        why="a loss is called with a prediction and a target",
        fix=f"Pass nn.{name}().",
    )


def check_metric(metric: Any) -> None:
    """Raise for a metric that cannot be called."""
    if callable(metric):
        return
    text = isinstance(metric, str)
    name = METRICS.get(metric.lower().strip(), "accuracy") if text else "accuracy"
    raise UsageError(
        f"a metric is {f'the text {metric!r}' if text else _a(metric)}",
        why="a metric is a function of predictions and targets, as arrays",
        fix=f"Write metrics=[training.{name}].",
    )


def _a(value: Any) -> str:
    return f"of type {type(value).__name__}"
