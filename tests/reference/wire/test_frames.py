"""Frames, IPv4 and UDP: checksum vectors, what is refused where, and any bytes at all."""

import struct
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.wire.arp import Arp, ArpOperation, encode_arp, probe
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Checksum,
    Datagram,
    Frame,
    Other,
    Packet,
    checksum,
    decode_datagram,
    decode_frame,
    decode_packet,
    encode_datagram,
    encode_frame,
    sum16,
    untag,
)
from holdover.reference.wire.option_values import NO_ADDRESS, WireError

MAC = b"\2\0\0\0\0\1"
A, B = IPv4Address("192.168.0.1"), IPv4Address("192.168.0.199")
DISCOVER = Datagram(NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, b"hello")

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
hardware = st.binary(min_size=6, max_size=6)
ports = st.integers(0, 65535)
payloads = st.binary(max_size=80)
datagrams = st.builds(Datagram, addresses, addresses, ports, ports, payloads)
arps = st.builds(Arp, st.sampled_from(ArpOperation), hardware, addresses, hardware, addresses)

# Sums --------------------------------------------------------------------------------------------


def test_the_sum_of_rfc1071() -> None:
    """RFC 1071 §3: 00 01 f2 03 f4 f5 f6 f7 sum to ddf2."""
    data = bytes.fromhex("0001 f203 f4f5 f6f7")
    assert sum16(data) == 0xDDF2
    assert checksum(data) == 0x220D


def test_a_published_ipv4_header() -> None:
    header = bytes.fromhex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7")
    assert checksum(header) == 0xB861
    assert sum16(header[:10] + b"\xb8\x61" + header[12:]) == 0xFFFF


@pytest.mark.parametrize(
    ("data", "total"),
    [("", 0), ("0000", 0), ("ffff", 0xFFFF), ("ffffffff", 0xFFFF), ("ffff0001", 1), ("ab", 0xAB00)],
)
def test_edges_of_the_sum(data: str, total: int) -> None:
    assert sum16(bytes.fromhex(data)) == total


@given(st.binary(max_size=100))
def test_the_sum_is_that_of_end_around_carries(data: bytes) -> None:
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    assert sum16(data) == total


# Both ways ---------------------------------------------------------------------------------------


def test_a_client_without_address_broadcasts() -> None:
    """RFC 2131 §4.1: source 0, from port 68 to 67; checksums by hand."""
    data = encode_frame(EVERYONE, MAC, DISCOVER)
    ip = "4500 0021 0000 4000 4011 3acd 00000000 ffffffff"
    udp = "0044 0043 000d bb7b" + b"hello".hex()
    assert data == bytes.fromhex("ffffffffffff 020000000001 0800" + ip + udp)
    assert decode_frame(data) == Frame(EVERYONE, MAC, DISCOVER)


@given(hardware, hardware, datagrams | arps, st.binary(max_size=30))
def test_a_frame_is_read_as_it_was_written(
    destination: bytes, source: bytes, content: Datagram | Arp, padding: bytes
) -> None:
    data = encode_frame(destination, source, content)
    assert decode_frame(data + padding) == Frame(destination, source, content)


@given(datagrams, st.sampled_from(Checksum))
def test_the_state_of_a_checksum_is_read_back(datagram: Datagram, state: Checksum) -> None:
    decoded = decode_datagram(encode_datagram(replace(datagram, checksum=state)))
    # One payload in 65,536 has the same checksum when verified and when pending.
    assert replace(decoded, checksum=state) == replace(datagram, checksum=state)
    assert decoded.checksum is state or decoded.checksum is Checksum.VERIFIED


def test_a_checksum_of_zero_is_sent_as_all_ones() -> None:
    """RFC 768: an all zero checksum means that there is none."""
    bare = encode_datagram(replace(DISCOVER, payload=b"\0\0"))
    (check,) = struct.unpack("!H", bare[26:28])
    data = encode_datagram(replace(DISCOVER, payload=struct.pack("!H", check)))
    assert data[26:28] == b"\xff\xff"
    assert decode_datagram(data).checksum is Checksum.VERIFIED


@given(datagrams, st.data())
def test_a_flipped_bit_is_noticed(datagram: Datagram, data: st.DataObject) -> None:
    """In the addresses or the datagram, but for the length, whose trailing bytes may be zero."""
    encoded = bytearray(encode_datagram(datagram))
    at = data.draw(st.integers(12, len(encoded) - 1).filter(lambda at: at not in range(24, 28)))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(WireError, match="checksum"):
        decode_datagram(bytes(encoded))


@given(
    st.binary(max_size=120)
    | st.binary(max_size=80).map(lambda tail: EVERYONE + MAC + b"\x08\0\x45" + tail)
    | st.tuples(datagrams | arps, st.integers(0, 200), st.binary(min_size=1, max_size=4)).map(
        lambda drawn: _overwritten(encode_frame(EVERYONE, MAC, drawn[0]), drawn[1], drawn[2])
    )
)
def test_any_bytes_are_a_frame_or_a_wire_error(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except WireError as error:
        assert 0 <= error.offset <= len(data)  # noqa: PT017  # raising is one of two outcomes
    else:
        if isinstance(frame.content, Datagram | Arp):
            again = encode_frame(frame.destination, frame.source, frame.content)
            assert decode_frame(again) == frame


def _overwritten(data: bytes, at: int, content: bytes) -> bytes:
    return data[:at] + content + data[at + len(content) :]


# Refused and tolerated ---------------------------------------------------------------------------


def packet(**fields: int) -> bytes:
    """DISCOVER with header fields set by hand, and the header checksum right again."""
    data = bytearray(encode_datagram(DISCOVER))
    for name, (at, form) in {
        "first": (0, "!B"),
        "total": (2, "!H"),
        "fragment": (6, "!H"),
        "protocol": (9, "!B"),
        "length": (24, "!H"),
        "check": (26, "!H"),
    }.items():
        if name in fields:
            struct.pack_into(form, data, at, fields[name])
    data[10:12] = b"\0\0"
    data[10:12] = struct.pack("!H", checksum(bytes(data[:20])))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "offset", "complaint"),
    [
        (b"", 0, "an IPv4 header of 20 bytes, got 0"),
        (packet()[:19], 19, "an IPv4 header of 20 bytes, got 19"),
        (packet(first=0x65), 0, "IP version 4, got 6"),
        (packet(first=0x44), 0, "header of 20 bytes or more, got 16"),
        (packet(first=0x4F), 33, "an IPv4 header of 60 bytes, got 33"),
        (packet(total=19), 2, "IPv4 length of 20 to 33, got 19"),
        (packet(total=34), 2, "IPv4 length of 20 to 33, got 34"),
        (packet()[:10] + b"\0\0" + packet()[12:], 10, "IPv4 header checksum"),
        (packet(protocol=6), 9, "protocol 17 .*got 6"),
        (packet(fragment=0x2000), 6, "got a fragment"),
        (packet(fragment=0x0001), 6, "got a fragment"),
        (packet(total=27), 2, "8 bytes of UDP header, got 7"),
        (packet(length=7), 24, "UDP length of 8 to 13, got 7"),
        (packet(length=14), 24, "UDP length of 8 to 13, got 14"),
        (packet(check=1), 26, "UDP checksum 0x0001 is wrong"),
    ],
)
def test_a_malformed_datagram_is_refused_where_it_is(
    data: bytes, offset: int, complaint: str
) -> None:
    for start in (0, 5):
        with pytest.raises(WireError, match=complaint) as error:
            decode_datagram(b"x" * start + data, start)
        assert error.value.offset == start + offset


def test_dont_fragment_is_no_fragment() -> None:
    for fragment in (0, 0x4000, 0x8000):
        assert decode_datagram(packet(fragment=fragment)) == DISCOVER


def test_ipv4_options_are_skipped() -> None:
    plain = packet(first=0x46, total=37)
    data = bytearray(plain[:20] + b"\1\1\1\0" + plain[20:])
    data[10:12] = b"\0\0"
    data[10:12] = struct.pack("!H", checksum(bytes(data[:24])))
    assert decode_datagram(bytes(data)) == DISCOVER


def test_bytes_after_the_datagram_are_cut_off() -> None:
    shorter = packet(length=12, check=0)
    assert decode_datagram(shorter + b"trailer") == replace(
        DISCOVER, payload=b"hell", checksum=Checksum.ABSENT
    )


def test_other_packets_and_fragments_still_say_who_sent_them() -> None:
    head = EVERYONE + MAC + b"\x08\0"
    for protocol, fragment in ((6, 0), (17, 0x2000), (17, 1)):
        data = packet(protocol=protocol, fragment=fragment)
        expected = Packet(NO_ADDRESS, ALL_HOSTS, protocol, bool(fragment))
        assert decode_frame(head + data).content == expected
        assert decode_packet(data) == expected


def test_other_frames_are_bytes() -> None:
    frame = decode_frame(EVERYONE + MAC + b"\x86\xdd" + b"ipv6")
    assert frame == Frame(EVERYONE, MAC, Other(0x86DD, b"ipv6"))


@pytest.mark.parametrize("tag", ["81000000", "8100e000", "88a80000", "8100000081002000"])
def test_a_tag_of_no_vlan_is_skipped(tag: str) -> None:
    """IEEE 802.1Q: with the null VLAN identifier a tag has priority information only."""
    for content in (DISCOVER, probe(MAC, A)):
        frame = encode_frame(EVERYONE, MAC, content)
        tagged = frame[:12] + bytes.fromhex(tag) + frame[12:]
        assert decode_frame(tagged) == decode_frame(frame)
        assert untag(tagged) == frame
        assert untag(frame) == frame


@pytest.mark.parametrize(
    ("tag", "skipped"),
    [
        ("81000001", 0),
        ("8100efff", 0),
        ("88a80005", 0),
        ("8100000081000005", 4),
        ("810000008100000081000000", 8),
        ("91000000", 0),
    ],
)
def test_what_is_behind_the_tag_of_a_vlan_is_bytes(tag: str, skipped: int) -> None:
    """It is another network's; and so is what has more tags than anybody sends."""
    frame = encode_frame(EVERYONE, MAC, DISCOVER)
    inside = bytes.fromhex(tag)[skipped:] + frame[12:]
    content = Other(int.from_bytes(inside[:2], "big"), inside[2:])
    tagged = frame[:12] + bytes.fromhex(tag) + frame[12:]
    assert decode_frame(tagged) == Frame(EVERYONE, MAC, content)


def test_offsets_behind_a_tag_count_from_the_start_of_the_frame() -> None:
    frame = encode_frame(EVERYONE, MAC, DISCOVER)
    wrong = frame[:12] + b"\x81\0\0\0" + frame[12:14] + b"\x65" + frame[15:]
    with pytest.raises(WireError, match="IP version 4") as error:
        decode_frame(wrong)
    assert error.value.offset == 18


def test_offsets_count_from_the_start_of_the_frame() -> None:
    for data, offset in (
        (b"x" * 13, 13),
        (EVERYONE + MAC + b"\x08\0" + packet(check=1), 14 + 26),
        (EVERYONE + MAC + b"\x08\6" + encode_arp(probe(MAC, A))[:-1], 14 + 27),
    ):
        with pytest.raises(WireError) as error:
            decode_frame(data)
        assert error.value.offset == offset


def test_what_does_not_fit_is_not_written() -> None:
    largest = replace(DISCOVER, payload=bytes(65507))
    assert decode_datagram(encode_datagram(largest)) == largest
    with pytest.raises(ValueError, match="65508 bytes do not fit"):
        encode_datagram(replace(DISCOVER, payload=bytes(65508)))
    with pytest.raises(ValueError, match="ports"):
        encode_datagram(replace(DISCOVER, source_port=65536))
    with pytest.raises(ValueError, match="expected 6 bytes"):
        encode_frame(b"", MAC, DISCOVER)
    with pytest.raises(ValueError, match="expected 6 bytes"):
        Frame(EVERYONE, b"", DISCOVER)
