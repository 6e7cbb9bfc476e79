"""A program of its own: answers every renewal with DHCPNAK, from a signal on.

Theory of operation.  RFC 2131 §4.1 has a server broadcast its DHCPNAK; servers that send it to the
client alone exist, and clients that heed only the one or the other.  This program does as it is
told, in the name of the server whose place it takes.  It is started beforehand and says `ready`;
at SIGUSR1 it opens its sockets, so that no renewal falls between the two, and says `refuses`.  The
server's port it leaves free for another program, which may offer what is not refused.

The third way is no refusal: a DHCPACK that is right in all but its xid, so that whoever takes it
does not look at that (RFC 2131 §4.4.1: any DHCPACK with another xid is discarded).

What it does not know: leases.  A client without an address, or with another one, gets no answer.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from dataclasses import replace
from ipaddress import IPv4Address

from holdover.model.errors import InputError
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    Frame,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, message_in, reply_to_wire
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import SUBNET_MASK, Options
from holdover.reference.wire.packet import encode

WAYS = ("broadcast", "unicast", "foreign xid")
BESIDE = "beside"

PATIENCE, PAUSE = 5, 0.01
"""Seconds."""

GRANTED = 30
"""Seconds of a lease with a foreign xid."""

MASK = Options([SUBNET_MASK(IPv4Address("255.255.255.0"))])
"""Without it a client may take another network for its own."""


def refusal(
    frame: Frame, way: str, own: IPv4Address, address: IPv4Address, hardware: bytes
) -> bytes | None:
    """The frame that answers the DHCPREQUEST of a client with that address; None for others."""
    request = message_in(frame.content)
    if not isinstance(request, BootRequest) or (
        request.type is not MessageType.REQUEST or request.ciaddr != address
    ):
        return None
    reply = BootReply(
        MessageType.NAK, request.xid, request.chaddr, client_id=request.client_id, server=own
    )
    if way == "foreign xid":
        reply = replace(
            reply,
            type=MessageType.ACK,
            xid=request.xid ^ 1,
            ciaddr=address,
            address=address,
            lease=GRANTED,
            options=MASK,
        )
    alone = way != "broadcast"
    destination, to = (address, frame.source) if alone else (ALL_HOSTS, EVERYONE)
    datagram = Datagram(own, destination, SERVER_PORT, CLIENT_PORT, encode(reply_to_wire(reply)))
    return encode_frame(to, hardware, datagram)


def server_port() -> UdpPort:
    """The server's port, as soon as it is free: else the kernel answers, port unreachable.

    A server that was killed may not be dead yet.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return UdpPort("eth0", SERVER_PORT)
        except InputError:
            if time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def main() -> None:
    """Refuse an address in that way, by one's own: WAY OWN ADDRESS [beside].

    `beside`: another program is to have the server's port.
    """
    way, own, address = sys.argv[1], *map(IPv4Address, sys.argv[2:4])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    say("ready")
    signal.sigwait({signal.SIGUSR1})
    link, port = LinkSocket("eth0", SERVER_PORT), server_port()
    if BESIDE in sys.argv:
        port.close()
    say("refuses")
    while True:
        select.select((link,), (), ())
        for frame in link.receive():
            if (answer := refusal(frame, way, own, address, link.hardware)) is not None:
                link.send(answer)


def say(word: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
