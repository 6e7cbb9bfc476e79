"""What is known of a client's exchanges, and of each of its addresses: values of `clients.py`.

Theory of operation.  `Asked` is a DHCPREQUEST with all that came again under its xid, `Grounds` a
DHCPACK, `Followed` an address with what is still possible of it, and `Suspicion` uses of it that a
conforming client would not make, unless something was missed.

What it does not know: what follows from a message (`clients.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.reference.audit.monitor.results import BlameKind, Evidence
from holdover.reference.audit.observations import Where
from holdover.reference.audit.possible.possibilities import Possibilities
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS
from holdover.reference.wire.options import INFINITE


def form_of(request: BootRequest) -> str:
    """Which DHCPREQUEST it is (RFC 2131 Table 4)."""
    if request.ciaddr != NO_ADDRESS:
        return "extending" if request.server is None else "unclear"
    if request.requested is None:
        return "unclear"
    return "selecting" if request.server is not None else "rebooting"


@dataclass(slots=True)
class Asked:
    """A DHCPREQUEST: first and last time under its xid, about which address, and where the last."""

    first: Instant
    last: Instant
    about: IPv4Address | None
    form: str
    server: IPv4Address | None
    client_id: bytes | None
    where: Where


@dataclass(slots=True, frozen=True)
class Grounds:
    """A DHCPACK of a client: when, for how many seconds, by whom, and when it was asked for."""

    at: Instant
    where: Where
    seconds: int
    server: IPv4Address | None
    asked_first: Instant | None
    asked_last: Instant | None
    asked_where: Where | None

    @property
    def end(self) -> Instant | None:
        """The server's lease end; None: never."""
        return None if self.seconds == INFINITE else self.at + self.seconds * SECOND


@dataclass(slots=True)
class Suspicion:
    """Uses that a conforming client would not make, unless something was missed.

    `since`: when the address was to be given up.  `missed`: the fewest datagrams; None: more than
    are counted.  `certain`: more than the premises grant.
    """

    kind: BlameKind
    since: Instant
    first: Instant
    first_where: Where
    last: Instant
    last_where: Where
    how: str
    grounds: Grounds | None
    ended: Evidence | None
    uncertainty: Instant = 0
    missed: int | None = 0
    certain: bool = False
    uses: int = 1
    last_how: str = ""
    still: bool = False


@dataclass(slots=True)
class Followed:
    """One address of a client."""

    address: IPv4Address
    possible: tuple[Possibilities, ...]
    grounds: Grounds | None = None
    ended_kind: BlameKind | None = None
    ended: Evidence | None = None
    quiet_until: Instant = -1
    settles: Instant = -1
    refused: Instant | None = None
    used: Instant | None = None
    gone: Instant | None = None
    suspicion: Suspicion | None = None
