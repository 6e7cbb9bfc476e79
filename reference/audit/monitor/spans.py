"""What an address was: committed, used, disputed; the values that `addresses.py` keeps of it.

Theory of operation.  A `Commitment` is what a DHCPACK (or a server's record) says: the address is
this client's until then.  It runs for `shortest` at least, whatever the server's clock (RFC 2131
§3.3), unless its client gives it up.  A `Dispute` counts what must have been missed where another
client gets it meanwhile: a DHCPRELEASE or a DHCPDECLINE, and for each time that the address goes
back to the one who had it before, a release, a DHCPREQUEST and a DHCPACK.

What it does not know: when each of them begins and ends (`addresses.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.reference.audit.monitor.context import DELAY
from holdover.reference.audit.monitor.results import Evidence
from holdover.reference.audit.observations import Where
from holdover.reference.core.instants import Instant

BACK = 3
"""Messages without which an address does not go back: DHCPRELEASE, DHCPREQUEST, DHCPACK."""

BACK_ALONE = 2
"""Likewise where both are one client to the server: DHCPREQUEST, DHCPACK."""


@dataclass(slots=True)
class Commitment:
    """A server has the address on record for a client; `sure`: until when at the least.

    `refused`: when this server refused its client the address (DHCPNAK), and may have lost it from
    its record; that alone does not end the lease on record (`runs`).
    """

    hardware: bytes | None
    client_id: bytes | None
    server: IPv4Address | None
    name: str
    begin: Instant
    at: Instant
    end: Instant | None
    sure: Instant | None
    where: Where
    over: Instant | None = None
    over_by: str = ""
    refused: Instant | None = None
    acks: int = 1

    def runs(self, at: Instant) -> bool:
        """Whether the lease surely runs, as far as was seen."""
        return self.over is None and (self.sure is None or at < self.sure)

    def is_of_another(self, other: Commitment) -> bool:
        """It is another client's: of another host, and not of the same client identifier."""
        alone = self.client_id is not None and self.client_id == other.client_id
        return self.hardware != other.hardware and not alone

    def entitles(self, at: Instant) -> bool:
        """Whether its client may use the address, by what was seen, on a perfect clock."""
        refused = self.refused is not None and at > self.refused + DELAY
        return self.may_run(at) and not refused

    def may_run(self, at: Instant) -> bool:
        """Whether it is not over by the server's word, on a perfect clock."""
        return self.over is None and (self.end is None or at < self.end)


@dataclass(slots=True)
class Dispute:
    """The address was committed to another client while the lease of the first one ran."""

    first: Commitment
    second: Commitment
    at: Instant
    where: Where
    missed: int
    alone: bool
    before: Evidence | None
    holder: bytes | None = None
    until: Instant = 0
    first_use: tuple[Instant, Where] | None = None
    second_use: tuple[Instant, Where] | None = None
    last_first: tuple[Instant, Where] | None = None
    closed: bool = False

    def use(self, hardware: bytes, at: Instant, where: Where) -> None:
        """One of the two uses the address; not counted any more after a gap (`closed`)."""
        if self.closed:
            return
        if hardware == self.first.hardware:
            self.first_use = self.first_use or (at, where)
            self.last_first = (at, where)
        elif hardware == self.second.hardware:
            self.second_use = self.second_use or (at, where)
        else:
            return
        self.until = at
        if hardware != self.holder:
            self.missed += BACK_ALONE if self.alone else BACK
            self.holder = hardware


@dataclass(slots=True)
class UseRun:
    """One host uses the address, on and on."""

    hardware: bytes
    begin: Instant
    end: Instant
    where: Where
    last: Where
    arp: bool
    ip: bool
    log: bool
    frames: int
    granted: bool

    @property
    def how(self) -> str:
        """By what."""
        named = (("ARP", self.arp), ("IP", self.ip), ("log", self.log))
        return ", ".join(word for word, there in named if there)


@dataclass(slots=True)
class Overlap:
    """Two hosts were seen to use the address at once, from `begin` to `end`."""

    one: bytes
    other: bytes
    begin: Instant
    end: Instant
    where: Where
    last: Where
    turns: int
    owner: Commitment | None


@dataclass(slots=True)
class Unheeded:
    """A client probed for the address, was answered by another host, and took it all the same.

    `answers`: how often it was answered; `again`: the other host used it after that, too.
    """

    hardware: bytes
    other: bytes
    probed: tuple[Instant, Where]
    answered: tuple[Instant, Where]
    answers: int
    used: tuple[Instant, Where] | None = None
    again: tuple[Instant, Where] | None = None
