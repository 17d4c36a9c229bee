"""Two half moons, an MLP with a bias unit on the input only, and a momentum of its own.

The update is w += N c + M c_previous, then c_previous = c, where c is the negative gradient: not
the usual momentum, and 8 lines to say. Then two exercises: 10 hidden neurons, and more epochs.
The decision boundary of each is drawn into moons.png, by matplotlib: `pip install -e ".[plot]"`.
"""

import sys

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.training import accuracy

try:
    import matplotlib.pyplot as plt
except ModuleNotFoundError:
    sys.exit(f'This example needs matplotlib: {sys.executable} -m pip install -e ".[plot]"')


class LessonMomentum(optim.Optimizer):
    def __init__(self, params, N=0.5, M=0.1):
        super().__init__(params, N=N, M=M)

    def init(self, p, group):
        return {"previous": np.zeros_like(p)}

    def update(self, p, g, state, group):
        return p - group.N * g - group.M * state["previous"], {"previous": g}


class MoonsMLP(nn.Module):
    """`ni` inputs and a 1, `nh` hidden sigmoids without a bias, `no` outputs."""

    def __init__(self, ni=2, nh=1, no=1, rng=None):
        self.hidden = nn.Linear(ni, nh, init=nn.init.uniform(-0.2, 0.2), rng=rng)
        self.hidden.bias.data = rng.uniform(-0.2, 0.2, nh)  # the weights of the input fixed at 1
        self.output = nn.Linear(nh, no, bias=False, init=nn.init.uniform(-2, 2), rng=rng)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.output(self.sigmoid(self.hidden(x))))


def half_squares(prediction, target):
    return 0.5 * ((prediction - target) ** 2).sum()


def show(run):
    if run.epoch % 5 == 0 and run.epoch <= 20:
        print(f"  epoch {run.epoch:3}: error {run.numbers['loss'] * 500:.3f}")


X, labels = data.moons(500, noise=0.1, rng=0)
targets = labels[:, None].astype(float)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True)
grid = np.stack(np.meshgrid(np.linspace(-1.6, 2.6, 160), np.linspace(-1.1, 1.6, 120)), axis=-1)
trained = {}
for ax, (hidden, epochs) in zip(axes, [(1, 50), (10, 50), (10, 200)], strict=True):
    print(f"{hidden} hidden, {epochs} epochs")
    model = MoonsMLP(nh=hidden, rng=np.random.default_rng(3))
    tg.fit(
        model, (X, targets), loss=half_squares, optimizer=LessonMomentum(model.parameters()),
        epochs=epochs, callbacks=[show], compile="auto",
    )  # fmt: skip
    trained[hidden, epochs] = right = accuracy(model(X), labels)
    print(f"  accuracy {right:.1%}")
    ax.contourf(grid[..., 0], grid[..., 1], model(grid).data[..., 0], 20, cmap="RdBu", alpha=0.7)
    ax.scatter(*X.T, c=labels, s=6, cmap="RdBu", edgecolors="k", linewidths=0.2)
    ax.set_title(f"{hidden} hidden, {epochs} epochs: {right:.1%}")
figure.savefig("moons.png", dpi=100)
print("\nOne hidden sigmoid is positive everywhere, and without a bias behind it the output never")
print("crosses 0.5. Ten can, and more epochs sharpen the bend: see moons.png.")
assert trained[1, 50] < trained[10, 200]
