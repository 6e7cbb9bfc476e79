"""What a client core asks for, carried out on an interface, in order.

Theory of operation.  `Hands.carry_out` has done an effect when it returns; only the hook, which is
told and not waited for, may be behind.  BadInput where the lease cannot be stored: nothing that
comes after may then happen.

A frame is sent by the packet socket, for the kernel would choose another source, or would have none
yet; a renewal from the configured address by the kernel's UDP, which knows the way (RFC 2131
§4.4.5).  DHCPRELEASE, whose address is gone when it leaves, goes in a frame to where the server's
replies came from.

The address gets a lifetime of whole seconds, rounded down.  Where none is left, and where the
kernel refuses the address, it is as if its lifetime had ended at once: `expired` has it.

What it does not know: what an effect is for.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from holdover.reference.linux import clock, storage
from holdover.reference.linux.hooks import Hook
from holdover.reference.linux.journal import Journal
from holdover.reference.linux.netlink import FOREVER, Interface
from holdover.reference.linux.parameters import parameters
from holdover.reference.linux.rtnetlink import Refused
from holdover.reference.linux.sockets import LinkSocket, UdpPort
from holdover.reference.messages import request_to_wire
from holdover.reference.wire import encode

from holdover.reference.datagram import (  # isort: skip
    ALL_HOSTS, CLIENT_PORT, EVERYONE, SERVER_PORT, Datagram, encode_frame,
)  # fmt: skip
from holdover.reference.events import (  # isort: skip
    SECOND, Configure, Effect, Instant, Lease, Notify, Remove, Send, SendArp, Store,
)  # fmt: skip


class Hands:
    """Where effects go: link, UDP, kernel, disk (`directory`; None: nowhere), hook and user.

    `held`: the address that is on the interface by our doing.  `stored`: the lease last stored.
    `tell` is given each notice, `warn` a line on what the kernel did not accept.
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
        self.stored: Lease | None = None
        self.expired: IPv4Address | None = None
        self._port, self._directory, self._hook = port, directory, hook
        self._tell, self._warn = tell, warn
        self._way: tuple[IPv4Address, bytes] | None = None

    def find(self) -> None:
        """What is stored, and what a predecessor has left; of several addresses one is kept."""
        if self._directory is not None:
            self.stored = storage.load(
                self._directory, self.interface.name, hardware=self.link.hardware, note=self._warn
            )
        found = [address.ip for address, ours in self.interface.addresses().items() if ours]
        if self.stored is not None and self.interface.has(self.stored.address):
            found.insert(0, self.stored.address)
        self.held = found[0] if found else None
        for other in set(found) - {self.held}:
            self.take_away(other)

    def heard_from(self, server: IPv4Address, hardware: bytes) -> None:
        """Where a server's replies come from."""
        self._way = server, hardware

    def carry_out(self, effect: Effect) -> None:
        """Do it."""
        match effect:
            case Send():
                self.send(effect)
            case SendArp(arp):
                self.link.send(encode_frame(EVERYONE, self.link.hardware, arp))
            case Configure(lease, until):
                self.configure(lease, until)
            case Remove(address):
                self.take_away(address)
            case Store(lease):
                self.store(lease)
            case Notify(notice, lease, options):
                if self._hook is not None:
                    self._hook.tell(notice, self.interface.name, lease, options)
                self._tell(effect)

    def send(self, effect: Send) -> None:
        """RFC 2131 §4.1: broadcast, or to one server."""
        request, to = effect.request, effect.to
        payload = encode(request_to_wire(request))
        if to is not None and request.ciaddr == self.held:
            self._port.send(payload, request.ciaddr, to, SERVER_PORT)
            return
        known = self._way is not None and self._way[0] == to
        hardware = self._way[1] if self._way is not None and known else EVERYONE
        said = Datagram(request.ciaddr, to or ALL_HOSTS, CLIENT_PORT, SERVER_PORT, payload)
        self.link.send(encode_frame(hardware, self.link.hardware, said))

    def configure(self, lease: Lease, until: Instant | None) -> None:
        """The address, for as long as there is; and what else the lease says."""
        address, now = lease.address, clock.now()
        valid = FOREVER if until is None else min((until - now) // SECOND, FOREVER - 1)
        if valid <= 0:
            self.take_away(address)
            self.expired = address
            return
        self.held = address
        try:
            failed = self.interface.configure(parameters(lease), valid)
        except Refused as error:  # such as an address of no host, from a broken server
            failed = [f"{address}: {error.strerror}"]
            self.take_away(address)
            self.expired = address
        else:
            self.journal.address("added", address, now)
        for line in failed:
            self._warn(f"{self.interface.name}: not configured: {line}")

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

    def store(self, lease: Lease | None) -> None:
        """Durably, before anything that follows."""
        if self._directory is not None:
            name, hardware = self.interface.name, self.link.hardware
            storage.save(self._directory, name, lease, hardware=hardware)
        self.stored = lease
