"""The networks that are trained, as data: layer sizes, batch, dtype, and one epoch of samples.

A sigmoid follows every linear layer, the loss is the mean squared error, and each step is plain
gradient descent: forward, backward, update. Knows NumPy only; who trains the network, and how the
time is taken, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
LEARNING_RATE = 0.1


@dataclass(frozen=True)
class Workload:
    """One network and the shape of its epoch: `steps` batches of `batch` samples."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    dtype: str
    steps: int
    stands_for: str


@dataclass(frozen=True, eq=False)
class Task:
    """A workload with its numbers drawn: what every contender is handed, and must not write to.

    `weights[i]` is (out, in), `biases[i]` is (out,), `inputs` is (steps, batch, sizes[0]) and
    `targets` is (steps, batch, sizes[-1]), all of the workload's dtype.
    """

    workload: Workload
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    inputs: Array
    targets: Array
    learning_rate: float = LEARNING_RATE


WORKLOADS = (
    Workload("sum", (2, 5, 1), 1, "float64", 1_000, "the classic lesson, one sample at a time"),
    Workload("small", (64, 64, 64, 1), 32, "float32", 256, "a small tabular network"),
    Workload("digits", (784, 128, 10), 64, "float32", 64, "handwritten digits"),
    Workload("wide", (1024, 1024, 1024), 512, "float32", 4, "arithmetic: BLAS decides"),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def square(width: int) -> Workload:
    """A network of two layers of `width` units, to see where arithmetic outgrows overhead."""
    steps = max(8, 2**17 // width**2)
    return Workload(str(width), (width, width, width), 32, "float32", steps, "width scaling")


def draw(workload: Workload, seed: int = 0) -> Task:
    """Draw weights and data; the targets are a smooth function of the inputs, in (0, 1).

    Weights are uniform in ±1/√fan_in, biases too. For `sum` the data are the lesson's: two numbers
    in [0, 0.5) and their sum.
    """
    rng = np.random.default_rng(seed)
    dtype = np.dtype(workload.dtype)

    def uniform(bound: float, *shape: int) -> Array:
        values: Array = rng.uniform(-bound, bound, shape).astype(dtype)
        return values

    layers = tuple(pairwise(workload.sizes))
    shape = (workload.steps, workload.batch, workload.sizes[0])
    inputs = rng.uniform(0.0, 0.5, shape)
    mixing = rng.uniform(0.0, 2.0, (workload.sizes[0], workload.sizes[-1]))
    if workload.name == "sum":
        targets = inputs.sum(axis=-1, keepdims=True)
    else:
        targets = inputs @ mixing / workload.sizes[0]
    return Task(
        workload,
        tuple(uniform(n_in**-0.5, n_out, n_in) for n_in, n_out in layers),
        tuple(uniform(n_in**-0.5, n_out) for n_in, n_out in layers),
        inputs.astype(dtype),
        targets.astype(dtype),
    )
