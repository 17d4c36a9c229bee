"""Pictures and words: the graph drawn, the chain rule explained, the backward pass played.

This room looks at graphs from the side. It knows tensors, modules and steps; nothing below knows
it. One model of the picture (`model.py`) is read from the graph (`read.py`) and written as SVG,
DOT, text and HTML; one document of an explanation (`document.py`) as text, Markdown, LaTeX and
HTML with MathML.
"""

from __future__ import annotations

from tinygrad_mlp.viz.drawing import Drawing, draw
from tinygrad_mlp.viz.explain import explain
from tinygrad_mlp.viz.explanation import Explanation
from tinygrad_mlp.viz.player import Player, player

__all__ = ["Drawing", "Explanation", "Player", "draw", "explain", "player"]
