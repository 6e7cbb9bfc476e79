"""The network's datagrams: Ethernet frames, and what the lease table sees of them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from holdover.model.table.vocabulary import KIND
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.core.server_state import SendReply
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import Datagram, decode_frame, encode_frame
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from_wire,
    reply_to_wire,
    request_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode, encode
from tests.stateful.scene import ADDRESSES, SERVER, SERVER_HARDWARE, from_now, number_of

EVERYBODY = bytes((0xFF,) * 6)
ANYWHERE = IPv4Address("255.255.255.255")
SERVER_PORT, CLIENT_PORT = 67, 68

FOR_CLIENT = ("OFFER", "ACK", "NAK")


@dataclass(frozen=True)
class Flight:
    """A datagram under way, as an Ethernet frame; the other fields were read from it.

    But for a DHCPNAK's `address`, which no such message has.  `taken`: the client has it, and has
    not acted on it yet.
    """

    frame: bytes
    sent: Instant
    kind: str
    client: bytes
    address: IPv4Address | None
    lease: Duration | None
    xid: int
    taken: bool = False

    def seen(self, h: int, now: Instant, *, current: bool) -> tuple[Any, ...]:
        """Its variables, in the order of `Rows.columns`; `h`: whose it is.

        `current`: whether its xid is one that its client still knows.
        """
        kind, sent = KIND.values.index(self.kind), from_now(self.sent, now)
        return kind, h, number_of(self.address), sent, self.lease, current


def of_request(request: BootRequest, to: IPv4Address | None, now: Instant) -> Flight:
    """A client's message on its way to the server."""
    frame = encode_frame(
        EVERYBODY if to is None else SERVER_HARDWARE,
        request.chaddr,
        Datagram(
            request.ciaddr,
            ANYWHERE if to is None else to,
            CLIENT_PORT,
            SERVER_PORT,
            encode(request_to_wire(request)),
        ),
    )
    said = read_request(frame)
    used = said.ciaddr if said.ciaddr != NO_ADDRESS else None
    return Flight(frame, now, said.type.name, said.chaddr, said.requested or used, None, said.xid)


def of_reply(said: SendReply, now: Instant, about: IPv4Address | None) -> Flight:
    """A server's message on its way to a client."""
    reply = said.reply
    frame = encode_frame(
        EVERYBODY if said.to is None else reply.chaddr,
        SERVER_HARDWARE,
        Datagram(
            SERVER,
            ANYWHERE if said.to is None else said.to,
            SERVER_PORT,
            CLIENT_PORT,
            encode(reply_to_wire(reply)),
        ),
    )
    read = read_reply(frame)
    address = read.address if read.address != NO_ADDRESS else about
    lease = read.lease * SECOND if read.type is MessageType.ACK and read.lease else None
    return Flight(frame, now, read.type.name, read.chaddr, address, lease, read.xid)


def read_request(frame: bytes) -> BootRequest:
    """The client's message in a frame."""
    read = request_from_wire(decode(payload(frame)))
    assert read is not None
    return read


def read_reply(frame: bytes) -> BootReply:
    """The server's message in a frame."""
    read = reply_from_wire(decode(payload(frame)))
    assert read is not None
    return read


def payload(frame: bytes) -> bytes:
    """The DHCP message in a frame."""
    content = decode_frame(frame).content
    assert isinstance(content, Datagram)
    return content.payload


def over_the_air(packet: Arp) -> Arp:
    """An ARP packet as others receive it."""
    content = decode_frame(encode_frame(EVERYBODY, packet.sender_hardware, packet)).content
    assert isinstance(content, Arp)
    return content


def answer(
    request: BootRequest,
    kind: str,
    address: int,
    lease: Duration | None,
    before_end: tuple[int, int],
) -> SendReply:
    """The table's reply as a message: what the row says, and the rest as Table 3 has it.

    T1 and T2 are so long before the end of each lease, and are told where that is whole seconds.
    """
    nak = kind == "NAK"
    offered = None if nak else ADDRESSES[address]
    seconds = None if lease is None else lease // SECOND
    at = [] if lease is None else [lease - rest for rest in before_end]
    t1, t2 = (n // SECOND for n in at) if at and not any(n % SECOND for n in at) else (None, None)
    said = BootReply(
        MessageType[kind],
        request.xid,
        request.chaddr,
        request.client_id,
        broadcast=request.broadcast,
        address=offered or NO_ADDRESS,
        server=SERVER,
        lease=seconds,
        t1=t1,
        t2=t2,
    )
    return SendReply(said, None if nak or request.broadcast else offered)
