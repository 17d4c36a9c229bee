"""Linear: every output is a weighted sum of all inputs.

This file knows the layer, its starting weights and what to say when widths do not meet. The
mathematics is the record `ops.linear`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.nn.init import Initialiser, Seed, beginning, counted, generator, lecun_uniform
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.parameter import Parameter
from tinygrad_mlp.nn.trail import place_of, trail
from tinygrad_mlp.ops import linear
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["Linear"]


class Linear(Module):
    """The affine map ``y = x Wᵀ + b``.

    Args:
        in_features: How many numbers a sample has.
        out_features: How many numbers come out.
        bias: Whether to add one.
        init: Where the weight begins, as in `nn.init`; the bias then begins at zero. By
            default both are uniform within ``±1/√in_features``, as PyTorch's.
        dtype: The dtype of the parameters, float64 by default.
        rng: A generator or a seed for the starting weights.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,), or None.

    Called with (..., in_features) it gives (..., out_features).

    >>> layer = Linear(3, 2, init=lambda shape, rng: np.ones(shape))
    >>> layer([[1.0, 2.0, 3.0]])
    Tensor([[6., 6.]], shape=(1, 2), op=linear)
    """

    in_features: int
    out_features: int
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Initialiser | None = None,
        dtype: Any = None,
        rng: Seed = None,
    ) -> None:
        usage = "Linear(inputs, outputs), as in Linear(2, 5)"
        self.in_features = counted("Linear", "in_features", in_features, usage)
        self.out_features = counted("Linear", "out_features", out_features, usage)
        source = generator(rng)
        shape = (self.out_features, self.in_features)
        kind = np.float64 if dtype is None else dtype
        start = lecun_uniform() if init is None else init
        self.weight = Parameter(beginning(start, shape, source, kind))
        if not bias:
            self.bias = None
        elif init is not None:
            self.bias = Parameter(np.zeros(self.out_features, kind))
        else:
            bound = max(self.in_features, 1) ** -0.5
            self.bias = Parameter(source.uniform(-bound, bound, self.out_features).astype(kind))

    def forward(self, x: Any) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        if not isinstance(x, Tensor):
            x = astensor(x)
        try:
            if self.bias is None:
                return linear(x, self.weight)  # type: ignore[no-any-return]
            return linear(x, self.weight, self.bias)  # type: ignore[no-any-return]
        except ShapeError:
            raise self._widths(x) from None

    def _widths(self, x: Tensor) -> ShapeError:
        """What to say when the input has another width: who gave it, and what would fit."""
        me = place_of(self)
        got = x.shape[-1] if x.ndim else "a single number"
        before = trail(x)
        if not before:
            shown = f"{got}" if x.ndim <= 1 else f"{x.shape}"
            fix = ""
            if x.ndim == 2 and x.shape[0] == self.in_features:
                fix = "Use x.T: a sample is a row, and a feature is a column."
            return ShapeError(f"{me} takes {self.in_features} features, got {shown}", fix=fix)
        givers = " ← ".join(title for title, _ in before)
        giver = _short(before[-1][0], "the layer before")
        mine = _short(me, "this layer")
        return ShapeError(
            f"{me} takes {self.in_features} features, got {x.shape} from {givers}",
            fix=f"Make {giver} give {self.in_features}, or {mine} take {got}.",
        )

    def multiply_adds(self, output_size: int) -> int:
        """One per output and input."""
        return output_size * self.in_features

    def fitting(self, shapes: dict[str, tuple[int, ...]]) -> str | None:
        """The constructor call whose parameters have these shapes."""
        weight = shapes.get("weight", ())
        if len(weight) != 2:
            return None
        bias = "" if "bias" in shapes else ", bias=False"
        return f"Linear({weight[1]}, {weight[0]}{bias})"

    def extra_repr(self) -> str:
        """Its arguments."""
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{bias}"


def _short(title: str, otherwise: str) -> str:
    """``layers.0`` of ``Linear 'layers.0' (3→4)``; a bare number is called a layer."""
    path = title.split("'")[1] if "'" in title else ""
    return f"layer {path}" if path.isdigit() else path or otherwise
