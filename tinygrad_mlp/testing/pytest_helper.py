"""One test for many ops: a helper for pytest, which is imported when it is used.

This file knows pytest's marks. It does not know what is tested.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mlp.errors import MissingExtraError, install
from tinygrad_mlp.ops import Op, differentiable_ops

__all__ = ["each_op"]


def each_op(*ops: Op) -> Any:
    """Run a test once for each op: those given, or all through which a gradient flows.

    The test takes an argument ``op``; `check_op` raises an `AssertionError` with its report::

        @tg.testing.each_op(softplus, swish)
        def test_my_ops(op):
            tg.testing.check_op(op)

    Raises:
        MissingExtraError: If pytest is not installed.
    """
    try:
        import pytest
    except ImportError as error:
        raise MissingExtraError(
            "each_op() needs pytest, which is not installed",
            fix=install("test"),
        ) from error
    return pytest.mark.parametrize(
        "op", list(ops) or list(differentiable_ops()), ids=lambda op: str(op.name)
    )
