"""What a module holds, compared, taken over and shown as a tree.

This file knows names, shapes and how to say that they differ. It knows a module only by its
``named_state``, ``members`` and ``extra_repr``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_mlp.errors import StateError, TinygradError, UsageError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.tensor import Tensor

__all__ = ["Parameters", "load", "no_state", "no_such", "no_tensor", "tree", "untrained"]


def load(module: Any, values: Mapping[str, Any], *, strict: bool) -> None:
    """Compare every name and shape first; only if all fits, take the values over."""
    if not isinstance(values, Mapping):
        raise no_state("model", values)
    mine: dict[str, Tensor] = dict(module.named_state())
    differences = list(_names(mine, values)) if strict else []
    new: dict[str, Array] = {}
    names: dict[int, str] = {}
    for name, own in mine.items():
        if name not in values:
            continue
        array = _array(values[name])
        other = names.setdefault(own.birth, name)
        if array is None:
            differences.append(f"{name}: these are no numbers ({type(values[name]).__name__})")
        elif array.shape != own.shape:
            differences.append(f"{name}: {own.shape} here, {array.shape} there")
        elif other in new and not np.array_equal(new[other], array, equal_nan=True):
            differences.append(f"{name}: the same as {other} here, other numbers there")
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


class Parameters(Iterator[Tensor]):
    """The parameters of a module, one after the other, which know whose they are.

    Attributes:
        module: The module.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self._all: Iterator[Tensor] = (parameter for _, parameter in module.named_parameters())

    def __next__(self) -> Tensor:
        return next(self._all)


def untrained(module: Any) -> str:
    """A clause that names tensors which a module keeps and does not train; empty without any."""
    names = [
        f"{path}.{name}" if path else name
        for path, part in module.named_modules()
        for name, item in part.members()
        if isinstance(item, Tensor) and item.role == "Tensor" and not item.requires_grad
        if item.dtype.kind == "f" and item.op is None
    ]
    if not names:
        return ""
    listed = ", ".join(map(repr, names))
    if len(names) == 1:
        return f"its attribute {listed} is a plain tensor, which needs no gradient"
    return f"its attributes {listed} are plain tensors, which need no gradient"


def no_tensor(module: Any, error: Exception, inputs: tuple[Any, ...]) -> UsageError | None:
    """The error for what a user's ``forward`` took for a tensor; None if it was not that."""
    if isinstance(error, TinygradError):
        return None
    said = str(error)
    for x in inputs:
        kind = type(x).__name__
        if isinstance(x, Tensor):
            continue
        asked = isinstance(error, AttributeError) and error.obj is x and error.name in dir(Tensor)
        if asked or (isinstance(x, list | tuple) and f"'{kind}'" in said):
            return UsageError(
                f"{type(module).__name__}.forward got a {kind}, not a tensor",
                why=said,
                fix="Pass tg.Tensor(…).",
            )
    return None


def no_state(whose: str, values: Any) -> UsageError:
    """The error for what `load_state_dict` was handed in the place of a dict."""
    fix = f"Pass a dict, such as {whose}.state_dict() gives."
    if isinstance(values, str | os.PathLike):
        fix = f"Write {whose}.load_state_dict(tg.load({str(values)!r}))."
    elif hasattr(values, "state_dict"):
        fix = "Pass its state_dict()."
    return UsageError(
        f"load_state_dict() got a {type(values).__name__}", why="a state is a dict", fix=fix
    )


def _names(mine: Mapping[str, Tensor], values: Mapping[str, Any]) -> Iterator[str]:
    """The names that only one of the two has, with what is near.

    A tensor with several names needs only one of them: files are often written without the rest.
    """
    given = {own.birth for name, own in mine.items() if name in values}
    missing = [name for name, own in mine.items() if own.birth not in given]
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
    """The module and what is in it, one per line, with parameter counts.

    What is kept in several places is shown in each; the count stands at the first.
    """
    parts = list(module.named_modules(remove_duplicate=False))
    first: dict[int, str] = {}
    lines: list[str] = []
    around: list[str] = []  # the paths of those whose parentheses are open, each with its dot
    for i, (path, part) in enumerate(parts):
        while around and not path.startswith(around[-1]):
            around.pop()
            lines.append(f"{'  ' * len(around)})")
        label = f"({path.removeprefix(around[-1])}): " if around else ""
        prefix = f"{path}." if path else ""
        opens = i + 1 < len(parts) and parts[i + 1][0].startswith(prefix)
        end = "" if opens else ")"
        lines.append(
            f"{'  ' * len(around)}{label}{type(part).__name__}({part.extra_repr()}{end}"
            f"{_note(part, first.setdefault(id(part), path), path)}"
        )
        if opens:
            around.append(prefix)
    lines.extend(f"{'  ' * depth})" for depth in reversed(range(len(around))))
    return "\n".join(lines)


def _note(part: Any, first: str, path: str) -> str:
    """The parameters of a module, or where they have been counted."""
    count = _count(part)
    if not count:
        return ""
    return f"  # {_parameters(count)}" if first == path else f"  # the same as {first}"


def _count(module: Any) -> int:
    return sum(p.size for p in module.parameters())


def _parameters(count: int) -> str:
    return f"{count:,} parameter{'' if count == 1 else 's'}".replace(",", " ")
