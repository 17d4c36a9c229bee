"""What is put to the test: a record or a function of tensors, and its derivatives as functions.

This file knows how to run something forward in arrays, forward in tensors and backward. It
does not know what the right answer is: `differences` does, and `comparison` holds one against
the other.

The derivative of a subject is a subject again: a function of the inputs and of the gradients
that arrive, whose outputs are the gradients of the inputs. So one check of first order, asked
again of the derivative, is the check of second order, and so on.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import enable_grad, pullback
from tinygrad_mlp.formulas import input_names
from tinygrad_mlp.ops import Array, Attrs, Op
from tinygrad_mlp.steps import collected
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = [
    "Subject",
    "climb",
    "derivative",
    "gradients",
    "moving",
    "of_composition",
    "of_function",
    "of_op",
]

Recorded: TypeAlias = Callable[[Sequence[Tensor]], Sequence[Tensor]]


@dataclass(frozen=True)
class Subject:
    """Something with a derivative that can be checked.

    Attributes:
        name: What reports call it.
        labels: What reports call its inputs.
        inputs: The point at which it is checked: float arrays.
        compute: The function in arrays.
        record: The function in tensors.
        slopes: The derivative in arrays, ``(inputs, gradients of the outputs) -> gradients of
            the inputs``, if it can be had without recording.
    """

    name: str
    labels: tuple[str, ...]
    inputs: tuple[Array, ...]
    compute: Callable[[Sequence[Array]], Sequence[Array]]
    record: Recorded
    slopes: Callable[[Sequence[Array], Sequence[Array]], Sequence[Array]] | None = None


def moving(op: Op, xs: Sequence[Array]) -> list[int]:
    """The inputs that have a gradient: of floats, with a rule."""
    return [i for i, x in enumerate(xs) if x.dtype.kind == "f" and op.flows(i)]


def of_op(op: Op, xs: Sequence[Array], attrs: Attrs) -> Subject:
    """An op at a point; what no gradient flows to (indices, masks) stands still."""
    places = moving(op, xs)
    names = input_names(op, len(xs), short=False)

    def whole(moved: Sequence[Any]) -> tuple[Any, ...]:
        inputs = list(xs)
        for i, x in zip(places, moved, strict=True):
            inputs[i] = x
        return tuple(inputs)

    def compute(moved: Sequence[Array]) -> list[Array]:
        return [np.asarray(op.apply(whole(moved), attrs))]

    def record(moved: Sequence[Tensor]) -> list[Tensor]:
        return [op.apply(whole(moved), attrs)]

    def slopes(moved: Sequence[Array], gs: Sequence[Array]) -> list[Array]:
        inputs = whole(moved)
        values = (np.asarray(op.apply(inputs, attrs)), *inputs)
        return [np.asarray(pullback(op, i, gs[0], values, attrs)) for i in places]

    return Subject(
        op.name,
        tuple(names[i] for i in places),
        tuple(xs[i] for i in places),
        compute,
        record,
        slopes,
    )


def of_composition(op: Op, xs: Sequence[Array], attrs: Attrs) -> Subject:
    """What a fused op says that it equals, at the same point."""
    same = op.same_as
    places = moving(op, xs)

    def f(*moved: Tensor) -> Any:
        inputs: list[Any] = list(xs)
        for i, x in zip(places, moved, strict=True):
            inputs[i] = x
        return same(*inputs, **attrs) if same is not None else None

    names = input_names(op, len(xs), short=False)
    points = tuple(xs[i] for i in places)
    return of_function(f, points, f"{op.name} composed", [names[i] for i in places])


def of_function(
    f: Callable[..., Any], xs: Sequence[Array], name: str = "", labels: Sequence[str] = ()
) -> Subject:
    """A function of tensors that returns a tensor, or several in a tuple or list."""

    def record(tensors: Sequence[Tensor]) -> list[Tensor]:
        result = f(*tensors)
        return [astensor(y) for y in (result if isinstance(result, tuple | list) else (result,))]

    def compute(arrays: Sequence[Array]) -> list[Array]:
        with enable_grad():
            return [
                np.asarray(y.data) for y in record([Tensor(x, requires_grad=True) for x in arrays])
            ]

    names = tuple(labels) or _parameters(f, len(xs))
    title = f.name if isinstance(f, Op) else getattr(f, "__name__", type(f).__name__)
    return Subject(name or title, names, tuple(xs), compute, record)


def _parameters(f: Callable[..., Any], n: int) -> tuple[str, ...]:
    if isinstance(f, Op):
        return input_names(f, n, short=False)
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    return tuple(names[i] if i < len(names) else f"x{i}" for i in range(n))


def gradients(subject: Subject, xs: Sequence[Array], gs: Sequence[Array]) -> list[Array]:
    """What the rules say, by a backward pass through a recorded graph."""
    with enable_grad():
        tensors = [Tensor(x, requires_grad=True) for x in xs]
        outputs = subject.record(tensors)
        return [np.asarray(g) for g in _pulled(outputs, gs, tensors, create_graph=False)]


def derivative(subject: Subject, gs: Sequence[Array]) -> Subject:
    """The derivative as a subject: a function of the inputs and of the gradients `gs`."""
    n = len(subject.inputs)

    def record(everything: Sequence[Tensor]) -> list[Tensor]:
        tensors, arriving = everything[:n], everything[n:]
        found = _pulled(subject.record(tensors), arriving, tensors, create_graph=True)
        return [astensor(g) for g in found]

    def compute(everything: Sequence[Array]) -> Sequence[Array]:
        if subject.slopes is not None:
            return subject.slopes(everything[:n], everything[n:])
        with enable_grad():
            return [
                np.asarray(g.data)
                for g in record([Tensor(x, requires_grad=True) for x in everything])
            ]

    arriving = ("g",) if len(gs) == 1 else tuple(f"g{k}" for k in range(len(gs)))
    return Subject(
        subject.name,
        (*subject.labels, *arriving),
        (*subject.inputs, *gs),
        compute,
        record,
    )


def climb(
    subject: Subject, gs: Sequence[Array], order: int
) -> Iterator[tuple[int, Subject, Sequence[Array]]]:
    """The subject, its derivative, the derivative of that…: ``(order, subject, arriving)``."""
    for k in range(1, order + 1):
        yield k, subject, gs
        if k < order:
            shapes = [x.shape for x in subject.inputs]
            subject = derivative(subject, gs)
            gs = [_probe(shape, k + i) for i, shape in enumerate(shapes)]


def _probe(shape: tuple[int, ...], salt: int) -> Array:
    """A gradient without a pattern that a wrong rule could share."""
    n = math.prod(shape)
    return np.array(1.25 + 0.7 * np.sin(salt + 2.9 * np.arange(n)), np.float64).reshape(shape)


def _pulled(
    outputs: Sequence[Tensor], gs: Sequence[Any], tensors: Sequence[Tensor], *, create_graph: bool
) -> list[Any]:
    """The gradients of `tensors`, zeros where nothing arrives; nobody's ``.grad`` is touched."""
    found = collected(zip(outputs, gs, strict=True), create_graph=create_graph)
    return [found.get(x.birth, np.zeros(x.shape, x.dtype)) for x in tensors]
