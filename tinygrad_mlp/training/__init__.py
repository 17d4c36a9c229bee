"""Training: the loop that turns data, a model, a loss and an optimiser into a trained model.

Read `loop.py`. This room knows all rooms below it; it does not know programs or pictures.
"""

from __future__ import annotations

from tinygrad_mlp.training.history import History
from tinygrad_mlp.training.loop import evaluate, fit

__all__ = ["History", "evaluate", "fit"]
