"""How the steps of a trace are told on a stage: a sentence, a formula, numbers each.

This file knows wording and how the steps inside a closed box become one. Which boxes there are is
decided in `scenes.py`; every number and formula comes from `steps.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_mlp.formulas import letters
from tinygrad_mlp.graph import Node as Tensor
from tinygrad_mlp.graph import ancestors, names
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import place
from tinygrad_mlp.steps import (
    BackwardStep,
    ForwardStep,
    HookStep,
    SeedStep,
    backward_steps,
    forward_steps,
    operand_names,
)
from tinygrad_mlp.viz.document import Math
from tinygrad_mlp.viz.labels import FEW, clean, gradient_text, plural, shape_text, value_text
from tinygrad_mlp.viz.model import Kind, Picture
from tinygrad_mlp.viz.wording import Words

__all__ = ["Beat", "Trace", "arrivals", "backward_beats", "facts_of", "forward_beats", "trace_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One step on a stage.

    Attributes:
        phase: ``forward``, ``seed`` or ``backward``.
        at: The box where it happens.
        say: One sentence.
        formula: The same as a formula.
        numbers: The same with numbers.
        edge: The arrow along which a gradient flows back.
        to: The box that the gradient arrives at.
        total: The gradient of that box so far.
        alone: Whether it is the first contribution to that box.
    """

    phase: str
    at: str
    say: str
    formula: Math | None = None
    numbers: str = ""
    edge: int | None = None
    to: str | None = None
    total: Array | None = None
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that happened, computed once for all scenes."""

    root: Tensor
    nodes: tuple[Tensor, ...]
    named: Mapping[int, str]
    words: Words
    forward: tuple[ForwardStep, ...]
    backward: tuple[SeedStep | HookStep | BackwardStep, ...]
    totals: Mapping[int, Array]


def trace_of(root: Tensor) -> Trace:
    """Run the forward and the backward pass as data."""
    nodes = tuple(ancestors(root, through_constants=True))
    named = {birth: clean(name) for birth, name in names(nodes).items()}
    forward = tuple(forward_steps(root, named=named))
    gradient = None if root.size == 1 else np.ones(root.shape, root.dtype)
    backward = tuple(backward_steps(root, gradient=gradient, named=named))
    totals: dict[int, Array] = {}
    for step in backward:
        node = step.x if isinstance(step, BackwardStep) else step.node
        totals[node.birth] = step.total
    words = Words(named, named[root.birth], 4, letters(nodes, named))
    return Trace(root, nodes, named, words, forward, backward, totals)


# -- forward ---------------------------------------------------------------------------------


def forward_beats(
    trace: Trace, steps: Sequence[ForwardStep], keys: Mapping[int, str]
) -> Iterator[Beat]:
    """One beat per box: an op, or a closed module by what comes out of it."""
    last = {keys[step.node.birth]: step for step in steps}
    many: dict[str, int] = {}
    for step in steps:
        key = keys[step.node.birth]
        many[key] = many.get(key, 0) + 1
    told: set[str] = set()
    words = trace.words
    for step in steps:
        key = keys[step.node.birth]
        if last[key] is not step:
            continue
        shape = shape_text(step.value.shape)
        shown = value_text(step.value, words.digits)[0]
        if many[key] == 1:
            formula = words.formula(step.formula)
            verb = "is" if step.value.size <= FEW else "has"
            say = f"Forward: {step.name} = {formula.text} {verb} {shown}"
            say += "." if not step.value.ndim else f" ({shape})."
            meanings = [(math.text, what) for math, what in words.meanings([step])]
            new = [f"{letter}{what}" for letter, what in meanings if letter not in told]
            told |= {letter for letter, _ in meanings}
            say += f" {', '.join(new)}." if new else ""
            left = words.name(step.node)
            formula = Math(f"{left.text} = {formula.text}", f"{left.latex} = {formula.latex}")
            yield Beat(phase="forward", at=key, say=say, formula=formula, numbers=shown)
        else:
            say = f"Forward: {plural(many[key], 'op')} give {step.name}, {shape}: {shown}."
            yield Beat(phase="forward", at=key, say=say, numbers=shown)


# -- backward --------------------------------------------------------------------------------


def arrivals(
    trace: Trace, births: frozenset[int], own: Sequence[Tensor], keys: Mapping[int, str]
) -> Iterator[Beat]:
    """Where the backward pass begins: at the loss, or at what leaves a module."""
    name = trace.words.root
    if trace.root.birth in births:
        seed = trace.backward[0].total
        start = "1" if trace.root.size == 1 else "1 for every entry"
        partial, value = trace.words.partial(name), trace.words.value(seed)
        yield Beat(
            phase="seed",
            at=keys[trace.root.birth],
            to=keys[trace.root.birth],
            say=f"Backward begins: the gradient of {name} by itself is {start}.",
            formula=Math(f"{partial.text} = {value.text}", f"{partial.latex} = {value.latex}"),
            numbers=_size(seed, name),
            total=seed,
        )
        return
    for node in own:
        reads = {
            step.node.birth
            for step in trace.backward
            if isinstance(step, BackwardStep) and step.x is node
        }
        if node.birth in trace.totals and node.op is not None and reads - births:
            total = trace.totals[node.birth]
            yield Beat(
                phase="seed",
                at=keys[node.birth],
                to=keys[node.birth],
                say=f"From outside the gradient of {trace.named[node.birth]} arrives: "
                f"{_size(total, trace.named[node.birth])}.",
                numbers=_size(total, trace.named[node.birth]),
                total=total,
            )


@dataclass(slots=True)
class _Flow:
    """What one box sends to one tensor: a step, or several of a closed module."""

    steps: list[BackwardStep]
    contribution: Array


def backward_beats(
    trace: Trace,
    steps: Sequence[SeedStep | HookStep | BackwardStep],
    keys: Mapping[int, str],
    picture: Picture,
) -> Iterator[Beat]:
    """One beat per arrow along which a gradient flows, in the order of the backward pass."""
    folded = {n.key for n in picture.nodes if n.kind in {Kind.MODULE, Kind.FOLD}}
    shown = {n.source for n in picture.nodes}
    flows = _flows(steps, keys, folded, shown)
    edges = {(e.tail, e.head, e.operand): k for k, e in enumerate(picture.edges)}
    anyone = {(e.tail, e.head): k for k, e in enumerate(picture.edges)}
    parts = Counter(flow.steps[0].x.birth for flow in flows if isinstance(flow, _Flow))
    sums: dict[int, tuple[int, Array]] = {}
    for flow in flows:
        if isinstance(flow, HookStep):
            yield _hook(trace.words, flow, keys[flow.node.birth])
            continue
        step = flow.steps[-1]
        head, tail = keys[step.node.birth], keys[step.x.birth]
        part, total = sums.get(step.x.birth, (0, None))
        with np.errstate(all="ignore"):
            total = flow.contribution if total is None else total + flow.contribution
        sums[step.x.birth] = part + 1, np.asarray(total)
        formula = _rule(trace.words, step, part) if head not in folded else None
        yield Beat(
            phase="backward",
            at=head,
            to=tail,
            edge=edges.get((tail, head, step.i), anyone.get((tail, head))),
            say=_say(trace, step, formula, part=part + 1, parts=parts[step.x.birth]),
            formula=formula,
            numbers=_numbers(trace.words, step, flow, np.asarray(total), part),
            total=np.asarray(total),
            alone=part == 0,
        )


def _flows(
    steps: Sequence[SeedStep | HookStep | BackwardStep],
    keys: Mapping[int, str],
    folded: Container[str],
    shown: Container[int],
) -> list[_Flow | HookStep]:
    """What flows between boxes, in order; and the hooks of tensors that have a box."""
    flows: dict[tuple[object, ...], _Flow | HookStep] = {}
    for step in steps:
        if isinstance(step, HookStep):
            if step.node.birth in shown:
                flows[("hook", step.node.birth)] = step
            continue
        if isinstance(step, SeedStep) or keys[step.node.birth] == keys[step.x.birth]:
            continue
        head = keys[step.node.birth]
        key = (head, step.x.birth) if head in folded else (head, step.x.birth, step.i)
        flow = flows.pop(key, None)
        if isinstance(flow, _Flow):  # told where the last of its steps is
            flow.steps.append(step)
            with np.errstate(all="ignore"):
                flow.contribution = flow.contribution + step.contribution
            flows[key] = flow
        else:
            flows[key] = _Flow([step], step.contribution)
    return list(flows.values())


def _hook(words: Words, step: HookStep, key: str) -> Beat:
    """A hook changed the gradient of a box: no arrow, but a new number."""
    left, right = words.partial(step.name), words.value(step.total)
    return Beat(
        phase="backward",
        at=key,
        to=key,
        say=f"A hook of {step.name} changes its gradient.",
        formula=Math(f"{left.text} = {right.text}", f"{left.latex} = {right.latex}"),
        numbers=f"before {_size(step.before, step.name)}, now {_size(step.total, step.name)}",
        total=step.total,
    )


def _rule(words: Words, step: BackwardStep, part: int) -> Math:
    left, right = words.partial(step.x_name), words.formula(step.rule)
    text, latex = ("+=", r"\mathrel{+=}") if part else ("=", "=")
    return Math(f"{left.text} {text} {right.text}", f"{left.latex} {latex} {right.latex}")


def _say(trace: Trace, step: BackwardStep, formula: Math | None, *, part: int, parts: int) -> str:
    through = "a closed module" if formula is None else step.op.name
    say = f"Backward through {through}: "
    if formula is not None:
        say += f"{formula.text}, where g = ∂{trace.words.root}/∂{step.name}."
    else:
        say += f"the gradient reaches {step.x_name}."
    if parts > 1:
        say += f" Contribution {part} of {parts}: paths add."
    return say


def _numbers(words: Words, step: BackwardStep, flow: _Flow, total: Array, part: int) -> str:
    """Scalars as a product; tensors by their shapes, for no matrix has one slope."""
    local = step.local if len(flow.steps) == 1 else None
    name = words.symbol(step.x_name).text
    sent = _size(flow.contribution, name, whole=step.parts == len(flow.steps))
    if local is not None:
        product = words.product((step.upstream, local))
        text = f"upstream × local = {product.text} = {words.value(flow.contribution).text}"
    elif len(flow.steps) == 1:
        shapes = words.shapes(step).text
        text = f"shapes {shapes} give {shape_text(flow.contribution.shape)}: "
        text += sent
    else:
        text = f"contribution {sent}"
    return text + (f"; the sum is now {_size(total, name)}" if part else "")


def _size(gradient: Array, of: str, *, whole: bool = True) -> str:
    """The gradient of a tensor, or a part of it, in short."""
    return gradient_text(gradient, 4, sign=f"‖∂{of}‖" if whole else "norm")[0]


def facts_of(node: Tensor, named: Mapping[int, str]) -> list[tuple[str, str]]:
    """What the player says of a tensor that is pointed at, besides its numbers."""
    facts = []
    if node.op is not None:
        read = ", ".join(name or "a number" for name in operand_names(node, named))
        facts.append(("op", f"{node.op.name} of {read}"))
    spot = place(node.site)
    if spot is not None:
        facts.append(("line", clean(f"{spot}  {spot.expression}".strip(), 100)))
    return facts
