"""What outlives a training step, and who may watch it being read and written.

A *cell* is a place whose content is carried from one step to the next: a tensor's data, a
gradient that accumulates, a number of an optimiser, a random generator. This file knows that
somebody may want to see such places touched, and nothing else. Without a watcher a read is a
plain attribute; the capture of a step (`program.capture`) is the one watcher that is shipped.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Watcher", "hyper", "watcher"]


class Watcher(Protocol):
    """Sees cells touched. A watcher that is not meant for this thread answers as if absent."""

    def read(self, owner: Any, slot: str) -> Any:
        """Return the content of a cell."""

    def wrote(self, owner: Any, slot: str) -> None:
        """Note that a cell is about to be written."""

    def phase(self, name: str) -> None:
        """Note that the step goes over to another part: forward, backward, update."""


watcher: Watcher | None = None


def hyper(owner: Any, name: str) -> Any:
    """The number ``owner.name``, read so that a compiled step does not freeze it.

    >>> class Optimiser: lr = 0.1
    >>> hyper(Optimiser(), "lr")
    0.1
    """
    return getattr(owner, name) if watcher is None else watcher.read(owner, name)
