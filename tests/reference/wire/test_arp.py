"""ARP packets of RFC 5227, to bytes and back."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.wire.arp import (
    Arp,
    ArpOperation,
    announcement,
    decode_arp,
    encode_arp,
    probe,
    reply,
)
from holdover.reference.wire.option_values import NO_ADDRESS, WireError

MAC, PEER = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
A, B = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
HEAD = bytes.fromhex("0001 0800 06 04")

hardware = st.binary(min_size=6, max_size=6)
addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
arps = st.builds(Arp, st.sampled_from(ArpOperation), hardware, addresses, hardware, addresses)


def test_a_probe_uses_no_address() -> None:
    """RFC 5227 §2.1.1: sender IP all zeroes, target hardware all zeroes."""
    asked = probe(MAC, A)
    assert encode_arp(asked) == HEAD + b"\0\1" + MAC + bytes(4) + bytes(6) + A.packed
    assert asked.is_probe


def test_an_announcement_has_the_address_twice() -> None:
    """RFC 5227 §2.3."""
    said = announcement(MAC, A)
    assert encode_arp(said) == HEAD + b"\0\1" + MAC + A.packed + bytes(6) + A.packed
    assert not said.is_probe


def test_a_reply_answers_who_asked() -> None:
    asked = Arp(ArpOperation.REQUEST, PEER, B, bytes(6), A)
    assert encode_arp(reply(asked, MAC)) == HEAD + b"\0\2" + MAC + A.packed + PEER + B.packed
    assert not asked.is_probe
    assert reply(probe(PEER, A), MAC) == Arp(ArpOperation.REPLY, MAC, A, PEER, NO_ADDRESS)
    assert not reply(probe(PEER, NO_ADDRESS), MAC).is_probe


@given(arps, st.binary(max_size=20), st.binary(max_size=20))
def test_an_arp_packet_is_read_as_it_was_written(arp: Arp, before: bytes, after: bytes) -> None:
    assert decode_arp(before + encode_arp(arp) + after, len(before)) == arp


@pytest.mark.parametrize(
    ("at", "value", "offset", "complaint"),
    [
        (1, 6, 0, "expected 0x1, got 0x6"),
        (2, 9, 2, "expected 0x800, got 0x900"),
        (4, 8, 4, "expected 0x6, got 0x8"),
        (5, 16, 5, "expected 0x4, got 0x10"),
        (7, 0, 6, "operation 1 or 2, got 0"),
        (7, 3, 6, "operation 1 or 2, got 3"),
    ],
)
def test_other_arp_is_refused(at: int, value: int, offset: int, complaint: str) -> None:
    data = bytearray(encode_arp(probe(MAC, A)))
    data[at] = value
    with pytest.raises(WireError, match=complaint) as error:
        decode_arp(b"xx" + data, 2)
    assert error.value.offset == 2 + offset


@pytest.mark.parametrize("start", [0, 1, 40])
def test_a_short_arp_packet_is_refused(start: int) -> None:
    data = encode_arp(probe(MAC, A))[: 28 - (start == 0)]
    with pytest.raises(WireError, match="an ARP packet of 28 bytes") as error:
        decode_arp(data, start)
    assert error.value.offset == len(data)


def test_a_hardware_address_has_six_bytes() -> None:
    with pytest.raises(ValueError, match="expected 6 bytes"):
        probe(b"short", A)
