"""What a newcomer asks is answered within three clicks of the site's first page.

Each task goes by links as their text stands on the page, in a real browser, and ends where the
answer can be read.  What the answer is was looked up by other means: the command, or the RFC.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdover.reference.docs.site.built import CLICKS
from holdover.reference.explanation.page import LARGEST
from tests.browser import NARROW, WIDE, Visit, visit
from tests.checkout import ROOT
from tests.kept_families import MODULE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.kept("the site", by=MODULE)

TASKS = {
    "how long a server must wait": (
        ["grace and lease of your server"],
        ["safe grace: 19.282 s (lease 86400 s, networkd)", "valid-lifetime"],
    ),
    "how long that of your own client": (
        ["grace and lease of your server", "commands"],
        ["holdover grace", "--drift-ppm"],
    ),
    "why a client is late": (
        ["check your client"],
        [
            "here the lease is over; h1 still holds a1",
            "Cause: the address has no kernel lifetime (enforcer).",
        ],
    ),
    "the bug beside its fix": (
        ["Step through it: click OK in time, or do not"],
        ["Windows for Workgroups 3.11", "wfwg311-fixed"],
    ),
    "the fix in a line": (
        ["the bug in ten minutes"],
        ['trigger = "lapse" (is "acknowledge"): holds', "wfwg311-fixed: holds - theorem T3"],
    ),
    "which sentence of an RFC forbids it": (
        ["rules"],
        ["If the lease expires before the client receives a DHCPACK", "MUST immediately stop"],
    ),
    "start the lab": (["the lab"], ["holdover lab list", "holdover lab run --client"]),
}
"""A task: the links, by their text; and what stands on the page to which they lead."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built and judged by `.ci/check site`: so `.ci/run` leaves that to these tests."""
    place = tmp_path_factory.mktemp("site")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / ".ci" / "check", "site"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SITE": str(place), "PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "site"


def follow(seen: Visit, links: list[str]) -> None:
    """Click on each link, which is to be seen in the text of the page and not in its menu."""
    for text in links:
        link = seen.page.locator("article").get_by_role("link", name=text, exact=True).first
        link.scroll_into_view_if_needed()
        link.click()
        seen.page.wait_for_load_state()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("task", TASKS)
def test_a_newcomer_finds(browser: Browser, site: Path, task: str, size: tuple[int, int]) -> None:
    links, answers = TASKS[task]
    assert len(links) <= CLICKS
    with visit(browser, site / "index.html", size=size) as seen:
        assert [answer for answer in answers if answer in said(seen)] == []
        follow(seen, links)
        assert [answer for answer in answers if answer not in said(seen)] == []
        assert seen.complaints == []


def said(seen: Visit) -> str:
    """All that can be read on a page, in a line."""
    return " ".join(seen.page.locator("body").inner_text().split())


@pytest.mark.parametrize(
    "page", ["index", "rules", "matrix", "theorems/t3", "how-to/grace", "state-diagram"]
)
def test_axe_finds_nothing(browser: Browser, site: Path, page: str) -> None:
    """Dark on a telephone, where more of a page scrolls."""
    with visit(browser, site / f"{page}.html", size=WIDE, scheme="light") as seen:
        assert seen.accessibility() == []
        seen.look(NARROW, "dark")
        assert seen.accessibility() == []


def test_from_the_first_page_the_fix_is_seen_beside_the_bug(browser: Browser, site: Path) -> None:
    """The page is the one that the command writes, and it works where the site has it."""
    assert (site / "bug.html").stat().st_size < LARGEST
    with visit(browser, site / "index.html") as seen:
        follow(seen, ["Step through it: click OK in time, or do not"])
        seen.press("End")
        verdicts = [seen.text(f"#course-{n} .holdings dd") for n in (0, 1)]
        assert verdicts == ["✕ broken", "✓ holds"]
        assert seen.complaints == []


def test_search_finds_what_is_asked_without_a_network(browser: Browser, site: Path) -> None:
    with visit(browser, site / "index.html") as seen:
        seen.page.locator(".sidebar-search").first.fill("relinquish")
        seen.page.locator(".sidebar-search").first.press("Enter")
        # Results come one after the other.
        found = seen.page.locator("#search-results li a", has_text=re.compile(r"^\s*Rules\s*$"))
        found.wait_for()
        assert all(asked.startswith("file:") for asked in seen.asked)
