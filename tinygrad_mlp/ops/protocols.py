"""NumPy's functions, called on values that are no arrays.

This file knows how NumPy hands such a call over (NEP 13 for ufuncs, NEP 18 for the others),
which of NumPy's options have a meaning here, and what to say when there is no rule. Which
record answers to which function is in `BY_NUMPY`, where records and compositions enter
themselves.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.ops.arithmetic import add, cast, copy, mul
from tinygrad_mlp.ops.calling import op_signature, reason
from tinygrad_mlp.ops.normalising import logsumexp
from tinygrad_mlp.ops.ordering import cumprod, cumsum
from tinygrad_mlp.ops.record import BY_NUMPY, READERS, REGISTRY, Array, Op, answers, value
from tinygrad_mlp.ops.reduction import max_, mean, min_, sum_
from tinygrad_mlp.ops.selection import maximum, minimum, where
from tinygrad_mlp.ops.shaping import reshape
from tinygrad_mlp.ops.statistics import all_, any_, norm2, prod, std, var

__all__ = ["call_function", "call_ufunc", "no_option", "no_rule"]

REDUCE: dict[np.ufunc, Callable[..., Array]] = {
    np.add: sum_,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
    np.logical_and: all_,
    np.logical_or: any_,
    np.logaddexp: logsumexp,
    np.hypot: norm2,
}
"""What ``ufunc.reduce`` is, where it has a meaning."""

ACCUMULATE: dict[np.ufunc, Callable[..., Array]] = {np.add: cumsum, np.multiply: cumprod}

NEUTRAL: dict[Any, tuple[float, Callable[..., Array]]] = {
    sum_: (0.0, add),
    prod: (1.0, mul),
    max_: (-np.inf, maximum),
    min_: (np.inf, minimum),
}
"""For ``where=`` and ``initial=``: the number that changes nothing, and how one more joins."""

CAST_FIRST = (sum_, prod, mean, var, std, cumsum, cumprod)
"""What honours ``dtype=``, by taking its input in that dtype."""

NOTHING: dict[str, tuple[Any, ...]] = {
    "out": (None,),
    "where": (True,),
    "dtype": (None,),
    "order": ("K", "C"),
    "casting": ("same_kind",),
    "subok": (True,),
    "like": (None,),
}
"""Values of NumPy's options that ask for nothing."""


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Any) -> Any:
    """Answer a ufunc, or one of its methods, called on values that have a reader."""
    name = _name(ufunc) + ("" if method == "__call__" else f".{method}")
    options = _meaningful(kwargs)
    answer = BY_NUMPY.get(ufunc)
    if method in {"reduce", "accumulate"}:
        table = REDUCE if method == "reduce" else ACCUMULATE
        if ufunc not in table:
            raise no_rule(name)
        args = (inputs[0], inputs[1] if len(inputs) > 1 else options.pop("axis", 0))
        return _answer(name, table[ufunc], args, options)
    if answer is None or method in {"at", "reduceat"}:
        raise no_rule(name)
    dtype = options.pop("dtype", None)
    if options:
        raise no_option(name, options)
    xs = [value(x) if method == "outer" or dtype is not None else x for x in inputs]
    if dtype is not None:
        xs = [cast(x, dtype) for x in xs]
    if method == "outer":
        a, b = xs
        xs = [reshape(a, a.shape + (1,) * b.ndim), b]
    return answer(*xs)


def call_function(function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """Answer a function of NumPy's that is no ufunc."""
    name = _name(function)
    answer = BY_NUMPY.get(function)
    if answer is None:
        raise no_rule(name)
    if len(args) == 1 and not kwargs:
        return answer(*args)
    if len(args) > 1:
        args, kwargs = _by_name(function, args, kwargs)
    return _answer(name, answer, args, _meaningful(kwargs))


def _meaningful(kwargs: Any) -> dict[str, Any]:
    """The options without those that ask for nothing."""
    return {k: v for k, v in kwargs.items() if not any(v is n for n in NOTHING.get(k, ()))}


@lru_cache(maxsize=256)
def _optional(function: Any) -> tuple[str, ...]:
    """The parameters of a function of NumPy's, empty if none of them is an option."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return ()
    return tuple(parameters) if any(n in NOTHING for n in parameters) else ()


def _by_name(function: Any, args: tuple[Any, ...], kwargs: Any) -> tuple[tuple[Any, ...], Any]:
    """Options that were given by position, named: ``np.sum(t, 0, float)``."""
    names = _optional(function)
    first = next((i for i, n in enumerate(names) if n in NOTHING), len(args))
    named = dict(zip(names[first:], args[first:], strict=False))
    return args[:first], {**named, **kwargs}


def _answer(name: str, answer: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Call what answers; honour dtype=, where= and initial= where they have a meaning."""
    x, *rest = args or (None,)
    if "dtype" in options and answer in CAST_FIRST:
        x = cast(value(x), options.pop("dtype"))
    if "where" in options and answer in NEUTRAL:
        x = where(options.pop("where"), x, NEUTRAL[answer][0])
    initial = options.pop("initial", None) if answer in NEUTRAL else None
    if "order" in options and options["order"] == "C":
        options.pop("order")
    unmeant = [k for k in options if k in NOTHING and k != "keepdims" and not _takes(answer, k)]
    if unmeant:
        raise no_option(name, unmeant)
    try:
        y = answer(*((x, *rest) if args else ()), **options)
    except TypeError as error:
        signature = _signature(answer)
        why = reason(signature, args, options)
        if why:
            unmeant = [k for k in options if k not in signature.parameters]
            raise no_option(name, unmeant, "" if unmeant else why) from error
        raise
    return y if initial is None else NEUTRAL[answer][1](y, initial)


def _signature(answer: Any) -> inspect.Signature:
    return op_signature(answer) if isinstance(answer, Op) else inspect.signature(answer)


def _takes(answer: Any, option: str) -> bool:
    return option in _signature(answer).parameters


# -- what to say -----------------------------------------------------------------------------

CLOSEST = {
    "add.at": "np.where, or t[index] and np.concatenate",
    "apply_along_axis": "functions that take axis=",
    "copyto": "np.where",
    "correlate": "np.convolve(a, v[::-1])",
    "digitize": "np.searchsorted",
    "divmod": "np.floor_divide, np.remainder",
    "ediff1d": "np.diff",
    "fill_diagonal": "np.where(np.eye(n, dtype=bool), v, t)",
    "frexp": "np.log2",
    "gradient": "np.diff",
    "histogram": "np.searchsorted",
    "lexsort": "np.argsort",
    "linalg.det": "np.trace, np.prod",
    "linalg.multi_dot": "np.matmul",
    "matvec": "np.matmul",
    "maximum.accumulate": "np.maximum.reduce",
    "modf": "np.trunc",
    "nanmax": "np.max of np.where(np.isnan(t), -np.inf, t)",
    "nanmedian": "np.median",
    "nanmin": "np.min of np.where(np.isnan(t), np.inf, t)",
    "nanprod": "np.prod of np.where(np.isnan(t), 1, t)",
    "nanstd": "np.std",
    "nanquantile": "np.quantile",
    "nanvar": "np.var",
    "nonzero": "np.where(mask, t, 0)",
    "partition": "np.sort",
    "place": "np.where",
    "polyval": "sums of t ** n",
    "put": "np.where",
    "put_along_axis": "np.where",
    "select": "np.where",
    "vecmat": "np.matmul",
}
"""What may serve instead of a function that has no rule, where its name does not say it."""


@lru_cache(maxsize=512)
def _name(function: Any) -> str:
    """What the user calls a function: ``np.linalg.det``, ``scipy.special.erf``."""
    name: str = function.__name__
    if getattr(np, name, None) is function:
        return f"np.{name}"
    special = sys.modules.get("scipy.special")
    if special is not None and getattr(special, name, None) is function:
        return f"scipy.special.{name}"
    module = getattr(function, "__module__", None) or ""
    part = next((f"{part}." for part in ("linalg", "fft") if module.endswith(part)), "")
    foreign = isinstance(function, np.ufunc) or not module.startswith("numpy")
    return name if foreign else f"np.{part}{name}"


def closest(name: str) -> str:
    """What is supported and comes nearest to ``np.name``."""
    bare = name.removeprefix("np.")
    if bare in CLOSEST:
        return CLOSEST[bare]
    known = {_name(f): None for f in BY_NUMPY}
    part, _, last = bare.rpartition(".")
    if f"np.{part}" in known:
        return f"np.{part}"
    if part or name == bare:  # of another room or package: what is alike in letters is no help
        return f"{_OPS}.{last}(t)" if last in REGISTRY else ""
    import difflib

    near = difflib.get_close_matches(bare, [k.removeprefix("np.") for k in known], 2, 0.7)
    return ", ".join(f"np.{each}" for each in near)


_OPS = __name__.rpartition(".")[0]


def no_rule(name: str) -> UnsupportedError:
    """The error for a NumPy function that no record answers to."""
    near = closest(name)
    return UnsupportedError(
        f"{name} has no gradient rule here",
        fix=(f"Closest: {near}; for" if near else "For")
        + " plain numbers use t.data, for a rule of your own tg.define_op.",
    )


WHY_NOT = {
    "out": ("tensors are not written in place", "Use the result: y = …."),
    "where": (
        "entries that are left out would hold no number",
        "Use np.where(mask, f(np.where(mask, t, 1)), other).",
    ),
}


def no_option(name: str, options: Any, detail: str = "") -> UnsupportedError:
    """The error for an option that would be dropped in silence."""
    first = next(iter(options), "")
    why, fix = WHY_NOT.get(first, ("it has no meaning here", "Leave the option out."))
    what = ", ".join(f"{k}=" for k in options) or "these arguments"
    return UnsupportedError(f"{name} with {what}", why=detail or why, fix=fix)


# -- what is no mathematics ------------------------------------------------------------------

answers(np.shape)(lambda x: x.shape)
answers(np.ndim)(lambda x: x.ndim)
answers(np.size)(lambda x, axis=None: x.size if axis is None else x.shape[axis])
answers(np.copy)(copy)
answers(np.real)(copy)
answers(np.iscomplexobj)(lambda x: False)
answers(np.isrealobj)(lambda x: True)
answers(np.zeros_like)(lambda x, dtype=None, shape=None: np.zeros(*_form(x, dtype, shape)))
answers(np.ones_like)(lambda x, dtype=None, shape=None: np.ones(*_form(x, dtype, shape)))
answers(np.empty_like)(lambda x, dtype=None, shape=None: np.empty(*_form(x, dtype, shape)))


def _form(x: Array, dtype: Any, shape: Any) -> tuple[Any, Any]:
    return x.shape if shape is None else shape, dtype or x.dtype


@answers(np.full_like)
def full_like(x: Array, fill_value: Any, dtype: Any = None, shape: Any = None) -> Array:
    """An array of one number, of the shape and dtype of `x`; a tensor's number is repeated."""
    if type(fill_value) in READERS:
        if fill_value.dtype.kind == x.dtype.kind:
            fill_value = cast(fill_value, dtype or x.dtype)
        return fill_value + np.zeros(x.shape if shape is None else shape, fill_value.dtype)
    return np.full(x.shape if shape is None else shape, fill_value, dtype or x.dtype)


@answers(np.result_type)
def result_type(*xs: Any) -> Any:
    """The dtype that these have in common."""
    return np.result_type(*(x.dtype if type(x) in READERS else x for x in xs))


def _compared(name: str, function: Callable[..., Any]) -> None:
    """A comparison within a tolerance: truth values, and no gradient."""
    signature = inspect.signature(function)

    def bind(*args: Any, **kwargs: Any) -> tuple[tuple[Array, Array], dict[str, Any]]:
        (_, a), (_, b), *tolerance = signature.bind(*args, **kwargs).arguments.items()
        return (value(a), value(b)), dict(tolerance)

    bind.__signature__ = signature  # type: ignore[attr-defined]
    Op(
        name,
        lambda a, b, **tolerance: np.asarray(function(a, b, **tolerance)),
        bind=bind,
        numpy=(function,),
        doc="Whether entries are equal, or nearly so.",
    )


_compared("isclose", np.isclose)
_compared("allclose", np.allclose)
_compared("array_equal", np.array_equal)
