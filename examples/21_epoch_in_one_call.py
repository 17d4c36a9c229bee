"""An epoch in one call: `scan` runs a compiled step over all batches, the weights inside.

The same network learns to add two numbers twice: eagerly, and a scan per epoch. The losses agree,
the time does not.
"""

import time

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

EPOCHS = 5
rng = np.random.default_rng(0)
X = rng.uniform(0.0, 0.5, (1_000, 1, 2))  # 1 000 batches of one sample
Y = X.sum(axis=2, keepdims=True)


def training():
    model = nn.MLP(num_inputs=2, hidden_layers=[5], num_outputs=1, rng=1)
    loss_fn, optimizer = nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


eager_model, eager = training()
began = time.perf_counter()
for _ in range(EPOCHS):
    eager_losses = [eager(tg.Tensor(x), tg.Tensor(y)).item() for x, y in zip(X, Y, strict=True)]
eager_time = time.perf_counter() - began

model, step = training()
compiled = tg.compile(step)
began = time.perf_counter()
for epoch in range(EPOCHS):
    losses = compiled.scan(X, Y)
    print(f"Error: {losses.data.mean():.6f} at epoch {epoch + 1}")
scan_time = time.perf_counter() - began

print(
    f"eager {eager_time:.2f} s, scan {scan_time:.3f} s: {eager_time / scan_time:.0f} times faster"
)
print(f"Our network believes that 0.3 + 0.1 is equal to {model([0.3, 0.1]).item():.4f}")
assert np.allclose(losses.data, eager_losses, rtol=1e-9)
