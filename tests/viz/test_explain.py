"""Explanations: golden files in four formats, and every number in them computed again."""

from __future__ import annotations

import re
import shutil
import subprocess
from xml.etree import ElementTree as ET

import hypothesis
import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.conftest import needs
from tests.test_steps import graphs
from tests.viz.graphs import GRAPHS, hostile, many_paths, matrices, network, paths, weight
from tinygrad_mlp import nn
from tinygrad_mlp.errors import GraphError, IndexingError, UsageError
from tinygrad_mlp.formulas import op_table
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.viz.document import Formulas, Heading, Say
from tinygrad_mlp.viz.mathml import formula, mathml

EVERY = {**GRAPHS, "hostile": hostile}
FORMATS = {"txt": "text", "md": "markdown", "tex": "latex", "html": "html"}


def numbers_in(text):
    found = re.findall(r"−?\d+\.?\d*(?:e[+−]?\d+)?", text)
    return [float(x.replace("−", "-")) for x in found]


# ------------------------------------------------------------------ golden files


@pytest.mark.parametrize("name", GRAPHS)
def test_golden(golden, name):
    graph = GRAPHS[name]()
    explanation = tg.explain(graph.root, wrt=graph.wrt)
    for suffix, form in FORMATS.items():
        golden(f"viz/{name}.{suffix}", getattr(explanation, form).rstrip("\n") + "\n")


def test_golden_op(golden):
    for name in ("sigmoid", "linear", "where"):
        golden(f"viz/op_{name}.txt", tg.explain(REGISTRY[name]).text)


# ------------------------------------------------------------------ the numbers


@hypothesis.given(graphs())
def test_the_printed_contributions_add_up_to_the_gradient(drawn):
    root, leaves = drawn
    explanation = tg.explain(root, wrt=leaves[1], digits=17)
    root.backward()
    scale = sum(np.abs(c).sum() for c in explanation.contributions) + 1
    total = sum(explanation.contributions)
    np.testing.assert_allclose(total, leaves[1].grad, rtol=0, atol=1e-10 * scale)
    printed = [
        np.array(numbers_in(row.right.text)).reshape(leaves[1].shape)
        for row in last_rows(explanation)
    ]
    if printed:
        np.testing.assert_allclose(sum(printed), leaves[1].grad, rtol=0, atol=1e-10 * scale)


def last_rows(explanation):
    """The rows that print what each path contributes."""
    headings = [b.title if isinstance(b, Heading) else None for b in explanation.blocks]
    if "Paths" not in headings:
        return []
    blocks = explanation.blocks[headings.index("Paths") : headings.index("Result")]
    return [
        row
        for block in blocks
        if isinstance(block, Formulas)
        for row in block.rows
        if row.left.text.startswith("path")
    ]


@pytest.mark.parametrize("name", [n for n in GRAPHS if n != "not_finite"])
def test_every_step_prints_what_the_engine_computed(name):
    graph = GRAPHS[name]()
    explanation = tg.explain(graph.root, wrt=graph.wrt, digits=17, check=True)
    blocks = list(explanation.blocks)
    steps = list(tg.backward_steps(graph.root))
    told = [b for b in blocks if isinstance(b, Say) and b.step and "back to" in "".join(
        p if isinstance(p, str) else p.text for p in b.parts)]  # fmt: skip
    for say in told:
        rows = blocks[blocks.index(say) + 1].rows
        source, target = (p.text for p in say.parts if not isinstance(p, str))
        candidates = [s for s in steps[1:] if (s.name, s.x_name) == (source, target)]
        if candidates[0].contribution.size > 16:
            continue  # its middle is left out
        printed = [numbers_in(row.right.text) for row in rows if row.left.text == ""]
        assert any(
            any(p == pytest.approx(s.contribution.ravel(), rel=1e-14) for p in printed)
            for s in candidates
        ), (source, target)
    graph.root.backward()
    np.testing.assert_array_equal(explanation.gradient, graph.wrt.grad)


@pytest.mark.parametrize("name", [n for n in GRAPHS if n != "not_finite"])
def test_check_puts_a_finite_difference_beside_each_gradient(name):
    graph = GRAPHS[name]()
    result = tg.explain(graph.root, wrt=graph.wrt, check=True).blocks[-1].rows
    assert result[-1].sign == "≈"
    assert numbers_in(result[-1].remark)[0] < 1e-6


def test_at_looks_at_one_entry():
    graph = matrices()
    text = tg.explain(graph.root, wrt=graph.wrt, at=(1, 0), check=True).text
    graph.root.backward()
    row = next(line for line in text.splitlines() if "∂loss/∂W[1, 0]" in line)
    assert numbers_in(row.split("=")[1]) == [pytest.approx(graph.wrt.grad[1, 0], rel=1e-3)]


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (7, "at=7 is no entry of 'W'.*its shape is (3, 2). Use at=(0, 0) to at=(2, 1)."),
        ((3, 0), "at=(3, 0) is no entry of 'W'"),
        ((0, -3), "at=(0, -3) is no entry of 'W'"),
        ((0, 1.0), "at=(0, 1.0) is no entry"),
        ((True, 0), "at=(True, 0) is no entry"),
        (slice(None), "at=slice(None, None, None) is no entry"),
    ],
)
def test_an_entry_that_is_none_is_refused_by_name(at, says):
    graph = matrices()
    pattern = ".*".join(map(re.escape, says.split(".*")))
    with pytest.raises(IndexingError, match=pattern):
        tg.explain(graph.root, wrt=graph.wrt, at=at)


def test_entries_of_numbers_and_vectors():
    graph = paths()
    with pytest.raises(IndexingError, match="Leave at= out"):
        tg.explain(graph.root, wrt=graph.wrt, at=0)
    w = weight([1.0, 2.0], "w")
    assert "∂sum/∂w[-1]" in tg.explain((w * w).sum(), wrt=w, at=-1).text
    with pytest.raises(IndexingError, match="Use at=0 to at=1"):
        tg.explain((w * w).sum(), wrt=w, at=2)
    with pytest.raises(UsageError, match=r"Write explain\(loss, wrt=w, at=1\)"):
        tg.explain((w * w).sum(), at=1)
    with pytest.raises(UsageError, match="wrt=w"):
        tg.explain((w * w).sum(), wrt=w.data)


def test_an_example_shows_a_gradient_that_is_not_zero():
    text = tg.explain(REGISTRY["softmax"]).text
    rows = [line for line in text.splitlines() if "∂/∂x  =" in line]
    assert any(numbers_in(rows[-1].partition("=")[2]))
    assert "g  = [[1, 0, 0], [0, 0, 0]]" in text


def test_a_sum_of_contributions_has_one_sign():
    assert "<mo>+=</mo>" in mathml(r"x \mathrel{+=} y")
    assert "<mo>+=</mo>" in tg.player(paths().root).html


# ------------------------------------------------------------------ the story


def test_a_hook_is_told_as_a_step_and_paths_are_no_products_then():
    w = weight(1.0, "w")
    h = w * 2.0
    loss = (h - 0.5) ** 2 + h
    h.name, loss.name, calls = "h", "loss", []
    h.register_hook(lambda g: calls.append(g) or g * 10)
    explanation = tg.explain(loss, wrt=w)
    assert len(calls) == 1
    text = explanation.text
    assert "6. A hook of h changes its gradient.\n     ∂loss/∂h  = 40   (before: 4)" in text
    assert "= 40 · 2 = 40 × 2" in text
    assert "The gradient is no sum of products of slopes: a hook of h changed it." in text
    loss.backward()
    assert explanation.gradient == w.grad == sum(explanation.contributions) == 80
    w.register_hook(lambda g: g * 0)
    assert "hooks of h and w changed it" in tg.explain(loss, wrt=w).text


def test_a_hook_of_a_closed_module_is_told_beside_it():
    y = nn.MLP(num_inputs=2, hidden_layers=[3], num_outputs=1, rng=0)(np.ones((1, 2)))
    y.register_hook(lambda g: g * 3)
    text = tg.explain(y.sum(), depth=0).text
    assert "3. A hook of y changes its gradient." in text
    assert "4. MLP, 7 steps: [[3]] arrives at y" in text


def test_paths_are_counted_listed_and_multiplied():
    graph = paths()
    text = tg.explain(graph.root, wrt=graph.wrt).text
    assert "3 paths reach w; they add." in text
    assert len(re.findall(r"path \d  = 1 × ", text)) == 3
    assert "contribution 2 of 2: paths add" in text
    many = many_paths()
    text = tg.explain(many.root, wrt=many.wrt).text
    assert "127 paths reach w" in text
    assert "too many to list" in text
    assert len(tg.explain(many.root, wrt=many.wrt).contributions) == 8


def test_without_wrt_every_parameter_is_told():
    text = tg.explain(network().root, check=True).text
    result = text[text.index("Result") :]
    for letter in ("W₀", "b₀", "W₂", "b₂"):
        assert f"∂loss/∂{letter}" in result


def test_a_path_that_reads_as_a_number_has_a_letter_and_the_letter_is_explained_once():
    graph = network()
    explanation = tg.explain(graph.root, wrt=graph.wrt)
    text = explanation.text
    assert explanation.title == "How loss depends on 0.weight"
    assert text.count("W₀ is 0.weight (5×2), b₀ is 0.bias (5)") == 1
    assert "linear  = x W₀ᵀ + b₀" in text
    assert r"x\,W_{0}^{\top} + b_{0}" in explanation.latex
    assert "<msubsup><mi>W</mi><mn>0</mn>" in explanation.html
    for math in formulas_of(explanation):
        assert math.text == "0.weight" or ".weight" not in math.text


def test_letters_are_unique_and_a_name_that_was_given_stays():
    first, second = (tg.nn.Sequential(tg.nn.Linear(2, 2, rng=i)) for i in range(2))
    given = weight(np.ones((2, 2)), "b_0")
    first[0].weight.name = "0.w"
    text = tg.explain(second(first(tg.Tensor(np.ones((1, 2)), name="x")) @ given).sum()).text
    assert "linear  = x 0.wᵀ + b₀₍₂₎\n" in text  # in LaTeX b_0 looks like b₀
    assert "linear_2  = matmul W₀ᵀ + b₀₍₃₎\n" in text
    assert "b₀₍₃₎ is 0.bias_2 (2)" in text


def test_a_big_graph_is_told_in_part_or_by_module():
    y = w = weight(1.0, "w")
    for _ in range(500):
        y = y * 1.001
    text = tg.explain(y, wrt=w).text
    assert len(text.splitlines()) < 600
    assert "more steps" in text
    graph = network()
    short = tg.explain(graph.root, wrt=graph.wrt, depth=1).text
    assert "0 (Linear), 1 step: " in short
    assert "a gradient of norm 0.00744 arrives at linear; 0.weight gets one of norm 0.0" in short
    assert len(short) < len(tg.explain(graph.root, wrt=graph.wrt).text)


def test_a_tensor_that_took_no_part_is_refused():
    graph = paths()
    with pytest.raises(GraphError, match="does not depend on"):
        tg.explain(graph.root, wrt=weight(1.0, "stranger"))
    constant = tg.Tensor(1.0)
    with pytest.raises(GraphError, match="does not need a gradient"):
        tg.explain(graph.root, wrt=constant)
    with pytest.raises(UsageError):
        tg.explain("loss")


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.domain and op.differentiable],
                         ids=lambda op: op.name)  # fmt: skip
def test_every_op_explains_itself(op):
    explanation = tg.explain(op)
    assert "Rules" in explanation.text
    ET.fromstring(body(explanation.html))  # noqa: S314 - our own text


# ------------------------------------------------------------------ formats


def body(page):
    return re.search(r"<main>.*</main>", page, re.DOTALL)[0]


@pytest.mark.parametrize("name", EVERY)
def test_html_is_well_formed_and_asks_for_nothing(name):
    graph = EVERY[name]()
    page = tg.explain(graph.root, wrt=graph.wrt).html
    ET.fromstring(body(page))  # noqa: S314 - our own text
    assert "<script" not in page
    assert "<img" not in page
    assert "http" not in page.replace("http-equiv", "")


def formulas_of(explanation):
    for block in explanation.blocks:
        if isinstance(block, Formulas):
            for row in block.rows:
                yield from (row.left, row.right)
        elif isinstance(block, Say):
            yield from (part for part in block.parts if not isinstance(part, str))


@pytest.mark.parametrize("name", EVERY)
def test_every_formula_has_mathml(name):
    graph = EVERY[name]()
    for math in formulas_of(tg.explain(graph.root, wrt=graph.wrt)):
        ET.fromstring(mathml(math.latex))  # noqa: S314 - our own text


def test_the_formulas_of_all_ops_have_mathml():
    for row in op_table(latex=True):
        for latex in (row.forward, *(g.split(": ", 1)[1] for g in row.gradients)):
            ET.fromstring(mathml(latex))  # noqa: S314 - our own text


def test_unknown_latex_is_refused_or_shown_as_text():
    for latex in (r"\unheard", "{", "}", r"\frac{1}", r"\left( x", "x_", "a & b"):
        with pytest.raises(UsageError):
            mathml(latex)
        assert formula("<x>", latex) == "<math><mtext>&lt;x&gt;</mtext></math>"


@pytest.mark.parametrize("name", GRAPHS)
def test_a_second_reader_of_latex_agrees(name):
    reader = needs("docutils.utils.math.latex2mathml")
    graph = EVERY[name]()
    for math in formulas_of(tg.explain(graph.root, wrt=graph.wrt)):
        if math.latex.strip():
            reader.tex2mathml(math.latex)


@pytest.mark.parametrize("name", EVERY)
def test_the_latex_document_compiles(name, tmp_path):
    program = shutil.which("lualatex") or shutil.which("xelatex") or shutil.which("pdflatex")
    graph = EVERY[name]()
    path = tg.explain(graph.root, wrt=graph.wrt).save(tmp_path / "chain_rule.tex")
    text = path.read_text(encoding="utf-8")
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    ended = re.findall(r"\\end\{(\w+)\}", text)
    assert sorted(begun) == sorted(ended)
    if program is None:
        return  # read by a second parser above; compiled where LaTeX is installed
    run = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:]


def test_save_by_suffix(tmp_path):
    explanation = tg.explain(paths().root)
    for suffix, start in {"txt": "How", "md": "# How", "tex": r"\doc", "html": "<!doc"}.items():
        assert explanation.save(tmp_path / f"e.{suffix}").read_text("utf-8").startswith(start)
    with pytest.raises(UsageError):
        explanation.save(tmp_path / "e.pdf")


def test_notebooks_are_given_every_form():
    bundle = tg.explain(paths().root)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/markdown", "text/latex", "text/plain"}
    assert bundle["text/latex"].startswith("$\\displaystyle")


def test_an_old_graph_is_told_with_the_weights_that_it_used():
    model = tg.nn.MLP(2, [3], 1, rng=0)
    weight = next(iter(model.parameters()))
    optimizer = tg.optim.SGD(model.parameters(), lr=0.5)
    loss = tg.nn.MSELoss()(model([[0.1, 0.2]]), [[0.3]])
    loss.backward()

    def told():
        explained = tg.explain(loss, wrt=weight, at=(0, 0), check=True)
        return str(explained), tg.draw(loss).svg, tg.player(loss).html

    before, gradient = told(), weight.grad.copy()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    assert np.array_equal(weight.grad, gradient)
    assert told() == before


# ------------------------------------------------------------------ what is given


def given(text):
    return text[text.index("Given") : text.index("Forward")]


def test_the_story_begins_with_everything_that_is_needed_to_recompute_it():
    graph = network()
    text = given(tg.explain(graph.root, wrt=graph.wrt).text)
    names = [line.split("=")[0].strip() for line in text.splitlines() if "  = " in line]
    assert names == ["x", "W₀", "b₀", "W₂", "b₂", "target"]
    small = tg.Tensor(np.linspace(0, 1, 10).reshape(5, 2), requires_grad=True, name="w")
    story = tg.explain((small * np.arange(2.0)).sum(), wrt=small)
    assert "const  = [0, 1]   (shape 2)" in given(story.text)
    for form in (story.text, story.markdown, story.latex, story.html):
        assert not re.search(r"…|dots", form), "ten numbers are few"
    large = tg.explain((weight(np.zeros((40, 30)), "w") ** 2).sum()).text
    assert len(given(large)) < 300
    assert "(shape 40×30)" in given(large)


def test_what_another_branch_computed_is_given_too():
    w, v = weight(2.0, "w"), weight(3.0, "v")
    other = np.exp(v)
    other.name = "other"
    assert "other  = 20.09" in given(tg.explain(w * other, wrt=w).text)
    assert "Forward" not in tg.explain(w, wrt=w).text


def test_many_given_values_are_told_in_part():
    total = weight(0.0, "w")
    for k in range(100):
        total = total + weight(float(k), f"v{k}")
    assert len(given(tg.explain(total).text).splitlines()) < 70


def test_a_gradient_that_goes_on_as_it_came_is_printed_once():
    a, b = weight([1.0, 2.0], "a"), weight([3.0, 4.0], "b")
    text = tg.explain(((a + b) * np.array([5.0, 6.0])).sum(), wrt=a).text
    step = text[text.index("add (") : text.index("Paths")]
    assert step.count("[5, 6]") == 1


def test_brackets_stand_still_unless_they_are_told_to_grow():
    assert mathml("(x)^2").count('<mo stretchy="false">') == 2
    assert mathml(r"\left(x\right)").count('<mo stretchy="true">') == 2
