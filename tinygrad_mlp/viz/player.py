"""``player``: the backward pass of one graph to step through, as one page that needs nothing.

This file knows how scenes become a page: pictures, a table of all steps, and data for the
script. Everything is computed here; the page replays it and computes no gradient. The script,
the style and the skeleton of the page are real files, in `assets`.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.graph import held
from tinygrad_mlp.ops import Array
from tinygrad_mlp.steps import HookStep
from tinygrad_mlp.viz import neuron_pictures, neurons
from tinygrad_mlp.viz.assets import asset
from tinygrad_mlp.viz.browser import show
from tinygrad_mlp.viz.drawing import result_of
from tinygrad_mlp.viz.heat import table
from tinygrad_mlp.viz.labels import SIGNS, gradient_line, gradient_text, number, numbers, plural
from tinygrad_mlp.viz.mathml import formula
from tinygrad_mlp.viz.model import Kind
from tinygrad_mlp.viz.paths import find_paths
from tinygrad_mlp.viz.scenes import Scene, scenes_of
from tinygrad_mlp.viz.svg import as_image, place, stylesheet, svg
from tinygrad_mlp.viz.telling import Beat, Trace, facts_of, trace_of
from tinygrad_mlp.viz.wording import hooks_of

__all__ = ["Player", "player"]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
AROUND, STAGE = 590, 430
"""In a notebook: how tall all that surrounds the picture is, and how tall the picture at most."""
PATHS = 2_000
"""Paths of parameters are listed in graphs of up to so many nodes."""


def player(what: Any, *inputs: Any) -> Player:
    """Make a page that plays the forward and the backward pass of a graph, step by step.

    Args:
        what: A tensor, usually a loss; or a module, which is called with `inputs` first.
        inputs: What to call the module with.

    A backward pass runs for it, which stores no gradient. It calls the hooks of `register_hook`,
    each once; one that changes a gradient is a step of its own.

    Returns:
        A `Player`: ``.save("player.html")`` writes one file that works offline, ``.open()`` shows
        it in a browser, and a notebook shows it by itself.

    >>> import tinygrad_mlp as tg
    >>> w = tg.Tensor(3.0, requires_grad=True, name="w")
    >>> player(w * w)
    <Player of 'The graph of mul', 4 steps: .save('player.html') or .open()>
    """
    root, failure = result_of(what, inputs)
    if root is None:
        complaint = failure.complaint if failure else ""
        raise UsageError(
            "the forward pass failed, so there is no backward pass to play",
            why=complaint,
            fix="draw(model, x) shows where it failed.",
        )
    trace = trace_of(root)
    return Player(trace, scenes_of(trace))


class Player:
    """The pages of one graph; `player` makes it."""

    def __init__(self, trace: Trace, scenes: list[Scene]) -> None:
        self._trace = trace
        self.scenes = scenes

    @property
    def title(self) -> str:
        """What is played."""
        return self.scenes[0].title

    @cached_property
    def html(self) -> str:
        """The page: one file, no request, no script but its own."""
        script = asset("player.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        stages = [
            f'<div class="scene" data-scene="{k}"{" hidden" if k else ""}>'
            f"{self._picture(scene)}</div>"
            for k, scene in enumerate(self.scenes)
        ]
        parts = {
            "title": html.escape(f"Backprop player: {self.title}"),
            "policy": f"{POLICY}; script-src 'sha256-{digest}'",
            "style": stylesheet() + asset("player.css"),
            "count": str(len(self.scenes[0].beats)),
            "last": str(len(self.scenes[0].beats) - 1),
            "stages": "\n".join(stages),
            "neurons": self._neurons(),
            "signs": self._signs(),
            "tables": "\n".join(_table(scene, k) for k, scene in enumerate(self.scenes)),
            "data": as_json(self.data),
            "script": script,
        }
        # One pass, so that nothing in a name can stand for another part of the page.
        return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], asset("player.html"))

    def _picture(self, scene: Scene) -> str:
        return without_style(svg(scene.picture, interactive=True))

    @cached_property
    def network(self) -> neurons.Network | None:
        """The neurons, if the graph is a small network of layers in a row."""
        try:
            network = neurons.read_network(self._trace.root, totals=self._trace.totals)
        except UsageError:
            return None
        small = all(len(layer.values) <= neurons.SHOWN for layer in network.layers)
        return network if small and len(self.scenes) == 1 else None

    def _neurons(self) -> str:
        if self.network is None:
            return ""
        legend = (
            "Lines: orange is positive, blue negative; wider is larger. They show weights, "
            "and gradients from the step on that computes them."
        )
        network = dataclasses.replace(self.network, legend=legend)
        picture = without_style(neuron_pictures.network_svg(network))
        return f'<div class="scene" data-scene="neurons" hidden>{picture}</div>'

    def _signs(self) -> str:
        """What the signs in boxes and sentences mean, as a paragraph."""
        used = {sign for scene in self.scenes for sign in scene.picture.signs}
        meanings = "; ".join(meaning for meaning in SIGNS.values() if meaning in used)
        return f'<p class="keys">{html.escape(meanings)}.</p>' if meanings else ""

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the script replays."""
        data: dict[str, Any] = {
            "scenes": [self._scene(k, scene) for k, scene in enumerate(self.scenes)]
        }
        if self.network is not None:
            keys = self.scenes[0].keys
            data["neurons"] = {
                "layers": [[keys[b] for b in layer.births] for layer in self.network.layers],
                "weights": [
                    {
                        "key": keys[w.birth],
                        "strengths": None if w.gradient is None else _strengths(w.gradient),
                    }
                    for w in self.network.weights
                ],
            }
        return data

    def _scene(self, number: int, scene: Scene) -> dict[str, Any]:
        trace = self._trace
        last = {key: birth for birth, key in sorted(scene.keys.items())}
        nodes = {node.birth: node for node in trace.nodes}
        used = held(trace.nodes)
        boxes = {}
        for box in scene.picture.nodes:
            tensor = nodes.get(box.source)
            boxes[box.key] = {
                "title": box.title,
                "kind": box.kind.meaning,
                "shape": box.shape,
                "formula": box.formula,
                "value": "" if tensor is None else numbers(used[tensor.birth], 16),
                "facts": [] if tensor is None else facts_of(tensor, trace.named),
                "map": table(used[tensor.birth]) if tensor is not None and box.heat else None,
                "given": tensor is None or tensor.op is None or box.key not in last
                or box.kind == Kind.INPUT,
            }  # fmt: skip
        return {
            "title": scene.title,
            "boxes": boxes,
            "edges": [[edge.tail, edge.head] for edge in scene.picture.edges],
            "beats": [_beat(beat) for beat in scene.beats],
            "doors": dict(scene.doors),
            "parent": scene.parent,
            "paths": self._paths(scene) if number == 0 else {},
        }

    def _paths(self, scene: Scene) -> dict[str, Any]:
        """For every parameter its ways to the result, each with what it contributes."""
        trace = self._trace
        if len(trace.nodes) > PATHS:
            return {}
        hooked = [step.name for step in trace.backward if isinstance(step, HookStep)]
        note = f"No sum of products of slopes: {hooks_of(hooked)} changed it." if hooked else ""
        listed: dict[str, Any] = {}
        for box in scene.picture.nodes:
            tensor = next((n for n in trace.nodes if n.birth == box.source), None)
            if box.kind != Kind.PARAMETER or tensor is None or tensor.birth not in trace.totals:
                continue
            paths = find_paths(trace.root, tensor, trace.nodes)
            lines = []
            for path in paths.listed if not hooked else ():
                trail = " ← ".join(trace.named[node.birth] for node in path.nodes)
                gives = gradient_text(path.contribution, sign="norm")[0]
                if path.factors is not None:
                    product = trace.words.product(path.factors).text
                    gives = f"{product} = {number(path.contribution.item())}"
                lines.append(
                    {
                        "say": f"{trail}: {gives}",
                        "boxes": [scene.keys[node.birth] for node in path.nodes],
                    }
                )
            listed[box.key] = {
                "count": paths.count,
                "note": note,
                "lines": lines,
                "total": numbers(trace.totals[tensor.birth], 16),
            }
        return listed

    def save(self, path: str | Path) -> Path:
        """Write the page (.html)."""
        path = Path(path)
        if path.suffix.lower() not in {".html", ".htm"}:
            raise UsageError(
                f"a player cannot be saved as {path.name!r}", fix="End the name in .html."
            )
        path.write_text(self.html, encoding="utf-8")
        return path

    def open(self) -> Path:
        """Show the page in a browser, and return the file that was written for it."""
        return show(self.save)

    def __repr__(self) -> str:
        count = plural(sum(len(scene.beats) for scene in self.scenes), "step")
        return f"<Player of {self.title!r}, {count}: .save('player.html') or .open()>"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        """What a notebook shows: the page in a frame, and a picture where frames are stripped."""
        page = html.escape(self.html, quote=True)
        picture = self.scenes[0].picture
        image = as_image(svg(picture), self.title)
        tall = AROUND + round(min(place(picture).height, STAGE))
        return {
            "text/html": (
                f'<iframe sandbox="allow-scripts" srcdoc="{page}" width="100%" height="{tall}" '
                f'style="border:1px solid #8b95a1;border-radius:8px" '
                f'title="{html.escape(self.title)}"></iframe>\n'
                f"<details><summary>The graph as a picture</summary>{image}</details>"
            ),
            "text/plain": repr(self),
        }


def as_json(data: Any) -> str:
    r"""JSON that cannot end the element it stands in.

    >>> as_json("</script>")
    '"\\u003c/script>"'
    """
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def without_style(picture: str) -> str:
    """An SVG without its own style: the page has it once for all."""
    return re.sub(r"<style>.*?</style>\n", "", picture, count=1, flags=re.DOTALL)


def _beat(beat: Beat) -> dict[str, Any]:
    total = beat.total
    text, loud = ("", False) if total is None else gradient_text(total)
    return {
        "phase": beat.phase,
        "at": beat.at,
        "to": beat.to,
        "edge": beat.edge,
        "alone": beat.alone,
        "total": gradient_line(text),
        "loud": loud,
        "numbers": "" if total is None else numbers(total, 16),
        "map": None if total is None or total.size < 2 else table(total),
        "exact": None if total is None or total.size > 64 else _exact(total.ravel().tolist()),
    }


def _strengths(gradient: Array) -> list[list[Any]]:
    return [_exact(row) for row in neurons.strengths(gradient).round(4).tolist()]


def _exact(values: list[Any]) -> list[Any]:
    return [v if v == v and abs(v) != float("inf") else str(v) for v in values]  # noqa: PLR0124


def _table(scene: Scene, k: int) -> str:
    rows = "".join(_rows(scene, k))
    return (
        f'<table class="steps" data-scene="{k}"{" hidden" if k else ""}>'
        f"<caption>All steps: {html.escape(scene.title)}</caption>"
        '<thead><tr><th scope="col">Step</th><th scope="col">What happens</th>'
        '<th scope="col">Formula</th><th scope="col">Numbers</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _rows(scene: Scene, k: int) -> Iterator[str]:
    for i, beat in enumerate(scene.beats):
        written = formula(beat.formula.text, beat.formula.latex, block=True) if beat.formula else ""
        yield (
            f'<tr id="s{k}-{i}" class="{beat.phase}"><th scope="row">{i + 1}</th>'
            f"<td>{html.escape(beat.say)}</td><td>{written}</td>"
            f"<td>{html.escape(beat.numbers)}</td></tr>\n"
        )
