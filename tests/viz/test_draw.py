"""Drawing: golden files, what boxes say, levels and folding, names that mean harm, sizes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs, needs_program
from tests.viz.graphs import EVIL, GRAPHS, hostile, named, network, residual, square, weight
from tinygrad_mlp import nn
from tinygrad_mlp.errors import IndexingError, MissingExtraError, ShapeError, UsageError
from tinygrad_mlp.viz.labels import clean, width

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing):
    return [element.text for element in ET.fromstring(drawing.svg).iter(SVG + "text")]  # noqa: S314 - our own text


# ------------------------------------------------------------------ golden files


@pytest.mark.parametrize("name", GRAPHS)
def test_golden(golden, name):
    graph = GRAPHS[name]()
    if name in {"network", "paths", "square"}:
        graph.root.backward()
    drawing = tg.draw(graph.root)
    golden(f"viz/{name}.svg", drawing.svg)
    golden(f"viz/{name}.dot", drawing.source)
    golden(f"viz/{name}.tree.txt", drawing.text + "\n")


def test_golden_neurons(golden):
    root = network().root
    golden("viz/network.neurons.svg", tg.draw(root, level="neurons").svg)
    golden("viz/network.neurons.txt", tg.draw(root, level="neurons").text + "\n")


def test_golden_levels(golden):
    root = residual().root
    golden("viz/residual.modules.txt", tg.draw(root, level="modules").text + "\n")
    golden("viz/residual.closed.txt", tg.draw(root, depth=0).text + "\n")
    golden("viz/square.backward.txt", tg.draw(square().root, backward=True).text + "\n")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"level": "layers"}, "level='layers'.*it is 'modules', 'ops' or 'neurons'"),
        ({"level": "neuron"}, "level='neuron'.*Did you mean level='neurons'?"),
        ({"direction": "up"}, "direction='up'.*it is 'right' or 'down'"),
        ({"color": "gradients"}, "Did you mean color='gradient'?"),
        ({"theme": "Dark"}, "theme='Dark'.*'auto', 'light' or 'dark'.*Did you mean theme='dark'?"),
        ({"theme": None}, "theme=None"),
    ],
)
def test_words_that_no_option_has_are_refused(option, says):
    with pytest.raises(UsageError, match=".*".join(map(re.escape, says.split(".*")))):
        tg.draw(square().root, **option)


def test_a_sample_that_is_not_there_is_refused():
    root = network().root
    assert tg.draw(root, level="neurons", sample=-1).svg
    with pytest.raises(IndexingError, match=r"the batch has 4 rows. Use sample=0 to sample=3"):
        tg.draw(root, level="neurons", sample=4)


@pytest.mark.parametrize("color", ["value", "gradient"])
def test_lines_that_are_not_finite_stand_out_and_say_so(color):
    w = weight([[1.0, np.nan], [-2.0, np.inf]], "w")
    y = tg.Tensor([[1.0, 0.5]]) @ w
    w.grad = w.data / 2
    drawing = tg.draw(y, level="neurons", color=color)
    assert 'stroke-width="nan"' not in drawing.svg
    kinds = re.findall(r'class="weight (\w+)"', drawing.svg)
    assert kinds == ["plus", "minus", "bad", "bad"]
    assert drawing.svg.count('class="node neuron output loud"') == 1
    assert "Dashed and red: infinite or NaN." in drawing.svg
    assert "nan" not in drawing.source.replace("label=nan", "")


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_graph_has_the_same_bytes(name):
    first, second = (tg.draw(GRAPHS[name]().root) for _ in range(2))
    assert first.svg == second.svg
    assert first.source == second.source
    assert first.text == second.text


@pytest.mark.parametrize("name", [*GRAPHS, "hostile"])
def test_every_form_is_well_formed(name):
    drawing = tg.draw({**GRAPHS, "hostile": hostile}[name]().root)
    root = ET.fromstring(drawing.svg)  # noqa: S314 - our own text
    assert root.find(SVG + "title").text
    assert root.find(SVG + "desc").text
    assert drawing.source.count("{") == drawing.source.count("}") or name == "hostile"


# ------------------------------------------------------------------ what boxes say


def test_a_square_shows_two_arrows():
    drawing = tg.draw(square().root)
    assert [(e.tail, e.head) for e in drawing.picture.edges] == [("n0", "n1"), ("n0", "n1")]
    assert drawing.source.count("n0 -> n1") == 2


def test_before_backward_a_gradient_is_not_computed_yet():
    root = square().root
    assert "∂ not computed yet" in texts(tg.draw(root))
    assert not any(re.fullmatch(r"∂ 0", text) for text in texts(tg.draw(root)))
    root.backward()
    assert "∂ not computed yet" not in texts(tg.draw(root))
    assert "∂ 6" in texts(tg.draw(root))


def test_what_is_not_finite_stands_out():
    a = weight([1.0, 0.0], "a")
    with np.errstate(all="ignore"):
        picture = tg.draw(1 / a).picture
    assert [node.loud for node in picture.nodes] == [False, True]


def test_values_gradients_and_shapes_can_be_left_out():
    shown = texts(tg.draw(network().root, values=False, grads=False, shapes=False))
    assert "4×5" not in shown
    assert not any("mean |x|" in text or "∂" in text for text in shown)


def test_modules_are_frames_with_path_and_class():
    assert {"MLP", "0 · Linear", "2 · Linear"} <= set(texts(tg.draw(network().root)))


def test_two_calls_of_one_module_are_two_frames():
    layer = nn.Linear(2, 2, rng=0)
    drawing = tg.draw(layer(layer(np.ones((1, 2)))).sum())
    assert len(drawing.picture.groups) == 2 or len(drawing.picture.nodes) == 6


def test_a_theme_has_its_colours_only():
    root = square().root
    assert "prefers-color-scheme" in tg.draw(root).svg
    for theme in ("light", "dark"):
        assert "prefers-color-scheme" not in tg.draw(root, theme=theme).svg


def test_draw_of_a_module_calls_it():
    model = nn.MLP(2, [3], 1, rng=0)
    assert tg.draw(model, [[0.1, 0.2]]).picture.nodes[-1].title == "output"
    with pytest.raises(UsageError, match="without an input"):
        tg.draw(model)
    with pytest.raises(UsageError):
        tg.draw(42)


# ------------------------------------------------------------------ levels and folding


def test_closed_modules_hide_their_ops_and_count_their_parameters():
    picture = tg.draw(network().root, level="modules").picture
    titles = [node.title for node in picture.nodes if node.kind == "module"]
    assert titles[:2] == ["0 · Linear", "1 · Sigmoid"]
    assert any("15 parameters" in node.subtitle for node in picture.nodes)


def test_depth_opens_so_many_levels():
    root = residual().root
    counts = [len(tg.draw(root, depth=d).picture.nodes) for d in range(4)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_repeated_blocks_fold():
    blocks = [nn.Sequential(nn.Linear(2, 2, rng=i), nn.Tanh()) for i in range(12)]
    root = nn.Sequential(*blocks)(tg.Tensor(np.ones((1, 2)), name="x")).sum()
    picture = tg.draw(root, depth=1, fold=True).picture
    folded = [node for node in picture.nodes if node.times > 1]
    assert [node.times for node in folded] == [12]
    assert "× 12" in folded[0].title
    assert "72 parameters" in folded[0].subtitle


def test_a_forward_pass_that_fails_shows_how_far_it_came():
    model = nn.Sequential(nn.Linear(2, 5, rng=0), nn.Sigmoid(), nn.Linear(4, 1, rng=0))
    picture = tg.draw(model, [[0.3, 0.1]]).picture
    assert [n.title for n in picture.nodes if n.kind == "failed"] == ["linear"]
    assert {"linear", "last"} <= {n.title for n in picture.nodes if n.kind == "op"}
    with pytest.raises(ShapeError) as raised:
        model([[0.3, 0.1]])
    assert tg.draw(raised.value).picture.nodes[-1].kind == "failed"
    with pytest.raises(ZeroDivisionError):
        tg.draw(ZeroDivisionError())


def test_the_backward_pass_is_a_graph_too():
    w = weight([1.0, 2.0], "w")
    loss = named((np.tanh(w) * w).sum(), "loss")
    picture = tg.draw(loss, backward=True).picture
    ends = [n for n in picture.nodes if n.kind == "output"]
    assert {n.title for n in ends} >= {"loss", "∂w"}
    assert w.grad is None
    loss.backward()
    last = next(n for n in ends if n.title == "∂w")
    assert last.value == "[" + ", ".join(f"{g:.4g}" for g in w.grad) + "]"


def test_neurons_need_layers_in_a_row():
    with pytest.raises(UsageError, match="no neurons"):
        tg.draw(square().root, level="neurons")
    picture = tg.draw(network().root, level="neurons", sample=2).picture
    assert [len(layer.values) for layer in picture.layers] == [2, 5, 1]
    W = weight(np.ones((2, 3)), "W")
    assert [len(x.values) for x in tg.draw(np.tanh(np.ones((1, 2)) @ W), level="neurons")
            .picture.layers] == [2, 3]  # fmt: skip


# ------------------------------------------------------------------ names that mean harm


def test_a_hostile_name_is_only_text():
    graph = hostile()
    drawing = tg.draw(graph.root)
    for page in (drawing.svg, drawing.html):
        assert "<img" not in page
        assert "</script" not in page
    assert any("<img src=x" in text for text in texts(drawing))


def test_a_hostile_class_name_is_only_text():
    layer = type(EVIL, (nn.Linear,), {})(2, 2, rng=0)
    drawing = tg.draw(layer(np.ones((1, 2))).sum())
    assert "<img" not in drawing.svg
    assert "<img" not in layer._repr_html_()


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_graphviz_reads_hostile_names(tmp_path, kind):
    from tinygrad_mlp.viz.dot import render

    needs_program("dot")
    made = render(tg.draw(hostile().root).source, kind)
    assert len(made) > 1000
    if kind == "svg":
        assert b"<img" not in made


def test_names_become_one_visible_line():
    assert clean("a\u202eb\u200bc") == "a\ufffdb\ufffdc"
    assert clean("\u05d0") == "\u2068\u05d0\u2069"
    assert width("WWW", 10) > width("iii", 10)


# ------------------------------------------------------------------ files


def test_save_by_suffix(tmp_path):
    drawing = tg.draw(square().root)
    for suffix, start in {
        "svg": "<svg",
        "html": "<!doctype",
        "dot": "digraph",
        "txt": "The",
    }.items():
        path = drawing.save(tmp_path / f"g.{suffix}")
        assert path.read_text(encoding="utf-8").startswith(start)
    with pytest.raises(UsageError, match="does not say"):
        drawing.save(tmp_path / "g")


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_with_dot_there_are_png_and_pdf(tmp_path, kind, start):
    needs_program("dot")
    for root, options in ((network().root, {}), (network().root, {"level": "neurons"})):
        path = tg.draw(root, **options).save(tmp_path / f"g.{kind}")
        assert path.read_bytes().startswith(start)


WITHOUT_PROGRAMS = """
import sys
sys.modules["pygraphviz"] = None
import numpy as np, tinygrad_mlp as tg
from tinygrad_mlp import nn
model = nn.MLP(2, [3], 1, rng=0)
loss = nn.MSELoss()(model(np.ones((2, 2))), np.ones((2, 1)))
drawing = tg.draw(loss)
for name in ("g.svg", "g.html", "g.dot", "g.txt"):
    drawing.save(name)
tg.player(loss).save("p.html")
for name in ("e.txt", "e.md", "e.tex", "e.html"):
    tg.explain(loss).save(name)
for shown in (drawing, tg.player(loss), tg.explain(loss)):
    assert shown._repr_mimebundle_()["text/html"]
for shown in (loss, model, loss.op):
    assert shown._repr_html_()
try:
    drawing.save("g.png")
except tg.viz.dot.MissingExtraError as error:
    print(error)
"""


def test_with_an_empty_path_everything_works_but_png(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROGRAMS],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": os.environ.get("HOME", "")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    for way in ("graphviz.org", "-m pip install", '[render]"', 'save("graph.svg")'):
        assert way in run.stdout
    assert len(list(tmp_path.iterdir())) == 9


def test_without_dot_pygraphviz_makes_the_png(tmp_path, monkeypatch):
    needs("pygraphviz")
    monkeypatch.setattr("shutil.which", lambda *args, **kwargs: None)
    path = tg.draw(square().root).save(tmp_path / "g.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_with_neither_one_error_names_three_ways_out(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *args, **kwargs: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(MissingExtraError, match="Three ways out"):
        tg.draw(square().root).save(tmp_path / "g.pdf")


def test_open_shows_the_page(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = tg.draw(square().root).open()
    assert opened == [path.as_uri()]
    path.unlink()


# ------------------------------------------------------------------ sizes


def tangle(count: int) -> tg.Tensor:
    """A graph of so many nodes without modules: a chain that looks back now and then."""
    rng = np.random.default_rng(0)
    pool = [tg.Tensor(1.0, requires_grad=True)]
    for i in range(count - 1):
        back = pool[int(rng.integers(max(0, len(pool) - 30), len(pool)))]
        pool.append(pool[-1] + back if i % 2 else pool[-1] * 0.5)
    return pool[-1]


@pytest.mark.parametrize("count", [500, 5000])
def test_so_many_nodes_are_drawn_in_full(count):
    drawing = tg.draw(tangle(count))
    assert len(drawing.picture.nodes) == count
    assert drawing.svg.count('class="node') >= count


def test_a_large_graph_is_folded_until_it_fits():
    picture = tg.draw(tangle(20_000)).picture
    assert len(picture.nodes) <= 310
    assert "20\u202f000 nodes" in picture.note


@pytest.mark.slow
def test_a_chain_of_a_million_nodes_folds():
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(500_000):
        y = y * 1.0000001 + 1e-9
    drawing = tg.draw(y)
    assert len(drawing.svg) < 100_000
    assert max(node.times for node in drawing.picture.nodes) > 499_000


def test_a_parameter_outside_its_frame_has_a_letter_in_formulas():
    model = tg.nn.Sequential(tg.nn.Linear(2, 1, rng=0))
    loss = model(tg.Tensor(np.ones((3, 2)), name="x")).sum() + (model[0].weight ** 2).sum()
    text = tg.draw(loss).text
    assert "= W₀²" in text
    assert "0.weight  1×2" in text


def test_a_shared_layer_is_listed_under_each_of_its_names():
    layer = nn.Linear(2, 2, rng=0)
    html = nn.Sequential(layer, nn.Tanh(), layer)._repr_html_()
    assert html.count("weight 2×2, bias 2") == 2
    assert html.count(">6</td>") == 3


def test_a_picture_says_what_its_signs_mean():
    w = weight(np.ones((3, 3)), "w")
    y = (w * 2.0).sum()
    for text in (tg.draw(y).svg, tg.draw(y).source, str(tg.draw(y))):
        assert "mean |x|: how large" in text
        assert "‖∂‖:" not in text
    y.backward()
    assert "‖∂‖: the norm of the gradient" in tg.draw(y).svg
