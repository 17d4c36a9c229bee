"""Read your own backprop: the training step of a network of yours, written out as NumPy.

Change the layers, the loss or the optimiser, and read again. The function that is printed stands
alone: it is saved to a file, imported from there without this package, and gives the same numbers.
"""

import importlib.util
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1))
loss_fn = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


@tg.compile
def step(x, y):
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


rng = np.random.default_rng(0)
x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
for _ in range(2):  # two recordings, which are compared
    step(x, y)
print(step.source)

# -- the saved file, on its own --------------------------------------------------------------

step.save("backprop.py")
spec = importlib.util.spec_from_file_location("backprop", Path("backprop.py"))
backprop = importlib.util.module_from_spec(spec)
spec.loader.exec_module(backprop)

weights = [p.data.copy() for p in model.parameters()]
momenta = [state["momentum_buffer"].data.copy() for state in optimizer.groups[0].state]
loss, (new_weight, *_) = backprop.step(x, y, *weights, *momenta, momentum=0.9, lr=0.1)
same = step(x, y)

print(f"loss by the saved file: {loss:.15f}")
print(f"loss by the package:    {same.item():.15f}")
assert np.isclose(loss, same.item(), rtol=1e-14)
assert np.allclose(new_weight, model[0].weight.data, rtol=0, atol=1e-14)
