"""A timeline of a record: who had the address when, what the server granted, what was done.

Theory of operation.  `timeline` reads a record once more as `measure` does, by the same functions,
and hands on what a picture shows: for each host the spans in which it had an address, each DHCPACK
with the lease end that it set, each DHCPNAK, the marks of the lab, and when two hosts had the
address at once.  All times are seconds after the lease end that the measurement is about, so what
is before it is negative.  Where there is no such lease end it is the last one in the record, and
where there is none at all it is the end of the record: `about` says which.

The hosts come in the order of the record, the client's first.  A term is over (`until`) at its
lease end, or before, when the next DHCPACK or a DHCPNAK took its place.

What it does not know: how it is drawn, and what is good or bad; when a host began to have an
address any better than that it had it then; whether a server would have answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.measure import (
    Term,
    decode_messages,
    find_overlap,
    lateness,
    measure_term,
    spans_of,
    terms_of,
)
from holdover.reference.lab.record.record import Change, Record
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import MessageType

SERVER = "srv"
"""The server's host: where its marks belong; the record does not watch it."""

EVERYBODY = ""
"""Of a mark that belongs to no host."""

OWNERS = (("server", SERVER), ("client", "a"), ("wall clock", "a"), ("another host", "b"))
"""Whose marks begin with which words (scene.py)."""


@dataclass(frozen=True, slots=True)
class HeldSpan:
    """A host had an address from `begin`, surely until `sure`, perhaps until `end`.

    `still`: it had it when the record ended.
    """

    host: str
    address: IPv4Address
    begin: float
    sure: float
    end: float
    still: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """A DHCPACK for a host at `begin`: its lease end, and until when it counted."""

    host: str
    address: IPv4Address
    begin: float
    lease: int
    end: float
    until: float


@dataclass(frozen=True, slots=True)
class Happened:
    """A DHCPNAK to a host, or a mark of the lab that belongs to `host`."""

    at: float
    host: str
    what: str
    nak: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of it, each in order of time.

    `about`: what zero is, "lease end", "last lease end" or "end of the record".  `address`: the one
    in question; None: there is none.  `overlap`: begin and end of each time in which two hosts
    surely had it.
    """

    begin: float
    end: float
    about: str
    address: IPv4Address | None
    hosts: tuple[str, ...]
    held: tuple[HeldSpan, ...]
    granted: tuple[Granted, ...]
    happened: tuple[Happened, ...]
    overlap: tuple[tuple[float, float], ...]
    gap: str | None

    @property
    def lease_end(self) -> bool:
        """Whether zero is a lease end."""
        return self.about != NO_LEASE


MEASURED, LAST, NO_LEASE = "lease end", "last lease end", "end of the record"


def timeline(record: Record, host: str = "a", address: IPv4Address | None = None) -> Timeline:
    """What the record shows, about the lease of a host, of that address where one is named."""
    messages = list(decode_messages(record))
    terms = {
        each: list(terms_of(record, messages, hardware)) for each, hardware in record.hosts.items()
    }
    mine = [term for term in terms[host] if address in (None, term.address)]
    term, about = in_question(record, host, mine)
    zero = record.end if term is None else term.end

    def after(instant: Instant) -> float:
        return (instant - zero) / SECOND

    held = [
        HeldSpan(
            each,
            address,
            after(span.begin),
            after(span.sure),
            after(span.held_to(record.end)),
            span.end is None,
        )
        for each in record.hosts
        for address in sorted(addresses(record, each))
        for span in spans_of(record, each, address)
    ]
    granted = [
        Granted(
            each,
            term.address,
            after(term.begin),
            term.lease,
            after(term.end),
            after(min(term.end, term.until, *([] if term.nak is None else [term.nak]))),
        )
        for each, of_host in terms.items()
        for term in of_host
    ]
    happened = [
        *(Happened(after(at), each, "DHCPNAK", nak=True) for at, each in naks(record, messages)),
        *(Happened(after(mark.at), owner(mark.what), mark.what) for mark in record.marks),
    ]
    overlap: list[tuple[Instant, Instant]] = []
    if term is not None:
        spans = list(spans_of(record, host, term.address))
        overlap = sorted(find_overlap(record, host, term.address, spans))
    return Timeline(
        begin=after(record.begin),
        end=after(record.end),
        about=about,
        address=None if term is None else term.address,
        hosts=tuple(sorted(record.hosts, key=lambda each: each != host)),
        held=tuple(sorted(held, key=lambda each: each.begin)),
        granted=tuple(sorted(granted, key=lambda each: each.begin)),
        happened=tuple(sorted(happened, key=lambda each: each.at)),
        overlap=tuple((after(begin), after(end)) for begin, end in overlap),
        gap=record.gap,
    )


def in_question(record: Record, host: str, terms: Sequence[Term]) -> tuple[Term | None, str]:
    """The term that `measure` speaks of, or else the last one; and what its end is called."""
    found = [
        (lateness(one), term)
        for term in terms
        for one in measure_term(record, term, list(spans_of(record, host, term.address)))
    ]
    if found:
        return max(found, key=lambda each: each[0])[1], MEASURED
    return (terms[-1], LAST) if terms else (None, NO_LEASE)


def addresses(record: Record, host: str) -> set[IPv4Address]:
    """All that a host was seen to have."""
    return {
        each.ip
        for seen in record.seen
        if seen.host == host
        for each in ([seen.address] if isinstance(seen, Change) else seen.addresses)
    }


def naks(
    record: Record, messages: Sequence[tuple[Instant, BootReply | Arp]]
) -> Iterator[tuple[Instant, str]]:
    """Each DHCPNAK to a host of the record."""
    by_hardware = {hardware: host for host, hardware in record.hosts.items()}
    for at, message in messages:
        if isinstance(message, BootReply) and message.type is MessageType.NAK:
            host = by_hardware.get(message.chaddr)
            if host is not None:
                yield at, host


def owner(what: str) -> str:
    """Whose a mark is."""
    return next((host for words, host in OWNERS if what.startswith(words)), EVERYBODY)
