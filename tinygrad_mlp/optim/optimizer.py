"""Optimizer: how parameters move when their gradients are known.

This file knows parameter groups, where the state of an optimiser lives, and the one mutation:
`Optimizer.step` rebinds ``p.data``, so that graphs that used the old values stay exact. It
knows no method; a method is two pure functions of arrays, ``init`` and ``update``.

State lives in tensors, also single numbers such as a count of steps: so a compiled step sees
it, and a checkpoint holds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from tinygrad_mlp import alarms, cells
from tinygrad_mlp.cells import hyper
from tinygrad_mlp.errors import GraphError, StateError, UsageError
from tinygrad_mlp.graph import describe
from tinygrad_mlp.nn.state import no_state
from tinygrad_mlp.ops import Array
from tinygrad_mlp.optim.groups import Group, Ranges, check_ranges, make_groups, refuse_repeats
from tinygrad_mlp.origin import place, user_site
from tinygrad_mlp.tensor import Tensor

__all__ = ["Group", "Optimizer", "State", "checked_update", "hyper"]

State: TypeAlias = Mapping[str, Array]
"""What a method remembers of one parameter, by name."""


class Optimizer:
    """The base of optimisers.

    A subclass passes its numbers to ``super().__init__`` and defines `update`; if it remembers
    anything, also `init`. Both are pure and are written in operators and NumPy functions.

    Args:
        params: Parameters, as from ``model.parameters()``; or dicts, one per group, with
            ``"params"`` and the numbers that are different there.
        **numbers: The numbers of the method, with their values.

    Raises:
        UsageError: If `params` are none, or no parameters; or a number is out of its range.

    >>> class SignDescent(Optimizer):
    ...     def __init__(self, params, lr):
    ...         super().__init__(params, lr=lr)
    ...     def update(self, p, g, state, group):
    ...         return p - hyper(group, "lr") * np.sign(g), state
    >>> w = Tensor([1.0, -1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w], lr=0.5).step()
    >>> w.data
    array([ 0.5, -0.5])
    """

    groups: list[Group]
    defaults: dict[str, Any]
    """The numbers that it was made with, which a group has unless it sets its own."""

    ranges: ClassVar[Ranges] = {"lr": (math.inf, "0.01")}
    """Numbers that must be from 0 to below a bound, with that bound and a usual value."""

    def __init_subclass__(cls) -> None:
        own = not cls.update.__module__.startswith(_PACKAGE)
        cls._update = checked_update if own else cls.update

    def __init__(self, params: Any, **numbers: Any) -> None:
        self.defaults = numbers
        self.groups = []
        self._params: list[Tensor] = []
        self._pairs: list[tuple[Group, list[tuple[Tensor, dict[str, Tensor]]]]] = []
        self._misses: alarms.Misses = {}
        self._take(list(make_groups(params, numbers)))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Move more parameters from now on.

        Args:
            group: ``"params"``, and the numbers that are different there.

        Raises:
            UsageError: As when an optimiser is made; nothing has been added then.

        >>> from tinygrad_mlp import nn, optim
        >>> model = nn.MLP(2, [5], 1)
        >>> optimizer = optim.SGD(model[2].parameters(), lr=0.1)
        >>> optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        if not isinstance(group, Mapping):
            raise UsageError(
                f"add_param_group() got a {type(group).__name__}",
                fix='Pass a dict: {"params": layer.parameters(), "lr": 0.01}.',
            )
        self._take(list(make_groups([group], self.defaults)))

    def _take(self, groups: list[Group]) -> None:
        """Check groups, and make what is remembered of their parameters."""
        params = [p for group in groups for p in group.params]
        refuse_repeats([*self._params, *params])
        for group in groups:
            check_ranges(type(self).__name__, group, self.ranges)
        for group in groups:
            group.state = [_kept(self, self.init(p.data, group)) for p in group.params]
        self.groups += groups
        self._params += params
        self._pairs += [(g, list(zip(g.params, g.state, strict=True))) for g in groups]
        for group in self.groups:
            group.among = len(self.groups)

    # -- the method: pure functions ----------------------------------------------------------

    def init(self, p: Array, group: Group) -> State:
        """What is remembered of a parameter before the first step."""
        return {}

    def update(self, p: Array, g: Array, state: State, group: Group) -> tuple[Array, State]:
        """The new parameter and the new state, from the old ones and the gradient.

        Args:
            p: The parameter's array.
            g: Its gradient, of the same shape and dtype.
            state: What `init` or the last `update` gave.
            group: The numbers. What enters the formula is read with ``hyper(group, "lr")``, so
                that a compiled step sees it change; what decides which formula it is, a flag or
                ``if group.momentum:``, is read as it stands, and the step is compiled anew.
        """
        raise UsageError(
            f"{type(self).__name__} cannot step",
            why="it does not say how parameters move",
            fix="Define update(self, p, g, state, group) in the class.",
        )

    _update: Callable[..., tuple[Array, State]] = update
    """`update` as `step` calls it: of a user's own class, what it returns is checked."""

    # -- what the user calls -----------------------------------------------------------------

    def step(self) -> None:
        """Move every parameter that has a gradient.

        Raises:
            GraphError: If none has one.
        """
        moved = False
        update = self._update
        if self._params[0].stale and not cells.capturing():
            alarms.step_repeated(self._params)
        for group, pairs in self._pairs:
            for p, state in pairs:
                g = p.grad
                if g is None:
                    if not cells.capturing():
                        self._missed(p)
                    continue
                moved = True
                if isinstance(g, Tensor):
                    g = g.data
                if state:
                    self._step_with_state(p, g, state, group)
                    continue
                try:
                    p.data, _ = update(p.data, g, state, group)
                except KeyError as error:
                    raise self._forgotten(error) from error
        if not moved:
            raise self._nothing_to_do()

    def _step_with_state(self, p: Tensor, g: Array, state: dict[str, Tensor], group: Group) -> None:
        """Move one parameter, and what is remembered of it."""
        old = {name: t.data for name, t in state.items()}
        try:
            new_p, new = self._update(p.data, g, old, group)
        except KeyError as error:
            raise self._forgotten(error) from error
        if new_p.dtype != p.dtype:
            raise _other_dtype(p, g, new_p.dtype, state)
        p.data = new_p
        for name, t in state.items():
            t.data = new[name]

    def _forgotten(self, error: KeyError) -> UsageError:
        return UsageError(
            f"{type(self).__name__} looks for {error}, which it does not remember",
            why="what is remembered was decided when the optimiser was made",
            fix="Make a new optimiser with the numbers that you want now, or return it in init().",
        )

    def zero_grad(self) -> None:
        """Forget all gradients: the next backward starts from nothing."""
        for p in self._params:
            p.grad = None

    def _missed(self, p: Tensor) -> None:
        """Note a step in which a parameter has no gradient, although others have one."""
        if any(q.grad is not None for q in self._params):
            number = next(i for i, q in enumerate(self._params) if q is p)
            name = repr(p.name) if p.name else f"parameter {number}"
            alarms.never_reached(p, self._misses, name)

    def _nothing_to_do(self) -> GraphError:
        count = len(self._params)
        spot = place(user_site())
        return GraphError(
            f"step(): none of the {count} parameter{'' if count == 1 else 's'} has a gradient",
            where=str(spot or ""),
            fix="Did loss.backward() run? It must come after zero_grad() and before step().",
        )

    @property
    def param_groups(self) -> list[Group]:
        """`groups`, by PyTorch's name; ``param_groups[0]["lr"]`` is ``groups[0].lr``."""
        return self.groups

    @property
    def lr(self) -> Any:
        """The learning rate of the first group; assigning sets that of every group."""
        return self.groups[0].lr

    @lr.setter
    def lr(self, value: Any) -> None:
        for group in self.groups:
            group.lr = value

    # -- its state ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """A copy of state and numbers, in the form of PyTorch's.

        Returns:
            ``{"state": {0: {"momentum_buffer": array}, …}, "param_groups": [{"lr": 0.1,
            "params": [0, …]}]}``: parameters are numbered in the order of the groups.
        """
        states = (state for group in self.groups for state in group.state)
        numbers = iter(range(len(self._params)))
        return {
            "state": {
                i: {name: np.array(t.data) for name, t in state.items()}
                for i, state in enumerate(states)
                if state
            },
            "param_groups": [
                {**group.numbers, "params": [next(numbers) for _ in group.params]}
                for group in self.groups
            ],
        }

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Take over state and numbers, all of them or none.

        Raises:
            StateError: If they belong to other parameters or another method.
        """
        if not isinstance(values, Mapping):
            raise no_state("optimizer", values)
        states = [state for group in self.groups for state in group.state]
        differences = list(_differences(states, self.groups, values))
        if differences:
            listed = "".join(f"\n  {difference}" for difference in differences)
            raise StateError(
                f"the state does not fit {type(self).__name__}:{listed}",
                fix="\nMake the optimiser with the arguments it was saved with.",
            )
        for i, state in enumerate(states):
            for name, t in state.items():
                t.data = np.asarray(values["state"][i][name]).astype(t.dtype)
        for group, theirs in zip(self.groups, values["param_groups"], strict=True):
            for name in group.numbers:
                setattr(group, name, theirs[name])

    def __repr__(self) -> str:
        numbers = [
            ", ".join(f"{name}={value}" for name, value in group.numbers.items())
            for group in self.groups
        ]
        return f"{type(self).__name__}({'; '.join(numbers)})"


_PACKAGE = __name__.partition(".")[0] + "."


def checked_update(
    self: Optimizer, p: Array, g: Array, state: State, group: Group
) -> tuple[Array, State]:
    """A user's `update`, and what it returned looked at: a wrong pair could be unpacked too."""
    given: Any = self.update(p, g, state, group)
    name = f"{type(self).__name__}.update()"
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)):
        got = f"{len(given)} values" if isinstance(given, tuple) else _what(given)
        raise UsageError(
            f"{name} returned {got}",
            why="it must return (new p, state)",
            fix="Write return p - …, {}, or the new state instead of {}.",
        )
    shape = getattr(given[0], "shape", ())
    if shape != p.shape:
        raise UsageError(
            f"{name} returned a new p of shape {shape} for one of shape {p.shape}",
            why="a step moves a parameter, and keeps its shape",
            fix="Return (new p, state), in this order, with one number per entry of p.",
        )
    missing = [key for key in state if key not in given[1]]
    if missing:
        raise UsageError(
            f"{name} returned a state without {', '.join(map(repr, missing))}",
            why="init() gave it, so it must be there after every step",
            fix=f"Write return p - …, {{{missing[0]!r}: …}}.",
        )
    return given


def _what(value: Any) -> str:
    """A value that was returned, in a sentence."""
    shape = getattr(value, "shape", None)
    if value is None or shape is None:
        return "nothing" if value is None else f"a {type(value).__name__}"
    return f"one array of shape {shape}"


def _kept(optimizer: Optimizer, state: State) -> dict[str, Tensor]:
    if not isinstance(state, Mapping):
        raise UsageError(
            f"{type(optimizer).__name__}.init() returned {_what(state)}",
            why="what is remembered of a parameter has names",
            fix='Write return {"velocity": np.zeros_like(p)}, or leave init() out.',
        )
    return {name: Tensor(value, copy=False) for name, value in state.items()}


def _other_dtype(p: Tensor, g: Array, new: Any, state: dict[str, Tensor]) -> UsageError:
    """The error for a step that would change the dtype of a parameter: whose fault it is."""
    kinds = {str(t.dtype) for name, t in state.items() if name != "step"}
    others = kinds - {str(p.dtype)}
    if others:
        cause = f"what the optimiser remembers of it is {', '.join(sorted(others))}"
        fix = "Make the optimiser after model.astype(...)."
    elif g.dtype != p.dtype:
        cause = f"its gradient is {g.dtype}"
        fix = "Assign p.grad = g.astype(p.dtype)."
    else:
        cause = f"its step gives {new}"
        fix = "Let lr and the like be plain numbers: optimizer.lr = 0.1."
    return UsageError(
        f"{describe(p)} is {p.dtype}, and {cause}",
        why="the step would change the dtype of the parameter",
        fix=fix,
    )


def _differences(
    states: list[dict[str, Tensor]], groups: list[Group], values: Mapping[str, Any]
) -> Iterator[str]:
    """How a state_dict differs from what is here."""
    theirs, their_groups = values.get("state", {}), values.get("param_groups", [])
    if len(their_groups) != len(groups):
        yield f"{len(groups)} groups here, {len(their_groups)} there"
        return
    for i, (group, numbers) in enumerate(zip(groups, their_groups, strict=True)):
        if len(group.params) != len(numbers.get("params", [])):
            yield f"group {i}: {len(group.params)} parameters here, {len(numbers['params'])} there"
        for name in group.numbers.keys() - numbers.keys():
            yield f"group {i}: {name} is missing"
    for i, state in enumerate(states):
        for name, t in state.items():
            value = theirs.get(i, {}).get(name)
            if value is None:
                yield f"parameter {i}: {name} is missing"
            elif np.shape(value) != t.shape:
                yield f"parameter {i}: {name} has shape {t.shape} here, {np.shape(value)} there"
