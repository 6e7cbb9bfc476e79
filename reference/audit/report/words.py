"""How an audit's values are written: instants, hosts, places; and what of it is asked for.

Theory of operation.  An instant is written in UTC to the microsecond for people, and as RFC 3339
with all nine digits for programs.  A place is "frame 7" of a capture and "line 7" of a text; which
of them a file is, the audit's coverage says: a text has no frames.

`choose_rules` narrows an audit to rules that somebody asks for.  Its verdict is then about them
alone: violated where there is a finding of one of them, or one of them was broken; unknown where
one is undecided.

What it does not know: how a report is laid out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdover.proofs.result import Outcome
from holdover.reference.audit.monitor.results import Audit, Breach
from holdover.reference.audit.observations import Where
from holdover.reference.core.instants import SECOND, Instant

LAST_YEAR = 9999
"""That a date can have; what a broken capture says is later is written as seconds."""


def show_instant(at: Instant, *, day: bool = True) -> str:
    """As "2026-11-28 14:03:10.123456", UTC; without its day where `day` is false."""
    moment = date_of(at)
    if moment is None:
        return f"{at / SECOND:.6f} s after 1970"
    text = f"{moment:%Y-%m-%d %H:%M:%S}.{at % SECOND // 1000:06d}"
    return text if day else text.partition(" ")[2]


def rfc3339(at: Instant) -> str | None:
    """As "2026-11-28T14:03:10.123456789Z"; None where no date is that late, or that early."""
    moment = date_of(at)
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{at % SECOND:09d}Z"


def date_of(at: Instant) -> datetime | None:
    """Its date and whole seconds; None where it has none."""
    try:
        moment = datetime.fromtimestamp(at // SECOND, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment if 1000 <= moment.year <= LAST_YEAR else None


def show_hardware(hardware: bytes | None) -> str | None:
    """As "02:00:00:00:00:01"; None where it is not known."""
    return None if hardware is None else hardware.hex(":")


@dataclass(frozen=True, slots=True)
class Places:
    """How places are written: `captures` are the files whose numbers count frames."""

    captures: Collection[str]

    @classmethod
    def of(cls, audit: Audit) -> Places:
        """Of the files of an audit."""
        return cls(frozenset(each.file for each in audit.coverage if each.frames))

    def is_frame(self, where: Where) -> bool:
        """Whether it is a frame of a capture; else a line of a text."""
        return where.file in self.captures

    def unit(self, where: Where) -> str:
        """What its number counts: "frame" or "line"."""
        return "frame" if self.is_frame(where) else "line"

    def show(self, where: Where) -> str:
        """As "office.pcap: frame 7"."""
        return f"{where.file}: {self.unit(where)} {where.number}"


def choose_rules(audit: Audit, names: Collection[str]) -> Audit:
    """The audit of those rules alone."""
    findings = tuple(each for each in audit.findings if each.rule in names)
    rules = {name: each for name, each in audit.rules.items() if name in names}
    outcomes: set[Outcome] = {each.outcome for each in rules.values()}
    verdict: Outcome = "holds"
    if findings or "violated" in outcomes:
        verdict = "violated"
    elif "unknown" in outcomes:
        verdict = "unknown"
    return replace(audit, verdict=verdict, findings=findings, rules=rules)


def breaches(audit: Audit) -> list[tuple[str, Breach]]:
    """What was broken, with the rule's name, in order of time."""
    found = [(name, each) for name, rule in audit.rules.items() for each in rule.breaches]
    return sorted(found, key=lambda each: each[1].at)
