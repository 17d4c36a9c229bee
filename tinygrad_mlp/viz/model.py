"""The one model of a picture: boxes, arrows, groups and what is written on them.

This file knows what a picture consists of, as plain data. It does not know where that came from
(`read.py` and `neurons.py` fill it in) nor how it is written (`svg.py`, `dot.py`, `text.py` and
the player do that).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tinygrad_mlp.viz.labels import SIGNS, gradient_line

__all__ = ["Edge", "Group", "Kind", "Node", "Picture"]


class Kind(StrEnum):
    """What a box stands for; each kind has its own colour and its own shape."""

    INPUT = "input"
    PARAMETER = "parameter"
    OP = "op"
    OUTPUT = "output"
    MODULE = "module"
    FOLD = "fold"
    FAILED = "failed"

    @property
    def meaning(self) -> str:
        """The word for it, in a sentence."""
        return {
            "input": "data",
            "parameter": "a parameter",
            "op": "the result of an op",
            "output": "the output",
            "module": "a module, closed",
            "fold": "several ops, folded",
            "failed": "the op that failed",
        }[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One box.

    Attributes:
        key: Its name inside the picture, ``n0``, ``n1``, … in the order of computation.
        kind: What it stands for.
        title: The name of the tensor.
        subtitle: The op or the class that made it.
        formula: What the op computes, with the names of this graph.
        shape: The shape, in a word.
        value: The numbers, in short.
        gradient: The gradient, in short, or that there is none yet; empty where none flows.
        group: The key of the group that it lies in.
        loud: Whether a number in it is not finite.
        facts: What else is known: (title, text) pairs for tooltips.
        source: The birth of the tensor; no writer shows it.
        times: How often a folded block repeats.
        reserve: The widest text that will stand in the place of the gradient.
        heat: The rows and columns of the maps of value and gradient, if there are any.
        marked: Whether it stands out, because somebody pointed at it.
    """

    key: str
    kind: Kind
    title: str
    subtitle: str = ""
    formula: str = ""
    shape: str = ""
    value: str = ""
    gradient: str = ""
    group: str | None = None
    loud: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    source: int = 0
    times: int = 1
    heat: tuple[int, int] | None = None
    reserve: str = ""
    marked: bool = False

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What stands under the title: (role, text) pairs, in order."""
        parts = [("formula", self.formula), ("value", self.value)]
        if self.gradient:
            parts.append(("gradient", gradient_line(self.gradient)))
        return tuple((role, text) for role, text in parts if text)

    @property
    def sentence(self) -> str:
        """The whole box as one sentence, for those who hear it or point at it."""
        parts = [f"{self.title}: {self.kind.meaning}"]
        parts += [self.subtitle] if self.subtitle else []
        parts += [f"shape {self.shape}"] if self.shape else []
        parts += [f"{self.title} = {self.formula}"] if self.formula else []
        parts += [f"value {self.value}"] if self.value else []
        parts += [f"gradient {self.gradient}"] if self.gradient else []
        parts += [f"{title} {text}" for title, text in self.facts]
        parts += ["marked"] if self.marked else []
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One arrow: an array that an op reads.

    Attributes:
        tail: The key of the box that made it.
        head: The key of the box that reads it.
        operand: Which input of the op it is, counted from 0.
        label: The shape that flows; empty where the tail says it already.
        marked: Whether it stands out.
    """

    tail: str
    head: str
    operand: int = 0
    label: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A frame round the boxes of one module call.

    Attributes:
        key: Its name inside the picture, ``g0``, ``g1``, …
        title: The path of the module and its class.
        parent: The key of the group that it lies in.
    """

    key: str
    title: str
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A whole picture.

    Attributes:
        title: What it shows.
        description: The same in a few sentences, for those who cannot see it.
        nodes: The boxes, in the order of computation.
        edges: The arrows.
        groups: The frames; a group stands after the one that it lies in.
        note: What was left out, if anything was.
        legend: What is marked, if anything was pointed at.
    """

    title: str
    description: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...] = ()
    note: str = ""
    legend: str = ""

    @property
    def signs(self) -> tuple[str, ...]:
        """What the signs mean that stand in boxes, one line each."""
        texts = [text for node in self.nodes for text in (node.value, node.gradient)]
        return tuple(
            meaning
            for sign, meaning in SIGNS.items()
            if any(text.startswith(sign) for text in texts)
        )
