"""Planted situations: programs in which the gradient of `t` is what it is for one known reason."""

from __future__ import annotations

from typing import NamedTuple


class Situation(NamedTuple):
    """A program, what `why(t)` must answer, and what its text must hold."""

    verdict: str
    cause: str
    source: str
    texts: tuple[str, ...] = ()


W = "t = tg.Tensor([0.31, -1.7], requires_grad=True)\n"
V = "v = tg.Tensor([0.5, 0.25], requires_grad=True)\n"
MODEL = """
model = nn.MLP(2, [4], 1, rng=0)
x, y = np.random.default_rng(0).normal(size=(8, 2)), np.ones((8, 1)) / 3
t = model[0].weight
"""

SITUATIONS: dict[str, Situation] = {
    # -- none ----------------------------------------------------------------------------------
    "not asked for": Situation(
        "none", "not-in-graph", "t = tg.Tensor([1.0])", ("requires_grad=True",)
    ),
    "whole numbers": Situation(
        "none", "whole-numbers", "t = tg.Tensor(np.array([1, 2]))", ("int64",)
    ),
    "a frozen weight": Situation(
        "none", "frozen", MODEL + "model.requires_grad_(False)", ("frozen",)
    ),
    "a buffer": Situation("none", "buffer", "t = nn.BatchNorm1d(2).running_mean", ("not trained",)),
    "nothing computed": Situation("none", "no-graph", W, ("nothing in memory",)),
    "backward not run": Situation(
        "none", "not-run", W + "loss = (t * t).sum()", ("loss.backward()", "train.py:3")
    ),
    "backward not run on a model": Situation(
        "none", "not-run", MODEL + "loss = nn.MSELoss()(model(x), y)", ("'0.weight'",)
    ),
    "a result before backward": Situation("none", "not-run", W + "w, t = t, t * 2", ("not run",)),
    "cleared": Situation(
        "none", "cleared", W + "loss = (t * t).sum()\nloss.backward()\nt.grad = None", ("cleared",)
    ),
    "cleared by an optimiser": Situation(
        "none",
        "cleared",
        MODEL + "loss = nn.MSELoss()(model(x), y)\nloss.backward()\n"
        "optim.SGD(model.parameters()).zero_grad()",
    ),
    "detached": Situation(
        "none",
        "detach",
        W + V + "h = t * 3\nd = h.detach()\nloss = (d * v).sum()\nloss.backward()",
        ("cut at train.py:5 by detach() on 'h'",),
    ),
    "a detached tensor itself": Situation(
        "none", "detach", W + "h = t * 3\nt = h.detach()", ("cut at train.py:4 by detach() on 'h'",)
    ),
    "detached deep inside, by two ops": Situation(
        "none",
        "detach",
        W + V + "h = np.tanh(t * 3)\nd = h.detach() * 2 + 1\nloss = (d * v).sum()\nloss.backward()",
        ("train.py:5",),
    ),
    "detached, and nothing else needs a gradient": Situation(
        "none", "detach", W + "h = t * 3\nd = h.detach()\nloss = (d * 2).sum()", ("train.py:4",)
    ),
    "no_grad": Situation(
        "none",
        "no-grad",
        W + V + "with tg.no_grad():\n    h = t * 3\nloss = (h * v).sum()\nloss.backward()",
        ("cut at train.py:5 by no_grad()",),
    ),
    "a result inside no_grad": Situation(
        "none", "no-grad", W + "with tg.no_grad():\n    t = np.exp(t) * 2", ("train.py:4",)
    ),
    "a model under no_grad": Situation(
        "none",
        "no-grad",
        MODEL
        + V
        + "with tg.no_grad():\n    h = model(x)\nloss = (h * v[0]).sum()\nloss.backward()",
        ("no_grad()",),
    ),
    "item": Situation(
        "none",
        "item",
        W + V + "h = (t * 3).sum()\nscale = h.item()\nloss = (v * scale).sum()\nloss.backward()",
        ("cut at train.py:5 by .item() on 'h'",),
    ),
    "rebuilt from .data": Situation(
        "none",
        "rebuilt",
        W + V + "h = t * 3\nd = tg.Tensor(h.data)\nloss = (d * v).sum()\nloss.backward()",
        ("train.py:5", "'h'"),
    ),
    "through numpy": Situation(
        "none",
        "rebuilt",
        W + V + "h = t * 3\na = h.numpy() * 1.0\nloss = (v * a).sum()\nloss.backward()",
        (".numpy()", "'h'"),
    ),
    "a weight wrapped in a new tensor": Situation(
        "none", "rebuilt", W + V + "d = tg.Tensor(t)\nloss = (d * v).sum()\nloss.backward()", ()
    ),
    "unused": Situation(
        "none",
        "unused",
        W + V + "loss = (v * v).sum()\nloss.backward()",
        ("does not depend on it",),
    ),
    "a layer that forward leaves out": Situation(
        "none",
        "unused",
        MODEL + "class Net(nn.Module):\n    def __init__(self):\n        self.a, self.b = model, "
        "nn.Linear(2, 2)\n    def forward(self, x):\n        return self.a(x)\nnet = Net()\n"
        "loss = nn.MSELoss()(net(x), y)\nloss.backward()\nt = net.b.weight",
    ),
    "a dead end": Situation(
        "none",
        "dead-end",
        W + V + "h = t * 3\nloss = (v * v).sum()\nloss.backward()",
        ("'h'", "not used"),
    ),
    "made after the loss": Situation(
        "none", "made-later", V + "loss = (v * v).sum()\n" + W + "loss.backward()", ("made after",)
    ),
    "a copy": Situation(
        "none",
        "copy",
        MODEL + "import copy\ntwin = copy.deepcopy(model)\nloss = nn.MSELoss()(twin(x), y)\n"
        "loss.backward()",
        ("another tensor with the same values",),
    ),
    "only through a condition": Situation(
        "none",
        "no-rule",
        W + V + "loss = ((t > 0) * v).sum()\nloss.backward()",
        ("greater",),
    ),
    "only through an index": Situation(
        "none",
        "no-rule",
        "t = tg.Tensor([0.2, 0.9], requires_grad=True)\n"
        + V
        + "loss = np.where(t, v, v * 2).sum()\nloss.backward()",
        ("where",),
    ),
    "freed": Situation(
        "none",
        "freed",
        W + "h = t * 3\nloss = h.sum()\nloss.backward(keep_graph=False)\nt = h",
        ("keep_graph=False",),
    ),
    "freed, and cleared": Situation(
        "none",
        "freed",
        W + "loss = (t * t).sum()\nloss.backward(keep_graph=False)\nt.grad = None",
        ("freed",),
    ),
    # -- zero ----------------------------------------------------------------------------------
    "a dead relu": Situation(
        "zero",
        "dead-relu",
        MODEL + "model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))\n"
        "model[0].bias.data = np.full(4, -50.0)\nloss = nn.MSELoss()(model(x), y)\n"
        "loss.backward()\nt = model[0].weight",
        ("relu",),
    ),
    "a dead relu, written as maximum": Situation(
        "zero", "dead-relu", W + "loss = np.maximum(-abs(t) - 1, 0.0).sum()\nloss.backward()", ()
    ),
    "a saturated sigmoid": Situation(
        "zero",
        "saturated",
        W + "loss = F.sigmoid(abs(t) * 1e4).sum()\nloss.backward()",
        ("sigmoid", "train.py:3"),
    ),
    "a saturated tanh in a layer": Situation(
        "zero",
        "saturated",
        "x = np.ones((4, 2)) * 1e6\nmodel = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), "
        "nn.Linear(3, 1, rng=0))\nloss = nn.MSELoss()(model(x), np.zeros((4, 1)))\n"
        "loss.backward()\nt = model[0].weight",
        ("tanh",),
    ),
    "multiplied by a constant 0": Situation(
        "zero", "times-zero", W + "loss = (np.tanh(t) * 0.0).sum()\nloss.backward()", ("mul",)
    ),
    "multiplied by a tensor that is 0": Situation(
        "zero",
        "times-zero",
        W + "gate = tg.Tensor([0.0, 0.0])\nloss = (t * gate).sum()\nloss.backward()",
        ("'gate'",),
    ),
    "weights that are all 0": Situation(
        "zero",
        "symmetric",
        MODEL + "model[2].weight.data = np.zeros((1, 4))\nloss = nn.MSELoss()(model(x), y)\n"
        "loss.backward()",
        ("all 0", "random weights"),
    ),
    "masked by where": Situation(
        "zero",
        "masked",
        W + V + "loss = np.where(np.array([False, False]), t, v).sum()\nloss.backward()",
        ("where",),
    ),
    "an index that leaves it out": Situation(
        "zero",
        "masked",
        "w = tg.Tensor([0.3, 0.7], requires_grad=True)\nt = w * 2\nh = np.concatenate([t, w])\n"
        "loss = (h[2:] ** 2).sum()\nloss.backward()",
        ("concatenate",),
    ),
    "a minimum": Situation(
        "zero",
        "minimum",
        W + "loss = F.mse_loss(t, np.array([0.31, -1.7]))\nloss.backward()",
        ("mse",),
    ),
    "cancelled": Situation(
        "zero", "cancelled", W + "loss = (t * 3 - t * 3).sum()\nloss.backward()", ("adds up to 0",)
    ),
    "samples that cancel": Situation(
        "zero",
        "cancelled",
        "x = np.array([[1.0], [1.0]])\nmodel = nn.Linear(1, 1, rng=0)\n"
        "loss = nn.L1Loss()(model(x), np.array([[9.0], [-9.0]]))\nloss.backward()\nt = model.bias",
        ("samples", "adds up to 0"),
    ),
    "a gradient of 0 to begin with": Situation(
        "zero", "nothing-sent", W + "y = t * 2\ny.backward(np.zeros(2))", ()
    ),
    "a hook that sends nothing": Situation(
        "zero",
        "hook",
        W + "h = t * 2\nh.register_hook(lambda g: g * 0)\nloss = (h * h).sum()\nloss.backward()",
        ("a hook of 'h'", "makes it 0"),
    ),
    # -- nan, inf ------------------------------------------------------------------------------
    "a nan behind where": Situation(
        "nan",
        "backward",
        "t = tg.Tensor([4.0, 0.0], requires_grad=True)\n"
        "loss = np.where(t.data > 0, np.sqrt(t), 0.0).sum()\nloss.backward()",
        ("sqrt", "[1]", "inf", "np.where(t > 0, np.sqrt(np.where(t > 0, t, 1)), 0)", "train.py:3"),
    ),
    "the slope of a root at 0": Situation(
        "inf",
        "backward",
        "t = tg.Tensor([0.0], requires_grad=True)\nloss = np.sqrt(t).sum()\nloss.backward()",
        ("sqrt", "[0]"),
    ),
    "a logarithm of 0": Situation(
        "inf",
        "forward",
        "t = tg.Tensor([1.0, 0.0], requires_grad=True)\nloss = np.log(t).sum()\nloss.backward()",
        ("log", "[1]", "forward"),
    ),
    "a naive sigmoid": Situation(
        "nan",
        "forward",
        "t = tg.Tensor([-1000.0], requires_grad=True)\nloss = (1 / (1 + np.exp(-t))).sum()\n"
        "loss.backward()",
        ("exp", "F.sigmoid(x)"),
    ),
    "nan in the data": Situation(
        "nan",
        "data",
        MODEL + "x[3, 1] = np.nan\nloss = nn.MSELoss()(model(x), y)\nloss.backward()",
        ("[3, 1]",),
    ),
    "nan in the data of many steps": Situation(
        "nan",
        "data",
        MODEL + "x[3, 1] = np.nan\nfor _ in range(3):\n"
        "    loss = nn.MSELoss()(model(x), y)\n    model.zero_grad()\n    loss.backward()\n"
        "    for p in model.parameters():\n        p.data = p.data - 0.1 * p.grad",
        ("[3, 1]", "no numbers either", "new weights"),
    ),
    "nan in the data of an earlier step": Situation(
        "nan",
        "diverged",
        MODEL + "x[3, 1] = np.nan\nfor rows in (x[2:4], x[:2]):\n"
        "    loss = nn.MSELoss()(model(rows), y[:2])\n    model.zero_grad()\n    loss.backward()\n"
        "    for p in model.parameters():\n        p.data = p.data - 0.1 * p.grad",
        ("by its data or by its length", "np.isfinite(x).all()", "learning rate"),
    ),
    "weights that have diverged, and a mask": Situation(
        "nan",
        "diverged",
        MODEL + "t.data = t.data * np.nan\nmask = np.where(np.arange(8) > 6, -np.inf, 0.0)\n"
        "loss = np.exp(model(x)[:, 0] + mask).sum()\nloss.backward()",
        ("learning rate",),
    ),
    "weights that have diverged": Situation(
        "nan",
        "diverged",
        MODEL + "t.data = t.data * np.nan\nloss = nn.MSELoss()(model(x), y)\nloss.backward()",
        ("learning rate",),
    ),
    "left by an earlier step": Situation(
        "nan",
        "older",
        W + "t.grad = np.array([np.nan, 0.0])\nloss = (t * t).sum()\nloss.backward()",
        ("zero_grad()",),
    ),
    "a hook that makes nan": Situation(
        "nan",
        "hook",
        W + "h = t * 2\nh.register_hook(lambda g: g + np.nan)\n"
        "loss = (h * h).sum()\nloss.backward()",
        ("a hook of 'h'", "no finite number"),
    ),
    # -- huge, tiny ----------------------------------------------------------------------------
    "vanishing through sigmoids": Situation(
        "tiny",
        "vanishing",
        "model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4, rng=i), nn.Sigmoid()) "
        "for i in range(14)])\n"
        "loss = model(np.ones((2, 4))).sum()\nloss.backward()\nt = model[0][0].weight",
        ("sigmoid 14 times", "13"),
    ),
    "nearly saturated": Situation(
        "tiny",
        "saturated",
        W + "loss = F.sigmoid(abs(t) * 0 + t * t + 25).sum()\nloss.backward()",
        (),
    ),
    "small weights": Situation(
        "tiny",
        "small-weights",
        MODEL + "model[2].weight.data = model[2].weight.data * 1e-9\n"
        "loss = nn.MSELoss()(model(x), y)\nloss.backward()",
        (),
    ),
    "scaled down": Situation(
        "tiny", "scaled-down", W + "loss = (t * 1e-9).sum()\nloss.backward()", ("mul",)
    ),
    "exploding": Situation(
        "huge",
        "exploding",
        "model = nn.Sequential(*[nn.Linear(4, 4, init=nn.init.normal(0, 10), rng=i) for i in "
        "range(6)])\nloss = model(np.ones((2, 4))).sum()\nloss.backward()\nt = model[0].weight",
        ("linear 6 times",),
    ),
    "targets far away": Situation(
        "huge",
        "far-targets",
        MODEL + "model = nn.Linear(2, 1, rng=0)\nloss = nn.MSELoss()(model(x), y * 1e7)\n"
        "loss.backward()\nt = model.weight",
        ("Scale the targets",),
    ),
    "steep": Situation(
        "huge",
        "steep",
        "t = tg.Tensor([1e-9], requires_grad=True)\nloss = np.log(t).sum()\nloss.backward()",
        (),
    ),
    "a hook that multiplies": Situation(
        "huge",
        "hook",
        W + "h = t * 2\nh.register_hook(lambda g: g * 1e9)\nloss = (h * h).sum()\nloss.backward()",
        ("a hook of 'h'", "1e+09"),
    ),
    # -- fine ----------------------------------------------------------------------------------
    "all well": Situation(
        "fine",
        "fine",
        MODEL + "loss = nn.MSELoss()(model(x), y)\nloss.backward()",
        ("nothing is wrong",),
    ),
    "all well, but one unit": Situation(
        "fine",
        "fine",
        MODEL + "model = nn.Sequential(nn.Linear(2, 4, rng=0), nn.ReLU(), nn.Linear(4, 1, rng=0))\n"
        "model[0].bias.data = np.array([9.0, 9.0, -99.0, 9.0])\nloss = nn.MSELoss()(model(x), y)\n"
        "loss.backward()\nt = model[0].weight",
        ("1 of its 4 rows",),
    ),
}
