"""Machine code: the same step with NumPy and through LLVM, and what LLVM reads.

A network with two hidden layers learns a smooth function of eight numbers. The losses agree, the
time does not. LLVM is needed: `pip install -e ".[native]"`, in the folder of the project.
"""

import time

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

STEPS = 500
rng = np.random.default_rng(0)
X = rng.uniform(-1.0, 1.0, (STEPS, 32, 8)).astype(np.float32)
Y = 0.5 + 0.5 * np.tanh(X.sum(axis=2, keepdims=True))


def training(backend):
    model = nn.MLP(num_inputs=8, hidden_layers=[64, 64], num_outputs=1, rng=1).astype(np.float32)
    loss_fn, optimizer = nn.MSELoss(), optim.Adam(model.parameters(), lr=0.01)

    @tg.compile(backend=backend)
    def step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


losses = {}
for backend in ("numpy", "native"):
    step = training(backend)
    for x, y in zip(X[:2], Y[:2], strict=True):  # recorded, compared, compiled
        step(x, y)
    began = time.perf_counter()
    losses[backend] = step.scan(X[2:], Y[2:]).data
    elapsed = (time.perf_counter() - began) / (STEPS - 2)
    print(f"{backend}: {1e6 * elapsed:.0f} µs a step, error {losses[backend][-50:].mean():.4f}")

print("\nSome of what LLVM reads, a line for each walk through memory:\n")
lines = step.executed["native"].splitlines()
for line in [line for line in lines if line.startswith("  call void @dot")][:4]:
    print(line)
assert np.allclose(losses["numpy"][:100], losses["native"][:100], rtol=1e-3)
assert losses["native"][-50:].mean() < 0.5 * losses["native"][:50].mean()
