"""What is said of an op that lets no gradient through, or makes it large or small.

This file knows kinds of ops (`kinds`) and nothing about them: no slope is stated here, only words.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.autodiff import pullback
from tinygrad_mlp.doctor.kinds import LAYERS, STEEP, kind_of
from tinygrad_mlp.steps import BackwardStep

__all__ = ["blocked", "scaled"]


def blocked(  # noqa: PLR0911 - one answer for each kind of op
    step: BackwardStep,
) -> tuple[str, str, str]:
    """The cause, the words and the fix for an edge through which nothing comes."""
    op, x = step.op.name, step.x_name
    kind, values = kind_of(op), step.node.values
    if kind == "rectifies" or (op == "maximum" and _constant_zero(step)):
        return (
            "dead-relu",
            f"{op} is 0 for every entry of {x!r} that counts, and its slope there is 0 (dead)",
            "Lower the learning rate or the biases' size, or use LeakyReLU.",
        )
    if kind == "saturates":
        largest = float(np.abs(values[1]).max())
        return (
            "saturated",
            f"{op} is saturated: {x!r} reaches {largest:.4g}, where it is flat",
            "Scale the inputs or the weights down.",
        )
    if kind == "chooses":
        return (
            "masked",
            f"{op} chooses other entries than those of {x!r}",
            "Look at the mask, the index or the limits.",
        )
    if kind == "joins":
        return (
            "masked",
            f"only other parts of what {op} made of {x!r} and the rest are used afterwards",
            "Look at the index behind it.",
        )
    if kind == "multiplies":
        other = step.operands[1 - step.i] if step.i < 2 and len(step.operands) > 1 else None
        array = values[2 - step.i] if step.i < 2 else values[1]
        if not np.any(array):
            return _times_zero(step, other)
        if _cancels(step):
            return _adds_up_to_0(step)
        return (
            "masked",
            f"in {op}, the entries of {other or 'a constant'!r} that meet the gradient are 0",
            "Look at the mask.",
        )
    if kind == "adds" and _cancels(step):
        return _adds_up_to_0(step)
    if kind == "dips":
        return (
            "minimum",
            f"{op} is at its lowest point there: there is nothing left to learn from this",
            "The loss is at a minimum; try other data.",
        )
    return (
        "flat",
        f"{op} is flat there: its slope by {x!r} is 0 at every entry",
        "Use an op with a slope.",
    )


def _cancels(step: BackwardStep) -> bool:
    """Whether a product lets something through that only adds up to 0."""
    sizes = tuple(np.abs(v) for v in step.node.values)
    sent = pullback(step.op, step.i, np.abs(step.upstream), sizes, step.node.attrs)
    return bool(np.any(sent))


def _adds_up_to_0(step: BackwardStep) -> tuple[str, str, str]:
    return (
        "cancelled",
        f"what {step.op.name} sends to {step.x_name!r} for the samples adds up to 0",
        "It is a point where the loss does not change in this direction.",
    )


def _constant_zero(step: BackwardStep) -> bool:
    return not np.any(step.node.values[2 - step.i])


def _times_zero(step: BackwardStep, other: str | None) -> tuple[str, str, str]:
    """Multiplied by zero; by weights that all begin at zero, if the zeros are weights."""
    node = step.node.inputs[1 - step.i] if step.i < 2 and len(step.node.inputs) > 1 else None
    if node is not None and node.op is None and node.requires_grad and node.ndim == 2:
        return (
            "symmetric",
            f"the weights {other!r} are all 0, so nothing comes back through {step.op.name}",
            "Begin with random weights: units that begin alike stay alike.",
        )
    return (
        "times-zero",
        f"{step.op.name} multiplies it by {other or 'a constant'!r}, which is 0",
        "Look at why that is 0.",
    )


def scaled(  # noqa: PLR0911 - one answer for each kind of op
    op: str, verdict: str, count: int
) -> tuple[str, str]:
    """The cause and the fix for a size."""
    kind = kind_of(op)
    if verdict == "tiny":
        if kind == "saturates":
            fix = "Use ReLU or normalisation between the layers, or scale the inputs."
            return ("vanishing" if count > 1 else "saturated"), fix
        if op in LAYERS:
            return "small-weights", "Begin with larger weights: nn.init.xavier_uniform."
        if kind == "dips":
            return "near-minimum", "The loss is nearly at a minimum: there is little to learn."
        return "scaled-down", "Look at the constant factors of the loss."
    if op in LAYERS:
        return "exploding", "Begin with smaller weights, normalise between layers, or clip."
    if kind == "dips":
        return "far-targets", "Scale the targets to about −1 to 1, or clip the gradients."
    if op in STEEP:
        return "steep", f"{op} is steep there: keep its inputs away from its edge."
    return "scaled-up", "Look at the constant factors, and at mean instead of sum."
