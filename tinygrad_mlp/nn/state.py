"""What a module holds, compared, taken over and shown as a tree.

This file knows names, shapes and how to say that they differ. It knows a module only by its
``named_state``, ``members`` and ``extra_repr``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_mlp.errors import StateError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["load", "no_such", "tree"]


def load(module: Any, values: Mapping[str, Any], *, strict: bool) -> None:
    """Compare every name and shape first; only if all fits, take the values over."""
    mine: dict[str, Tensor] = dict(module.named_state())
    differences = list(_names(mine, values)) if strict else []
    new: dict[str, Array] = {}
    for name, own in mine.items():
        if name not in values:
            continue
        array = _array(values[name])
        if array is None:
            differences.append(f"{name}: these are no numbers ({type(values[name]).__name__})")
        elif array.shape != own.shape:
            differences.append(f"{name}: {own.shape} here, {array.shape} there")
        else:
            new[name] = array
    if differences:
        count = len(differences)
        listed = "".join(f"\n  {difference}" for difference in differences)
        raise StateError(
            f"the state does not fit {type(module).__name__}, in "
            f"{count} {'way' if count == 1 else 'ways'}:{listed}",
            fix="\n" + _remedy(module, mine, values),
        )
    for name, array in new.items():
        mine[name].data = np.array(array, dtype=mine[name].dtype)


def _names(mine: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """The names that only one of the two has, with what is near."""
    missing = [name for name in mine if name not in values]
    unknown = [name for name in values if name not in mine]
    for name in missing:
        yield f"{name}: missing{_near(name, unknown)}"
    for name in unknown:
        yield f"{name}: unknown{_near(name, missing or list(mine))}"


def _near(name: str, others: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(others), n=1, cutoff=0.75)
    return f"; did you mean {near[0]!r}?" if near else ""


def _array(value: Any) -> Array | None:
    """The value as an array of numbers, or None."""
    try:
        array = np.asarray(value.data if isinstance(value, Tensor) else value)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "fbiu" else None


def _remedy(module: Any, mine: Mapping[str, Tensor], values: Mapping[str, Any]) -> str:
    """The constructor calls that would fit, one per layer that knows how to say it."""
    calls = []
    for path, part in module.named_modules():
        prefix = f"{path}." if path else ""
        shapes = {
            name.removeprefix(prefix): np.shape(value)
            for name, value in values.items()
            if name.startswith(prefix)
        }
        own = {name.removeprefix(prefix): t.shape for name, t in mine.items()}
        fitting = part.fitting(shapes) if hasattr(part, "fitting") else None
        if fitting and any(name in own and own[name] != shapes[name] for name in shapes):
            calls.append(f"{fitting}{f' as {path!r}' if path else ''}")
    if calls:
        return f"This would fit: {', '.join(calls)}."
    return "Build the model with the arguments it was saved with, or pass strict=False."


def no_such(what: str, name: str, known: Iterable[str]) -> StateError:
    """The error for a name that does not exist."""
    known = [k for k in known if k]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    fix = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known) or 'none'}."
    return StateError(f"there is no {what} {name!r}", fix=fix)


def tree(module: Any) -> str:
    """The module and what is in it, one per line, with parameter counts."""
    counts = {path: _count(part) for path, part in module.named_modules()}
    lines: list[str] = []
    waiting: list[tuple[int, str, str, Any]] = [(0, "", "", module)]
    while waiting:
        depth, label, path, part = waiting.pop()
        indent = "  " * depth
        if part is None:
            lines.append(f"{indent}{label}")
            continue
        head = f"{indent}{f'({label}): ' if label else ''}{type(part).__name__}("
        children = list(_children(part, path))
        note = f"  # {_parameters(counts[path])}" if counts.get(path) else ""
        if not children:
            lines.append(f"{head}{part.extra_repr()}){note}")
            continue
        lines.append(f"{head}{part.extra_repr()}{note}")
        waiting.append((depth, ")", path, None))
        waiting.extend(
            (depth + 1, child_path.removeprefix(f"{path}." if path else ""), child_path, child)
            for child_path, child in reversed(children)
        )
    return "\n".join(lines)


def _children(module: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The modules directly inside, by their full paths."""
    inside: list[str] = []
    prefix = f"{path}." if path else ""
    for name, part in module.named_modules():
        if name and not any(name.startswith(f"{outer}.") for outer in inside):
            inside.append(name)
            yield prefix + name, part


def _count(module: Any) -> int:
    return sum(p.size for p in module.parameters())


def _parameters(count: int) -> str:
    return f"{count:,} parameter{'' if count == 1 else 's'}".replace(",", " ")
