"""The line-up: every contender as one line of data, imported only when it runs.

To add one, write a file here with a `Trainer` (and a `Chain` if it has a graph of operations) and
add a line to `LINE_UP`. Tables, pictures, checks and child processes take it from there.
Knows where contenders live and which package each needs; imports none of them itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from benchmarks.contenders.base import Chain, Trainer
from benchmarks.results import NOT_INSTALLED

__all__ = ["BY_KEY", "LINE_UP", "Chain", "Contender", "NotInstalled", "Trainer"]


class NotInstalled(Exception):
    """The package that a contender needs is not on this machine."""


@dataclass(frozen=True)
class Contender:
    """One contender: `module` is its file here, `package` what it imports."""

    key: str
    title: str
    package: str
    module: str
    train: str | None = "Train"
    chain: str | None = None
    only: tuple[str, ...] | None = None
    deepest: int = 1_000_000

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None

    @property
    def absence(self) -> str:
        """Why its rows are empty; nothing if it is there."""
        return "" if self.installed else NOT_INSTALLED

    def runs(self, workload: str) -> bool:
        return self.train is not None and (self.only is None or workload in self.only)

    def trainer(self) -> type[Trainer]:
        return cast(type[Trainer], self._load(self.train))

    def chain_class(self) -> type[Chain]:
        return cast(type[Chain], self._load(self.chain))

    def _load(self, name: str | None) -> object:
        if not self.installed:
            raise NotInstalled(self.package)
        assert name is not None, f"{self.key} has no such class"
        return getattr(import_module(f"{__name__}.{self.module}"), name)


LINE_UP = (
    Contender("ours", "tinygrad_mlp, eager", "tinygrad_mlp", "ours", chain="Chain"),
    Contender("ours-kept", "tinygrad_mlp, eager, graph kept", "tinygrad_mlp", "ours", "TrainKept"),
    Contender(
        "ours-compiled-numpy",
        "tinygrad_mlp, compiled, NumPy",
        "tinygrad_mlp",
        "ours_compiled",
        "Numpy",
    ),
    Contender(
        "ours-scan-numpy", "tinygrad_mlp, scan, NumPy", "tinygrad_mlp", "ours_compiled", "NumpyScan"
    ),
    Contender(
        "ours-compiled-native",
        "tinygrad_mlp, compiled, LLVM",
        "llvmlite",
        "ours_compiled",
        "Native",
    ),
    Contender(
        "ours-scan-native", "tinygrad_mlp, scan, LLVM", "llvmlite", "ours_compiled", "NativeScan"
    ),
    Contender("by-hand", "NumPy by hand, in place", "numpy", "by_hand"),
    Contender("lesson", "the lesson's class (no bias)", "numpy", "lesson", only=("sum",)),
    Contender("pytorch", "PyTorch, eager", "torch", "pytorch", chain="Chain"),
    Contender("mygrad", "MyGrad", "mygrad", "mygrad_tensors", chain="Chain", deepest=100_000),
    Contender(
        "mygrad-unguarded", "MyGrad, no memory guard", "mygrad", "mygrad_tensors", "TrainUnguarded"
    ),
    Contender(
        "autograd", "HIPS/autograd", "autograd", "hips_autograd", chain="Chain", deepest=100_000
    ),
    Contender("jax-jit", "JAX, jit per step", "jax", "jax_xla"),
    Contender("jax-scan", "JAX, scan per epoch", "jax", "jax_xla", "Scan"),
    Contender("jax-eager", "JAX, no jit", "jax", "jax_xla", None, chain="Chain", deepest=1_000),
)
BY_KEY = {contender.key: contender for contender in LINE_UP}
