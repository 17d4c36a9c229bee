"""Activations: functions of every entry, and softmax.

This file knows their names and formulas. What is a record is passed on as it is.
"""

from __future__ import annotations

import numpy as np

from tinygrad_mlp.ops import Array, relu, sigmoid, tanh

__all__ = [
    "elu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """``x`` where it is positive, ``slope · x`` elsewhere.

    Source: Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic models"
    (2013).

    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return np.where(x > 0, x, slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """``x`` where it is positive, ``alpha (exp(x) - 1)`` elsewhere.

    Source: Clevert, Unterthiner, Hochreiter, "Fast and accurate deep network learning by
    exponential linear units" (2016), equation 15.

    >>> elu(np.array([0.0, 2.0]))
    array([0., 2.])
    """
    return np.where(x > 0, x, alpha * (np.exp(np.where(x > 0, 0 * x, x)) - 1))


def silu(x: Array) -> Array:
    """``x σ(x)``, also called swish.

    Source: Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning" (2018), equation 5.

    >>> silu(np.array([0.0]))
    array([0.])
    """
    return x * sigmoid(x)


def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``, a smooth positive part.

    Source: Dugas, Bengio, Bélisle, Nadeau, Garcia, "Incorporating second-order functional
    knowledge for better option pricing" (2001), equation 3.

    >>> softplus(np.array([0.0, 1000.0])).round(4)
    array([6.931e-01, 1.000e+03])
    """
    return np.maximum(x, 0) - np.log(sigmoid(np.abs(x)))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """The logarithm of `softmax`, computed without leaving the range of the dtype.

    >>> log_softmax(np.array([0.0, 0.0, 1000.0])).tolist()
    [-1000.0, -1000.0, 0.0]
    """
    z = x - x.max(axis=axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def softmax(x: Array, axis: int = -1) -> Array:
    """``exp(x) / Σ exp(x)`` along an axis: positive, and adding up to 1.

    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs"
    (1990).

    >>> softmax(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
