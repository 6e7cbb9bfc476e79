"""`python -m holdover.reference.lab.refuser`: answers every renewal with DHCPNAK, from a signal on.

Theory of operation.  RFC 2131 §4.1 has a server broadcast its DHCPNAK; servers that send it to the
client alone exist, and clients that heed only the one or the other.  This program does as it is
told, in the name of the server whose place it takes.  It is started beforehand and says `ready`;
at SIGUSR1 it opens its sockets and begins, so that no renewal falls between the two.

The third way is no refusal: a DHCPACK that is right in all but its xid, so that whoever takes it
does not look at that (RFC 2131 §4.4.1: any DHCPACK with another xid is discarded).

What it does not know: leases.  A client without an address gets no answer.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from dataclasses import replace
from ipaddress import IPv4Address

from holdover.model.profile import BadInput
from holdover.reference.linux.sockets import LinkSocket, UdpPort
from holdover.reference.messages import BootReply, reply_to_wire, request_from_wire
from holdover.reference.options import SUBNET_MASK, Options
from holdover.reference.values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire import decode, encode

from holdover.reference.datagram import (  # isort: skip
    ALL_HOSTS, CLIENT_PORT, EVERYONE, SERVER_PORT, Datagram, Frame, encode_frame,
)  # fmt: skip

WAYS = ("broadcast", "unicast", "foreign xid")

PATIENCE, PAUSE = 5, 0.01
"""Seconds."""

GRANTED = 30
"""Seconds of a lease with a foreign xid."""

MASK = Options([SUBNET_MASK(IPv4Address("255.255.255.0"))])
"""Without it a client may take another network for its own."""


def refusal(frame: Frame, way: str, own: IPv4Address, hardware: bytes) -> bytes | None:
    """The frame that answers the DHCPREQUEST of a client that has an address; None for others."""
    if not isinstance(frame.content, Datagram):
        return None
    try:
        request = request_from_wire(decode(frame.content.payload))
    except WireError:
        return None
    if request is None or request.type is not MessageType.REQUEST or request.ciaddr == NO_ADDRESS:
        return None
    reply = BootReply(
        MessageType.NAK, request.xid, request.chaddr, client_id=request.client_id, server=own
    )
    if way == "foreign xid":
        reply = replace(
            reply, type=MessageType.ACK, xid=request.xid ^ 1, ciaddr=request.ciaddr,
            address=request.ciaddr, lease=GRANTED, options=MASK,
        )  # fmt: skip
    alone = way != "broadcast"
    address, to = (request.ciaddr, frame.source) if alone else (ALL_HOSTS, EVERYONE)
    datagram = Datagram(own, address, SERVER_PORT, CLIENT_PORT, encode(reply_to_wire(reply)))
    return encode_frame(to, hardware, datagram)


def server_port() -> UdpPort:
    """The server's port, as soon as it is free: else the kernel answers, port unreachable.

    A server that was killed may not be dead yet.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return UdpPort("eth0", SERVER_PORT)
        except BadInput:
            if time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def main() -> None:
    """Refuse in that way and with that address: WAY OWN."""
    way, own = sys.argv[1], IPv4Address(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGUSR1})
    link = LinkSocket("eth0", SERVER_PORT)
    _port = server_port()
    while True:
        select.select((link,), (), ())
        for frame in link.receive():
            if (answer := refusal(frame, way, own, link.hardware)) is not None:
                link.send(answer)


if __name__ == "__main__":
    main()
