"""Debian's Chromium looks at pages as a person would: what it shows, says and refuses.

Theory of operation.  `chromium` starts one browser, driven by Playwright, which is told where it
is and downloads none.  Debian has it with windows and without.  The one without takes half the
time, for the other draws a window for each page.  A `Visit` is one page in it, of a size and a
colour scheme, without any network; it keeps what the browser complains of and what it asks for, and
`complaints` of axe-core are those on WCAG 2.2 A and AA and on best practice.

What it does not know: other browsers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium-headless-shell", "chromium")
"""Debian's packages, and what they bring; the first that is there is taken."""

WIDE, NARROW = (1280, 900), (390, 844)
"""Pixels of a screen on a desk, and of a telephone."""

VIOLATIONS = """() => axe.run(document, {resultTypes: ["violations"]})
  .then((found) => found.violations)"""
"""All rules are asked; what is said of those that a page keeps is half a megabyte."""

Scheme = Literal["light", "dark"]


def program() -> str | None:
    """Where the browser is."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def missing() -> str:
    """Why no browser can be had; empty: it can."""
    if program() is None:
        return f"there is no chromium: apt-get install {PROGRAMS[0]}"
    absent = [n for n in ("playwright", "axe_playwright_python") if find_spec(n) is None]
    return f"not installed: {', '.join(absent)} (pip install -e '.[dev]')" if absent else ""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; it ends with the block."""
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox refuses to begin as root.
    given = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=given)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that is open, and what was heard of it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """What is written there."""
        return self.page.locator(selector).first.inner_text()

    def click(self, selector: str) -> None:
        """A click on the first of these."""
        self.page.locator(selector).first.click()

    def press(self, *keys: str) -> None:
        """Keys, one after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def ask(self, script: str, given: Any = None) -> Any:
        """What a script says in the page."""
        return self.page.evaluate(script, given)

    def look(self, size: tuple[int, int], scheme: Scheme) -> None:
        """The same page on a screen of another size, in another colour scheme."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme=scheme)

    def accessibility(self) -> list[str]:
        """What axe-core has against the page as it is now."""
        if not self.ask("() => 'axe' in window"):
            axe = resources.files("axe_playwright_python") / "axe.min.js"
            self.page.evaluate(axe.read_text("utf-8"))
        violations = self.ask(VIOLATIONS)
        return [
            f"{each['id']}: {each['help']}: {node['html'][:120]}"
            for each in violations
            for node in each["nodes"]
        ]


@contextmanager
def visit(
    browser: Browser,
    file: Path,
    *,
    step: int | None = None,
    size: tuple[int, int] = WIDE,
    scheme: Scheme = "light",
    scripts: bool = True,
) -> Iterator[Visit]:
    """A page in a context of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=scripts,
        offline=True,
    )
    seen = Visit(context.new_page())
    seen.page.set_default_timeout(10_000)  # ms; what is there is there at once, but CI is busy
    seen.page.on("console", lambda said: seen.complaints.append(f"{said.type}: {said.text}"))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.asked.append(request.url))
    seen.page.goto(file.as_uri() + ("" if step is None else f"#{step}"))
    yield seen
    context.close()
