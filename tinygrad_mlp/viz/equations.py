"""A compiled step as a picture: its program, with a frame for each part of the step.

This file knows how variables, cells and equations become boxes. It does not know how a program
was recorded nor coordinates or file formats. A program lists its equations in order, so a frame
is a stretch of that list and no arrow ever leads back. A program has shapes and no numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_mlp.formulas import Letter, formula, letters, with_letters
from tinygrad_mlp.graph import module_path
from tinygrad_mlp.origin import place
from tinygrad_mlp.program import Cell, Equation, Program, Var
from tinygrad_mlp.program.printing import kind_of, names_of
from tinygrad_mlp.viz.fold import FULL
from tinygrad_mlp.viz.labels import clean, elide, plural, shape_text, thousands, value_text
from tinygrad_mlp.viz.model import Edge, Group, Kind, Node, Picture
from tinygrad_mlp.viz.read import LONGEST_FORMULA, describe

__all__ = ["read_program"]

MANY = 100
"""Of a program that is folded, more cells than this share boxes."""


@dataclass(slots=True)
class _Sheet:
    """The picture while it is filled in."""

    named: Mapping[int, str]
    shapes: bool
    letters: Mapping[str, Letter]
    boxes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    made_by: dict[int, str] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)

    def add(self, kind: Kind, title: str, **more: Any) -> str:
        """Add a box, and return its key."""
        key = f"n{len(self.boxes)}"
        self.boxes.append(Node(key=key, kind=kind, title=clean(title), **more))
        return key

    def shape(self, v: Any) -> str:
        """The shape of a value, if shapes are shown."""
        if not self.shapes or isinstance(getattr(v, "value", v), np.random.Generator):
            return ""
        return shape_text(np.shape(v.value if type(v) is Var else v))

    def arrow(self, v: Any, head: str, operand: int = 0) -> None:
        """Add an arrow from the box that made a variable."""
        tail = self.made_by.get(id(v))
        if tail is not None and tail != head:
            label = self.sizes.get(tail, "")
            self.edges.append(Edge(tail=tail, head=head, operand=operand, label=label))


def read_program(
    program: Program,
    *,
    title: str = "The program",
    depth: int | None = None,
    fold: bool | None = None,
    shapes: bool = True,
) -> Picture:
    """Read a program into a picture.

    Args:
        program: The program.
        title: What the picture shows.
        depth: 0 closes the parts of the step; by default they are open.
        fold: Whether neighbouring equations share a box; by default only if there are too many
            to look at.
        shapes: Whether shapes are shown.
    """
    sheet = _Sheet(names_of(program), shapes, _letters(program))
    for v in program.inputs:
        key = sheet.add(Kind.INPUT, sheet.named[id(v)], subtitle="input", shape=sheet.shape(v),
                        facts=(("type", kind_of(v)),))  # fmt: skip
        sheet.made_by[id(v)] = key
    total = len(program.equations)
    size = 1 if fold is False else -(-total // FULL)
    if fold:
        size = max(2, size)
    gather = size > 1 and len(program.cells) > MANY
    for some in _alike(program.reads) if gather else [[cell] for cell in program.reads]:
        _cells(sheet, some)
    seen: dict[str, int] = {}
    for phase, run in groupby(program.equations, key=lambda equation: equation.phase):
        equations = list(run)
        seen[phase] = seen.get(phase, 0) + 1
        name = phase if seen[phase] == 1 else f"{phase} {seen[phase]}"
        if depth == 0:
            _joined(sheet, equations, name, None, Kind.MODULE)
            continue
        group = f"g{len(sheet.groups)}"
        sheet.groups.append(Group(key=group, title=name))
        for start in range(0, len(equations), size):
            part = equations[start : start + size]
            if len(part) == 1:
                _equation(sheet, part[0], group)
            else:
                ops = " → ".join(equation.op.name for equation in part[:3])
                _joined(sheet, part, ops + (" → …" if len(part) > 3 else ""), group, Kind.FOLD)
    _ends(sheet, program, gather=gather)
    folded = sum(box.kind in {Kind.FOLD, Kind.MODULE} for box in sheet.boxes)
    note = f"{thousands(total)} equations in {plural(len(sheet.boxes), 'box')}" if folded else ""
    note = note.replace("boxs", "boxes")
    return Picture(
        title=title,
        description=describe(sheet.boxes, sheet.edges, note),
        nodes=tuple(sheet.boxes),
        edges=tuple(sheet.edges),
        groups=tuple(sheet.groups),
        note=note,
    )


def _trained(cell: Cell) -> bool:
    return cell.slot == "data" and getattr(cell.owner, "requires_grad", False)


def _alike(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Parameters, and what is none."""
    parts = [[cell for cell in cells if _trained(cell) is trained] for trained in (True, False)]
    return [part for part in parts if part]


def _cells(sheet: _Sheet, cells: Sequence[Cell]) -> None:
    """A box for what outlives the step, as it is at the start: for one place, or for several."""
    first, written = cells[0], any(cell.changed for cell in cells)
    kind = Kind.PARAMETER if _trained(first) else Kind.INPUT
    what = "parameter" if kind == Kind.PARAMETER else "cell"
    more: dict[str, Any] = {}
    if len(cells) == 1:
        more = {"shape": sheet.shape(first.before), "facts": (("type", kind_of(first.before)),)}
    key = sheet.add(
        kind,
        first.name if len(cells) == 1 else plural(len(cells), what),
        subtitle="cell, written at the end" if written and len(cells) == 1 else "cell",
        **more,
    )
    sheet.made_by |= {id(cell.before): key for cell in cells}


def _letters(program: Program) -> dict[str, Letter]:
    """What formulas call the cells of numbered layers."""
    cells = [cell for cell in program.reads if cell.slot == "data" and hasattr(cell.owner, "birth")]
    return letters([c.owner for c in cells], {c.owner.birth: c.name for c in cells})


def _equation(sheet: _Sheet, equation: Equation, group: str) -> None:
    """A box for an equation, and boxes for its constant arrays."""
    found: dict[int, str] = {}
    for i, x in enumerate(equation.inputs):
        if type(x) is not Var and np.ndim(x) > 0:
            texts = {"shape": sheet.shape(x), "value": value_text(x)[0], "group": group}
            found[i] = sheet.add(Kind.INPUT, "const", **texts)
    v = equation.output
    key = sheet.add(
        Kind.OP,
        sheet.named[id(v)],
        subtitle=equation.op.name,
        formula=elide(_formula(sheet, equation), LONGEST_FORMULA),
        shape=sheet.shape(v),
        group=group,
        facts=tuple(_facts(equation)),
    )
    for i, x in enumerate(equation.inputs):
        if i in found:
            sheet.edges.append(Edge(tail=found[i], head=key, operand=i))
        else:
            sheet.arrow(x, key, i)
    sheet.made_by[id(v)] = key
    sheet.sizes[key] = sheet.shape(v)


def _formula(sheet: _Sheet, equation: Equation) -> str:
    """What an equation computes, with the names of its variables."""
    inputs = [x.value if type(x) is Var else x for x in equation.inputs]
    called = [
        clean(sheet.named[id(x)], 24) if id(x) in sheet.named else None if np.ndim(x) == 0
        else "const"
        for x in equation.inputs
    ]  # fmt: skip
    if not equation.pure:  # it draws random numbers: there is nothing to write it with
        parts = [name or str(x) for name, x in zip(called, inputs, strict=True)]
        return f"{equation.op.name}({', '.join(parts)})"
    written = with_letters(called, inputs, sheet.letters)
    return str(formula(equation.op, (equation.output.value, *inputs), equation.attrs, written))


def _facts(equation: Equation) -> Iterator[tuple[str, str]]:
    yield "type", kind_of(equation.output)
    spot, path = place(equation.site), module_path(equation.scope)
    if spot is not None:
        yield "from", clean(str(spot), 60)
    if path:
        yield "in", clean(path, 48)


def _joined(
    sheet: _Sheet, equations: Sequence[Equation], title: str, group: str | None, kind: Kind
) -> None:
    """One box for several equations."""
    last = equations[-1].output
    key = sheet.add(kind, title, subtitle=plural(len(equations), "equation"), group=group)
    own = {id(equation.output) for equation in equations}
    tails: dict[str, Any] = {}
    for equation in equations:
        for x in equation.inputs:
            if id(x) not in own and id(x) in sheet.made_by:
                tails.setdefault(sheet.made_by[id(x)], x)
    for operand, x in enumerate(tails.values()):
        sheet.arrow(x, key, operand)
    sheet.made_by |= dict.fromkeys(own, key)
    sheet.sizes[key] = sheet.shape(last) if len(equations) == 1 else ""


def _ends(sheet: _Sheet, program: Program, *, gather: bool) -> None:
    """Boxes for what the step returns and for what it leaves in cells."""
    for v in program.outputs:
        _end(sheet, v, "", "returned")
    if not gather:
        for cell in program.writes:
            _end(sheet, cell.after, cell.name, "written")
        return
    key = sheet.add(Kind.OUTPUT, plural(len(program.writes), "cell"), subtitle="written")
    tails = {sheet.made_by.get(id(cell.after)): cell.after for cell in program.writes}
    for operand, v in enumerate(tails.values()):
        sheet.arrow(v, key, operand)


def _end(sheet: _Sheet, v: Any, title: str, what: str) -> None:
    called = sheet.named.get(id(v), "")
    constant = type(v) is not Var and v is not None
    key = sheet.add(
        Kind.OUTPUT,
        title or called or "const",
        subtitle=f"{what}: {clean(called)}" if called not in {"", title or called} else what,
        shape="" if v is None else sheet.shape(v),
        value=value_text(v)[0] if constant else "None" if v is None else "",
    )
    sheet.arrow(v, key)
