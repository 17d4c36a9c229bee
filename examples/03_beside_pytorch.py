"""The same network here and in PyTorch: weights carried over both ways, equal to 1e-12.

A multilayer perceptron with biases, sigmoids, the mean squared error and gradient descent. The
two programs differ in a handful of words. PyTorch is needed: `pip install torch`.
"""

import sys

import numpy as np

from tinygrad_mlp import data, nn, optim

try:
    import torch
except ModuleNotFoundError:
    sys.exit(f"This example needs PyTorch: {sys.executable} -m pip install torch")

X, Y = data.sum_of_two(200, rng=0)
Xt, Yt = torch.from_numpy(X), torch.from_numpy(Y)

# The model
ours = nn.Sequential(nn.Linear(2, 5, rng=0), nn.Sigmoid(), nn.Linear(5, 1, rng=1), nn.Sigmoid())
theirs = torch.nn.Sequential(
    torch.nn.Linear(2, 5), torch.nn.Sigmoid(), torch.nn.Linear(5, 1), torch.nn.Sigmoid()
).double()

# Our weights go there ...
theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})

# Training
ours_loss, theirs_loss = nn.MSELoss(), torch.nn.MSELoss()
ours_optimizer = optim.SGD(ours.parameters(), lr=0.5, momentum=0.9)
theirs_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.5, momentum=0.9)
for epoch in range(100):
    ours_optimizer.zero_grad()
    loss = ours_loss(ours(X), Y)
    loss.backward()
    ours_optimizer.step()

    theirs_optimizer.zero_grad()
    other = theirs_loss(theirs(Xt), Yt)
    other.backward()
    theirs_optimizer.step()

    if epoch % 25 == 0:
        print(f"epoch {epoch:3}: here {loss.item():.12f}, there {other.item():.12f}")

# Outputs, gradients and weights are equal
outputs = np.abs(ours(X).data - theirs(Xt).detach().numpy()).max()
pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
gradients = max(np.abs(p.grad - q.grad.numpy()).max() for p, q in pairs)
weights = max(np.abs(p.data - q.detach().numpy()).max() for p, q in pairs)
print(
    f"\nlargest difference: outputs {outputs:.1e}, gradients {gradients:.1e}, weights {weights:.1e}"
)
assert max(outputs, gradients, weights) < 1e-12

# ... and theirs come back
again = nn.MLP(2, [5], 1)
again.load_state_dict(theirs.state_dict())
assert np.abs(again(X).data - theirs(Xt).detach().numpy()).max() < 1e-12
print("The trained weights are back in a model of ours, and give the same outputs.")
