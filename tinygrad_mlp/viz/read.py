"""From the graph to the model of its picture.

This file knows how a tensor becomes a box: its kind, its name, what is said of its numbers and
which frame it stands in. It does not know coordinates or file formats. The graph is walked by
`graph.ancestors`, named by `graph.names`, and formulas come from the records handed symbols.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_mlp.formulas import Letter, formula, letters, with_letters
from tinygrad_mlp.graph import Node as Tensor
from tinygrad_mlp.graph import ancestors, held, module_path, names
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import place
from tinygrad_mlp.viz.fold import Depth, Unit, plan
from tinygrad_mlp.viz.frames import Frames, calls_around, module_title, without_lonely
from tinygrad_mlp.viz.heat import table_size
from tinygrad_mlp.viz.labels import (
    NOT_YET,
    clean,
    elide,
    gradient_text,
    plural,
    shape_text,
    thousands,
    value_text,
)
from tinygrad_mlp.viz.mark import with_mark
from tinygrad_mlp.viz.model import Edge, Kind, Node, Picture

__all__ = ["LONGEST_FORMULA", "Failure", "Show", "describe", "read", "read_keyed"]

LONGEST_FORMULA = 30


@dataclass(frozen=True, slots=True)
class Failure:
    """An op (or a module) that could not be applied: its name and what it was handed."""

    name: str
    inputs: tuple[Any, ...]
    complaint: str


@dataclass(slots=True)
class _Reading:
    """What is known while a graph is read."""

    named: Mapping[int, str]
    results: Container[int]
    show: Show
    letters: Mapping[str, Letter]
    values: Mapping[int, Array]
    frames: Frames = field(default_factory=Frames)


def read(
    root: Tensor | None,
    *,
    depth: Depth = "auto",
    fold: bool | None = None,
    values: bool = True,
    grads: bool = True,
    shapes: bool = True,
    failure: Failure | None = None,
    also: Sequence[Tensor] = (),
    title: str = "",
    mark: Sequence[Tensor] = (),
) -> Picture:
    """Read the graph of `root` into a picture; the arguments are those of `read_keyed`.

    The tensors in `mark` stand out.
    """
    nodes = _everything([root, *also] if failure is None else failure.inputs)
    show = Show(values=values, grads=grads, shapes=shapes)
    results = {x.birth for x in (root, *also) if x is not None}
    picture, keys = read_keyed(
        nodes, results, depth=depth, fold=fold, show=show, failure=failure, title=title
    )
    if not mark:
        return picture
    named = names(mark) | (names(nodes) if len(nodes) <= 50_000 else {})
    return with_mark(picture, keys, mark, named)


@dataclass(frozen=True, slots=True)
class Show:
    """What boxes say.

    Attributes:
        values: Whether numbers are shown.
        grads: Whether gradients are shown.
        shapes: Whether shapes are shown.
        totals: The gradients to show, by birth, instead of what the tensors hold.
        heat: Whether room is left for maps of values and gradients.
    """

    values: bool = True
    grads: bool = True
    shapes: bool = True
    totals: Mapping[int, Any] | None = None
    heat: bool = False


def read_keyed(
    nodes: Sequence[Tensor],
    results: Container[int],
    *,
    depth: Depth = "auto",
    fold: bool | None = None,
    show: Show = Show(),
    named: Mapping[int, str] | None = None,
    given: Container[int] = (),
    failure: Failure | None = None,
    title: str = "",
) -> tuple[Picture, dict[int, str]]:
    """Read nodes into a picture.

    Args:
        nodes: The graph, oldest first.
        results: Births of the results.
        depth: How many levels of modules stay open.
        fold: Whether repeated blocks are folded.
        show: What boxes say.
        named: Names by birth; by default those of `graph.names`.
        given: Births of nodes that are shown as data.
        failure: The op at which the forward pass failed.
        title: What the picture shows; by default the name of the result.

    Returns:
        The picture, and the box of every node by its birth.
    """
    units, note = plan(nodes, depth=depth, fold=fold, given=given)
    if named is None:
        named = names(nodes if len(nodes) <= 50_000 else _shown(units))
    reading = _Reading(named, results, show, letters(nodes, named), held(nodes))
    calls = calls_around(units)
    boxes: list[Node] = []
    edges: list[Edge] = []
    made_by: dict[int, tuple[str, str]] = {}
    for unit in units:
        key = f"n{len(boxes)}"
        constants = _constants(unit, len(boxes), reading) if unit.kind == "op" else []
        boxes += constants
        key = f"n{len(boxes)}"
        group = reading.frames.group(calls[id(unit)])
        boxes.append(_box(unit, key, group, reading))
        edges += _arrows(unit, key, made_by, constants)
        shape = shape_text(unit.last.shape) if show.shapes and unit.kind != "leaf" else ""
        for node in (*unit.nodes, *unit.inside):
            made_by[node.birth] = (key, shape)
    if failure is not None:
        boxes.append(_failed(failure, f"n{len(boxes)}"))
        edges += [
            Edge(tail=made_by[x.birth][0], head=boxes[-1].key, operand=i, label=made_by[x.birth][1])
            for i, x in enumerate(failure.inputs)
            if getattr(x, "birth", None) in made_by
        ]
    boxes, groups = without_lonely(boxes, reading.frames.groups)
    name = title or (f"The graph of {boxes[-1].title}" if failure is None else "What failed")
    picture = Picture(
        title=name,
        description=describe(boxes, edges, note),
        nodes=tuple(boxes),
        edges=tuple(edges),
        groups=tuple(groups),
        note=note,
    )
    return picture, {birth: key for birth, (key, _) in made_by.items()}


def _everything(results: Sequence[Any]) -> list[Tensor]:
    """The graph of several results, oldest first."""
    found = {
        node.birth: node
        for x in results
        if _is_node(x)
        for node in ancestors(x, through_constants=True)
    }
    return [found[birth] for birth in sorted(found)]


def _shown(units: Iterable[Unit]) -> list[Tensor]:
    """Of a huge graph only what gets a box of its own is named."""
    return [node for unit in units for node in (unit.nodes[0], unit.last)]


# -- boxes -----------------------------------------------------------------------------------


def _box(unit: Unit, key: str, group: str | None, reading: _Reading) -> Node:
    node = unit.last
    if unit.kind == "leaf" and len(unit.nodes) > 1:
        return _bundle(unit, key)
    name = reading.named.get(node.birth, "")
    kind = _KINDS[unit.kind]
    if kind == Kind.OP and node.birth in reading.results:
        kind = Kind.OUTPUT
    if unit.kind == "leaf" and node.requires_grad and node.op is None:
        kind = Kind.PARAMETER
    text, loud = value_text(reading.values.get(node.birth, node.data))
    gradient, louder = _gradient(node, reading.show)
    title, subtitle, written = name, "" if node.op is None else node.op.name, ""
    if unit.kind == "op":
        written = elide(_formula(node, group, reading), LONGEST_FORMULA)
    elif unit.kind == "module" and unit.scope is not None:
        path, title = module_path(unit.scope), type(unit.scope[1]).__name__
        title = f"{path} · {title}" if path else title
        subtitle = plural(len(unit.nodes), "op")
    elif unit.kind in {"repeat", "stretch"}:
        blocks = " → ".join(unit.block[:4]) + (" → …" if len(unit.block) > 4 else "")
        title = f"{blocks}  × {thousands(unit.times)}" if unit.times > 1 else "…"
        subtitle = plural(len(unit.nodes), "op")
    if unit.inside:
        count = sum(leaf.size for leaf in unit.inside)
        subtitle += f", {plural(count, 'parameter')}"
    return Node(
        key=key,
        kind=kind,
        title=clean(reading.frames.short(title, group)),
        subtitle=clean(subtitle),
        formula=written,
        shape=shape_text(node.shape) if reading.show.shapes else "",
        value=text if reading.show.values else "",
        gradient=gradient if reading.show.grads else "",
        group=group,
        loud=(loud and reading.show.values) or (louder and reading.show.grads),
        facts=_facts(unit, name),
        source=node.birth,
        times=unit.times,
        heat=table_size(node.shape) if reading.show.heat and node.size > 1 else None,
    )


_KINDS = {
    "leaf": Kind.INPUT,
    "op": Kind.OP,
    "module": Kind.MODULE,
    "repeat": Kind.FOLD,
    "stretch": Kind.FOLD,
}


def _bundle(unit: Unit, key: str) -> Node:
    """Many leaves that the same box reads."""
    kind = Kind.PARAMETER if unit.last.requires_grad else Kind.INPUT
    what = "parameter" if unit.last.requires_grad else "input"
    return Node(key=key, kind=kind, title=plural(len(unit.nodes), what), source=unit.last.birth)


def _gradient(node: Tensor, show: Show) -> tuple[str, bool]:
    if not node.requires_grad:
        return "", False
    gradient = node.grad if show.totals is None else show.totals.get(node.birth)
    if gradient is None:
        return NOT_YET, False
    return gradient_text(gradient.data if _is_node(gradient) else gradient)


def _is_node(x: Any) -> bool:
    return hasattr(x, "birth")


def _formula(node: Tensor, group: str | None, reading: _Reading) -> str:
    """What the op computes, with short names for what stands in the same frame."""
    inputs = node.values[1:]
    operands = [
        reading.frames.short(clean(reading.named[x.birth], 24), group)
        if x is not None
        else None
        if np.ndim(value) == 0
        else "const"
        for x, value in zip(node.inputs, inputs, strict=True)
    ]
    written = with_letters(operands, inputs, reading.letters)
    return str(formula(node.op, node.values, node.attrs, written))


def _facts(unit: Unit, name: str) -> tuple[tuple[str, str], ...]:
    node = unit.last
    facts = []
    spot = place(node.site)
    if unit.kind in {"op", "leaf"} and name:
        facts.append(("tensor", clean(name, 80)))
    if spot is not None:
        facts.append(("from", f"{clean(str(spot), 60)}"))
        if spot.expression and node.op is not None:
            facts.append(("code", clean(spot.expression, 80)))
    path = "" if node.op is None else module_title(node.scope)
    if path:
        facts.append(("in", path))
    return tuple(facts)


def _constants(unit: Unit, start: int, reading: _Reading) -> list[Node]:
    """Boxes for arrays that are no tensors; plain numbers stand in the formula."""
    node = unit.last
    arrays = [
        (i, np.asarray(value))
        for i, (x, value) in enumerate(zip(node.inputs, node.values[1:], strict=True))
        if x is None and np.ndim(value) > 0
    ]
    return [
        Node(
            key=f"n{start + k}",
            kind=Kind.INPUT,
            title="const",
            shape=shape_text(array.shape) if reading.show.shapes else "",
            value=value_text(array)[0] if reading.show.values else "",
            facts=(("operand", str(i)),),
        )
        for k, (i, array) in enumerate(arrays)
    ]


def _failed(failure: Failure, key: str) -> Node:
    shapes = " and ".join(shape_text(np.shape(getattr(x, "data", x))) for x in failure.inputs)
    return Node(
        key=key,
        kind=Kind.FAILED,
        title=clean(failure.name),
        subtitle="failed",
        value=elide(f"shapes {shapes}", 40),
        loud=True,
        facts=(("error", clean(failure.complaint, 200)),),
    )


# -- arrows ----------------------------------------------------------------------------------


def _arrows(
    unit: Unit, key: str, made_by: Mapping[int, tuple[str, str]], constants: Sequence[Node]
) -> list[Edge]:
    if unit.kind == "leaf":
        return []
    own = {node.birth for node in unit.nodes}
    arrows: list[Edge] = []
    seen: set[str] = set()
    for node in unit.nodes:
        for i, x in enumerate(node.inputs):
            if x is None or x.birth in own or x.birth not in made_by:
                continue
            tail, label = made_by[x.birth]
            if unit.kind != "op" and tail in seen:
                continue
            seen.add(tail)
            arrows.append(Edge(tail=tail, head=key, operand=i, label=label))
    arrows += [
        Edge(tail=constant.key, head=key, operand=int(constant.facts[0][1]))
        for constant in constants
    ]
    return sorted(arrows, key=lambda edge: edge.operand)


def describe(boxes: Sequence[Node], edges: Sequence[Edge], note: str) -> str:
    """The picture in words."""
    kinds = Counter(box.kind for box in boxes)
    listed = ", ".join(f"{thousands(kinds[kind])} of kind {kind}" for kind in Kind if kinds[kind])
    text = f"{plural(len(boxes), 'box').replace('boxs', 'boxes')} ({listed}) "
    text += f"and {plural(len(edges), 'arrow')}, from the inputs to {boxes[-1].title}."
    last = boxes[-1]
    if last.value:
        text += f" {last.title} is {last.value}."
    return text + (f" {note}." if note else "")
