"""Pictures, pages and the player in a real browser: offline, light and dark, wide and narrow."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.viz.browser import accessibility, chromium, page_of, texts_in_trouble
from tests.viz.graphs import GRAPHS, Graph, hostile, network, paths, weight
from tests.viz.test_program_pictures import deep, small
from tinygrad_mlp.steps import replay

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 375, "height": 700}
EVERY = {**GRAPHS, "hostile": hostile}


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


def as_page(tmp_path, svg):
    path = tmp_path / "picture.html"
    head = '<!doctype html><meta charset="utf-8"><title>A picture</title><body style="margin:0">'
    path.write_text(head + svg, encoding="utf-8")
    return path


# ------------------------------------------------------------------ pictures


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("name", EVERY)
def test_no_text_overlaps_another_and_none_is_clipped(browser, tmp_path, name, direction):
    graph = EVERY[name]()
    for ready in (False, True):
        if ready and name != "not_finite":
            graph.root.backward()
        path = as_page(tmp_path, tg.draw(graph.root, direction=direction).svg)
        with page_of(browser, path, viewport=WIDE) as page:
            assert texts_in_trouble(page) == []


@pytest.mark.parametrize("options", [{"backward": True}, {"level": "modules"}, {"depth": 1}])
@pytest.mark.parametrize("name", ["network", "residual", "matrices"])
def test_no_text_overlaps_another_at_any_level(browser, tmp_path, name, options):
    path = as_page(tmp_path, tg.draw(GRAPHS[name]().root, **options).svg)
    with page_of(browser, path, viewport=WIDE) as page:
        assert texts_in_trouble(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("what", ["marked", "closed and marked", "program", "program, folded"])
def test_no_text_overlaps_another_where_something_is_marked_and_in_a_program(
    browser, tmp_path, what, direction, scheme
):
    graph = network()
    graph.root.backward()
    answer = tg.why(graph.wrt, graph.root)
    drawing = {
        "marked": lambda: tg.draw(graph.root, mark=answer, direction=direction),
        "closed and marked": lambda: tg.draw(
            graph.root, mark=answer, level="modules", direction=direction
        ),
        "program": lambda: tg.draw(small(), direction=direction),
        "program, folded": lambda: tg.draw(deep(12), direction=direction),
    }[what]()
    path = as_page(tmp_path, drawing.svg)
    with page_of(browser, path, viewport=WIDE, color_scheme=scheme) as page:
        assert texts_in_trouble(page) == []
        assert min(page.evaluate(CONTRAST)) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_drawing_with_a_mark_and_a_program_are_pages_without_faults(browser, tmp_path, scheme):
    graph = paths()
    for drawing in (tg.draw(graph.root, mark=[graph.root, graph.wrt]), tg.draw(small())):
        path = drawing.save(tmp_path / "page.html")
        with page_of(browser, path, color_scheme=scheme) as page:
            assert accessibility(page) == []


@pytest.mark.parametrize("color", ["value", "gradient"])
def test_no_text_overlaps_another_between_neurons(browser, tmp_path, color):
    root = network().root
    root.backward()
    path = as_page(tmp_path, tg.draw(root, level="neurons", color=color).svg)
    with page_of(browser, path, viewport=WIDE) as page:
        assert texts_in_trouble(page) == []


CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  return [...document.querySelectorAll('svg text')].map(t => {
    const body = t.parentNode.querySelector(':scope > .body') || document.querySelector('.paper');
    const [a, b] = [t, body].map(e => light(getComputedStyle(e).fill)).sort((p, q) => q - p);
    return (a + 0.05) / (b + 0.05); });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["network", "not_finite"])
def test_text_stands_out_from_its_box(browser, tmp_path, name, scheme):
    path = as_page(tmp_path, tg.draw(GRAPHS[name]().root).svg)
    with page_of(browser, path, color_scheme=scheme) as page:
        assert min(page.evaluate(CONTRAST)) >= 4.5


# ------------------------------------------------------------------ explanations


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["paths", "network", "hostile"])
def test_an_explanation_is_a_page_without_faults(browser, tmp_path, name, scheme):
    graph = EVERY[name]()
    path = tg.explain(graph.root, wrt=graph.wrt).save(tmp_path / "page.html")
    with page_of(browser, path, viewport=NARROW, color_scheme=scheme) as page:
        assert accessibility(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert page.locator("math").count() > 5


# ------------------------------------------------------------------ the player


@pytest.fixture
def saved(tmp_path):
    def save(graph):
        return tg.player(graph.root).save(tmp_path / "player.html")

    return save


def step_of(page):
    return int(page.locator("#count").inner_text().split()[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", ["paths", "network", "hostile"])
def test_the_player_is_accessible(browser, saved, name, viewport, scheme):
    with page_of(
        browser, saved(EVERY[name]()), viewport=viewport, color_scheme=scheme,
        reduced_motion="reduce",
    ) as page:  # fmt: skip
        assert accessibility(page) == []
        page.locator("#end").click()
        page.locator("summary").click()
        page.locator(".node.parameter").first.click()
        assert accessibility(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_every_control(browser, saved):
    with page_of(browser, saved(network()), viewport=WIDE) as page:
        last = int(page.locator("#count").inner_text().split()[-1])
        assert step_of(page) == 1
        assert page.locator("#back").is_disabled()
        page.locator("#next").click()
        assert step_of(page) == 2
        page.locator("#back").click()
        assert step_of(page) == 1
        page.locator("#end").click()
        assert step_of(page) == last
        assert page.locator("#next").is_disabled()
        page.locator("#first").click()
        assert step_of(page) == 1
        page.locator("#scrub").fill("4")
        assert step_of(page) == 5
        page.locator("#fit").click()
        assert page.locator("#stage").evaluate("e => e.scrollWidth <= e.clientWidth")
        page.locator("#speed").select_option("fast")
        page.locator("#play").click()
        assert page.locator("#play").inner_text() == "Pause"
        page.wait_for_function(
            "Number(document.querySelector('#count').textContent.split(' ')[0]) > 6"
        )
        page.locator("#play").click()
        paused = step_of(page)
        page.wait_for_timeout(800)
        assert step_of(page) == paused
        page.locator("#play").click()
        page.wait_for_function(
            f"document.querySelector('#count').textContent.startsWith('{last} ')"
        )
        page.wait_for_function("document.querySelector('#play').textContent.trim() === 'Play'")
        page.locator("#view").click()
        assert page.locator("[data-scene=neurons]").is_visible()
        assert not page.locator("[data-scene='0'].scene").is_visible()
        page.locator("#view").click()
        assert page.locator("[data-scene='0'].scene").is_visible()


def test_neurons_fit_a_phone_and_show_what_is_not_finite(browser, saved):
    w = weight([[1.0, np.nan], [-2.0, 0.5]], "w")
    graph = Graph(np.tanh(tg.Tensor([[1.0, 0.5]]) @ w).sum(), w)
    with page_of(browser, saved(graph), viewport=NARROW, reduced_motion="reduce") as page:
        page.locator("#view").click()
        picture = page.locator("[data-scene=neurons] svg")
        assert picture.evaluate("e => e.getBoundingClientRect().width") <= NARROW["width"]
        assert picture.locator(".weight.bad").count() == 1
        assert picture.locator(".neuron.loud").count() == 1
        page.locator("#end").click()
        assert picture.locator(".weight.live.bad").count() == 2
        assert picture.locator(".weight.live:not(.bad)").count() == 2
        assert "Dashed and red" in picture.text_content()


def test_every_key(browser, saved):
    with page_of(browser, saved(paths()), viewport=WIDE) as page:
        last = int(page.locator("#count").inner_text().split()[-1])
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert step_of(page) == 3
        page.keyboard.press("ArrowLeft")
        assert step_of(page) == 2
        page.keyboard.press("End")
        assert step_of(page) == last
        page.keyboard.press("Home")
        assert step_of(page) == 1
        page.keyboard.press("Space")
        page.wait_for_function("document.querySelector('#count').textContent.startsWith('2 ')")
        page.keyboard.press("Space")
        assert page.locator("#play").inner_text() == "Play"
        page.locator(".hit").first.focus()
        assert "w" in page.locator("#detail-title").inner_text()
        page.keyboard.press("Enter")
        assert page.locator(".hit[aria-pressed=true]").count() == 1
        page.keyboard.press("Escape")
        assert page.locator(".hit[aria-pressed=true]").count() == 0


def test_the_status_is_told_politely_and_with_a_formula(browser, saved):
    with page_of(browser, saved(paths())) as page:
        page.keyboard.press("End")
        say = page.locator("#say")
        assert say.get_attribute("role") == "status"
        assert say.get_attribute("aria-live") == "polite"
        assert "paths add" in say.inner_text()
        assert page.locator("#formula math mfrac").count() == 1
        assert "upstream × local" in page.locator("#numbers").inner_text()


def test_pointing_at_a_box_tells_value_gradient_formula_and_line(browser, saved):
    with page_of(browser, saved(paths()), viewport=WIDE, reduced_motion="reduce") as page:
        page.keyboard.press("End")
        page.locator(".node", has_text="tanh(").first.hover()
        told = page.locator("#detail").inner_text()
        for part in ("−0.7616", "−0.2438", "tanh(", "graphs.py:"):
            assert part in told


def test_clicking_a_parameter_lights_up_its_paths(browser, saved):
    graph = paths()
    with page_of(browser, saved(graph), viewport=WIDE, reduced_motion="reduce") as page:
        page.locator(".node.parameter").click()
        assert page.locator("#paths-count").inner_text() == "3 paths reach it; they add."
        lines = page.locator("#paths-list li").all_inner_texts()
        assert len(lines) == 3
        total = 0.0
        for line in lines:
            product, _, result = line.partition(": ")[2].partition(" = ")
            factors = [float(f.strip("()").replace("−", "-")) for f in product.split(" × ")]
            value = float(result.replace("−", "-"))
            assert np.prod(factors) == pytest.approx(value, rel=1e-3)
            total += value
        graph.root.backward()
        assert total == pytest.approx(graph.wrt.grad.item(), abs=1e-3)
        assert page.locator(".edge.path").count() == 7
        page.locator(".node.parameter").click()
        assert page.locator(".edge.path").count() == 0


@pytest.mark.parametrize("name", GRAPHS)
def test_the_numbers_on_the_page_are_the_engines(browser, saved, name):
    graph = GRAPHS[name]()
    with page_of(browser, saved(graph)) as page:
        data = json.loads(page.locator("#data").text_content())["scenes"][0]
        page.keyboard.press("End")
        shown = page.evaluate(
            "[...document.querySelectorAll('.node')].map(n => [n.dataset.key, "
            "(n.querySelector('.gradient') || {}).textContent])"
        )
    with warnings.catch_warnings(action="ignore"):  # one of them is not finite, on purpose
        graph.root.backward()
    totals = {beat["to"]: beat for beat in data["beats"] if beat["phase"] != "forward"}
    title = graph.wrt.name or "weight"
    key = next(key for key, box in data["boxes"].items() if box["title"] == title)
    told = np.array([float(x) for x in totals[key]["exact"]])
    np.testing.assert_array_equal(told, graph.wrt.grad.ravel())  # the engine's, to the last bit
    assert dict(shown)[key] == totals[key]["total"]
    if name == "not_finite":
        return
    difference = np.empty(graph.wrt.size)
    for i in range(graph.wrt.size):
        up, down = graph.wrt.data.copy(), graph.wrt.data.copy()
        up.reshape(-1)[i] += 1e-6
        down.reshape(-1)[i] -= 1e-6
        change = replay(graph.root, {graph.wrt.birth: up}) - replay(
            graph.root, {graph.wrt.birth: down}
        )
        difference[i] = change / 2e-6
    np.testing.assert_allclose(told, difference, rtol=1e-6, atol=1e-8)


def test_a_large_graph_has_closed_modules_with_a_way_in_and_out(browser, tmp_path):
    from tinygrad_mlp import nn

    layers = [nn.Sequential(nn.Linear(2, 2, rng=i), nn.Tanh()) for i in range(60)]
    loss = nn.Sequential(*layers)(np.ones((1, 2))).sum()
    path = tg.player(loss).save(tmp_path / "large.html")
    with page_of(browser, path, viewport=WIDE, reduced_motion="reduce") as page:
        page.locator(".node.module").first.click()
        page.locator("#enter").click()
        assert page.locator("#out").is_visible()
        inside = page.locator(".scene:not([hidden]) .node").count()
        assert inside > 60
        page.keyboard.press("End")
        page.locator("#out").click()
        assert not page.locator("#out").is_visible()


def test_no_text_overlaps_another_on_the_stage(browser, saved):
    for name in ("paths", "network", "hostile"):
        with page_of(browser, saved(EVERY[name]()), viewport=WIDE) as page:
            for key in ("Home", "End"):
                page.keyboard.press(key)
                assert texts_in_trouble(page) == []


def test_a_hostile_name_runs_nothing_and_is_shown_as_it_is(browser, saved):
    with page_of(browser, saved(hostile()), viewport=WIDE) as page:
        assert page.locator("img").count() == 0
        assert re.search("<img src=x", page.locator("h1").inner_text())
