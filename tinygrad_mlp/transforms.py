"""Derivatives of functions: from a function to the function that is its derivative.

This file knows functions of tensors and how a backward pass is asked for from outside. It
states no derivative. Nobody's ``.grad`` is touched: a transform puts fresh leaves in the place
of the arguments and catches the gradients that arrive there.

An argument may be a number, an array, a tensor, or a dict, list or tuple of them; a gradient
has the form of its argument, with zeros where the result does not depend on it. Tensors are
given for tensors and arrays for arrays. What is given for tensors can be differentiated again,
so transforms nest, and mix with ``backward()``; inside `no_grad` it is plain numbers.

>>> import numpy as np
>>> second = grad(grad(lambda x: np.sin(x)))
>>> print(f"{second(0.5):.4f}")
-0.4794
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Self, TypeAlias

import numpy as np

from tinygrad_mlp import cells
from tinygrad_mlp.autodiff import backpropagate, enable_grad, grad_enabled
from tinygrad_mlp.errors import DTypeError, ShapeError, UsageError
from tinygrad_mlp.graph import Node, ancestors
from tinygrad_mlp.ops import READERS, positive, stack
from tinygrad_mlp.tensor import Tensor, astensor

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Tree: TypeAlias = Any
"""A number, an array, a tensor, or a dict, list or tuple of trees."""

Argnums: TypeAlias = int | Sequence[int]


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False
) -> Callable[..., tuple[Any, Tree]]:
    """The function that gives the value of `f` and its gradient.

    Args:
        f: A function with one number as its result.
        argnums: The argument to differentiate by, or several of them.
        has_aux: `f` returns a pair: the number, and something that is handed through.

    Returns:
        A function with the arguments of `f` that returns ``(value, gradient)``, or
        ``((value, aux), gradient)``; for several arguments the gradient is a tuple.

    Raises:
        ShapeError: When the result is not one number.

    >>> value, gradient = value_and_grad(lambda w: (w * w).sum())(np.array([1.0, 2.0]))
    >>> value, gradient
    (array(5.), array([2., 4.]))
    """

    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, Tree]:
        places, single = _places(argnums, len(args))
        with _Trace(tuple(args[i] for i in places)) as trace:
            result = f(*_replaced(args, places, trace.arguments), **kwargs)
            value, aux = _pair(result) if has_aux else (result, None)
            _one_number(value)
            trace.decide([value])
            found = trace.pull([(value, 1.0)])
        value, aux = trace.given_back(value), trace.given_back(aux)
        gradient = found[0] if single else found
        return ((value, aux) if has_aux else value), gradient

    return _titled(differentiated, "value_and_grad", f)


def grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False
) -> Callable[..., Tree]:
    """The function that gives the gradient of `f`; see `value_and_grad`.

    Returns:
        A function with the arguments of `f` that returns the gradient, or ``(gradient, aux)``.

    >>> grad(lambda p: (p["w"] * p["x"]).sum())({"w": np.ones(2), "x": np.array([3.0, 4.0])})
    {'w': array([3., 4.]), 'x': array([1., 1.])}
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    def differentiated(*args: Any, **kwargs: Any) -> Tree:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return _titled(differentiated, "grad", f)


def vjp(f: Callable[..., Any], *primals: Tree) -> tuple[Any, Callable[..., tuple[Tree, ...]]]:
    """The value of `f`, and the function that carries a gradient of it back to the arguments.

    Args:
        f: A function of `primals` that returns a tensor, or a tree of tensors.
        *primals: Where to evaluate it.

    Returns:
        ``f(*primals)``, and a function that takes a gradient of the form of that value and
        gives a tuple: one gradient for each of `primals`. It may be called again and again.

    >>> y, pull = vjp(lambda x: x ** 2, np.array([1.0, 2.0, 3.0]))
    >>> y, pull(np.array([1.0, 0.0, 10.0]))
    (array([1., 4., 9.]), (array([ 2.,  0., 60.]),))
    """
    with _Trace(primals) as trace:
        value = f(*trace.arguments)
        trace.decide(_leaves(value))

    def pull(gradient: Tree) -> tuple[Tree, ...]:
        with trace:
            trace.decide(_leaves(gradient))
            return trace.pull(_matched(value, gradient))

    return trace.given_back(value), pull


def jvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Any:
    """The value of `f` and how it moves when its arguments move along `tangents`.

    It is the vjp of the vjp: a vjp is linear in the gradient that it carries back, and carrying
    back through *it* carries forward through `f` (Townsend, "A new trick for calculating
    Jacobian vector products", 2017). So there is no second table of derivatives.

    Args:
        f: A function of `primals` that returns a tensor, or a tree of tensors.
        primals: Where to evaluate it.
        tangents: The direction, of the form of `primals`.

    Returns:
        ``(f(*primals), tangent of the value)``.

    >>> jvp(lambda x: x ** 2, (np.array([1.0, 2.0]),), (np.array([1.0, 0.5]),))
    (array([1., 4.]), array([2., 2.]))
    """
    with _Trace(tuple(primals)) as trace:
        value = f(*trace.arguments)
        ys = [y for y in _leaves(value) if isinstance(y, Tensor)]
        trace.decide([*ys, *_leaves(tuple(tangents))])
        carried = [Tensor(np.ones(y.shape, y.dtype), requires_grad=True) for y in ys]
        back = trace.gradients(list(zip(ys, carried, strict=True)), create_graph=True)
        pairs = _matched(tuple(primals), tuple(tangents))
        moving = [(x, t) for x, (_, t) in zip(back, pairs, strict=True)]
        forward = iter(trace.gradients(moving, create_graph=trace.kept, by=carried))
        for g in carried:
            g.requires_grad = False  # an outer pass has no business there
        moved = _mapped(value, lambda y: next(forward) if isinstance(y, Tensor) else 0.0)
    return trace.given_back(value), trace.given_back(moved)


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Tree]:
    """The function that gives all first derivatives of `f`.

    Args:
        f: A function that returns a tensor, or a tree of tensors.
        argnums: The argument to differentiate by, or several of them.

    Returns:
        A function with the arguments of `f`: for each tensor of its result, in the form of
        the argument, arrays of shape ``f(x).shape + x.shape``. It takes one backward pass for
        each entry of the result.

    >>> jacobian(lambda x: x[1:] * x[:-1])(np.array([1.0, 2.0, 3.0]))
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """

    def differentiated(*args: Any, **kwargs: Any) -> Tree:
        places, single = _places(argnums, len(args))
        with _Trace(tuple(args[i] for i in places)) as trace:
            value = f(*_replaced(args, places, trace.arguments), **kwargs)
            trace.decide(_leaves(value))
            return _mapped(value, lambda y: _rows(trace, y, single=single))

    return _titled(differentiated, "jacobian", f)


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Tree]:
    """The function that gives all second derivatives of `f` by one argument.

    >>> hessian(lambda x: (x ** 3).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return _titled(jacobian(grad(f, argnums), argnums), "hessian", f)


def hvp(f: Callable[..., Any], x: Tree, v: Tree) -> Tree:
    """The Hessian of `f` at `x` times `v`, without ever holding the Hessian.

    Args:
        f: A function of one argument with one number as its result.
        x: Where to evaluate it.
        v: The direction, of the form of `x`.

    >>> hvp(lambda x: (x ** 3).sum(), np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    return jvp(grad(f), (x,), (v,))[1]


# -- one differentiation ---------------------------------------------------------------------

_open: ContextVar[frozenset[int]] = ContextVar("open_leaves", default=frozenset())
"""The births of the leaves by which somebody is differentiating at the moment."""


class _Trace:
    """Fresh leaves in the place of the arguments, and what is found out at them.

    Args:
        given: The arguments that are differentiated by.

    Attributes:
        sources: Their numbers, arrays and tensors.
        arguments: The same trees, made of fresh leaves.
        kept: Whether what is found can be differentiated again.
    """

    def __init__(self, given: tuple[Tree, ...]) -> None:
        self.given = given
        self.recording = grad_enabled.get()
        self.sources = _leaves(given)
        self.fresh = [_leaf(x) for x in self.sources]
        waiting = iter(self.fresh)
        self.arguments = _mapped(given, lambda _: next(waiting))
        self.in_tensors = any(isinstance(x, Tensor) for x in self.sources)
        self.kept = False
        self._grafted = False

    def __enter__(self) -> Self:
        self._mode = enable_grad()
        self._mode.__enter__()
        self._outer = _open.get()
        self._token = _open.set(self._outer | {x.birth for x in self.fresh})
        return self

    def __exit__(self, *exc: object) -> None:
        _open.reset(self._token)
        self._mode.__exit__(*exc)
        if self.kept and not self._grafted:
            self._graft()

    def pull(self, roots: list[tuple[Any, Any]]) -> tuple[Tree, ...]:
        """The gradients of the arguments, in their form, as what the caller gave."""
        found = self.gradients(roots, create_graph=self.kept)
        waiting = iter(zip(self.sources, found, strict=True))

        def one(_: Any) -> Any:
            x, gradient = next(waiting)
            return self._as_given(gradient, tensor=isinstance(x, Tensor) or self.kept)

        return tuple(_mapped(x, one) for x in self.given)

    def gradients(
        self, roots: list[tuple[Any, Any]], *, create_graph: bool, by: Sequence[Tensor] = ()
    ) -> list[Any]:
        """The gradients of the leaves, as arrays or (with `create_graph`) as tensors."""
        leaves = by or self.fresh
        found: dict[int, Any] = {}
        for y, g in roots:
            if not isinstance(y, Tensor) or not y.requires_grad:
                continue
            seed = astensor(_like(g, y)) if create_graph else _plain(_like(g, y))
            arrived: dict[int, Any] = {}
            wanted = {x.birth for x in leaves}

            def arrive(
                node: Node,
                gradient: Any,
                arrived: dict[int, Any] = arrived,
                wanted: set[int] = wanted,
            ) -> None:
                if node.birth in wanted:
                    arrived[node.birth] = gradient

            watcher = cells.mine()
            watcher.phase("backward")
            backpropagate(y, seed, create_graph=create_graph, arrive=arrive)
            watcher.phase("update")
            for birth, gradient in arrived.items():
                found[birth] = found[birth] + gradient if birth in found else gradient
        return [found[x.birth] if x.birth in found else np.zeros(x.shape, x.dtype) for x in leaves]

    def decide(self, results: Sequence[Any]) -> None:
        """Find out whether somebody may want to differentiate what is found.

        That is so if an argument that is a tensor needs a gradient, or if another tensor that
        does took part. Who gave arrays gets arrays: then only an enclosing transform counts.
        """
        if self.kept or not self.recording:
            return
        self.kept = any(isinstance(x, Tensor) and x.requires_grad for x in self.sources)
        own = {x.birth for x in self.fresh}
        for y in results:
            if isinstance(y, Tensor) and y.requires_grad and not self.kept:
                leaves = {x.birth for x in ancestors(y) if x.op is None} - own
                self.kept = bool(leaves if self.in_tensors else leaves & self._outer)

    def _graft(self) -> None:
        """Put the leaves onto the caller's tensors, so that an outer pass flows through."""
        self._grafted = True
        for leaf, x in zip(self.fresh, self.sources, strict=True):
            if isinstance(x, Tensor) and x.requires_grad:
                leaf.op, leaf.inputs, leaf.values = positive, (x,), (leaf.data, leaf.data)
            else:
                leaf.requires_grad = False

    def given_back(self, result: Tree) -> Tree:
        """A result as the caller expects it: tensors for tensors, arrays for arrays."""
        tensors = self.in_tensors or self.kept
        return _mapped(result, lambda y: self._as_given(y, tensor=tensors))

    def _as_given(self, y: Any, *, tensor: bool) -> Any:
        if isinstance(y, Tensor):
            if not tensor:
                return y.data
            return y if self.kept else y.detach()
        if isinstance(y, np.ndarray | np.generic) or type(y) in READERS:
            array = np.asarray(y) if isinstance(y, np.generic) else y
            return Tensor(array, copy=False) if tensor else array
        return y


def _leaf(x: Any) -> Tensor:
    """A fresh leaf that holds what an argument holds."""
    if isinstance(x, Tensor):
        return Tensor(x.data, requires_grad=True, name=x.name, copy=False)
    if isinstance(x, str | bytes) or not (np.isscalar(x) or hasattr(x, "shape")):
        raise DTypeError(
            f"cannot differentiate by {type(x).__name__}",
            why="an argument is a number, an array, a tensor, or a dict, list or tuple of them",
            fix="Choose the arguments to differentiate by with argnums=.",
        )
    return Tensor(x, requires_grad=True)


def _like(g: Any, y: Tensor) -> Any:
    """The gradient to start from, of the shape and dtype of `y`."""
    if isinstance(g, Tensor) or type(g) in READERS:
        if g.shape != y.shape:
            raise _misfit(g.shape, y.shape)
        return g
    array = np.asarray(g, y.dtype)
    if array.shape == y.shape:
        return array
    if array.ndim == 0:
        return np.full(y.shape, array)
    raise _misfit(array.shape, y.shape)


def _plain(g: Any) -> Any:
    return g.data if isinstance(g, Tensor) else g


def _misfit(got: tuple[int, ...], expected: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"a gradient or tangent of shape {got} for a value of shape {expected}",
        why="it has one entry for each entry of the value",
        fix=f"Pass an array of shape {expected}.",
    )


def _rows(trace: _Trace, y: Any, *, single: bool) -> Tree:
    """The Jacobian of one result: a backward pass for each of its entries."""
    shape = y.shape if isinstance(y, Tensor) else np.shape(y)
    entries = np.eye(math.prod(shape)).reshape(math.prod(shape), *shape)
    rows = [_leaves(trace.pull([(y, entry)])) for entry in entries]
    places = iter(range(len(trace.sources)))

    def joined(x: Any) -> Any:
        i = next(places)
        full = (*shape, *np.shape(x.data if isinstance(x, Tensor) else x))
        if rows:
            return stack([row[i] for row in rows]).reshape(full)
        zeros = np.zeros(full, trace.fresh[i].dtype)
        return Tensor(zeros, copy=False) if isinstance(x, Tensor) else zeros

    found = _mapped(trace.given, joined)
    return found[0] if single else found


def _one_number(value: Any) -> None:
    if isinstance(value, Tensor):
        if value.size == 1:
            return
        shape: Any = value.shape
    elif isinstance(value, tuple | list | dict | str) or value is None:
        raise UsageError(
            f"grad of a function that returns a {type(value).__name__}",
            why="a gradient belongs to one number",
            fix="Return the number alone, or (number, other) with has_aux=True.",
        )
    elif np.size(value) == 1:
        return
    else:
        shape = np.shape(value)
    raise ShapeError(
        f"grad of a function that returns shape {shape}",
        why="only a single number has a gradient that is not a Jacobian",
        fix="Return .sum() or .mean(), or use jacobian.",
    )


def _pair(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise UsageError("with has_aux=True the function returns a pair: (number, other)")
    return result


# -- arguments -------------------------------------------------------------------------------


def _places(argnums: Argnums, count: int) -> tuple[tuple[int, ...], bool]:
    """The positions that are meant, non-negative, and whether it is just one."""
    single = isinstance(argnums, int)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not -count <= n < count:
            raise UsageError(
                f"argnums={n} of a call with {count} positional arguments",
                fix="Count from 0; arguments by keyword are not differentiated by.",
            )
    return tuple(n % count for n in numbers), single


def _replaced(args: tuple[Any, ...], places: tuple[int, ...], by: tuple[Any, ...]) -> list[Any]:
    replaced = list(args)
    for i, x in zip(places, by, strict=True):
        replaced[i] = x
    return replaced


def _leaves(tree: Tree) -> list[Any]:
    """The numbers, arrays and tensors of a tree, in order."""
    if isinstance(tree, dict):
        return [leaf for branch in tree.values() for leaf in _leaves(branch)]
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in _leaves(branch)]
    return [] if tree is None else [tree]


def _mapped(tree: Tree, f: Callable[[Any], Any]) -> Tree:
    """The tree with `f` applied to each of its leaves, in order."""
    if isinstance(tree, dict):
        return {key: _mapped(branch, f) for key, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_mapped(branch, f) for branch in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(_mapped(branch, f) for branch in tree)
    return None if tree is None else f(tree)


def _matched(values: Tree, partners: Tree) -> list[tuple[Any, Any]]:
    """The leaves of two trees of one form, in pairs."""
    pairs = list(zip(left := _leaves(values), right := _leaves(partners), strict=False))
    if len(left) != len(right):
        raise UsageError(
            f"{len(right)} gradients or tangents for {len(left)} values",
            fix="Pass a tree of the same form.",
        )
    return pairs


def _titled(function: Callable[..., Any], what: str, f: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = f"{what}({getattr(f, '__name__', type(f).__name__)})"
    function.__doc__ = f.__doc__
    return function
