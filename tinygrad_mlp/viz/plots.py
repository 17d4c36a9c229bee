"""Training pictures with matplotlib: loss curves, decision boundaries, histograms, gradients.

This file knows matplotlib and imports it when a plot is drawn, never before. Every function
takes ``ax=None``, returns the Axes, sets no global style and never calls ``show()``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import no_grad
from tinygrad_mlp.errors import MissingExtraError, ShapeError, UsageError, install
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.viz.choice import check_choice

__all__ = [
    "GradientNorms",
    "activations",
    "decision_boundary",
    "gradient_norms",
    "histograms",
    "loss_curves",
]


def _axes(ax: Any) -> Any:
    """The Axes to draw into: the caller's, or new ones on a figure of their own."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "plots are drawn by matplotlib, which is not installed",
            fix=f"{install('plot')}. A History shows its curve without it.",
        ) from None
    import matplotlib as mpl

    if mpl.get_backend().lower() == "agg":
        return Figure(layout="constrained").subplots()
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def loss_curves(history: Any, *, ax: Any = None, log: bool | None = None) -> Any:
    """The loss of every epoch, of training and of validation.

    Args:
        history: A `History`, or any mapping of names to numbers per epoch.
        ax: Where to draw.
        log: Whether the scale is logarithmic; by default if the numbers span a factor of 50.

    Returns:
        The Axes.
    """
    ax = _axes(ax)
    columns: Mapping[str, Sequence[float]] = {name: history[name] for name in history}
    losses = {name: column for name, column in columns.items() if "loss" in name} or columns
    styles = ("-", "--", ":", "-.")
    for k, (name, column) in enumerate(losses.items()):
        ax.plot(range(1, len(column) + 1), column, styles[k % 4], label=name)
    values = [v for column in losses.values() for v in column if np.isfinite(v)]
    wide = bool(values) and min(values) > 0 and max(values) > 50 * min(values)
    if log or (log is None and wide):
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="loss")
    if len(losses) > 1:
        ax.legend()
    return ax


def decision_boundary(
    model: Any,
    X: Array,
    y: Array | None = None,
    *,
    grid_resolution: int = 100,
    eps: float = 0.5,
    threshold: float | None = 0.5,
    ax: Any = None,
    **kwargs: Any,
) -> Any:
    """What a model says of every point of the plane, with the points it learned from.

    The arguments are those of scikit-learn's `DecisionBoundaryDisplay.from_estimator`.

    Args:
        model: Called with (points, 2) it gives (points, 1), or (points, classes).
        X: The points, (samples, 2): they give the range.
        y: Their classes, which colour them.
        grid_resolution: How many points are asked along each axis.
        eps: How far the picture reaches beyond the points.
        threshold: Where one output changes its class; None draws the output itself.
        ax: Where to draw.
        kwargs: Passed on to ``contourf``.

    Returns:
        The Axes.

    Raises:
        ShapeError: If the points do not have two numbers each.
    """
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ShapeError(
            f"a decision boundary of points of shape {X.shape}",
            why="a plane has two axes",
            fix="Choose two columns: X[:, :2], with a model that takes two numbers.",
        )
    ax = _axes(ax)
    (x0, y0), (x1, y1) = X.min(axis=0) - eps, X.max(axis=0) + eps
    across, up = np.meshgrid(
        np.linspace(x0, x1, grid_resolution), np.linspace(y0, y1, grid_resolution)
    )
    with no_grad():
        points = np.c_[across.ravel(), up.ravel()]
        answer = model(points)
    out = np.asarray(answer.data if isinstance(answer, Tensor) else answer).reshape(len(points), -1)
    answers = out.argmax(axis=1) if out.shape[1] > 1 else out[:, 0]
    if out.shape[1] == 1 and threshold is not None:
        answers = (answers > threshold).astype(float)
    style: dict[str, Any] = {"alpha": 0.35, "cmap": "coolwarm", **kwargs}
    ax.contourf(across, up, answers.reshape(across.shape), **style)
    if y is not None:
        ax.scatter(X[:, 0], X[:, 1], c=np.asarray(y).ravel(), cmap=style["cmap"],
                   edgecolors="k", linewidths=0.5, s=18)  # fmt: skip
    return ax


Quantity: TypeAlias = Literal["weights", "gradients"]


def histograms(model: Any, *, of: Quantity = "weights", bins: int = 40, ax: Any = None) -> Any:
    """How the weights of every layer are spread, or their gradients.

    Raises:
        UsageError: If gradients are asked for before `backward` has run.
    """
    check_choice("of", of, Quantity)
    arrays = {}
    for name, parameter in model.named_parameters():
        array = parameter.data if of == "weights" else parameter.grad
        if array is not None:
            arrays[name] = np.asarray(array).ravel()
    if not arrays:
        raise UsageError("no gradient is computed yet", fix="Call loss.backward() first.")
    return _spread(arrays, bins, ax, of)


def activations(model: Any, X: Any, *, bins: int = 40, ax: Any = None) -> Any:
    """How the outputs of every innermost module are spread for the input `X`.

    A sigmoid whose outputs pile up at 0 and 1, or a relu that gives only 0, has stopped learning.
    """
    from tinygrad_mlp.graph import ancestors, module_path

    last: dict[int, tuple[str, Array]] = {}
    for node in ancestors(model(X), through_constants=True):
        if node.op is not None and node.scope is not None:
            title = f"{module_path(node.scope)} {type(node.scope[1]).__name__}".strip()
            last[id(node.scope)] = title, node.data
    return _spread({title: array.ravel() for title, array in last.values()}, bins, ax, "activation")


def _spread(arrays: Mapping[str, Array], bins: int, ax: Any, xlabel: str) -> Any:
    """One outline per array, all as shares of their own size, over the same bins."""
    ax = _axes(ax)
    everything = np.concatenate([a[np.isfinite(a)] for a in arrays.values()])
    edges = np.histogram_bin_edges(everything, bins) if everything.size else bins
    for name, array in arrays.items():
        finite = array[np.isfinite(array)]
        share = np.full(finite.shape, 1 / max(array.size, 1))
        ax.hist(finite, bins=edges, weights=share, histtype="step", linewidth=1.5, label=name)
    ax.set(xlabel=xlabel.removesuffix("s"), ylabel="share")
    ax.legend(fontsize="small")
    return ax


class GradientNorms:
    """Notes the size of every layer's gradient, step by step.

    >>> import numpy as np
    >>> from tinygrad_mlp import nn
    >>> model = nn.MLP(2, [3], 1)
    >>> norms = GradientNorms(model)
    >>> for _ in range(2):
    ...     model.zero_grad()
    ...     nn.MSELoss()(model(np.ones((4, 2))), np.ones((4, 1))).backward()
    ...     norms.note()
    >>> len(norms.columns["0.weight"])
    2
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.columns: dict[str, list[float]] = {}

    def note(self) -> None:
        """Note the norms of the gradients that the parameters hold now: after `backward`."""
        for name, parameter in self._model.named_parameters():
            gradient = parameter.grad
            norm = np.nan if gradient is None else float(np.linalg.norm(np.asarray(gradient)))
            self.columns.setdefault(name, []).append(norm)


def gradient_norms(norms: GradientNorms | Mapping[str, Sequence[float]], *, ax: Any = None) -> Any:
    """The norm of every layer's gradient over time, on a logarithmic scale.

    Curves that part by powers of ten are vanishing gradients; curves that climb are exploding.
    """
    ax = _axes(ax)
    columns = norms.columns if isinstance(norms, GradientNorms) else norms
    for name, column in columns.items():
        ax.plot(range(1, len(column) + 1), column, label=name)
    ax.set_yscale("log")
    ax.set(xlabel="step", ylabel="‖gradient‖")
    ax.legend(fontsize="small")
    return ax
