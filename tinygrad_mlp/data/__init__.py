"""Data: arrays that belong together, and batches of them.

This room knows samples, batches and orders. It does not know what is learned from them.
"""

from __future__ import annotations

from tinygrad_mlp.data.dataset import ArrayDataset
from tinygrad_mlp.data.loader import DataLoader

__all__ = ["ArrayDataset", "DataLoader"]
