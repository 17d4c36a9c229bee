"""Guards: what a program relies on besides the numbers that it is given.

This file knows what may change between two calls so that the program is no longer the step: a
module put into evaluation mode, a layer added or frozen, a hook, a flag of the optimiser, and
whatever `surroundings` finds. It does not know what is done then.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Iterator
from operator import itemgetter
from types import MethodType
from typing import Any

import numpy as np

from tinygrad_mlp.autodiff import grad_enabled
from tinygrad_mlp.program.capture import Recording
from tinygrad_mlp.program.ir import Program
from tinygrad_mlp.program.surroundings import (
    PLAIN,
    Fact,
    Surroundings,
    contents,
    copied,
    entry,
    memory,
    same,
)
from tinygrad_mlp.tensor import Tensor

__all__ = ["Fact", "agreed", "checker", "facts", "tests"]

_WHOLE = "{0} == {1}"
_ENTRY = re.compile(r"\{0\}\[(.*)\] == \{1\}")


def facts(  # noqa: C901, PLR0912 - one line for each kind of fact
    around: Surroundings, recording: Recording, program: Program
) -> dict[Any, Fact]:
    """Everything that a recording relies on, by what it is about.

    Args:
        around: What the function that was recorded can reach.
        recording: What was seen.
        program: Its program, without what nothing depends on.
    """
    found: dict[Any, Fact] = {("mode",): Fact(grad_enabled, "{0}.get() is {1}", grad_enabled.get())}
    for module in around.modules.values():
        found["vars", id(module)] = _dictionary(vars(module))
    read: dict[int, set[str]] = {}
    owners: dict[int, Any] = {}
    for cell in program.cells:
        owner = cell.owner
        owners[id(owner)] = owner
        read.setdefault(id(owner), set()).add(cell.slot)
        if cell.slot == "grad" and (cell.absent or cell.before is not None):
            test = "{0}._grad is None" if cell.absent else "{0}._grad is not None"
            found["grad", id(owner)] = Fact(owner, test, None)
        elif type(cell.held) in {int, float}:
            found["type", id(owner), cell.slot] = _kind(owner, cell.slot, cell.held)
    for owner in owners.values():
        if isinstance(owner, Tensor):
            found["needs", id(owner)] = Fact(owner, "{0}.requires_grad is {1}", owner.requires_grad)
            hooks = None if not owner.hooks else dict(owner.hooks)
            test = "not {0}.hooks" if hooks is None else "{0}.hooks == {1}"
            found["hooks", id(owner)] = Fact(owner, test, hooks)
        elif hasattr(owner, "__dict__"):
            for name, value in vars(owner).items():
                if name not in read[id(owner)]:
                    found["vars", id(owner), name] = _attribute(vars(owner), name, value)
    for cell in recording.program.cells:  # also where the step leaves nothing behind
        if cell.absent:
            found["grad", id(cell.owner)] = Fact(cell.owner, "{0}._grad is None", None)
    for optimizer in around.optimizers.values():  # what is read without `hyper` has to stay
        for group in optimizer.groups:
            if id(group) not in owners:
                for name in vars(group).keys() - {"params", "state"}:
                    found["vars", id(group), name] = _attribute(
                        vars(group), name, vars(group)[name]
                    )
    for array in recording.arrays:
        found["array", *memory(array)] = contents(array)
    found.update((("around", *key), fact) for key, fact in around.facts.items())
    return found


def _kind(owner: Any, slot: str, held: Any) -> Fact:
    """The type of a number that is an argument of the program, and whether it is 0.

    A momentum of 0 switches a part of the method off: that is another program.
    """
    test = f"type({{0}}.{slot}) is {{1}}"
    if slot != "lr":
        test += f" and {'' if held else 'not '}{{0}}.{slot}"
    return Fact(owner, test, type(held))


def agreed(  # noqa: C901 - one line for each way to differ
    first: dict[Any, Fact], second: dict[Any, Fact]
) -> list[Fact] | None:
    """The facts of two recordings of one step; None if they are of two different steps.

    A plain number that changed between them and made no difference (a counter, say) is left out.
    """
    if _lasting(first) != _lasting(second):
        return None
    kept = []
    for key, a in first.items():
        if key not in second:  # a module or an array that only one of the steps made and used
            continue
        b = second[key]
        if a.test != b.test:
            return None
        if same(a.value, b.value):
            kept.append(b)
        elif isinstance(b.value, dict) and isinstance(a.value, dict):
            if a.value.keys() != b.value.keys():
                return None
            kept.append(Fact(b.holder, "{0}.keys() == {1}", set(b.value)))
            for name, value in b.value.items():
                if same(a.value[name], value):
                    kept.append(_attribute(b.holder, name, value))
                elif not (_number(a.value[name]) and _number(value)):
                    return None
        elif not (_number(a.value) and _number(b.value)):
            return None
    return kept


def _lasting(found: dict[Any, Fact]) -> set[Any]:
    """What the facts are about, without modules and arrays, which a step may make anew."""
    return {key for key in found if key[0] != "array" and (key[0] != "vars" or len(key) > 2)}


def tests(
    program: Program,
    kept: list[Fact],
    space: dict[str, Any],
    names: list[str],
    *,
    lengths: bool,
) -> list[str]:
    """Python conditions that hold while a program fits; what they name is put into `space`.

    Args:
        program: The program.
        kept: What it relies on.
        space: Where the conditions will find what they compare.
        names: What the arguments are called, which are arrays for certain.
        lengths: Whether to look at their lengths too, and not only at the number of axes.
    """
    conditions = []
    for i, (v, x) in enumerate(zip(program.inputs, names, strict=True)):
        space[f"dtype_{i}"] = v.dtype
        conditions.append(f"{x}.dtype is dtype_{i}")
        conditions.append(f"{x}.shape == {v.shape}" if lengths else f"{x}.ndim == {v.ndim}")
    found, rest = _in_dicts(kept, space)
    conditions += found
    for i, fact in enumerate(rest):
        space[f"holder_{i}"], space[f"value_{i}"] = fact.holder, fact.value
        plain = fact.value is None or isinstance(fact.value, bool)
        value = repr(fact.value) if plain else f"value_{i}"
        conditions.append(fact.test.format(f"holder_{i}", value))
    return conditions


def _in_dicts(kept: list[Fact], space: dict[str, Any]) -> tuple[list[str], list[Fact]]:
    """One condition for as many dicts as possible, and the facts that are of another kind."""
    dicts: list[Any] = []
    were: list[Any] = []
    loose: list[tuple[int, dict[str, Any]]] = []
    rest: list[Fact] = []
    conditions: list[str] = []
    entries: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    for fact in kept:
        entry = _ENTRY.fullmatch(fact.test) if type(fact.holder) is dict else None
        if fact.test == _WHOLE:
            dicts.append(fact.holder)
            were.append(fact.value)
        elif entry is None:
            rest.append(fact)
        else:
            name = literal_eval(entry[1].replace("{{", "{").replace("}}", "}"))
            entries.setdefault(id(fact.holder), (fact.holder, {}))[1][name] = fact.value
    for i, (holder, expected) in enumerate(entries.values()):
        others = {name: value for name, value in holder.items() if name not in expected}
        if all(map(_number, others.values())):
            if others:
                loose.append((len(dicts), expected))
            dicts.append(holder)
            were.append(holder.copy())
            were[-1].update(expected)
            continue
        space[f"dict_{i}"] = holder
        space[f"entries_{i}"] = itemgetter(*expected)
        values = tuple(expected.values())
        space[f"expected_{i}"] = values if len(values) > 1 else values[0]
        conditions.append(f"entries_{i}(dict_{i}) == expected_{i}")
        conditions += _very_ones(f"dict_{i}", expected, space)
    space["dicts"], space["were"] = dicts, were
    if dicts:
        space["renewed"] = _renewed(dicts, were, loose)
        conditions.append("(dicts == were or renewed())" if loose else "dicts == were")
    for i, (holder, expected) in enumerate(zip(dicts, were, strict=True)):
        space[f"inside_{i}"] = holder
        conditions += _very_ones(f"inside_{i}", expected, space)
    return conditions, rest


def _very_ones(name: str, expected: dict[str, Any], space: dict[str, Any]) -> Iterator[str]:
    """Conditions for what ``==`` may take something else for."""
    for k, (place, value) in enumerate(_doubles(expected)):
        space[f"{name}_{k}"] = value
        yield f"{name}{place} is {name}_{k}"


def _doubles(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """What ``==`` may take something else for, and where it is.

    Two parameters of one number can be equal. Whether longer ones are, NumPy refuses to say.
    """
    if type(value) in {list, tuple}:
        for i, item in enumerate(value):
            yield from _doubles(item, f"{place}[{i}]")
    elif type(value) is dict:
        for name, item in value.items():
            if isinstance(name, str | int):
                yield from _doubles(item, f"{place}[{name!r}]")
    elif isinstance(value, Tensor):
        if value.size < 2:
            yield place, value
    elif hasattr(value, "__dict__") and _has_an_equality(type(value)):
        yield place, value


def _has_an_equality(kind: type) -> bool:
    """Whether a class says what ``==`` means. A bound method is no other one when it is equal."""
    own = {name for c in kind.__mro__ if c is not object for name in vars(c)}
    return "__eq__" in own and kind is not MethodType


def _renewed(
    dicts: list[Any], were: list[Any], loose: list[tuple[int, dict[str, Any]]]
) -> Callable[[], bool]:
    """A second look at dicts that differ: what is free to change in them is learnt anew.

    A learning rate is: so one comparison does for all dicts as long as nobody has changed it.
    """

    def renewed() -> bool:
        for i, watched in loose:
            were[i] = dicts[i].copy()
            were[i].update(watched)
        return dicts == were

    return renewed


def checker(program: Program, kept: list[Fact]) -> Callable[..., bool]:
    """A function of the arguments that says whether a program fits."""
    space: dict[str, Any] = {"ndarray": np.ndarray}
    names = [f"xs[{i}]" for i in range(len(program.inputs))]
    kinds = [f"type({x}) is ndarray" for x in names]
    text = " and ".join([*kinds, *tests(program, kept, space, names, lengths=True)]) or "True"
    exec(compile(f"fits = lambda *xs: {text}", "<guards>", "exec"), space)
    inner = space["fits"]

    def fits(*arrays: Any) -> bool:
        try:
            return len(arrays) == len(program.inputs) and bool(inner(*arrays))
        except Exception:  # noqa: BLE001 - what cannot be compared has changed
            return False

    return fits


def _dictionary(holder: dict[str, Any]) -> Fact:
    return Fact(holder, _WHOLE, _twin(holder))


def _attribute(holder: dict[str, Any], name: Any, value: Any) -> Fact:
    how = "==" if isinstance(value, (list, dict, *PLAIN)) else "is"
    return Fact(holder, f"{entry(name)} {how} {{1}}", copied(value))


def _twin(holder: dict[str, Any]) -> dict[str, Any]:
    """A copy to compare with: one that shares the table of keys is compared faster."""
    twin = holder.copy()
    twin.update((name, copied(value)) for name, value in holder.items())
    return twin


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)
