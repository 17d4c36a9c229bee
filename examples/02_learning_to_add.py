"""A network learns that a + b is a + b: forward, backward and update, written as a loop.

2 inputs, 5 hidden neurons, 1 output, sigmoids, no biases, one sample at a time. No derivative
is written down here: `backward()` finds them all. `tg.fit` is the same loop with a progress bar.
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim

EPOCHS = 50
rng = np.random.default_rng(1)
inputs, targets = data.sum_of_two(1000, high=0.5, rng=rng)
model = nn.MLP(2, [5], 1, bias=False, init=nn.init.uniform(0, 1), rng=rng)
optimizer = optim.SGD(model.parameters(), lr=0.1)


def step(x, t):
    """One sample: the loss is half the squared error, so that its slope is just o - t."""
    error = model(x) - t
    loss = 0.5 * (error * error).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


step = tg.compile(step)  # optional: the same numbers, as generated NumPy code

for epoch in range(1, EPOCHS + 1):
    total = 0.0
    for x, t in zip(inputs, targets, strict=True):
        total += 2 * step(x, t).item()
    if epoch in {1, 3, 10, 26} or epoch == EPOCHS:
        print(f"Error: {total / len(inputs):.4f} at epoch {epoch}")

a, b = 0.3, 0.1
belief = model([a, b]).item()
print(f"\nOur network believes that {a} + {b} is equal to {belief:.4f}")
assert abs(belief - 0.4) < 0.02
