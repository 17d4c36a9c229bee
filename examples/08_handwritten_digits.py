"""Handwritten digits: first naively, as in the lesson, then as one does it today.

1797 images of 8 × 8 pixels; a third of them is held out. They come with scikit-learn:
`pip install -e ".[examples]"`, in the folder of the project.
"""

import time

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import accuracy, confusion, predict

X, Y = data.digits()
(X, Y), (X_test, Y_test) = data.split(X, Y, validation=1 / 3, stratify=Y, rng=0)

# Naively: sigmoids, squared error against one-hot targets, one sample at a time.
rng = np.random.default_rng(0)
model = nn.MLP(64, [30], 10, rng=rng)
tg.fit(
    model, (X, np.eye(10)[Y]), loss=nn.MSELoss(reduction="sum"),
    optimizer=optim.SGD(model.parameters(), lr=0.25), epochs=5, shuffle=True, rng=rng,
)  # fmt: skip
print(f"naive:  {accuracy(predict(model, X_test), Y_test):.1%} of the held-out digits are right")

# As one does it today: ReLU, cross-entropy, batches, AdamW, a schedule.
scores = []
for seed in range(3):
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    model = nn.MLP(
        64, [128], 10, activation=nn.ReLU, output_activation=None,
        init=nn.init.kaiming_uniform(), rng=rng,
    )  # fmt: skip
    epochs, batch_size = 40, 32
    tg.fit(
        model, (X, Y), loss=nn.CrossEntropyLoss(),
        optimizer=optim.AdamW(model.parameters(), lr=3e-3), epochs=epochs, batch_size=batch_size,
        shuffle=True, rng=rng, schedule=optim.cosine(epochs * len(X) // batch_size),
    )  # fmt: skip
    scores.append(accuracy(predict(model, X_test), Y_test))
    print(f"seed {seed}: {scores[-1]:.2%} in {time.perf_counter() - start:.1f} s")

print(f"mean:   {np.mean(scores):.2%}\n\nwhich digit (row) was taken for which (column):")
print(confusion(predict(model, X_test), Y_test))
assert np.mean(scores) >= 0.97
