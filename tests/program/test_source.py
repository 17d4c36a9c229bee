"""The text that is generated: it computes what the records compute, alone and bit for bit."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.program.steps import Training, assert_same_bits, source_step
from tinygrad_mlp import nn, optim
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.program import Equation, Program, Var, numpy_source
from tinygrad_mlp.program.compiled import built
from tinygrad_mlp.testing.drawing import Seeded, draw


def one_equation(op, inputs, attrs):
    """A program of a single op."""
    program = Program()
    program.inputs = [Var(program, x, f"x{i}") for i, x in enumerate(inputs)]
    with np.errstate(all="ignore"):
        output = Var(program, np.asarray(op.forward(*inputs, **attrs)))
    program.equations = [Equation(op, tuple(program.inputs), attrs, output)]
    program.outputs = [output]
    return program


TWO = {"isclose", "allclose", "array_equal"}


def drawn(op, count=8):
    """Inputs and attributes of an op; operators without a domain take what their name says."""
    if op.name == "uniform":
        yield (np.random.default_rng(0),), {"shape": (2, 3)}
        return
    if op.domain is None:
        nin = getattr(op.forward, "nin", 2 if op.name in TWO else 1)
        for seed in range(count):
            inputs = tuple(Seeded(seed + 50 * i).numbers((2, 3), -2, 2) for i in range(nin))
            logical = op.name.startswith("logical")
            yield tuple(x > 0 for x in inputs) if logical else inputs, {}
        return
    for seed in range(count):
        case = draw(op, Seeded(seed))
        if case is not None:
            yield case.inputs, case.attrs


@pytest.mark.parametrize("op", REGISTRY.values(), ids=list(REGISTRY))
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_the_source_of_every_op_computes_its_forward_bit_for_bit(op, dtype):
    tried = 0
    for inputs, attrs in drawn(op):
        cast = tuple(
            x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x
            for x in inputs
        )
        program = one_equation(op, copy.deepcopy(cast), attrs)
        source = numpy_source(program)
        with np.errstate(all="ignore"):
            mine, _ = built(source)(*cast)
        assert_same_bits(mine, program.outputs[0].value)
        tried += 1
    assert tried


def test_a_large_constant_is_part_of_the_source():
    mask = np.arange(40.0).reshape(8, 5)
    program = Program()
    x = Var(program, np.ones((8, 5)), "x")
    program.inputs = [x]
    y = x * mask
    program.outputs = [y]
    result, _ = built(numpy_source(program))(np.full((8, 5), 2.0))
    assert_same_bits(result, 2.0 * mask)


def test_the_pasted_source_alone_reproduces_the_numbers(tmp_path):
    training = Training(nn.MLP(2, [5], 1, rng=0), lr=0.1)
    compiled = tg.compile(training.step)
    for x, y in training.batches(2):
        compiled(x, y)
    path = tmp_path / "backprop.py"
    compiled.save(path)
    text = path.read_text()
    assert [line for line in text.splitlines() if "import" in line] == ["import numpy as np"]
    x, y = training.batches(1)[0]
    state = [np.copy(p.data) for p in training.model.parameters()]
    np.savez(tmp_path / "in.npz", x, y, *state)
    (tmp_path / "run.py").write_text(
        text
        + "import sys\n"
        + "given = np.load(sys.argv[1]); arrays = [given[k] for k in given.files]\n"
        + "loss, state = step(*arrays, 0.1)\n"
        + "np.savez(sys.argv[2], loss, *state)\n"
    )
    subprocess.run([sys.executable, "-I", "run.py", "in.npz", "out.npz"], cwd=tmp_path, check=True)
    loss = training.step(tg.Tensor(x), tg.Tensor(y))
    found = np.load(tmp_path / "out.npz")
    found = [found[k] for k in found.files]
    assert_same_bits(found[0], loss.data)
    for mine, p in zip(found[1:], training.model.parameters(), strict=False):
        assert_same_bits(mine, p.data)


CLASSICS = {
    "sum_of_two": lambda: Training(nn.MLP(2, [5], 1, rng=0), batch=1, lr=0.1),
    "one_neuron": lambda: Training(
        nn.Sequential(nn.Linear(3, 1, bias=False, rng=0), nn.Sigmoid()), batch=6, lr=1.0
    ),
    "deep_tanh": lambda: Training(
        nn.MLP(4, [8, 8], 2, activation=nn.Tanh, output_activation=None, rng=0), batch=5
    ),
    "relu_momentum": lambda: Training(
        nn.MLP(4, [6], 3, activation=nn.ReLU, output_activation=None, rng=0),
        batch=5,
        optimizer=lambda ps: optim.SGD(ps, lr=0.05, momentum=0.9, weight_decay=1e-4),
    ),
    "float32": lambda: Training(nn.MLP(3, [4], 2, rng=0, dtype=np.float32), batch=4),
}


@pytest.mark.parametrize("name", CLASSICS)
def test_the_source_of_classic_networks_is_as_agreed(name, golden):
    training = CLASSICS[name]()
    compiled = tg.compile(training.step)
    for x, y in training.batches(2):
        compiled(x, y)
    golden(f"program/{name}.py.txt", compiled.source)


HOSTILE = [
    "x; import os",
    "__class__",
    "lambda",
    "größe",
    '"""',
    "a\nimport os\n",
    "np",
    "step",
    "重量",
    "w" * 300,
    "",
    "print",
    "0",
    "{0}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_make_harmless_and_correct_source(name):
    w = tg.Tensor([[0.5, -0.5]], requires_grad=True, name=name)
    model = nn.Sequential({name: nn.Linear(2, 2, rng=0), name + "b": nn.Linear(2, 2, rng=1)})
    twin = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1))
    v = tg.Tensor(w.data, requires_grad=True)

    def make(model, w):
        def step(x):
            loss = (model(x * w) ** 2).mean()
            for p in (w, *model.parameters()):
                p.grad = None
            loss.backward()
            for p in (w, *model.parameters()):
                p.data = p.data - 0.1 * p.grad
            return loss

        return step

    compiled, eager = tg.compile(make(model, w)), make(twin, v)
    x = np.array([[1.0, 2.0]])
    for i in range(4):
        if i == 2:
            source, compiled = compiled.source, source_step(compiled)
        assert_same_bits(compiled(x).data, eager(tg.Tensor(x)).data)
    assert_same_bits(w.data, v.data)
    code = compile(source, "source", "exec")
    imported = [n for n in code.co_names if n not in {"np", "numpy"}]
    assert imported == ["step"]
    assert "import os" not in [line.strip() for line in source.splitlines()]


@pytest.mark.parametrize("rows", [1, 16, 64])
def test_arrays_of_ones_are_written_as_such(rows):
    weight = tg.Tensor([[1.0]], requires_grad=True)

    @tg.compile
    def step(x):
        loss = (x @ weight).mean()
        loss.backward()
        return loss

    for _ in range(3):
        weight.grad = None
        step(np.ones((rows, 1)))
    assert "fromhex" not in step.source
    assert "[1.0, 1.0" not in step.source


def stepped(layers, width, batch=5):
    """The source of a step through some layers."""
    training = Training(nn.Sequential(nn.Linear(3, width, rng=0), *layers), batch=batch)
    compiled = tg.compile(training.step)
    for x, y in training.batches(2):
        compiled(x, y)
    return compiled.source


def test_what_several_rules_compute_is_written_once():
    source = stepped([nn.LayerNorm(4)], 4)
    assert source.count("linear.sum(axis=1, keepdims=True)") == 1
    assert source.count("np.sqrt(") == 1
    assert source.count("# layer_norm → x:") == 1
    assert "# back through layer 1, LayerNorm" in source


def test_what_changes_no_bit_is_not_written():
    source = stepped([nn.Softmax()], 4)
    assert "1.0 * " not in source
    assert "keepdims=False" not in source
    weight = tg.Tensor([0.5], requires_grad=True, name="w")

    @tg.compile
    def step(x):
        weight.grad = None
        loss = ((weight * x - 1) ** 2).mean()
        loss.backward()
        return loss

    for _ in range(2):
        step(np.ones(1))
    assert "** 1" not in step.source
    assert "np.ones" not in step.source
    assert "2 * sub" in step.source


def test_the_layer_of_a_rule_is_named_though_its_last_operation_fell_away():
    assert "# back through MSELoss" in stepped([], 1, batch=1)
