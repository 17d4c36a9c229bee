"""What every op computes, said a second time and independently, in plain NumPy.

No name of the package is used here but the marks in the keys of getitem. A record without an
entry fails the suite (test_registry.py).
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.ops.shaping import numpy_key


def _sigmoid(x):
    x = np.asarray(x, dtype=np.result_type(x, np.float32) if x.dtype.kind == "f" else float)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


def _scatter(g, *arrays, key, shape):
    places = np.arange(int(np.prod(shape))).reshape(shape)[numpy_key(key, arrays)]
    out = np.zeros(int(np.prod(shape)), g.dtype)
    for place, entry in zip(places.ravel(), g.ravel(), strict=True):
        out[place] += entry
    return out.reshape(shape)


def _sum_to(x, shape):
    while x.ndim > len(shape):
        x = x.sum(0)
    for i, n in enumerate(shape):
        if n == 1 != x.shape[i]:
            x = x.sum(i, keepdims=True)
    return x


def _matmul(a, b):
    """Rows times columns, added up one by one."""
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    y = (left[..., :, :, None] * right[..., None, :, :]).sum(-2, dtype=np.result_type(a, b))
    if a.ndim == 1:
        y = y[..., 0, :]
    return y[..., 0] if b.ndim == 1 else y


def _linear(x, weight, *bias):
    z = (x[..., None, :] * weight).sum(-1, dtype=np.result_type(x, weight))
    return z + bias[0] if bias else z


REFERENCES = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda x: -x,
    "positive": lambda x: +x,
    "power": lambda a, b: a**b,
    "constant_power": lambda x, n: x**n,
    "sign": lambda x: (x > 0) * 1.0 - (x < 0) * 1.0,
    "abs": lambda x: np.where(x < 0, 0 - x, x),
    "cast": lambda x, dtype: x.astype(dtype),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "mse": lambda p, t: np.mean((p - t) ** 2),
    "reshape": lambda x, shape: np.array(x.ravel().tolist(), x.dtype).reshape(shape),
    "transpose": lambda x, axes: np.moveaxis(x, axes, range(x.ndim)),
    "matrix_transpose": lambda x: np.swapaxes(x, -1, -2),
    "broadcast_to": lambda x, shape: np.zeros(shape, x.dtype) + x,
    "sum_to": _sum_to,
    "getitem": lambda x, *arrays, key: x[numpy_key(key, arrays)],
    "scatter": _scatter,
    "concatenate": lambda *xs, axis: np.concatenate(xs, axis),
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "matmul": _matmul,
    "dot": _matmul,
    "linear": _linear,
    "sum": lambda x, axis, keepdims: np.sum(x, axis, keepdims=keepdims),
    "mean": lambda x, axis, keepdims: np.mean(x, axis, keepdims=keepdims),
    "max": lambda x, axis, keepdims: np.max(x, axis, keepdims=keepdims),
    "min": lambda x, axis, keepdims: np.min(x, axis, keepdims=keepdims),
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "logical_and": lambda a, b: (a != 0) & (b != 0),
    "logical_or": lambda a, b: (a != 0) | (b != 0),
    "logical_xor": lambda a, b: (a != 0) ^ (b != 0),
    "logical_not": lambda x: x == 0,
    "where": lambda c, a, b: np.choose(c, [b, a]),
    "maximum": lambda a, b: np.where(np.isnan(a) | (a > b), a, b),
    "minimum": lambda a, b: np.where(np.isnan(a) | (a < b), a, b),
    "relu": lambda x: np.where(x < 0, 0, x),
}
