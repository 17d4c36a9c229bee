"""Who may watch a step run: what it reads and writes, records and undoes.

A *cell* is a place whose content is carried from one step to the next: a tensor's data, a
gradient that accumulates, a number of an optimiser, a random generator. This file knows that
somebody may want to see such places touched, and ops applied, and nothing else. Two such
watchers are shipped: the capture of a step (`program.capture`) and `detect_anomaly`.

A watcher sees what happens in the thread in which it began to watch, and of several only the
innermost sees it. While nobody watches anywhere, all that the engine pays is a look at `watched`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["Watcher", "capturing", "hyper", "mine", "watch", "watched"]


class Watcher:
    """Sees a step run. This one lets everything pass: it stands where nobody watches."""

    captures: ClassVar[bool] = False
    """Whether arrays are being replaced, so that nobody should look at their numbers."""

    def read(self, owner: Any, slot: str, held: Any) -> Any:
        """Return the content of a cell that holds `held`."""
        return held

    def wrote(self, owner: Any, slot: str) -> None:
        """Note that a cell is about to be written."""

    def phase(self, name: str) -> None:
        """Note that the step goes over to another part: forward, backward, update."""

    def apply(self, op: Any, inputs: tuple[Any, ...], values: list[Any], attrs: Any) -> Any:
        """Compute an op that is being recorded; `values` are what its inputs hold."""
        return op.apply(values, attrs)

    def recorded(self, node: Any, op: Any, inputs: tuple[Any, ...]) -> None:
        """Note the tensor that came out."""

    def pulling(self, pullback: Callable[..., Any]) -> Callable[..., Any]:
        """Return what a backward pass is to call in the place of `pullback`."""
        return pullback


watched = 0
"""How many watchers there are, in all threads."""

_counting = threading.Lock()


class _Mine(threading.local):
    def __init__(self) -> None:
        self.watchers = [Watcher()]


_here = _Mine()


def watch(watcher: Watcher) -> Callable[[], None]:
    """Let a watcher see what happens in this thread.

    Returns:
        A function that ends it. Watchers may end in any order, and in any thread.
    """
    global watched  # noqa: PLW0603 - one look at one number is all that the engine can afford
    watchers = _here.watchers
    watchers.append(watcher)
    with _counting:
        watched += 1

    def end() -> None:
        global watched  # noqa: PLW0603
        last = max(i for i, w in enumerate(watchers) if w is watcher)
        del watchers[last]
        with _counting:
            watched -= 1

    return end


def mine() -> Watcher:
    """Whoever watches this thread; a `Watcher` that does nothing if it is nobody."""
    return _here.watchers[-1]


def capturing() -> bool:
    """Whether this thread runs a step that is being captured."""
    return watched > 0 and mine().captures


def hyper(owner: Any, name: str) -> Any:
    """The number ``owner.name``, read so that a compiled step does not freeze it.

    >>> class Optimiser: lr = 0.1
    >>> hyper(Optimiser(), "lr")
    0.1
    """
    held = getattr(owner, name)
    return mine().read(owner, name, held) if watched else held
