"""A single neuron, three inputs, six samples: 10 000 steps, and the numbers that must come out.

The update w += Xᵀ ((t - o) o (1 - o)) is one step of gradient descent with learning rate 1 on
half the sum of squared errors. Nobody has to know that: the loss is written, the rest follows.
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

X = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], float)
t = np.array([[0, 0, 1, 0, 1, 1]], float).T

np.random.seed(42)
neuron = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Sigmoid())
neuron[0].weight.data = (2 * np.random.random((3, 1)) - 1).T
print("weights before:", neuron[0].weight.data[0])
optimizer = optim.SGD(neuron.parameters(), lr=1)


@tg.compile
def step(x, target):
    loss = 0.5 * ((target - neuron(x)) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


for _ in range(10_000):
    step(X, t)

weights = neuron[0].weight.data[0]
print("weights after: ", weights)
for sample in ([1, 0, 0], [0, 1, 1]):
    print(f"output for {sample}: {neuron(sample).item():.8f}")

assert np.allclose(weights, [-4.21652261, 12.79677774, -4.21664048], rtol=0, atol=5e-9)
assert f"{neuron([1, 0, 0]).item():.8f}" == "0.01453545"
assert f"{neuron([0, 1, 1]).item():.8f}" == "0.99981224"
