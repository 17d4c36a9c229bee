"""What the player plays: scenes with a picture and the steps that happen in it.

This file knows how the steps of a graph are told on one stage, and how a large graph becomes a
stage with closed modules and one more stage inside each of them. The steps come from `steps.py`
and the pictures from `read.py`; how they look is known to `player.py` and its assets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinygrad_mlp.graph import Node as Tensor
from tinygrad_mlp.steps import SeedStep
from tinygrad_mlp.viz.fold import chain_of
from tinygrad_mlp.viz.labels import gradient_line, gradient_text
from tinygrad_mlp.viz.model import Kind, Picture
from tinygrad_mlp.viz.read import Show, read_keyed
from tinygrad_mlp.viz.telling import Beat, Trace, arrivals, backward_beats, forward_beats

__all__ = ["LONGEST", "Scene", "scenes_of"]

LONGEST = 300
"""A scene with more steps than this is told with closed modules."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One stage: a picture, what happens on it, and which boxes open further scenes."""

    title: str
    picture: Picture
    beats: tuple[Beat, ...]
    keys: Mapping[int, str]
    doors: Mapping[str, int] = field(default_factory=dict)
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A scene that is still to be made."""

    title: str
    births: frozenset[int]
    parent: int | None
    door: str


def scenes_of(trace: Trace) -> list[Scene]:
    """Cut a trace into scenes: one, if it is short; else closed modules and what is in them."""
    everything = frozenset(node.birth for node in trace.nodes)
    waiting = [_Plan(f"The graph of {trace.named[trace.root.birth]}", everything, None, "")]
    scenes: list[Scene] = []
    doors: list[dict[str, int]] = []
    while waiting:
        plan = waiting.pop(0)
        scene = _scene(trace, plan)
        if plan.parent is not None:
            doors[plan.parent][plan.door] = len(scenes)
        inside: dict[str, set[int]] = {}
        for birth, key in scene.keys.items():
            inside.setdefault(key, set()).add(birth)
        for node in scene.picture.nodes:
            members = frozenset(inside.get(node.key, ())) & plan.births
            if _opens(node.kind, members, plan):
                waiting.append(_Plan(node.title, members, len(scenes), node.key))
        scenes.append(scene)
        doors.append({})
    return [
        Scene(s.title, s.picture, s.beats, s.keys, opened, s.parent)
        for s, opened in zip(scenes, doors, strict=True)
    ]


def _opens(kind: Kind, members: frozenset[int], plan: _Plan) -> bool:
    """Whether there is a way into a box: modules have one, folded blocks if they are short."""
    if kind == Kind.FOLD:
        return 3 * len(members) <= LONGEST
    return kind == Kind.MODULE and members != plan.births


def _scene(trace: Trace, plan: _Plan) -> Scene:
    own = [node for node in trace.nodes if node.birth in plan.births]
    shown = {node.birth: node for node in own}
    for node in own:
        for x in node.inputs:
            if x is not None:
                shown.setdefault(x.birth, x)
    nodes = [shown[birth] for birth in sorted(shown)]
    given = {birth for birth in shown if birth not in plan.births}
    forward = [step for step in trace.forward if step.node.birth in plan.births]
    backward = [
        step
        for step in trace.backward
        if step.node.birth in plan.births and not isinstance(step, SeedStep)
    ]
    long = len(forward) + len(backward) > LONGEST
    picture, keys = read_keyed(
        nodes,
        {trace.root.birth},
        depth=_depth(nodes, given) if long else "all",
        fold=None if not long else len(nodes) > LONGEST * 4,
        show=Show(totals=trace.totals, heat=True),
        named=trace.named,
        given=given,
        title=plan.title,
    )
    beats = [*forward_beats(trace, forward, keys), *arrivals(trace, plan.births, own, keys)]
    beats += backward_beats(trace, backward, keys, picture)
    return Scene(plan.title, _with_space(picture, beats), tuple(beats), keys, {}, plan.parent)


def _with_space(picture: Picture, beats: Sequence[Beat]) -> Picture:
    """The picture with space for every text that will stand in the place of a gradient."""
    widest: dict[str, str] = {}
    for beat in beats:
        if beat.to is not None and beat.total is not None:
            text = gradient_line(gradient_text(beat.total)[0])
            widest[beat.to] = max(widest.get(beat.to, ""), text, key=len)
    boxes = (replace(box, reserve=widest.get(box.key, "")) for box in picture.nodes)
    return replace(picture, nodes=tuple(boxes))


def _depth(nodes: Sequence[Tensor], given: set[int]) -> int:
    """The outermost level at which a stretch of the graph falls into several boxes."""
    ops = [node for node in nodes if node.op is not None and node.birth not in given]
    chains = [chain_of(node.scope) for node in ops]
    deepest = max(map(len, chains), default=0)
    for depth in range(deepest):
        boxes = {
            id(chain[depth]) if len(chain) > depth else -k for k, chain in enumerate(chains, 1)
        }
        if len(boxes) > 1:
            return depth
    return deepest
