"""Where a tensor came from, in terms of layers: what messages of layers are made of.

This file knows scopes and paths. It knows layers only by their ``in_features`` and
``out_features``, if they have any.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mlp.graph import module_path
from tinygrad_mlp.origin import here
from tinygrad_mlp.tensor import Tensor

__all__ = ["place_of", "trail"]


def place_of(module: Any) -> str:
    """The module that is running, with its path in the model: ``Linear 'layers.2'``."""
    path = module_path(here.scope)
    return f"{type(module).__name__}{f' {path!r}' if path else ''}"


def trail(x: Tensor) -> list[tuple[str, str]]:
    """The layers that `x` came through, newest first, back to one that sets the width.

    Returns:
        Pairs of a title, ``Linear 'layers.0' (3→4)``, and a path, ``layers.0``.
    """
    found: list[tuple[str, str]] = []
    met: set[int] = set()
    node: Tensor | None = x
    while node is not None and node.scope is not None and len(met) < 8:
        module = node.scope[1]
        if here.scope is not None and module is here.scope[1]:
            break  # made by the layer that complains: an array that became a tensor there
        if id(module) not in met:
            if node.op is None and node.values == () and node.requires_grad:
                break
            met.add(id(module))
            path = module_path(node.scope)
            title = f"{type(module).__name__}{f' {path!r}' if path else ''}"
            if hasattr(module, "in_features") and hasattr(module, "out_features"):
                title += f" ({module.in_features}→{module.out_features})"
                found.append((title, path))
                break
            found.append((title, path))
        node = node.inputs[0] if node.inputs else None
    return found
