"""What the tests of the compiler have in common: a training step, and equality of bits."""

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.program import numpy_source
from tinygrad_mlp.program.compiled import built, held


def assert_same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    assert a.tobytes() == b.tobytes(), f"differ by up to {np.abs(a - b).max()}"


def several(results):
    """What a step returns, as a tuple of arrays."""
    return tuple(t.data for t in (results if isinstance(results, tuple) else (results,)))


class Training:
    """A model with its loss, optimiser and data."""

    def __init__(self, model, *, batch=3, lr=0.1, optimizer=None, loss=None):
        self.model = model
        first = next(p for p in model.parameters() if p.ndim == 2)
        self.inputs, self.dtype, self.batch = first.shape[1], first.dtype, batch
        make = optimizer or (lambda ps: optim.SGD(ps, lr=lr))
        self.loss_fn, self.optimizer = loss or nn.MSELoss(), make(model.parameters())
        self.rng = np.random.default_rng(1)
        probe = model(tg.Tensor(np.zeros((batch, self.inputs), self.dtype)))
        self.outputs = probe.shape[1:]

    def step(self, x, y):
        loss = self.loss_fn(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def batches(self, count):
        return [
            (
                self.rng.uniform(-0.5, 0.5, (self.batch, self.inputs)).astype(self.dtype),
                self.rng.uniform(0.0, 1.0, (self.batch, *self.outputs)).astype(self.dtype),
            )
            for _ in range(count)
        ]

    def state(self):
        """Every array that training changes."""
        arrays = [p.data for p in self.model.parameters()]
        arrays += [p.grad for p in self.model.parameters()]
        for group in self.optimizer.groups:
            arrays += [t.data for state in group.state for t in state.values()]
        return arrays


def source_step(compiled):
    """The step as its readable source runs it: the program before optimisation."""
    source = numpy_source(compiled.program)
    function = built(source)

    def step(*arrays):
        results, state = function(*arrays, *map(held, source.arguments))
        for cell, content in zip(source.results, state, strict=True):
            setattr(cell.owner, cell.slot, content)
        return tg.Tensor(results) if source.single else tuple(map(tg.Tensor, results))

    return step
