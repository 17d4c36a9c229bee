"""Arguments: what a compiled step is called with, by position or by name.

This file knows signatures: how the arguments of a call are put in order, what a generated function
that takes them begins with, and what is said when one is missing or unknown. It does not know what
is done with them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_mlp.errors import UsageError

__all__ = ["Arguments", "Given", "WayIn", "missing"]


class _Missing:
    def __repr__(self) -> str:
        return "missing"


missing = _Missing()
"""Stands for an argument that was not given."""


class Given(NamedTuple):
    """The arguments of one call in the order of the signature.

    Attributes:
        values: All of them, those that have to be passed by name last.
        labels: What they are called.
        names: The names of those that have to be passed by name.
    """

    values: tuple[Any, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...] = ()

    def passed_to(self, function: Callable[..., Any], values: Any = None) -> Any:
        """Call a function of this signature."""
        values = self.values if values is None else values
        count = len(values) - len(self.names)
        return function(*values[:count], **dict(zip(self.names, values[count:], strict=True)))


class WayIn(NamedTuple):
    """How a generated function takes arguments and hands them on, as text.

    Attributes:
        names: What they are called inside.
        parameters: What stands between the parentheses of its ``def``.
        passed: How they are passed on as they came.
        tests: What holds if nothing else was passed.
        open: Whether it can be called as the step itself.
    """

    names: list[str]
    parameters: str
    passed: str
    tests: list[str]
    open: bool


class Arguments:
    """The signature of a step.

    Args:
        step: The step.
        name: What it is called.
    """

    def __init__(self, step: Callable[..., Any], name: str) -> None:
        self.name = name
        self.signature = inspect.signature(step)
        parameters = list(self.signature.parameters.values())
        kinds = {kind: [p.name for p in parameters if p.kind is kind] for kind in _KINDS}
        self.first, self.either, self.rest, self.by_name, _ = kinds.values()
        self.fixed = all(p.default is p.empty and p.kind not in _SEVERAL for p in parameters)

    def given(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Given:
        """The arguments of a call in order.

        Raises:
            UsageError: If one is missing or unknown.
        """
        positional = self.first + self.either
        absent = any(a is missing for a in (*arguments, *named.values()))
        usual = self.fixed and not (named or absent or self.by_name)
        if usual and len(arguments) == len(positional):
            return Given(arguments, tuple(positional))
        if absent:
            together = {**dict(zip(positional, arguments, strict=False)), **named}
            there = {name: a for name, a in together.items() if a is not missing}
            first = [there.pop(name) for name in self.first if name in there]
            arguments, named = tuple(first), there
        try:
            bound = self.signature.bind(*arguments, **named)
        except TypeError as error:
            raise self._refused(arguments, named, error) from None
        names = tuple(sorted(bound.kwargs))
        values = (*bound.args, *(bound.kwargs[name] for name in names))
        labels = tuple(map(self._label, range(len(bound.args))))
        return Given(values, (*labels, *names), names)

    def _label(self, i: int) -> str:
        """What positional argument number `i` is called; ``*batches`` gives its name to several."""
        names = self.first + self.either + self.rest
        own = len(self.first) + len(self.either)
        return names[i] if i < len(names) else f"{self.rest[0]}_{i}" if self.rest else f"x_{own}"

    def way_in(self, count: int, taken: set[str] | None = None) -> WayIn:
        """How a function that takes `count` arrays begins.

        Args:
            count: How many arrays there are.
            taken: Names that mean something else inside; by default all of them.
        """
        own = [*self.first, *self.either, *self.by_name]
        if not self.fixed or taken is None or set(own) & {*taken, "others", "named"}:
            names = [f"x{i}" for i in range(count)]
            first, either, by_name = names, [], []
        else:
            names, first, either, by_name = own, self.first, self.either, self.by_name
        parameters = [f"{name}=missing" for name in first] + ["/"] * bool(first)
        parameters += [f"{name}=missing" for name in either] + ["*others"]
        parameters += [f"{name}=missing" for name in by_name] + ["**named"]
        passed = [*first, *either, "*others", *(f"{name}={name}" for name in by_name), "**named"]
        return WayIn(
            names,
            ", ".join(parameters),
            ", ".join(passed),
            ["not others", "not named"],
            self.fixed and (names is own or not self.by_name),
        )

    # -- what is said ------------------------------------------------------------------------

    def _refused(
        self, arguments: tuple[Any, ...], named: dict[str, Any], error: TypeError
    ) -> UsageError:
        parameters = self.signature.parameters
        positional = self.first + self.either
        given = {*positional[: len(arguments)], *named}
        unknown = [name for name in named if name not in parameters]
        absent = [
            name
            for name, p in parameters.items()
            if name not in given and p.default is p.empty and p.kind not in _SEVERAL
        ]
        twice = [name for name in self.either[: len(arguments) - len(self.first)] if name in named]
        if unknown:
            what = f"{self.name}() has no argument {_listed(map(repr, unknown), 'or')}"
        elif twice:
            what = f"{self.name}() got {_listed(map(repr, twice))} twice"
        elif absent:
            what = f"{self.name}() got no {_listed(map(repr, absent), 'and no')}"
        elif len(arguments) > len(positional):
            what = f"{self.name}() got {len(arguments)} arguments by position"
        else:
            what = f"{self.name}(): {error}"
        names = [*parameters]
        why = f"it takes {_listed(names)}" if names else "it takes none"
        return UsageError(what, why=why, fix=f"Write {self.name}({self._example()}).")

    def _example(self) -> str:
        """The arguments of a call that is right."""
        return ", ".join(
            f"{name}={name}"
            if p.kind is p.KEYWORD_ONLY
            else f"*{name}" * (p.kind in _SEVERAL) or name
            for name, p in self.signature.parameters.items()
            if p.default is p.empty and p.kind is not p.VAR_KEYWORD
        )


_KINDS = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)
_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _listed(names: Any, word: str = "and") -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else str(last)
