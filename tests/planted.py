"""Ops that are wrong on purpose, for as long as a test needs them."""

from __future__ import annotations

from contextlib import contextmanager

from tinygrad_mlp.ops import BY_NUMPY, REGISTRY, Op


@contextmanager
def planted(name, forward, vjp=None, **kwargs):
    """An op under a name of its own; the registry forgets it afterwards."""
    op = Op(name, forward, vjp, **kwargs)
    try:
        yield op
    finally:
        del REGISTRY[name]
        for function in kwargs.get("numpy", ()):
            BY_NUMPY.pop(function, None)
