"""The walk in plain Python: what the compiled one is held to, frame by frame.

It is written from the words of `kernel.py` and of the observations, and shares no code with it:
addresses and messages are read by `reference/wire`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from holdover.reference.audit.observations import (
    RUN,
    DhcpMessage,
    How,
    Observation,
    Probe,
    Unreadable,
    Use,
    Vlans,
    Where,
)
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.arp import ArpOperation, decode_arp
from holdover.reference.wire.frames import sum16
from holdover.reference.wire.messages import reply_from, request_from
from holdover.reference.wire.option_values import WireError
from holdover.reference.wire.options import RELAY_INFORMATION
from holdover.reference.wire.packet import Op, read

LONGEST = 5 * SECOND
Key = tuple[bytes, IPv4Address, How, Vlans]


class PlainWalk:
    """Observations of Ethernet frames, in no order."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Observation] = []
        self.runs: dict[Key, Use] = {}

    def walk(self, shots: Iterable[tuple[Instant, bytes]]) -> list[Observation]:
        """All of them."""
        for number, (at, frame) in enumerate(shots, 1):
            self.look(at, Where(self.file, number), frame)
        self.found += self.runs.values()
        return self.found

    def look(self, at: Instant, where: Where, frame: bytes) -> None:
        """One frame."""
        if len(frame) < 14:
            return
        to, mac, rest = frame[:6], frame[6:12], frame[12:]
        vlans: list[int] = []
        tags = 0
        while rest[:2] in (b"\x81\0", b"\x88\xa8", b"\x91\0") and len(rest) >= 6 and tags < 4:
            number = struct.unpack_from("!H", rest, 2)[0] & 0xFFF
            vlans += [number] if number and len(vlans) < 2 else []
            rest, tags = rest[4:], tags + 1
        kind, rest, vlan = rest[:2], rest[2:], tuple(vlans)
        if kind == b"\x08\x06":
            self.look_at_arp(at, where, rest, vlan)
        if kind != b"\x08\x00" or len(rest) < 20 or rest[0] >> 4 != 4 or rest[0] & 15 < 5:
            return
        source = IPv4Address(rest[12:16])
        if is_host(source):
            self.use((mac, source, "IP", vlan), at, where)
        self.found += self.messages(at, where, rest, (mac, to), vlan)

    def look_at_arp(self, at: Instant, where: Where, rest: bytes, vlan: Vlans) -> None:
        """ARP, if it is well formed."""
        try:
            arp = decode_arp(rest)
        except WireError:
            return
        if int(arp.sender):
            if is_host(arp.sender):
                self.use((arp.sender_hardware, arp.sender, "ARP", vlan), at, where)
        elif arp.operation is ArpOperation.REQUEST:
            self.found.append(Probe(at, where, arp.sender_hardware, arp.target, vlan))

    def use(self, key: Key, at: Instant, where: Where) -> None:
        """A run goes on, or another begins."""
        run = self.runs.get(key)
        if run and run.at <= at <= run.until + RUN and at - run.at <= LONGEST:
            later = at >= run.until
            until, last = (at, where) if later else (run.until, run.last)
            self.runs[key] = Use(run.at, run.where, *key, run.frames + 1, until, last)
            return
        if run:
            self.found.append(run)
        self.runs[key] = Use(at, where, *key, 1, at, where)

    def messages(
        self, at: Instant, where: Where, rest: bytes, macs: tuple[bytes, bytes], vlan: Vlans
    ) -> Iterator[Observation]:
        """The message of DHCP in an IPv4 packet, or why it is none."""
        head = rest[0] % 16 * 4
        (total,) = struct.unpack_from("!H", rest, 2)
        (fragment,) = struct.unpack_from("!H", rest, 6)
        if rest[9] != 17 or fragment & 0x1FFF or len(rest) < head + 8:
            return
        _, port, length, check = struct.unpack_from("!4H", rest, head)
        if port not in (67, 68):
            return
        source, destination = IPv4Address(rest[12:16]), IPv4Address(rest[16:20])
        why = None
        udp = rest[head : head + length]
        pseudo = rest[12:20] + struct.pack("!2H", 17, length)
        if fragment & 0x2000:
            why = "DHCP: a fragment of a message; fragments are not put together"
        elif total < head + 8:
            why = "DHCP: the length in the IPv4 header is too small"
        elif total > len(rest):
            why = "DHCP: cut off by the capture: capture whole packets (snap length 0)"
        elif not 8 <= length <= total - head:
            why = "DHCP: the length in the UDP header is wrong"
        elif check and sum16(pseudo + udp) != 0xFFFF and sum16(pseudo) != check:
            why = "DHCP: the UDP checksum is wrong"
        if why:
            yield Unreadable(at, where, why)
            return
        try:
            reading = read(udp[8:])
            is_request = reading.message.op is Op.BOOTREQUEST
            message = request_from(reading) if is_request else reply_from(reading)
        except WireError as error:
            yield Unreadable(at, where, f"DHCP: {error}")
            return
        relay = message.options.get(RELAY_INFORMATION.code)
        relayed = bool(int(message.giaddr)) or relay is not None
        yield DhcpMessage(at, where, *macs, source, destination, message, relayed, False, vlan)


def is_host(address: IPv4Address) -> bool:
    """Whether a host can have it."""
    return bool(int(address)) and not address.is_loopback and int(address) < 0xE000_0000
