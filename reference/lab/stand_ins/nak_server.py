"""A program of its own: answers every renewal with DHCPNAK, from a signal on.

Theory of operation.  RFC 2131 §4.1 has a server broadcast its DHCPNAK; servers that send it to the
client alone exist, and clients that heed only the one or the other.  This program does as it is
told, in the name of the server whose place it takes, from a signal on (`stand_in.py`).  It may
leave the server's port free for another program, which then offers what is not refused.

The third way is no refusal: a DHCPACK that is right in all but its xid, so that whoever takes it
does not look at that (RFC 2131 §4.4.1: any DHCPACK with another xid is discarded).

What it does not know: leases.  A client without an address, or with another one, gets no answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address

from holdover.reference.lab.stand_ins.stand_in import stand_in
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


def main() -> None:
    """Refuse an address in that way, by one's own: WAY OWN ADDRESS [beside].

    `beside`: another program is to have the server's port.
    """
    way, own, address = sys.argv[1], *map(IPv4Address, sys.argv[2:4])

    def answer(frame: Frame, hardware: bytes) -> Iterable[bytes]:
        sent = refusal(frame, way, own, address, hardware)
        return () if sent is None else (sent,)

    stand_in(answer, beside=BESIDE in sys.argv)


if __name__ == "__main__":
    main()
