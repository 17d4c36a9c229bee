"""Anatomy: where the time of one step goes, part by part, and how much of it is NumPy's.

The step of `contenders.ours` is run with a look at the clock between its parts. Then the arithmetic
of the same step is run alone: the very functions that the step called (forward functions, rules,
sums over rows, updates), on the very arrays, without a tensor or a graph. What is left is the
price of recording, walking and looking after the graph. Knows names inside tinygrad_mlp, as
`extras` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import reference, timing, training, workloads
from benchmarks.contenders import BY_KEY
from benchmarks.results import Row

WHOLE = "anatomy of a step"
ALONE = "anatomy of a step, NumPy alone"
PARTS = ("inputs", "model", "loss", "zero_grad", "backward", "update", "letting go")

Bare = Callable[[], Any]


def of(workload_name: str, effort: timing.Effort) -> Iterator[Row]:
    """Seconds of each part of a step, and of each part's arithmetic alone."""
    contender = BY_KEY["ours"]
    if not contender.installed:
        yield Row(WHOLE, workload_name, PARTS[0], "s", note=contender.absence)
        return
    task = workloads.draw(workloads.BY_NAME[workload_name])
    trainer: Any = training.start(contender, task, reference.train(task))
    rounds = [_whole(trainer, effort.segment) for _ in range(effort.rounds)]
    for i, part in enumerate(PARTS):
        yield Row(WHOLE, workload_name, part, "s", tuple(times[i] for times in rounds))
    for part, seconds in timing.interleave(_bare(trainer), effort).items():
        yield Row(ALONE, workload_name, part, "s", seconds)


def _whole(trainer: Any, seconds: float) -> list[float]:
    """Each part's median over the steps of a segment, less what a look at the clock takes."""
    from tinygrad_mlp import Tensor

    model, loss_fn, optimizer = trainer.model, trainer.loss_fn, trainer.optimizer
    marks: list[tuple[float, ...]] = []
    end = perf_counter() + seconds
    t = perf_counter
    while t() < end:
        for x, y in trainer.batches:
            start = t()
            x, y = Tensor(x), Tensor(y)
            made = t()
            out = model(x)
            forward = t()
            loss = loss_fn(out, y)
            compared = t()
            optimizer.zero_grad()
            forgotten = t()
            loss.backward(keep_graph=trainer.keep_graph)
            backward = t()
            optimizer.step()
            updated = t()
            del out, loss, x, y
            marks.append((start, made, forward, compared, forgotten, backward, updated, t()))
    look = median(b - a for a, b in ((t(), t()) for _ in range(1_000)))
    parts = zip(*(pairwise(row) for row in marks), strict=True)
    return [max(0.0, median(b - a for a, b in part) - look) for part in parts]


def _bare(trainer: Any) -> dict[str, Bare]:
    """The arithmetic of one step of a trainer, by part."""
    from tinygrad_mlp import Tensor
    from tinygrad_mlp.graph import ancestors
    from tinygrad_mlp.ops import scalar, sum_to

    x, y = trainer.batches[0]
    out = trainer.model(Tensor(x))
    loss = trainer.loss_fn(out, Tensor(y))
    trainer.optimizer.zero_grad()
    loss.backward()
    nodes = [node for node in ancestors(loss) if node.op is not None]
    edges: list[Bare] = []
    for node in nodes:
        for i, source in enumerate(node.inputs):
            if source is None or not source.requires_grad:
                continue
            rule, g, values = node.op.rule(i), node.grad, node.values
            edges.append(partial(rule, g, *values, **node.attrs))
            gradient, shape = edges[-1](), source.shape
            if gradient.shape != shape:
                edges.append(partial(sum_to.forward, gradient, shape))
    pairs = [(p.data, p.grad) for p in trainer.model.parameters()]
    rate = scalar(trainer.optimizer.lr, pairs[0][1])
    return {
        "inputs": lambda: (x.copy(), y.copy()),
        "model": _each([_forward(node) for node in nodes[:-1]]),
        "loss": _forward(nodes[-1]),
        "backward": _each(edges),
        "update": lambda: [p - rate * g for p, g in pairs],
    }


def _forward(node: Any) -> Bare:
    return partial(node.op.forward, *node.values[1:], **node.attrs)


def _each(functions: list[Bare]) -> Bare:
    return lambda: [function() for function in functions]
