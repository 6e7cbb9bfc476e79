"""What was seen, and by whom: the values between the inputs of an audit and its monitor.

Theory of operation.  An observation is one thing that a source shows: a message of DHCP, a use of
an address, a line of a host's own log or of a server's records; or that a source may have missed
something (`Gap`), or has something that cannot be read (`Unreadable`).  Each has its place
(`Where`), so that a finding can name its evidence.

All instants are whole nanoseconds since 1970 (UTC), as the source has them; where several captures
were merged, those of the others are carried over to the clock of the first one.

What a capture shows by the hundred thousand is a tuple with names, for Python builds one in a third
of the time of a frozen dataclass.

What it does not know: what follows from an observation; how far the clock of a source is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal, NamedTuple

from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.messages import BootReply, BootRequest

How = Literal["ARP", "IP"]
"""By what a host used an address: as the sender of ARP, or as the source of an IPv4 packet."""

Vlans = tuple[int, ...]
"""The numbers of the VLANs of a frame, the outer one first; empty: it has no tag."""


RUN: Duration = SECOND // 20
"""Nanoseconds: uses that follow each other within this are one run."""


class Where(NamedTuple):
    """A place in a source: the frame of a capture, or the line of a text; both count from 1."""

    file: str
    number: int


class DhcpMessage(NamedTuple):
    """A message of DHCP on the wire.

    `hardware` and `to` are the frame's source and destination; None where the capture has none (raw
    IP; Linux's "cooked" captures have no destination).  `relayed`: it travels between a relay and a
    server, or came by a relay (giaddr is set, or option 82 is there).  `copy`: the same message was
    seen before, on the other side of the relay; `hardware`, `source` and so on are this frame's.
    """

    at: Instant
    where: Where
    hardware: bytes | None
    to: bytes | None
    source: IPv4Address
    destination: IPv4Address
    message: BootRequest | BootReply
    relayed: bool = False
    copy: bool = False
    vlan: Vlans = ()


class Use(NamedTuple):
    """The host with this hardware address sent as this address, from `at` to `until`.

    By ARP: as the sender of a request or a reply that is no probe; `hardware` is what the packet
    says (the frame's own source may be a proxy's).  By IP: it is the source of an IPv4 packet;
    `hardware` is the frame's source, which is a router's where the packet comes from afar.

    A run of `frames` frames of one (hardware, address, how, VLANs) is one use, where no two of them
    are more than RUN apart; `where` is the first, `last` the last one.
    """

    at: Instant
    where: Where
    hardware: bytes
    address: IPv4Address
    how: How
    vlan: Vlans
    frames: int
    until: Instant
    last: Where

    @classmethod
    def once(
        cls,
        at: Instant,
        where: Where,
        hardware: bytes,
        address: IPv4Address,
        how: How = "IP",
        vlan: Vlans = (),
    ) -> Use:
        """A run of one frame."""
        return cls(at, where, hardware, address, how, vlan, 1, at, where)


class Probe(NamedTuple):
    """ARP that asks for an address and uses none: its sender is 0.0.0.0 (RFC 5227 §1.1)."""

    at: Instant
    where: Where
    hardware: bytes
    address: IPv4Address
    vlan: Vlans = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A host's own log says that it has an address (`there`), or has it no longer.

    It happened in [since, at].  `valid`: for how many more seconds, as the kernel rounds it; None:
    for ever, or the log does not say.  `hardware`: None where the log does not say whose it is.
    """

    at: Instant
    where: Where
    hardware: bytes | None
    address: IPv4Address
    there: bool
    valid: int | None
    since: Instant


@dataclass(frozen=True, slots=True)
class Recorded:
    """A server's lease file or log says so.

    At `at` it stands there that `address` is `state` (in the words of `STATES`) for this client,
    from `begin` to `end`; None: it does not say, or (`end`) for ever where `forever` is set.
    `server`: the program, and its address where the record has it.
    """

    at: Instant
    where: Where
    address: IPv4Address
    hardware: bytes | None
    client_id: bytes | None
    begin: Instant | None
    end: Instant | None
    state: str
    server: str
    forever: bool = False


STATES = ("leased", "offered", "released", "expired", "declined", "refused", "free", "backup")
"""Of an address in a server's records: it is a client's until the end; it is offered to it; the
client gave it back; the lease ran out; the client says that it is in use elsewhere, or the server
found so; the server refused it (DHCPNAK); it is nobody's; it is the other server's of a pair."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What happened in [since, until] may be unseen; None: from the beginning, to the end."""

    since: Instant | None
    until: Instant | None
    where: Where
    why: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame or a line that cannot be read; the rest of its source is.  `at`: None: not known."""

    at: Instant | None
    where: Where
    why: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a source saw: nothing before its first instant, and nothing after its last one.

    `begin` and `end` are None where it has no frame, or no line with a time.  `frames`: of a
    capture; 0: it is empty, or a text.
    """

    file: str
    begin: Instant | None
    end: Instant | None
    frames: int


Observation = DhcpMessage | Use | Probe | Held | Recorded | Gap | Unreadable


def due_at(what: Observation) -> Instant:
    """When an observation is in turn; -1: it has no time, and comes first.

    A gap is in turn at its beginning.  One that has none, or is told later (a capture says at its
    end what it has dropped), comes when it is told.
    """
    if isinstance(what, Gap):
        at = what.until if what.since is None else what.since
        return -1 if at is None else at
    return -1 if what.at is None else what.at
