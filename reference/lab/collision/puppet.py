"""A host without a client: it sends what a client would, and has the address that it is told to.

Theory of operation.  A puppet speaks DHCP from a packet socket in its host's namespace, with the
hardware address of that host, in the forms of RFC 2131 Table 5.  What it sends never waits for ARP,
so that it is on the wire also where nobody hears it.  It remembers of replies what a client needs
for its next message.  The address is the kernel's: it answers ARP for it, and takes it away when
the lifetime that it was given is over.

What it does not know: when to do any of it, and why (`schedule.py`, `player.py`).
"""

from __future__ import annotations

import itertools
import select
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from types import MappingProxyType

from holdover.reference.lab.testbed.address_monitor import PORT
from holdover.reference.lab.testbed.netns import Host
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.linux.kernel.namespace import inside
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, message_in, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode

ANSWER = 5.0
"""Seconds in which a server answers; it needs some milliseconds where nothing else runs."""

FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class Form:
    """Which fields a message has: option 54, option 50, `ciaddr`; and whether it is unicast."""

    server: bool = False
    requested: bool = False
    ciaddr: bool = False
    unicast: bool = False


FORMS = MappingProxyType(
    {
        ("DISCOVER", "SELECTING"): Form(),
        ("REQUEST", "REQUESTING"): Form(server=True, requested=True),
        ("REQUEST", "REBOOTING"): Form(requested=True),
        ("REQUEST", "RENEWING"): Form(ciaddr=True, unicast=True),
        ("REQUEST", "REBINDING"): Form(ciaddr=True),
        ("RELEASE", "INIT"): Form(server=True, ciaddr=True, unicast=True),
    }
)
"""By message and by the client's phase when it is sent (RFC 2131 Tables 4 and 5, §4.3.2)."""


class Puppet:
    """A host of a link; `name` is the model's.  To be closed."""

    def __init__(self, name: str, host: Host) -> None:
        self.name, self._host = name, host
        with inside(host.space):
            self._link = LinkSocket(PORT, CLIENT_PORT)
            try:
                # Else its kernel answers a reply with ICMP *port unreachable*.
                self._port = UdpPort(PORT, CLIENT_PORT)
            except BaseException:
                self._link.close()
                raise
        self.hardware = self._link.hardware
        self._xids = itertools.count(int.from_bytes(self.hardware[-3:]) << 8)
        self._xid = 0
        self._server, self._server_hardware = NO_ADDRESS, EVERYONE
        self._replies: list[BootReply] = []

    def close(self) -> None:
        """Hear nothing more."""
        self._link.close()
        self._port.close()

    # DHCP ----------------------------------------------------------------------------------------

    def send(self, message: str, phase: str, address: IPv4Address, *, fresh: bool) -> None:
        """A message about an address, from a client in that phase; `fresh`: under a new xid."""
        if fresh:
            self._xid = next(self._xids)
        form = FORMS[message, phase]
        request = BootRequest(
            MessageType[message],
            self._xid,
            self.hardware,
            ciaddr=address if form.ciaddr else NO_ADDRESS,
            requested=address if form.requested else None,
            server=self._server if form.server else None,
        )
        to, hardware = (
            (self._server, self._server_hardware) if form.unicast else (ALL_HOSTS, EVERYONE)
        )
        payload = encode(request_to_wire(request))
        datagram = Datagram(request.ciaddr, to, CLIENT_PORT, SERVER_PORT, payload)
        self._link.awaits = self._xid
        self._link.send(encode_frame(hardware, self.hardware, datagram))

    def hear(self, message: str, address: IPv4Address) -> None:
        """Wait for the server's answer; UnheardError where another comes, or none."""
        end = time.monotonic() + ANSWER
        while not self._replies:
            left = end - time.monotonic()
            if left <= 0:
                raise UnheardError(f"no DHCP{message} for {self.name} within {ANSWER:g} s")
            select.select([self._link], (), (), left)
            self._receive()
        reply = self._replies.pop(0)
        if reply.type.name != message or (message != "NAK" and reply.address != address):
            raise UnheardError(
                f"a DHCP{reply.type.name} of {reply.address} for {self.name}, where a "
                f"DHCP{message} of {address} was to come"
            )
        if reply.server is not None:
            self._server = reply.server

    def heard_more(self) -> bool:
        """Whether a reply to the present exchange has come that was not waited for."""
        self._receive()
        return bool(self._replies)

    def _receive(self) -> None:
        for frame in self._link.receive():
            reply = message_in(frame.content)
            if isinstance(reply, BootReply) and reply.xid == self._xid:
                self._replies.append(reply)
                self._server_hardware = frame.source

    # The kernel ----------------------------------------------------------------------------------

    def take(self, address: IPv4Interface, valid: int | None) -> None:
        """Have an address, for so many seconds; None: for ever."""
        lifetime = FOREVER if valid is None else str(max(valid, 1))
        self._host.ip(
            "addr",
            "replace",
            str(address),
            "dev",
            PORT,
            "valid_lft",
            lifetime,
            "preferred_lft",
            lifetime,
        )

    def let_go(self, address: IPv4Interface) -> None:
        """Have it no more; the kernel may have been first."""
        if self.has(address.ip):
            with suppress(UnheardError):
                self._host.ip("addr", "del", str(address), "dev", PORT)
            if self.has(address.ip):
                raise UnheardError(f"{self.name} cannot remove {address}")

    def has(self, address: IPv4Address) -> bool:
        """Whether the kernel has it."""
        return self._host.has(address)
