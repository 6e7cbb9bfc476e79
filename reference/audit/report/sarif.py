"""An audit as SARIF 2.1.0 (OASIS), for tools that collect findings of many programs.

Theory of operation.  Each rule of R1 to R43 is a rule of SARIF.  A finding is a result of level
*error*; a rule that was broken without anybody's address at stake is a *warning*, or a *note* where
the RFC only advises; what could not be decided is a result of kind *open*, which has level *none*.
A finding that breaks none of R1 to R43 is a result of a rule named after its kind.
So a pass by SARIF is never an unknown of ours.  Gaps and what could not be read are notifications
of the run, which was successful all the same.

SARIF has lines of texts and no frames of captures.  A line is a region; a frame is a logical
location of kind "frame", and is named in the location's message, which viewers show.

What it does not know: who reads it; SARIF's baselines, fixes and code flows.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from holdover.reference.audit.monitor.results import Audit, AuditFinding, OpenQuestion
from holdover.reference.audit.monitor.rulebook import is_duty, requirements
from holdover.reference.audit.observations import Where
from holdover.reference.audit.report.words import Places, breaches, rfc3339, show_hardware

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
"""Where SARIF's own schema is published; nobody here asks for it."""

STANDARD_INPUT = "-"
"""As a file's name; SARIF wants a reference, and a hyphen is one."""

OPEN = "undecided"
"""The rule of results that are about no rule of the RFCs."""

UNRULED = "rogue_server"
"""The rule of findings of that kind which break none of R1 to R43 (RFC 2131 §7 warns of them)."""


def sarif(audit: Audit) -> dict[str, Any]:
    """The log, with one run."""
    places = Places.of(audit)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver()},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": list(notifications(audit, places)),
                    }
                ],
                "artifacts": [
                    {"location": {"uri": uri(each.file)}, "roles": ["analysisTarget"]}
                    for each in audit.coverage
                ],
                "results": list(results(audit, places)),
                "properties": {"verdict": audit.verdict},
            }
        ],
    }


def driver() -> dict[str, Any]:
    """The program and its rules."""
    rules: list[dict[str, Any]] = [
        {
            "id": name,
            "shortDescription": {"text": each.says},
            "fullDescription": {"text": f"{each.says} ({each.section}, {each.strength})"},
            "defaultConfiguration": {"level": "warning" if is_duty(name) else "note"},
        }
        for name, each in requirements().items()
    ]
    rules.append(
        {"id": OPEN, "shortDescription": {"text": "What the sources cannot decide; no pass."}}
    )
    says = {"text": "A second server takes clients to another network (RFC 2131 §7)."}
    rules.append({"id": UNRULED, "shortDescription": says})
    version = metadata.version("holdover")
    return {"name": "holdover", "version": version, "semanticVersion": version, "rules": rules}


def results(audit: Audit, places: Places) -> Iterator[dict[str, Any]]:
    """Findings, rules that were broken, and what is open."""
    number = {each["id"]: index for index, each in enumerate(driver()["rules"])}
    for finding in audit.findings:
        yield of_finding(finding, number[finding.rule or UNRULED], places)
    for name, breach in breaches(audit):
        who = show_hardware(breach.hardware) or "somebody"
        yield {
            "ruleId": name,
            "ruleIndex": number[name],
            "kind": "fail",
            "level": "warning" if is_duty(name) else "note",
            "message": {"text": f"{who}: {breach.says}"},
            "locations": [location(breach.where, breach.says, places)],
        }
    for question in audit.open:
        yield of_open(question, number[OPEN], places)
    for name, rule in audit.rules.items():
        if rule.outcome == "unknown":
            why = "; ".join(rule.why) or "nothing put it to the test"
            yield {
                "ruleId": name,
                "ruleIndex": number[name],
                "kind": "open",
                "level": "none",
                "message": {"text": why},
            }


def of_finding(finding: AuditFinding, index: int, places: Places) -> dict[str, Any]:
    """A finding; where it is seen is its last evidence, and the others are related."""
    known = [location(each.where, each.what, places) for each in finding.evidence]
    for number, each in enumerate(known):
        each["id"] = number
    mac = show_hardware(finding.hardware) or ""
    return {
        "ruleId": finding.rule or UNRULED,
        "ruleIndex": index,
        "kind": "fail",
        "level": "error",
        "message": {"text": f"{finding.sentence} What to do: {finding.advice}"},
        "locations": known[-1:],
        "relatedLocations": known[:-1],
        "partialFingerprints": {"holdover/v1": "/".join((finding.kind, str(finding.address), mac))},
        "properties": {
            "kind": finding.kind,
            "section": finding.section,
            "address": str(finding.address),
            "mac": mac,
            "since": rfc3339(finding.since),
            "until": None if finding.until is None else rfc3339(finding.until),
            "holdover_s": finding.holdover_s,
            "duplicate_s": finding.duplicate_s,
            "uncertainty_s": finding.uncertainty_s,
        },
    }


def of_open(question: OpenQuestion, index: int, places: Places) -> dict[str, Any]:
    """What could not be decided."""
    found: dict[str, Any] = {
        "ruleId": OPEN,
        "ruleIndex": index,
        "kind": "open",
        "level": "none",
        "message": {"text": f"{question.about}: {question.why}"},
    }
    if question.where is not None:
        found["locations"] = [location(question.where, question.about, places)]
    return found


def notifications(audit: Audit, places: Places) -> Iterator[dict[str, Any]]:
    """What may be unseen, and what could not be read."""
    told = [(each.where, each.why) for each in audit.gaps]
    told += [(each.where, each.why) for each in audit.unreadable]
    for where, why in told:
        yield {
            "level": "warning",
            "message": {"text": why},
            "locations": [location(where, why, places)],
        }


def location(where: Where, what: str, places: Places) -> dict[str, Any]:
    """A line as a region; a frame as a logical location."""
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(where.file)}}
    found: dict[str, Any] = {
        "physicalLocation": physical,
        "message": {"text": f"{places.unit(where)} {where.number}: {what}"},
    }
    if places.is_frame(where):
        name = f"{where.file}#{where.number}"
        said = {"name": f"frame {where.number}", "fullyQualifiedName": name, "kind": "frame"}
        found["logicalLocations"] = [said]
    elif where.number > 0:
        physical["region"] = {"startLine": where.number}
    return found


def uri(file: str) -> str:
    """A file's name as a reference to it: relative as it was given, or absolute."""
    if file == STANDARD_INPUT:
        return file
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    base = Path("/")
    return (base / path).as_uri().removeprefix("file:///")
