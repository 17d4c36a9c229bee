"""fit: the training loop.

This file knows in what order forward, backward and step happen; the loop is `_train`. Whatever
else can happen in a training is a callback. All of it can be done by hand with the public
pieces: a `DataLoader`, a loss, ``backward()`` and an optimiser.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp import alarms, cells
from tinygrad_mlp.data import DataLoader
from tinygrad_mlp.errors import CaptureError, GraphError, ShapeError, UsageError
from tinygrad_mlp.functional.comparing import of_data
from tinygrad_mlp.nn import Module
from tinygrad_mlp.optim import Optimizer, Schedule, clip_grad_norm_
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.training.asked import check
from tinygrad_mlp.training.callbacks import BestWeights, EarlyStopping, Scheduled
from tinygrad_mlp.training.checkpoint import Checkpoint
from tinygrad_mlp.training.evaluation import (
    Metrics,
    compared,
    evaluate,
    named_metrics,
    with_target,
)
from tinygrad_mlp.training.history import History
from tinygrad_mlp.training.lost import warn_of_loss
from tinygrad_mlp.training.progress import Progress
from tinygrad_mlp.training.run import Run

__all__ = ["fit"]

Step: TypeAlias = Callable[..., Any]
Loss: TypeAlias = Callable[[Any, Any], Any]


def fit(
    model: Module,
    data: Any,
    *wrong: Any,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int = 1,
    batch_size: int = 1,
    shuffle: bool = False,
    rng: np.random.Generator | int | None = None,
    validation: Any = None,
    metrics: Metrics = (),
    schedule: Schedule | None = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    early_stopping: int | EarlyStopping | None = None,
    keep_best: bool = False,
    checkpoint: Checkpoint | None = None,
    callbacks: Iterable[Any] = (),
    progress: bool | None = None,
    compile: Any = False,
    stop_on_nan: bool = True,
) -> History:
    """Train a model.

    Args:
        model: The model. It is trained in training mode; afterwards every module in it is in
            the mode in which it was.
        data: ``(X, Y)``, with the targets last; a list of samples, a data set, or a
            `DataLoader`.
        loss: ``loss(prediction, target)`` gives one number.
        optimizer: Made with ``model.parameters()``.
        epochs: How often every sample is used.
        batch_size: Samples per step.
        shuffle: Whether to draw a new order for every epoch.
        rng: A generator or a seed for the orders.
        validation: ``(X, Y)`` to measure ``val_loss`` and the metrics on after every epoch.
        metrics: Functions of arrays (prediction, target), such as `accuracy`.
        schedule: From a step to a factor of the learning rate; see `optim.schedules`. Afterwards
            the rates are what they were.
        clip_norm: The largest length of all gradients together.
        accumulate: Work through each batch in so many parts, in less memory: the same step, if
            no layer looks across samples, as BatchNorm1d does. The gradients of the parts are
            added as ``loss.share(part, batch)`` says; a loss that is a plain function must be
            a mean over samples.
        early_stopping: End after so many epochs that are no better than the best.
        keep_best: End with the weights of the best epoch.
        checkpoint: Where and how often to save the training, and whether to go on from there.
        callbacks: `Callback` objects; or functions, which are told of every epoch.
        progress: Show a bar. By default only where somebody watches: in a terminal.
        compile: ``"auto"`` to run each step as a program if it can be one, and as it is (with a
            warning that says why) if not; or a back end of `compile`, with an error then; or a
            function that turns a step into another one.
        stop_on_nan: Stop at the first step whose loss is infinite or no number, with a
            `TrainingWarning` that says where. The history keeps all epochs, and that last one
            with its loss; it is not validated, and no checkpoint or best weights are taken of
            it. The weights are those from before that step; but a compiled step writes the new
            ones in place, and with `compile` that step has been taken: pass ``keep_best=True``.
            NumPy's own warnings about overflow inside the steps are left out. If False, they
            are not, and training goes on.

    Returns:
        The numbers of every epoch. ``loss`` is the mean over its samples as they were trained on.

    Warns:
        TrainingWarning: If training stopped because the loss was infinite or no number.

    >>> from tinygrad_mlp import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Linear(1, 1, init=nn.init.uniform(), rng=rng)
    >>> X = np.linspace(0, 1, 8).reshape(8, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.5)
    >>> fit(model, (X, 2 * X), loss=nn.MSELoss(), optimizer=optimizer, epochs=10)
    History(10 epochs: loss 0.01847 → 0.0001556)
    """
    check(model, wrong, loss, optimizer, validation)
    parts: Any = accumulate
    if not isinstance(parts, int | np.integer) or parts < 1:
        raise UsageError(
            f"accumulate is {accumulate!r}", why="it counts parts of a batch", fix="Use 1 or more."
        )
    metrics = named_metrics(metrics)
    if metrics and validation is None:
        raise UsageError("metrics without data to measure them on", fix="Pass validation=(X, Y).")
    if not isinstance(data, DataLoader):
        data = DataLoader(data, batch_size=batch_size, shuffle=shuffle, rng=rng)
    if isinstance(early_stopping, int):
        early_stopping = EarlyStopping(early_stopping)
    besides = [
        None if schedule is None else Scheduled(schedule),
        early_stopping,
        BestWeights() if keep_best else None,
        *callbacks,
        checkpoint,  # the last to be told: what it saves is what the others have noted
    ]
    total = epochs * len(data) if data.sized else None
    with Progress(total, shown=progress) as bar:
        run = Run(model, optimizer, data, epochs, [bar, *(c for c in besides if c is not None)])
        step = _step(model, loss, optimizer, clip_norm, accumulate, stop_on_nan=stop_on_nan)
        step = _compiled(step, compile, data)
        quiet = np.errstate(**(_quiet() if stop_on_nan else {}))
        with run.cleanup, model.in_mode(training=True), quiet:
            lost = _train(
                run, step, lambda: _validated(model, validation, loss, metrics), stop_on_nan
            )
    if lost is not None:
        warn_of_loss(run, *lost)
    return run.history


def _train(
    run: Run, step: Step, validate: Callable[[], dict[str, float]], stop_on_nan: bool
) -> tuple[tuple[Tensor, ...], int] | None:
    """The loop itself; gives the batch at which the loss was lost, with its number, if it was."""
    lost = None
    run.tell("begin")
    while run.epoch < run.epochs and not run.stopped:
        run.model.train()
        for batch in run.batches():
            run.tell("before")
            error = step(*batch)
            run.took(error.item(), len(batch[-1]))
            if stop_on_nan and not math.isfinite(run.error):
                lost = batch, run.batch
                break
            run.tell("after")
        if lost is not None:
            run.history.append(loss=run.close_epoch())
            run.stop()
            break
        run.numbers = {"loss": run.close_epoch(), **validate()}
        run.history.append(**run.numbers)
        run.tell("epoch")
    run.tell("end")
    return lost


def _quiet() -> dict[str, Any]:
    """NumPy's settings for the steps: no warnings; what the user lets raise goes on raising."""
    return {kind: "ignore" for kind, how in np.geterr().items() if how == "warn"}


def _lost(error: Tensor) -> bool:
    """Whether a loss is no finite number; while a step is captured, its value is not known."""
    return not cells.capturing() and error.size == 1 and not math.isfinite(error.data.item())


def _step(
    model: Module,
    loss: Loss,
    optimizer: Optimizer,
    clip_norm: float | None,
    accumulate: int,
    *,
    stop_on_nan: bool,
) -> Step:
    """One step: forward, backward, update."""
    params = [p for group in optimizer.groups for p in group.params]

    def step(*batch: Tensor) -> Any:
        with_target(batch)
        optimizer.zero_grad()
        if accumulate == 1:
            *inputs, target = batch
            error = _error(loss, model(*inputs), target)
            error.name = error.name or "loss"  # else it is called what fit's result is
            if stop_on_nan and _lost(error):
                return error  # the weights stay as they are
            error.backward(keep_graph=False)
        else:
            error = _in_parts(model, loss, batch, accumulate, stop_on_nan=stop_on_nan)
            if stop_on_nan and _lost(error):
                return error
        if clip_norm is not None:
            clip_grad_norm_(params, clip_norm)
        try:
            optimizer.step()
        except GraphError as refusal:
            raise _of_another_model(model, params) or refusal from None
        return error

    return step


def _of_another_model(model: Module, params: Sequence[Tensor]) -> UsageError | None:
    """The error for an optimiser that has nothing to move, if it is that of another model."""
    births = {p.birth for p in params}
    if any(p.birth in births for p in model.parameters()):
        return None
    return UsageError(
        f"the optimizer holds none of the parameters of this {type(model).__name__}",
        why="it was made with those of another model, or before the layers were",
        fix="Make it anew: optimizer = optim.SGD(model.parameters(), lr=0.1).",
    )


def _error(loss: Loss, prediction: Any, target: Tensor) -> Tensor:
    """The loss of a batch, which must be a tensor."""
    error = compared(loss, prediction, target)
    if not isinstance(error, Tensor):
        raise UsageError(
            f"the loss gave a {type(error).__name__}, not a tensor",
            why="a plain number does not remember what it was computed from",
            fix="Leave out .item(), .data and float() in it.",
        )
    return error


def _in_parts(
    model: Module, loss: Loss, batch: Sequence[Tensor], parts: int, *, stop_on_nan: bool
) -> Tensor:
    """Gradients of a batch, worked through in parts; the loss says how much each one counts."""
    size = len(batch[-1])
    share = getattr(loss, "share", _by_size)
    edges = [size * i // parts for i in range(parts + 1)]
    total = Tensor(0.0)
    for start, stop in pairwise(edges):
        if stop > start:
            *inputs, target = (t[start:stop] for t in batch)
            error: Tensor = _error(loss, model(*inputs), target) * share(target, batch[-1])
            if stop_on_nan and _lost(error):
                return error
            error.backward(keep_graph=False)
            total = total + error.detach()
    return total


def _by_size(part: Tensor, whole: Tensor) -> float:
    return len(part) / len(whole)


def _validated(model: Module, validation: Any, loss: Loss, metrics: Metrics) -> dict[str, float]:
    """What the model is worth on data that it is not trained on."""
    if validation is None:
        return {}
    try:
        found = evaluate(model, validation, loss, metrics)
    except ShapeError as error:
        raise of_data(error, "Y_validation") from None
    return {f"val_{name}": value for name, value in found.items()}


def _compiled(step: Any, how: Any, loader: DataLoader) -> Step:
    """The step as a program, if that is wanted."""
    if not how:
        return step  # type: ignore[no-any-return]
    inputs = len(getattr(loader.dataset, "arrays", "xy")) - 1
    names = ["x"] if inputs == 1 else [f"x{i + 1}" for i in range(inputs)]
    step.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in (*names, "y")]
    )
    if callable(how):
        return how(step)  # type: ignore[no-any-return]
    from tinygrad_mlp.program import compile_step

    compiled = compile_step(step, backend=how)
    return _or_as_it_is(compiled, step) if how == "auto" else compiled


def _or_as_it_is(compiled: Step, step: Step) -> Step:
    """The compiled step; and the step itself, once it has turned out to be no program."""
    now = compiled

    def either(*batch: Tensor) -> Any:
        nonlocal now
        try:
            return now(*batch)
        except CaptureError as error:
            if now is step:
                raise
            alarms.warn(
                f"fit goes on without compiling: {error.what}",
                where=error.where,
                why=error.why,
                fix=error.fix,
            )
            now = step
        return step(*batch)

    return either
