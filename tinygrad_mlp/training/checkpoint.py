"""Checkpoints: a training in a file, so that an interrupted one can go on as if nothing was.

This file knows everything that decides how a training goes on: weights and buffers, the
optimiser's state, the counts, the history, what callbacks remember, and the state of every
random generator: the loader's as its epoch began and as it is now, and those of the modules.
It does not know how a file is written safely; `serialization` does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mlp.errors import StateError
from tinygrad_mlp.ops import Array
from tinygrad_mlp.serialization import load_with_metadata, save
from tinygrad_mlp.training.run import Callback, Run

__all__ = ["Checkpoint"]

FORMAT = "1"


class Checkpoint(Callback):
    """Saves a training every so many steps, and lets it go on from there.

    Args:
        path: Ends in ``.npz`` or ``.safetensors``; replaced in one step at every save.
        every: How many steps lie between two saves. The end is saved too.
        resume: Go on from the file, if there is one.

    The resumed training ends bit for bit as one that was never interrupted, if the script makes
    model, optimiser, data and generators as it did the first time.

    Raises:
        StateError: If the file does not belong to this training.
    """

    def __init__(
        self, path: str | os.PathLike[str], every: int = 100, *, resume: bool = False
    ) -> None:
        self.path, self.every, self.resume = Path(path), every, resume

    def begin(self, run: Run) -> None:
        """Go on from the file."""
        if self.resume and self.path.exists():
            arrays, notes = load_with_metadata(self.path)
            _restore(run, self.path, arrays, notes)

    def after(self, run: Run) -> None:
        """Save every so many steps."""
        if run.step % self.every == 0:
            self.save(run)

    def epoch(self, run: Run) -> None:
        """Save what is finished."""
        if run.stopped or run.epoch == run.epochs:
            self.save(run)

    def save(self, run: Run) -> None:
        """Save now."""
        arrays: dict[str, Array] = {}
        tree = _pack(_contents(run), "", arrays)
        save(arrays, self.path, metadata={"checkpoint": FORMAT, "tree": json.dumps(tree)})


def _contents(run: Run) -> dict[str, Any]:
    optimizer = run.optimizer.state_dict()
    return {
        "model": run.model.state_dict(),
        "optimizer": {
            "state": {str(i): state for i, state in optimizer["state"].items()},
            "param_groups": optimizer["param_groups"],
        },
        "counts": {
            name: getattr(run, name)
            for name in ("epoch", "batch", "step", "total", "samples", "stopped")
        },
        "batch_size": run.loader.batch_size,
        "history": run.history.to_dict(),
        "callbacks": [callback.state() for callback in _remembering(run)],
        "order": run.order_state,
        "generators": {name: g.bit_generator.state for name, g in _generators(run)},
    }


def _restore(run: Run, path: Path, arrays: dict[str, Array], notes: dict[str, str]) -> None:
    """Put a training back into the state that a file holds, or say why it does not fit."""
    if notes.get("checkpoint") != FORMAT:
        raise StateError(f"{path} is no checkpoint", fix="Load it with tg.load(path).")
    found = _unpack(json.loads(notes["tree"]), arrays)
    generators = dict(_generators(run))
    listeners = _remembering(run)
    kinds = [len(found["callbacks"]), sorted(found["generators"]), found["batch_size"]]
    mine = [len(listeners), sorted(generators), run.loader.batch_size]
    if kinds != mine:
        raise StateError(
            f"{path} belongs to another training",
            why=f"callbacks, generators and batch size were {kinds}, and are {mine}",
            fix="Make everything as it was, or pass resume=False.",
        )
    optimizer = found["optimizer"]
    optimizer["state"] = {int(i): state for i, state in optimizer["state"].items()}
    before = run.model.state_dict()
    run.model.load_state_dict(found["model"])
    try:
        run.optimizer.load_state_dict(optimizer)
    except StateError:
        run.model.load_state_dict(before)
        raise
    for name, value in found["counts"].items():
        setattr(run, name, value)
    run.history.columns = found["history"]
    run.numbers = {name: values[-1] for name, values in found["history"].items() if values}
    for callback, state in zip(listeners, found["callbacks"], strict=True):
        callback.restore(state)
    states = found["generators"]

    def now() -> None:
        for name, generator in generators.items():
            generator.bit_generator.state = states[name]

    now()
    if run.batch:  # draw the order of this epoch again, then let every generator be as it was
        run.order_state = found["order"]
        run.loader.rng.bit_generator.state = found["order"]
        run.after_order = now


def _remembering(run: Run) -> list[Callback]:
    """The callbacks that have something to remember."""
    return [callback for callback in run.callbacks if callback.state()]


def _generators(run: Run) -> Iterator[tuple[str, np.random.Generator]]:
    """Every generator of a training, by name: the loader's and those of the modules."""
    yield "loader", run.loader.rng
    for path, module in run.model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, np.random.Generator):
                yield f"{path}.{name}", value


# -- trees of numbers, texts and arrays as JSON and arrays by name ---------------------------


def _pack(item: Any, path: str, arrays: dict[str, Array]) -> Any:
    """`item` as what JSON can hold; arrays are taken out and replaced by their names."""
    if isinstance(item, Mapping):
        return {
            str(key): _pack(value, f"{path}/{key}" if path else str(key), arrays)
            for key, value in item.items()
        }
    if isinstance(item, list | tuple):
        return [_pack(value, f"{path}/{i}", arrays) for i, value in enumerate(item)]
    if isinstance(item, np.ndarray):
        arrays[path] = item
        return {"array": path}
    return item.item() if isinstance(item, np.generic) else item


def _unpack(item: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(item, dict):
        if item.keys() == {"array"} and item["array"] in arrays:
            return arrays[item["array"]]
        return {key: _unpack(value, arrays) for key, value in item.items()}
    return [_unpack(value, arrays) for value in item] if isinstance(item, list) else item
