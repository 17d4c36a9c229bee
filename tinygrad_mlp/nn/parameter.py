"""Parameter and Buffer: the tensors that belong to a module.

This file knows that a parameter is trained and a buffer is only kept. It does not know what
modules do with them: `module.py` finds both wherever a module keeps them.
"""

from __future__ import annotations

from typing import Any, Self, final

from tinygrad_mlp.tensor import Tensor

__all__ = ["Buffer", "Parameter"]


class _Role(type):
    """The type of a class that says what a tensor is for: its instances are plain tensors."""

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor) and x.role == cls.__name__


@final
class Parameter(Tensor, metaclass=_Role):
    """A tensor that a module trains: it needs a gradient and has a place in `state_dict`.

    Args:
        data: As for `Tensor`; whole numbers in lists become float64.
        requires_grad: False freezes it: it keeps its place but is not trained.
        name: What pictures and messages call it; by default its path in the model.
        dtype: The dtype.
        copy: False shares the caller's array.

    >>> Parameter([1.0, 2.0])
    Parameter([1., 2.], shape=(2,), requires_grad=True)
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        requires_grad: bool = True,
        *,
        name: str | None = None,
        dtype: Any = None,
        copy: bool = True,
    ) -> Self:
        """Make a tensor, and say what it is for."""
        t = Tensor(data, requires_grad, name=name, dtype=dtype, copy=copy)
        t.role = "Parameter"
        return t  # type: ignore[return-value] # it passes for one


@final
class Buffer(Tensor, metaclass=_Role):
    """A tensor that a module keeps but does not train: it has a place in `state_dict`.

    A module changes it by rebinding, ``self.count.data = self.count.data + 1``, so that
    graphs that used the old values stay exact and a compiled step sees the change.

    Args:
        data, requires_grad, name, dtype, copy: As for `Tensor`.

    >>> Buffer([0.0, 0.0])
    Buffer([0., 0.], shape=(2,))
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        requires_grad: bool = False,
        *,
        name: str | None = None,
        dtype: Any = None,
        copy: bool = True,
    ) -> Self:
        """Make a tensor, and say what it is for."""
        t = Tensor(data, requires_grad, name=name, dtype=dtype, copy=copy)
        t.role = "Buffer"
        return t  # type: ignore[return-value] # it passes for one
