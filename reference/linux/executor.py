"""What a client core asks for, carried out on an interface, in order.

Theory of operation.  `Executor.carry_out` has done an effect when it returns; only the hook, which
is told and not waited for, may be behind.  NotStoredError where the lease cannot be stored: nothing
that comes after may then happen (`memory.py`).

A frame is sent by the packet socket, for the kernel would choose another source, or would have none
yet; a renewal from the configured address by the kernel's UDP, which knows the way (RFC 2131
§4.4.5).  DHCPRELEASE, whose address is gone when it leaves, goes in a frame to where the server's
replies came from.

A message that does not fit into the link's MTU is as if lost; `warn` is told once.

The address gets a lifetime of whole seconds, rounded down.  Where none is left, and where the
kernel refuses the address, it is as if its lifetime had ended at once: `expired` has it.

While another program holds the kernel's networking lock (heartbeat.py) nothing can be done to the
interface, and who asks waits.  An address that is there already is extended later, by `catch_up`:
so renewals go on.  A new one is waited for, or given up at its time; so is a removal.  Afterwards,
and for an hour, lifetimes are shorter by what was waited, as far as the lease can spare it.

What it does not know: what an effect is for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from holdover.model.seconds import show_seconds
from holdover.reference.core.discipline import GIVES_UP
from holdover.reference.core.events import Configure, Effect, Notify, Remove, Send, SendArp, Store
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.linux.hooks.hook import Hook
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.kernel.interface import Interface, TooLateError
from holdover.reference.linux.kernel.parameters import SMALLEST_MTU, left_out, parameters
from holdover.reference.linux.kernel.rtnetlink import KernelRefusedError
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.linux.malformed import Malformed, Sparing
from holdover.reference.linux.storage.journal import Journal
from holdover.reference.linux.storage.memory import Memory
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    encode_frame,
)
from holdover.reference.wire.messages import request_to_wire
from holdover.reference.wire.packet import encode

PATIENCE: Duration = SECOND // 10
"""For so long the loop waits for the kernel before it goes on without."""

WORTH_A_LINE: Duration = SECOND // 10
"""An address that was there so long after its lease is told of."""


class Executor:
    """Where effects go: link, UDP, kernel, disk (`directory`; None: nowhere), hook and user.

    `held`: the address that is on the interface by our doing, `until` when.  `memory`: the lease
    that is stored.  `tell` is given each notice, `warn` a line on what went wrong.
    """

    def __init__(
        self,
        link: LinkSocket,
        interface: Interface,
        port: UdpPort,
        *,
        directory: Path | None,
        hook: Hook | None,
        journal: Journal,
        tell: Callable[[Notify], None],
        warn: Callable[[str], None],
    ) -> None:
        self.link, self.interface, self.journal = link, interface, journal
        self.held: IPv4Address | None = None
        self.until: Instant | None = None
        self.expired: IPv4Address | None = None
        self.memory = Memory(directory, interface.name, link.hardware, warn)
        self._port, self._hook = port, hook
        self._tell, self._warn = tell, warn
        self._too_small = 0
        self._said: tuple[str, ...] = ()
        self._way: tuple[IPv4Address, bytes] | None = None
        self._owed: Configure | None = None
        self._end: Instant | None = None
        self._kept_waiting = False

    def find(self) -> None:
        """What is stored, and what a predecessor has left; of several addresses one is kept."""
        self.memory.recall()
        stored = self.memory.stored
        found = [address.ip for address, ours in self.interface.addresses().items() if ours]
        if stored is not None and self.interface.has(stored.address):
            found.insert(0, stored.address)
        self.held = found[0] if found else None
        for other in set(found) - {self.held}:
            self.take_away(other)

    def heard_from(self, server: IPv4Address, hardware: bytes) -> None:
        """Where a server's replies come from."""
        self._way = server, hardware

    def note_malformed(self, said: Malformed, sparing: Sparing) -> None:
        """What was not read of a message, to the journal and to the user."""
        instant = clock.now()
        self.journal.note_malformed(said, instant)
        if (line := sparing.line(said, instant)) is not None:
            self._warn(f"{self.interface.name}: {line}")

    def carry_out(self, effect: Effect) -> None:
        """Do it."""
        match effect:
            case Send():
                try:
                    self.send(effect)
                except OSError as error:
                    self._too_large(error)
            case SendArp(arp):
                self.link.send(encode_frame(EVERYONE, self.link.hardware, arp))
            case Configure(lease):
                if self.held is None:  # which takes Python long to tell from an address
                    self.configure(effect)
                elif lease.address == self.held and not self.ready():
                    self._owed = effect
                else:
                    self.configure(effect)
            case Remove(address):
                self.take_away(address)
            case Store(lease):
                self.memory.store(lease)
            case Notify(notice, lease):
                if self._hook is not None:
                    self._hook.tell(notice, self.interface.name, lease)
                self._tell(effect)

    def send(self, effect: Send) -> None:
        """RFC 2131 §4.1: broadcast, or to one server; nothing is given up that is not forgotten."""
        request, to = effect.request, effect.to
        if request.type in GIVES_UP and self.memory.forgets:
            return
        payload = encode(request_to_wire(request))
        if to is not None and request.ciaddr == self.held:
            self._port.send(payload, request.ciaddr, to, SERVER_PORT)
            return
        known = self._way is not None and self._way[0] == to
        hardware = self._way[1] if self._way is not None and known else EVERYONE
        said = Datagram(request.ciaddr, to or ALL_HOSTS, CLIENT_PORT, SERVER_PORT, payload)
        self.link.send(encode_frame(hardware, self.link.hardware, said))

    def _too_large(self, error: OSError) -> None:
        """What does not fit into the link's MTU is lost, and said: nobody will answer."""
        if error.errno != errno.EMSGSIZE:
            raise error
        name, mtu = self.interface.name, self.interface.link().mtu
        if mtu != self._too_small:
            self._too_small = mtu
            self._warn(
                f"{name}: a DHCP message does not fit its MTU of {mtu}, and was not sent.  Set "
                f"a larger one: ip link set {name} mtu {SMALLEST_MTU}"
            )

    def ready(self) -> bool:
        """Whether the kernel takes requests about its network; waits a moment at most."""
        heartbeat = self.interface.heartbeat
        return not heartbeat.is_missed(clock.now()) and heartbeat.answers(PATIENCE)

    def catch_up(self) -> None:
        """Notice whether the kernel takes requests, say so, and do what could not be done."""
        heartbeat, now, name = self.interface.heartbeat, clock.now(), self.interface.name
        for length in heartbeat.came_back():
            self.journal.note_wait(length, now)
            if self._kept_waiting:
                self._kept_waiting = False
                self._warn(
                    f"{name}: the kernel's networking lock is free again, after "
                    f"{show_seconds(length / SECOND)}; for an hour, addresses get as much less "
                    "lifetime"
                )
        if heartbeat.is_missed(now):
            if not self._kept_waiting:
                self._kept_waiting = True
                self._warn(
                    f"{name}: another program holds the kernel's networking lock; until it is free "
                    "no address can be set, extended or removed"
                )
        elif self._owed is not None and self.ready():
            # The kernel may have removed it a moment ago; the lease runs, so it is put back.
            self.configure(self._owed)

    def configure(self, effect: Configure) -> None:
        """The address, for as long as there is; and what else the lease says."""
        self._owed = None
        lease, address, now = effect.lease, effect.lease.address, clock.now()
        until = spared_until(effect, self.interface.heartbeat.slowest(now), now)
        self.held, self.until, self._end = address, until, lease.end
        try:
            failed = self.interface.configure(parameters(address, lease.options), until)
        except (KernelRefusedError, TooLateError) as error:
            # An address of no host, from a broken server; or its time was over when it was set.
            failed = (
                [f"{address}: {error.strerror}"] if isinstance(error, KernelRefusedError) else []
            )
            self.take_away(address)
            self.expired = address
        else:
            self.journal.address("added", address, clock.now())
        said = (*left_out(lease.options), *failed)
        for line in said:
            if line not in self._said:
                self._warn(f"{self.interface.name}: not configured: {line}")
        self._said = said

    def take_away(self, address: IPv4Address) -> None:
        """The address, and what came with it."""
        self.interface.remove(address)
        now = clock.now()
        self.journal.address("removed", address, now)
        if address == self.held:
            if self._end is not None and now - self._end >= WORTH_A_LINE:
                late = show_seconds((now - self._end) / SECOND)
                self._warn(
                    f"{self.interface.name}: {address} was removed {late} after the end of "
                    "its lease; the kernel did not do it sooner"
                )
            self.held = self._owed = self._end = None

    def note_loss(self, address: IPv4Address) -> None:
        """The kernel has taken the address away."""
        self.held = self._owed = self._end = None
        self.interface.forget()
        self.journal.address("expired", address, clock.now())


def spared_until(effect: Configure, slowest: Duration, now: Instant) -> Instant | None:
    """Until when the kernel is to have the address, when it was so slow lately.

    Earlier by as much, but not by more than half of what is left after T1, when it is renewed.
    """
    until, renew_at = effect.until, effect.lease.renew_at
    if until is None or renew_at is None:
        return until
    return until - min(slowest, max(until - max(renew_at, now), 0) // 2)
