"""Where a line stops being enough: one neuron cannot do XOR, a hidden layer can.

And the same network in PyTorch, from the same weights, learns the same. PyTorch is needed:
`pip install torch`.
"""

import numpy as np
import torch

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim

X, Y = data.xor()


def learn(model, epochs, lr):
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return tg.fit(
        model, (X, Y), loss=nn.MSELoss(), optimizer=optimizer, epochs=epochs, batch_size=4
    )


neuron = nn.MLP(2, [], 1, rng=0)
history = learn(neuron, 2000, lr=1.0)
print(f"one neuron:     error {history.loss[-1]:.4f}, outputs {neuron(X).data.ravel().round(2)}")
assert abs(history.loss[-1] - 0.25) < 0.01  # 0.5 for everything is the best that a line can do

hidden = nn.MLP(2, [4], 1, rng=1)
start = hidden.state_dict()
history = learn(hidden, 2000, lr=1.0)
print(f"a hidden layer: error {history.loss[-1]:.4f}, outputs {hidden(X).data.ravel().round(2)}")
assert np.array_equal(hidden(X).data > 0.5, Y > 0.5)

there = torch.nn.Sequential(
    torch.nn.Linear(2, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 1), torch.nn.Sigmoid()
).double()
there.load_state_dict({name: torch.from_numpy(value) for name, value in start.items()})
optimizer = torch.optim.SGD(there.parameters(), lr=1.0, momentum=0.9)
x, y = torch.from_numpy(X), torch.from_numpy(Y)
for _ in range(2000):
    loss = torch.nn.functional.mse_loss(there(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
outputs = there(x).detach().numpy().ravel()
print(f"in PyTorch:     error {loss.item():.4f}, outputs {outputs.round(2)}")
assert np.allclose(outputs, hidden(X).data.ravel(), rtol=0, atol=1e-8)
