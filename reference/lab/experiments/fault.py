"""A fault, as the lab plays it: what it does to a scene, and what the model makes of it.

What it does not know: which faults there are (`faults.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from holdover.model.clients import measurements
from holdover.model.clients.profile import Environment

if TYPE_CHECKING:  # the list of faults is there at once
    from holdover.reference.lab.testbed.scene import Scene

Asker = Literal["client", "clone", "nobody"]
"""Who asks for an address by DHCP while another host has it."""

Way = Literal["broadcast", "unicast"]
"""How a DHCPNAK comes."""


INSIDE = frozenset({"freezes", "crashes"})
"""The model's words for what befalls a process."""


def whole(lease: int) -> int:
    """A renewal is granted as much as the first lease."""
    return lease


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    `play` does it to a scene, and may wait there.  `delays`: a DHCPACK, by this share of the lease.
    `grants`: what the last DHCPACK grants, in seconds, by the lease.  `unread`: the client cannot
    read that DHCPACK before the lease ends that it grants.  `refuses`: how the DHCPNAK comes.
    `hook_blocks`: seconds that the client's hook takes before an address goes.  `needs_own_server`:
    it is possible with our own server only.  `rival`: there is another host on the link, on which a
    client may want the address.  `own_wall_clock`: the client has one, which can be set.  `alone`:
    it befalls whatever is on the machine, so nothing else is played meanwhile.  `gives_away`: the
    server gives the address to another host; these are the surroundings in which T6 says how long
    the client keeps it.  `servers_wall_clock`: the server has one, which can be set.  `shares`: it
    is about two hosts with one address, and this one asks for it while another has it.  `before`:
    what is done before the client is started; then `play` does not find it BOUND.
    `server_probes`: the server asks whether an address is in use before it offers it.
    `pulls_cable`: the client's host loses its carrier.  `restarts`: the client is started again,
    and finds what it has stored.  `first`: what the client is granted from the beginning, where
    somebody chooses that: by the lease, a lease, T1 and T2, in seconds (None: unsaid).  `another`:
    a renewal is granted another address.  `unmodelled`: what the model has no word for, and what
    the client is held to instead; then nothing is predicted.
    """

    name: str
    sentence: str
    play: Callable[[Scene], None]
    surroundings: Environment = measurements.FAULTS["server killed"]
    delays: Fraction = Fraction(0)
    grants: Callable[[int], int] = whole
    unread: bool = False
    refuses: Way | None = None
    hook_blocks: float | None = None
    needs_own_server: bool = False
    rival: bool = False
    own_wall_clock: bool = False
    alone: bool = False
    gives_away: Environment | None = None
    servers_wall_clock: bool = False
    shares: Asker | None = None
    before: Callable[[Scene], None] | None = None
    server_probes: bool = False
    pulls_cable: bool = False
    restarts: bool = False
    first: Callable[[int], tuple[int, int | None, int | None]] | None = None
    another: bool = False
    unmodelled: str = ""

    @property
    def needs_access(self) -> bool:
        """It is done to the client's host or its programs: no device at a cable can have it."""
        return (
            self.pulls_cable
            or self.hook_blocks is not None
            or self.own_wall_clock
            or self.alone
            or self.clones
            or self.restarts
            or bool(self.surroundings.faults & INSIDE)
        )

    @property
    def two_hosts(self) -> bool:
        """There is another host on the link."""
        return self.rival or self.shares is not None

    @property
    def clones(self) -> bool:
        """The client and another host have one client identifier."""
        return "clones" in self.surroundings.faults
