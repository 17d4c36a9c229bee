"""Training: the loop that turns data, a model, a loss and an optimiser into a trained model.

Read `loop.py`, then `run.py`. This room knows all rooms below it; it does not know pictures.
"""

from __future__ import annotations

from tinygrad_mlp.training.callbacks import (
    BestWeights,
    EarlyStopping,
    ReduceOnPlateau,
    Scheduled,
)
from tinygrad_mlp.training.checkpoint import Checkpoint
from tinygrad_mlp.training.evaluation import evaluate, predict
from tinygrad_mlp.training.history import History
from tinygrad_mlp.training.loop import fit
from tinygrad_mlp.training.metrics import accuracy, classes, confusion, r2
from tinygrad_mlp.training.progress import Progress
from tinygrad_mlp.training.run import Callback, Run

__all__ = [
    "BestWeights",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "Progress",
    "ReduceOnPlateau",
    "Run",
    "Scheduled",
    "accuracy",
    "classes",
    "confusion",
    "evaluate",
    "fit",
    "predict",
    "r2",
]
