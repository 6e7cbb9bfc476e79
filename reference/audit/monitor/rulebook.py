"""How often each rule was kept and broken, and why the others cannot be decided.

Theory of operation.  The rules are R1 to R43 of `model/clients/requirements.toml`; their words,
sections and strengths stand there.  The checks (`wire_checks.py`) and the findings say "kept" or
"broken"; what neither touches is unknown, and `UNSEEN` says why for the rules that no capture can
show.

The verdict of an audit (`judge_all`) is *violated* where there is a finding, and where a duty was
broken; a rule that only advises (SHOULD, MAY) is told, and changes nothing (decision 49).

What it does not know: what any rule means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from holdover.model.clients.requirements import Requirement, protocol
from holdover.proofs.result import Outcome
from holdover.reference.audit.monitor.results import (
    EXAMPLES,
    AuditFinding,
    Breach,
    OpenQuestion,
    RuleVerdict,
)
from holdover.reference.audit.observations import Where
from holdover.reference.core.instants import Instant

UNSEEN: Mapping[str, str] = {
    "R5": "only the host knows from when its clock counts; a use past the latest end breaks R3",
    "R7": "a client may have reasons not to resume",
    "R8": "whether a host uses the remainder is seen only where it uses too much: R3",
    "R11": "a client may renew early, and T1 and T2 are fuzzed",
    "R19": "that a reply was discarded is not seen",
    "R21": "when the host started is not seen",
    "R22": "whether a retransmission was the last one is the client's to say",
    "R31": "a server probes by ICMP as well, and it may do so elsewhere",
    "R33": "that a record is durable shows only where it is lost",
    "R34": "whether the server has a record is not seen",
    "R36": "clocks that are set and suspends are not seen",
    "R40": "an announcement looks like any other request",
    "R41": "not every client defends its address (RFC 5227 §2.4)",
    "R42": "whether IPv4 is off is not seen",
    "R43": "no DHCPFORCERENEW was seen, or whether it was authentic is not known",
}
"""Why what was given does not decide a rule, where no other reason is known."""

NOT_MET = "nothing that was seen puts it to the test"

ADVISABLE = ("SHOULD", "SHOULD NOT", "MAY", "ours")
"""Strengths of a rule that is no duty: RFC 2119's, and that of rules which no RFC has."""

NOT_HELD_AGAINST: Mapping[str, str] = {
    "R20": "the checks see its SHOULD alone: how long a client waits, and not whether that grows",
    "R38": "RFC 6842 §3 wants what RFC 2131 Table 3 forbids: a server may follow either",
    "R39": "RFC 5227 binds who implements it, and RFC 2131 wants any probe at all, as a SHOULD",
}
"""Rules with a MUST that somebody may break, as far as is seen, and conform to RFC 2131."""


def requirements() -> Mapping[str, Requirement]:
    """R1 to R43, by their names."""
    return {each.id: each for each in protocol()}


def is_duty(rule: str) -> bool:
    """Whether who breaks a rule, as far as it is looked at, has broken more than an advice."""
    return rule not in NOT_HELD_AGAINST and requirements()[rule].strength not in ADVISABLE


def broken_duties(rules: Mapping[str, RuleVerdict]) -> list[str]:
    """The names of the rules that were broken, and are duties."""
    return [name for name, each in rules.items() if each.outcome == "violated" and is_duty(name)]


def judge_all(
    findings: Collection[AuditFinding],
    rules: Mapping[str, RuleVerdict],
    questions: Collection[OpenQuestion],
) -> Outcome:
    """The verdict of an audit."""
    if findings or broken_duties(rules):
        return "violated"
    return "unknown" if questions else "holds"


class Rulebook:
    """The tally of an audit."""

    def __init__(self) -> None:
        self._kept: Counter[str] = Counter()
        self._broken: Counter[str] = Counter()
        self._breaches: dict[str, list[Breach]] = {}
        self._why: dict[str, dict[str, None]] = {}

    def keep(self, rule: str) -> None:
        """The rule was put to the test and kept."""
        self._kept[rule] += 1

    def break_(
        self, rule: str, where: Where, at: Instant, hardware: bytes | None, says: str
    ) -> None:
        """The rule was not kept."""
        self._broken[rule] += 1
        breaches = self._breaches.setdefault(rule, [])
        if len(breaches) < EXAMPLES:
            breaches.append(Breach(where, at, hardware, says))

    def leave_open(self, rule: str, why: str) -> None:
        """The rule was met, and what was seen does not decide it."""
        reasons = self._why.setdefault(rule, {})
        if len(reasons) < EXAMPLES:
            reasons[why] = None

    def judge(
        self, good: bool, rule: str, where: Where, at: Instant, hardware: bytes | None, says: str
    ) -> None:
        """Kept or broken."""
        if good:
            self.keep(rule)
        else:
            self.break_(rule, where, at, hardware, says)

    def verdicts(self) -> dict[str, RuleVerdict]:
        """One for each rule, in their order."""
        return {each.id: self._verdict(each.id) for each in protocol()}

    def _verdict(self, rule: str) -> RuleVerdict:
        why = tuple(self._why.get(rule, ()))
        kept, broken = self._kept[rule], self._broken[rule]
        outcome: Outcome
        if broken:
            outcome = "violated"
        elif kept and not why:
            outcome = "holds"
        else:
            outcome = "unknown"
            why = why or (UNSEEN.get(rule, NOT_MET),)
        return RuleVerdict(
            rule=rule,
            outcome=outcome,
            kept=kept,
            broken=broken,
            breaches=tuple(self._breaches.get(rule, ())),
            why=why,
        )
