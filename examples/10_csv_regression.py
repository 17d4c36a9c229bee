"""Regression on a CSV file: read it, scale it, train, say how good it is, save and load.

The file is made here, so that the example needs none: houses with a size, an age, a distance to
the centre, and a price that depends on all three, not on a straight line.
"""

import csv
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import evaluate, predict, r2

rng = np.random.default_rng(0)
with Path("houses.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["size", "age", "distance", "price"])
    for _ in range(500):
        size, age, distance = rng.uniform(30, 200), rng.uniform(0, 100), rng.uniform(0, 20)
        price = (1500 + 4000 * np.exp(-distance / 6)) * size * (1 - 0.004 * age)
        writer.writerow([f"{v:.1f}" for v in (size, age, distance, price * rng.normal(1, 0.05))])

with Path("houses.csv").open(newline="") as file:
    rows = [[float(value) for value in row.values()] for row in csv.DictReader(file)]
table = np.array(rows)
X, y = table[:, :3], table[:, 3:]
(X, y), held_out = data.split(X, y, validation=0.25, rng=rng)


class Scaled(nn.Module):
    """Scales inputs and outputs, with buffers: the scales are saved with the weights."""

    def __init__(self, body, X, y):
        self.body = body
        self.mean, self.std = nn.Buffer(X.mean(axis=0)), nn.Buffer(X.std(axis=0))
        self.unit = nn.Buffer(y.std())

    def forward(self, x):
        return self.body((x - self.mean) / self.std) * self.unit


def network(rng=None):
    body = nn.MLP(3, [32, 32], 1, activation=nn.Tanh, output_activation=None, rng=rng)
    return Scaled(body, X, y)


model = network(rng)
history = tg.fit(
    model, (X, y), loss=lambda p, t: nn.HuberLoss()(p / model.unit, t / model.unit),
    optimizer=optim.Adam(model.parameters(), lr=0.01), epochs=60, batch_size=25, shuffle=True,
    rng=rng, validation=held_out, metrics=[r2], early_stopping=15, keep_best=True,
)  # fmt: skip
history.to_csv("history.csv")
found = evaluate(model, held_out, nn.L1Loss(), [r2])
print(f"On houses that it has not seen: r² = {found['r2']:.3f}, off by {found['loss']:,.0f} each.")

tg.save(model.state_dict(), "houses.npz")
again = network()
again.load_state_dict(tg.load("houses.npz"))
assert np.array_equal(predict(again, X), predict(model, X))
assert found["r2"] > 0.9
