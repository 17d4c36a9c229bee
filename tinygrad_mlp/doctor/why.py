"""``why``: the question what is the matter with a gradient, and who answers it.

This file knows which question to ask: it looks at the gradient, finds the loss it came from,
and hands over to `absent` (there is none) or to `flow` (there is one).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mlp.doctor.absent import absent
from tinygrad_mlp.doctor.flow import HUGE, TINY, Flow
from tinygrad_mlp.doctor.living import Living
from tinygrad_mlp.doctor.nonfinite import plain
from tinygrad_mlp.doctor.verdict import Why
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.graph import ancestors, names, title
from tinygrad_mlp.tensor import Tensor

__all__ = ["why"]


def why(t: Any, loss: Any = None) -> Why:
    """Explain a tensor's gradient: where it was lost, spoilt or blown up.

    Args:
        t: The tensor whose ``.grad`` is in question.
        loss: The loss that it should depend on; by default the one in memory whose backward
            pass reached it, or else the latest.

    Returns:
        An answer that prints; ``verdict`` (``none``, ``zero``, ``nan``, ``inf``, ``huge``,
        ``tiny``, ``fine``) and ``cause`` are for programs, ``path`` and ``factors`` say
        what the gradient went through.

    Raises:
        UsageError: If `t` is no tensor.

    >>> import tinygrad_mlp as tg
    >>> w = tg.Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> h = w * 3
    >>> loss = (h.detach() ** 2).sum()
    >>> why(w).cause
    'detach'
    >>> dead = tg.functional.relu(-abs(w)).sum()
    >>> dead.backward()
    >>> why(w).verdict, why(w).cause
    ('zero', 'dead-relu')
    """
    if not isinstance(t, Tensor) or not (loss is None or isinstance(loss, Tensor)):
        wrong = loss if isinstance(t, Tensor) else t
        raise UsageError(
            f"why() of {type(wrong).__name__}",
            why="only tensors know where they came from",
            fix="Write why(w), with the tensor itself and not its gradient.",
        )
    living = Living()
    root = loss if loss is not None else living.root(t)
    name = title(t) or _path(t, living) or "this tensor"
    if t.grad is None:
        return absent(t, loss, living, _path(t, living) or name)
    grad = plain(t.grad)
    verdict, largest = judged(grad)
    if root is None or root is t or not root.requires_grad or not _reaches(root, t):
        return _alone(t, name, verdict, largest)
    flow = Flow(root, t)
    if verdict in {"nan", "inf"}:
        return flow.not_finite(verdict)
    if verdict == "zero":
        return flow.zero()
    return flow.sized(verdict, largest) if verdict != "fine" else flow.fine(largest)


def judged(grad: Any) -> tuple[str, float]:
    """One word for a gradient, and the size of its largest entry."""
    if not grad.size:
        return "fine", 0.0
    largest = float(np.abs(grad).max())
    if math.isnan(largest):
        return "nan", largest
    if math.isinf(largest):
        return "inf", largest
    if largest == 0:
        return "zero", largest
    return ("huge" if largest > HUGE else "tiny" if largest < TINY else "fine"), largest


def _reaches(root: Tensor, t: Tensor) -> bool:
    return any(node is t for node in ancestors(root))


def _path(t: Tensor, living: Living) -> str | None:
    """The path of a parameter in the model that it took part in."""
    users = living.users.get(t.birth, [])
    return names([t, *users])[t.birth] if users and not t.name else None


def _alone(t: Tensor, name: str, verdict: str, largest: float) -> Why:
    """What can be said of a gradient whose graph is gone."""
    what = f"the gradient of {name!r} is {verdict if verdict != 'fine' else 'as it should be'}"
    what += "" if verdict in {"nan", "inf", "zero"} else f", its largest entry {largest:.3g}"
    return Why(
        t, name, verdict, "graph-gone" if verdict != "fine" else "fine", what,
        why="" if verdict == "fine" else "the graph that it came from is gone",
        fix="" if verdict == "fine" else "Keep the loss, and backward() without keep_graph=False.",
    )  # fmt: skip
