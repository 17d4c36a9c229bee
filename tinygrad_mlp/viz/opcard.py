"""``explain(op)``: one op by itself, with its formula, its rules and an example.

This file knows how a record is shown. The example's inputs come from the op's own domain, the
formulas and numbers from the record, read as always.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_mlp.formulas import example, formula, input_names, rule_formula
from tinygrad_mlp.ops import Array, Op
from tinygrad_mlp.steps import BackwardStep, backward_steps, gradients
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.viz.document import Block, Figure, Formulas, Heading, Math, Row, Say
from tinygrad_mlp.viz.explanation import Explanation
from tinygrad_mlp.viz.labels import clean, shape_remark
from tinygrad_mlp.viz.read import read
from tinygrad_mlp.viz.svg import svg
from tinygrad_mlp.viz.text import text_tree
from tinygrad_mlp.viz.wording import Words

__all__ = ["explain_op"]

NOTHING = Math("no gradient flows there", r"\text{no gradient flows there}")


def explain_op(op: Op, *, digits: int = 4) -> Explanation:
    """Explain one op.

    >>> from tinygrad_mlp.ops import sigmoid
    >>> print(explain_op(sigmoid))
    The op sigmoid
    ==============
    The logistic function; its slope needs only its output.
    <BLANKLINE>
    Rules
    -----
         y  = σ(x)
       ∂/∂x = g y (1 − y)   (g is the gradient that arrives at y)
    ...
    """
    values, attrs = example(op)
    called = input_names(op, len(values) - 1)
    inputs = [
        Tensor(x, requires_grad=op.flows(i) and np.asarray(x).dtype.kind == "f", name=name)
        for i, (x, name) in enumerate(zip(values[1:], called, strict=True))
    ]
    y = op.apply(tuple(inputs), attrs)
    y.name = "y"
    words = Words({x.birth: x.name or "" for x in [*inputs, y]}, "y", digits)
    blocks: list[Block] = [Heading(1, f"The op {clean(op.name)}"), Say((op.doc or op.name,))]
    blocks += [Heading(2, "Rules")]
    rows = [Row(Math("y", "y"), words.formula(formula(op, values, attrs)))]
    for i, name in enumerate(called):
        if op.flows(i):
            rule = words.formula(rule_formula(op, i, values, attrs))
            left = _partial(name)
            rows.append(Row(left, rule, "=", "g is the gradient that arrives at y"))
        else:
            rows.append(Row(Math(name, name), NOTHING, "←"))
    blocks.append(Formulas(tuple(rows)))
    blocks += _example(y, inputs, words)
    return Explanation(tuple(blocks), y, (), None)


def _example(y: Tensor, inputs: list[Tensor], words: Words) -> Iterator[Block]:
    yield Heading(2, "An example")
    g = _arriving(y)
    if y.requires_grad:
        y.backward(g)  # the tensors are this example's own
    picture = read(y, title=f"The op {clean(y.op.name)}") if y.op is not None else None
    if picture is not None:
        yield Figure(picture.title, svg(picture), text_tree(picture))
    rows = [Row(words.name(x), words.value(x.data), "=", shape_remark(x.shape)) for x in inputs]
    rows.append(Row(words.name(y), words.value(y.data), "=", shape_remark(y.shape)))
    if y.requires_grad:
        rows.append(Row(Math("g", "g"), words.value(g)))
        rows += [
            Row(_partial(step.x_name), words.value(step.total))
            for step in backward_steps(y, gradient=g, named=words.known)
            if isinstance(step, BackwardStep)
        ]
    yield Formulas(tuple(rows))


def _arriving(y: Tensor) -> Array:
    """The gradient that arrives in an example: 1 everywhere, so that slopes are seen.

    Where 1 everywhere adds up to nothing, as for a softmax, it is 1 for the first entry only.
    """
    g = np.ones(y.shape, y.dtype)
    if y.requires_grad and y.size > 1:
        sent = gradients(y, g)
        arrived = [sent[x.birth] for x in y.inputs if x is not None and x.birth in sent]
        if all(np.abs(array).max(initial=0) < 1e-9 for array in arrived):
            g[...] = 0
            g.flat[0] = 1
    return g


def _partial(name: str) -> Math:
    return Math(f"∂/∂{name}", rf"\frac{{\partial}}{{\partial {name}}}")
