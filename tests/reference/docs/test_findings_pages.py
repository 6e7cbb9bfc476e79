"""The pages of findings: each has a command, an expectation, a sentence of an RFC, and a trace."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.commands.lab import find_fault_by_any_name
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS
from tests.checkout import ROOT
from tests.measure import findings
from tests.measure.findings import Finding, is_as_expected, shortened, words_of

ALL = findings.findings()

HEADS = ("Steps", "What happens", "The sentence", "Harm", "Proposed change", "Where in the source")


def quotes() -> set[str]:
    """The sentences of RFCs that the project has read."""
    said = set()
    for name, key in (("statements", "statement"), ("requirements", "rule")):
        text = (ROOT / "model" / "clients" / f"{name}.toml").read_text("utf-8")
        said |= {each["quote"] for each in tomllib.loads(text)[key] if "quote" in each}
    return said


@pytest.mark.parametrize("found", ALL, ids=lambda found: found.page.stem)
def test_a_page_has_all_that_a_maintainer_needs(found: Finding) -> None:
    text = found.page.read_text("utf-8")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == HEADS
    (quote,) = re.findall(r"^> (.+)$", text, re.MULTILINE)
    assert quote in quotes(), "a sentence that the project has not read"
    assert found.client in CLIENTS
    assert found.server in SERVERS
    assert find_fault_by_any_name(found.words[found.words.index("--fault") + 1]) is not None


@pytest.mark.parametrize("found", ALL, ids=lambda found: found.page.stem)
def test_what_was_measured_is_as_the_page_expects(found: Finding) -> None:
    (region,) = findings.REGION.findall(found.page.read_text("utf-8"))
    seen = dict(re.findall(r"^\| (\S+) \| (.+) \|$", region, re.MULTILINE))
    least = findings.LEAST.fullmatch(found.expected)
    if least is None:
        assert seen["verdict"] == found.expected
    else:
        assert float(seen[f"`{least[1]}`"]) >= int(least[2])
    assert CLIENTS[found.client].name in seen["versions"]
    assert "DHCPACK to client's host" in region


def test_there_are_ten_at_least_of_debian_and_the_list_has_all() -> None:
    assert sum(each.in_debian for each in ALL) >= 10
    assert findings.INDEX.read_text("utf-8") == findings.index(ALL)


# What is expected --------------------------------------------------------------------------------


def cell(**more: Any) -> dict[str, Any]:
    return {"outcome": "violated", "severity": "for ever", "reason": "", "declined": 12} | more


@pytest.mark.parametrize(
    ("expected", "seen", "good"),
    [
        ("late: for ever", cell(), True),
        ("late: for ever", cell(severity="under 1 s"), False),
        ("late: for ever", cell(outcome="holds", severity=""), False),
        ("late: for ever", cell(outcome="unknown", reason="no frames"), False),
        ("holds", cell(outcome="holds", severity=""), True),
        ("declined >= 12", cell(), True),
        ("declined >= 13", cell(), False),
        ("declined >= 1", cell(outcome="unknown"), False),
        ("nosuch >= 1", cell(), False),
    ],
)
def test_what_is_expected_is_the_labs_word_or_a_figure(
    expected: str, seen: dict[str, Any], good: bool
) -> None:
    found = Finding(Path("x.md"), "x", (), expected)
    assert is_as_expected(found, seen) is good


def test_the_words_of_a_cell_are_the_labs() -> None:
    assert words_of(cell()) == "late: for ever"
    assert words_of(cell(outcome="unknown", reason="no frames")) == "unknown: no frames"


def test_a_page_without_a_command_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    page.write_text("# x\n\nExpect: `holds`\n")
    with pytest.raises(ValueError, match="0 commands, 1 expectations"):
        findings.finding(page)


def test_a_long_trace_has_its_ends() -> None:
    lines = [f"{number}" for number in range(100)]
    short = shortened(lines)
    assert (short[0], short[-1], len(short)) == ("0", "99", findings.LONGEST + 1)
    assert "(76 more)" in short[findings.LONGEST // 2]
    assert shortened(lines[:24]) == lines[:24]
