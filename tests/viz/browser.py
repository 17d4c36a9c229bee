"""A real browser for the tests: offline, and deaf to nothing that goes wrong in a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import needs, needs_file, needs_program

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """An installed Chromium; none is ever downloaded."""
    program = needs_program(*CHROMIUM)
    playwright = needs("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Page:
    """A page that notes every request, every message and every error."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(offline=True, bypass_csp=True, **options)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message) or dialog.dismiss())
        self.page.on("request", self._request)
        self._own = path.as_uri()
        self.page.goto(self._own)

    def _request(self, request: Any) -> None:
        if request.url != self._own and not request.url.startswith("data:"):
            self.wrong.append(f"requested {request.url}")

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []


@contextmanager
def page_of(browser: Any, path: Path, **options: Any) -> Iterator[Any]:
    """Open a file as a page; whatever went wrong in it fails the test at the end."""
    opened = Page(browser, path, **options)
    yield opened.page
    opened.close()


def accessibility(page: Any) -> list[str]:
    """What axe-core has to say against a page."""
    page.add_script_tag(content=needs_file("AXE_PATH").read_text(encoding="utf-8"))
    result = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


TEXTS = """() => [...document.querySelectorAll('svg text')]
  .filter(t => t.textContent.trim() && t.getBoundingClientRect().width
               && getComputedStyle(t).visibility !== 'hidden')
  .map(t => { const b = t.getBoundingClientRect();
    const body = t.parentNode.querySelector(':scope > .body');
    const r = body ? body.getBoundingClientRect() : t.ownerSVGElement.getBoundingClientRect();
    return {text: t.textContent, x: b.x, y: b.y, w: b.width, h: b.height,
            inside: b.x >= r.x - 0.5 && b.right <= r.right + 0.5
                 && b.y >= r.y - 0.5 && b.bottom <= r.bottom + 0.5}; })"""


def texts_in_trouble(page: Any) -> list[str]:
    """Texts that overlap each other, or that leave their box or the picture."""
    texts = page.evaluate(TEXTS)
    trouble = [f"{t['text']!r} is clipped" for t in texts if not t["inside"]]
    for i, a in enumerate(texts):
        for b in texts[i + 1 :]:
            # Line boxes are taller than letters: a quarter of the height is air.
            across = min(a["x"] + a["w"], b["x"] + b["w"]) - max(a["x"], b["x"])
            down = min(a["y"] + a["h"], b["y"] + b["h"]) - max(a["y"], b["y"])
            if across > 0.5 and down > 0.25 * min(a["h"], b["h"]):
                trouble.append(f"{a['text']!r} overlaps {b['text']!r}")
    return trouble
