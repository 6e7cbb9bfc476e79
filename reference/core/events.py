"""What the cores are told and what they ask for: phases, leases, events and effects, as values.

Theory of operation.  A core is a function from a state, an event and an instant to a state and
effects.  An event is what has happened: time, a datagram, an ARP packet, an order.  An effect is
what its surroundings are to do about it, in the order given.  All are frozen and hashable, so that
a state can be compared, stored and explored.  `Timer`, `Heard` and `SendArp` are the server's too;
the rest of its words are in `server_state.py`.

Time.  An `Instant` is a whole number of units on the client's own clock, one that counts suspend
(Linux: CLOCK_BOOTTIME); a `Duration` is a number of the same units.  How many make a second, the
core's configuration says.  A core compares and adds instants and knows no zero.

Chance.  A core draws no randomness: a client is handed a `Chance` with each event, a fresh xid and
a jitter.  A server needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address

from holdover.reference.core.instants import Duration, Instant
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.options import Options

JITTER = 1000
"""The largest jitter; 0 is the least."""


class Phase(Enum):
    """RFC 2131 Figure 5, and PROBING between DHCPACK and use (RFC 5227 §2.1)."""

    INIT = auto()
    SELECTING = auto()
    REQUESTING = auto()
    PROBING = auto()
    BOUND = auto()
    RENEWING = auto()
    REBINDING = auto()
    INIT_REBOOT = auto()
    REBOOTING = auto()


@dataclass(frozen=True, slots=True)
class Chance:
    """What a core may choose at random: `jitter` from 0 to JITTER, `xid` 32 bits not yet in use."""

    xid: int
    jitter: int

    def between(self, low: Duration, high: Duration) -> Duration:
        """A length from `low` to `high`, both included."""
        return low + (high - low) * self.jitter // JITTER


@dataclass(frozen=True, slots=True)
class Lease:
    """What a client was granted; instants are None where the lease is infinite (RFC 2131 §3.3).

    `renew_at` is T1, `rebind_at` T2 (RFC 2131 §4.4.5).  This is what a lease file has to keep.
    """

    address: IPv4Address
    server: IPv4Address
    renew_at: Instant | None
    rebind_at: Instant | None
    end: Instant | None
    options: Options

    def __post_init__(self) -> None:
        never = self.end is None
        if (self.renew_at is None) is not never or (self.rebind_at is None) is not never:
            raise ValueError("a lease has T1, T2 and an end, or none of them")

    def runs(self, now: Instant) -> bool:
        """Whether the lease is not over; at its end it is (RFC 2131 §4.4.5)."""
        return self.end is None or now < self.end


# Events ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """The process starts, or is to go on after `Release`.

    `remembered`: what the lease file has.  `found`: what a predecessor left on the interface.
    """

    remembered: Lease | None = None
    found: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """The deadline has come; too early, too late or twice does no harm."""


@dataclass(frozen=True, slots=True)
class Received:
    """A BOOTREPLY has arrived."""

    reply: BootReply


@dataclass(frozen=True, slots=True)
class Heard:
    """An ARP packet was seen on the link."""

    arp: Arp


@dataclass(frozen=True, slots=True)
class Gone:
    """The address has left the interface without the client's doing: its kernel lifetime is over.

    To be told before whatever was received after it.
    """

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Release:
    """The user no longer wants the address: give it back and stop (RFC 2131 §4.4.6)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The process is to end: the address goes, and the lease stays stored for INIT-REBOOT.

    Afterwards the client is as before `Start`.  RFC 2131 is silent; §4.4.6 leaves DHCPRELEASE open.
    """


Event = Start | Timer | Received | Heard | Gone | Release | Stop

# Effects -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send a BOOTREQUEST: to that server from `ciaddr`, or broadcast from `ciaddr` or 0.0.0.0."""

    request: BootRequest
    to: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class SendArp:
    """Send an ARP packet: probe, announcement or defence."""

    arp: Arp


@dataclass(frozen=True, slots=True)
class Configure:
    """Put the leased address on the interface, or extend its lifetime.

    The kernel is to remove it by itself at `until` (None: never), whatever becomes of the process.
    """

    lease: Lease
    until: Instant | None


@dataclass(frozen=True, slots=True)
class Remove:
    """Take the address off the interface, before anything that follows."""

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Store:
    """Write the lease down durably, before anything that follows; None: there is none."""

    lease: Lease | None


class Notice(Enum):
    """What hooks and users are told, always after the fact."""

    BOUND = "an address is in use"
    EXTENDED = "its lease has another end"
    LAPSED = "the lease has lapsed; the address is released"
    TOO_SHORT = "the server leaves no time on the lease; no address is in use"
    REFUSED = "the server refused the address; it is released"
    DECLINED = "the address is in use by another host"
    CEASED = "another host insists on the address; it is released"
    RELEASED = "the address was given back"
    STOPPED = "the client stops; the address is released"
    UNANSWERED = "no server answered"


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell hooks and users, without waiting for them."""

    notice: Notice
    lease: Lease | None = None


Effect = Send | SendArp | Configure | Remove | Store | Notify
