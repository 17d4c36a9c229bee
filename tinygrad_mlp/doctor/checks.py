"""How the parts of a training step fit together: data, parameters, optimiser, loss, paths.

This file knows what a mistake in the wiring looks like. What the numbers say is in `numbers`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tinygrad_mlp.doctor.kinds import BOUNDS, LOGITS, PROBABILITIES
from tinygrad_mlp.doctor.nonfinite import first_bad, shown
from tinygrad_mlp.doctor.report import Finding
from tinygrad_mlp.doctor.trial import Trial
from tinygrad_mlp.graph import Node, cut, describe, title
from tinygrad_mlp.nn import (
    BatchNorm1d,
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dropout,
    HuberLoss,
    L1Loss,
    MSELoss,
)
from tinygrad_mlp.nn.state import untrained
from tinygrad_mlp.origin import place

__all__ = ["data", "loss", "modes", "optimisers", "parameters", "paths", "targets"]


def data(trial: Trial) -> Iterator[Finding]:
    """The data: enough, equally many, finite."""
    lengths = [len(a) if a.ndim else 0 for a in trial.whole]
    if len(set(lengths)) > 1:
        xs = " and ".join(map(str, lengths[:-1]))
        yield Finding(
            "samples", "error", f"{xs} inputs for {lengths[-1]} targets",
            fix="Give one target for every sample.",
        )  # fmt: skip
    elif not lengths[0]:
        yield Finding("samples", "error", "there are no samples", fix="Look at how they are read.")
    for name, array in _titled(trial):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            index = first_bad(array)
            yield Finding(
                "data-not-finite", "error",
                f"{name} holds {shown(array[index])} at {list(index)}",
                why="every gradient of a step with this sample will be no number",
                fix="Clean the data: np.nan_to_num, or leave the sample out.",
            )  # fmt: skip


def _titled(trial: Trial) -> list[tuple[str, np.ndarray]]:
    xs = trial.inputs_whole
    named = ["x"] if len(xs) == 1 else [f"x[{i}]" for i in range(len(xs))]
    return list(zip([*named, "y"], trial.whole, strict=True))


def parameters(trial: Trial) -> Iterator[Finding]:
    """The model has something to train, of one precision, which is that of the data."""
    trained = {path: p for path, p in trial.params.items() if p.requires_grad}
    if not trained:
        frozen = f"all {len(trial.params)} are frozen" if trial.params else "it has none"
        plain = "" if trial.params else untrained(trial.model)
        yield Finding(
            "no-parameters", "error",
            f"{type(trial.model).__name__} has no parameter to train: {plain or frozen}",
            fix="Assign nn.Parameter(…) in the place of tg.Tensor(…)." if plain
            else "Assign layers to attributes of the model, and call requires_grad_(True).",
        )  # fmt: skip
    found: dict[str, str] = {}
    for path, p in trial.params.items():
        found.setdefault(str(p.dtype), repr(path))
    for name, array in _titled(trial):
        if array.dtype.kind == "f":
            found.setdefault(str(array.dtype), name)
    if len(found) > 1 and trial.params:
        kinds = ", ".join(f"{where} is {kind}" for kind, where in found.items())
        kind = next(iter(found))
        yield Finding(
            "dtypes", "warning", f"different precisions meet: {kinds}",
            why="NumPy promotes, so everything is computed in the larger and slower one",
            fix=f"Use x.astype(np.{kind}), or model.astype(x.dtype).",
        )  # fmt: skip


def optimisers(trial: Trial) -> Iterator[Finding]:
    """The optimisers have the model's parameters, all of them and no others."""
    if not trial.optimizers:
        return
    theirs = [p for o in trial.optimizers for group in o.groups for p in group.params]
    births = {p.birth for p in theirs}
    mine = {p.birth for p in trial.params.values()}
    for path, p in trial.params.items():
        if p.requires_grad and p.birth not in births:
            yield Finding(
                "not-optimised", "error", f"{path!r} is not in the optimiser",
                why="it gets a gradient and never moves",
                fix="Make the optimiser with model.parameters(), after all layers exist.",
            )  # fmt: skip
    for p in theirs:
        if p.birth not in mine:
            yield Finding(
                "foreign", "error", f"the optimiser has {describe(p)}, which is not the model's",
                why="it was made with the parameters of another model, or before a layer changed",
                fix="Make the optimiser after the model, with model.parameters().",
            )  # fmt: skip
    for rate in rates(trial):
        if not rate > 0 or not math.isfinite(rate):
            yield Finding(
                "learning-rate", "error", f"the learning rate is {rate:g}",
                why="a step goes against the gradient, by a positive length", fix="Use lr=0.01.",
            )  # fmt: skip


def rates(trial: Trial) -> list[float]:
    """The learning rates of all groups that have one."""
    groups = [group for o in trial.optimizers for group in o.groups]
    return sorted({float(group.lr) for group in groups if hasattr(group, "lr")})


def modes(trial: Trial) -> Iterator[Finding]:
    """Layers that behave differently in training are in training mode."""
    for path, module in trial.model.named_modules():
        if isinstance(module, Dropout | BatchNorm1d) and not module.training:
            yield Finding(
                "eval-mode", "warning", f"{type(module).__name__} {path!r} is in evaluation mode",
                fix="Call model.train() before training.",
            )  # fmt: skip


def targets(trial: Trial) -> Iterator[Finding]:
    """Targets are what the loss compares, and what the last layer can give."""
    y, out, loss = trial.targets_whole, trial.out, trial.loss
    if not y.size or y.dtype.kind not in "fiub":
        return
    low, high = float(y.min()), float(y.max())
    extent = f"targets go from {low:g} to {high:g}"
    if isinstance(loss, BCELoss | BCEWithLogitsLoss) and (low < 0 or high > 1):
        yield Finding(
            "target-range", "error", f"{extent}, and {type(loss).__name__} compares probabilities",
            why="outside 0 to 1 it has no lowest point", fix="Scale the targets to 0 to 1.",
        )  # fmt: skip
    if isinstance(loss, BCELoss) and ((out.data < 0).any() or (out.data > 1).any()):
        yield Finding(
            "prediction-range", "error", "the model gives numbers outside 0 to 1",
            why="BCELoss takes probabilities",
            fix="End the model with Sigmoid(), or use BCEWithLogitsLoss().",
        )  # fmt: skip
    if isinstance(loss, CrossEntropyLoss):
        yield from _classes(trial, low, high, extent)
    last = out.op.name if out.op is not None else ""
    if isinstance(loss, MSELoss | L1Loss | HuberLoss) and last in BOUNDS:
        bottom, top = BOUNDS[last]
        if low < bottom or high > top:
            yield Finding(
                "target-range", "warning",
                f"{extent}, and the last layer, {last}, gives {bottom:g} to {top:g}",
                why="it can never reach them",
                fix=f"Scale the targets, or leave the last {last} out.",
            )  # fmt: skip
    if low == high and len(y) > 1:
        yield Finding("constant-target", "note", f"all {y.size} targets are {low:g}")


def _classes(trial: Trial, low: float, high: float, extent: str) -> Iterator[Finding]:
    y, out = trial.targets_whole, trial.out
    classes = out.shape[0 if out.ndim == 1 else 1] if out.ndim else 1
    if classes == 1:
        yield Finding(
            "one-class", "error", "CrossEntropyLoss gets one number per sample",
            why="a softmax over one class is 1, whatever the weights",
            fix="Give one output per class, or use BCEWithLogitsLoss().",
        )  # fmt: skip
    elif y.dtype.kind in "iu" and (low < 0 or high >= classes):
        yield Finding(
            "target-range", "error", f"{extent}, and there are {classes} classes",
            why="classes are counted from 0", fix=f"Use classes from 0 to {classes - 1}.",
        )  # fmt: skip


def loss(trial: Trial) -> Iterator[Finding]:
    """The loss compares pairs, is finite, and squashes once."""
    out, y = trial.out, trial.targets_whole[: len(trial.out) if trial.out.ndim else None]
    large = max(out.size, y.size)
    after = [n for n in trial.nodes if n.birth > out.birth and n.op is not None]
    wide = next((n for n in after if n.size > large and n.op.name in {"sub", "mul", "div"}), None)
    if out.shape != y.shape and wide is not None:
        yield Finding(
            "loss-broadcasts", "error", f"the loss compares {out.shape} with {y.shape}",
            where=str(place(wide.site) or ""),
            why=f"broadcasting makes {'×'.join(map(str, wide.shape))} = {wide.size} pairs",
            fix=f"Use y.reshape({', '.join(map(str, (len(y), *out.shape[1:])))}).",
        )  # fmt: skip
    for node in trial.users(out):
        if out.op is not None and out.op.name in PROBABILITIES and node.op.name in LOGITS:
            yield Finding(
                "squashed-twice", "warning", f"the loss applies {node.op.name} to {out.op.name}",
                where=str(place(node.site) or ""), why="it takes logits",
                fix="Leave the last activation out.",
            )  # fmt: skip
    if trial.value.size == 1 and not np.isfinite(trial.value.data).all():
        yield Finding(
            "loss-not-finite", "error", f"the loss is {trial.value.data.item()}",
            where=str(place(trial.value.site) or ""),
            fix="Run the step inside tg.detect_anomaly() to see where it began.",
        )  # fmt: skip


def paths(trial: Trial) -> Iterator[Finding]:
    """Every parameter has a path to the loss, and every trained tensor is a parameter."""
    reached = trial.grads if trial.value.requires_grad else {}
    cuts = [found for n in trial.nodes if (found := cut(n)) is not None]
    mine = {p.birth for p in trial.params.values()}
    lost = {
        path: p for path, p in trial.params.items() if p.requires_grad and p.birth not in reached
    }
    for path, p in lost.items():
        if cuts and any(x is p for n in trial.made for x in n.inputs):
            yield Finding(
                "cut", "error", f"{path!r} gets no gradient: the path was {cuts[-1]}",
                fix="Use the tensor itself.",
            )  # fmt: skip
        else:
            yield Finding(
                "unused", "warning", f"{path!r} gets no gradient: the loss does not depend on it",
                fix="Use it in forward(), or take it out.",
            )  # fmt: skip
    for node in trial.nodes:
        if _trained_elsewhere(node, trial, mine):
            yield Finding(
                "unregistered", "error", f"{describe(node)} gets a gradient, and the model does "
                "not know it", why="model.parameters() and state_dict() leave it out",
                fix=f"Assign {title(node) or 'it'} to an attribute of the model.",
            )  # fmt: skip


def _trained_elsewhere(node: Node, trial: Trial, mine: set[int]) -> bool:
    given = any(node is t for t in trial.given)
    return node.op is None and node.requires_grad and node.birth not in mine and not given
