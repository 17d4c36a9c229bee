"""Embedding: a row of numbers for every word, class or other whole number.

This file knows that indices are data, not parameters: no gradient flows to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, IndexingError
from tinygrad_mlp.functional.comparing import expect
from tinygrad_mlp.nn.init import Initialiser, Seed, beginning, counted, generator, normal
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.parameter import Parameter
from tinygrad_mlp.nn.trail import place_of
from tinygrad_mlp.tensor import Tensor

__all__ = ["Embedding"]


class Embedding(Module):
    """A table of vectors: row `i` stands for the number `i`.

    Args:
        num_embeddings: How many rows.
        embedding_dim: How long each is.
        init: Where they begin; standard normal by default, as PyTorch's.
        dtype: The dtype of the table, float64 by default.
        rng: A generator or a seed.

    Attributes:
        weight: (num_embeddings, embedding_dim).

    Called with whole numbers of any shape it gives (*shape, embedding_dim).

    >>> words = Embedding(10, 3, rng=0)
    >>> words([1, 2, 2]).shape
    (3, 3)
    """

    num_embeddings: int
    embedding_dim: int
    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        init: Initialiser | None = None,
        dtype: Any = None,
        rng: Seed = None,
    ) -> None:
        usage = "Embedding(rows, numbers), as in Embedding(10, 3)"
        self.num_embeddings = counted("Embedding", "num_embeddings", num_embeddings, usage)
        self.embedding_dim = counted("Embedding", "embedding_dim", embedding_dim, usage)
        shape = (self.num_embeddings, self.embedding_dim)
        start = normal() if init is None else init
        self.weight = Parameter(beginning(start, shape, generator(rng), dtype))

    def forward(self, index: Any) -> Tensor:
        """Look up whole numbers of any shape."""
        if not isinstance(index, Tensor):
            index = Tensor(np.asarray(index))
        if index.dtype.kind not in "iu":
            raise DTypeError(
                f"{place_of(self)} got numbers of {index.dtype}",
                why="it looks up rows by whole numbers",
                fix="Use x.astype(int).",
            )
        expect(index, self._has)
        return self.weight[index]

    def _has(self, numbers: Any) -> None:
        """Refuse numbers of rows that there are not."""
        for found in (numbers.min(), numbers.max()):
            if not 0 <= found < self.num_embeddings:
                raise IndexingError(
                    f"{place_of(self)} has no row {found}",
                    why=f"its rows are 0 to {self.num_embeddings - 1}",
                    fix=f"Use Embedding({max(found, 0) + 1}, {self.embedding_dim}) or more.",
                )

    def fitting(self, shapes: dict[str, tuple[int, ...]]) -> str | None:
        """The constructor call whose parameters have these shapes."""
        table = shapes.get("weight", ())
        return f"Embedding({table[0]}, {table[1]})" if len(table) == 2 else None

    def extra_repr(self) -> str:
        """Its arguments."""
        return f"{self.num_embeddings}, {self.embedding_dim}"
