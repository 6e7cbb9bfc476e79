"""What is printed of an audit."""

from dataclasses import replace

import pytest

from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.report.text import MOST_LINES, print_audit, shorten
from holdover.reference.audit.report.words import choose_rules, rfc3339, show_instant
from tests.reference.audit.report.audits import (
    BEGIN,
    BROKEN_DUTY,
    FINDING,
    HOLDS,
    ODD,
    SENTENCE,
    UNKNOWN,
    VIOLATED,
)


def told(audit: Audit, capsys: pytest.CaptureFixture[str]) -> str:
    print_audit(audit)
    return capsys.readouterr().out


def test_a_finding_is_a_sentence_then_evidence_then_advice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = told(VIOLATED, capsys)
    assert said.startswith("violated: 1 finding about 1 address\n")
    order = [
        f"1. {SENTENCE}",
        "client_holdover, R3 (RFC 2131 §4.4.5), holdover 12.40 s, two hosts at once for 7.25 s",
        "office.pcap: frame 4  2026-11-28 14:00:00.000000  DHCPACK: 10.0.0.57 to",
        "host.log: line 3  2026-11-28 14:10:01.000000  it has 10.0.0.57",
        "office.pcap: frame 9  2026-11-28 14:10:12.400000  ARP from",
        "excused only if 4 datagrams in a row",
        "what to do: Update its client.",
        "10.0.0.57, VLAN 20, UTC:",
    ]
    places = [said.index(each) for each in order]
    assert places == sorted(places)


def test_it_tells_what_it_did_not_see(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(VIOLATED, capsys)
    assert "10.0.0.60, used by 02:00:00:00:00:05: no DHCPACK was seen" in said
    assert "office.pcap: frame 5: 3 frames were dropped (2026-11-28 14:05:00.000000 to" in said
    assert "office.pcap: frame 3: option 51 goes on past the end" in said
    assert "empty.pcap: a text, nothing with a time" in said
    assert "up to 1 datagram in a row missed by all sources, 2 seen but not delivered" in said


def test_rules_that_were_broken_come_first_and_the_undecided_have_their_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = told(VIOLATED, capsys)
    assert said.index("R3 ") < said.index("R10 ")
    assert "R20  office.pcap: frame 2  2026-11-28 13:59:57.000000  02:00:00:00:00:01: again" in said
    (reason,) = (line for line in said.splitlines() if "it is not seen on the wire" in line)
    assert reason.split(":")[0].split(", ")[:2] == ["  R1", "R2"]
    assert "R3" not in reason.split(":")[0].split(", ")


def test_no_finding_is_no_pass_where_something_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(UNKNOWN, capsys).startswith(
        "unknown: no finding, but that is no pass: 10.0.0.60, used by 02:00:00:00:00:05: no DHCPACK"
    )
    assert told(HOLDS, capsys).startswith("holds: no finding: whoever was seen to use")


def test_a_broken_duty_without_a_finding_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    broken = replace(UNKNOWN, verdict="violated", rules={**UNKNOWN.rules, "R35": BROKEN_DUTY})
    assert told(broken, capsys).startswith(
        "violated: no finding about an address, but broken: R35; of the use of addresses not all "
    )
    clear = replace(HOLDS, verdict="violated", rules={**HOLDS.rules, "R35": BROKEN_DUTY})
    assert told(clear, capsys).splitlines()[0].endswith("about an address, but broken: R35")


def test_a_finding_that_breaks_no_rule_names_its_section(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rogue = replace(FINDING, kind="rogue_server", rule=None, section="RFC 2131 §7")
    said = told(replace(VIOLATED, findings=(rogue,)), capsys)
    assert "   rogue_server (RFC 2131 §7), holdover" in said


def test_a_stranger_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(ODD, capsys)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\\x1b[2J" in said


def test_a_long_list_is_cut_and_says_so() -> None:
    lines = [str(number) for number in range(MOST_LINES + 3)]
    assert shorten(lines)[-1] == "and 3 more; --json has all"
    assert shorten(lines[:MOST_LINES]) == lines[:MOST_LINES]


# Rules that somebody asks for --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "verdict", "findings"),
    [
        (["R3"], "violated", 1),
        (["R20"], "violated", 0),
        (["R10"], "holds", 0),
        (["R10", "R11"], "unknown", 0),
    ],
)
def test_of_chosen_rules_the_verdict_is_theirs(
    names: list[str], verdict: str, findings: int
) -> None:
    found = choose_rules(VIOLATED, names)
    assert (found.verdict, len(found.findings)) == (verdict, findings)
    assert set(found.rules) == set(names)


def test_a_rule_that_is_broken_without_a_finding_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = told(choose_rules(VIOLATED, ["R20"]), capsys)
    assert said.startswith("violated: no finding about an address, but broken: R20")


# Instants ----------------------------------------------------------------------------------------


def test_an_instant_has_all_its_digits() -> None:
    assert rfc3339(BEGIN + 123_456_789) == "2026-11-28T14:00:00.123456789Z"
    assert show_instant(BEGIN + 123_456_789) == "2026-11-28 14:00:00.123456"
    assert show_instant(BEGIN, day=False) == "14:00:00.000000"
    assert rfc3339(1) == "1970-01-01T00:00:00.000000001Z"


@pytest.mark.parametrize("instant", [1 << 80, -(1 << 80), 253402300800 * 10**9])
def test_what_has_no_date_is_told_in_seconds(instant: int) -> None:
    assert rfc3339(instant) is None
    assert show_instant(instant).endswith(" s after 1970")
