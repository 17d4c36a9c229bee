"""``explain``: the chain rule of one graph, told step by step.

This file knows what is worth saying and in which order. Every number and every formula comes
from `steps.py`, which takes them from the engine and from the rules themselves; no derivative
is stated here. How the document is written down is known to `document.py`, `latex.py` and
`page.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import GraphError, IndexingError, UsageError
from tinygrad_mlp.formulas import letters
from tinygrad_mlp.graph import Node, ancestors, describe, held, names
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.origin import place
from tinygrad_mlp.steps import (
    BackwardStep,
    ForwardStep,
    HookStep,
    SeedStep,
    backward_steps,
    forward_steps,
)
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.viz import opcard
from tinygrad_mlp.viz.document import Block, Formulas, Heading, Inline, Math, Row, Say
from tinygrad_mlp.viz.explanation import Explanation
from tinygrad_mlp.viz.labels import clean, number, plural, shape_remark, shape_text
from tinygrad_mlp.viz.paths import Paths, find_paths
from tinygrad_mlp.viz.summary import Summary, summarised
from tinygrad_mlp.viz.wording import Words, difference_quotients, hooks_of

__all__ = ["explain"]

STEPS = 60
"""So many steps are told in full; of more, the first and the last."""


def explain(
    what: Any,
    wrt: Tensor | None = None,
    *,
    at: int | tuple[int, ...] | None = None,
    check: bool = False,
    depth: int | None = None,
    digits: int = 4,
) -> Explanation:
    """Explain the chain rule: how a result depends on one of the tensors behind it.

    Args:
        what: The result, usually a loss; or an op, of which formula, rules and an example are
            shown.
        wrt: The tensor whose gradient is explained; by default every leaf that needs one.
        at: One entry of `wrt` to look at, an index: ``3``, or ``(1, 0)`` of a matrix.
        check: Put a finite difference beside the gradient.
        depth: Tell modules below this level in one step each.
        digits: How many significant digits are written.

    A backward pass runs for it, which stores no gradient. It calls the hooks of `register_hook`,
    each once; one that changes a gradient is told as a step of its own.

    Returns:
        An `Explanation`: ``print`` it, ``.markdown``, ``.latex`` and ``.html`` are its texts, and
        ``.save("chain_rule.md")`` writes it as what the suffix says.

    Raises:
        GraphError: If `what` does not depend on `wrt`, or needs no gradient.
        IndexingError: If `at` is no entry of `wrt`.
        UsageError: If `what` is neither a tensor nor an op, or there is an `at` without `wrt`.

    >>> import tinygrad_mlp as tg
    >>> w = tg.Tensor(3.0, requires_grad=True, name="w")
    >>> loss = w * w
    >>> explanation = explain(loss, wrt=w, check=True)
    >>> print(str(explanation).partition("Backward")[0])
    How loss depends on w
    =====================
    loss is computed from w (scalar) by 1 op. 2 paths reach w; they add.
    <BLANKLINE>
    Given
    -----
       w  = 3
    <BLANKLINE>
    Forward
    -------
       loss  = w w
             = 9   (scalar)
    <BLANKLINE>
    <BLANKLINE>
    """
    if isinstance(what, Op):
        return opcard.explain_op(what, digits=digits)
    if not isinstance(what, Tensor):
        raise UsageError(
            f"explain() of {type(what).__name__}", fix="Pass a tensor (a loss) or an op."
        )
    if wrt is not None and not isinstance(wrt, Tensor):
        raise UsageError(
            f"explain(wrt=) of {type(wrt).__name__}", fix="Pass the tensor itself, as in wrt=w."
        )
    if at is not None:
        _check_entry(wrt, at)
    nodes = ancestors(what, through_constants=True)
    known = {birth: clean(name) for birth, name in names(nodes).items()}
    between = _between(what, wrt, nodes)
    forward = [s for s in forward_steps(what, named=known) if s.node.birth in between]
    backward = [step for step in backward_steps(what, named=known) if _arrives(step) in between]
    words = Words(known, known[what.birth], digits, letters(nodes, known))
    targets = [wrt] if wrt is not None else [n for n in nodes if n.op is None and n.requires_grad]
    totals = {_arrives(step): step.total for step in backward}
    paths = find_paths(what, wrt, nodes) if wrt is not None else None
    hooked = [step.name for step in backward if isinstance(step, HookStep)]
    blocks: list[Block] = [*_opening(wrt, forward, paths, words)]
    blocks += _given(forward, [wrt] if wrt is not None else [], words)
    blocks += _forward(forward, words)
    blocks += _backward(summarised(backward, depth), words)
    if paths is not None and wrt is not what:
        blocks += _paths(paths, words, hooked)
    blocks += _result(what, targets, totals, words, at=at, check=check)
    contributions = _contributions(None if hooked else paths, backward, wrt)
    gradient = totals.get(wrt.birth) if wrt is not None else None
    return Explanation(tuple(blocks), what, contributions, gradient)


def _check_entry(wrt: Tensor | None, at: Any) -> None:
    """Refuse an `at` that is not one entry of `wrt`."""
    if wrt is None:
        raise UsageError(
            f"at={at!r} without wrt=",
            why="it is an entry of one tensor",
            fix=f"Write explain(loss, wrt=w, at={at!r}).",
        )
    index = at if isinstance(at, tuple) else (at,)
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in index)
    if whole and len(index) == wrt.ndim and all(
        -n <= i < n for i, n in zip(index, wrt.shape, strict=True)
    ):  # fmt: skip
        return
    last = tuple(n - 1 for n in wrt.shape)
    entries = f"Use at={tuple(0 for _ in last)} to at={last}."
    if wrt.ndim == 1:
        entries = f"Use at=0 to at={last[0]}."
    raise IndexingError(
        f"at={at!r} is no entry of {describe(wrt)}",
        why=f"its shape is {wrt.shape}",
        fix=entries if wrt.ndim and wrt.size else "Leave at= out.",
    )


def _arrives(step: SeedStep | HookStep | BackwardStep) -> int:
    """The birth of the tensor at which the gradient of a step arrives."""
    node = step.x if isinstance(step, BackwardStep) else step.node
    return int(node.birth)


def _between(root: Node, wrt: Node | None, nodes: Sequence[Node]) -> set[int]:
    """What lies on the way from `wrt` to `root`, both included, by birth."""
    if wrt is None:
        return {node.birth for node in nodes if node.requires_grad}
    reached = {wrt.birth}
    for node in nodes:
        for i, x in enumerate(node.inputs):
            if x is not None and x.birth in reached and node.op.flows(i):
                reached.add(node.birth)
    if root.birth not in reached or not wrt.requires_grad:
        why = "no path of ops with gradients leads from one to the other"
        if not wrt.requires_grad:
            why = f"{describe(wrt)} does not need a gradient"
        raise GraphError(
            f"{describe(root)} does not depend on {describe(wrt)}",
            why=why,
            fix="Pass a tensor that took part, made with requires_grad=True.",
        )
    return reached


# -- the parts of the story ------------------------------------------------------------------


def _opening(
    wrt: Tensor | None, forward: Sequence[ForwardStep], paths: Paths | None, words: Words
) -> Iterator[Block]:
    name = words.root
    ops = plural(len(forward), "op")
    if wrt is None or paths is None:
        yield Heading(1, f"How {name} depends on its parameters")
        yield Say((f"{name} is computed by {ops}. Its gradient flows back along every arrow.",))
        return
    yield Heading(1, f"How {name} depends on {words.known[wrt.birth]}")
    target = words.known[wrt.birth]
    reach = f"{plural(paths.count, 'path')} {'reaches' if paths.count == 1 else 'reach'} {target}"
    add = "; they add" if paths.count > 1 else ""
    yield Say(
        (f"{name} is computed from {target} ({shape_text(wrt.shape)}) by {ops}. {reach}{add}.",)
    )


def _given(
    forward: Sequence[ForwardStep], targets: Sequence[Tensor], words: Words
) -> Iterator[Block]:
    """Everything that the told ops read and none of them made, so that all can be recomputed."""
    yield Heading(2, "Given")
    if meanings := words.meanings(forward):
        legend: list[Inline] = [part for meaning in meanings for part in (", ", *meaning)]
        yield Say((*legend[1:], "."))
    used = held([*targets, *(step.node for step in forward)])
    known = {step.node.birth for step in forward}
    rows = []
    for name, birth, value in _read(_middle(list(forward))[0], targets):
        if birth not in known:
            remark = shape_remark(np.shape(value)) if np.ndim(value) else ""
            rows.append(Row(words.symbol(name or words.known[birth]),
                            words.value(used.get(birth, value)), "=", remark))  # fmt: skip
            known |= {birth} if birth else set()
    shown, left_out = _middle(rows)
    if left_out:
        gap = Row(Math("…", r"\ldots"), Math("", ""), "=", f"{left_out} more")
        shown.insert(STEPS // 2, gap)
    yield Formulas(tuple(shown))


def _read(
    forward: Sequence[ForwardStep], targets: Sequence[Tensor]
) -> Iterator[tuple[str, int, Array]]:
    """The name, the birth (0 for a plain array) and the value of all that is read, in order."""
    for step in forward:
        node = step.node
        for x, name, value in zip(node.inputs, step.operands, node.values[1:], strict=True):
            if name is not None:
                yield name, 0 if x is None else x.birth, value
    for x in targets:
        yield "", x.birth, x.data


def _forward(forward: Sequence[ForwardStep], words: Words) -> Iterator[Block]:
    if not forward:
        return
    yield Heading(2, "Forward")
    rows = []
    shown, left_out = _middle(list(forward))
    for k, step in enumerate(shown):
        if left_out and k == STEPS // 2:
            rows.append(Row(Math("…", r"\ldots"), Math("", ""), "=", plural(left_out, "more op")))
        rows.append(Row(words.name(step.node), words.formula(step.formula)))
        rows.append(Row(Math("", ""), words.value(step.value), "=", shape_remark(step.value.shape)))
    yield Formulas(tuple(rows))


def _middle(steps: list[Any]) -> tuple[list[Any], int]:
    """The first and the last of many, and how many were left out."""
    if len(steps) <= STEPS:
        return steps, 0
    return steps[: STEPS // 2] + steps[-STEPS // 2 :], len(steps) - STEPS


def _backward(
    steps: Sequence[SeedStep | HookStep | BackwardStep | Summary], words: Words
) -> Iterator[Block]:
    yield Heading(2, "Backward")
    meaning = (
        " is the gradient that arrives at the output of the op; the rule of the op turns it into "
        "the gradient of one input."
    )
    yield Say(("In every step ", Math("g", "g"), meaning))
    shown, left_out = _middle(list(steps))
    for count, step in enumerate(shown, start=1):
        told = count
        if left_out and count > STEPS // 2:
            told += left_out
            if count == STEPS // 2 + 1:
                yield Say((f"… {plural(left_out, 'more step')} …",))
        if isinstance(step, SeedStep):
            yield Say(("The loss by itself: the gradient starts as 1.",), told)
            yield Formulas((Row(words.partial(step.name), words.value(step.total)),))
        elif isinstance(step, Summary):
            yield Say((step.sentence,), told)
        elif isinstance(step, HookStep):
            yield Say(("A hook of ", words.name(step.node), " changes its gradient."), told)
            before = f"before: {words.value(step.before).text}"
            yield Formulas((Row(words.partial(step.name), words.value(step.total), "=", before),))
        else:
            yield from _edge(step, told, words)


def _edge(step: BackwardStep, number: int, words: Words) -> Iterator[Block]:
    """One edge: the rule with symbols, with shapes, with numbers, and the sum so far."""
    spot = place(step.node.site)
    where = f" ({clean(str(spot))})" if spot else ""
    parts: list[Inline] = [f"{step.op.name}{where}: from ", words.name(step.node), " back to "]
    parts += [words.name(step.x)]
    if step.parts > 1:
        parts.append(f", contribution {step.part} of {step.parts}: paths add")
    yield Say(tuple(parts), number)
    sign = "=" if step.part == 1 else "+="
    rows = [Row(words.partial(step.x_name), words.formula(step.rule), sign,
                f"g = ∂{words.root}/∂{step.name}")]  # fmt: skip
    if step.contribution.ndim or step.upstream.ndim:
        rows.append(Row(Math("", ""), words.shapes(step), "=", "shapes"))
    contribution = words.value(step.contribution)
    numbers = words.numbers(step)
    if numbers and numbers.text != contribution.text:  # a rule of g alone has nothing to add
        rows.append(Row(Math("", ""), numbers))
    rows.append(Row(Math("", ""), contribution))
    if step.part > 1:
        rows.append(Row(words.partial(step.x_name), words.value(step.total), "=", "so far"))
    yield Formulas(tuple(rows))


def _paths(paths: Paths, words: Words, hooked: Sequence[str]) -> Iterator[Block]:
    yield Heading(2, "Paths")
    if hooked:
        yield Say(
            (f"The gradient is no sum of products of slopes: {hooks_of(hooked)} changed it.",)
        )
        return
    if not paths.listed:
        many = plural(paths.count, "path")
        yield Say((f"{many}: too many to list, so they are summed per edge above.",))
        return
    for count, path in enumerate(paths.listed, start=1):
        trail = " ← ".join(words.known[node.birth] for node in path.nodes)
        yield Say((trail,), count)
        product = words.product((np.ones(()), *path.factors)) if path.factors is not None else None
        rows = [Row(words.partial(words.known[path.nodes[-1].birth], part=count),
                    product or words.value(path.contribution))]  # fmt: skip
        if product:
            rows.append(Row(Math("", ""), words.value(path.contribution)))
        yield Formulas(tuple(rows))


def _result(
    root: Tensor, targets: Sequence[Tensor], totals: Mapping[int, Array], words: Words,
    *, at: int | tuple[int, ...] | None, check: bool,
) -> Iterator[Block]:  # fmt: skip
    yield Heading(2, "Result")
    rows = []
    for x in targets:
        if x.birth not in totals:
            continue
        total, partial = totals[x.birth], words.partial(words.known[x.birth])
        rows.append(Row(partial, words.value(total), "=", shape_remark(total.shape)))
        if at is not None:
            entry = words.partial(words.known[x.birth], entry=at)
            rows.append(Row(entry, words.value(np.asarray(total[at]))))
        if check:
            difference, worst = difference_quotients(root, x, total, at)
            rows.append(Row(Math("", ""), words.value(difference), "≈",
                            f"finite difference, at most {number(worst, 2)} off"))  # fmt: skip
    yield Formulas(tuple(rows))


def _contributions(
    paths: Paths | None,
    backward: Sequence[SeedStep | HookStep | BackwardStep],
    wrt: Tensor | None,
) -> tuple[Array, ...]:
    """What adds up to the gradient: one array per path, or per edge where paths are too many."""
    if paths is not None and paths.listed:
        return tuple(path.contribution for path in paths.listed)
    return tuple(
        step.contribution
        for step in backward
        if isinstance(step, BackwardStep) and wrt is not None and step.x is wrt
    )
