"""How a gradient got its size: the edges from a loss back to one tensor, and where it is lost.

This file knows the backward pass as data (`steps`) and what is said when an op lets nothing
through. It states no derivative: every number comes from `pullback`, by way of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.doctor.nonfinite import edge_culprit, finite, first_bad, op_culprit, plain, shown
from tinygrad_mlp.doctor.verdict import Factor, Why
from tinygrad_mlp.doctor.wording import blocked, scaled
from tinygrad_mlp.graph import Node, ancestors, module_path, names
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import place
from tinygrad_mlp.steps import BackwardStep, HookStep, backward_steps

__all__ = ["Flow"]

HUGE, TINY = 1e4, 1e-7
"""Gradients beyond these are called so, by their largest entry."""


class Flow:
    """The backward pass from a root to one tensor.

    Attributes:
        root: Where it begins.
        t: Where it ends.
        named: What every tensor of the graph is called.
        edges: The edges on a path between them, newest first.
        hooks: The hooks on a path between them that changed a gradient.
    """

    def __init__(self, root: Node, t: Node) -> None:
        self.root, self.t = root, t
        self.nodes = ancestors(root, through_constants=True)
        self.named = names(self.nodes)
        seed = None if root.size == 1 else _seed(root)
        steps = list(backward_steps(root, gradient=seed, named=self.named))
        every = [step for step in steps if isinstance(step, BackwardStep)]
        reach = {t.birth}
        for step in reversed(every):
            if step.x.birth in reach:
                reach.add(step.node.birth)
        self.edges = [s for s in every if s.node.birth in reach and s.x.birth in reach]
        self.hooks = [s for s in steps if isinstance(s, HookStep) and s.node.birth in reach]

    # -- the path ----------------------------------------------------------------------------

    def path(self) -> list[BackwardStep]:
        """The edges along which most of the gradient comes, the loss's first."""
        into: dict[int, BackwardStep] = {}
        for step in self.edges:
            best = into.get(step.x.birth)
            if best is None or _size(step.contribution) > _size(best.contribution):
                into[step.x.birth] = step
        found = []
        at = self.t.birth
        while at in into:
            found.append(into[at])
            at = into[at].node.birth
        return found[::-1]

    def factors(self) -> tuple[Factor, ...]:
        """By what the gradient is multiplied along the path, one entry per layer or op."""
        result: list[Factor] = []
        for step in self.path():
            label = module_path(step.node.scope) or step.name
            before, after = _size(step.upstream), _size(step.contribution)
            factor = after / before if before else math.nan
            if result and result[-1].label == label:
                last = result.pop()
                factor, op = factor * last.factor, f"{last.op}, {step.op.name}"
            else:
                op = step.op.name
            result.append(Factor(label, op, after, factor))
        return tuple(result)

    def say(self, verdict: str, cause: str, what: str, **parts: Any) -> Why:
        """An answer, with this path."""
        path = tuple(step.node for step in self.path())
        return Why(
            self.t, self.named[self.t.birth], verdict, cause, what, path=(*path, self.t), **parts
        )

    # -- zero --------------------------------------------------------------------------------

    def zero(self) -> Why:
        """Which op lets nothing through."""
        name = self.named[self.t.birth]
        what = f"the gradient of {name!r} is 0: "
        for hook in self.hooks:
            if np.any(hook.before) and not np.any(hook.total):
                return self._hooked("zero", what, hook, "which makes it 0")
        for step in self.edges:
            if np.any(step.upstream) and not np.any(step.contribution):
                cause, reason, fix = blocked(step)
                spot = str(step.place or "")
                return self.say("zero", cause, what + reason, where=spot, fix=fix)
        if any(np.any(s.contribution) for s in self.edges if s.x is self.t or s.parts > 1):
            return self.say(
                "zero", "cancelled", what + "what comes along several paths adds up to 0",
                fix="It is a point where the loss does not change in this direction.",
            )  # fmt: skip
        return self.say(
            "zero", "nothing-sent", what + "backward began with a gradient of 0",
            fix="Look at gradient= and at what the loss is multiplied by.",
        )  # fmt: skip

    def _hooked(self, verdict: str, what: str, hook: HookStep, how: str) -> Why:
        """It is a hook's doing."""
        name = self.named[hook.node.birth]
        return self.say(
            verdict, "hook", f"{what}a hook of {name!r} changes the gradient there, {how}",
            fix="Look at what the function given to register_hook() returns.",
        )  # fmt: skip

    # -- infinite, or no number --------------------------------------------------------------

    def not_finite(self, verdict: str) -> Why:
        """The first culprit, in the forward or the backward pass."""
        name = self.named[self.t.birth]
        what = f"the gradient of {name!r} is not finite: "
        spoilt = [n for n in self.nodes if not finite(n.values[0] if n.values else n.data)]
        if spoilt:  # data first: it may be what has made weights no numbers
            return self._from_forward(next(filter(_gap, spoilt), spoilt[0]), verdict, what)
        for hook in self.hooks:
            if finite(hook.before) and not finite(hook.total):
                return self._hooked(verdict, what, hook, "which makes it no finite number")
        for step in self.edges:
            if finite(step.contribution):
                continue
            called = [x or f"input {k}" for k, x in enumerate(step.operands)]
            node = step.node
            found = edge_culprit(
                step.op, step.i, step.upstream, node.values, node.attrs, names=called
            )
            if found is None:
                break
            what += f"in the backward pass, that of {step.x_name!r} becomes "
            what += f"{shown(found.value)} at {list(found.index)} through {step.op.name}"
            return self.say(
                verdict, "backward", what, where=str(step.place or ""), why=found.because,
                fix=found.fix,
            )  # fmt: skip
        return self.say(
            verdict, "older", what + "not in this graph, so an earlier backward() left it",
            fix="Call zero_grad(), and run this step again.",
        )  # fmt: skip

    def _from_forward(self, bad: Node, verdict: str, what: str) -> Why:
        called = self.named[bad.birth]
        spot = str(place(bad.site) or "")
        if bad.op is None:
            index = first_bad(bad.data)
            given = f"{called!r} holds {shown(plain(bad.data)[index])} at {list(index)}"
            if bad.requires_grad:
                return self.say(
                    verdict, "diverged", f"{what}{given} itself", where=spot,
                    why="an earlier step made it so, by its data or by its length",
                    fix="Look for gaps in the data with np.isfinite(x).all(); if there are none, "
                    "lower the learning rate, or clip. Begin with new weights.",
                )  # fmt: skip
            weights = any(
                n.op is None and n.requires_grad and not finite(n.data) for n in self.nodes
            )
            return self.say(
                verdict, "data", what + given, where=spot,
                why="the weights that were moved with it are no numbers either" if weights else "",
                fix="Leave such samples out, or use np.nan_to_num"
                f"{'; and begin with new weights' if weights else ''}.",
            )  # fmt: skip
        inputs = [
            self.named[x.birth] if x is not None else f"input {k}" for k, x in enumerate(bad.inputs)
        ]
        found = op_culprit(
            bad.op, bad.values[0], bad.values[1:], inputs, guarded=_hidden_later(bad, self.nodes)
        )
        what += f"in the forward pass, {bad.op.name} gives "
        what += f"{shown(found.value)} at {list(found.index)}"
        return self.say(verdict, "forward", what, where=spot, why=found.because, fix=found.fix)

    # -- huge, tiny, fine --------------------------------------------------------------------

    def sized(self, verdict: str, largest: float) -> Why:
        """What makes it so large or so small: the op whose factors weigh most."""
        name = self.named[self.t.birth]
        factors = self.factors()
        steps = [s for s in self.path() if _size(s.upstream) and _size(s.contribution)]
        weight: dict[str, float] = {}
        for s in steps:
            log = math.log10(_size(s.contribution) / _size(s.upstream))
            weight[s.op.name] = weight.get(s.op.name, 0.0) + log
        what = f"the largest gradient of {name!r} is {largest:.3g}"
        sign = 1 if verdict == "huge" else -1
        for hook in self.hooks:
            size = _size(hook.before)
            factor = _size(hook.total) / size if size else 0.0
            log = sign * math.log10(factor) if factor else 0.0
            if log > 1 and log > max((sign * w for w in weight.values()), default=0.0):
                how = f"which multiplies its size by {factor:.2g}"
                return self._hooked(verdict, f"{what}: ", hook, how)
        if not weight:
            return self.say(verdict, "given", what, factors=factors)
        pick = max if verdict == "huge" else min
        op = pick(weight, key=weight.__getitem__)
        count = sum(s.op.name == op for s in steps)
        times = f" {count} times" if count > 1 else ""
        at = next(s for s in steps if s.op.name == op)
        cause, fix = scaled(op, verdict, count)
        return self.say(
            verdict, cause, f"{what}: {op}{times} multiplies it by {10 ** weight[op]:.2g}",
            where=str(at.place or ""), fix=fix, factors=factors,
        )  # fmt: skip

    def fine(self, largest: float) -> Why:
        """Nothing is wrong; units that get nothing are mentioned."""
        name = self.named[self.t.birth]
        what = f"nothing is wrong with the gradient of {name!r}: its largest entry is {largest:.3g}"
        grad = plain(self.t.grad)
        if grad.ndim == 2:
            dead = int((~np.any(grad, axis=1)).sum())
            if dead:
                what += f"; {dead} of its {len(grad)} rows are 0 (units that let nothing through)"
        return self.say("fine", "fine", what, factors=self.factors())


def _seed(root: Node) -> Array:
    grad = root.grad
    return np.ones(root.shape, root.dtype) if grad is None else plain(grad)


def _size(x: Array) -> float:
    """The root mean square."""
    x = np.asarray(x)
    if not x.size:
        return 0.0
    largest = float(np.abs(x).max())
    if not largest or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(np.mean((x / largest) ** 2)))


def _gap(node: Node) -> bool:
    """Whether a node is data that holds NaN; infinity may be meant, as in a mask."""
    return node.op is None and not node.requires_grad and bool(np.isnan(plain(node.data)).any())


def _hidden_later(bad: Node, nodes: Sequence[Node]) -> bool:
    """Whether a `where` reads the node: then somebody meant to hide elements of it."""
    return any(
        n.op is not None and n.op.name == "where" and any(x is bad for x in n.inputs) for n in nodes
    )
