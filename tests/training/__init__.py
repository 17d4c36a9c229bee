"""Tests of training: the loop, its history and its checkpoints."""
