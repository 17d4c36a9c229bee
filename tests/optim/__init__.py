"""Tests of optim: optimisers and schedules."""
