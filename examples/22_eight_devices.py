"""Eight devices: the same step, its batches divided among eight, through JAX's compiler.

Eight devices of one CPU stand for eight GPUs: the program is the same. Each takes an eighth of
every batch and keeps a copy of the weights; XLA adds the gradients up. The losses are those of one.
JAX is needed: `pip install -e ".[jax]"`.
"""

import os
import sys

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
try:
    import jax
except ModuleNotFoundError:
    sys.exit(f'This example needs JAX: {sys.executable} -m pip install -e ".[jax]"')

devices = len(jax.devices())
print(f"JAX sees {devices} devices of kind {jax.devices()[0].device_kind}")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 64, 10))
Y = np.tanh(X[..., :2] * X[..., 2:4])


def curve(devices):
    model = nn.MLP(10, [32, 16], 2, activation=nn.Tanh, output_activation=nn.Tanh, rng=0)
    loss_fn, optimizer = nn.MSELoss(), optim.Adam(model.parameters(), lr=0.01)

    def step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return tg.compile(step, backend="jax", devices=devices).scan(X, Y).data


one, all_of_them = curve(None), curve(devices)
print(f"loss at the first and the last step: {one[0]:.6f}, {one[-1]:.6f}")
print(f"largest difference between one device and {devices}: {np.abs(one - all_of_them).max():.1e}")
assert np.abs(one - all_of_them).max() < 1e-10
assert one[-1] < one[0]
