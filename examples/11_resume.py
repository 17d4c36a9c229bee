"""A training that is interrupted and goes on, and ends as if nothing had happened.

A checkpoint holds weights, optimiser, counts, history and the state of every random generator.
Here one is written after every 10 steps; an epoch has 19 of them. It replaces the file in one go,
so that even a power cut leaves the old one or the new one.
"""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import Checkpoint

X, Y = data.moons(300, rng=0)


def train(checkpoint=None, callbacks=()):
    """Everything is made the same way every time: that is all that resuming asks for."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Linear(2, 16, rng=rng), nn.Tanh(), nn.Dropout(0.1, rng=rng), nn.Linear(16, 2, rng=rng)
    )
    history = tg.fit(
        model, (X, Y), loss=nn.CrossEntropyLoss(),
        optimizer=optim.Adam(model.parameters(), lr=0.01), epochs=20, batch_size=16,
        shuffle=True, rng=rng, schedule=optim.cosine(20 * 19), checkpoint=checkpoint,
        callbacks=callbacks,
    )  # fmt: skip
    return model, history


def power_cut(run):
    """Called after every epoch."""
    if run.epoch == 8:
        raise KeyboardInterrupt


whole, history = train()
print("without interruption:", history)

try:
    train(Checkpoint("run.npz", every=10), callbacks=[power_cut])
except KeyboardInterrupt:
    print("interrupted after epoch 8, which is step 152; run.npz holds step 150")

resumed, history = train(Checkpoint("run.npz", every=10, resume=True))
print("interrupted, resumed:", history)

for name, value in whole.state_dict().items():
    assert np.array_equal(value, resumed.state_dict()[name])
print("Every weight is the same, to the last bit.")
