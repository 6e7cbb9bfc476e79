"""ARP packets: how a host finds out that its new address is in use, and says that it uses it.

Theory of operation.  RFC 5227 needs three packets: the probe (asks for an address, uses none), the
announcement (asks for the address that it uses) and, to stand in for a kernel that has not been
given the address, the reply.  Builders are pure functions; `decode_arp` reads a packet out of a
larger buffer, and its WireError counts from the start of that buffer.

What is refused: ARP for anything but IPv4 over Ethernet, operations other than 1 and 2, fewer than
28 bytes.  What is tolerated: bytes after the packet (Ethernet pads frames to 60 bytes), a target
hardware address that is not zero (RFC 5227 §2.1.1: SHOULD be zero, ignored), a sender hardware
address that is not the frame's: relays of ARP exist, and telling them from liars is the reader's.

What it does not know: whether a packet means a conflict (RFC 5227 §2.1.1, §2.4; the client core
does).  RFC 826 is cited from memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

from holdover.reference.wire.option_values import NO_ADDRESS, WireError, expect

IPV4_TYPE, ARP_TYPE = 0x0800, 0x0806
"""EtherTypes (RFC 894, RFC 826)."""

ARP = struct.Struct("!2H 2B H 6s 4s 6s 4s")
ARP_HEAD = (1, IPV4_TYPE, 6, 4)
"""Ethernet, IPv4, and the sizes of their addresses (RFC 826)."""


class ArpOperation(IntEnum):
    """RFC 826."""

    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True)
class Arp:
    """An ARP packet for IPv4 over Ethernet (RFC 826)."""

    operation: ArpOperation
    sender_hardware: bytes
    sender: IPv4Address
    target_hardware: bytes
    target: IPv4Address

    def __post_init__(self) -> None:
        check_hardware(self.sender_hardware, self.target_hardware)

    @property
    def is_probe(self) -> bool:
        """Asks for an address without using one (RFC 5227 §1.1)."""
        return self.operation is ArpOperation.REQUEST and self.sender == NO_ADDRESS


def check_hardware(*addresses: bytes) -> None:
    """ValueError for what is no Ethernet address."""
    for address in addresses:
        if len(address) != 6:
            raise ValueError(f"hardware address {address!r}: expected 6 bytes")


def probe(hardware: bytes, address: IPv4Address) -> Arp:
    """RFC 5227 §2.1.1, RFC 2131 §4.4.1: sender IP and target hardware zero."""
    return Arp(ArpOperation.REQUEST, hardware, NO_ADDRESS, bytes(6), address)


def announcement(hardware: bytes, address: IPv4Address) -> Arp:
    """RFC 5227 §2.3: a probe with both IP addresses set; defends the address too (§2.4)."""
    return Arp(ArpOperation.REQUEST, hardware, address, bytes(6), address)


def reply(request: Arp, hardware: bytes) -> Arp:
    """RFC 826: the address asked for is at `hardware`; told to who asked."""
    return Arp(
        ArpOperation.REPLY, hardware, request.target, request.sender_hardware, request.sender
    )


def encode_arp(arp: Arp) -> bytes:
    """RFC 826: the 28 bytes of an ARP packet."""
    return ARP.pack(
        *ARP_HEAD,
        arp.operation,
        arp.sender_hardware,
        arp.sender.packed,
        arp.target_hardware,
        arp.target.packed,
    )


def decode_arp(data: bytes, start: int = 0) -> Arp:
    """The ARP packet at `start` (RFC 826)."""
    expect(data, start, ARP.size, "an ARP packet")
    *head, operation, sender_hardware, sender, target_hardware, target = ARP.unpack_from(
        data, start
    )
    for got, expected, at in zip(head, ARP_HEAD, (0, 2, 4, 5), strict=True):
        if got != expected:
            raise WireError(f"ARP: expected {expected:#x}, got {got:#x}", start + at)
    if operation not in (ArpOperation.REQUEST, ArpOperation.REPLY):
        raise WireError(f"ARP: expected operation 1 or 2, got {operation}", start + 6)
    return Arp(
        ArpOperation(operation),
        sender_hardware,
        IPv4Address(sender),
        target_hardware,
        IPv4Address(target),
    )
