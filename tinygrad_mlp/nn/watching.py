"""What goes through a model: every module's output, and a table of sizes.

This file knows how to listen while a model runs: for the time of one call, each module's
``forward`` is one that also notes what it gave. It knows no layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_mlp.autodiff import no_grad

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
            have no modules inside, or have parameters of their own.
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
        outputs, work = _run(model, inputs) if inputs else ({}, {})
        self.model = type(model).__name__
        self.parameters = sum(p.size for p in model.parameters())
        self.multiply_adds = sum(work.values())
        modules = list(model.named_modules())
        counted: set[int] = set()
        self.rows: list[tuple[str, str, str, int, int]] = []
        for path, module in modules:
            own = [p for p in _own_parameters(module) if p.birth not in counted]
            counted.update(p.birth for p in own)
            size = sum(p.size for p in own)
            if size or sum(1 for _ in module.modules()) == 1:
                kind, shape = type(module).__name__, outputs.get(path, "")
                self.rows.append((path, kind, shape, size, work.get(path, 0)))

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


def _run(model: Any, inputs: tuple[Any, ...]) -> tuple[dict[str, str], dict[str, int]]:
    """Run the model in use, not in training; note output shapes and work."""
    shapes: dict[str, str] = {}
    work: dict[str, int] = {}

    def note(path: str, module: Any, output: Any) -> None:
        shape = getattr(output, "shape", None)
        shapes[path] = type(output).__name__ if shape is None else str(shape)
        work[path] = work.get(path, 0) + module.multiply_adds(getattr(output, "size", 0))

    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with listening(model, note), no_grad():
            model(*inputs)
    finally:
        for module, mode in modes:
            module.training = mode
    return shapes, work
