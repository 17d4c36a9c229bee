"""The forward and the backward pass as data: one record per op and one per edge.

This file knows in which order things happen and which numbers they leave. It computes no
gradient of its own: the totals come from `backpropagate`, each edge from `pullback`, and the
formulas from the same rules handed symbols. The player, the explanation and the doctor read
these records; pictures are not known here. NumPy's warnings are not repeated: who computed the
graph has had them.

>>> import numpy as np, tinygrad_mlp as tg
>>> w = tg.Tensor(3.0, requires_grad=True, name="w")
>>> loss = w * w
>>> for step in backward_steps(loss):
...     print(step)
∂loss/∂loss = 1
∂loss/∂w = g w = 1 × 3 = 3   (mul, input 0)
∂loss/∂w += g w = 1 × 3 = 3, now 6   (mul, input 1)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mlp.autodiff import backpropagate, first_gradient, pullback
from tinygrad_mlp.errors import GraphError
from tinygrad_mlp.formulas import Letter, formula, letters, rule_formula, with_letters
from tinygrad_mlp.graph import Node, ancestors, describe, names
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.origin import Place, place
from tinygrad_mlp.symbol import Symbol

__all__ = [
    "BackwardStep",
    "ForwardStep",
    "HookStep",
    "SeedStep",
    "Step",
    "backward_steps",
    "collected",
    "forward_steps",
    "gradients",
    "operand_names",
    "replay",
]

Names: TypeAlias = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class ForwardStep:
    """One op, applied.

    Attributes:
        node: The node that it made.
        name: What the node is called.
        operands: What its inputs are called; None for a number without a name.
        letters: What formulas call parameters of numbered layers, by name.
    """

    node: Node
    name: str
    operands: tuple[str | None, ...]
    letters: Mapping[str, Letter] = field(default_factory=dict)

    @property
    def op(self) -> Op:
        """The op."""
        return self.node.op  # type: ignore[no-any-return]

    @property
    def value(self) -> Array:
        """The array that came out."""
        return self.node.values[0]

    @property
    def formula(self) -> Symbol:
        """What was computed, written with the names of this graph."""
        values = self.node.values
        operands = with_letters(self.operands, values[1:], self.letters)
        return formula(self.op, values, self.node.attrs, operands)

    @property
    def place(self) -> Place | None:
        """The user's line."""
        return place(self.node.site)

    def __str__(self) -> str:
        return f"{self.name} = {self.formula} = {brief(self.value)}"

    def __repr__(self) -> str:
        return f"<forward: {self}>"


@dataclass(frozen=True, slots=True)
class SeedStep:
    """The beginning of the backward pass: the gradient of the loss by itself.

    Attributes:
        node: The loss.
        name: What it is called.
        total: The gradient, 1 for a single number.
    """

    node: Node
    name: str
    total: Array

    def __str__(self) -> str:
        return f"∂{self.name}/∂{self.name} = {brief(self.total)}"

    def __repr__(self) -> str:
        return f"<seed: {self}>"


@dataclass(frozen=True, slots=True)
class HookStep:
    """Hooks of a tensor made another gradient of the one that had arrived: no op did.

    Attributes:
        root: What the loss is called.
        node: The tensor.
        name: What it is called.
        before: The gradient that had arrived.
        total: What its hooks made of it, with which the pass goes on.
    """

    root: str
    node: Node = field(repr=False)
    name: str
    before: Array
    total: Array

    def __str__(self) -> str:
        gradient = f"∂{self.root}/∂{self.name}"
        return f"{gradient} = {brief(self.total)}, was {brief(self.before)}   (hook)"

    def __repr__(self) -> str:
        return f"<hook: {self}>"


@dataclass(frozen=True, slots=True)
class BackwardStep:
    """One edge of the graph: what flows from the output of an op back to one of its inputs.

    Attributes:
        root: What the loss is called.
        node: The node whose op is undone.
        name: What it is called.
        i: The number of the input.
        x: The node at that input.
        x_name: What it is called.
        operands: What all inputs of the op are called; None for a number without a name.
        upstream: The whole gradient of the op's output, which arrives: the ``g`` of the rule.
        contribution: What this edge adds to the gradient of `x`: the rule, computed.
        total: The gradient of `x` so far, this contribution included.
        part: Which contribution to `x` this is, counted from 1.
        parts: How many there are: the paths that add here.
        letters: What formulas call parameters of numbered layers, by name.
    """

    root: str
    node: Node = field(repr=False)
    name: str
    i: int
    x: Node = field(repr=False)
    x_name: str
    operands: tuple[str | None, ...]
    upstream: Array
    contribution: Array
    total: Array
    part: int
    parts: int
    letters: Mapping[str, Letter] = field(default_factory=dict, repr=False)

    @property
    def op(self) -> Op:
        """The op."""
        return self.node.op  # type: ignore[no-any-return]

    @property
    def rule(self) -> Symbol:
        """The rule of this input as a formula: ``g`` arrives, the result goes to `x`."""
        node = self.node
        operands = with_letters(self.operands, node.values[1:], self.letters)
        return rule_formula(node.op, self.i, node.values, node.attrs, operands, y=self.name)

    @property
    def place(self) -> Place | None:
        """The user's line that applied the op."""
        return place(self.node.site)

    @property
    def local(self) -> Array | None:
        """The slope of the op, if it goes from one number to one number: the rule for g = 1."""
        values = self.node.values
        if values[0].size != 1 or self.x.size != 1:
            return None
        return _carried(self.node, self.i, np.ones_like(values[0]))

    def __str__(self) -> str:
        sign = "=" if self.part == 1 else "+="
        local = self.local
        product = "" if local is None else f"{brief(self.upstream)} × {brief(local)} = "
        now = "" if self.part == 1 else f", now {brief(self.total)}"
        return (
            f"∂{self.root}/∂{self.x_name} {sign} {self.rule} = "
            f"{product}{brief(self.contribution)}{now}   ({self.op.name}, input {self.i})"
        )

    def __repr__(self) -> str:
        return f"<backward: {self}>"


Step: TypeAlias = ForwardStep | SeedStep | HookStep | BackwardStep


def brief(array: Array) -> str:
    """Numbers in a line: all of a few, else the shape and the largest.

    >>> brief(np.array([0.5, -2.0])), brief(np.zeros((3, 4)))
    ('[0.5, −2]', '3×4, largest 0')
    """
    array = np.asarray(array)
    if array.size > 4:
        largest = np.abs(array).max()
        return f"{'×'.join(map(str, array.shape))}, largest {largest:.4g}"
    text = np.array2string(
        array + 0, separator=", ", formatter={"all": lambda x: f"{x:.4g}".replace("-", "−")}
    )
    return text.replace("\n", "")


def operand_names(node: Node, named: Names) -> tuple[str | None, ...]:
    """What the inputs of a node are called; a number that is no tensor has no name."""
    return tuple(
        named[x.birth] if x is not None else None if np.ndim(v) == 0 else "const"
        for x, v in zip(node.inputs, node.values[1:], strict=True)
    )


def forward_steps(root: Node, *, named: Names | None = None) -> Iterator[ForwardStep]:
    """Every op that led to `root`, in the order in which they ran.

    Args:
        root: The result.
        named: Names by birth; by default those that pictures use.
    """
    nodes = ancestors(root, through_constants=True)
    known = names(nodes) if named is None else named
    short = letters(nodes, known)
    for node in nodes:
        if node.op is not None:
            yield ForwardStep(node, known[node.birth], operand_names(node, known), short)


def collected(roots: Iterable[tuple[Node, Any]], *, create_graph: bool = False) -> dict[int, Any]:
    """The gradients of everything that some results were computed from, by birth, added up.

    Nobody's ``.grad`` is touched. Hooks run, as in `backward`.

    Args:
        roots: The results, each with the gradient to start from.
        create_graph: Whether the gradients are tensors with a graph of their own.
    """
    total: dict[int, Any] = {}
    for root, seed in roots:
        if not root.requires_grad:
            continue
        found: dict[int, Any] = {}

        def arrive(node: Node, gradient: Any, found: dict[int, Any] = found) -> None:
            found[node.birth] = gradient

        backpropagate(root, seed, create_graph=create_graph, arrive=arrive)
        for birth, gradient in found.items():
            total[birth] = total[birth] + gradient if birth in total else gradient
    return total


def gradients(root: Node, gradient: Array | None = None) -> dict[int, Array]:
    """The gradient of everything that `root` was computed from, by birth.

    Nobody's ``.grad`` is touched. Hooks run, once each, as in `backward`.
    """
    if not root.requires_grad:
        raise GraphError(
            f"the backward steps of {describe(root)}",
            why="nothing that it was computed from needs a gradient",
            fix="Create the weights with requires_grad=True, outside no_grad().",
        )
    with np.errstate(all="ignore"):
        found = collected([(root, first_gradient(root, gradient))])
    return {birth: np.asarray(total) for birth, total in found.items()}


def backward_steps(
    root: Node, *, gradient: Array | None = None, named: Names | None = None
) -> Iterator[SeedStep | HookStep | BackwardStep]:
    """The backward pass of `root`, edge by edge: the seed, then newest op first.

    Nobody's ``.grad`` is touched, and the sums are made in the order in which `backward` makes
    them, so the last total of a tensor equals its ``.grad`` bit for bit.

    What runs is a backward pass: each hook of `register_hook` is called, once, whatever else it
    does. Where hooks changed a gradient, a `HookStep` says so.

    Args:
        root: The loss, a tensor of one number unless `gradient` is given.
        gradient: The gradient to start from.
        named: Names by birth; by default those that pictures use.

    Raises:
        GraphError: If nothing here needs a gradient, or the graph was freed.
        InPlaceError: If a value was overwritten after it had been used.
    """
    nodes = ancestors(root, through_constants=True)
    known = names(nodes) if named is None else named
    short = letters(nodes, known)
    totals = gradients(root, gradient)
    reached = [node for node in reversed(nodes) if node.birth in totals]
    reached.sort(key=lambda node: node.op is None)  # the hooks of leaves are called last
    parts: dict[int, int] = {}
    for _, x in (edge for node in reached for edge in _edges(node)):
        parts[x.birth] = parts.get(x.birth, 0) + 1
    seed = np.asarray(first_gradient(root, gradient))
    sums: dict[int, tuple[int, Array]] = {root.birth: (1, seed)}
    yield SeedStep(root, known[root.birth], seed)
    for node in reached:
        g, before = totals[node.birth], np.asarray(sums.pop(node.birth)[1])
        if node.hooks and not np.array_equal(before, g, equal_nan=True):
            yield HookStep(known[root.birth], node, known[node.birth], before, g)
        for i, x in _edges(node):
            contribution = _carried(node, i, g)
            part, total = sums.get(x.birth, (0, None))
            with np.errstate(all="ignore"):
                total = contribution if total is None else total + contribution
            sums[x.birth] = part + 1, total
            yield BackwardStep(
                root=known[root.birth],
                node=node,
                name=known[node.birth],
                i=i,
                x=x,
                x_name=known[x.birth],
                operands=operand_names(node, known),
                upstream=g,
                contribution=contribution,
                total=np.asarray(total),
                part=part + 1,
                parts=parts[x.birth],
                letters=short,
            )


def _edges(node: Node) -> Iterator[tuple[int, Node]]:
    """The inputs of a node to which a gradient flows."""
    for i, x in enumerate(node.inputs):
        if x is not None and x.requires_grad and node.op.flows(i):
            yield i, x


def _carried(node: Node, i: int, g: Array) -> Array:
    """What an edge makes of the gradient `g`."""
    with np.errstate(all="ignore"):
        return np.asarray(pullback(node.op, i, g, node.values, node.attrs))


def replay(root: Node, changed: Mapping[int, Array]) -> Array:
    """Compute `root` again, with other arrays in the place of some tensors.

    Args:
        root: The result.
        changed: The arrays to use instead, by birth of the tensor.
    """
    fresh = dict(changed)
    for node in ancestors(root, through_constants=True):
        if node.op is None or node.birth in fresh:
            continue
        if any(x is not None and x.birth in fresh for x in node.inputs):
            inputs = _replaced(node.inputs, node.values[1:], fresh)
            with np.errstate(all="ignore"):
                fresh[node.birth] = np.asarray(node.op.apply(inputs, node.attrs))
    return fresh.get(root.birth, root.data)


def _replaced(
    inputs: Sequence[Node | None], values: Sequence[Array], fresh: Mapping[int, Array]
) -> tuple[Array, ...]:
    return tuple(
        value if x is None else fresh.get(x.birth, value)
        for x, value in zip(inputs, values, strict=True)
    )
