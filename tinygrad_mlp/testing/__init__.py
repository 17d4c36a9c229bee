"""Is this gradient right? Checks for functions, for ops and for whole models.

This room looks in from the side: it runs tensors and records forward and backward, nudges their
inputs and compares. Nothing else of the package knows it. hypothesis is imported when inputs
have to be drawn, and not before.

`gradcheck` checks a function at a point, to any order. `check_op` draws inputs from an op's
domain, finds the smallest ones that fail and names the class of the bug. `nudge` shows what a
derivative *is*: how far an output moves when an input is moved. `strategies` draws shapes,
tensors, graphs and stacks of layers for tests of your own, and `each_op` runs such a test once
for each op.
"""

from __future__ import annotations

from tinygrad_mlp.testing import strategies
from tinygrad_mlp.testing.bugs import Bug
from tinygrad_mlp.testing.check import OpReport, check_op
from tinygrad_mlp.testing.comparison import Mismatch
from tinygrad_mlp.testing.gradients import GradientReport, gradcheck
from tinygrad_mlp.testing.nudging import Nudge, NudgeReport, nudge
from tinygrad_mlp.testing.pytest_helper import each_op
from tinygrad_mlp.testing.stages import Finding

__all__ = [
    "Bug",
    "Finding",
    "GradientReport",
    "Mismatch",
    "Nudge",
    "NudgeReport",
    "OpReport",
    "check_op",
    "each_op",
    "gradcheck",
    "nudge",
    "strategies",
]
