"""What the numbers of a trial step say: units, gradients, and the step that would follow.

This file knows what dead units, flat layers, vanishing gradients and wrong rules look like.
Derivatives it asks of `pullback` and compares with finite differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.data.inspection import unscaled
from tinygrad_mlp.doctor.checks import rates
from tinygrad_mlp.doctor.differences import wrong_rules, wrong_weights
from tinygrad_mlp.doctor.flow import Flow
from tinygrad_mlp.doctor.kinds import BOUNDS, LAYERS
from tinygrad_mlp.doctor.nonfinite import finite
from tinygrad_mlp.doctor.report import Finding
from tinygrad_mlp.doctor.trial import Trial, path_of
from tinygrad_mlp.graph import Node
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.optim.optimizer import checked_update
from tinygrad_mlp.origin import place
from tinygrad_mlp.steps import replay

__all__ = ["gradients", "inputs", "units"]

MANY = 16
"""Fewer samples say little about a unit."""

STUCK = 0.98
"""Where more of the outputs than this are flat, a layer is hardly trained."""

EXCUSED = {"symmetric", "minimum", "cancelled", "dead-relu"}
"""Causes of a gradient of 0 that are no mistake, or are found by their own code."""


def inputs(trial: Trial) -> Iterator[Finding]:
    """Inputs of a size that layers are made for; a note, since it is no mistake."""
    for array in trial.inputs_whole:
        found = unscaled(array)
        if found is not None:
            what, fix = found
            yield Finding(
                "unscaled-inputs", "note", what,
                why="layers begin with weights for inputs of about 1", fix=fix,
            )  # fmt: skip


def units(trial: Trial) -> Iterator[Finding]:
    """Layers whose units let nothing through, or are where they are flat."""
    for node in trial.made:
        if node.op is None or not node.size:
            continue
        name = node.op.name
        if name == "relu" or (name == "maximum" and any(not np.any(v) for v in node.values[1:])):
            yield from _dead(node)
        if np.isfinite(BOUNDS.get(name, np.inf)).all() and name != "softmax":
            share = float((_slope(node.op, node.values) < 0.04).mean())
            if share > 0.5:
                yield Finding(
                    "saturation", "warning" if share > STUCK else "note",
                    f"{share:.0%} of the outputs of {path_of(node)}, {name}, are where it is flat",
                    where=str(place(node.site) or ""),
                    why="little of the gradient gets through",
                    fix="Scale its inputs or the weights before it down.",
                )  # fmt: skip


def _slope(op: Op, values: Sequence[Array]) -> Array:
    """The slope of an op of one input, compared with its slope at 0."""
    x = np.append(values[1].ravel(), 0.0).astype(values[1].dtype)
    y = np.asarray(op.apply((x,), {}))
    slope = np.asarray(pullback(op, 0, np.ones_like(y), (y, x), {}))
    return slope[:-1] / slope[-1]


def _dead(node: Node) -> Iterator[Finding]:
    """A relu layer of which all, or many, units are 0 for every sample."""
    y = node.values[0]
    where = str(place(node.site) or "")
    fix = "Use other biases, a smaller learning rate, or LeakyReLU."
    if not np.any(y):
        yield Finding(
            "dead-layer", "error", f"{path_of(node)}, {node.op.name}, gives 0 for every sample",
            where=where, why="its slope is 0 there, so nothing before it is trained", fix=fix,
        )  # fmt: skip
        return
    flat = y.reshape(-1, y.shape[-1]) if y.ndim else y.reshape(1, 1)
    dead = int((~flat.any(axis=0)).sum())
    if len(flat) >= MANY and dead:
        many = flat.shape[1] >= 8 and dead > 0.75 * flat.shape[1]
        yield Finding(
            "dead-units", "warning" if many else "note",
            f"{dead} of the {flat.shape[1]} units of {path_of(node)} give 0 for every sample",
            where=where, why="they are not trained", fix=fix,
        )  # fmt: skip


def gradients(trial: Trial) -> Iterator[Finding]:
    """Gradients: finite, not zero, in proportion, right; and the step they would lead to."""
    reached = {
        path: (p, trial.grads[p.birth])
        for path, p in trial.params.items()
        if p.requires_grad and p.birth in trial.grads
    }
    bad = [path for path, (_, g) in reached.items() if not finite(g)]
    if bad:
        answer = Flow(trial.value, reached[bad[0]][0]).not_finite("nan")
        yield Finding(
            "gradient-not-finite", "error", answer.what, answer.where, answer.why, answer.fix
        )
        return
    yield from _alike(trial)
    for path, (p, g) in reached.items():
        if g.size and not np.any(g):
            answer = Flow(trial.value, p).zero()
            if answer.cause not in EXCUSED:  # found elsewhere, or fine
                yield Finding(
                    "zero-gradient", "error",
                    answer.what.replace(repr(answer.name), repr(path), 1), answer.where,
                    answer.why, answer.fix,
                )  # fmt: skip
    yield from _proportions(reached)
    wrong = list(wrong_rules(trial))
    yield from wrong or wrong_weights(trial, reached)
    if not wrong:
        yield from _step(trial, reached)


def _alike(trial: Trial) -> Iterator[Finding]:
    """Hidden layers whose units all begin with the same weights."""
    for path, p in trial.params.items():
        if p.ndim != 2 or len(p.data) < 2 or not p.requires_grad:
            continue
        if not (p.data == p.data[0]).all():
            continue
        readers = [n for n in trial.users(p) if n.op.name in LAYERS]
        if any(_has_layer_behind(trial, node) and _same_outputs(node) for node in readers):
            layer = path.rpartition(".")[0] or path
            yield Finding(
                "equal-weights", "error" if not np.any(p.data) else "warning",
                f"all {len(p.data)} units of {layer!r} begin with the same weights",
                why="units that begin alike get like gradients, and do the work of one",
                fix="Begin with random weights: nn.init.xavier_uniform().",
            )  # fmt: skip


def _same_outputs(node: Node) -> bool:
    y = node.values[0]
    return bool(np.allclose(y, y[..., :1]))


def _has_layer_behind(trial: Trial, node: Node) -> bool:
    """Whether another product with weights reads, sooner or later, what a node gave."""
    reach = {node.birth}
    for n in trial.nodes:
        if n.birth > node.birth and any(x is not None and x.birth in reach for x in n.inputs):
            reach.add(n.birth)
            if n.op.name in LAYERS:
                return True
    return False


def _proportions(reached: dict[str, tuple[Node, Array]]) -> Iterator[Finding]:
    """Early layers get gradients of a like size as late ones."""
    sizes = {
        path: float(np.sqrt(np.mean(g * g)))
        for path, (p, g) in reached.items()
        if p.ndim == 2 and g.size and np.any(g)
    }
    if len(sizes) < 2:
        return
    first, last = next(iter(sizes)), next(reversed(sizes))
    ratio = sizes[first] / sizes[last]
    if 1e-6 <= ratio <= 1e6:
        return
    code = "vanishing" if ratio < 1 else "exploding"
    yield Finding(
        code, "warning", f"the gradient of {first!r} is {ratio:.1e} times that of {last!r}",
        why="a product of many slopes",
        fix="Use ReLU or normalisation between layers, and nn.init.xavier_uniform().",
    )  # fmt: skip


def _step(trial: Trial, reached: dict[str, tuple[Node, Array]]) -> Iterator[Finding]:
    """What the loss would be after the first step."""
    grads = {p.birth: g for p, g in reached.values()}
    moved: dict[int, Any] = {}
    for optimizer in trial.optimizers:
        for group in optimizer.groups:
            for p in group.params:
                if p.birth in grads and getattr(group, "lr", 1.0) > 0:
                    state = optimizer.init(p.data, group)
                    grad = grads[p.birth]
                    moved[p.birth] = checked_update(optimizer, p.data, grad, state, group)[0]
    if not moved:
        return
    before = float(trial.value.data)
    after = float(replay(trial.value, moved))
    if np.isfinite(after) and not after > 100 * abs(before) + 1e-6:
        return
    lr = ", ".join(f"{rate:g}" for rate in rates(trial))
    yield Finding(
        "learning-rate", "warning",
        f"one step with lr={lr} takes the loss from {before:.3g} to {after:.3g}",
        why="it goes far beyond the lowest point", fix="Divide the learning rate by 10.",
    )  # fmt: skip
