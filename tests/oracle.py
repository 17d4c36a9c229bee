"""A second opinion: scalars that carry all their derivatives forward. Slow, naive, independent.

Nothing of the package is imported. A `Number` is a value together with, for every leaf that it
depends on, the derivative by that leaf and the sum of the absolute contributions of all paths
to it. There is no graph and no backward pass: each operation applies the chain rule at once,
to everything. Arrays of Numbers are NumPy object arrays, and NumPy does the broadcasting.
"""

from __future__ import annotations

import math

import numpy as np


class Number:
    """A value, and how it moves with every leaf."""

    def __init__(self, value, slopes=None, paths=None):
        self.value = value
        self.slopes = slopes or {}
        self.paths = paths or {}

    @classmethod
    def leaf(cls, value, key):
        return cls(value, {key: 1.0}, {key: 1.0})


def chain(value, *parts):
    """The chain rule: ``parts`` are pairs of an operand and the local derivative by it."""
    slopes, paths = {}, {}
    for operand, local in parts:
        for key, slope in operand.slopes.items():
            slopes[key] = slopes.get(key, 0.0) + local * slope
            paths[key] = paths.get(key, 0.0) + abs(local) * operand.paths[key]
    return Number(value, slopes, paths)


# ------------------------------------------------------------------ one number at a time


def add(a, b):
    return chain(a.value + b.value, (a, 1.0), (b, 1.0))


def sub(a, b):
    return chain(a.value - b.value, (a, 1.0), (b, -1.0))


def mul(a, b):
    return chain(a.value * b.value, (a, b.value), (b, a.value))


def div(a, b):
    return chain(a.value / b.value, (a, 1 / b.value), (b, -a.value / b.value**2))


def scale(a, factor):
    return chain(a.value * factor, (a, factor))


def shift(a, term):
    return chain(a.value + term, (a, 1.0))


def square(a):
    return chain(a.value**2, (a, 2 * a.value))


def exp(a):
    return chain(math.exp(a.value), (a, math.exp(a.value)))


def sin(a):
    return chain(math.sin(a.value), (a, math.cos(a.value)))


def cos(a):
    return chain(math.cos(a.value), (a, -math.sin(a.value)))


def tanh(a):
    return chain(math.tanh(a.value), (a, 1 / math.cosh(a.value) ** 2))


def sigmoid(a):
    y = 1 / (1 + math.exp(-a.value))
    return chain(y, (a, y / (1 + math.exp(a.value))))


def relu(a):
    return chain(max(a.value, 0.0), (a, 1.0 if a.value > 0 else 0.0))


def absolute(a):
    return chain(abs(a.value), (a, float(np.sign(a.value))))


def maximum(a, b):
    share = 0.5 if a.value == b.value else float(a.value > b.value)
    return chain(max(a.value, b.value), (a, share), (b, 1 - share))


# ------------------------------------------------------------------ arrays of them


def leaves(array, name):
    """An array of leaves, each with a key of its own."""
    out = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        out[index] = Number.leaf(float(array[index]), (name, index))
    return out


def each(function, *operands):
    """Apply a function of numbers to arrays of them; NumPy broadcasts."""
    whole = np.broadcast(*operands)
    out = np.empty(whole.shape, object)
    out.reshape(-1)[:] = [function(*numbers) for numbers in whole]
    return out


def total(array, axis=None):
    """The sum over an axis, or over all."""
    moved = array.reshape(-1) if axis is None else np.moveaxis(array, axis, 0)
    result = np.asarray(moved[0, ...])
    for part in moved[1:]:
        result = each(add, result, np.asarray(part))
    return result


def matmul(a, b):
    """Rows times columns."""
    products = each(mul, a[..., :, :, None], b[..., None, :, :])
    return total(products, -2)


def values(array):
    """The plain numbers."""
    out = np.array([number.value for number in array.reshape(-1)], dtype=float)
    return out.reshape(array.shape)


def gradient(number, array, name):
    """The slopes of one number by an array of leaves, and the sums over paths."""
    slopes, paths = np.zeros(array.shape), np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        slopes[index] = number.slopes.get((name, index), 0.0)
        paths[index] = number.paths.get((name, index), 0.0)
    return slopes, paths
