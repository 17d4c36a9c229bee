"""Source: a program as a NumPy function that one can read and paste.

This file knows how a training step is best laid out: sections, names, comments, what may stand in
one line. It knows no op: what each line says comes from the op's own forward function, run on
`Code`, and each comment from the rule itself, run on symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygrad_mlp.formulas import input_names, rule_formula
from tinygrad_mlp.graph import module_path
from tinygrad_mlp.origin import Scope
from tinygrad_mlp.program import passes
from tinygrad_mlp.program.code import ATOM, Code, written
from tinygrad_mlp.program.ir import Cell, Edge, Equation, Program, Var
from tinygrad_mlp.program.lowering import lowered
from tinygrad_mlp.program.naming import comment, identifier
from tinygrad_mlp.program.printing import kind_of
from tinygrad_mlp.program.writer import WIDTH, Writer, wrapped

__all__ = ["Source", "numpy_source"]

_ONE_LINE = 68
_METHODS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}


@dataclass(frozen=True, slots=True)
class Source:
    """A function as text, and how to call it: ``name(*inputs, *cells)``.

    Attributes:
        text: The text.
        name: The function's name.
        arguments: The cells whose content it takes, after the step's own arguments.
        results: The cells whose new content it returns, after the step's own results.
        single: Whether the step returns one thing and not a tuple.
    """

    text: str
    name: str
    arguments: list[Cell]
    results: list[Cell]
    single: bool


def numpy_source(program: Program, name: str = "step") -> Source:
    """Write a program as a function of its inputs and of what its cells hold.

    The function returns the step's results and a tuple of the new contents of the cells. Ops are
    taken apart first, so that what several of them compute is written once; no bit changes.
    """
    exact = [lowered, passes.algebra, passes.common_subexpressions, passes.dead_code]
    scopes = {id(e.output): e.scope for e in program.equations}
    return _Layout(passes.run(program, exact), identifier(name), scopes).source()


def by_kind(cells: list[Cell]) -> list[Cell]:
    """Parameters and state first, then gradients, then numbers and generators."""
    order = {"data": 0, "grad": 1}
    return sorted(cells, key=lambda cell: order.get(cell.slot, 2))


class _Layout:
    def __init__(self, program: Program, name: str, scopes: dict[int, Scope]) -> None:
        self.program = program
        self.name = name
        self.scopes = scopes
        self.writer = Writer(name)
        self.codes: dict[int, Code] = {}
        self.arguments = by_kind(program.reads)
        self.results = by_kind(program.writes)
        self.uses = _uses(program)
        self.last_use = _last_uses(program, self.uses)
        self.renamed = {id(c.after): c.before for c in program.writes if c.before is not None}
        self.deferred: dict[int, Equation] = {}
        self.phase = self.layer = ""

    def source(self) -> Source:
        inputs = [*self.program.inputs, *(c.before for c in self.arguments if c.before is not None)]
        for v in inputs:
            self._name(v, self.writer.names.fresh(v.name or "x"))
        parameters = [self.codes[id(v)].name for v in inputs]
        described = [f"{self.codes[id(v)].name}: {kind_of(v)}" for v in inputs]
        for number, equation in enumerate(self.program.equations):
            self._equation(number, equation)
        outputs = [self._text(v) for v in self.program.outputs]
        state = [self._text(cell.after) for cell in self.results]
        single = len(outputs) == 1
        head = f"return {outputs[0] if single else '(' + ', '.join(outputs) + ')'}, "
        body = [
            '"""One training step, written out: takes and gives back everything it needs.',
            "",
            *(f"    {line}" for line in described),
            "",
            "Returns the result of the step, then the new contents of",
            *(f"    {line}" for line in _listed([identifier(c.name) for c in self.results])),
            '"""',
            *self.writer.lines,
            *wrapped(head, state, ""),
        ]
        lines = [
            "import numpy as np",
            "",
            *self.writer.constants,
            "",
            *wrapped(f"def {self.name}", parameters, ":"),
            *(f"    {line}" if line else "" for line in body),
        ]
        text = "\n".join(lines) + "\n"
        return Source(text, self.name, self.arguments, self.results, single)

    def _name(self, v: Var, name: str) -> None:
        self.codes[id(v)] = code = Code("", (), v.value)
        code.name = name

    def _text(self, v: Any) -> str:
        return self.writer.text(self.codes.get(id(v), v))

    # -- one equation ------------------------------------------------------------------------

    def _equation(self, number: int, equation: Equation) -> None:
        inputs = tuple(self.codes.get(id(x), x) for x in equation.inputs)
        result: Any = _gathered(equation, inputs)
        if result is None:
            result = written(equation.op, inputs, equation.attrs)
        v = equation.output
        if self._may_wait(equation, result):
            self.codes[id(v)] = result
            self.deferred[id(v)] = equation
            return
        self._headings(equation)
        self._shorten(equation, result)
        old = self.renamed.get(id(v))
        if old is not None and self.last_use.get(id(old), -1) <= number:
            name = self.codes[id(old)].name  # weight = weight - …: the old one is done with
        else:
            name = self.writer.names.fresh(v.name or ("d" if equation.phase == "backward" else "t"))
        self.writer.assign(result, name, self._remark(number, equation))
        self._name(v, name)

    def _may_wait(self, equation: Equation, result: Any) -> bool:
        """Whether it may stand inside the line that uses it."""
        v = equation.output
        return (
            isinstance(result, Code)
            and not v.name
            and self.uses.get(id(v)) == 1
            and equation.pure
            and not result.effects
            and self.last_use[id(v)] < len(self.program.equations)
            and self.program.equations[self.last_use[id(v)]].phase == equation.phase
            and len(self.writer.text(result)) < _ONE_LINE
        )

    def _shorten(self, equation: Equation, result: Any) -> None:
        """Give the longest parts lines of their own until the rest fits into one."""
        waiting = [x for x in equation.inputs if id(x) in self.deferred]
        waiting.sort(key=lambda x: len(self._text(x)))
        while waiting and len(self.writer.text(result)) > _ONE_LINE:
            v = waiting.pop()
            code, inner = self.codes[id(v)], self.deferred.pop(id(v))
            self._shorten(inner, code)
            self.writer.assign(code, self.writer.names.fresh("d" if inner.edge else "t"))

    # -- what is said beside it --------------------------------------------------------------

    def _headings(self, equation: Equation) -> None:
        lines = self.writer.lines
        if equation.phase != self.phase:
            self.phase, self.layer = equation.phase, ""
            if lines:
                lines.append("")
            lines.append(f"# {self.phase}")
        layer = self._layer(equation.edge)
        if layer != self.layer and layer:
            self.layer = layer
            lines.append(f"# back through {comment(layer)}")

    def _layer(self, edge: Edge | None) -> str:
        """The layer whose op the rule belongs to: its path and its kind."""
        scope: Scope = self.scopes.get(id(edge.values[0])) if edge else None
        if scope is None:
            return ""
        path, kind = module_path(scope), type(scope[1]).__name__
        return f"layer {path}, {kind}" if path else kind

    def _remark(self, number: int, equation: Equation) -> str:
        """The step of the chain rule that a line completes, from the rule itself."""
        edge, following = equation.edge, self.program.equations[number + 1 :]
        if edge is None or (following and _same_edge(edge, following[0].edge)):
            return ""
        values = tuple(x.value if type(x) is Var else x for x in edge.values)
        formula = str(rule_formula(edge.op, edge.i, values, edge.attrs))
        letters = input_names(edge.op, len(values) - 1)
        to = f" → {letters[edge.i]}" if len(letters) > 1 else ""
        return comment(f"{edge.op.name}{to}: {formula}")


def _gathered(equation: Equation, inputs: tuple[Any, ...]) -> Code | None:
    """``x.sum(axis=0)`` for ``np.add.reduce(x, (0,))``: NumPy's method calls just that."""
    ufunc, _, kind = equation.op.name.partition(".")
    x = inputs[0] if inputs else None
    if kind != "reduce" or ufunc not in _METHODS or not isinstance(x, Code):
        return None
    axis, said = equation.attrs["axis"], []
    if axis is not None:
        said.append(f"axis={axis[0] if type(axis) is tuple and len(axis) == 1 else axis}")
    if equation.attrs["keepdims"]:
        said.append("keepdims=True")
    text = f"{{0}}.{_METHODS[ufunc]}({', '.join(said)})"
    return Code(text, (x,), equation.output.value, ATOM, (ATOM,))


def _same_edge(a: Edge, b: Edge | None) -> bool:
    """Whether two equations come from one application of a rule: to one output, for one input."""
    return b is not None and a.i == b.i and a.values[0] is b.values[0]


def _uses(program: Program) -> dict[int, int]:
    uses: dict[int, int] = {}
    for x in [*(x for e in program.equations for x in e.inputs), *program.results]:
        if type(x) is Var:
            uses[id(x)] = uses.get(id(x), 0) + 1
    return uses


def _last_uses(program: Program, uses: dict[int, int]) -> dict[int, int]:
    """Where each variable may be read last: an equation that waits is read where it is used."""
    last = {id(v): len(program.equations) for v in program.results if type(v) is Var}
    for number in reversed(range(len(program.equations))):
        equation = program.equations[number]
        out = id(equation.output)
        waits = uses.get(out) == 1 and not equation.output.name
        reached = max(number, last.get(out, -1)) if waits else number
        for x in equation.inputs:
            if type(x) is Var:
                last[id(x)] = max(last.get(id(x), -1), reached)
    return last


def _listed(names: list[str]) -> list[str]:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > WIDTH - 16:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{name}"
    return lines
