"""An audit as SARIF 2.1.0: the parts of its standard that it uses, as a schema of our own."""

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.report.sarif import OPEN, sarif, uri
from tests.reference.audit.report.audits import BROKEN_DUTY, FINDING, HOLDS, ODD, UNKNOWN, VIOLATED


def strict(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def many(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
MESSAGE = strict(("text",), text=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
ARTIFACT = strict(("uri",), uri={"type": "string", "pattern": "^[!-~]+$"})
LOCATION = strict(
    id=COUNT,
    physicalLocation=strict(
        ("artifactLocation",),
        artifactLocation=ARTIFACT,
        region=strict(startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations=many(strict(name=TEXT, fullyQualifiedName=TEXT, kind=TEXT)),
    message=MESSAGE,
)
RULE = strict(
    ("id",),
    id=TEXT,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    defaultConfiguration=strict(level=LEVEL),
)
RESULT = {
    **strict(
        ("message", "ruleId", "kind", "level"),
        ruleId=TEXT,
        ruleIndex=COUNT,
        kind={"enum": ["pass", "open", "informational", "notApplicable", "review", "fail"]},
        level=LEVEL,
        message=MESSAGE,
        locations=many(LOCATION),
        relatedLocations=many(LOCATION),
        partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
        properties={"type": "object"},
    ),
    # SARIF 2.1.0 §3.27.10: what is no failure has no level.
    "if": {"properties": {"kind": {"const": "fail"}}},
    "then": {"properties": {"level": {"enum": ["note", "warning", "error"]}}},
    "else": {"properties": {"level": {"const": "none"}}},
}
LOG = strict(
    ("version", "runs"),
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs=many(
        strict(
            ("tool",),
            tool=strict(
                ("driver",),
                driver=strict(
                    ("name",), name=TEXT, version=TEXT, semanticVersion=TEXT, rules=many(RULE)
                ),
            ),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            invocations=many(
                strict(
                    ("executionSuccessful",),
                    executionSuccessful={"type": "boolean"},
                    toolExecutionNotifications=many(
                        strict(("message",), level=LEVEL, message=MESSAGE, locations=many(LOCATION))
                    ),
                )
            ),
            artifacts=many(strict(location=ARTIFACT, roles=many(TEXT))),
            results=many(RESULT),
            properties={"type": "object"},
        ),
        least=1,
    ),
)


@pytest.mark.parametrize("audit", [VIOLATED, UNKNOWN, HOLDS, ODD])
def test_it_has_the_structure(audit: Audit) -> None:
    Draft202012Validator.check_schema(LOG)
    assert [e.message for e in Draft202012Validator(LOG).iter_errors(sarif(audit))] == []


def results(audit: Audit) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sarif(audit)["runs"][0]["results"]
    return found


def test_a_finding_is_an_error_with_its_evidence() -> None:
    (found,) = (each for each in results(VIOLATED) if each["level"] == "error")
    assert found["ruleId"] == "R3"
    assert found["message"]["text"].endswith("What to do: Update its client.")
    (seen,) = found["locations"]
    assert seen["logicalLocations"][0]["name"] == "frame 9"
    frame, line = found["relatedLocations"]
    assert frame["physicalLocation"] == {"artifactLocation": {"uri": "office.pcap"}}
    assert line["physicalLocation"]["region"] == {"startLine": 3}


def test_what_is_unknown_is_open_and_never_a_pass() -> None:
    kinds = {(each["ruleId"], each["kind"]) for each in results(UNKNOWN)}
    assert (OPEN, "open") in kinds
    assert ("R3", "open") in kinds
    assert "pass" not in {kind for _, kind in kinds}


def test_a_rule_that_is_broken_without_a_finding_is_a_warning_or_a_note() -> None:
    """Of R20 the checks see its SHOULD alone; R35 is a MUST."""
    (advice,) = (each for each in results(VIOLATED) if each["ruleId"] == "R20")
    assert (advice["kind"], advice["level"]) == ("fail", "note")
    duty = replace(VIOLATED, rules={**VIOLATED.rules, "R35": BROKEN_DUTY})
    (broken,) = (each for each in results(duty) if each["ruleId"] == "R35")
    assert (broken["kind"], broken["level"]) == ("fail", "warning")


def test_a_finding_that_breaks_no_rule_has_a_rule_of_its_own() -> None:
    """A second server of another network: RFC 2131 §7 warns of it, and forbids nothing."""
    rogue = replace(FINDING, kind="rogue_server", rule=None, section="RFC 2131 §7")
    log = sarif(replace(VIOLATED, findings=(rogue,)))
    found = log["runs"][0]["results"][0]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert (found["ruleId"], found["level"]) == ("rogue_server", "error")
    assert rules[found["ruleIndex"]]["id"] == "rogue_server"


def test_an_index_leads_to_its_rule() -> None:
    rules = sarif(VIOLATED)["runs"][0]["tool"]["driver"]["rules"]
    for each in results(VIOLATED):
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]


@pytest.mark.parametrize(
    ("file", "reference"),
    [
        ("a.pcap", "a.pcap"),
        ("my captures/ä.pcap", "my%20captures/%C3%A4.pcap"),
        ("/var/a.pcap", "file:///var/a.pcap"),
        ("-", "-"),
    ],
)
def test_a_file_is_a_reference(file: str, reference: str) -> None:
    assert uri(file) == reference
