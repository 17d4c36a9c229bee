"""Strategies for hypothesis: shapes, tensors, cases of an op, graphs, stacks of layers.

This file knows hypothesis, which it imports when a strategy is asked for and not before: the
package does not depend on it. It does not know what is tested with what it draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinygrad_mlp.errors import MissingExtraError, install
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.ops.domain import Domain
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.testing.drawing import MARGIN, Case, Source, draw, far_from_kinks

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "Graph",
    "away_from_kinks",
    "broadcastable",
    "cases",
    "graphs",
    "hypothesis",
    "layer_stacks",
    "shapes",
    "tensors",
]

T = TypeVar("T")


def hypothesis() -> Any:
    """The package hypothesis.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import hypothesis.extra.numpy
        import hypothesis.strategies
    except ImportError as error:
        raise MissingExtraError(
            "drawing inputs needs hypothesis, which is not installed",
            why=str(error),
            fix=install("test"),
        ) from error
    return hypothesis


class Drawn(Source):
    """Chooses with hypothesis, which shrinks what it chose when a test fails."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw

    def pick(self, options: Sequence[T]) -> T:
        """One of several options, the first ones being the simplest."""
        if len(options) == 1:
            return options[0]
        place: int = self.draw(hypothesis().strategies.integers(0, len(options) - 1))
        return options[place]

    def numbers(self, shape: tuple[int, ...], low: float, high: float) -> Array:
        """Numbers that shrink to whole ones."""
        return self.draw(_floats(shape, low, high))


def _floats(shape: tuple[int, ...], low: float, high: float) -> SearchStrategy[Array]:
    st = hypothesis().strategies
    numbers = st.floats(low, high, allow_nan=False, allow_infinity=False)
    size = math.prod(shape)
    return st.lists(numbers, min_size=size, max_size=size).map(  # type: ignore[no-any-return]
        lambda entries: np.array(entries, dtype=np.float64).reshape(shape)
    )


def shapes(
    *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[tuple[int, ...]]:
    """Shapes: 0-d, empty and size 1 included.

    >>> shapes(min_dims=2, max_dims=2, min_side=3, max_side=3).example()    # doctest: +SKIP
    (3, 3)
    """
    strategy: SearchStrategy[tuple[int, ...]] = hypothesis().extra.numpy.array_shapes(
        min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return strategy


def broadcastable(n: int = 2, **sizes: int) -> SearchStrategy[tuple[tuple[int, ...], ...]]:
    """`n` shapes that broadcast together; `sizes` as for `shapes`."""

    def drawn(draw: DrawFn) -> tuple[tuple[int, ...], ...]:
        full = draw(shapes(**sizes))
        source = Drawn(draw)

        def shrunk() -> tuple[int, ...]:
            kept = full[source.pick(range(len(full) + 1)) :]
            return tuple(source.pick((side, 1)) for side in kept)

        return tuple(shrunk() for _ in range(n))

    return _composite(drawn)


def tensors(
    shape: tuple[int, ...] | SearchStrategy[tuple[int, ...]] = (),
    *,
    low: float = -3.0,
    high: float = 3.0,
    dtype: Any = np.float64,
    requires_grad: bool = True,
) -> SearchStrategy[Tensor]:
    """Tensors of a shape (or of drawn shapes) with entries between `low` and `high`."""

    def drawn(draw: DrawFn) -> Tensor:
        sides = shape if isinstance(shape, tuple) else draw(shape)
        array = Drawn(draw).numbers(sides, low, high).astype(dtype)
        return Tensor(array, requires_grad=requires_grad)

    return _composite(drawn)


def away_from_kinks(
    shape: tuple[int, ...], kinks: Sequence[float] = (0.0,), *, margin: float = MARGIN
) -> SearchStrategy[Array]:
    """Arrays between -3 and 3 whose entries keep a distance from the places in `kinks`."""

    def distance(x: Array) -> Array:
        return np.min([np.abs(x - kink) for kink in kinks], axis=0)

    def drawn(draw: DrawFn) -> Array:
        x = Drawn(draw).numbers(shape, -3.0, 3.0)
        moved = far_from_kinks(Domain(kink=distance), (x,), {}, margin)
        if moved is None:
            hypothesis().reject()
            raise AssertionError
        return moved[0]

    return _composite(drawn)


def cases(op: Op, *, wide: bool = False) -> SearchStrategy[Case]:
    """Inputs, attributes and an arriving gradient for an op, from its domain."""

    def drawn(choose: DrawFn) -> Case:
        case = draw(op, Drawn(choose), wide=wide)
        if case is None:
            hypothesis().reject()
            raise AssertionError
        return case

    return _composite(drawn)


@dataclass(frozen=True)
class Graph:
    """A drawn function of tensors with shared subexpressions, whose value stays small.

    Attributes:
        inputs: The arrays that it is drawn for.
        steps: What is computed: the name of a step and the places of its operands, inputs first.
    """

    inputs: tuple[Array, ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...]

    def __call__(self, *tensors: Any) -> Any:
        """Compute the graph; the result is one number."""
        values = list(tensors)
        for name, places in self.steps:
            values.append(STEPS[name](*(values[k] for k in places)))
        total = values[-1].mean()
        for value in values[-3:-1]:
            total = total + value.mean()
        return total


STEPS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: (a + b) / 2,
    "sub": lambda a, b: (a - b) / 2,
    "mul": lambda a, b: a * b / 2,
    "div": lambda a, b: a / (2 + b * b),
    "tanh": np.tanh,
    "sin": np.sin,
    "exp": lambda a: np.exp(-a * a),
    "row": lambda a: a.mean(axis=-1, keepdims=True) if a.ndim else a,
    "turn": lambda a: a.mT if a.ndim > 1 and a.shape[-1] == a.shape[-2] else a,
}
"""What graphs are made of: smooth, and no larger than their operands by much."""


def graphs(*, max_steps: int = 12, side: int = 3) -> SearchStrategy[Graph]:
    """Functions made of up to `max_steps` steps, with their inputs (see `Graph`)."""

    def drawn(draw: DrawFn) -> Graph:
        source = Drawn(draw)
        full = source.pick(((), (side,), (side, side)))
        sizes = [full, *(full[source.pick(range(len(full) + 1)) :] for _ in range(2))]
        inputs = tuple(source.numbers(shape, -1.5, 1.5) for shape in sizes)
        steps: list[tuple[str, tuple[int, ...]]] = []
        for _ in range(source.pick(range(1, max_steps + 1))):
            name = source.pick(tuple(STEPS))
            arity = 2 if name in {"add", "sub", "mul", "div"} else 1
            known = range(len(inputs) + len(steps))
            steps.append((name, tuple(source.pick(known) for _ in range(arity))))
        return Graph(inputs, tuple(steps))

    return _composite(drawn)


def layer_stacks(
    *, max_layers: int = 3, max_width: int = 4, batch: int = 3
) -> SearchStrategy[tuple[Any, Array]]:
    """Stacks of linear layers and activations, each with a batch that fits: ``(model, x)``."""
    from tinygrad_mlp import nn

    def drawn(draw: DrawFn) -> tuple[Any, Array]:
        source = Drawn(draw)
        widths = [
            source.pick(range(1, max_width + 1))
            for _ in range(source.pick(range(1, max_layers + 1)) + 1)
        ]
        layers: list[Any] = []
        for before, after in itertools.pairwise(widths):
            layer = nn.Linear(before, after, bias=source.pick((True, False)))
            for parameter in layer.parameters():
                parameter.data = source.numbers(parameter.shape, -1.0, 1.0)
            layers += [layer, source.pick((nn.Tanh, nn.Sigmoid))()]
        return nn.Sequential(*layers), source.numbers((batch, widths[0]), -2.0, 2.0)

    return _composite(drawn)


def _composite(drawn: Callable[[DrawFn], T]) -> SearchStrategy[T]:
    """The strategy that draws as the function says."""
    strategy: SearchStrategy[T] = hypothesis().strategies.composite(drawn)()
    return strategy
