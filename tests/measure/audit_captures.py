"""Captures for the speed table of the audit (`tests/measure/audit.py`), made from fixed seeds.

Theory of operation.  Each function gives the records of a pcap file, to be written after HEAD: a
mixed network, DHCP only, large frames only.

What it does not know: who reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

from holdover.reference.wire import options
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    EVERYONE,
    IPV4,
    Datagram,
    checksum,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import Options
from holdover.reference.wire.packet import encode

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
SERVER, SERVER_MAC = IPv4Address("10.0.0.1"), b"\2\xff\0\0\0\1"
FIRST = int(IPv4Address("10.0.1.0"))
START = 1_700_000_000_000_000
"""Microseconds."""


def mac(host: int) -> bytes:
    return struct.pack("!HI", 0x0200, host)


def address(host: int) -> IPv4Address:
    return IPv4Address(FIRST + host)


def record(at: int, frame: bytes) -> bytes:
    return struct.pack("<4I", *divmod(at, 1_000_000), len(frame), len(frame)) + frame


def exchange(host: int, xid: int) -> list[bytes]:
    """DISCOVER, OFFER, REQUEST and ACK of a host."""
    hardware, own = mac(host), address(host)
    asks = Options(
        [
            options.PARAMETER_REQUEST_LIST((1, 3, 6, 12, 15, 26, 28, 51, 54, 58, 59)),
            options.HOST_NAME(f"host-{host}"),
            options.VENDOR_CLASS(b"MSFT 5.0"),
        ]
    )
    gets = Options(
        [
            options.SUBNET_MASK(IPv4Address("255.255.0.0")),
            options.ROUTERS((SERVER,)),
            options.NAME_SERVERS((SERVER,)),
            options.DOMAIN_NAME("example.org"),
        ]
    )

    def request(kind: MessageType, **more: IPv4Address) -> bytes:
        said = BootRequest(kind, xid, hardware, b"\1" + hardware, options=asks, **more)  # type: ignore[arg-type]
        payload = encode(request_to_wire(said))
        return encode_frame(EVERYONE, hardware, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, payload))

    def reply(kind: MessageType) -> bytes:
        said = BootReply(kind, xid, hardware, address=own, server=SERVER, options=gets)
        said = replace(said, lease=3600, t1=1800, t2=3150)
        payload = encode(reply_to_wire(said))
        return encode_frame(hardware, SERVER_MAC, Datagram(SERVER, own, 67, 68, payload))

    return [
        request(MessageType.DISCOVER),
        reply(MessageType.OFFER),
        request(MessageType.REQUEST, requested=own, server=SERVER),
        reply(MessageType.ACK),
    ]


def tcp(random: Random, host: int, hosts: int, size: int) -> bytes:
    """A segment from one host to another."""
    to = address(random.randrange(hosts))
    number = random.getrandbits(16)
    words = (0x45, 0, 40 + size, number, 0x4000, 64, 6)
    head = bytearray(IPV4.pack(*words, 0, address(host).packed, to.packed))
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    segment = (40000, 443, random.getrandbits(32), random.getrandbits(32), 0x5010, 1000, 0, 0)
    ethernet = SERVER_MAC + mac(host) + b"\x08\0"
    return ethernet + bytes(head) + struct.pack("!HHIIHHHH", *segment) + bytes(size)


def mixed(count: int, hosts: int) -> Iterator[bytes]:
    """1 % DHCP, 2 % ARP, the rest TCP; ten thousand frames a second."""
    random, at, waiting = Random(2), START, list[bytes]()
    for _ in range(count):
        at += random.randrange(1, 200)
        drawn = random.random()
        host = random.randrange(hosts)
        if drawn < 0.01:
            waiting = waiting or exchange(host, random.getrandbits(32))
            frame = waiting.pop(0)
        elif drawn < 0.03:
            asks = Arp(ArpOperation.REQUEST, mac(host), address(host), bytes(6), SERVER)
            frame = encode_frame(EVERYONE, mac(host), asks).ljust(60, b"\0")
        else:
            frame = tcp(random, host, hosts, random.choice((0, 0, 100, 600, 1460)))
        yield record(at, frame)


def messages(count: int, hosts: int) -> Iterator[bytes]:
    """DHCP only."""
    random, at = Random(1), START
    for _ in range(count // 4):
        for frame in exchange(random.randrange(hosts), random.getrandbits(32)):
            at += random.randrange(1, 2000)
            yield record(at, frame)


def large(count: int) -> Iterator[bytes]:
    """Full segments of fifty hosts."""
    random, at = Random(3), START
    frames = [tcp(random, host, 50, 1460) for host in range(50)]
    for _ in range(count):
        at += random.randrange(1, 100)
        yield record(at, random.choice(frames))


COPIED, JUST_WRITTEN = 1 << 20, 1 << 13
"""Bytes that are written at once: by a program that copies a file; by one that captures frames."""


def written(file: Path, records: Iterable[bytes], piece: int = COPIED) -> int:
    """Write a capture, in pieces of so many bytes; how many frames it has."""
    frames = 0
    with file.open("wb", buffering=piece) as out:
        out.write(HEAD)
        for frames, each in enumerate(records, 1):  # noqa: B007
            out.write(each)
    return frames
