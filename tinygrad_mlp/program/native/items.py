"""Items: what a plan is made of, each one walk through memory.

This file knows what an item holds. It decides nothing and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tinygrad_mlp.program.ir import Equation, Var
from tinygrad_mlp.program.native.views import View

__all__ = ["Copy", "Group", "Item", "Product", "Reduction"]


@dataclass(eq=False)
class Product:
    """``output = a @ b``, of matrices."""

    equation: Equation
    a: Any
    b: Any
    rows: int
    inner: int
    columns: int


@dataclass(eq=False)
class Group:
    """Equations that work entry by entry on arrays of one shape, behind a product or alone.

    Attributes:
        shape: The shape.
        head: The product.
        equations: The rest.
        open: Whether more may join.
    """

    shape: tuple[int, ...]
    head: Product | None = None
    equations: list[Equation] = field(default_factory=list)
    open: bool = True

    @property
    def outputs(self) -> list[Var]:
        """What it computes."""
        head = [self.head.equation.output] if self.head else []
        return [*head, *(e.output for e in self.equations)]

    @property
    def all(self) -> list[Equation]:
        """All of its equations."""
        return [*([self.head.equation] if self.head else []), *self.equations]


@dataclass(eq=False)
class Reduction:
    """Entries, or products of two, gathered along axes.

    Attributes:
        equation: The equation.
        operands: One array, or two that are multiplied; and which of its axes is walked along
            each axis of `shape`.
        shape: The shape that is walked through.
        axes: The axes that go.
    """

    equation: Equation
    operands: list[tuple[Any, tuple[int | None, ...]]]
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def outputs(self) -> list[Var]:
        """What it computes."""
        return [self.equation.output]

    @property
    def all(self) -> list[Equation]:
        """All of its equations."""
        return [self.equation]


@dataclass(eq=False)
class Copy:
    """An array copied from one place to another: a result, or what a cell will hold."""

    source: Any
    target: View


Item: TypeAlias = Group | Reduction
