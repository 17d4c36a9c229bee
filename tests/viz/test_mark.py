"""Marking: what lies on the path that somebody points at stands out, in every form."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.viz.graphs import hostile, named, network, paths, residual, weight
from tinygrad_mlp import nn
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.viz.assets import asset


def marked(drawing):
    """The titles of the boxes, and the arrows by titles, that stand out."""
    title = {node.key: node.title for node in drawing.picture.nodes}
    arrows = [(title[e.tail], title[e.head]) for e in drawing.picture.edges if e.marked]
    return [node.title for node in drawing.picture.nodes if node.marked], arrows


def explained():
    graph = network()
    graph.root.backward()
    return graph.root, tg.why(graph.wrt, graph.root)


def test_golden(golden):
    root, answer = explained()
    drawing = tg.draw(root, mark=answer)
    golden("viz/network.marked.svg", drawing.svg)
    golden("viz/network.marked.dot", drawing.source)
    golden("viz/network.marked.tree.txt", drawing.text + "\n")


def test_the_path_of_an_answer_stands_out_from_end_to_end():
    root, answer = explained()
    boxes, arrows = marked(tg.draw(root, mark=answer))
    assert boxes == ["weight", "linear", "sigmoid", "linear_2", "sigmoid_2", "loss"]
    assert arrows == [
        ("weight", "linear"),
        ("linear", "sigmoid"),
        ("sigmoid", "linear_2"),
        ("linear_2", "sigmoid_2"),
        ("sigmoid_2", "loss"),
    ]
    legend = tg.draw(root, mark=answer).picture.legend
    assert legend == "marked: 6 tensors, from loss to 0.weight"


def test_svg_dot_and_text_mark_the_same():
    root, answer = explained()
    drawing = tg.draw(root, mark=answer)
    assert len(re.findall(r'class="node [^"]*\bmarked"', drawing.svg)) == 6
    assert drawing.svg.count('class="edge marked"') == 5
    assert drawing.source.count("penwidth=3") == 6 + 5
    assert drawing.text.count("◂ marked") == 6
    for form in (drawing.svg, drawing.source, drawing.text):
        assert "marked: 6 tensors, from loss to 0.weight" in form
    assert "; marked</title>" in drawing.svg


def test_nothing_stands_out_unless_asked_for():
    root, _ = explained()
    drawing = tg.draw(root)
    assert marked(drawing) == ([], [])
    assert "marked" not in drawing.svg + drawing.source + drawing.text


def test_a_tensor_stands_alone_and_arrows_need_neighbours():
    graph = paths()
    assert marked(tg.draw(graph.root, mark=graph.wrt)) == (["w"], [])
    sub = graph.root.inputs[0]
    product = sub.inputs[0]
    assert marked(tg.draw(graph.root, mark=[sub, graph.wrt]))[1] == [("w", "sub")]
    boxes, arrows = marked(tg.draw(graph.root, mark=[graph.wrt, graph.root, sub]))
    assert boxes == ["w", "sub", "loss"]
    assert arrows == [("sub", "loss")], "w reads into sub, but is no neighbour of it in the list"
    both = marked(tg.draw(graph.root, mark=[product, product.inputs[0]]))[1]
    assert both == [("h", "mul_2"), ("h", "mul_2")], "h * h: both arrows"


@pytest.mark.parametrize("options", [{"level": "modules"}, {"depth": 0}, {"depth": 1}])
def test_a_closed_box_with_something_marked_in_it_is_marked(options):
    graph = residual()
    graph.root.backward()
    drawing = tg.draw(graph.root, mark=tg.why(graph.wrt, graph.root), **options)
    boxes, arrows = marked(drawing)
    assert {node.title for node in drawing.picture.nodes if node.kind == "module"} >= set(boxes[:1])
    assert len(arrows) == len(boxes) - 1
    assert all(a[1] == b[0] for a, b in pairwise(arrows))


def test_a_folded_box_with_something_marked_in_it_is_marked():
    blocks = [nn.Sequential(nn.Linear(2, 2, rng=i), nn.Tanh()) for i in range(12)]
    root = nn.Sequential(*blocks)(tg.Tensor(np.ones((1, 2)), name="x")).sum()
    root.backward()
    answer = tg.why(blocks[5][0].weight, root)
    boxes, arrows = marked(tg.draw(root, depth=1, fold=True, mark=answer))
    assert len(boxes) == 2
    assert "× 12" in boxes[0]
    assert len(arrows) == 1


def test_the_backward_pass_is_marked_too():
    graph = paths()
    boxes, _ = marked(tg.draw(graph.root, backward=True, mark=graph.wrt))
    assert boxes == ["w"]


def test_what_is_not_in_the_graph_is_told():
    w, v = weight([1.0, 2.0], "w"), weight([0.5, 0.25], "v")
    h = named(w * 3, "h")
    loss = named((h.detach() * v).sum(), "loss")
    assert tg.draw(loss, mark=w).picture.legend == "nothing is marked: w is not in this graph"
    drawing = tg.draw(loss, mark=[loss, w])
    assert drawing.picture.legend == "marked: loss (1 of 2 not in this graph)"
    loss.backward()
    assert "w" in tg.draw(loss, mark=tg.why(w, loss)).picture.legend


def test_a_mark_that_is_no_tensor_is_refused():
    graph = paths()
    for wrong in ([], (), 3, "w", np.ones(2), [graph.root, 3]):
        with pytest.raises(UsageError, match="why\\(t, loss\\)"):
            tg.draw(graph.root, mark=wrong)
    with pytest.raises(UsageError, match="among neurons"):
        tg.draw(network().root, level="neurons", mark=graph.root)


def test_a_hostile_name_in_the_legend_is_only_text():
    graph = hostile()
    drawing = tg.draw(graph.root, mark=[graph.root, graph.wrt])
    assert "<img" not in drawing.svg
    assert "&lt;img" in drawing.svg or "&lt;/script" in drawing.svg


def test_the_same_mark_has_the_same_bytes():
    first, second = (tg.draw(root, mark=answer) for root, answer in (explained(), explained()))
    assert first.svg == second.svg
    assert first.source == second.source


def light(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_mark_stands_out_from_paper_frames_and_boxes_and_is_thicker(theme):
    (mark,) = set(re.findall(r"#\w{6}", asset(f"mark-{theme}.css")))
    style = asset(f"{theme}.css")
    behind = re.findall(r"(?:paper|frame|body) \{ fill: (#\w{6})", style)
    assert len(behind) == 9
    for colour in behind:
        a, b = sorted((light(mark), light(colour)))
        assert (b + 0.05) / (a + 0.05) >= 4.5, colour
    assert mark not in style, "no kind of box has this colour"
    widths = [float(w) for w in re.findall(r"stroke-width: ([\d.]+)px", asset("mark.css"))]
    assert min(widths) >= 2 * 1.4
