"""Parameters that a function reads by itself, turned into arguments for a while.

This file knows how a tensor stands in the graph. A model's weights are no arguments of the
model, yet their gradients are what one wants to check. So each weight is made, for a while, the
result of "the same as this argument", and afterwards it is the leaf again that it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tinygrad_mlp.ops import positive
from tinygrad_mlp.origin import tick
from tinygrad_mlp.tensor import Tensor

__all__ = ["borrowed"]

FIELDS = ("_data", "birth", "op", "inputs", "values", "attrs", "requires_grad")


@contextmanager
def borrowed(parameters: Sequence[Tensor], f: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """A function of the parameters and of the arguments of `f`, for as long as the block runs.

    >>> w = Tensor([2.0], requires_grad=True)
    >>> with borrowed([w], lambda x: x * w) as function:
    ...     function(Tensor([5.0]), 3.0)
    Tensor([15.], shape=(1,))
    >>> w
    Tensor([2.], shape=(1,), requires_grad=True)
    """
    kept = [[getattr(p, field) for field in FIELDS] for p in parameters]

    def function(*arguments: Any) -> Any:
        for p, argument in zip(parameters, arguments, strict=False):
            stand_in(p, argument)
        return f(*arguments[len(parameters) :])

    try:
        yield function
    finally:
        for p, values in zip(parameters, kept, strict=True):
            for field, value in zip(FIELDS, values, strict=True):
                setattr(p, field, value)


def stand_in(p: Tensor, argument: Tensor) -> None:
    """Make `p` the result of ``+argument``, as if it had just been computed."""
    array = argument.data
    p.data = array
    p.birth = tick()
    p.requires_grad = argument.requires_grad
    if argument.requires_grad:
        p.op, p.inputs, p.values, p.attrs = positive, (argument,), (array, array), {}
    else:
        p.op, p.inputs, p.values, p.attrs = None, (), (), {}
