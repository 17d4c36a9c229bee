"""A network learns to add: the lesson as a program, and everything that can be seen of it.

Two numbers go in, their sum comes out: 2 inputs, 5 hidden neurons, 1 output, a sigmoid after each
layer, no biases. The network is shown one sample at a time and corrected after each, by

    W += lr · outer(a, delta),    delta = (t − o) · o · (1 − o),

carried back layer by layer. Yet no derivative stands in this file: the loss is ½ (t − o)², and
backpropagation finds the rest. The file knows nothing that yours could not know: it is written
as users write, and its own lines appear in the pictures and explanations that it makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

__all__ = ["learn_to_add"]


def learn_to_add(out: Path, epochs: int = 50, seed: int = 0) -> tg.History:
    """Train the network, say how it went, and write what can be seen into the folder `out`."""
    rng = np.random.default_rng(seed)
    model = nn.MLP(
        num_inputs=2, hidden_layers=[5], num_outputs=1, bias=False, init=nn.init.uniform(), rng=rng
    )
    W1, W2 = model.parameters()
    W1.name, W2.name = "W1", "W2"  # what the pictures shall call them
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    pairs = rng.uniform(0, 0.5, size=(1000, 2))
    sums = pairs.sum(axis=1, keepdims=True)

    def error(inputs: tg.Tensor, target: tg.Tensor) -> tg.Tensor:
        output = model(inputs)
        loss: tg.Tensor = 0.5 * ((target - output) ** 2).sum()
        return loss

    def step(inputs: tg.Tensor, target: tg.Tensor) -> tg.Tensor:
        loss = error(inputs, target)  # forward
        optimizer.zero_grad()
        loss.backward()  # backward: the chain rule, from the loss to every weight
        optimizer.step()  # W −= lr · gradient
        return loss

    # One sample through the untrained network, and back: what a step is made of.
    sample = tg.Tensor([0.3, 0.1], name="inputs")
    loss = error(sample, tg.Tensor([0.4], name="target"))
    loss.backward()
    graph, chain_rule = tg.draw(loss), tg.explain(loss, wrt=W1, at=(0, 0), check=True)
    untrained, player = tg.draw(model, sample, level="neurons"), tg.player(loss)
    print(f"Untrained, it believes that 0.3 + 0.1 is equal to {model(sample).item():.4f}\n")

    # Training. The step is recorded twice, and from then on runs as the NumPy code that it is.
    fast_step = tg.compile(step)
    history = tg.History()
    with tqdm(total=epochs * len(pairs), unit="step", disable=None) as bar:
        for epoch in range(1, epochs + 1):
            total = 0.0
            for inputs, target in zip(pairs, sums, strict=True):
                total += 2 * fast_step(inputs, target).item()  # (t − o)², without the ½
            history.append(error=total / len(pairs))
            bar.update(len(pairs))
            bar.write(f"Error: {history['error'][-1]:.6f} at epoch {epoch}")

    print(f"\nOur network believes that 0.3 + 0.1 is equal to {model(sample).item():.4f}")

    # Everything that can be seen can be saved.
    network = tg.draw(model, sample, level="neurons")
    files: dict[str, tuple[Any, str]] = {
        "graph.svg": (graph, "one sample in the untrained network: every value and gradient"),
        "graph.dot": (graph, "the same for Graphviz"),
        "player.html": (player, "the same, forward and backward, to step through in a browser"),
        "network.svg": (network, "the trained network: circles are neurons, lines are weights"),
        "untrained.svg": (untrained, "… and as it was before training"),
        "chain_rule.txt": (chain_rule, "how a weight of the untrained network moves the loss"),
        "chain_rule.md": (chain_rule, "the same in Markdown"),
        "chain_rule.html": (chain_rule, "… as a page"),
        "chain_rule.tex": (chain_rule, "… in LaTeX"),
        "backprop.py": (fast_step, "the training step as NumPy code, as one writes it by hand"),
        "error.svg": (history, "the error of every epoch as a curve"),
        "history.csv": (history, "… and as numbers"),
    }
    print(f"\nIn {out}:")
    for name, (thing, what) in files.items():
        thing.save(out / name)
        print(f"  {name:15}  {what}")
    return history
