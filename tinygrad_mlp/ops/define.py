"""A user's own op: a record like every shipped one.

This file knows how functions that somebody else wrote become a record that keeps the contract
of `record.py`, and what to say when they do not. It knows no op.

A rule that is written in operators, NumPy functions and other ops is read by everybody: the op
is trained, differentiated twice, drawn, explained and compiled. A rule that understands arrays
only (it calls SciPy, or loops) gives first derivatives, and says at the right moment what it
cannot do.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import (
    CaptureError,
    TinygradError,
    UnsupportedError,
    UsageError,
)
from tinygrad_mlp.ops.domain import Domain, broadcasting
from tinygrad_mlp.ops.notation import Notation, call
from tinygrad_mlp.ops.record import READERS, REGISTRY, Array, Bind, Op, Rule

__all__ = ["define_op"]

PLAIN = (np.ndarray, np.generic, float, int, bool, complex)


def define_op(
    name: str,
    forward: Callable[..., Array],
    vjp: Rule | Sequence[Rule | None] | None = None,
    *,
    text: str = "",
    latex: str = "",
    domain: Domain | None = None,
    same_as: Callable[..., Array] | None = None,
    numpy: Sequence[Any] = (),
    doc: str = "",
    replace: bool = False,
) -> Op:
    """Define an op of your own; it can do at once what every shipped op can do.

    Args:
        name: What it is called in pictures, formulas and programs.
        forward: ``forward(*arrays, **options) -> array``. Parameters without a default are
            arrays; those with a default are options, which are fixed when the op is applied
            and which the rules are given too.
        vjp: ``rule(g, y, *inputs, **options)`` gives the gradient of an input from the gradient
            `g` of the output `y`: one rule, or one for each input, None where nothing flows.
            Broadcasting is undone for you. None: the op has no gradient at all.
        text: How it is written, with ``<0>`` for the first input; by default ``name(…)``.
        latex: The same in LaTeX.
        domain: Where it is defined, for `tinygrad_mlp.testing.check_op`; by default everywhere,
            for inputs that broadcast together.
        same_as: What it equals, composed of other ops.
        numpy: NumPy functions that it shall answer to.
        doc: What it is, in one sentence.
        replace: Whether an op of that name may be replaced, as when a notebook runs a cell again.

    Returns:
        The op, to be called with arrays, tensors or symbols.

    Raises:
        UsageError: If the name is taken, or a rule does not take what it will be given.

    >>> import numpy as np
    >>> from tinygrad_mlp import Tensor
    >>> twice = define_op("twice", lambda x: 2 * x, lambda g, y, x: 2 * g, replace=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> twice(x).sum().backward()
    >>> x.grad
    array([2., 2.])
    """
    if replace:
        REGISTRY.pop(name, None)
    inputs, options = _parameters(forward)
    rules = tuple(vjp) if isinstance(vjp, Sequence) else (vjp,) * max(len(inputs or ()), 1)
    if inputs is not None and len(rules) != len(inputs):
        raise UsageError(
            f"{name}: {len(rules)} rules for {len(inputs)} inputs ({', '.join(inputs)})",
            why="there is one rule for each input",
            fix="Put None where no gradient flows.",
        )
    if callable(vjp) and inputs is not None and len(inputs) > 1:
        raise UsageError(
            f"{name}: one rule for {len(inputs)} inputs ({', '.join(inputs)})",
            why="each input has a gradient of its own",
            fix="Give vjp= a tuple with a rule for each.",
        )
    for rule in rules:
        _check_rule(name, rule, inputs, options)
    notation = Notation(text or f"{name}(<*>)", latex or call(name).latex) if text else None
    return Op(
        name,
        _forward(name, forward, options),
        tuple(_rule(name, i, rule) for i, rule in enumerate(rules)),
        bind=_bind(forward) if options else None,
        numpy=tuple(numpy),
        notation=notation,
        domain=domain or _everywhere(forward, inputs, options),
        same_as=same_as,
        doc=doc or f"Defined by the user: {name}.",
    )


def _parameters(forward: Callable[..., Array]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names of the inputs (None: any number) and of the options."""
    if isinstance(forward, np.ufunc):
        return tuple("abcdefgh"[: forward.nin]) if forward.nin > 1 else ("x",), ()
    parameters = inspect.signature(forward).parameters.values()
    options = tuple(
        p.name for p in parameters if p.default is not p.empty or p.kind is p.KEYWORD_ONLY
    )
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None, options
    return tuple(p.name for p in parameters if p.name not in options), options


def _everywhere(
    forward: Callable[..., Array], inputs: tuple[str, ...] | None, options: tuple[str, ...]
) -> Domain | None:
    """All real numbers, with the options at their defaults, if they have some."""
    parameters = inspect.signature(forward).parameters if options else {}
    defaults = {name: parameters[name].default for name in options}
    if not inputs or inspect.Parameter.empty in defaults.values():
        return None
    shapes = broadcasting(len(inputs))
    return Domain(case=lambda pick: (shapes(pick)[0], dict(defaults)), analytic=False)


def _bind(forward: Callable[..., Array]) -> Bind:
    """Options by name, with their defaults; everything else is an input."""
    signature = inspect.signature(forward)

    def bind(*args: Any, **kwargs: Any) -> tuple[tuple[Array, ...], dict[str, Any]]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        inputs: list[Array] = []
        attrs: dict[str, Any] = {}
        for key, given in bound.arguments.items():
            parameter = signature.parameters[key]
            if parameter.kind is parameter.VAR_POSITIONAL:
                inputs.extend(given)
            elif parameter.default is parameter.empty and (
                parameter.kind is not parameter.KEYWORD_ONLY
            ):
                inputs.append(given)
            else:
                attrs[key] = given
        return tuple(inputs), attrs

    bind.__signature__ = signature  # type: ignore[attr-defined]
    return bind


def _check_rule(
    name: str, rule: Rule | None, inputs: tuple[str, ...] | None, options: tuple[str, ...]
) -> None:
    """Make sure that a rule takes what it will be given."""
    if rule is None or inputs is None:
        return
    try:
        signature = inspect.signature(rule)
    except (TypeError, ValueError):
        return
    try:
        signature.bind("g", "y", *inputs, **dict.fromkeys(options))
    except TypeError as error:
        wanted = ", ".join(("g", "y", *inputs, *(f"{option}=" for option in options)))
        raise UsageError(
            f"{name}: its rule takes {signature}, and will be given ({wanted})",
            why=str(error),
            fix=f"Write lambda {', '.join(('g', 'y', *inputs, *options))}: …",
        ) from error


def _forward(
    name: str, forward: Callable[..., Array], options: tuple[str, ...]
) -> Callable[..., Array]:
    """`forward`, whose result is an array whatever it returns; only options go by name."""
    if isinstance(forward, np.ufunc):
        if getattr(np, forward.__name__, None) is forward:
            return forward
        foreign = True
    else:
        foreign = False

    @functools.wraps(forward)
    def wrapped(*xs: Array, **attrs: Any) -> Array:
        if attrs.keys() - options:
            raise TypeError(f"{', '.join(attrs)}: inputs are given by position")
        plain = all(isinstance(x, PLAIN) for x in xs)
        if foreign and not plain:
            raise _arrays_only(f"{name}: its forward function", "it is no function of NumPy's")
        try:
            y = forward(*xs, **attrs)
        except (TypeError, AttributeError, ValueError, CaptureError) as error:
            if plain:
                raise
            raise _arrays_only(f"{name}: its forward function", error) from error
        return np.asarray(y) if isinstance(y, float | int | list | tuple) else y

    return wrapped


def _rule(name: str, i: int, rule: Rule | None) -> Rule | None:
    """A rule whose result is held to the contract: what it was handed, it must give."""
    if rule is None:
        return None

    @functools.wraps(rule)
    def wrapped(g: Array, y: Array, *xs: Array, **attrs: Any) -> Array:
        recorded = any(type(x) in READERS for x in (g, y, *xs))
        try:
            gradient = rule(g, y, *xs, **attrs)
        except (TypeError, AttributeError, ValueError, CaptureError) as error:
            if not recorded:
                raise
            raise _arrays_only(f"{name}: its rule for input {i}", error) from error
        if type(gradient) not in READERS:
            if recorded and isinstance(gradient, np.ndarray | np.generic):
                raise _arrays_only(f"{name}: its rule for input {i}", "it returned an array")
            gradient = np.asarray(gradient, getattr(xs[i], "dtype", None))
        return gradient

    return wrapped


def _arrays_only(what: str, why: Exception | str) -> UnsupportedError:
    reason = why.what if isinstance(why, TinygradError) else str(why)
    return UnsupportedError(
        f"{what} understands arrays only",
        why=f"{reason.rstrip('.')}. So there are first derivatives, but no second ones, "
        "no formula and no compiled step",
        fix="Write it with operators, NumPy functions and other ops.",
    )
