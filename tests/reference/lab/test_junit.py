"""A run of the lab as tests of other programs: what fails, what it says; nothing unknown passes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from xml.etree import ElementTree

import pytest

from holdover.reference.lab.experiments.experiment import Cell, Outcome
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import Severity, Verdict
from holdover.reference.lab.record.measure import FOREVER, Measurement, Unknown
from holdover.reference.lab.report.junit import sentence, tap, write_junit
from holdover.reference.lab.report.report import LONGEST_NAME, show_cell, slug
from holdover.reference.lab.testbed.command_line import client_from_command
from holdover.reference.lab.testbed.servers import SERVERS

CELL = Cell(
    client=client_from_command("strange#one {iface}"),
    server=SERVERS["holdover"],
    fault=FAULTS["server killed"],
    lease=10,
)
SEEN = Measurement(
    address=IPv4Address("10.77.0.50"),
    lease=10,
    holdover=-2.0,
    at_least=-2.0,
    uncertainty=0.05,
    enforcer="process",
    after_nak=None,
    duplicate=0.0,
    answered=0,
)


def said(holdover: float, place: Path = Path(), nak: float | None = None) -> Verdict:
    cell = CELL if nak is None else replace(CELL, fault=FAULTS["NAK"])
    at_least = 15.0 if holdover == FOREVER else holdover
    seen = replace(SEEN, holdover=holdover, at_least=at_least, after_nak=nak)
    late = holdover > 0 or (nak is not None and nak > 1)
    outcome = Outcome(cell, seen, place, 17.5)
    return Verdict(outcome, "late" if late else "holds", "", None)


UNKNOWN = Verdict(Outcome(CELL, Unknown("it never asked"), Path(), 3.0), "unknown", "no", None)


def test_a_records_folder_has_the_name_of_its_cell_and_a_long_one_a_shorter() -> None:
    cell = replace(CELL, client=client_from_command("udhcpc -i {iface}"))
    assert slug(Verdict(replace(UNKNOWN.outcome, cell=cell), "unknown", "", None)) == (
        "udhcpc-i-iface-holdover-server-killed-run-1"
    )
    names = []
    for word in ("first", "second"):
        command = f"sh -c '{'true; ' * 99} echo {word}; {'true; ' * 99}'"
        cell = replace(CELL, client=client_from_command(command))
        names.append(slug(Verdict(replace(UNKNOWN.outcome, cell=cell), "unknown", "", None)))
    assert names[0] != names[1]
    assert all(len(name) <= LONGEST_NAME for name in names)
    assert names[0].startswith("sh-c-true")
    assert names[0].endswith("run-1")


@pytest.mark.parametrize(
    ("holdover", "severity"),
    [
        (-2.0, ""),
        (0.4, "under 1 s"),
        (1.0, "under one lease"),
        (9.9, "under one lease"),
        (10.0, "one lease or more"),
        (FOREVER, "for ever"),
    ],
)
def test_how_late_a_client_was_has_a_word(holdover: float, severity: Severity) -> None:
    each = said(holdover)
    assert each.severity == severity
    assert str(show_cell([each])).endswith(f"late: {severity}" if severity else "holds")


def test_after_a_dhcpnak_it_is_late_from_then_on() -> None:
    """The lease was not over yet; the right to the address was."""
    each = said(-3.0, nak=6.0)
    assert each.severity == "under one lease"
    assert sentence(each) == (
        "the address was held until 3.00 s before the lease end; "
        "it was kept for 6.00 s after the DHCPNAK"
    )


def test_of_repeats_the_gravest_is_shown() -> None:
    assert str(show_cell([said(-2), said(FOREVER), said(0.5)])).endswith("late: for ever")


def test_nothing_is_told_of_what_is_not_known() -> None:
    assert UNKNOWN.severity == ""
    assert str(show_cell([UNKNOWN])) == "unknown"


def test_junit_has_times_facts_and_words(tmp_path: Path) -> None:
    (tmp_path / "client.log").write_text("    1.000 out bound\x00\n")
    verdicts = [said(-2, tmp_path), said(FOREVER), UNKNOWN]
    write_junit(tmp_path / "lab.xml", verdicts, {"system": "Linux"})
    suite = ElementTree.parse(tmp_path / "lab.xml").getroot()
    counts = [suite.get(key) for key in ("tests", "failures", "errors", "time")]
    assert counts == ["3", "1", "1", "38.000"]
    good, late, unknown = suite.iter("testcase")
    assert good.get("time") == "17.500"
    assert "1.000 out bound\\x00" in (good.findtext("system-out") or "")
    facts = {each.get("name"): each.get("value") for each in late.iter("property")}
    assert (facts["verdict"], facts["severity"]) == ("late", "for ever")
    assert facts["holdover"] == "unbounded"
    (failure,) = late.iter("failure")
    assert failure.get("message") == (
        "late: for ever: the address was held to the end of the watch, 15.00 s after the lease end"
    )
    assert [each.get("type") for each in unknown.iter("error")] == ["unknown"]
    assert good.find("failure") is good.find("error") is None


def test_tap_has_a_line_a_cell_and_passes_nothing_that_is_unknown() -> None:
    lines = tap([said(-2), said(0.5), UNKNOWN]).splitlines()
    assert lines[:2] == ["TAP version 13", "1..3"]
    results = [line for line in lines if line.startswith(("ok", "not ok"))]
    assert [line.partition(" - ")[0] for line in results] == ["ok 1", "not ok 2", "not ok 3"]
    assert "strange\\#one {iface}, holdover, server killed, 10 s, run 1" in results[0]
    assert '  severity: "under 1 s"' in lines
    assert not any("SKIP" in line or "TODO" in line for line in lines)
