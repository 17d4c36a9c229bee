"""An op is one record: its forward function, one gradient rule per input, how it is written.

This file knows what a record is and who may read it. It knows no op, no tensor and no graph.

A record is read by whatever its inputs are. Plain arrays simply run ``forward``. Every other
kind of value registers a *reader*: tensors record the application in a graph, symbols write
a formula, program variables write an equation. So there is one statement of each derivative,
and the number, the graph, the formula and the generated code cannot disagree.

The contract of a rule, ``rule(g, y, *inputs, **attrs)``:

* ``g`` is the gradient that arrives at the output ``y``; the result is the gradient of that
  one input, not yet un-broadcast (the engine does that, once, for everybody);
* everything positional is an array that the op reads, everything by keyword is a hashable
  static; indices, masks and conditions are inputs whose rule is ``None``;
* a rule speaks a small language, so that every reader understands it: operators, basic
  indexing, ``.shape .ndim .dtype .size .T .mT .sum .reshape .astype``, ufuncs, other records.
  It never writes in place, never passes ``out=``, never branches on a value;
* constants are Python numbers, so that float32 stays float32, and floats (``1.0 - y``): NumPy
  takes 0.3 µs longer over an int.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.ops.calling import kindly, misfit, op_signature
from tinygrad_mlp.ops.describing import Described, docstring
from tinygrad_mlp.ops.domain import Domain
from tinygrad_mlp.ops.notation import Notation, call

__all__ = [
    "BY_NUMPY",
    "READERS",
    "REGISTRY",
    "Array",
    "Attrs",
    "Op",
    "Reader",
    "Rule",
    "answers",
    "scalar",
    "value",
]

Array: TypeAlias = Any
"""A NumPy array, or whatever stands in its place: a tensor, a symbol, a program variable."""

Attrs: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[..., Array]
Bind: TypeAlias = Callable[..., tuple[tuple[Array, ...], dict[str, Any]]]
Reader: TypeAlias = Callable[["Op", tuple[Array, ...], Attrs], Array]

READERS: dict[type, Reader] = {}
"""What applying an op means for a value of this type; upper rooms register themselves."""

REGISTRY: dict[str, Op] = {}
"""Every op by name, in the order of definition."""

BY_NUMPY: dict[Any, Callable[..., Array]] = {}
"""What answers when a NumPy function is called on a value that has a reader."""


class Op:
    """One operation: what it computes, how its gradient flows back, how it is written.

    Args:
        name: The name under which the op is known, in pictures and in `REGISTRY`.
        forward: ``forward(*arrays, **attrs) -> array``, in NumPy.
        vjp: One rule per input, or the bare rule of a one-input op. ``None`` in a place says
            that no gradient flows there. When there are more inputs than rules, the last
            rule serves the rest.
        each: For ops with any number of inputs, instead of `vjp`: one rule
            ``(i, g, y, *inputs, **attrs)`` that is told which input it is for.
        bind: ``bind(*args, **kwargs) -> (inputs, attrs)``: from the way in which people call
            the op to what is recorded (axes sorted and non-negative, no -1 in a shape).
        numpy: The NumPy functions that this op answers to.
        notation: How it is written as text and in LaTeX.
        domain: Where it is defined, and where it may be differentiated.
        same_as: For a fused op, the composition of other ops that it equals.
        doc: What the op is, in one sentence.
        source: Where the formula is from: the paper, if it is of one.
        listed: Whether it goes into `REGISTRY`.

    Raises:
        UsageError: If the name is taken.
    """

    __doc__ = Described(docstring, __doc__)
    __name__ = Described(lambda op: op.name)
    __signature__ = Described(op_signature)

    __slots__ = (
        "bind",
        "doc",
        "domain",
        "each",
        "forward",
        "leaky",
        "name",
        "notation",
        "numpy",
        "rules",
        "same_as",
        "source",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Array],
        vjp: Rule | tuple[Rule | None, ...] | None = None,
        *,
        each: Rule | None = None,
        bind: Bind | None = None,
        numpy: tuple[Any, ...] = (),
        notation: Notation | None = None,
        domain: Domain | None = None,
        same_as: Callable[..., Array] | None = None,
        doc: str = "",
        source: str = "",
        listed: bool = True,
    ) -> None:
        if listed and name in REGISTRY:
            raise UsageError(f"an op named {name!r} exists already", fix="Choose another name.")
        self.name = name
        self.forward = forward
        self.rules: tuple[Rule | None, ...] = vjp if isinstance(vjp, tuple) else (vjp,)
        self.each = each
        # Some input has no rule, so whether a gradient flows depends on *which* input needs one.
        self.leaky = each is None and None in self.rules
        self.bind = bind
        self.numpy = numpy
        self.notation = notation or call(name)
        self.domain = domain
        self.same_as = same_as
        self.doc = doc
        self.source = source
        if listed:
            REGISTRY[name] = self
        for function in numpy:
            BY_NUMPY[function] = self

    def __call__(self, *args: Array, **kwargs: Any) -> Array:
        """Apply the op, called in the way in which NumPy's function of that name is called."""
        inputs, attrs = args, kwargs
        try:
            if self.bind is not None:
                inputs, attrs = self.bind(*args, **kwargs)
            for x in inputs:
                reader = READERS.get(type(x))
                if reader is not None:
                    return reader(self, inputs, attrs)
            return self.forward(*inputs, **attrs)
        except TypeError as error:
            wrong = misfit(self.name, self.__signature__, args, kwargs)
            if wrong is None:
                raise
            raise wrong from error

    def apply(self, inputs: Sequence[Array], attrs: Attrs) -> Array:
        """Apply the op to inputs and attributes that are bound already."""
        for x in inputs:
            reader = READERS.get(type(x))
            if reader is not None:
                return reader(self, tuple(inputs), attrs)
        return self.forward(*inputs, **attrs)

    def rule(self, i: int) -> Rule | None:
        """The rule of input number `i`, or None where no gradient flows."""
        if self.each is not None:
            each = self.each
            return lambda g, y, *xs, **attrs: each(i, g, y, *xs, **attrs)
        return self.rules[i if i < len(self.rules) else -1]

    def flows(self, i: int) -> bool:
        """Whether a gradient can flow to input number `i`."""
        if self.each is not None:
            return True
        return self.rules[i if i < len(self.rules) else -1] is not None

    @property
    def differentiable(self) -> bool:
        """Whether a gradient can flow to any input."""
        return self.each is not None or any(rule is not None for rule in self.rules)

    def _repr_html_(self) -> str:
        from tinygrad_mlp.viz.display import op_html

        return op_html(self)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)  # an op is its name: copies and pickles are the same op


def _by_name(name: str) -> Op:
    return REGISTRY[name]


def answers(*functions: Any) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Let a composition of records answer to NumPy functions, as ``numpy=`` does for a record."""

    def register(composition: Callable[..., Array]) -> Callable[..., Array]:
        if composition.__defaults__ or composition.__kwdefaults__:
            composition = kindly(composition)
        for function in functions:
            BY_NUMPY[function] = composition
        return composition

    return register


def differentiable_ops() -> Iterator[Op]:
    """All ops through which a gradient can flow, in the order of definition."""
    return (op for op in REGISTRY.values() if op.differentiable)


def value(x: Any) -> Array:
    """`x` as something with a shape: what has a reader stays, lists and numbers become arrays."""
    return x if type(x) in READERS else np.asarray(x)


def scalar(number: Any, like: Array) -> Any:
    """A float as an array of the dtype of `like`, for NumPy to be quick about; else `number`.

    NumPy takes 0.1 to 0.3 µs longer over a Python float than over an array of the same dtype.

    >>> scalar(0.1, np.ones(3, np.float32))
    array(0.1, dtype=float32)
    """
    return _scalar(number, like.dtype) if type(number) is float else number


@lru_cache(maxsize=256)
def _scalar(number: float, dtype: Any) -> Array:
    array = np.array(number, dtype)
    array.flags.writeable = False
    return array
