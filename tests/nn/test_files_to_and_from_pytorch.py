"""A state_dict through a file, to PyTorch and back, strictly, with every kind of layer."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tests.nn.peer import carry, over, torch
from tinygrad_mlp import nn

safetensors = needs("safetensors.torch")

STACKS = {
    "mlp": lambda N, **k: [N.Linear(4, 8, **k), N.Sigmoid(), N.Linear(8, 2, **k), N.Sigmoid()],
    "norms": lambda N, **k: [
        N.Linear(4, 8, **k), N.LayerNorm(8, **k), N.ReLU(), N.BatchNorm1d(8, **k),
        N.Linear(8, 2, bias=False, **k),
    ],
    "embedding": lambda N, **k: [
        N.Embedding(10, 3, **k), N.Flatten(), N.Linear(12, 8, **k), N.BatchNorm1d(8, **k),
        N.SiLU(), N.Linear(8, 2, **k),
    ],
}  # fmt: skip


def data(name):
    rng = np.random.default_rng(0)
    return rng.integers(0, 10, (6, 4)) if name == "embedding" else rng.normal(size=(6, 4))


def models(name):
    ours = nn.Sequential(STACKS[name](nn))
    theirs = torch.nn.Sequential(*STACKS[name](torch.nn, dtype=torch.float64))
    return ours, theirs, data(name)


@pytest.mark.parametrize("name", STACKS)
def test_ours_loads_there(name, tmp_path):
    ours, theirs, x = models(name)
    ours(x)  # the running statistics move
    ours.eval()
    tg.save(ours.state_dict(), tmp_path / "m.safetensors")
    state = safetensors.load_file(tmp_path / "m.safetensors")
    theirs.load_state_dict(state, strict=True)
    theirs.eval()
    with torch.no_grad():
        assert np.abs(ours(x).data - theirs(over(x)).numpy()).max() <= 1e-12


@pytest.mark.parametrize("name", STACKS)
def test_theirs_loads_here(name, tmp_path):
    ours, theirs, x = models(name)
    theirs(over(x))
    theirs.eval()
    safetensors.save_file(theirs.state_dict(), tmp_path / "m.safetensors")
    ours.load_state_dict(tg.load(tmp_path / "m.safetensors"), strict=True)
    ours.eval()
    with torch.no_grad():
        assert np.abs(ours(x).data - theirs(over(x)).numpy()).max() <= 1e-12


@pytest.mark.parametrize("name", STACKS)
def test_without_a_file_tensors_of_pytorch_are_taken_as_they_are(name):
    ours, theirs, x = models(name)
    ours.load_state_dict(theirs.state_dict())
    carry(ours, theirs)
    ours.eval()
    theirs.eval()
    assert np.abs(ours(x).data - theirs(over(x)).detach().numpy()).max() <= 1e-12
    assert {v.dtype for v in ours.state_dict().values()} <= {np.dtype("f8"), np.dtype("i8")}


def test_a_named_stack_loads_into_a_module_of_the_same_names():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.ModuleList([torch.nn.Linear(2, 3), torch.nn.Linear(3, 3)])
            self.heads = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 1)})

    class Ours(nn.Module):
        def __init__(self):
            self.body = [nn.Linear(2, 3), nn.Linear(3, 3)]
            self.heads = nn.ModuleDict({"a": nn.Linear(3, 1)})

    ours, theirs = Ours().astype(np.float32), Net()
    carry(ours, theirs)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
