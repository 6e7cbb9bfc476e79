"""A program of its own: a device that may lie in ARP.

It asks for a lease by raw frames and has no address in any kernel, so that what it answers and what
it uses are two things.  HOW:

    honest    it answers until half a second before its lease ends, and sends frames as long
    claims    it lets go as well: it sends no frame any more; but goes on to answer
    mute      it answers nothing, and sends frames until OVER seconds after its lease
    mute, in time      likewise, until a second before it
"""

from __future__ import annotations

import select
import sys
from ipaddress import IPv4Address

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.arp import Arp, ArpOperation, reply
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    Frame,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, message_in, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode

OVER = 4.0
AGAIN, TALKS = SECOND, SECOND // 5
"""From one message to the next while it asks, and from one frame to the next that it sends."""

DISCARD = 9
"""The port of who throws it away (RFC 863)."""

LEAVES = {"honest": -0.5, "claims": -0.5, "mute": OVER, "mute, in time": -1.0}
"""Seconds after the lease end at which it uses the address no more."""


class Device:
    """A client of DHCP without any kernel."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.link = LinkSocket("eth0", CLIENT_PORT)
        self.address: IPv4Address | None = None
        self.offer: BootReply | None = None
        self.until: Instant = 0
        self.next = now()

    def run(self) -> None:
        """Until it is ended."""
        while True:
            left = max(self.next - now(), 0) / SECOND
            select.select((self.link,), (), (), left)
            for frame in self.link.receive():
                self.take(frame)
            if now() >= self.next:
                self.speak()

    def take(self, frame: Frame) -> None:
        """What it hears."""
        if isinstance(frame.content, Arp):
            self.answer(frame.content)
            return
        said = message_in(frame.content)
        if not isinstance(said, BootReply) or said.chaddr != self.link.hardware:
            return
        if said.type is MessageType.OFFER and self.offer is None:
            self.offer, self.next = said, now()
        if said.type is MessageType.ACK and self.address is None:
            assert said.lease is not None
            self.address = said.address
            self.until = now() + int((said.lease + LEAVES[self.how]) * SECOND)
            self.next = now()

    def answer(self, arp: Arp) -> None:
        """To a question for its address."""
        if arp.operation is not ArpOperation.REQUEST or arp.target != self.address:
            return
        if self.how == "claims" or (self.how == "honest" and now() < self.until):
            told = reply(arp, self.link.hardware)
            self.link.send(encode_frame(arp.sender_hardware, self.link.hardware, told))

    def speak(self) -> None:
        """Ask for a lease, or send something from the address."""
        if self.address is not None:
            self.next = now() + TALKS
            if now() < self.until:
                content = Datagram(self.address, ALL_HOSTS, DISCARD, DISCARD, b"here")
                self.link.send(encode_frame(EVERYONE, self.link.hardware, content))
            return
        self.next = now() + AGAIN
        offer = self.offer
        asked = BootRequest(
            MessageType.DISCOVER if offer is None else MessageType.REQUEST,
            7,
            self.link.hardware,
            broadcast=True,
            requested=None if offer is None else offer.address,
            server=None if offer is None else offer.server,
        )
        content = Datagram(
            NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, encode(request_to_wire(asked))
        )
        self.link.send(encode_frame(EVERYONE, self.link.hardware, content))


if __name__ == "__main__":
    Device(sys.argv[1]).run()
