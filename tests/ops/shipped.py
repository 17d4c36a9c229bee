"""The ops that the package ships, found in the registry: tests are written for all of them."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import tinygrad_mlp.autodiff
import tinygrad_mlp.ops
import tinygrad_mlp.ops.random
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.testing.subject import of_op

for _module in pkgutil.walk_packages(tinygrad_mlp.ops.__path__, "tinygrad_mlp.ops."):
    importlib.import_module(_module.name)


def _ours(op):
    """Not an op that some other test defined."""
    functions = (op.forward, op.each, *op.rules)
    return not any(str(getattr(f, "__module__", "")).startswith("tests") for f in functions if f)


SHIPPED = [op for op in REGISTRY.values() if _ours(op) and op is not tinygrad_mlp.autodiff.FREED]
DIFFERENTIABLE = [op for op in SHIPPED if op.differentiable]
DRAWABLE = [op for op in SHIPPED if op.domain is not None]
RANDOM = [op for op in SHIPPED if op in vars(tinygrad_mlp.ops.random).values()]
"""Ops whose result is drawn: what they compute depends on a generator."""


def for_each(ops):
    """Run a test once for each of these ops."""
    return pytest.mark.parametrize("op", ops, ids=lambda op: op.name)


def subject_of(case):
    """A drawn case as something to be checked."""
    return of_op(case.op, case.inputs, case.attrs)
