"""What a client core asks for, carried out on an interface, in order.

Theory of operation.  `Hands.carry_out` has done an effect when it returns; only the hook, which is
told and not waited for, may be behind.  NotStored where the lease cannot be stored: nothing that
comes after may then happen (`memory.py`).

A frame is sent by the packet socket, for the kernel would choose another source, or would have none
yet; a renewal from the configured address by the kernel's UDP, which knows the way (RFC 2131
§4.4.5).  DHCPRELEASE, whose address is gone when it leaves, goes in a frame to where the server's
replies came from.

A message that does not fit into the link's MTU is as if lost; `warn` is told once.

The address gets a lifetime of whole seconds, rounded down.  Where none is left, and where the
kernel refuses the address, it is as if its lifetime had ended at once: `expired` has it.

What it does not know: what an effect is for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from holdover.reference.linux import clock
from holdover.reference.linux.hooks import Hook
from holdover.reference.linux.journal import Journal
from holdover.reference.linux.malformed import Malformed, Sparing
from holdover.reference.linux.memory import Memory
from holdover.reference.linux.netlink import FOREVER, Interface
from holdover.reference.linux.parameters import SMALLEST_MTU, left_out, parameters
from holdover.reference.linux.rtnetlink import Refused
from holdover.reference.linux.sockets import LinkSocket, UdpPort
from holdover.reference.messages import request_to_wire
from holdover.reference.values import MessageType
from holdover.reference.wire import encode

from holdover.reference.datagram import (  # isort: skip
    ALL_HOSTS, CLIENT_PORT, EVERYONE, SERVER_PORT, Datagram, encode_frame,
)  # fmt: skip
from holdover.reference.events import (  # isort: skip
    SECOND, Configure, Effect, Instant, Lease, Notify, Remove, Send, SendArp, Store,
)  # fmt: skip


GIVES_UP = (MessageType.RELEASE, MessageType.DECLINE)


class Hands:
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

    def malformed(self, said: Malformed, sparing: Sparing) -> None:
        """What was not read of a message, to the journal and to the user."""
        instant = clock.now()
        self.journal.malformed(said, instant)
        if (line := sparing.line(said, instant)) is not None:
            self._warn(f"{self.interface.name}: {line}")

    def carry_out(self, effect: Effect) -> None:
        """Do it."""
        match effect:
            case Send():
                with self._fitting():
                    self.send(effect)
            case SendArp(arp):
                self.link.send(encode_frame(EVERYONE, self.link.hardware, arp))
            case Configure(lease, until):
                self.configure(lease, until)
            case Remove(address):
                self.take_away(address)
            case Store(lease):
                self.memory.store(lease)
            case Notify(notice, lease, options):
                if self._hook is not None:
                    self._hook.tell(notice, self.interface.name, lease, options)
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

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """What does not fit into the link's MTU is lost, and said: nobody will answer."""
        try:
            yield
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            name, mtu = self.interface.name, self.interface.link().mtu
            if mtu != self._too_small:
                self._too_small = mtu
                self._warn(
                    f"{name}: a DHCP message does not fit its MTU of {mtu}, and was not sent.  Set "
                    f"a larger one: ip link set {name} mtu {SMALLEST_MTU}"
                )

    def configure(self, lease: Lease, until: Instant | None) -> None:
        """The address, for as long as there is; and what else the lease says."""
        address, now = lease.address, clock.now()
        valid = FOREVER if until is None else min((until - now) // SECOND, FOREVER - 1)
        if valid <= 0:
            self.take_away(address)
            self.expired = address
            return
        self.held, self.until = address, until
        try:
            failed = self.interface.configure(parameters(lease), valid)
        except Refused as error:  # such as an address of no host, from a broken server
            failed = [f"{address}: {error.strerror}"]
            self.take_away(address)
            self.expired = address
        else:
            self.journal.address("added", address, now)
        for line in (*left_out(lease), *failed):
            if line not in self._said:
                self._warn(f"{self.interface.name}: not configured: {line}")
        self._said = (*left_out(lease), *failed)

    def take_away(self, address: IPv4Address) -> None:
        """The address, and what came with it."""
        self.interface.remove(address)
        self.journal.address("removed", address, clock.now())
        if address == self.held:
            self.held = None

    def lost(self, address: IPv4Address) -> None:
        """The kernel has taken the address away."""
        self.held = None
        self.interface.forget()
        self.journal.address("expired", address, clock.now())
