"""A host in virtual time: a client core, and what its effects act on.

Theory of operation.  A `VirtualHost` has an interface (its address, and when the kernel is to
remove it), a lease file, and a process, which runs, is frozen or is not there.  An event goes two
steps: `step` calls the core, `carry_out` does to interface and lease file what the core asks for,
one effect after another, and holds the core to their order (`reference/core/discipline.py`).  It
hands on each effect when it is done, so that whoever drives the host does the rest: sends, writes
down, compares.  `apply` does the same for one effect and judges nothing.

What it does not know: the clock, chance, and every other host; they are the driver's.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from holdover.reference.core import client
from holdover.reference.core.client_state import Client, Effects
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.discipline import Discipline
from holdover.reference.core.events import (
    Chance,
    Configure,
    Effect,
    Event,
    Lease,
    Phase,
    Remove,
    Start,
    Store,
)
from holdover.reference.core.instants import Instant
from holdover.reference.refinement.client_cores import ClientCore


class VirtualHost:
    """A host.  `address` is on its interface, until the kernel removes it at `until` (None: never).

    `stored`: what the lease file has.  `client`: the core's state; of a process that has ended, its
    last.
    """

    def __init__(self, config: ClientConfig, core: ClientCore = client):
        self.config, self.core = config, core
        self.client = Client(config)
        self.alive = self.frozen = False
        self.address: IPv4Address | None = None
        self.until: Instant | None = None
        self.stored: Lease | None = None

    # The process ---------------------------------------------------------------------------------

    @property
    def runs(self) -> bool:
        """Whether there is a process that can be told of events."""
        return self.alive and not self.frozen

    @property
    def process(self) -> str:
        """How the process is, in a word of the lease table."""
        return "DEAD" if not self.alive else "FROZEN" if self.frozen else "RUNS"

    @property
    def deadline(self) -> Instant | None:
        """When the process wants a Timer; None: it does not run, or waits for something else."""
        return self.core.deadline(self.client) if self.runs else None

    @property
    def has_sent_probes(self) -> bool:
        """Whether the core takes all its probes for sent, and may use the address next."""
        probes = self.config.probes
        return not probes or (self.client.phase is Phase.PROBING and self.client.sent == probes)

    def start(self) -> Start:
        """Begin a new process; the event tells it what is stored, and what is on the interface."""
        self.alive, self.frozen, self.client = True, False, Client(self.config)
        return Start(self.stored, self.address)

    def end(self) -> None:
        """End the process; nothing is done first."""
        self.alive = self.frozen = False

    # The interface -------------------------------------------------------------------------------

    def lose_address(self) -> IPv4Address | None:
        """Take the address off the interface; the one that was there."""
        gone, self.address, self.until = self.address, None, None
        return gone

    @property
    def unnoticed(self) -> IPv4Address | None:
        """The address that has gone and that the core, not told yet, takes for its own."""
        return None if self.client.holds == self.address else self.client.holds

    # An event ------------------------------------------------------------------------------------

    def step(self, event: Event, now: Instant, chance: Chance) -> Effects:
        """Hand an event to the core; the effects that it asks for."""
        assert self.runs, "no process is there to be told"
        self.client, effects = self.core.step(self.client, event, now, chance)
        return effects

    def carry_out(self, effects: Effects, *, probed: bool) -> Iterator[Effect]:
        """Carry them out, and hand each on when it is done; OrderError where one is too early.

        `probed`: whether an address that is configured now has had all its probes.
        """
        order = Discipline(self.address, self.stored, probed=probed)
        for effect in effects:
            order.follow(effect)
            self.apply(effect)
            yield effect

    def apply(self, effect: Effect) -> None:
        """Do to interface and lease file what one effect asks for, be it right or wrong."""
        match effect:
            case Configure(lease, until):
                self.address, self.until = lease.address, until
            case Remove(address) if address == self.address:
                self.lose_address()
            case Store(lease):
                self.stored = lease
