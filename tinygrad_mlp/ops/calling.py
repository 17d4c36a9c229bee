"""How an op is called, and what is said to a call that does not fit.

This file knows signatures and the words in which PyTorch names NumPy's options. It reads a
record: `bind` says how people call it, and where there is none, `forward` and the rules do. Nothing
here runs unless somebody asks, or a call has failed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from tinygrad_mlp import errors
from tinygrad_mlp.errors import UsageError

__all__ = ["input_names", "kindly", "misfit", "op_signature", "reason", "unknown_option"]

PYTORCH = {
    "dim": "axis",
    "dims": "axis",
    "keepdim": "keepdims",
    "correction": "ddof",
    "dim0": "axis1",
    "dim1": "axis2",
    "slope": "negative_slope",
}
"""What others call the options."""

NO_USE = {
    "dtype": ("the dtype is that of the numbers", "Use t.astype(dtype) first."),
    "inplace": ("no tensor is written in place", "Leave it out and use the result."),
    "out": ("no tensor is written in place", "Leave it out and use the result."),
    "start_dim": ("all axes are put into one row", "Use t.reshape(len(t), -1) to keep the first."),
    "input": ("the input has another name here", "Give it by position."),
}
"""Options that nothing here has, with the reason and what to write instead."""


def input_names(op: Any) -> tuple[str, ...]:
    """What a record calls its inputs; the last one may stand for any number: ``*xs``."""
    return tuple(
        f"*{p.name}" if p.kind is Parameter.VAR_POSITIONAL else p.name for p in _inputs(op)
    )


def _inputs(op: Any) -> list[Parameter]:
    """The inputs, as the forward function names them, or a rule where that is NumPy's own."""
    rule = op.each or next((rule for rule in op.rules if rule is not None), None)
    if hasattr(op.forward, "__code__"):
        told = list(inspect.signature(op.forward).parameters.values())
    elif rule is not None:
        told = list(inspect.signature(rule).parameters.values())[3 if op.each else 2 :]
    else:
        return [Parameter(n, Parameter.POSITIONAL_ONLY) for n in _letters(op.forward.nin)]
    inputs: list[Parameter] = []
    for p in told:
        if p.kind is Parameter.VAR_POSITIONAL:
            return [*inputs, p.replace(annotation=Parameter.empty)]
        if p.kind is not Parameter.KEYWORD_ONLY and len(inputs) < len(op.rules):
            inputs.append(p.replace(kind=Parameter.POSITIONAL_ONLY, annotation=Parameter.empty))
    return inputs


def _letters(count: int) -> str:
    return "x" if count == 1 else "abc"[:count]


def op_signature(op: Any) -> Signature:
    """How people call an op: what its `bind` takes, or its inputs by position."""
    if op.bind is not None:
        told = inspect.signature(op.bind).parameters.values()
        return Signature([p.replace(annotation=Parameter.empty) for p in told])
    inputs = _inputs(op)
    if not hasattr(op.forward, "__code__"):
        return Signature(inputs)
    told = inspect.signature(op.forward).parameters.values()
    attrs = [
        p.replace(kind=Parameter.KEYWORD_ONLY, annotation=Parameter.empty)
        for p in list(told)[len(inputs) :]
    ]
    return Signature(inputs + attrs)


# -- calls that do not fit -------------------------------------------------------------------


def reason(signature: Signature, args: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """Why a call does not fit, in Python's words; nothing if it does."""
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        return str(error)
    return ""


def misfit(
    name: str, signature: Signature, args: tuple[Any, ...], options: Mapping[str, Any]
) -> UsageError | None:
    """The error for a call that does not fit; None if it does."""
    why = reason(signature, args, options)
    if not why:
        return None
    unknown = {k: v for k, v in options.items() if k not in signature.parameters}
    if unknown:
        return unknown_option(name, signature, args, unknown)
    return UsageError(
        f"{name}() got {_listed(args, options)}", why=why, fix=f"It is {name}{signature}."
    )


def unknown_option(
    name: str, signature: Signature, args: tuple[Any, ...], options: Mapping[str, Any]
) -> UsageError:
    """The error for options that a function does not take, such as PyTorch's ``dim=``."""
    x: Any = args[0] if args else None
    on = ""
    if hasattr(x, "shape"):
        who = errors.called(x) or ("a tensor" if hasattr(x, "requires_grad") else "an array")
        on = f" of {who} of shape {x.shape}"
    what = f"{name}(){on} got {_listed((), options)}"
    taken = [p.name for p in signature.parameters.values() if p.default is not Parameter.empty]
    ours = {k: PYTORCH[k] for k in options if PYTORCH.get(k) in taken}
    if len(ours) == len(options):
        written = _listed((), {ours[k]: v for k, v in options.items()})
        why = ""
        if ours.keys() & {"dim", "dims", "keepdim", "correction"}:
            both = "keepdims" in taken
            why = "options are called axis= and keepdims=" if both else "the option is called axis="
            why += ", as in NumPy"
        return UsageError(what, why=why, fix=f"Use {written}.")
    first = next(iter(options))
    why, fix = NO_USE.get(first, ("", ""))
    import difflib

    near = difflib.get_close_matches(first, taken, 1)
    if _numpy_takes(name, first):
        why, fix = "", f"See np.{name}, which takes a tensor and NumPy's options."
    elif near:
        fix = f"Did you mean {near[0]}=?"
    elif not fix:
        options_taken = ", ".join(f"{k}=" for k in taken)
        fix = f"It takes {options_taken}." if taken else "It takes no options."
    return UsageError(what, why=why, fix=fix)


def _numpy_takes(name: str, option: str) -> bool:
    """Whether NumPy's function of that name has this option, and it is meant here."""
    function = getattr(np, name, None)
    if option not in {"dtype", "where", "initial"} or function is None:
        return False
    try:
        return option in inspect.signature(function).parameters
    except ValueError:
        return False


def _listed(args: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """Arguments as they are written, arrays by their shapes."""
    given = [_short(x) for x in args] + [f"{k}={_short(v)}" for k, v in options.items()]
    return ", ".join(given) or "no arguments"


def _short(x: Any) -> str:
    if hasattr(x, "shape"):
        return errors.called(x) or f"an array of shape {x.shape}"
    text = x.__name__ if isinstance(x, type) else repr(x)
    return text if len(text) < 40 else type(x).__name__


def kindly(function: Callable[..., Any]) -> Callable[..., Any]:
    """A composition that says in the words of an op what it does not take."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError as error:
            wrong = misfit(function.__name__, signature, args, options)
            if wrong is None:
                raise
            raise wrong from error

    return call
