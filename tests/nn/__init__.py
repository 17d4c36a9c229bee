"""Tests of nn: layers, losses and stacks."""
