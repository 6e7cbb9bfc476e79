"""A DHCP server, or client, whose messages are not as they should be: malformed options, tags.

Started in a namespace by a test, as the text of a Python's `-c`, so that it can be forked from one
that has imported the rest (reference/lab/warm): `serve NET OPTIONS [TAG]` answers everybody who
asks, `ask SERVER OPTIONS [TAG]` asks for an address and prints what comes.  OPTIONS and TAG are
hex; `TYPE` in OPTIONS stands for option 53.  A TAG is what stands in front of the EtherType, as
8100e000: 802.1Q with priority 7 and no VLAN.
"""

from __future__ import annotations

import secrets
import select
import sys
import time
from ipaddress import IPv4Address

from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    encode_frame,
)
from holdover.reference.wire.messages import BootRequest, request_from_wire, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire.packet import COOKIE, decode, encode

ANSWERS = {MessageType.DISCOVER: MessageType.OFFER, MessageType.REQUEST: MessageType.ACK}

AGAIN = 1.0
"""Seconds after which a client asks again."""


def options(words: str, kind: MessageType) -> bytes:
    """The bytes of the options field, as they are given; its end is not looked after."""
    return bytes.fromhex(words.replace("TYPE", bytes((53, 1, kind)).hex()))


def tagged(frame: bytes, tag: bytes) -> bytes:
    """A frame with tags in front of its EtherType."""
    return frame[:12] + tag + frame[12:]


def reply(request: BootRequest, address: IPv4Address, tail: bytes) -> bytes:
    """A BOOTREPLY with whatever options: no encoder of ours could write them."""
    fixed = bytes((2, 1, 6, 0)) + request.xid.to_bytes(4, "big") + bytes(8) + address.packed
    return fixed + bytes(8) + request.chaddr.ljust(208, b"\0") + COOKIE + tail


def serve(net: IPv4Address, words: str, tag: bytes) -> None:
    """Grant each client an address, in messages with these options and this tag."""
    link, known = LinkSocket("eth0", SERVER_PORT), list[bytes]()
    sys.stdout.write("serves\n")
    sys.stdout.flush()
    while select.select([link], [], []):
        for frame in link.receive():
            if not isinstance(frame.content, Datagram):
                continue
            request = request_from_wire(decode(frame.content.payload))
            if request is None or (kind := ANSWERS.get(request.type)) is None:
                continue
            if request.chaddr not in known:
                known.append(request.chaddr)
            address = net + 50 + known.index(request.chaddr)
            payload = reply(request, address, options(words, kind))
            said = Datagram(net + 1, ALL_HOSTS, SERVER_PORT, CLIENT_PORT, payload)
            link.send(tagged(encode_frame(EVERYONE, link.hardware, said), tag))


def ask(server: IPv4Address, words: str, tag: bytes) -> None:
    """DHCPDISCOVER and DHCPREQUEST with these options and this tag, until each is answered."""
    link, xid = LinkSocket("eth0", CLIENT_PORT), secrets.randbits(32)
    for kind in ANSWERS:
        request = request_to_wire(BootRequest(kind, xid, link.hardware, broadcast=True))
        payload = encode(request)[:240] + options(words, kind)
        said = Datagram(NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, payload)
        frame = tagged(encode_frame(EVERYONE, link.hardware, said), tag)
        while not answered(link, frame, xid):
            pass


def answered(link: LinkSocket, frame: bytes, xid: int) -> bool:
    """Whether a reply came in a while; it is printed."""
    link.send(frame)
    end = time.monotonic() + AGAIN
    while select.select([link], [], [], max(end - time.monotonic(), 0))[0]:
        for heard in link.receive():
            if isinstance(heard.content, Arp) or not isinstance(heard.content, Datagram):
                continue
            try:
                message = decode(heard.content.payload)
            except WireError:
                continue
            if message.xid == xid and message.message_type is not None:
                sys.stdout.write(f"{message.message_type.name} {message.yiaddr}\n")
                sys.stdout.flush()
                return True
    return False


def main() -> None:
    """Until it is ended."""
    what, address, words, *tag = sys.argv[1:]
    {"serve": serve, "ask": ask}[what](IPv4Address(address), words, bytes.fromhex("".join(tag)))


if __name__ == "__main__":
    main()
