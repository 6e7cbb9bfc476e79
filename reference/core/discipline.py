"""The order of a client's effects: what has been done before the next one may follow.

Theory of operation.  A `Discipline` knows what effects act on outside the core: the address on the
interface, and the lease that is written down.  It follows them one by one, and raises OrderError
where the client should not ask for one yet:

| before | there has been |
| --- | --- |
| an address is used | its lease written down, T1 before T2 before the end; all its probes |
| the user hears that it is gone | the address removed |
| the server is told (DHCPRELEASE, DHCPDECLINE) | the address removed, and its lease forgotten |

Exploration, journals, random runs and unit tests hold a client to these same rules.

What it does not know: how an effect is carried out, how long that takes, and when probes were sent.
§ alone is a section of RFC 2131.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from holdover.reference.core.events import (
    Configure,
    Effect,
    Lease,
    Notice,
    Notify,
    Remove,
    Send,
    Store,
)
from holdover.reference.wire.option_values import MessageType

FAREWELLS = (
    Notice.LAPSED,
    Notice.TOO_SHORT,
    Notice.REFUSED,
    Notice.CEASED,
    Notice.RELEASED,
    Notice.STOPPED,
)
"""What the user hears when an address has gone."""

GIVES_UP = (MessageType.RELEASE, MessageType.DECLINE)
"""What tells a server that it may lease the address to somebody else."""


class OrderError(Exception):
    """An effect comes too early; `kind` in a word, what was seen, and the rule's source."""

    def __init__(self, kind: str, says: str, source: str):
        super().__init__(f"{kind}: {says}")
        self.kind, self.says, self.source = kind, says, source


class Discipline:
    """`held`: the address on the interface.  `stored`: the lease that is written down.

    `probed`: whether an address that is configured now has had all its probes.
    """

    __slots__ = ("held", "probed", "stored")

    def __init__(self, held: IPv4Address | None, stored: Lease | None, *, probed: bool):
        self.held, self.stored, self.probed = held, stored, probed

    def follow(self, effect: Effect) -> None:
        """Follow an effect; OrderError where it comes too early."""
        match effect:
            case Remove(address):
                # The kernel may have been faster by a moment: removing twice does no harm.
                if self.held not in (None, address):
                    raise OrderError(
                        "belief", "another address is removed than is held", "RFC 2131 §4.4.5"
                    )
                self.held = None
            case Store(lease):
                self.stored = lease
            case Configure(lease, _):
                self._uses(lease)
            case Send(request) if request.type in GIVES_UP:
                if self.held is not None or self.stored is not None:
                    says = "given up while it is held, or written down"
                    raise OrderError("released_first", says, "RFC 2131 §3.1(6), §4.4.6")
            case Notify(notice) if notice in FAREWELLS and self.held is not None:
                says = "the notice comes while the address is held"
                raise OrderError("released_first", says, "Q151387 RESOLUTION")

    def _uses(self, lease: Lease) -> None:
        """An address comes to the interface, or stays there for longer."""
        if self.held not in (None, lease.address):
            says = "a second address is configured beside the first"
            raise OrderError("belief", says, "RFC 2131 §3.1(5)")
        if self.held is None and not self.probed:
            says = "an address is used without all its probes"
            raise OrderError("unprobed", says, "RFC 5227 §2.1.1")
        if self.stored != lease:
            says = "an address is used before its lease is written down"
            raise OrderError("order", says, "RFC 2131 §3.2")
        if not in_order(lease):
            raise OrderError("times", "not so: T1 < T2 < lease end", "RFC 2131 §4.4.5")
        self.held = lease.address


def in_order(lease: Lease) -> bool:
    """T1 before T2 before the end, where there is one."""
    t1, t2, end = lease.renew_at, lease.rebind_at, lease.end
    return t1 is None or t2 is None or end is None or t1 < t2 < end
