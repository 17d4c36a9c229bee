"""Nodes: single numbers and what is done to them, each written once.

This file knows Python's arithmetic on floats and how each of NumPy's functions of one number is
spelled in it. An array of nodes goes through an op's own forward function as an array of numbers
would, so products and sums need no word here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any, ClassVar, NoReturn

__all__ = ["LARGEST", "Book", "Node", "TooMuchError", "counted", "functions", "shared_products"]

LARGEST = 600
"""How many operations are few."""

SUM, PRODUCT, SIGN, ATOM = range(1, 5)
_TIMES = "{} * {}"


class TooMuchError(Exception):
    """The program is too large for scalars, or does something that they cannot say."""


class Node:
    """One number that is computed: an operation and what it is applied to.

    Attributes:
        truth: Whether it is True or False, and no number.
        small: Whether it is known to lie between -1 and 1.
    """

    __slots__ = ("args", "book", "level", "name", "small", "template", "truth")

    def __init__(self, book: Book, template: str, args: tuple[Any, ...], level: int) -> None:
        self.book, self.template, self.args, self.level = book, template, args, level
        self.name = ""
        self.truth = self.small = False

    def __add__(self, other: Any) -> Any:
        return self.book.node("{} + {}", (self, other), SUM)

    def __radd__(self, other: Any) -> Any:
        return self.book.node("{} + {}", (other, self), SUM)

    def __sub__(self, other: Any) -> Any:
        return self.book.node("{} - {}", (self, other), SUM)

    def __rsub__(self, other: Any) -> Any:
        return self.book.node("{} - {}", (other, self), SUM)

    def __mul__(self, other: Any) -> Any:
        return self.book.product(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.book.product(other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.book.node("{} / {}", (self, other), PRODUCT)

    def __rtruediv__(self, other: Any) -> Any:
        return self.book.node("{} / {}", (other, self), PRODUCT)

    def __neg__(self) -> Any:
        return self.book.node("-{}", (self,), SIGN)

    def _decides(self, *_: Any) -> NoReturn:
        raise TooMuchError

    __bool__ = __float__ = __int__ = __index__ = _decides
    __eq__ = __ne__ = _decides  # an array of nodes would take it for True or False
    __hash__: ClassVar[Any] = object.__hash__


class Book:
    """Every node once: what is computed twice is the same node.

    Attributes:
        full: Whether a node was asked for that it has no room for. It got another one: NumPy's
            loops, from which it may have been asked, go on whatever happens.
    """

    def __init__(self) -> None:
        self.known: dict[Any, Node] = {}
        self.order: list[Node] = []
        self.full = False

    def node(self, template: str, args: tuple[Any, ...], level: int = ATOM) -> Any:
        """The node of an operation, which is made when it is new."""
        key = (template, *(id(a) if isinstance(a, Node) else (type(a), repr(a)) for a in args))
        found = self.known.get(key)
        if found is None:
            if len(self.order) > 4 * LARGEST:
                self.full = True
                return self.order[0]
            found = self.known[key] = Node(self, template, args, level)
            self.order.append(found)
        return found

    def truth(self, template: str, args: tuple[Any, ...]) -> Any:
        """A node that is True or False."""
        node = self.node(template, args)
        node.truth = True
        return node

    def number(self, x: Any) -> Any:
        """A number as a float, and True as 1.0."""
        if not isinstance(x, Node):
            return float(x)
        return self.node("{} * 1.0", (x,), PRODUCT) if x.truth else x

    def product(self, a: Any, b: Any) -> Any:
        """``a b``, or the other factor where one is 1."""
        for one, other in ((a, b), (b, a)):
            if not isinstance(one, Node) and one == 1:
                return other
        return self.node(_TIMES, (a, b), PRODUCT)

    def atom(self, name: str) -> Node:
        """A number that is given."""
        node = Node(self, name, (), ATOM)
        node.name = name
        return node

    # -- functions of one, two or three numbers ----------------------------------------------

    def call(self, function: str) -> Callable[[Any], Any]:
        """A function of Python's math."""

        def apply(x: Any) -> Any:
            if not isinstance(x, Node):
                return getattr(math, function)(x)
            return self.node(f"{function}({{}})", (x,))

        return apply

    def power(self, x: Any, n: Any) -> Any:
        """A constant power; the cheap ones are written out, as NumPy does it."""
        if n in {2, 0.5, -1}:
            return x * x if n == 2 else 1.0 / x if n == -1 else self.call("sqrt")(x)
        return self.node("pow({}, {})", (x, float(n)))

    def choice(self, test: str) -> Callable[[Any, Any], Any]:
        """The larger or smaller of two; a NaN on either side comes through."""

        def apply(a: Any, b: Any) -> Any:
            a, b = self.alike(a, b)
            if not isinstance(a, Node):
                a, b = b, a
            if is_truth(a):
                both = "({} or {})" if test == ">" else "({} and {})"
                return self.truth(both, (a, b))
            if not isinstance(b, Node):
                if b != b:  # noqa: PLR0124 - not a number
                    return b
                other = "<" if test == ">" else ">"
                return self.node(f"({{1}} if {{0}} {other} {{1}} else {{0}})", (a, b))
            return self.node(f"({{0}} if {{0}} {test} {{1}} or {{0}} != {{0}} else {{1}})", (a, b))

        return apply

    def alike(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Two numbers, or two truths."""
        if is_truth(a) and is_truth(b):
            return a, b
        return self.number(a), self.number(b)

    def where(self, c: Any, a: Any, b: Any) -> Any:
        """One or the other."""
        a, b = self.alike(a, b)
        node = self.node("({1} if {0} else {2})", (c, a, b))
        node.truth = is_truth(a)
        return node

    def test(self, sign: str) -> Callable[[Any, Any], Any]:
        """A comparison, as True or False."""
        return lambda a, b: self.truth(f"({{}} {sign} {{}})", (a, b))

    def logic(self, template: str) -> Callable[..., Any]:
        """Something that is asked of truths, and of numbers that are not 0."""

        def apply(*given: Any) -> Any:
            args = (x if is_truth(x) else self.truth("({} != 0.0)", (x,)) for x in given)
            return self.truth(template, tuple(args))

        return apply


def is_truth(x: Any) -> bool:
    """Whether it is True or False, and no number."""
    return x.truth if isinstance(x, Node) else isinstance(x, bool)


def functions(book: Book) -> dict[str, tuple[Callable[..., Any], int]]:
    """What each ufunc is for single numbers, by its name, and how many it takes."""
    table: dict[str, tuple[Callable[..., Any], int]] = {
        "add": (lambda a, b: a + b, 2),
        "subtract": (lambda a, b: a - b, 2),
        "multiply": (lambda a, b: a * b, 2),
        "divide": (lambda a, b: a / b, 2),
        "negative": (lambda x: -x, 1),
        "positive": (lambda x: x, 1),
        "reciprocal": (lambda x: 1.0 / x, 1),
        "square": (lambda x: x * x, 1),
        "absolute": (lambda x: book.node("abs({})", (x,)), 1),
        "maximum": (book.choice(">"), 2),
        "minimum": (book.choice("<"), 2),
        "where": (book.where, 3),
        "constant_power": (book.power, 2),
        "cast": (book.number, 1),
        "logical_not": (book.logic("(not {})"), 1),
        "logical_and": (book.logic("({} and {})"), 2),
        "logical_or": (book.logic("({} or {})"), 2),
    }
    for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "log1p", "expm1"):
        table[name] = (book.call(name), 1)
    signs = {"greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=",
             "equal": "==", "not_equal": "!="}  # fmt: skip
    table |= {name: (book.test(sign), 2) for name, sign in signs.items()}
    return table


def counted(ends: list[Node]) -> dict[int, int]:
    """How often each node that `ends` need is used, by ``id``."""
    uses: dict[int, int] = {}
    waiting = []
    for n in ends:
        uses[id(n)] = uses.get(id(n), 0) + 1
        waiting.append(n)
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        several = 2 if "{0}" in node.template else 1
        for a in node.args:
            if isinstance(a, Node):
                uses[id(a)] = uses.get(id(a), 0) + several
                waiting.append(a)
    return uses


def shared_products(book: Book, ends: list[Node]) -> None:
    """Begin a long product with one that is computed anyway, where there is one.

    ``(d w) (s (1 - s))`` becomes ``(d s) w (1 - s)`` where ``d s`` is a gradient. The order of a
    product changes its last bits. Where more than two factors may be large, it could change
    whether the product leaves the range of floats: those keep their order.
    """
    uses = counted(ends)
    order: list[Node] = []
    known: dict[frozenset[int], Node] = {}
    for node in book.order:
        if node.template == _TIMES and id(node) in uses:
            factors = _factors(node, uses, inside=False)
            few = len(factors) > 2 and sum(not _small(x) for x in factors) <= 2
            pairs = combinations(range(len(factors)), 2) if few else ()
            for i, j in pairs:
                done = known.get(frozenset((id(factors[i]), id(factors[j]))))
                if done is None or id(done) in _within(node):
                    continue
                *rest, last = (f for k, f in enumerate(factors) if k not in {i, j})
                for factor in rest:
                    done = Node(book, _TIMES, (done, factor), PRODUCT)
                    order.append(done)
                node.args = (done, last)
                break
            else:
                known[frozenset(map(id, node.args))] = node
        order.append(node)
    book.order = order


def _factors(x: Any, uses: dict[int, int], *, inside: bool = True) -> list[Any]:
    """What a product is the product of, through products that nobody else uses."""
    if not isinstance(x, Node) or x.template != _TIMES or (inside and uses.get(id(x)) != 1):
        return [x]
    return [f for a in x.args for f in _factors(a, uses)]


def _small(x: Any) -> bool:
    return x.small if isinstance(x, Node) else -1 <= x <= 1


def _within(node: Node) -> set[int]:
    """The products that a product is made of."""
    inner = [a for a in node.args if isinstance(a, Node) and a.template == _TIMES]
    return {id(a) for a in inner}.union(*map(_within, inner))
