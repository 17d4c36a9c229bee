"""Marking: which boxes and arrows of a picture stand out, and what is said about it.

This file knows tensors that somebody points at, alone or as a path, and finds the boxes that they
ended up in, folded ones too. It does not know why they were pointed at: the answer of `why` is
anything that has a ``path``. How a mark looks is for the writers to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.graph import Node as Tensor
from tinygrad_mlp.viz.labels import clean, plural
from tinygrad_mlp.viz.model import Kind, Node, Picture

__all__ = ["path_of", "with_mark"]

_FOLDED = {Kind.MODULE, Kind.FOLD}


def path_of(mark: Any) -> tuple[Tensor, ...]:
    """The tensors that are pointed at: of an answer of `why`, of a list, or the tensor itself."""
    if hasattr(mark, "birth"):
        return (mark,)
    if hasattr(mark, "path"):
        return tuple(mark.path) or (mark.tensor,)
    several = isinstance(mark, list | tuple)
    if several and mark and all(hasattr(x, "birth") for x in mark):
        return tuple(mark)
    raise UsageError(
        f"mark= is a {type(mark).__name__}" + (" of something else" if several and mark else ""),
        why="it says which tensors of the graph stand out",
        fix="Pass the answer of why(t, loss), a tensor, or a list of tensors.",
    )


def with_mark(
    picture: Picture, keys: Mapping[int, str], path: Sequence[Tensor], named: Mapping[int, str]
) -> Picture:
    """The picture, with what lies on a path marked.

    Args:
        picture: The picture.
        keys: The box of every node, by its birth.
        path: The tensors. An arrow is marked if it leads from one of them to its neighbour.
        named: What the tensors are called, by birth.
    """
    path = list({x.birth: x for x in path}.values())
    found = [x for x in path if x.birth in keys]
    boxes = {keys[x.birth] for x in found}
    folded = {node.key for node in picture.nodes if node.kind in _FOLDED}
    steps: set[tuple[str, str, int | None]] = set()
    for one, other in pairwise(path):
        tail, head = sorted((one, other), key=lambda x: x.birth)
        if tail.birth not in keys or head.birth not in keys:
            continue
        key = keys[head.birth]
        for i, x in enumerate(head.inputs):
            if x is tail:  # a folded box has one arrow for all that it reads from another
                steps.add((keys[tail.birth], key, None if key in folded else i))
    return replace(
        picture,
        nodes=tuple(replace(node, marked=node.key in boxes) for node in picture.nodes),
        edges=tuple(
            replace(
                edge,
                marked=not steps.isdisjoint(
                    {(edge.tail, edge.head, i) for i in (None, edge.operand)}
                ),
            )
            for edge in picture.edges
        ),
        legend=_legend(picture, keys, path, found, named),
    )


def _legend(
    picture: Picture,
    keys: Mapping[int, str],
    path: Sequence[Tensor],
    found: Sequence[Tensor],
    named: Mapping[int, str],
) -> str:
    """What is marked, in words; also what could not be, because it is not in the picture."""
    titles = {node.key: node for node in picture.nodes}

    def called(x: Tensor) -> str:
        box: Node | None = titles.get(keys.get(x.birth, ""))
        name = named.get(x.birth) or x.name or (box.title if box is not None else "a tensor")
        return clean(name, 24)

    if not found:
        return f"nothing is marked: {called(path[0])} is not in this graph"
    ends = found[0], found[-1]
    if len(found) == 1:
        text = f"marked: {called(found[0])}"
    elif len(found) == 2:
        text = f"marked: {called(ends[0])} and {called(ends[1])}"
    else:
        text = (
            f"marked: {plural(len(found), 'tensor')}, from {called(ends[0])} to {called(ends[1])}"
        )
    lost = len(path) - len(found)
    return text + (f" ({lost} of {len(path)} not in this graph)" if lost else "")
