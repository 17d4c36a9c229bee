"""Real data that comes with another package: handwritten digits.

This file knows where they are and how they are scaled. scikit-learn is imported only when they
are asked for; it is part of the extra ``[examples]``.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.errors import MissingExtraError, install
from tinygrad_mlp.ops import Array

__all__ = ["digits"]


def digits() -> tuple[Array, Array]:
    """1797 handwritten digits of 8 × 8 pixels: (1797, 64) from 0 to 1, and labels (1797,).

    Source: Alpaydin, Kaynak, "Optical recognition of handwritten digits" (1998), UCI Machine
    Learning Repository; the test set, as scikit-learn ships it.

    Raises:
        MissingExtraError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            "the digits come with scikit-learn, which is not installed",
            fix=install("examples"),
        ) from error
    X, Y = load_digits(return_X_y=True)
    return np.asarray(X, np.float64) / 16, np.asarray(Y)
