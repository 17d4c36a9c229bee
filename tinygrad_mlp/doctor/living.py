"""What is still in memory: which results a tensor went into, and which loss came of them.

A node points to its inputs and never to its outputs. This file knows how to look the other way,
by asking the garbage collector for all tensors that are alive: slow, and only for the doctor.
It does not know what a gradient is.
"""

from __future__ import annotations

import gc
import itertools
import linecache
from collections.abc import Iterator

import numpy as np

from tinygrad_mlp.autodiff import FREED
from tinygrad_mlp.graph import Node, ancestors
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import Place, place
from tinygrad_mlp.tensor import Tensor

__all__ = ["Living", "LooseEnd"]


LOOKED_AT = 10
"""So many losses are considered, when nobody says which one is meant."""


class LooseEnd:
    """A number in a graph that a tensor outside of it also holds: it came by hand.

    Attributes:
        source: The tensor that holds it.
        place: Where it was put in.
        how: ``.item()``, ``.data`` and the like, or a tensor that was built anew.
        line: Where it was taken out, if the source says so.
    """

    def __init__(self, source: Node, at: Place | None, how: str, line: str) -> None:
        self.source, self.place, self.how, self.line = source, at, how, line


class Living:
    """All tensors that are alive, and who was computed from whom."""

    def __init__(self) -> None:
        tensors = [x for x in gc.get_objects() if issubclass(type(x), Tensor) and _whole(x)]
        self.tensors = sorted(tensors, key=lambda x: x.birth)
        self.users: dict[int, list[Node]] = {}
        for node in self.tensors:
            for x in node.inputs:
                if x is not None:
                    self.users.setdefault(x.birth, []).append(node)

    def descendants(self, t: Node) -> dict[int, Node]:
        """Everything alive that was computed from a tensor, itself included, by birth."""
        found = {t.birth: t}
        waiting = [t]
        for node in waiting:  # grows while it is walked
            for user in self.users.get(node.birth, ()):
                if user.birth not in found:
                    found[user.birth] = user
                    waiting.append(user)
        return found

    def root(self, t: Node) -> Node | None:
        """The result that a tensor's gradient most likely came from."""
        ends = [x for x in self.descendants(t).values() if x.birth not in self.users]
        results = [x for x in ends if x.op is not None or x.grad is not None]
        return max(results, key=lambda x: (x.grad is not None, x.size == 1, x.birth), default=None)

    def losses(self, t: Node) -> list[Node]:
        """Single numbers that nobody used, wherever from: those that ran first, then the latest."""
        found = [
            x
            for x in self.tensors
            if x.size == 1
            and x is not t
            and x.birth not in self.users
            and (x.op is not None or "cut" in x.attrs)
            and type(x) is Tensor
        ]
        ran = [x.grad is not None or x.op is FREED for x in found]
        order = sorted(zip(ran, (x.birth for x in found), found, strict=True), key=lambda e: e[:2])
        return [x for *_, x in reversed(order)][:LOOKED_AT]

    def loose_end(self, t: Node, loss: Node) -> LooseEnd | None:
        """A number in the graph of a loss that equals one that was computed from `t`."""
        known = [x for x in self.descendants(t).values() if x.op is not FREED]
        for array, at, built in _given(loss):
            for x in known:
                if _same(x.data, array) and (x.op is not None or built):
                    how, line = _way_out(x, at)
                    return LooseEnd(x, at, "Tensor(…)" if built and not how else how, line)
        return None


def _whole(x: Tensor) -> bool:
    return hasattr(x, "site") and hasattr(x, "attrs")


def _given(loss: Node) -> Iterator[tuple[Array, Place | None, bool]]:
    """The arrays of a graph that were not computed in it: constants and leaves."""
    for node in ancestors(loss, through_constants=True):
        if node.op is None:
            if not node.attrs and not node.requires_grad:
                yield node.data, place(node.site), True
            continue
        for x, value in zip(node.inputs, node.values[1:], strict=False):
            if x is None and np.size(value):
                yield np.asarray(value), place(node.site), False


def _same(a: Array, b: Array) -> bool:
    """Whether two arrays hold the same numbers, and not ones that anybody would write."""
    return (
        a.size == b.size
        and a.dtype.kind == "f"
        and bool(np.array_equal(np.ravel(a), np.ravel(b)))
        and not bool(np.all(np.isin(np.ravel(a), (0.0, 1.0, -1.0, 2.0, 0.5))))
    )


WAYS_OUT = (".item()", ".numpy()", ".data", ".tolist()", "float(", "np.array(")


def _way_out(x: Node, at: Place | None) -> tuple[str, str]:
    """The call by which a number left the graph, and its line, as far as the source says."""
    made = place(x.site)
    if at is None:
        return "", ""
    first = made.line if made is not None and made.file == at.file else 1
    for number in itertools.chain(range(at.line, first - 1, -1)):
        text = linecache.getline(at.file, number)
        for way in WAYS_OUT:
            if way in text:
                return way, f"{at._replace(line=number)}"
    return "", ""
