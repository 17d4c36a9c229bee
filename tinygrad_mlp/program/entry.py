"""The way in: `compile`, as a function and as a decorator.

This file knows what a user may ask for and how to say what is asked wrongly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.program.compiled import CompiledStep
from tinygrad_mlp.program.xla import import_jax

__all__ = ["BACKENDS", "compile_step"]

BACKENDS = ("auto", "numpy", "native", "jax")


def compile_step(
    step: Callable[..., Any] | None = None, *, backend: str = "auto", devices: Any = None
) -> Any:
    """Turn a training step into a program: the backpropagation you would write by hand.

    Args:
        step: A function of tensors that runs forward, backward and the update, and returns the
            loss (or a tuple of tensors). Without it, the result is a decorator.
        backend: What runs the program: ``"numpy"``, ``"native"`` (machine code; extra
            ``[native]``), ``"jax"`` (extra ``[jax]``), or ``"auto"``, which is NumPy.
        devices: With ``"jax"``, the devices that share each batch, or their number.

    Returns:
        A `CompiledStep`, which is called like `step`.

    >>> import numpy as np
    >>> from tinygrad_mlp import Tensor
    >>> w = Tensor([1.0], requires_grad=True, name="w")
    >>> @compile_step
    ... def step(x):
    ...     loss = ((x * w) ** 2).sum()
    ...     w.grad = None
    ...     loss.backward()
    ...     w.data = w.data - 0.1 * w.grad
    ...     return loss
    >>> [round(step(np.array([1.0])).item(), 4) for _ in range(3)]
    [1.0, 0.64, 0.4096]
    """
    if backend not in BACKENDS:
        raise UsageError(
            f"there is no backend {backend!r}", fix=f"Use one of {', '.join(BACKENDS)}."
        )
    if backend == "native":
        from tinygrad_mlp.program.native import import_llvm

        import_llvm()
    if backend == "jax":
        import_jax()
    elif devices is not None:
        raise UsageError("devices= with NumPy", fix='Use backend="jax" for several devices.')
    if step is None:
        return lambda function: CompiledStep(function, backend, devices)
    if not callable(step):
        raise UsageError(
            f"compile() takes a function, got {type(step).__name__}",
            fix="Write def step(x, y): … and compile(step).",
        )
    return CompiledStep(step, backend, devices)
