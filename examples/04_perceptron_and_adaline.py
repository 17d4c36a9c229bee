"""Perceptron and Adaline: one linear unit, gradient descent on the sum of squared errors.

Both learn weights w by w += eta * Xᵀ (y - X w); the class is on which side of 0 the output lies.
For clouds that a line can part, that is enough. For two half moons it is not.
"""

import numpy as np

from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import accuracy


class Adaline(nn.Module):
    """One linear unit; `bias=True` gives it an input that is fixed at 1."""

    def __init__(self, inputs, bias=True):
        self.linear = nn.Linear(inputs, 1, bias=bias, init=nn.init.zeros())

    def forward(self, x):
        return self.linear(x)


def train(X, labels, eta, epochs):
    """Full-batch gradient descent; targets are -1 and 1."""
    model, y = Adaline(X.shape[1]), np.where(labels == 1, 1.0, -1.0).reshape(-1, 1)
    optimizer = optim.SGD(model.parameters(), lr=eta)
    for epoch in range(epochs):
        loss = 0.5 * ((model(X) - y) ** 2).sum()  # its negative slope is Xᵀ (y - X w)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % (epochs // 4) == 0:
            print(f"  epoch {epoch:3}: sum of squared errors {2 * loss.item():9.3f}")
    return model


for name, (X, labels) in {
    "two clouds": data.blobs(500, centres=2, spread=0.3, rng=0),
    "two half moons": data.moons(500, noise=0.1, rng=0),
}.items():
    print(name)
    model = train(X, labels, eta=0.001, epochs=100)
    right = accuracy(model(X), labels, threshold=0)
    w, b = model.linear.weight.data[0], model.linear.bias.data[0]
    print(f"  w = {w.round(3)}, b = {b:.3f}; {right:.1%} of the points are on the right side\n")
    # No step can end elsewhere than at the least-squares solution:
    best = np.linalg.lstsq(np.c_[X, np.ones(len(X))], np.where(labels == 1, 1.0, -1.0))[0]
    assert np.allclose([*w, b], best, atol=1e-3)
