"""How long a host held an address after its lease end: from a record alone.

Theory of operation.  On the wire stand the terms: the lease of a DHCPACK for the host's hardware
address ends option 51 later, at the server's lease end, unless another DHCPACK comes before; a
DHCPNAK ends it at once.  In the host's kernel stand the spans in which it had the address.
`holdover` is the latest instant at which it had it, less the lease end: the greatest of them, where
there were several lease ends in the record.  It is negative where the host let go early, and
FOREVER where it did not until the record ended, which was `at_least` so much later.

An instant at which an address went is known as the first one at which it was surely gone; before
that, by up to `uncertainty`, it was surely there.  So `holdover` is never too small.

A DHCPNAK is measured by itself (`after_nak`): a host that obeys does so a moment later, and that is
no holdover.  One that does not is measured against its lease end as well.

A DHCPACK that commits the address to another host is measured by itself too (`displaced`): from
then on the server has it on record for that one, whatever is left of the lease.

Who removed an address: the kernel, where no process of the client could, or where the lifetime that
it was last given had run out (a process that does so after that is not told apart from it); the
process otherwise.

Nothing is a measurement where the record has a gap, shows no lease of the host, or ends before it
does: that is `Unknown`, with its reason.

What it does not know: what was done to the host, and who it is; what it should have done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.record import Change, Mark, Record
from holdover.reference.lab.record.renewals import next_address, time_replaced, time_to_ask
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import decode_frame
from holdover.reference.wire.messages import BootReply, BootRequest, message_in
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire.options import INFINITE

FOREVER = math.inf
"""Seconds: to the end of the record."""

STOPPED, DEAD, RUNNING = "client stopped", "client dead", "client running"
"""Marks of what the client's processes are."""

LOCKED, UNLOCKED = "networking lock held", "networking lock free"
"""Marks of when the lab had the kernel's networking lock, for which whoever changes an address
waits, the kernel too."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No measurement."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Seconds, but for the address and who did what.

    `lease`: of the term that `holdover` is about.  `after_nak`: from the DHCPNAK to the removal;
    None where there was none while the address was held.  `displaced`: likewise from a DHCPACK
    that committed the address to another host.  `locked`: how long the lab had the
    kernel's networking lock meanwhile; `kept`: how long somebody else had, as far as was seen.
    `replaced`: likewise from a DHCPACK of another address to this host, and `next_address` the
    other one that it had since; None: none.  `asked`: from the last DHCPACK of the address until
    the host next asked to renew it; None: it did not.
    `duplicate`: how long another host had the address too; `answered`: how many of the two answered
    ARP for it meanwhile.  `doubt`: why the end is no better known, in words.
    """

    address: IPv4Address
    lease: int
    holdover: float
    at_least: float
    uncertainty: float
    enforcer: str
    after_nak: float | None
    duplicate: float
    answered: int
    locked: float = 0.0
    kept: float = 0.0
    displaced: float | None = None
    doubt: str = ""
    released: bool = False
    replaced: float | None = None
    next_address: IPv4Address | None = None
    asked: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A host had an address from `begin`, surely until `sure`, and no more at `end`.

    `end` is None where it had it when the record ended.  `due`: when the kernel's lifetime, as it
    was last set, runs out; None: never.
    """

    begin: Instant
    sure: Instant
    end: Instant | None
    due: Instant | None

    def held_to(self, latest: Instant) -> Instant:
        """When it was over, if that was before `latest`; else that."""
        return latest if self.end is None else min(self.end, latest)


@dataclass(frozen=True, slots=True)
class Term:
    """A DHCPACK for `address` at `begin`, until the next one, or the record's end, at `until`.

    `nak`: when a DHCPNAK came in between.
    """

    address: IPv4Address
    begin: Instant
    lease: int
    until: Instant
    last: bool
    nak: Instant | None

    @property
    def end(self) -> Instant:
        """The server's lease end."""
        return self.begin + self.lease * SECOND

    @property
    def open(self) -> bool:
        """The record ends before the lease does."""
        return self.last and self.until < self.end


def measure(record: Record, host: str, address: IPv4Address | None = None) -> Measurement | Unknown:
    """The holdover of a host of the record; of that address only, where one is named."""
    if record.gap is not None:
        return Unknown(f"the record has a gap: {record.gap}")
    messages = list(decode_messages(record))
    terms = list(terms_of(record, messages, record.hosts[host], address))
    if not terms:
        return Unknown("no DHCPACK with a lease was seen")
    if any(term.open for term in terms):
        return Unknown("the record ends before the lease")
    spans = {term.address: list(spans_of(record, host, term.address)) for term in terms}
    found = [one for term in terms for one in measure_term(record, term, spans[term.address])]
    if not found:
        return Unknown("the address was not in use when the lease ended, nor before")
    worst = max(found, key=lateness)
    naks = [one.after_nak for one in found if one.after_nak is not None]
    held = [(span.begin, span.end) for span in spans[worst.address]]
    both = list(find_overlap(record, host, worst.address, spans[worst.address]))
    return replace(
        worst,
        after_nak=max(naks, default=None),
        duplicate=sum(end - begin for begin, end in both) / SECOND,
        answered=len(answerers(record, messages, worst.address, both)),
        displaced=time_displaced(record, messages, host, spans[worst.address], worst.address),
        released=has_released(record, record.hosts[host]),
        replaced=time_replaced(messages, record.hosts[host], worst.address, held),
        next_address=next_address(record, host, worst.address, held),
        asked=time_to_ask(record, messages, record.hosts[host], worst.address),
    )


def lateness(one: Measurement) -> tuple[float, float]:
    """By which the worst of several is found."""
    return one.holdover, one.at_least


def measure_term(record: Record, term: Term, spans: Sequence[Span]) -> Iterator[Measurement]:
    """What a term says; nothing where it was renewed in time, or its address never used."""
    inside = [
        span for span in spans if span.begin < term.until and span.held_to(record.end) > term.begin
    ]
    if not inside or (term.until < term.end and term.nak is None):
        return
    span = max(inside, key=lambda span: span.held_to(term.until))
    held = span.held_to(term.until)
    late = (held - term.end) / SECOND
    removed = span.end is not None and span.end <= term.until
    forever = not removed and term.last
    yield Measurement(
        address=term.address,
        lease=term.lease,
        holdover=FOREVER if forever else late,
        at_least=late,
        uncertainty=max(held - span.sure, 0) / SECOND,
        enforcer=enforcer(record, span) if removed else "",
        after_nak=after_nak(term, inside),
        duplicate=0.0,
        answered=0,
        locked=time_locked(record, term.begin, held),
        kept=time_kept(record, term.begin, held),
    )


def time_locked(record: Record, begin: Instant, end: Instant) -> float:
    """How long the networking lock was held between two instants."""
    total, since = 0, None
    for mark in (*record.marks, Mark(record.end, UNLOCKED)):
        if mark.what == LOCKED:
            since = mark.at
        elif mark.what == UNLOCKED and since is not None:
            total += max(min(mark.at, end) - max(since, begin), 0)
            since = None
    return total / SECOND


def time_kept(record: Record, begin: Instant, end: Instant) -> float:
    """How long requests were kept waiting between two instants while the lab had no lock."""
    total = 0.0
    for each in record.kept:
        since, until = max(each.since, begin), min(each.at, end)
        if since < until:
            total += (until - since) / SECOND - time_locked(record, since, until)
    return total


def after_nak(term: Term, spans: Sequence[Span]) -> float | None:
    """How long the address was held after the DHCPNAK; None: there was none, or it was not held."""
    nak = term.nak
    for span in spans:
        if nak is not None and span.begin <= nak < span.held_to(term.until):
            if span.end is None and term.last:
                return FOREVER
            return (span.held_to(term.until) - nak) / SECOND
    return None


def time_displaced(
    record: Record,
    messages: Sequence[tuple[Instant, BootReply | Arp]],
    host: str,
    spans: Sequence[Span],
    address: IPv4Address,
) -> float | None:
    """How long a host had an address at most that a DHCPACK had committed to another since.

    None: there was no such DHCPACK while it had it.
    """
    acks = [
        (at, reply.chaddr == record.hosts[host])
        for at, reply in messages
        if isinstance(reply, BootReply)
        and reply.type is MessageType.ACK
        and reply.address == address
        and reply.lease is not None
    ]
    longest = None
    for number, (at, mine) in enumerate(acks):
        again = next((later for later, own in acks[number + 1 :] if own), record.end)
        for span in spans if not mine else ():
            if span.begin <= at < span.held_to(again):
                forever = span.end is None and again == record.end
                held = FOREVER if forever else (span.held_to(again) - at) / SECOND
                longest = held if longest is None else max(longest, held)
    return longest


def enforcer(record: Record, span: Span) -> str:
    """Who removed an address: "kernel" or "process"."""
    assert span.end is not None
    states = [
        mark.what
        for mark in record.marks
        if mark.at <= span.end and mark.what in (STOPPED, DEAD, RUNNING)
    ]
    by_kernel = states[-1:] in ([STOPPED], [DEAD]) or (
        span.due is not None and span.end >= span.due
    )
    return "kernel" if by_kernel else "process"


# The wire ----------------------------------------------------------------------------------------


def decode_messages(record: Record) -> Iterator[tuple[Instant, BootReply | Arp]]:
    """Messages of servers, and ARP packets; what cannot be read is no message."""
    for frame in record.frames:
        with suppress(WireError):
            content = decode_frame(frame.data).content
            said = content if isinstance(content, Arp) else message_in(content)
            if isinstance(said, BootReply | Arp):
                yield frame.at, said


def has_released(record: Record, hardware: bytes) -> bool:
    """Whether a client with that hardware address gave its lease back."""
    released = (hardware, MessageType.RELEASE)
    for frame in record.frames:
        with suppress(WireError):
            content = decode_frame(frame.data).content
            said = None if isinstance(content, Arp) else message_in(content)
            if isinstance(said, BootRequest) and (said.chaddr, said.type) == released:
                return True
    return False


def terms_of(
    record: Record,
    messages: Sequence[tuple[Instant, BootReply | Arp]],
    hardware: bytes,
    address: IPv4Address | None = None,
) -> Iterator[Term]:
    """The terms of a client with that hardware address; those without an end are none.

    Of that address only, where one is named.
    """
    mine = [
        (at, reply)
        for at, reply in messages
        if isinstance(reply, BootReply) and reply.chaddr == hardware
    ]
    acks = [
        (at, reply.address, reply.lease)
        for at, reply in mine
        if reply.type is MessageType.ACK
        and reply.address != NO_ADDRESS
        and address in (None, reply.address)
    ]
    naks = [at for at, reply in mine if reply.type is MessageType.NAK]
    for number, (at, granted, lease) in enumerate(acks):
        if lease is None or lease == INFINITE:
            continue
        later = [begin for begin, other, _ in acks[number + 1 :] if other == granted]
        until = later[0] if later else record.end
        nak = next((each for each in naks if at <= each < until), None)
        yield Term(granted, at, lease, until, not later, nak)


def answerers(
    record: Record,
    messages: Sequence[tuple[Instant, BootReply | Arp]],
    address: IPv4Address,
    spans: Sequence[tuple[Instant, Instant]],
) -> set[bytes]:
    """Which hosts answered ARP for the address in these spans of time."""
    return {
        arp.sender_hardware
        for at, arp in messages
        if isinstance(arp, Arp)
        and arp.operation is ArpOperation.REPLY
        and arp.sender == address
        and any(begin <= at <= end for begin, end in spans)
    } & set(record.hosts.values())


# The kernel --------------------------------------------------------------------------------------


def spans_of(record: Record, host: str, address: IPv4Address) -> Iterator[Span]:
    """When the host had the address."""
    begin: Instant | None = None
    due: Instant | None = None
    for seen in record.seen:
        if seen.host != host:
            continue
        if isinstance(seen, Change):
            if seen.address.ip != address:
                continue
            there, valid, said = seen.there, seen.valid, True
        else:
            valids = [left for each, left in seen.addresses.items() if each.ip == address]
            there, valid, said = bool(valids), valids[0] if valids else None, begin is None
        if there and said:
            due = None if valid is None else seen.since + valid * SECOND
        if there and begin is None:
            begin = seen.at
        if not there and begin is not None:
            yield Span(begin, max(begin, seen.since), seen.at, due)
            begin = None
    if begin is not None:
        yield Span(begin, record.end, None, due)


def find_overlap(
    record: Record, host: str, address: IPv4Address, mine: Sequence[Span]
) -> Iterator[tuple[Instant, Instant]]:
    """When another host surely had the address as well."""
    for other in record.hosts:
        for theirs in spans_of(record, other, address) if other != host else ():
            for span in mine:
                begin, end = max(span.begin, theirs.begin), min(span.sure, theirs.sure)
                if begin < end:
                    yield begin, end
