"""What goes through a model: every module's output, and a table of sizes.

This file knows how to listen while a model runs: for the time of one call, each module's
``forward`` is one that also notes what it gave. It knows no layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Summary", "activations", "listening"]


@contextmanager
def listening(model: Any, heard: Callable[[str, Any, Any], None]) -> Iterator[None]:
    """Call ``heard(path, module, output)`` whenever a module of `model` has run."""
    changed = []

    def listener(path: str, module: Any) -> Callable[..., Any]:
        forward = module.forward

        def run(*inputs: Any, **options: Any) -> Any:
            output = forward(*inputs, **options)
            heard(path, module, output)
            return output

        return run

    try:
        for path, module in list(model.named_modules()):
            before = module.__dict__.get("forward")
            module.__dict__["forward"] = listener(path, module)
            changed.append((module, before))
        yield
    finally:
        for module, before in changed:
            if before is None:
                del module.__dict__["forward"]
            else:
                module.__dict__["forward"] = before


def activations(model: Any, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """Run `model` and collect the output of every module, in the order of the calls."""
    found: dict[str, Any] = {}

    def note(path: str, _: Any, output: Any) -> None:
        found.pop(path, None)
        found[path] = output

    with listening(model, note):
        model(*inputs)
    return found


class Summary:
    """A table of a model: one row per module.

    Attributes:
        rows: Tuples (path, class, output shape, parameters, multiply-adds) of the modules that
            have no modules inside, or have parameters of their own. One that is kept in several
            places has a row for each, and its parameters are counted in the first.
        parameters: The number of parameters of the whole, shared ones counted once.
        multiply_adds: Of all rows together.

    >>> from tinygrad_mlp import nn
    >>> nn.MLP(2, [5], 1).summary([[0.3, 0.1]])
    path  module   output  parameters  multiply-adds
    0     Linear   (1, 5)          15             10
    1     Sigmoid  (1, 5)
    2     Linear   (1, 1)           6              5
    3     Sigmoid  (1, 1)
    total MLP                      21             15
    """

    HEAD = ("path", "module", "output", "parameters", "multiply-adds")

    def __init__(self, model: Any, inputs: tuple[Any, ...] = ()) -> None:
        calls = _run(model, inputs) if inputs else {}
        self.model = type(model).__name__
        self.parameters = sum(p.size for p in model.parameters())
        self.multiply_adds = sum(work for each in calls.values() for _, work in each)
        places = list(model.named_modules(remove_duplicate=False))
        left = Counter(id(module) for _, module in places)
        counted: set[int] = set()
        self.rows: list[tuple[str, str, str, int, int]] = []
        for path, module in places:
            own = [p for p in _own_parameters(module) if p.birth not in counted]
            shown = bool(_own_parameters(module)) or sum(1 for _ in module.modules()) == 1
            counted.update(p.birth for p in own)
            shape, work = _share(calls.get(id(module), []), left[id(module)])
            left[id(module)] -= 1
            if shown:
                size = sum(p.size for p in own)
                self.rows.append((path, type(module).__name__, shape, size, work))

    def __repr__(self) -> str:
        total = ("total", self.model, "", self.parameters, self.multiply_adds)
        cells = [self.HEAD, *([_shown(c) for c in row] for row in (*self.rows, total))]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.HEAD))]
        lines = []
        for row in cells:
            left = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
            lines.append("  ".join([*left, *right]).rstrip())
        return "\n".join(lines)


def _shown(cell: Any) -> str:
    return f"{cell:,}".replace(",", " ") if isinstance(cell, int) and cell else str(cell or "")


def _own_parameters(module: Any) -> list[Any]:
    """The parameters of a module that are not in a module inside it."""
    inner = {p.birth for part in module.modules() if part is not module for p in part.parameters()}
    return [p for p in module.parameters() if p.birth not in inner]


def _share(calls: list[tuple[str, int]], left: int) -> tuple[str, int]:
    """The output and the work in one of the places of a module, of which so many are left.

    A module has run once in each of its places, if as often as it has places: the calls are
    taken in that order. Otherwise the last place takes the work of all calls that are left.
    """
    if not calls:
        return "", 0
    if left > 1:
        return calls.pop(0) if len(calls) >= left else (calls[-1][0], 0)
    return calls[-1][0], sum(work for _, work in calls)


def _run(model: Any, inputs: tuple[Any, ...]) -> dict[int, list[tuple[str, int]]]:
    """Run the model in use, not in training; note output and work of each call, by module."""
    calls: dict[int, list[tuple[str, int]]] = {}

    def note(_: str, module: Any, output: Any) -> None:
        shape = getattr(output, "shape", None)
        shown = type(output).__name__ if shape is None else str(shape)
        work = module.multiply_adds(getattr(output, "size", 0))
        calls.setdefault(id(module), []).append((shown, work))

    with listening(model, note), model.evaluating():
        model(*inputs)
    return calls
