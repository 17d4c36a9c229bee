"""What other libraries call it: names that a tensor does not have, and what is written instead.

This file knows PyTorch's words for tensors. Names here are NumPy's, so each of these raises the
`AttributeError` that it would raise anyway, with the line to write in its place.
"""

from __future__ import annotations

from typing import Any

from tinygrad_mlp.errors import message
from tinygrad_mlp.origin import users_line

__all__ = ["INSTEAD", "Elsewhere"]

INSTEAD = {
    "add_": "t.data = t.data + value",
    "clamp": "t.clip(low, high)",
    "clone": "t.copy()",
    "contiguous": "nothing: arrays of any layout can be used",
    "copy_": "t.data = array",
    "cpu": "nothing: tensors are in the computer's own memory",
    "cuda": 'nothing; a step runs on a GPU with tg.compile(step, backend="jax")',
    "device": 'nothing; a step runs on a GPU with tg.compile(step, backend="jax")',
    "dim": "t.ndim",
    "div_": "t.data = t.data / value",
    "double": "t.astype(np.float64)",
    "expand": "np.broadcast_to(t, shape)",
    "float": "t.astype(np.float32)",
    "gather": "np.take_along_axis(t, indices, axis)",
    "half": "t.astype(np.float16)",
    "log_softmax": "F.log_softmax(t, axis=-1)",
    "long": "t.astype(np.int64)",
    "masked_fill": "np.where(mask, value, t)",
    "matmul": "t @ other",
    "mm": "t @ other",
    "mul_": "t.data = t.data * value",
    "norm": "np.linalg.norm(t)",
    "numel": "t.size",
    "permute": "t.transpose(axes)",
    "pow": "t**n",
    "requires_grad_": "t.requires_grad = True",
    "retain_grad": "nothing: after backward() every tensor on the way shows its grad",
    "softmax": "F.softmax(t, axis=-1)",
    "split": "np.split(t, parts)",
    "square": "np.square(t)",
    "sub_": "t.data = t.data - value",
    "t": "t.T",
    "to": "t.astype(dtype)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(shape)",
    "zero_": "t.data = np.zeros(t.shape)",
}
"""By PyTorch's name: what is written here."""


class Elsewhere:
    """An attribute that is not there, and says what is."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        if owner is None:
            return self
        instead = INSTEAD[self.name]
        raise AttributeError(
            message(
                f"a Tensor has no {self.name!r}",
                where=users_line(),
                why="methods have NumPy's names",
                fix=f"Write {instead}.",
            ),
            name=self.name,
            obj=owner,
        )
