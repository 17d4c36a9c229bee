"""The gradient doctor: why a gradient is what it is, and what will go wrong.

This room looks in from the side. `why` explains one tensor's gradient, `preflight` a model
before it is trained, `detect_anomaly` stops where a value is no finite number. It knows tensors,
layers, losses and optimisers; nothing knows it. (The warnings of training are in `alarms`.)
"""

from __future__ import annotations

from tinygrad_mlp.doctor.anomaly import detect_anomaly

__all__ = ["detect_anomaly"]
