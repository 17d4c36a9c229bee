"""What goes wrong, as a tree of exceptions whose messages teach.

This file knows how a message is put together and which built-in exception each mistake
also is. It knows nothing about tensors, ops or modules: the room that finds a mistake
hands over the facts.

Every message answers four questions, in this order::

    what   what happened, with the op, the tensor's name and the shapes
    where  the user's own file and line, and the module path
    why    one clause of mathematics
    fix    a line to paste

The tree::

    TinygradError (Exception)
    ├── ShapeError (ValueError)          shapes that do not fit together
    ├── DTypeError (TypeError)           a dtype that cannot do what is asked
    ├── UsageError (TypeError)           a call that means something else than was written
    ├── UnsupportedError (TypeError)     a NumPy function, option or type without a rule
    ├── IndexingError (IndexError)       an index outside a tensor
    ├── GraphError (RuntimeError)        the graph cannot be run backward
    │   └── InPlaceError                 a value was overwritten after it was used
    ├── GradientError (ValueError)       a rule returned something that is no gradient
    │   └── GradientMismatchError        a gradient check failed (AssertionError too)
    ├── AnomalyError (FloatingPointError) a value or gradient that is no finite number
    ├── CaptureError (RuntimeError)      a training step that cannot become a program
    ├── StateError (ValueError)          a state_dict or file that does not fit
    ├── DataError (ValueError)           data that a model cannot be trained on
    └── MissingExtraError (ImportError)  an optional dependency that is not installed

    TrainingWarning (UserWarning)        something that makes training wrong in silence
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

__all__ = [
    "AnomalyError",
    "CaptureError",
    "DTypeError",
    "DataError",
    "GradientError",
    "GradientMismatchError",
    "GraphError",
    "InPlaceError",
    "IndexingError",
    "MissingExtraError",
    "ShapeError",
    "StateError",
    "TinygradError",
    "TrainingWarning",
    "UnsupportedError",
    "UsageError",
    "aligned",
    "install",
    "message",
]


def message(what: str, *, where: str = "", why: str = "", fix: str = "") -> str:
    """Join the four parts into the one text that the user reads.

    >>> message("Linear takes 3 features, got 2", where="train.py:7", fix="Use x[:, :3].")
    'Linear takes 3 features, got 2 (train.py:7). Use x[:, :3].'
    """
    head, newline, rest = what.partition("\n")
    if where:
        head = f"{head.removesuffix(':')} ({where}){':' * head.endswith(':')}"
    head += newline + rest
    if why:
        head = f"{head}: {why}"
    if head[-1] not in ".?!\n":
        head += "."
    space = "" if head[-1] == "\n" or fix[:1] == "\n" else " "
    return f"{head}{space}{fix}" if fix else head


def aligned(shapes: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    """Shapes under each other, from the right, with a mark under the axes that do not fit.

    >>> print(aligned([("x", (3,)), ("w", (2, 4))]))
    x     3
    w  2  4
          ^
    """
    depth = max(len(shape) for _, shape in shapes)
    rows = [(name, [""] * (depth - len(shape)) + [str(n) for n in shape]) for name, shape in shapes]
    columns = list(zip(*(row for _, row in rows), strict=True))
    marks = [
        "^" if len({n for n in column if n not in {"", "1"}}) > 1 else "" for column in columns
    ]
    widths = [max(len(n) for n in column) for column in columns]
    title = max(len(name) for name, _ in rows)
    return "\n".join(
        "  ".join(
            [f"{name:<{title}}", *(f"{n:>{width}}" for n, width in zip(row, widths, strict=True))]
        ).rstrip()
        for name, row in [*rows, ("", marks)]
    )


locate: Callable[[], str] = str
"""Finds the user's line, ``train.py:7``; the room that knows frames puts itself here."""

called: Callable[[Any], str] = "".format
"""What the user calls a value, ``'w'``; the room that knows names puts itself here."""


class TinygradError(Exception):
    """The root of the tree: what, where, why and fix are attributes too.

    Where nothing is said of the place, it is the user's line that is running.
    """

    failed: tuple[Any, tuple[Any, ...]] | None = None
    """The op that could not be applied and what it was handed, if it was an op."""

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        where = where or locate()
        if any(where in part for part in (what, why, fix)):
            where = ""  # it has been said
        self.what, self.where, self.why, self.fix = what, where, why, fix
        super().__init__(message(what, where=where, why=why, fix=fix))


class ShapeError(TinygradError, ValueError):
    """Shapes that do not fit together."""

    compared: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    """The shapes of a prediction and its target, if it was a loss that refused them."""


class DTypeError(TinygradError, TypeError):
    """A dtype that cannot do what is asked of it."""


class UsageError(TinygradError, TypeError):
    """A call that means something else than what was written."""


class UnsupportedError(TinygradError, TypeError):
    """A NumPy function, option or type for which there is no rule."""


class IndexingError(TinygradError, IndexError):
    """An index outside a tensor."""


class GraphError(TinygradError, RuntimeError):
    """A graph that cannot be run backward."""


class InPlaceError(GraphError):
    """A value was overwritten after an op had read it."""


class GradientError(TinygradError, ValueError):
    """A rule returned something that cannot be the gradient of its input."""

    gradient: Any = None
    """What the rule returned."""


class GradientMismatchError(GradientError, AssertionError):
    """A gradient check found a gradient that is not the one measured; its report is attached."""

    report: Any = None


class AnomalyError(TinygradError, FloatingPointError):
    """A value or a gradient is infinite or no number; `detect_anomaly` looks for them.

    Attributes:
        index: Where in the array.
        inputs: What the op was given: its arrays.
        backward: Whether it was in the backward pass.
    """

    index: tuple[int, ...] = ()
    inputs: tuple[Any, ...] = ()
    backward: bool = False


class CaptureError(TinygradError, RuntimeError):
    """A training step that cannot become a program without changing its meaning."""


class StateError(TinygradError, ValueError):
    """A state_dict or a file that does not fit the model."""


class DataError(TinygradError, ValueError):
    """Data that a model cannot be trained on."""


class MissingExtraError(TinygradError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


def install(extra: str) -> str:
    """The command that installs an extra for the Python that is running.

    >>> "-m pip install" in install("jax"), "[jax]" in install("jax")
    (True, True)
    """
    from pathlib import Path  # 4 ms that only an error needs

    root = Path(__file__).parent.parent
    checkout = (root / "pyproject.toml").is_file()  # then there may be no other source of it
    what = f'-e "{root}[{extra}]"' if checkout else f'"tinygrad-mlp[{extra}]"'
    return f"{sys.executable} -m pip install {what}"


class TrainingWarning(UserWarning):
    """Something that would make training wrong in silence."""
