"""`python -m tests.net.load WHAT`: many clients in one process, on eth0, for `hardship.py`.

Theory of operation.  `Wire` is a packet socket that hears what is for any hardware address.  Each
WHAT is a crowd of names, good or bad, and prints what came of it as a line of JSON: `crowd` at
SIGTERM, the others when they are done.

`crowd`: clients that get a lease, renew it every second or two, and now and then give it back or
leave without a word.  A *double commitment* is a DHCPACK for an address that another client may use
still: its latest DHCPACK was for longer, counted from its request, and it has not given it back.

What it does not know: ARP; nobody here uses an address.
"""

from __future__ import annotations

import json
import random
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, decode_frame, encode_frame
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire.packet import decode, encode

PROMISCUOUS, SOL_PACKET = 1, 263
PAUSE = 0.6
"""Seconds between two requests of a client, about."""

Discover, Request = MessageType.DISCOVER, MessageType.REQUEST
Ack, Nak, Offer = MessageType.ACK, MessageType.NAK, MessageType.OFFER


class Wire:
    """eth0, whoever a frame is for."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("eth0", 0x0800))
        index = socket.if_nametoindex("eth0")
        wanted = index.to_bytes(4, sys.byteorder) + PROMISCUOUS.to_bytes(2, sys.byteorder)
        self.socket.setsockopt(SOL_PACKET, 1, wanted + bytes(10))

    def say(self, kind: MessageType, chaddr: bytes, xid: int = 7, **fields: Any) -> None:
        """A BOOTREQUEST to everybody."""
        payload = encode(request_to_wire(BootRequest(kind, xid, chaddr, **fields)))
        said = Datagram(fields.get("ciaddr", NO_ADDRESS), ALL_HOSTS, 68, 67, payload)
        try:
            self.socket.send(encode_frame(EVERYONE, chaddr, said))
        except OSError:  # the queue is full: lost, as on any network
            time.sleep(0.001)

    def hear(self, seconds: float) -> Iterator[BootReply]:
        """The replies that come in that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            try:
                content = decode_frame(self.socket.recv(1 << 16)).content
                if isinstance(content, Datagram) and content.destination_port == 68:
                    reply = reply_from_wire(decode(content.payload))
                    if reply is not None:
                        yield reply
            except WireError:
                continue


def name(number: int) -> bytes:
    """A hardware address of nobody's."""
    return b"\2" + number.to_bytes(5, "big")


# A crowd of clients -------------------------------------------------------------------------------


@dataclass
class Client:
    """One of the crowd: what it has, and what it has asked for when."""

    chaddr: bytes
    address: IPv4Address | None = None
    asked: float = 0.0
    again: float = 0.0


@dataclass(frozen=True)
class Held:
    """A promise: to whom, and until when by its own count."""

    chaddr: bytes
    end: float


class Crowd:
    """Clients, and what they were promised."""

    def __init__(self, size: int) -> None:
        self.wire = Wire()
        self.clients = {name(number): Client(name(number)) for number in range(size)}
        self.promised: dict[IPv4Address, Held] = {}
        self.acks = 0
        self.doubles: list[str] = []
        self.born = size

    def turn(self) -> None:
        """A tenth of a second."""
        now = time.monotonic()
        for client in list(self.clients.values()):
            if client.again <= now:
                self.act(client, now)
        for reply in self.wire.hear(0.1):
            if reply.chaddr in self.clients:
                self.heed(self.clients[reply.chaddr], reply)

    def act(self, client: Client, now: float) -> None:
        """Ask for a lease, or for more of it, or go."""
        client.again = now + PAUSE * random.uniform(0.5, 1)
        if client.address is None:
            self.wire.say(Discover, client.chaddr)
            return
        fate = random.random()
        if fate < 0.15:
            if fate < 0.05:
                self.wire.say(
                    MessageType.RELEASE, client.chaddr, ciaddr=client.address, server=SERVER
                )
                self.promised.pop(client.address, None)
            del self.clients[client.chaddr]
            self.born += 1
            self.clients[name(self.born)] = Client(name(self.born))
            return
        client.asked = now
        self.wire.say(Request, client.chaddr, ciaddr=client.address)

    def heed(self, client: Client, reply: BootReply) -> None:
        """What a reply changes."""
        now = time.monotonic()
        if reply.type is Offer and client.address is None:
            client.asked = now
            self.wire.say(Request, client.chaddr, requested=reply.address, server=reply.server)
        elif reply.type is Nak:
            client.address = None
        elif reply.type is Ack and reply.lease is not None:
            self.acks += 1
            held = self.promised.get(reply.address)
            if held is not None and held.chaddr != client.chaddr and now < held.end:
                self.doubles.append(
                    f"{reply.address} of {held.chaddr.hex(':')} for {held.end - now:.1f} s more is "
                    f"{client.chaddr.hex(':')}'s"
                )
            client.address = reply.address
            self.promised[reply.address] = Held(client.chaddr, client.asked + reply.lease)


SERVER = IPv4Address("10.77.0.1")


def crowd(size: int) -> dict[str, object]:
    """Until SIGTERM."""
    those, over = Crowd(size), threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    while not over.is_set():
        those.turn()
    return {"acks": those.acks, "doubles": those.doubles}


# Bad company --------------------------------------------------------------------------------------


def flood(seconds: int) -> dict[str, object]:
    """DHCPDISCOVER under a new name each, as fast as it goes."""
    wire, begun, number = Wire(), time.monotonic(), 1 << 24
    while time.monotonic() < begun + seconds:
        for _ in range(100):
            number += 1
            wire.say(Discover, name(number), number)
    sent = number - (1 << 24)
    return {"sent": sent, "rate": sent / (time.monotonic() - begun)}


def forge(first: str, count: int) -> dict[str, object]:
    """DHCPDECLINE for each address of a pool, of nobody whom it was offered to."""
    wire = Wire()
    for number in range(count):
        asked = IPv4Address(first) + number
        wire.say(MessageType.DECLINE, name(number), requested=asked, server=SERVER)
    return {"sent": count}


def decline(count: int) -> dict[str, object]:
    """Whatever is offered is declined, under a new name each, until nothing more is offered."""
    wire, declined = Wire(), []
    for number in range(1 << 25, (1 << 25) + count):
        for _ in range(5):
            wire.say(Discover, name(number))
            offers = (
                each for each in wire.hear(2) if each.chaddr == name(number) and each.type is Offer
            )
            if (offered := next(offers, None)) is not None:
                break
        else:
            break
        wire.say(
            MessageType.DECLINE, name(number), requested=offered.address, server=offered.server
        )
        declined.append(str(offered.address))
    return {"declined": len(declined), "addresses": len(set(declined))}


def main(what: str, *given: str) -> None:
    """One of them."""
    numbers = [int(each) if each.isdecimal() else each for each in given]
    all_: dict[str, Callable[..., dict[str, object]]] = {
        "crowd": crowd,
        "flood": flood,
        "forge": forge,
        "decline": decline,
    }
    print(json.dumps(all_[what](*numbers)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
