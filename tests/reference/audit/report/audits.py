"""Audits by hand, for tests of what is told of them: instants in seconds after 2026-11-28 14:00."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from holdover.model.clients.requirements import protocol
from holdover.reference.audit.monitor.results import (
    AddressTimeline,
    Audit,
    AuditFinding,
    Breach,
    Evidence,
    LeaseSpan,
    OpenQuestion,
    Premises,
    RuleVerdict,
    UseSpan,
)
from holdover.reference.audit.observations import Coverage, Gap, Unreadable, Where
from holdover.reference.core.instants import SECOND, Instant

BEGIN = 1_795_874_400 * SECOND
"""2026-11-28 14:00:00 UTC."""

A, B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ADDRESS, SERVER = IPv4Address("10.0.0.57"), IPv4Address("10.0.0.1")
CAPTURE, LOG = "office.pcap", "host.log"
HOSTILE = '<script>alert("x")</script>\x1b[2J\u202e'
SENTENCE = (
    "10.0.0.57 was used by 02:00:00:00:00:01 for 12.4 s after its lease ended at 14:10:00; the "
    "server had given it to 02:00:00:00:00:02; the client is at fault: RFC 2131 §4.4.5"
)


def at(seconds: float) -> Instant:
    return BEGIN + int(seconds * SECOND)


def frame(number: int) -> Where:
    return Where(CAPTURE, number)


FINDING = AuditFinding(
    kind="client_holdover",
    rule="R3",
    section="RFC 2131 §4.4.5",
    address=ADDRESS,
    hardware=A,
    server=SERVER,
    since=at(600),
    until=at(612.4),
    holdover_s=12.4,
    duplicate_s=7.25,
    uncertainty_s=0.05,
    unless_missed=4,
    evidence=(
        Evidence(frame(4), at(0), "DHCPACK: 10.0.0.57 to 02:00:00:00:00:01 for 600 s"),
        Evidence(Where(LOG, 3), at(601), "it has 10.0.0.57"),
        Evidence(frame(9), at(612.4), "ARP from 02:00:00:00:00:01 as 10.0.0.57"),
    ),
    sentence=SENTENCE,
    advice="Update its client.",
)

TIMELINE = AddressTimeline(
    address=ADDRESS,
    vlan=(20,),
    leases=(
        LeaseSpan(
            hardware=A,
            client_id=b"\x01" + A,
            server="10.0.0.1",
            begin=at(0),
            end=at(600),
            acks=2,
            where=frame(4),
        ),
        LeaseSpan(
            hardware=B,
            client_id=None,
            server="10.0.0.1",
            begin=at(604),
            end=None,
            over=at(620),
            over_by="DHCPRELEASE",
            where=frame(6),
        ),
    ),
    uses=(
        UseSpan(
            hardware=A,
            begin=at(1),
            end=at(599),
            frames=600,
            how="IP",
            entitled="yes",
            where=frame(5),
            last=frame(5),
        ),
        UseSpan(
            hardware=A,
            begin=at(601),
            end=at(612.4),
            frames=2,
            how="ARP, log",
            entitled="no",
            where=Where(LOG, 3),
            last=frame(9),
        ),
        UseSpan(
            hardware=B,
            begin=at(605.15),
            end=at(618),
            frames=9,
            how="ARP",
            entitled="unknown",
            where=frame(7),
            last=frame(10),
        ),
    ),
    overlaps=((at(605.15), at(612.4), A, B),),
)

RULES = {
    rule.id: RuleVerdict(rule=rule.id, outcome="unknown", why=("it is not seen on the wire",))
    for rule in protocol()
}
RULES["R3"] = RuleVerdict(rule="R3", outcome="violated", kept=1, broken=1)
RULES["R20"] = RuleVerdict(
    rule="R20",
    outcome="violated",
    kept=3,
    broken=1,
    breaches=(Breach(frame(2), at(-3), A, "again after 0.5 s"),),
)
BROKEN_DUTY = RuleVerdict(
    rule="R35",
    outcome="violated",
    broken=1,
    breaches=(Breach(frame(7), at(2), B, "DHCPACK without option 51"),),
)
RULES["R10"] = RuleVerdict(rule="R10", outcome="holds", kept=2)

QUESTION = OpenQuestion(
    about="10.0.0.60, used by 02:00:00:00:00:05", why="no DHCPACK was seen", where=frame(8)
)

VIOLATED = Audit(
    verdict="violated",
    findings=(FINDING,),
    addresses=(TIMELINE, AddressTimeline(address=IPv4Address("10.0.0.58"))),
    rules=RULES,
    open=(QUESTION,),
    gaps=(Gap(at(300), at(301), frame(5), "3 frames were dropped"),),
    unreadable=(Unreadable(None, frame(3), "option 51 goes on past the end"),),
    coverage=(
        Coverage(CAPTURE, at(-5), at(620), 10),
        Coverage(LOG, at(0), at(640), 0),
        Coverage("empty.pcap", None, None, 0),
    ),
    premises=Premises(missed=1, undelivered=2, drift=0.001, profile="dhcpcd"),
)

UNKNOWN = replace(VIOLATED, verdict="unknown", findings=(), rules={**RULES, "R3": RULES["R1"]})
HOLDS = replace(
    VIOLATED,
    verdict="holds",
    findings=(),
    open=(),
    gaps=(),
    unreadable=(),
    rules={name: RuleVerdict(rule=name, outcome="holds", kept=1) for name in RULES},
    coverage=VIOLATED.coverage[:1],
)
ODD = replace(
    VIOLATED,
    findings=(
        replace(
            FINDING,
            hardware=None,
            server=None,
            until=None,
            holdover_s=None,
            duplicate_s=None,
            unless_missed=None,
            sentence=HOSTILE,
            advice=HOSTILE,
            evidence=(Evidence(Where(HOSTILE, 1), 1 << 80, HOSTILE),),
        ),
    ),
    coverage=(Coverage(HOSTILE, None, None, 1),),
    open=(OpenQuestion(about=HOSTILE, why=HOSTILE),),
)
"""What strangers may have written, and all that may be missing."""
