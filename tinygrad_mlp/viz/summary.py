"""Backward steps told per module: what goes in, what comes out.

This file knows which steps lie inside a module call that is told in one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_mlp.graph import module_path
from tinygrad_mlp.origin import Scope
from tinygrad_mlp.steps import BackwardStep, HookStep, SeedStep
from tinygrad_mlp.viz.fold import chain_of
from tinygrad_mlp.viz.labels import clean, gradient_text, plural

__all__ = ["Summary", "summarised"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Steps of one module call, in a sentence."""

    sentence: str
    steps: tuple[BackwardStep, ...]


def summarised(
    steps: Sequence[SeedStep | HookStep | BackwardStep], depth: int | None
) -> list[SeedStep | HookStep | BackwardStep | Summary]:
    """Join the steps of each module call below `depth`; None joins nothing. Hooks stand alone."""
    if depth is None:
        return list(steps)
    result: list[SeedStep | HookStep | BackwardStep | Summary] = []
    inside: list[BackwardStep] = []
    call: Scope = None

    def close() -> None:
        if inside:
            result.append(Summary(_sentence(call, inside), tuple(inside)))
            inside.clear()

    for step in steps:
        chain = [] if isinstance(step, SeedStep) else chain_of(step.node.scope)
        own = chain[depth] if len(chain) > depth else None
        if own is not call:
            close()
            call = own
        if own is None or isinstance(step, SeedStep | HookStep):
            close()
            result.append(step)
        else:
            inside.append(step)
    close()
    return result


def _sentence(call: Scope, steps: Sequence[BackwardStep]) -> str:
    if call is None:
        return ""
    path, kind = module_path(call), type(call[1]).__name__
    title = clean(f"{path} ({kind})" if path else kind)
    first, last = steps[0], {step.x.birth: step for step in steps if step.part == step.parts}
    arrives = gradient_text(first.upstream, 4, sign="a gradient of norm")[0]
    own = {step.node.birth for step in steps}
    leaves = [step for step in last.values() if step.x.birth not in own]
    gives = ", ".join(
        f"{step.x_name} gets {gradient_text(step.total, 4, sign='one of norm')[0]}"
        for step in leaves
    )
    return f"{title}, {plural(len(steps), 'step')}: {arrives} arrives at {first.name}; {gives}."
