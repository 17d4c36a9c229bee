"""The tests. Their folders mirror the package: tests/nn/test_linear.py tests nn/linear.py."""
