"""Captures as tests need them: frames, and the files they stand in."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    EVERYONE,
    IPV4,
    Datagram,
    checksum,
    encode_datagram,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode

Shot = tuple[Instant, bytes]
"""When a frame was captured, and the frame."""

START = 1_700_000_000 * SECOND
MAC, OTHER, SERVER_MAC = (bytes((2, 0, 0, 0, 0, last)) for last in (10, 11, 1))
ADDRESS, SERVER = IPv4Address("10.0.0.57"), IPv4Address("10.0.0.1")


# Frames ------------------------------------------------------------------------------------------


def ip_packet(
    source: IPv4Address,
    destination: IPv4Address = SERVER,
    size: int = 20,
    content: bytes | None = None,
) -> bytes:
    """A TCP packet, more or less, with `content`, or so many zeros."""
    inside = bytes(size) if content is None else content
    head = bytearray(
        IPV4.pack(0x45, 0, 20 + len(inside), 1, 0x4000, 64, 6, 0, source.packed, destination.packed)
    )
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    return bytes(head) + inside


def ethernet(content: bytes, source: bytes = MAC, kind: int = 0x0800, tags: bytes = b"") -> bytes:
    """A frame; `tags` stand in front of its type."""
    return SERVER_MAC + source + tags + struct.pack("!H", kind) + content


def ip(address: IPv4Address = ADDRESS, mac: bytes = MAC, tags: bytes = b"") -> bytes:
    """A host sends from an address."""
    return ethernet(ip_packet(address), mac, tags=tags)


def arp(
    sender: IPv4Address = ADDRESS,
    mac: bytes = MAC,
    target: IPv4Address = SERVER,
    operation: ArpOperation = ArpOperation.REQUEST,
) -> bytes:
    """ARP."""
    return encode_frame(EVERYONE, mac, Arp(operation, mac, sender, bytes(6), target))


def request(kind: MessageType = MessageType.REQUEST, xid: int = 7, **more: object) -> BootRequest:
    """A message of the client with MAC."""
    return BootRequest(kind, xid, MAC, **more)  # type: ignore[arg-type]


def reply(kind: MessageType = MessageType.ACK, xid: int = 7, **more: object) -> BootReply:
    """A message of the server, for it."""
    usual: dict[str, object] = {"address": ADDRESS, "server": SERVER, "lease": 60}
    return BootReply(kind, xid, MAC, **(usual | more))  # type: ignore[arg-type]


def payload(message: BootRequest | BootReply) -> bytes:
    """What is in the datagram."""
    is_request = isinstance(message, BootRequest)
    return encode(request_to_wire(message) if is_request else reply_to_wire(message))  # type: ignore[arg-type]


def datagram(
    message: BootRequest | BootReply,
    source: IPv4Address | None = None,
    destination: IPv4Address = ALL_HOSTS,
    ports: tuple[int, int] | None = None,
) -> Datagram:
    """A message on its way."""
    is_request = isinstance(message, BootRequest)
    sender = source or (NO_ADDRESS if is_request else SERVER)
    return Datagram(
        sender, destination, *(ports or ((68, 67) if is_request else (67, 68))), payload(message)
    )


def dhcp(
    message: BootRequest | BootReply,
    source: IPv4Address | None = None,
    destination: IPv4Address = ALL_HOSTS,
    mac: bytes | None = None,
    ports: tuple[int, int] | None = None,
) -> bytes:
    """A frame with it."""
    hardware = mac or (MAC if isinstance(message, BootRequest) else SERVER_MAC)
    return encode_frame(EVERYONE, hardware, datagram(message, source, destination, ports))


def raw_dhcp(message: BootRequest | BootReply) -> bytes:
    """The packet alone."""
    return encode_datagram(datagram(message))


# Files -------------------------------------------------------------------------------------------


def pcap(shots: Iterable[Shot], order: str = "<", nano: bool = True, link: int = 1) -> bytes:
    """A pcap file."""
    head = struct.pack(
        order + "I2Hi3I", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, link
    )
    return head + b"".join(pcap_record(shot, order, nano) for shot in shots)


def pcap_record(shot: Shot, order: str = "<", nano: bool = True) -> bytes:
    """A frame in it."""
    at, frame = shot
    seconds, rest = divmod(at, SECOND)
    return (
        struct.pack(order + "4I", seconds, rest if nano else rest // 1000, len(frame), len(frame))
        + frame
    )


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of a pcapng file."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """An option of a block."""
    return struct.pack(order + "2H", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    """The beginning of a section."""
    return block(0x0A0D0D0A, struct.pack(order + "I2Hq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    link: int = 1, order: str = "<", resolution: int | None = None, *more: bytes
) -> bytes:
    """An interface; `resolution` as if_tsresol has it."""
    options = b"" if resolution is None else option(9, bytes((resolution,)), order)
    end = option(0, b"", order)
    body = struct.pack(order + "2HI", link, 0, 1 << 18) + options + b"".join(more) + end
    return block(1, body, order)


def enhanced(
    stamp: int, frame: bytes, which: int = 0, order: str = "<", options: bytes = b""
) -> bytes:
    """An Enhanced Packet Block; the stamp is in units of its interface."""
    head = struct.pack(
        order + "5I", which, stamp >> 32, stamp & 0xFFFF_FFFF, len(frame), len(frame)
    )
    return block(6, head + frame + bytes(-len(frame) % 4) + options, order)


def simple(frame: bytes, order: str = "<") -> bytes:
    """A Simple Packet Block."""
    return block(3, struct.pack(order + "I", len(frame)) + frame, order)


def obsolete(stamp: int, frame: bytes, drops: int = 0, order: str = "<") -> bytes:
    """An (obsolete) Packet Block, of interface 0."""
    words = (0, drops, stamp >> 32, stamp & 0xFFFF_FFFF, len(frame), len(frame))
    return block(2, struct.pack(order + "2H4I", *words) + frame, order)


def statistics(stamp: int, drops: int, which: int = 0, order: str = "<") -> bytes:
    """An Interface Statistics Block."""
    head = struct.pack(order + "3I", which, stamp >> 32, stamp & 0xFFFF_FFFF)
    return block(5, head + option(5, struct.pack(order + "Q", drops), order), order)


def pcapng(shots: Iterable[Shot], order: str = "<") -> bytes:
    """A pcapng file of one interface, in nanoseconds."""
    return (
        section(order)
        + interface(1, order, 9)
        + b"".join(enhanced(at, frame, 0, order) for at, frame in shots)
    )
