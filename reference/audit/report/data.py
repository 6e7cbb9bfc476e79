"""An audit as JSON: what `holdover audit --json` prints.

Theory of operation.  Each object has the keys of its form in `console/schema.json`, and no other.
An instant is a string (RFC 3339, UTC, nine digits), a hardware address one with colons; null is
what nobody knows.  `frame` is the number of the evidence in its file, counted from 1: of a frame in
a capture, of a line in a text; `unit` says which.

What it does not know: how it is printed.
"""

from __future__ import annotations

from typing import Any

from holdover.reference.audit.monitor.results import (
    AddressTimeline,
    Audit,
    AuditFinding,
    Evidence,
    LeaseSpan,
    RuleVerdict,
    UseSpan,
)
from holdover.reference.audit.monitor.rulebook import requirements
from holdover.reference.audit.observations import Coverage, Gap, Unreadable, Where
from holdover.reference.audit.report.words import Places, rfc3339, show_hardware
from holdover.reference.core.instants import SECOND, Instant

SCHEMA = "audit"


def audit_data(audit: Audit) -> dict[str, Any]:
    """The document, without its schema and version."""
    places = Places.of(audit)
    return {
        "verdict": audit.verdict,
        "findings": [finding_data(each, places) for each in audit.findings],
        "addresses": [address_data(each, places) for each in audit.addresses],
        "rules": {
            name: None if name not in audit.rules else rule_data(audit.rules[name], places)
            for name in requirements()
        },
        "open": [
            {
                "about": each.about,
                "why": each.why,
                "where": None if each.where is None else where_data(each.where, places),
                "time": time_of(each.at),
            }
            for each in audit.open
        ],
        "gaps": [gap_data(each, places) for each in audit.gaps],
        "unreadable": [unreadable_data(each, places) for each in audit.unreadable],
        "sources": [source_data(each) for each in audit.coverage],
        "premises": {
            "missed": audit.premises.missed,
            "undelivered": audit.premises.undelivered,
            "drift_ppm": audit.premises.drift * 1e6,
            "profile": audit.premises.profile,
        },
    }


def finding_data(finding: AuditFinding, places: Places) -> dict[str, Any]:
    """A finding."""
    return {
        "kind": finding.kind,
        "rule": finding.rule,
        "section": finding.section,
        "address": str(finding.address),
        "mac": show_hardware(finding.hardware),
        "server": None if finding.server is None else str(finding.server),
        "since": rfc3339(finding.since),
        "until": time_of(finding.until),
        "holdover_s": finding.holdover_s,
        "duplicate_s": finding.duplicate_s,
        "uncertainty_s": finding.uncertainty_s,
        "unless_missed": finding.unless_missed,
        "sentence": finding.sentence,
        "advice": finding.advice,
        "evidence": [evidence_data(each, places) for each in finding.evidence],
    }


def evidence_data(evidence: Evidence, places: Places) -> dict[str, Any]:
    """A place, when, and what it shows."""
    where = where_data(evidence.where, places)
    return {**where, "time": rfc3339(evidence.at), "what": evidence.what}


def where_data(where: Where, places: Places) -> dict[str, Any]:
    """A place."""
    return {"file": where.file, "frame": where.number, "unit": places.unit(where)}


def address_data(line: AddressTimeline, places: Places) -> dict[str, Any]:
    """Who had an address when."""
    return {
        "address": str(line.address),
        "vlan": list(line.vlan),
        "leases": [lease_data(each, places) for each in line.leases],
        "uses": [use_data(each, places) for each in line.uses],
        "overlaps": [
            {
                "begin": rfc3339(begin),
                "end": rfc3339(end),
                "seconds": (end - begin) / SECOND,
                "macs": [show_hardware(one), show_hardware(other)],
            }
            for begin, end, one, other in line.overlaps
        ],
        "truncated": line.truncated,
    }


def lease_data(lease: LeaseSpan, places: Places) -> dict[str, Any]:
    """A lease, with its renewals."""
    return {
        "mac": show_hardware(lease.hardware),
        "client_id": None if lease.client_id is None else lease.client_id.hex(),
        "server": lease.server,
        "begin": rfc3339(lease.begin),
        "end": "unbounded" if lease.end is None else rfc3339(lease.end),
        "over": time_of(lease.over),
        "over_by": lease.over_by,
        "acks": lease.acks,
        "where": where_data(lease.where, places),
    }


def use_data(use: UseSpan, places: Places) -> dict[str, Any]:
    """A use of an address by a host."""
    return {
        "mac": show_hardware(use.hardware),
        "begin": rfc3339(use.begin),
        "end": rfc3339(use.end),
        "frames": use.frames,
        "how": use.how,
        "entitled": use.entitled,
        "first": where_data(use.where, places),
        "last": where_data(use.last, places),
    }


def rule_data(rule: RuleVerdict, places: Places) -> dict[str, Any]:
    """What was seen of a rule."""
    known = requirements()[rule.rule]
    return {
        "outcome": rule.outcome,
        "strength": known.strength,
        "section": known.section,
        "says": known.says,
        "kept": rule.kept,
        "broken": rule.broken,
        "breaches": [
            {
                **where_data(each.where, places),
                "time": rfc3339(each.at),
                "mac": show_hardware(each.hardware),
                "says": each.says,
            }
            for each in rule.breaches
        ],
        "why": list(rule.why),
    }


def gap_data(gap: Gap, places: Places) -> dict[str, Any]:
    """A time in which something may be unseen."""
    return {
        "since": time_of(gap.since),
        "until": time_of(gap.until),
        "where": where_data(gap.where, places),
        "why": gap.why,
    }


def unreadable_data(found: Unreadable, places: Places) -> dict[str, Any]:
    """A frame or a line that could not be read."""
    return {"time": time_of(found.at), "where": where_data(found.where, places), "why": found.why}


def source_data(source: Coverage) -> dict[str, Any]:
    """A file, and what of time it shows."""
    return {
        "file": source.file,
        "frames": source.frames,
        "begin": time_of(source.begin),
        "end": time_of(source.end),
    }


def time_of(at: Instant | None) -> str | None:
    """An instant that may not be known."""
    return None if at is None else rfc3339(at)
