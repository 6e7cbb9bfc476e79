"""What a client is between two events, and what the lease table sees of it.

Theory of operation.  A `Client` is a frozen value with exactly what `client.py` needs to go on; it
is equal to another one that would behave the same.  `abstract` gives its part of the lease table's
state, by which the two are compared (`refinement/`).

What it does not know: how it changes.  § alone is a section of RFC 2131.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Effect, Lease, Phase
from holdover.reference.core.instants import Duration, Instant
from holdover.reference.wire.messages import BootReply


@dataclass(frozen=True, slots=True)
class Exchange:
    """One xid and what hangs on it.

    `began`: when its first message was sent; `secs` counts from there.  `stamped`: when the message
    whose `secs` the present one has (§3.1(3)).  `asked`: when the first DHCPREQUEST; the lease
    counts from there.  `send_at`: when to send again.
    """

    xid: int
    began: Instant
    stamped: Instant
    asked: Instant | None
    backoff: Duration
    send_at: Instant


@dataclass(frozen=True, slots=True)
class Answered:
    """The exchange that the lease comes from: another DHCPACK in it may leave less time.

    `asked`: when its DHCPREQUEST was sent.  `server`: the one that was asked; None: any.
    """

    xid: int
    asked: Instant
    server: IPv4Address | None


@dataclass(frozen=True, slots=True)
class Client:
    """A client between two events.  `Client(config)` is one that has not started.

    `due`: in INIT when to begin (None: not before `Start`), in SELECTING when to choose, in PROBING
    and BOUND when the next ARP packet is sent, where it waits for a reply when to give up.  `sent`:
    ARP packets of this kind so far.  `offers`: in REQUESTING the chosen one.  `holds`: the address
    on the interface.  `rests`: when a client that was stopped may begin at the
    earliest.  `answered`: set in PROBING and BOUND, where there is no `exchange`.
    """

    config: ClientConfig = field(hash=False)
    phase: Phase = Phase.INIT
    due: Instant | None = None
    exchange: Exchange | None = None
    answered: Answered | None = None
    offers: tuple[BootReply, ...] = ()
    lease: Lease | None = None
    holds: IPv4Address | None = None
    sent: int = 0
    defended: Instant | None = None
    conflicts: int = 0
    rests: Instant | None = None

    @property
    def leased(self) -> Lease:
        """The lease, in a phase that has one."""
        assert self.lease is not None
        return self.lease

    @property
    def asking(self) -> Exchange:
        """The exchange, in a phase that has one."""
        assert self.exchange is not None
        return self.exchange


Effects = tuple[Effect, ...]
Stepped = tuple[Client, Effects]


@dataclass(frozen=True, slots=True)
class Abstract:
    """A client in the words of the lease table (model/table/vocabulary.py)."""

    phase: str
    wants: IPv4Address | None
    holds: IPv4Address | None
    asked: Instant | None
    renew_at: Instant | None
    rebind_at: Instant | None
    lease_end: Instant | None


def abstract(client: Client) -> Abstract:
    """What the lease table knows of the client."""
    chosen = client.offers[0].address if client.phase is Phase.REQUESTING else None
    lease, asking = client.lease, client.exchange or client.answered
    return Abstract(
        client.phase.name,
        chosen if lease is None else lease.address,
        client.holds,
        None if asking is None else asking.asked,
        None if lease is None else lease.renew_at,
        None if lease is None else lease.rebind_at,
        None if lease is None else lease.end,
    )
