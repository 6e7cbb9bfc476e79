"""docs/audit.md: its commands do what it says, as they stand there."""

import shutil

import pytest

from tests.checkout import ROOT
from tests.reference.docs.tutorial import Block, blocks, play

PAGE = (ROOT / "docs/audit.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played() -> list[tuple[Block, str]]:
    return list(play(PAGE))


@pytest.mark.kept("the audit's page")
def test_each_command_prints_what_the_page_shows(played: list[tuple[Block, str]]) -> None:
    assert len(played) >= 6 + (shutil.which("tshark") is not None)
    for block, said in played:
        assert "Traceback" not in said
        if block.output is None:
            assert said == "", block.text
        else:
            assert said == block.output, block.text


def test_what_is_not_run_says_why_and_is_what_no_test_can_run() -> None:
    left = [block for block in blocks(PAGE) if block.not_run is not None]
    assert len(left) == 4
    assert all(block.not_run for block in left)
    assert all("eth0" in block.text or "tcpdump" in block.text for block in left)
    assert PAGE.count("```sh\n") == len(list(blocks(PAGE)))
