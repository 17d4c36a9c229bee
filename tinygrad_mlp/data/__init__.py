"""Data: arrays that belong together, batches of them, and small sets to try things on.

This room knows samples, batches and orders. It does not know what is learned from them.
"""

from __future__ import annotations

from tinygrad_mlp.data.dataset import ArrayDataset, split
from tinygrad_mlp.data.generated import blobs, circles, moons, sine, spirals, sum_of_two, xor
from tinygrad_mlp.data.loader import DataLoader
from tinygrad_mlp.data.real import digits

__all__ = [
    "ArrayDataset",
    "DataLoader",
    "blobs",
    "circles",
    "digits",
    "moons",
    "sine",
    "spirals",
    "split",
    "sum_of_two",
    "xor",
]
