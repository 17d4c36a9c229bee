"""Normalisation: LayerNorm over the features of a sample, BatchNorm1d over the samples.

This file knows the statistics and where the running ones are kept: in buffers, which are
rebound and never written in place, so that old graphs stay exact.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError
from tinygrad_mlp.functional import layer_norm
from tinygrad_mlp.nn.init import counted
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.parameter import Buffer, Parameter
from tinygrad_mlp.nn.trail import place_of
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["BatchNorm1d", "LayerNorm"]


class LayerNorm(Module):
    """Shifts and scales each sample to mean 0 and variance 1, then by learned numbers.

    Source: Ba, Kiros, Hinton, "Layer normalization" (2016), equation 4.

    Args:
        normalized_shape: The shape of one sample's features, or their number.
        eps: Added to the variance.
        elementwise_affine: Whether to learn a factor and an offset per feature.
        bias: Whether to learn the offset.
        dtype: The dtype of the parameters, float64 by default.

    Attributes:
        weight, bias: Of `normalized_shape`, or None.

    >>> LayerNorm(2, eps=0.0)([1.0, 3.0])
    Tensor([-1.,  1.], shape=(2,), op=layer_norm)
    """

    normalized_shape: tuple[int, ...]
    eps: float
    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        given: Any = normalized_shape
        sizes = given if isinstance(given, tuple | list) else (given,)
        self.normalized_shape = tuple(
            counted("LayerNorm", "normalized_shape", n, "LayerNorm(5), or LayerNorm((3, 4))")
            for n in sizes
        )
        self.eps = float(eps)
        kind = np.float64 if dtype is None else dtype
        self.weight = (
            Parameter(np.ones(self.normalized_shape, kind)) if elementwise_affine else None
        )
        with_bias = elementwise_affine and bias
        self.bias = Parameter(np.zeros(self.normalized_shape, kind)) if with_bias else None

    def forward(self, x: Any) -> Tensor:
        """Normalise (..., *normalized_shape)."""
        x = astensor(x)
        n = len(self.normalized_shape)
        if x.ndim < n or x.shape[x.ndim - n :] != self.normalized_shape:
            raise ShapeError(
                f"{place_of(self)} normalises {_size(self.normalized_shape)}, got {x.shape}",
                fix=f"Write LayerNorm({_size(x.shape[-n:])}).",
            )
        axes = tuple(range(-n, 0))
        return layer_norm(x, self.weight, self.bias, axis=axes, eps=self.eps)  # type: ignore[no-any-return]

    def fitting(self, shapes: dict[str, tuple[int, ...]]) -> str | None:
        """The constructor call whose parameters have these shapes."""
        return f"LayerNorm({_size(shapes['weight'])})" if "weight" in shapes else None

    def extra_repr(self) -> str:
        """Its arguments."""
        return _size(self.normalized_shape)


def _size(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)


class BatchNorm1d(Module):
    """Shifts and scales each feature over the batch, then by learned numbers.

    In training it uses the batch's own mean and variance, and keeps running ones; in use
    (`eval`) it uses those. The running variance is the unbiased one, as in PyTorch.

    Source: Ioffe, Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift" (2015), algorithm 1.

    Args:
        num_features: How many features.
        eps: Added to the variance.
        momentum: How much a batch counts in the running numbers; None averages all batches.
        affine: Whether to learn a factor and an offset per feature.
        track_running_stats: Whether to keep running numbers; without them `eval` changes nothing.
        dtype: The dtype of parameters and buffers, float64 by default.

    Called with (samples, features) or (samples, features, length).

    Raises:
        DataError: In training, with one number per feature: it has no variance.

    >>> BatchNorm1d(1, eps=0.0)([[1.0], [3.0]]).tolist()
    [[-1.0], [1.0]]
    """

    num_features: int
    eps: float
    momentum: float | None
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Buffer | None
    running_var: Buffer | None
    num_batches_tracked: Buffer | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        self.num_features = counted("BatchNorm1d", "num_features", num_features, "BatchNorm1d(5)")
        self.eps, self.momentum = float(eps), None if momentum is None else float(momentum)
        kind = np.float64 if dtype is None else dtype
        ones, zeros = np.ones(self.num_features, kind), np.zeros(self.num_features, kind)
        self.weight = Parameter(ones) if affine else None
        self.bias = Parameter(zeros) if affine else None
        self.running_mean = Buffer(zeros) if track_running_stats else None
        self.running_var = Buffer(ones) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.array(0)) if track_running_stats else None

    def forward(self, x: Any) -> Tensor:
        """Normalise (samples, features) or (samples, features, length)."""
        x = astensor(x)
        if x.ndim not in {2, 3} or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{place_of(self)} normalises {self.num_features} features, got {x.shape}",
                why="it takes (samples, features) or (samples, features, length)",
            )
        axes = (0,) if x.ndim == 2 else (0, 2)
        if self.training or self.running_mean is None or self.running_var is None:
            mean, variance = self._of_batch(x, axes)
        else:
            mean, variance = self._wide(self.running_mean, x), self._wide(self.running_var, x)
        y = (x - mean) / np.sqrt(variance + self.eps)
        if self.weight is not None:
            y = y * self._wide(self.weight, x)
        return y if self.bias is None else y + self._wide(self.bias, x)  # type: ignore[no-any-return]

    def _of_batch(self, x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The batch's mean and variance; in training the running ones take note."""
        count = math.prod(x.shape[axis] for axis in axes)
        if count < 2 and self.training:
            raise DataError(
                f"{place_of(self)} got {x.shape} in training",
                why="a single number per feature has no variance",
                fix="Use larger batches, drop_last=True in the loader, or model.eval().",
            )
        mean = x.mean(axis=axes, keepdims=True)
        centred = x - mean
        variance = (centred * centred).mean(axis=axes, keepdims=True)
        if self.training and self.num_batches_tracked is not None:
            self._track(mean.data.reshape(-1), variance.data.reshape(-1) * (count / (count - 1)))
        return mean, variance

    def _track(self, mean: Any, variance: Any) -> None:
        assert self.num_batches_tracked is not None  # noqa: S101 - the caller has looked
        assert self.running_mean is not None  # noqa: S101
        assert self.running_var is not None  # noqa: S101
        self.num_batches_tracked.data = self.num_batches_tracked.data + 1
        for running, new in ((self.running_mean, mean), (self.running_var, variance)):
            old = running.data
            if self.momentum is None:
                share = 1 / self.num_batches_tracked.data.astype(old.dtype)
                running.data = old + (new - old) * share
            else:
                running.data = (1 - self.momentum) * old + self.momentum * new

    def _wide(self, values: Tensor, x: Tensor) -> Tensor:
        """Numbers per feature, in the place of the features."""
        return values if x.ndim == 2 else values.reshape((self.num_features, 1))

    def fitting(self, shapes: dict[str, tuple[int, ...]]) -> str | None:
        """The constructor call whose parameters have these shapes."""
        found = shapes.get("running_mean") or shapes.get("weight")
        return f"BatchNorm1d({found[0]})" if found else None

    def extra_repr(self) -> str:
        """Its size."""
        return str(self.num_features)
