"""ModuleList and ModuleDict, for those who look for them: a list and a dict do the same here.

This file knows names. A module finds what is in plain lists and dicts too (see `Module`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.nn.sequential import as_layer
from tinygrad_mlp.nn.state import no_such

__all__ = ["ModuleDict", "ModuleList"]


class ModuleList(Module):
    """A list of modules; it cannot be called, but looped over.

    >>> from tinygrad_mlp import nn
    >>> layers = ModuleList([nn.Linear(2, 2), nn.Tanh()])
    >>> layers.append(nn.Linear(2, 1))
    >>> list(layers.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    _items: list[Module]

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        self._items = []
        self.extend(modules)

    def append(self, module: Any) -> None:
        """Add one at the end."""
        self._items.append(as_layer(str(len(self._items)), module))

    def extend(self, modules: Iterable[Any]) -> None:
        """Add several at the end."""
        for module in modules:
            self.append(module)

    def insert(self, index: int, module: Any) -> None:
        """Put one before the module at `index`; those behind it move on, and so do their names.

        >>> import numpy as np
        >>> layers = ModuleList([np.tanh])
        >>> layers.insert(0, np.exp)
        >>> [layer.extra_repr() for layer in layers]
        ['exp', 'tanh']
        """
        self._items.insert(index, as_layer(str(index), module))

    def pop(self, index: int = -1) -> Module:
        """Take one out, and return it."""
        return self._items.pop(index)

    def members(self) -> Iterable[tuple[str, Any]]:
        """The modules by their positions."""
        return ((str(i), module) for i, module in enumerate(self._items))

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """A list says in no order how to run: loop over its modules."""
        raise UsageError(
            "a ModuleList cannot be called",
            why="it does not say how its modules follow each other",
            fix="Loop over it in forward(), or use Sequential.",
        )

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items)

    def __getitem__(self, key: Any) -> Any:
        return ModuleList(self._items[key]) if isinstance(key, slice) else self._items[key]

    def __setitem__(self, key: int, module: Any) -> None:
        self._items[key] = as_layer(str(key), module)

    def __delitem__(self, key: int | slice) -> None:
        del self._items[key]


class ModuleDict(Module):
    """Modules by name; it cannot be called, but asked for each.

    >>> from tinygrad_mlp import nn
    >>> heads = ModuleDict({"price": nn.Linear(3, 1)})
    >>> list(heads.state_dict())
    ['price.weight', 'price.bias']
    """

    _items: dict[str, Module]

    def __init__(self, modules: Mapping[str, Any] | None = None) -> None:
        self._items = {}
        for name, module in (modules or {}).items():
            self[name] = module

    def members(self) -> Iterable[tuple[str, Any]]:
        """The modules by their names."""
        return self._items.items()

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """A dict says in no way how to run: choose one of its modules."""
        raise UsageError(
            "a ModuleDict cannot be called",
            why="it does not say which of its modules is meant",
            fix="Write heads['name'](x).",
        )

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._items.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._items.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._items.items()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __getitem__(self, name: str) -> Module:
        if name not in self._items:
            raise no_such("module", name, self._items)
        return self._items[name]

    def __setitem__(self, name: str, module: Any) -> None:
        self._items[str(name)] = as_layer(str(name), module)
