"""What is said when a loss is infinite or no number: the data first, then the rate.

This file knows where to look once a training has stopped: the batch, the set that it is from,
the learning rates. It changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinygrad_mlp import alarms
from tinygrad_mlp.data.dataset import ArrayDataset
from tinygrad_mlp.data.inspection import gaps, unscaled
from tinygrad_mlp.nn import Embedding
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import users_line
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.training.run import Run

__all__ = ["warn_of_loss"]

LOOKED_AT = 10_000
"""So many samples tell how large inputs are."""

BOLD = 0.1
"""A larger rate than this one is seldom meant, whatever the model."""


FAR = 100
"""A layer does not get to larger targets in steps of a usual length."""

TRY = "tg.preflight(model, X, Y, loss, optimizer) tries a rate first."


def warn_of_loss(run: Run, batch: Sequence[Tensor], number: int) -> None:
    """Say where the loss became infinite or no number, and what helps.

    Args:
        run: The training.
        batch: What its last step was handed.
        number: The number of that batch in its epoch.
    """
    rates = sorted({float(group.lr) for group in run.optimizer.groups if hasattr(group, "lr")})
    at = f", with lr={', '.join(f'{rate:g}' for rate in rates)}" if rates else ""
    found = _gaps(run, batch)
    if found is not None:
        at = ""  # it is no matter of the rate
        why, fix = found
    elif run.step == 1:
        why = "no step had been made, so the data, the first weights or the loss are the cause"
        fix = "tg.preflight(model, X, Y, loss) says which."
    else:
        why, fix = _too_far(run, batch, rates)
    alarms.warn(
        f"fit() stopped: the loss is {run.error} at epoch {run.epoch}, batch {number}{at}",
        where=users_line(),
        why=why,
        fix=fix,
    )


def _whole(run: Run, batch: Sequence[Tensor]) -> tuple[list[Array], bool]:
    """The arrays that the batch is from, if they are known, or else the batch's own."""
    dataset = run.loader.dataset
    if isinstance(dataset, ArrayDataset):
        return list(dataset.arrays), True
    return [t.data for t in batch], False


def _names(count: int) -> list[tuple[str, str]]:
    """What the parts of a sample are called in a sentence, and in a line to paste."""
    if count == 2:
        return [("the inputs", "X"), ("the targets", "Y")]
    inputs = [(f"the inputs number {i}", f"X{i}") for i in range(1, count)]
    return [*inputs, ("the targets", "Y")]


def _gaps(run: Run, batch: Sequence[Tensor]) -> tuple[str, str] | None:
    """What is said of a batch that holds infinity or NaN: nothing that follows is the cause."""
    if not any(gaps(t.data) for t in batch):
        return None
    arrays, known = _whole(run, batch)
    names = _names(len(arrays))
    for (owner, name), array in zip(names, arrays, strict=True):
        found = gaps(array)
        if found is not None:
            whose = owner if known else f"{owner} of this batch"
            return found.told(whose), found.fix(name, ", ".join(each for _, each in names))
    return None


def _too_far(run: Run, batch: Sequence[Tensor], rates: list[float]) -> tuple[str, str]:
    """What is said of steps that lead away: numbers that are too large, or the rate."""
    arrays = [np.asarray(array[:LOOKED_AT]) for array in _whole(run, batch)[0]]
    names = _names(len(arrays))
    words = any(isinstance(module, Embedding) for module in run.model.modules())
    for (owner, name), array in list(zip(names, arrays, strict=True))[:-1]:
        whole = array.dtype.kind in "iu"
        found = unscaled(array.astype(float) if whole and not words else array, name)
        if found is not None:
            what, line = found
            line = line.replace("use (", f"write {name} = (").replace("Use (", f"Write {name} = (")
            return f"{owner} are not scaled: {what}", f"{line} {TRY}"
    largest = float(np.abs(arrays[-1]).max(initial=0)) if arrays[-1].dtype.kind == "f" else 0.0
    if FAR < largest < math.inf:
        why = f"the targets are not scaled: they reach {largest:.3g}"
        return why, f"Write Y = (Y - Y.mean(0)) / Y.std(0). {TRY}"
    fix = "Divide the step size by 10"
    if len(rates) == 1:
        fix = f"Use lr={min(rates[0] / 10, BOLD):g}"
    fix += ", or clip_norm=1.0; in tg.detect_anomaly() the op that began it is named."
    return "once it is no finite number, no step makes it smaller", fix
