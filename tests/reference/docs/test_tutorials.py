"""Tutorials and how-tos: their commands print what the pages show, as they stand there."""

import re
from pathlib import Path

import pytest

from holdover.model.clients.profile import FACTS
from tests.checkout import ROOT
from tests.reference.docs.tutorial import blocks, needs_more, play

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("how-to/*.md")])
OURS = [page for page in PAGES if not needs_more(page)]

OUT_OF_REACH = ("eth0", "systemctl", "apt-get", "lab ", "Server", "pip")
"""What a command that is not run needs: an interface, a service, minutes, a network."""


def is_as_shown(page: Path) -> None:
    for block, said in play(page.read_text(encoding="utf-8")):
        assert "Traceback" not in said
        assert said == (block.output or ""), block.text


@pytest.mark.kept("pages that are played")
@pytest.mark.parametrize("page", OURS, ids=lambda page: page.stem)
def test_each_command_prints_what_the_page_shows(page: Path) -> None:
    is_as_shown(page)


@pytest.mark.parametrize("page", [p for p in PAGES if p not in OURS], ids=lambda page: page.stem)
def test_so_do_those_beside_which_other_programs_are_run(page: Path) -> None:
    is_as_shown(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_not_run_says_why(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = list(blocks(text))
    assert text.count("```sh\n") == len(found)
    for block in found:
        assert block.not_run is None or any(word in block.text for word in OUT_OF_REACH)


def test_the_source_is_asked_about_every_fact() -> None:
    page = (DOCS / "how-to/profile-from-source.md").read_text(encoding="utf-8")
    asked = re.findall(r"^\| `(\w+)` \| .*\? ", page.replace("? |", "?  |"), re.MULTILINE)
    assert asked == list(FACTS)
