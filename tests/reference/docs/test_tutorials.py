"""Tutorials and how-tos: their commands print what the pages show, as they stand there."""

import re
from pathlib import Path

import pytest

from holdover.model.clients.profile import FACTS
from tests.checkout import ROOT
from tests.reference.docs.tutorial import blocks, play

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("how-to/*.md")])

OUT_OF_REACH = ("eth0", "systemctl", "apt-get", "lab ", "Server", "pip")
"""What a command that is not run needs: an interface, a service, minutes, a network."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_prints_what_the_page_shows(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block, said in play(text):
        assert "Traceback" not in said
        assert said == (block.output or ""), block.text


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
