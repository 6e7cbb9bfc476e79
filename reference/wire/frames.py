"""The raw path: Ethernet frames with UDP over IPv4, or ARP, for a host without an address.

Theory of operation.  A client that has no address, or has just removed it, cannot use the kernel's
UDP: it builds whole frames and reads whole frames (RFC 2131 §2, §4.1), and it speaks ARP for itself
(RFC 5227).  `decode_frame` reads whatever comes from the link: a UDP datagram and an ARP packet in
full; of other IPv4 packets the header, since a packet from an address is a use of it; anything else
as bytes.  A frame that claims to be one of the first three and is not raises WireError, whose
offset counts from the start of the frame.

What is refused: another IP version; lengths that contradict each other or the number of bytes; a
wrong header or UDP checksum; a UDP datagram in fragments, when it is asked for (a DHCP message may
not need more than 576 bytes, and reassembly is unbounded work; `decode_frame` returns a fragment as
a packet); ARP as `arp.py` says.

What is tolerated: bytes after the IPv4 packet (Ethernet padding to 60 bytes, a trailer), bytes
after the UDP datagram inside the packet (Linux cuts them off too), IPv4 options (skipped), UDP
checksum 0, which means none (RFC 768), and one that is *pending*: on a veth, or in a capture on the
sending host, the kernel leaves the checksum to a network card that may not exist, and the field
holds the sum of the pseudo header alone.  Refusing that makes a client deaf in every container;
accepting it lets two of 65,536 corruptions through instead of one.

A tag of IEEE 802.1Q or 802.1ad is skipped where it names no VLAN (number 0: it has a priority
only), and a second one; behind the tag of a VLAN everything is bytes, for it is another network.

What it does not know: link types other than Ethernet, which address is ours.  RFC 768, 791, 826,
894 and 1071, and IEEE 802.1Q, are cited from memory; no copy stands in `rfc/`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from typing import NamedTuple

from holdover.reference.wire.arp import (
    ARP_TYPE,
    IPV4_TYPE,
    Arp,
    check_hardware,
    decode_arp,
    encode_arp,
)
from holdover.reference.wire.option_values import WireError, address_of, expect

SERVER_PORT, CLIENT_PORT = 67, 68
"""RFC 2131 §4.1."""

EVERYONE = b"\xff" * 6
"""The link-layer broadcast address (RFC 2131 §4.1)."""

ALL_HOSTS = IPv4Address("255.255.255.255")
"""Destination of a broadcast; a client without address sends from NO_ADDRESS (RFC 2131 §4.1)."""

ETHERNET = struct.Struct("!6s 6s H")
IPV4 = struct.Struct("!2B 3H 2B H 4s 4s")
UDP, PSEUDO = struct.Struct("!4H"), struct.Struct("!2H")
TYPE, TAG_FIELDS = struct.Struct("!H"), struct.Struct("!2H")
TAGS_AT = ETHERNET.size - TYPE.size

UDP_PROTOCOL = 17
TTL = 64

TAG, SERVICE_TAG = 0x8100, 0x88A8
"""EtherTypes of a tag (IEEE 802.1Q, 802.1ad); two bytes of priority and VLAN follow."""

TAG_TYPES = frozenset((TAG, SERVICE_TAG))
TAG_SIZE, MOST_TAGS = 4, 2
VLAN = 0x0FFF
"""The bits of a tag that are the number of a VLAN; 0: of none."""

DONT_FRAGMENT, FRAGMENT = 0x4000, 0x3FFF
"""The flag, and the bits that a whole packet has not: more fragments, offset (RFC 791 §3.1)."""


class Checksum(Enum):
    """What a UDP checksum said about its datagram."""

    VERIFIED = "verified"
    ABSENT = "absent"
    PENDING = "pending"


@dataclass(frozen=True)
class Datagram:
    """A UDP datagram over IPv4."""

    source: IPv4Address
    destination: IPv4Address
    source_port: int
    destination_port: int
    payload: bytes
    checksum: Checksum = Checksum.VERIFIED


@dataclass(frozen=True)
class Packet:
    """An IPv4 packet that is no whole UDP datagram."""

    source: IPv4Address
    destination: IPv4Address
    protocol: int
    fragment: bool


@dataclass(frozen=True)
class Other:
    """What a frame holds that is neither IPv4 nor ARP."""

    ethertype: int
    payload: bytes


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame without preamble and check sequence (RFC 894)."""

    destination: bytes
    source: bytes
    content: Datagram | Packet | Arp | Other

    def __post_init__(self) -> None:
        if len(self.destination) != 6 or len(self.source) != 6:
            check_hardware(self.destination, self.source)


# Writing -----------------------------------------------------------------------------------------


def encode_frame(destination: bytes, source: bytes, content: Datagram | Arp) -> bytes:
    """RFC 894, RFC 826: addresses, EtherType, content; padding to 60 bytes is the card's."""
    check_hardware(destination, source)
    if isinstance(content, Arp):
        return ETHERNET.pack(destination, source, ARP_TYPE) + encode_arp(content)
    return ETHERNET.pack(destination, source, IPV4_TYPE) + encode_datagram(content)


def encode_datagram(datagram: Datagram) -> bytes:
    """RFC 791 §3.1, RFC 768: headers and payload; ValueError where they do not fit.

    RFC 791 leaves identification and fragmentation to the sender: we forbid the latter, so that the
    former may be 0.
    """
    length = UDP.size + len(datagram.payload)
    if IPV4.size + length > 0xFFFF:
        raise ValueError(f"payload: {len(datagram.payload)} bytes do not fit into a datagram")
    ports = datagram.source_port, datagram.destination_port
    if not (0 <= ports[0] <= 0xFFFF and 0 <= ports[1] <= 0xFFFF):
        raise ValueError(f"ports {ports}: expected 0 to 65535")
    source, destination = datagram.source.packed, datagram.destination.packed
    pseudo = _pseudo_header(source, destination, length)
    if datagram.checksum is Checksum.ABSENT:
        check = 0
    elif datagram.checksum is Checksum.PENDING:
        check = sum16(pseudo)
    else:
        # RFC 768: a checksum that is zero is sent as all ones, since zero means none.
        bare = UDP.pack(*ports, length, 0)
        check = checksum(pseudo + bare + datagram.payload) or 0xFFFF
    head = 0x45, 0, IPV4.size + length, 0, DONT_FRAGMENT, TTL, UDP_PROTOCOL
    bare = IPV4.pack(*head, 0, source, destination)
    return (
        IPV4.pack(*head, checksum(bare), source, destination)
        + UDP.pack(*ports, length, check)
        + datagram.payload
    )


# Reading -----------------------------------------------------------------------------------------


def decode_frame(data: bytes) -> Frame:
    """The frame, and what it holds (RFC 894)."""
    expect(data, 0, ETHERNET.size, "an Ethernet header")
    destination, source, ethertype = ETHERNET.unpack_from(data)
    start = ETHERNET.size
    if ethertype in TAG_TYPES:
        start += tags(data)
        (ethertype,) = TYPE.unpack_from(data, start - TYPE.size)
    content: Datagram | Packet | Arp | Other
    if ethertype == ARP_TYPE:
        content = decode_arp(data, start)
    elif ethertype == IPV4_TYPE:
        header = _read_header(data, start)
        whole = header.protocol == UDP_PROTOCOL and not header.fragment
        content = _read_datagram(data, header) if whole else _packet(header)
    else:
        content = Other(ethertype, data[start:])
    return Frame(destination, source, content)


def tags(data: bytes) -> int:
    """How many bytes of tags that name no VLAN stand in front of a frame's EtherType."""
    at, end = TAGS_AT, TAGS_AT + MOST_TAGS * TAG_SIZE
    while at < end and len(data) >= at + TAG_SIZE + TYPE.size:
        ethertype, control = TAG_FIELDS.unpack_from(data, at)
        if ethertype not in TAG_TYPES or control & VLAN:
            break
        at += TAG_SIZE
    return at - TAGS_AT


def untag(data: bytes) -> bytes:
    """The frame without them."""
    size = tags(data)
    return data[:TAGS_AT] + data[TAGS_AT + size :] if size else data


def decode_packet(data: bytes, start: int = 0) -> Packet:
    """The header of the IPv4 packet at `start` (RFC 791 §3.1)."""
    return _packet(_read_header(data, start))


def decode_datagram(data: bytes, start: int = 0) -> Datagram:
    """The UDP datagram in the IPv4 packet at `start` (RFC 768)."""
    header = _read_header(data, start)
    if header.protocol != UDP_PROTOCOL:
        raise WireError(f"expected protocol 17 (UDP), got {header.protocol}", start + 9)
    if header.fragment:
        raise WireError("expected a whole packet, got a fragment", start + 6)
    return _read_datagram(data, header)


class _PacketHeader(NamedTuple):
    """An IPv4 header that was read: where it stands, and where its content begins and ends."""

    start: int
    at: int
    end: int
    protocol: int
    fragment: bool
    source: bytes
    destination: bytes


def _packet(header: _PacketHeader) -> Packet:
    source, destination = address_of(header.source), address_of(header.destination)
    return Packet(source, destination, header.protocol, header.fragment)


def _read_datagram(data: bytes, header: _PacketHeader) -> Datagram:
    start, at, end = header.start, header.at, header.end
    if end - at < UDP.size:
        raise WireError(f"expected {UDP.size} bytes of UDP header, got {end - at}", start + 2)
    source_port, destination_port, length, check = UDP.unpack_from(data, at)
    if not UDP.size <= length <= end - at:
        raise WireError(f"expected a UDP length of 8 to {end - at}, got {length}", at + 4)
    verdict = Checksum.VERIFIED
    if not check:
        verdict = Checksum.ABSENT
    else:
        pseudo = _pseudo_header(header.source, header.destination, length)
        if sum16(pseudo + data[at : at + length]) != 0xFFFF:
            if check != sum16(pseudo):
                raise WireError(f"UDP checksum {check:#06x} is wrong", at + 6)
            verdict = Checksum.PENDING
    return Datagram(
        address_of(header.source),
        address_of(header.destination),
        source_port,
        destination_port,
        data[at + UDP.size : at + length],
        verdict,
    )


def _read_header(data: bytes, start: int) -> _PacketHeader:
    expect(data, start, IPV4.size, "an IPv4 header")
    first, _, total, _, fragment, _, protocol, _, source, destination = IPV4.unpack_from(
        data, start
    )
    if first >> 4 != 4:
        raise WireError(f"expected IP version 4, got {first >> 4}", start)
    size = first % 16 * 4
    if size < IPV4.size:
        raise WireError(f"expected an IPv4 header of 20 bytes or more, got {size}", start)
    if size > IPV4.size:
        expect(data, start, size, "an IPv4 header")
    if not size <= total <= len(data) - start:
        most = len(data) - start
        raise WireError(f"expected an IPv4 length of {size} to {most}, got {total}", start + 2)
    if sum16(data[start : start + size]) != 0xFFFF:
        raise WireError("IPv4 header checksum is wrong", start + 10)
    return _PacketHeader(
        start, start + size, start + total, protocol, bool(fragment & FRAGMENT), source, destination
    )


# Sums --------------------------------------------------------------------------------------------


def sum16(data: bytes) -> int:
    """The ones' complement sum of 16-bit words, an odd byte padded with zero (RFC 1071 §1)."""
    # 2^16 is 1 modulo 2^16 - 1: the sum of the words leaves the remainder that all of them, read as
    # one number, leave; with 0xffff for a multiple that is not 0.
    number = int.from_bytes(data, "big") << 8 * (len(data) % 2)
    return number and (number - 1) % 0xFFFF + 1


def checksum(data: bytes) -> int:
    """The complement of the sum (RFC 791 §3.1, RFC 768, RFC 1071)."""
    return sum16(data) ^ 0xFFFF


def _pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """What a UDP checksum covers besides the datagram (RFC 768)."""
    return source + destination + PSEUDO.pack(UDP_PROTOCOL, length)
