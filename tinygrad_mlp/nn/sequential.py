"""Sequential: layers, one after the other. MLP: the usual stack of them.

This file knows order and names. It knows no mathematics: each layer does its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, overload

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.state import no_such
from tinygrad_mlp.tensor import astensor

__all__ = ["Function", "Sequential", "as_layer"]


class Function(Module):
    """A plain function as a layer: what `Sequential` makes of one.

    >>> import numpy as np
    >>> Function(np.exp)([0.0])
    Tensor([1.], shape=(1,))
    """

    function: Callable[[Any], Any]

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def forward(self, x: Any) -> Any:
        """Apply the function to a tensor."""
        return self.function(astensor(x))

    def extra_repr(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", None) or repr(self.function)


Function.shipped = False  # its lines are those of the user's function


class Sequential(Module):
    """Layers that are run one after the other.

    Args:
        *layers: Modules or plain functions; or one list of them; or one dict, to name them.
            Without names they are called ``0``, ``1``, …, as in ``torch.nn.Sequential``.

    A slice is a `Sequential` of the same layers; an index or a name is one layer.

    >>> import numpy as np
    >>> from tinygrad_mlp import nn
    >>> model = nn.Sequential(nn.Linear(2, 5), nn.Sigmoid(), nn.Linear(5, 1, bias=False))
    >>> model
    Sequential(  # 20 parameters
      (0): Linear(2, 5)  # 15 parameters
      (1): Sigmoid()
      (2): Linear(5, 1, bias=False)  # 5 parameters
    )
    >>> model(np.zeros((4, 2))).shape
    (4, 1)
    >>> len(model[:2])
    2
    """

    _names: tuple[str, ...]
    _layers: tuple[Module, ...]

    def __init__(self, *layers: Any) -> None:
        named = layers[0] if len(layers) == 1 else None
        if isinstance(named, Mapping):
            pairs = [(str(name), layer) for name, layer in named.items()]
        else:
            parts = named if isinstance(named, list | tuple) else layers
            pairs = [(str(i), layer) for i, layer in enumerate(parts)]
        self._names = tuple(name for name, _ in pairs)
        self._layers = tuple(as_layer(name, layer) for name, layer in pairs)

    def forward(self, x: Any) -> Any:
        """Run the layers in order."""
        for layer in self._layers:
            x = layer(x)
        return x

    def members(self) -> Iterable[tuple[str, Any]]:
        """The layers by their own names, then whatever a subclass keeps besides."""
        own = ((k, v) for k, v in self.__dict__.items() if k not in {"_names", "_layers"})
        return (*zip(self._names, self._layers, strict=True), *own)

    def append(self, layer: Any) -> Self:
        """Add a layer at the end; its name is its position.

        >>> from tinygrad_mlp import nn
        >>> nn.Sequential(nn.Linear(2, 5)).append(nn.Tanh())
        Sequential(  # 15 parameters
          (0): Linear(2, 5)  # 15 parameters
          (1): Tanh()
        )
        """
        name = str(len(self._layers))
        if name in self._names:
            raise UsageError(
                f"there is a layer {name!r} already",
                fix="Name it: Sequential({**named, name: layer}).",
            )
        self._layers = (*self._layers, as_layer(name, layer))
        self._names = (*self._names, name)
        return self

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers)

    @overload
    def __getitem__(self, key: int | str) -> Module: ...
    @overload
    def __getitem__(self, key: slice) -> Sequential: ...
    def __getitem__(self, key: int | str | slice) -> Module:
        if isinstance(key, slice):
            names, layers = self._names[key], self._layers[key]
            if all(name.isdigit() for name in names):
                return Sequential(*layers)
            return Sequential(dict(zip(names, layers, strict=True)))
        if isinstance(key, str):
            if key not in self._names:
                raise no_such("layer", key, self._names)
            return self._layers[self._names.index(key)]
        return self._layers[key]


def as_layer(name: str, layer: Any) -> Module:
    """A module as it is, a function or a list of layers as a module; all else is a mistake."""
    if isinstance(layer, Module):
        return layer
    if isinstance(layer, type) and issubclass(layer, Module):
        raise UsageError(
            f"item {name} is the class {layer.__name__}", fix=f"Write {layer.__name__}()."
        )
    if isinstance(layer, list | tuple):
        return Sequential(*layer)
    if callable(layer):
        return Function(layer)
    raise UsageError(
        f"item {name} is of type {type(layer).__name__}",
        why="a layer takes a tensor and gives one",
        fix="Put modules or functions into Sequential.",
    )
