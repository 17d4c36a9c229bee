"""``draw``: from whatever has a graph to an object that shows, saves and opens its picture.

This file knows what can be drawn and which writer makes which kind of file. The pictures
themselves are read by `read.py` and `neurons.py` and written by `svg.py`, `dot.py` and `text.py`.
"""

from __future__ import annotations

import dataclasses
import html
import traceback
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tinygrad_mlp.autodiff import backpropagate
from tinygrad_mlp.errors import TinygradError, UsageError
from tinygrad_mlp.graph import ancestors, names
from tinygrad_mlp.nn import Module
from tinygrad_mlp.origin import tick
from tinygrad_mlp.program import CompiledStep, Program
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.viz import neuron_pictures, neurons
from tinygrad_mlp.viz.browser import show
from tinygrad_mlp.viz.choice import check_choice
from tinygrad_mlp.viz.dot import dot_source, render
from tinygrad_mlp.viz.equations import read_program
from tinygrad_mlp.viz.fold import Depth
from tinygrad_mlp.viz.labels import clean
from tinygrad_mlp.viz.mark import path_of
from tinygrad_mlp.viz.model import Kind, Picture
from tinygrad_mlp.viz.read import Failure, read
from tinygrad_mlp.viz.svg import Theme, as_image, svg
from tinygrad_mlp.viz.text import text_tree

__all__ = ["Drawing", "draw", "result_of"]

Level: TypeAlias = Literal["modules", "ops", "neurons"]
Direction: TypeAlias = Literal["right", "down"]


def draw(
    what: Any,
    *inputs: Any,
    level: Level = "ops",
    depth: int | None = None,
    fold: bool | None = None,
    direction: Direction = "right",
    theme: Theme = "auto",
    values: bool = True,
    grads: bool = True,
    shapes: bool = True,
    backward: bool = False,
    color: neurons.Color = "value",
    sample: int = 0,
    mark: Any = None,
) -> Drawing:
    """Draw a compute graph, or the program of a compiled step.

    Args:
        what: A tensor, whose graph is drawn; or a module, which is called with `inputs` first;
            or the exception of a forward pass that failed: what there was is drawn, and the op
            that failed is marked; or a compiled step (after two calls) or its program: the
            equations of forward, backward and update, from inputs and cells to what it leaves.
        inputs: What to call the module with.
        level: ``"modules"`` closes the innermost modules (of a program: the parts of the step),
            ``"ops"`` shows every op, ``"neurons"`` the circles and lines of the textbooks (for
            networks of linear layers).
        depth: How many levels of modules stay open; by default as many as fit.
        fold: Whether repeated blocks are drawn once, with ``× 12``; by default only when the
            graph is too large to look at.
        direction: Where the arrows point.
        theme: ``"light"``, ``"dark"``, or ``"auto"`` for what the reader prefers.
        values: Whether numbers are shown.
        grads: Whether gradients are shown.
        shapes: Whether shapes are shown.
        backward: Draw the graph of the backward pass too: what computes each gradient. The pass
            runs for it, hooks included, and stores no gradient.
        color: What colours the lines between neurons: weights or their gradients.
        sample: Which row of a batch the neurons show.
        mark: What stands out, in a colour of its own and with thicker lines: the path of an
            answer, ``mark=tg.why(w, loss)``; a tensor; or a list of tensors, where the arrows
            between neighbours stand out too. A closed or folded box is marked if it holds one.

    Returns:
        A `Drawing`: ``.svg`` and ``.source`` (DOT) are its text, ``.save("graph.svg")`` writes it
        (also .dot, .html, .txt, and .png and .pdf through Graphviz), ``.open()`` shows it in a
        browser, and a notebook shows it by itself.

    Raises:
        UsageError: If `what` has no graph, or an option is none of its words.

    >>> import tinygrad_mlp as tg
    >>> w = tg.Tensor(3.0, requires_grad=True, name="w")
    >>> print(draw(w * w))
    The graph of mul
    mul  scalar  = w w  9  ∂ not computed yet
    ├─ w  scalar  3  ∂ not computed yet
    └─ w, as above
    """
    check_choice("level", level, Level)
    check_choice("direction", direction, Direction)
    check_choice("theme", theme, Theme)
    check_choice("color", color, neurons.Color)
    down = direction == "down"
    if isinstance(what, Program | CompiledStep):
        if inputs or backward or mark is not None or level == "neurons":
            raise UsageError(
                "a program is drawn without inputs, backward=, mark= and neurons",
                why="it holds the backward pass already, and neither tensors nor numbers",
                fix="Write draw(step), or draw(loss, ...) for the graph of one step.",
            )
        closed = 0 if level == "modules" else depth
        picture = _program(what, depth=closed, fold=fold, shapes=shapes)
        return Drawing(picture, down, theme)
    root, failure = result_of(what, inputs)
    path = () if mark is None else path_of(mark)
    if level == "neurons":
        if path:
            raise UsageError(
                "mark= among neurons",
                why="it marks tensors, and a circle is one number of several of them",
                fix='Use level="ops" or level="modules".',
            )
        if root is None:
            raise UsageError("a forward pass that failed has no neurons", fix='Use level="ops".')
        return Drawing(neurons.read_network(root, color=color, sample=sample), down, theme)
    cut: Depth = "leaves" if level == "modules" else "auto" if depth is None else depth
    show: dict[str, Any] = {"values": values, "grads": grads, "shapes": shapes, "mark": path}
    if backward:
        if root is None:
            raise UsageError("a forward pass that failed has no backward pass")
        return Drawing(_backward(root, depth=cut, fold=fold, **show), down, theme)
    return Drawing(read(root, depth=cut, fold=fold, failure=failure, **show), down, theme)


def _program(what: Program | CompiledStep, **options: Any) -> Picture:
    """The picture of a program, or of that of a compiled step."""
    if isinstance(what, CompiledStep):
        return read_program(what.program, title=f"The program of {clean(what.__name__)}", **options)
    return read_program(what, **options)


def result_of(what: Any, inputs: tuple[Any, ...]) -> tuple[Tensor | None, Failure | None]:
    """The tensor that is meant, or where the forward pass failed."""
    if isinstance(what, Tensor):
        return what, None
    if isinstance(what, Module):
        if not inputs:
            raise UsageError(
                f"draw({type(what).__name__}) without an input",
                why="a graph comes to be when a module is called",
                fix="Write draw(model, x).",
            )
        start = tick()
        try:
            made = what(*inputs)
        except (TinygradError, ValueError, TypeError) as error:
            failure = _failure(error)
            for x in failure.inputs:
                _call(x, start, "last")
            return None, failure
        _call(made, start, "output")
        return result_of(made, ())
    if isinstance(what, tuple | list) and what and isinstance(what[0], Tensor):
        return what[0], None
    if isinstance(what, BaseException):
        return None, _failure(what)
    raise UsageError(
        f"draw() of {type(what).__name__}",
        fix="Pass a tensor, or a module and its input, or the exception of a failed forward pass, "
        "or a compiled step.",
    )


def _call(made: Any, start: int, name: str) -> None:
    """Name what this call made: its line is the line of draw(), and so is its variable."""
    if isinstance(made, Tensor) and made.op is not None and made.birth > start:
        made.name = made.name or name


def _failure(error: BaseException) -> Failure:
    """What failed: the op that the exception or a cause of it carries, else a module's call."""
    cause: BaseException | None = error
    while cause is not None:
        failed = getattr(cause, "failed", None)
        if failed is not None:
            return Failure(failed[0].name, failed[1], str(error))
        cause = cause.__cause__ or cause.__context__  # also one that the traceback leaves out
    refused: Failure | None = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        tensors = tuple(x for x in frame.f_locals.values() if isinstance(x, Tensor))
        me = frame.f_locals.get("self")
        if tensors and isinstance(me, Module):
            refused = Failure(type(me).__name__, tensors, str(error))
    if refused is None:
        raise error
    return refused


def _backward(root: Tensor, **options: Any) -> Picture:
    """The picture of the forward and the backward pass, recorded for this picture only."""
    known = names(ancestors(root, through_constants=True))
    # A seed that itself needs a gradient lets every op of the backward pass be recorded.
    seed = Tensor(root.data * 0 + 1, requires_grad=True, name=f"∂{known[root.birth]}")
    arrived: dict[int, tuple[Tensor, Tensor]] = {}

    def arrive(node: Tensor, gradient: Tensor) -> None:
        if node.op is None:
            arrived[node.birth] = node, gradient

    backpropagate(root, seed, create_graph=True, arrive=arrive)
    for birth, (_, gradient) in arrived.items():
        if gradient.op is not None:
            gradient.name = (
                f"{gradient.name}, ∂{known[birth]}" if gradient.name else (f"∂{known[birth]}")
            )
    options["grads"] = False
    picture = read(
        root,
        also=[gradient for _, gradient in arrived.values()],
        title=f"The backward pass of {known[root.birth]}",
        **options,
    )
    boxes = [
        dataclasses.replace(box, kind=Kind.INPUT) if box.source == seed.birth else box
        for box in picture.nodes
    ]
    return dataclasses.replace(picture, nodes=tuple(boxes))


class Drawing:
    """A picture that can be shown, saved and opened; `draw` makes it."""

    def __init__(self, picture: Picture | neurons.Network, down: bool, theme: Theme) -> None:
        self.picture = picture
        self._down = down
        self._theme = theme

    @cached_property
    def svg(self) -> str:
        """The picture as SVG; needs no program."""
        if isinstance(self.picture, neurons.Network):
            return neuron_pictures.network_svg(self.picture, theme=self._theme)
        return svg(self.picture, theme=self._theme, down=self._down)

    @cached_property
    def source(self) -> str:
        """The picture in DOT, for Graphviz."""
        if isinstance(self.picture, neurons.Network):
            return neuron_pictures.network_dot(self.picture)
        return dot_source(self.picture, down=self._down)

    @property
    def text(self) -> str:
        """The picture as a tree of lines."""
        if isinstance(self.picture, neurons.Network):
            return neuron_pictures.network_text(self.picture)
        return text_tree(self.picture)

    @property
    def html(self) -> str:
        """The picture as a page of its own."""
        title = html.escape(self.picture.title)
        unseen = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
        heading = f'<h1 style="{unseen}">{title}</h1>'  # for those who hear the page
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{title}</title>"
            '<meta name="viewport" content="width=device-width">'
            '<meta name="color-scheme" content="light dark"></head>'
            f'<body style="margin:0">\n<main>{heading}{self.svg}</main></body></html>\n'
        )

    def save(self, path: str | Path) -> Path:
        """Write the picture; the suffix says as what.

        Args:
            path: Ends in .svg, .html, .dot (or .gv), .txt; or in .png, .pdf and whatever else
                Graphviz writes.

        Returns:
            The path.

        Raises:
            MissingExtraError: If Graphviz is needed and not installed.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if not kind:
            raise UsageError(
                f"save({str(path)!r}) does not say what to write",
                fix="End the name in .svg, .html, .dot, .txt, .png or .pdf.",
            )
        texts = {"svg": "svg", "html": "html", "dot": "source", "gv": "source", "txt": "text"}
        if kind in texts:
            path.write_text(getattr(self, texts[kind]).rstrip("\n") + "\n", encoding="utf-8")
        else:
            path.write_bytes(render(self.source, kind))
        return path

    def open(self) -> Path:
        """Show the picture in a browser, and return the file that was written for it."""
        return show(self.save)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Drawing of {self.picture.title!r}: print it, or .save('graph.svg')>"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        """What a notebook shows: an image, which survives where scripts are stripped."""
        return {"text/html": as_image(self.svg, self.picture.title), "text/plain": self.text}
