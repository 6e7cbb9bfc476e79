"""An audit as JSON has exactly one form of the schema."""

import json
from typing import Any, get_args

import pytest

from holdover.reference.audit.monitor.results import Audit, BlameKind
from holdover.reference.audit.report.data import SCHEMA, audit_data
from holdover.reference.audit.report.words import choose_rules
from holdover.reference.console.output import text_of_document
from tests.reference.audit.report.audits import HOLDS, ODD, UNKNOWN, VIOLATED
from tests.schemas import checked_text, schemas


def document(audit: Audit) -> Any:
    return checked_text(text_of_document(SCHEMA, audit_data(audit)))


@pytest.mark.parametrize("audit", [VIOLATED, UNKNOWN, HOLDS, ODD, choose_rules(VIOLATED, ["R3"])])
def test_it_has_the_form(audit: Audit) -> None:
    assert document(audit)["verdict"] == audit.verdict


def test_a_finding_has_what_the_issue_of_a_report_needs() -> None:
    (finding,) = document(VIOLATED)["findings"]
    assert (finding["kind"], finding["rule"], finding["address"]) == (
        "client_holdover",
        "R3",
        "10.0.0.57",
    )
    assert finding["mac"] == "02:00:00:00:00:01"
    assert (finding["holdover_s"], finding["duplicate_s"]) == (12.4, 7.25)
    assert finding["uncertainty_s"] == 0.05
    first, line, _ = finding["evidence"]
    assert (first["file"], first["frame"], first["unit"]) == ("office.pcap", 4, "frame")
    assert first["time"] == "2026-11-28T14:00:00.000000000Z"
    assert (line["file"], line["frame"], line["unit"]) == ("host.log", 3, "line")


def test_what_is_not_known_is_null_and_no_end_is_unbounded() -> None:
    (finding,) = document(ODD)["findings"]
    assert (finding["mac"], finding["until"], finding["unless_missed"]) == (None, None, None)
    assert finding["evidence"][0]["time"] is None
    lease = document(VIOLATED)["addresses"][0]["leases"][1]
    assert (lease["end"], lease["over_by"]) == ("unbounded", "DHCPRELEASE")


def test_a_rule_that_was_not_asked_for_is_null() -> None:
    rules = document(choose_rules(VIOLATED, ["R3"]))["rules"]
    assert len(rules) == 43
    assert rules["R3"]["outcome"] == "violated"
    assert [name for name, rule in rules.items() if rule is not None] == ["R3"]


def test_kinds_are_those_of_the_monitor() -> None:
    said = schemas()["$defs"]["audit_finding"]["properties"]["kind"]["enum"]
    assert said == list(get_args(BlameKind))


def test_it_is_json_without_numbers_that_are_none() -> None:
    text = text_of_document(SCHEMA, audit_data(VIOLATED))
    json.loads(text, parse_constant=lambda word: pytest.fail(word))
