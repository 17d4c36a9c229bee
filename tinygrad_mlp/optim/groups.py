"""Parameter groups: what an optimiser is made with, checked.

This file knows what may be passed as parameters, and what to write instead of what may not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.graph import describe
from tinygrad_mlp.nn import Module
from tinygrad_mlp.nn.state import Parameters, untrained
from tinygrad_mlp.tensor import Tensor

__all__ = ["Group", "Ranges", "check_ranges", "make_groups", "refuse_repeats"]

Ranges: TypeAlias = Mapping[str, tuple[float, str]]
"""By name of a number of a method: below what it must be, and what to write instead."""


class Group:
    """Parameters that share their numbers: ``group.lr`` and the like, and ``group.params``.

    A number of NumPy's becomes one of Python's when it is assigned: a ``np.float64`` times
    float32 weights would be float64.

    >>> group = Group([], lr=np.float64(0.1))
    >>> group.lr
    0.1
    """

    params: list[Tensor]
    state: list[dict[str, Tensor]]
    among: int
    """How many groups the optimiser has: a compiled step sees it change, and is made anew."""

    if TYPE_CHECKING:  # the numbers are the method's; a real one would make reading them slow

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, params: list[Tensor], **numbers: Any) -> None:
        self.params = params
        for name, value in numbers.items():
            setattr(self, name, value)

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers by name."""
        return {k: v for k, v in vars(self).items() if k not in {"params", "state", "among"}}

    def __getitem__(self, name: str) -> Any:
        """What a group holds, as from PyTorch's: ``group["lr"]``."""
        return vars(self)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in vars(self):
            raise UsageError(f"a group has no {name!r}", fix=f"It has {', '.join(self.numbers)}.")
        setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, _plain(value))

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"Group({listed})"


def _plain(value: Any) -> Any:
    """A number of NumPy's, also in a pair such as betas, as one of Python's; the rest as it is."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def make_groups(params: Any, numbers: Mapping[str, Any]) -> Iterator[Group]:
    """The groups that the user described, each with all numbers."""
    items = list(_listed(params))
    if not items:
        plain = untrained(params.module) if isinstance(params, Parameters) else ""
        if plain:
            raise UsageError(
                f"{type(params.module).__name__} has no parameters",
                why=plain,
                fix="Assign nn.Parameter(…) in the place of tg.Tensor(…).",
            )
        raise UsageError(
            "an optimiser without parameters",
            why="the model has none, or model.parameters() was used up by an earlier loop",
            fix="Pass model.parameters(), or a list of them.",
        )
    if not isinstance(items[0], Mapping):
        items = [{"params": items}]
    for item in items:
        own = dict(item)
        group = list(_listed(own.pop("params", None)))
        for p in group:
            if not isinstance(p, Tensor):
                raise UsageError(
                    f"an optimiser got a {type(p).__name__}, which is no parameter",
                    fix="Pass tensors with requires_grad=True, as model.parameters() does.",
                )
            if p.op is not None:
                raise UsageError(
                    f"an optimiser got {describe(p)}, which was computed",
                    why="moving it would not move what it was computed from",
                    fix="Pass the tensors that you created.",
                )
        unknown = own.keys() - numbers.keys()
        if unknown:
            raise UsageError(
                f"a group sets {', '.join(sorted(unknown))}",
                fix=f"This optimiser has {', '.join(numbers)}.",
            )
        yield Group(params=group, **{**numbers, **own})


def _listed(params: Any) -> Iterable[Any]:
    """The parameters as something to loop over, or what to write instead."""
    if isinstance(params, Module):
        raise UsageError(
            f"an optimiser got the module {type(params).__name__}", fix="Pass net.parameters()."
        )
    if callable(params):
        raise UsageError(
            "an optimiser got a method, not what it gives", fix="Pass net.parameters(), with ()."
        )
    if isinstance(params, Tensor):
        return [params]
    if not isinstance(params, Iterable):
        raise UsageError(
            f"an optimiser got a {type(params).__name__}", fix="Pass net.parameters()."
        )
    return params


def check_ranges(method: str, group: Group, ranges: Ranges) -> None:
    """Raise if a number of a group is none, or is not from 0 to below its bound."""
    for name, (bound, usual) in ranges.items():
        given = getattr(group, name, 0.0)
        for value in given if isinstance(given, tuple | list) else (given,):
            try:
                number = float(value.data if isinstance(value, Tensor) else value)
            except (TypeError, ValueError):
                number = math.nan
            if not 0 <= number < bound:
                up_to = (
                    "0 or more, and finite" if bound == math.inf else f"from 0 to below {bound:g}"
                )
                raise UsageError(
                    f"{method} with {name}={given!r}",
                    why=f"{'each' if isinstance(given, tuple | list) else 'it'} must be {up_to}",
                    fix=f"Use {name}={usual}.",
                )


def refuse_repeats(params: list[Tensor]) -> None:
    """Raise if a parameter is in the list twice."""
    seen: set[int] = set()
    for p in params:
        if p.birth in seen:
            raise UsageError(
                f"{describe(p)} was passed to an optimiser twice",
                why="it would take every step twice",
                fix="Pass each parameter once.",
            )
        seen.add(p.birth)
