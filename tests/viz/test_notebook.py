"""A notebook with every display: executed, trusted and not trusted, and both show a picture."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.viz.browser import chromium, page_of

ROOT = Path(__file__).resolve().parents[2]

BEGINNING = """
import numpy as np, tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
model = nn.MLP(2, [3], 1, rng=0)
x, t = np.ones((4, 2)) / 3, np.ones((4, 1))
loss = nn.MSELoss()(model(x), t)
loss.backward()
model
"""
TRAINING = """
tg.fit(model, (x, t), loss=nn.MSELoss(), epochs=3, progress=False,
       optimizer=optim.SGD(model.parameters(), lr=0.1))
"""
CELLS = (
    BEGINNING,
    "loss",
    "loss.op",
    TRAINING,
    "tg.draw(loss)",
    'tg.draw(loss, level="neurons")',
    "tg.explain(loss, wrt=model[0].weight)",
    "tg.player(loss)",
)


@pytest.fixture(scope="module")
def executed():
    nbformat, nbclient = needs("nbformat"), needs("nbclient")
    needs("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return notebook


def outputs(notebook):
    return [cell["outputs"][-1]["data"] for cell in notebook.cells]


def test_everything_shows_itself(executed):
    for data in outputs(executed):
        assert "text/html" in data or "image/svg+xml" in data
        assert "text/plain" in data


def stripped(markup):
    """What a notebook that is not trusted leaves: no frames, no scripts, no styles, no handlers."""
    markup = re.sub(r"<iframe.*?</iframe>", "", markup, flags=re.DOTALL)
    markup = re.sub(r"<(script|style).*?</\1>", "", markup, flags=re.DOTALL)
    return re.sub(r"\s(on\w+|style)=(\"[^\"]*\"|'[^']*')", "", markup)


def test_not_trusted_the_graph_and_the_player_still_show_a_picture(executed):
    for data in outputs(executed)[4:6] + outputs(executed)[7:]:
        left = stripped(data["text/html"])
        assert "<iframe" not in left
        assert re.search(r'<img alt="[^"]+" src="data:image/svg\+xml;base64,', left)


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "stripped"])
def test_in_a_browser_every_display_can_be_seen(executed, tmp_path, trusted):
    parts = []
    for data in outputs(executed):
        shown = data.get("text/html") or data["image/svg+xml"]
        parts.append(f"<section>{shown if trusted else stripped(shown)}</section>")
    path = tmp_path / "notebook.html"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>A notebook</title>'
    path.write_text(head + "\n".join(parts), encoding="utf-8")
    with chromium() as browser, page_of(browser, path) as page:
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.wait_for_function("[...document.images].every(i => i.complete)")
        sizes = page.evaluate("[...document.images].map(i => i.naturalWidth)")
        assert len(sizes) >= 4
        assert min(sizes) > 0
        if trusted:
            frame = page.frame_locator("iframe")
            frame.locator("#next").click()
            assert frame.locator("#count").inner_text().startswith("2 of")


def test_nbconvert_makes_a_page_of_it(executed, tmp_path):
    nbconvert = needs("nbconvert")
    page, _ = nbconvert.HTMLExporter().from_notebook_node(executed)
    assert "data:image/svg+xml;base64," in page
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
