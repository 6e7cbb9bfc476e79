"""One audit of many: each was made of the components of a partition, and none has another's.

Theory of operation.  Findings and timelines are put side by side, tallies of rules added up.  What
concerns everybody, as a gap, each partition has seen; it is told once.  A partition in which
nothing was to be decided says so of itself alone: the whole says it only where all do.

What it does not know: how an audit comes about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from holdover.proofs.result import Outcome
from holdover.reference.audit.monitor.results import EXAMPLES, Audit, OpenQuestion, RuleVerdict
from holdover.reference.audit.monitor.rulebook import NOT_MET, UNSEEN, judge_all
from holdover.reference.audit.observations import Coverage

EVERYTHING = "everything"
"""What an audit says is open where nothing was to be decided (`Conclusions.audit`)."""


def merge_audits(audits: Sequence[Audit], coverage: Sequence[Coverage]) -> Audit:
    """The audit of all partitions; there is one at least."""
    findings = sorted(
        (each for audit in audits for each in audit.findings),
        key=lambda each: (each.since, each.address, each.kind),
    )
    timelines = sorted(
        (each for audit in audits for each in audit.addresses),
        key=lambda each: (each.vlan, each.address),
    )
    asked: dict[tuple[str, str], OpenQuestion] = {}
    for audit in audits:
        for question in audit.open:
            asked.setdefault((question.about, question.why), question)
    if any(not is_empty(audit) for audit in audits):
        asked = {key: each for key, each in asked.items() if each.about != EVERYTHING}
    rules = {name: add_rules([audit.rules[name] for audit in audits]) for name in audits[0].rules}
    return replace(
        audits[0],
        verdict=judge_all(findings, rules, asked.values()),
        findings=tuple(findings),
        addresses=tuple(timelines),
        rules=rules,
        open=tuple(asked.values()),
        gaps=tuple(dict.fromkeys(gap for audit in audits for gap in audit.gaps)),
        coverage=tuple(coverage),
    )


def is_empty(audit: Audit) -> bool:
    """Whether nothing was to be decided."""
    return any(each.about == EVERYTHING for each in audit.open)


def add_rules(verdicts: Sequence[RuleVerdict]) -> RuleVerdict:
    """What all partitions saw of one rule."""
    name = verdicts[0].rule
    usual = UNSEEN.get(name, NOT_MET)
    why = dict.fromkeys(each for verdict in verdicts for each in verdict.why if each != usual)
    kept, broken = sum(each.kept for each in verdicts), sum(each.broken for each in verdicts)
    breaches = sorted(
        (each for verdict in verdicts for each in verdict.breaches), key=lambda each: each.at
    )
    outcome: Outcome = "violated" if broken else "holds" if kept and not why else "unknown"
    reasons = tuple(why)[:EXAMPLES] or ((usual,) if outcome == "unknown" else ())
    return RuleVerdict(
        rule=name,
        outcome=outcome,
        kept=kept,
        broken=broken,
        breaches=tuple(breaches[:EXAMPLES]),
        why=reasons,
    )
