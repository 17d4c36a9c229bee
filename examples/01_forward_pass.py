"""A network that only computes: 3 inputs, hidden layers of 3 and 5 neurons, 2 outputs.

Each layer multiplies what comes in by its weights and puts a sigmoid on top. The weights are
uniform on [0, 1) and there are no biases.
"""

import numpy as np

from tinygrad_mlp import nn

rng = np.random.default_rng(0)
model = nn.MLP(
    num_inputs=3,
    hidden_layers=[3, 5],
    num_outputs=2,
    bias=False,
    init=nn.init.uniform(0, 1),
    rng=rng,
)
print(model)

inputs = rng.random(3)
output = model(inputs)
print("\nThe input of the network is: ", inputs)
print("The output of the network is:", output.data)

# The same by hand: activation times weights, then the sigmoid. Weights are (outputs, inputs).
activation = inputs
for weight in model.parameters():
    activation = 1 / (1 + np.exp(-(weight.data @ activation)))
assert np.allclose(activation, output.data, rtol=0, atol=1e-15)

# What every layer gave on the way:
for path, values in model.activations(inputs).items():
    print(f"{path or 'model':>5}: {values.data.round(3)}")
