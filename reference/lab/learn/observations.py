"""What the cells of a client have answered: measurements, and what their records show besides.

Theory of operation.  `answer` takes from a record what a measurement does not have: how long the
client probed before it used the address, and when the lifetime that it gave the kernel was to run
out.  `Answers` are those of one client, by fault and lease; a question that has no answer raises
NoAnswerError with its reason.

What is compared is when the client's lease was over (`over`): when the address went, or, where it
was the kernel that removed it, when the kernel was to, for that is known without the kernel's
lateness.  Two ends are the same within SLACK.

What it does not know: what follows from it (`inference.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdover.model.seconds import show_offset
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.experiments.experiment import Outcome
from holdover.reference.lab.learn.experiments import LONG
from holdover.reference.lab.record.measure import (
    FOREVER,
    Measurement,
    Term,
    Unknown,
    decode_messages,
    spans_of,
    terms_of,
)
from holdover.reference.lab.record.record import Change, Record, read
from holdover.reference.lab.record.wire_view import seen_from_wire
from holdover.reference.lab.testbed.scene import LEASED, RENEWS
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.messages import BootReply

SLACK = 2.0
"""Seconds within which two ends are the same: a client's whole seconds, a busy machine."""


class NoAnswerError(Exception):
    """What was to be learned cannot be, and why."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A cell, what was measured, and what its record shows besides; seconds.

    `probed`: from the first DHCPACK until the address was used, where ARP probes asked for it in
    between; None: none did.  `lifetime`: from the last lease end of the server to when the kernel
    was to remove the address, at the latest; None: never, or nothing was measured.
    """

    outcome: Outcome
    probed: float | None = None
    lifetime: float | None = None

    @property
    def never_renewed(self) -> bool:
        """Whether the cell could not be played since the client did not renew its lease."""
        result = self.outcome.result
        return isinstance(result, Unknown) and RENEWS in result.reason

    @property
    def name(self) -> str:
        """The cell as a comment names it."""
        return f"{self.outcome.cell.fault.name}, {self.outcome.cell.lease} s"


def answer(outcome: Outcome) -> Observation:
    """What the record of an outcome shows besides."""
    if not isinstance(outcome.result, Measurement):
        return Observation(outcome)
    record = read(outcome.record)
    if outcome.cell.cable is not None:
        record = seen_from_wire(record, LEASED)
    messages = list(decode_messages(record))
    terms = list(terms_of(record, messages, record.hosts["a"]))
    return Observation(
        outcome, probe_length(record, messages, terms[0]), lifetime(record, terms[-1])
    )


def probe_length(
    record: Record, messages: Sequence[tuple[Instant, BootReply | Arp]], first: Term
) -> float | None:
    """Seconds from the first DHCPACK to the use of its address, if it was probed in between."""
    spans = spans_of(record, "a", first.address)
    used = next((span.begin for span in spans if span.begin > first.begin), first.begin)
    probes = (
        isinstance(arp, Arp)
        and arp.is_probe
        and arp.target == first.address
        and arp.sender_hardware == record.hosts["a"]
        and first.begin <= at <= used
        for at, arp in messages
    )
    return (used - first.begin) / SECOND if any(probes) else None


def lifetime(record: Record, term: Term) -> float | None:
    """Seconds from the end of a term to that of the lifetime that the kernel was last given.

    The kernel rounds what is left up to whole seconds.  So each time that it tells is a bound, and
    the least of them, since the lifetime was last set, is near: they are looked at as they change.
    """
    bounds: list[Instant] = []
    for seen in record.seen:
        if seen.host != "a":
            continue
        if isinstance(seen, Change):
            if not seen.there or seen.address.ip != term.address:
                continue
            bounds, valid = [], seen.valid
        else:
            valids = [left for each, left in seen.addresses.items() if each.ip == term.address]
            if not valids:
                continue
            valid = valids[0]
        if valid is not None:
            bounds.append(seen.at + valid * SECOND)
    return (min(bounds) - term.end) / SECOND if bounds else None


# Of one client ----------------------------------------------------------------------------------


class Answers:
    """The answers of one client, by fault and lease.

    `from_wire`: it is a device; who removed an address, and what is inside, nothing tells.
    """

    def __init__(self, answers: Sequence[Observation]) -> None:
        self._all = {
            (each.outcome.cell.fault.name, each.outcome.cell.lease): each for each in answers
        }
        self.played = [each for each in answers if isinstance(each.outcome.result, Measurement)]
        self.from_wire = any(each.outcome.cell.cable is not None for each in answers)

    def has_cell(self, fault: str) -> bool:
        """Whether there was such a cell."""
        return (fault, LONG) in self._all

    def is_measured(self, fault: str) -> bool:
        """Whether that cell was measured."""
        return any(each.outcome.cell.fault.name == fault for each in self.played)

    def answer(self, fault: str, lease: int = LONG) -> tuple[Observation, Measurement]:
        """The answer of a cell; NoAnswerError where it was not measured."""
        found = self._all.get((fault, lease))
        if found is None:
            raise NoAnswerError(f"{fault}, {lease} s: not played")
        result = found.outcome.result
        if not isinstance(result, Measurement):
            reason = result.reason if isinstance(result, Unknown) else "it has no lease end"
            raise NoAnswerError(f"{found.name}: {reason}")
        return found, result

    def over(self, fault: str, lease: int = LONG) -> float:
        """Seconds from the server's lease end to the client's."""
        found, result = self.answer(fault, lease)
        if result.enforcer == "kernel" and found.lifetime is not None:
            return min(found.lifetime, result.holdover)
        return result.holdover

    def at_latest(self, fault: str, lease: int = LONG) -> float:
        """The same, had the process been stopped: the kernel may count from later than it."""
        found, _ = self.answer(fault, lease)
        over = self.over(fault, lease)
        return over if found.lifetime is None else max(over, found.lifetime)

    def describe(self, fault: str, lease: int = LONG) -> str:
        """Both, in words."""
        over, latest = self.over(fault, lease), self.at_latest(fault, lease)
        kernel = f" (kernel: {show_offset(latest)})" if latest > over + SLACK else ""
        return f"{fault}, {lease} s: {show_offset(over)}{kernel}"

    @property
    def nothing_tells(self) -> str | None:
        """That the address never goes, so that nothing can be seen at its end."""
        if self.over("renewed") == self.over("server killed") == FOREVER:
            return "the address never goes, so nothing tells"
        return None
