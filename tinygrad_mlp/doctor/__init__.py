"""The gradient doctor: why a gradient is what it is, and what will go wrong.

This room looks in from the side. `why` explains one tensor's gradient, `preflight` a model
before it is trained, `detect_anomaly` stops where a value is no finite number. It knows tensors,
layers, losses and optimisers; nothing knows it. (The warnings of training are in `alarms`.)
"""

from __future__ import annotations

from tinygrad_mlp.doctor.anomaly import detect_anomaly
from tinygrad_mlp.doctor.preflight import preflight
from tinygrad_mlp.doctor.report import CODES, Finding, Report
from tinygrad_mlp.doctor.verdict import Factor, Why
from tinygrad_mlp.doctor.why import why

__all__ = [
    "CODES",
    "Factor",
    "Finding",
    "Report",
    "Why",
    "detect_anomaly",
    "preflight",
    "why",
]
