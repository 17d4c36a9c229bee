"""A stack of one's own: layers in lists and dicts, a residual block, a layer that we write.

Whatever a module keeps in its attributes belongs to it, at any depth: nothing is registered.
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import accuracy


class Sine(nn.Module):
    """A layer of our own: sin(frequency · x), with a frequency per feature that is learned."""

    def __init__(self, features, rng):
        self.frequency = nn.Parameter(rng.uniform(0.5, 3, features))

    def forward(self, x):
        return np.sin(x * self.frequency)


class Net(nn.Module):
    def __init__(self, width, rng):
        self.inputs = {
            "straight": nn.Linear(2, width, rng=rng),
            "waves": nn.Sequential(nn.Linear(2, width, rng=rng), Sine(width, rng)),
        }
        self.blocks = [
            nn.Residual(
                nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width, rng=rng), nn.SiLU())
            )
            for _ in range(3)
        ]
        self.head = nn.Sequential(nn.Dropout(0.1, rng=rng), nn.Linear(width, 3, rng=rng))

    def forward(self, x):
        h = self.inputs["straight"](x) + self.inputs["waves"](x)
        for block in self.blocks:
            h = block(h)
        return self.head(h)


rng = np.random.default_rng(0)
X, Y = data.spirals(600, arms=3, rng=rng)
train, held_out = data.split(X, Y, validation=0.25, rng=rng)
model = Net(16, rng)
print(model.summary(X[:1]), "\n")

history = tg.fit(
    model, train, loss=nn.CrossEntropyLoss(), optimizer=optim.AdamW(model.parameters(), lr=0.01),
    epochs=40, batch_size=32, shuffle=True, rng=rng, validation=held_out, metrics=[accuracy],
    clip_norm=5.0, keep_best=True,
)  # fmt: skip
print(history)
print("frequencies:", model.inputs["waves"][1].frequency.data.round(2))
assert max(history["val_accuracy"]) > 0.9
