"""The compiled walk: against a plain one on random captures, and what each frame must show."""

import struct
from collections import Counter
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.observations import (
    DhcpMessage,
    Gap,
    Observation,
    Probe,
    Unreadable,
    Use,
    Where,
    due_at,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.wire import options
from holdover.reference.wire.arp import ArpOperation
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, encode_frame
from holdover.reference.wire.messages import BootRequest, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, SubOption, Value
from holdover.reference.wire.options import Options
from tests.fuzz import mutate
from tests.reference.audit.inputs import captures
from tests.reference.audit.inputs.captures import ADDRESS, MAC, OTHER, SERVER, START, Shot
from tests.reference.audit.inputs.plain_walk import PlainWalk

MS = SECOND // 1000


def observe(place: Path, data: bytes, **more: object) -> list[Observation]:
    """What a capture shows."""
    file = place / "c.pcap"
    file.write_bytes(data)
    return list(read_all([file], **more))  # type: ignore[arg-type]


def show(place: Path, *frames: bytes, link: int = 1) -> list[Observation]:
    """What frames show that follow each other by a second."""
    shots = [(START + number * SECOND, frame) for number, frame in enumerate(frames)]
    return observe(place, captures.pcap(shots, link=link))


# Against the plain walk --------------------------------------------------------------------------


def random_frame(random: Random) -> bytes:
    """One of all kinds, often damaged."""
    mac = random.choice((MAC, OTHER))
    address = IPv4Address(random.choice((0x0A000001, 0x0A000002, 0, 0x7F000001, 0xE0000001)))
    tags = b"".join(
        struct.pack("!2H", random.choice((0x8100, 0x88A8)), random.choice((0, 5, 0xE007)))
        for _ in range(random.choice((0, 0, 0, 1, 2, 3)))
    )
    kind = random.randrange(4)
    if kind == 0:
        frame = captures.ip(address, mac, tags)
    elif kind == 1:
        operation = random.choice(list(ArpOperation))
        frame = captures.arp(address, mac, IPv4Address(0x0A000003), operation)
    else:
        if kind == 2:
            message = captures.payload(random_request(random))
        else:
            given_ = captures.reply(lease=random.choice((None, 60)), t1=random.choice((None, 30)))
            message = captures.payload(given_)
        if random.random() < 0.4:
            message = mutate.payload(random, request_to_wire(random_request(random)))
        ports = random.choice(((68, 67), (67, 68), (67, 67), (9, 9)))
        frame = mutate.frame(random, SERVER, ports, message)
    if random.random() < 0.2 and frame:
        spoiled = bytearray(frame)
        spoiled[random.randrange(len(spoiled))] = random.randrange(256)
        frame = bytes(spoiled)
    return frame[: random.randrange(len(frame) + 1)] if random.random() < 0.05 else frame


def random_request(random: Random) -> BootRequest:
    """A request with some options."""
    more: list[tuple[int, Value]] = [
        options.HOST_NAME("ab"),
        options.PARAMETER_REQUEST_LIST((1, 3)),
    ]
    return captures.request(
        random.choice(list(MessageType)),
        client_id=random.choice((None, b"\1" + MAC)),
        requested=random.choice((None, ADDRESS)),
        giaddr=random.choice((NO_ADDRESS, SERVER)),
        broadcast=random.choice((False, True)),
        lease=random.choice((None, 5)),
        options=Options(random.sample(more, random.randrange(3))),
    )


@given(seed=st.integers(0, 1 << 32), big=st.booleans(), many=st.booleans())
def test_it_sees_what_a_plain_walk_sees(
    tmp_path_factory: pytest.TempPathFactory, seed: int, big: bool, many: bool
) -> None:
    random = Random(seed)
    at, shots = START, list[Shot]()
    for _ in range(400 if many else 30):
        at += random.choice((0, 1, MS, 49 * MS, 50 * MS, 50 * MS + 1, SECOND, -20 * MS))
        shots.append((at, random_frame(random)))
    file = tmp_path_factory.getbasetemp() / "random.pcap"
    order = ">" if big else "<"
    file.write_bytes(captures.pcap(shots, order) if many else captures.pcapng(shots, order))
    seen = list(read_all([file]))
    expected = PlainWalk(str(file)).walk(shots)
    without_copies = [o._replace(copy=False) if isinstance(o, DhcpMessage) else o for o in seen]
    assert Counter(map(repr, without_copies)) == Counter(map(repr, expected))
    assert [due_at(o) for o in seen] == sorted(due_at(o) for o in seen)


def test_what_it_builds_is_frozen_and_equal_to_what_is_built_slowly(tmp_path: Path) -> None:
    use, message = show(tmp_path, captures.ip(), captures.dhcp(captures.request()))
    assert use == Use.once(START, Where(str(tmp_path / "c.pcap"), 1), MAC, ADDRESS)
    assert hash(use) == hash(Use.once(START, Where(str(tmp_path / "c.pcap"), 1), MAC, ADDRESS))
    assert isinstance(message, DhcpMessage)
    assert message.message == captures.request()
    for value, field in ((use, "at"), (message, "at"), (message.message, "xid")):
        with pytest.raises(AttributeError):
            setattr(value, field, 1)


# Frames ------------------------------------------------------------------------------------------


def test_arp_with_a_sender_is_a_use_and_a_probe_is_none(tmp_path: Path) -> None:
    found = show(
        tmp_path,
        captures.arp(),
        captures.arp(operation=ArpOperation.REPLY),
        captures.arp(NO_ADDRESS, target=ADDRESS),
    )
    assert [type(o) for o in found] == [Use, Use, Probe]
    assert all(isinstance(o, Use) and o.how == "ARP" and o.hardware == MAC for o in found[:2])
    assert isinstance(found[2], Probe)
    assert (found[2].address, found[2].hardware) == (ADDRESS, MAC)


def test_what_option_50_asks_for_is_no_use(tmp_path: Path) -> None:
    (message,) = show(tmp_path, captures.dhcp(captures.request(requested=ADDRESS)))
    assert isinstance(message, DhcpMessage)
    assert message.message.requested == ADDRESS  # type: ignore[union-attr]


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
def test_what_no_host_can_have_is_no_use(tmp_path: Path, address: str) -> None:
    assert show(tmp_path, captures.ip(IPv4Address(address))) == []


def test_a_release_comes_after_the_use_that_it_is(tmp_path: Path) -> None:
    release = captures.request(MessageType.RELEASE, ciaddr=ADDRESS, server=SERVER)
    use, message = show(tmp_path, captures.dhcp(release, ADDRESS, SERVER))
    assert isinstance(use, Use)
    assert isinstance(message, DhcpMessage)
    assert use.at == message.at


TAG, QINQ = struct.pack("!2H", 0x8100, 0x2007), struct.pack("!2H", 0x88A8, 9)


@pytest.mark.parametrize(
    ("tags", "vlan"),
    [(TAG, (7,)), (QINQ + TAG, (9, 7)), (struct.pack("!2H", 0x8100, 0xE000), ()), (b"", ())],
)
def test_a_frame_has_its_vlans(tmp_path: Path, tags: bytes, vlan: tuple[int, ...]) -> None:
    (use,) = show(tmp_path, captures.ip(tags=tags))
    assert isinstance(use, Use)
    assert use.vlan == vlan


def test_vlans_are_told_apart(tmp_path: Path) -> None:
    shots = [(START + i, captures.ip(tags=(TAG, b"")[i % 2])) for i in range(6)]
    found = observe(tmp_path, captures.pcap(shots))
    assert [(o.vlan, o.frames) for o in found if isinstance(o, Use)] == [((7,), 3), ((), 3)]


def test_a_run_ends_after_50_ms_and_after_five_seconds(tmp_path: Path) -> None:
    times = [0, 50 * MS, 100 * MS + 1, *(SECOND + i * 40 * MS for i in range(200))]
    found = observe(tmp_path, captures.pcap([(START + at, captures.ip()) for at in times]))
    assert [
        (o.at - START, o.until - START, o.frames, o.where.number, o.last.number)
        for o in found
        if isinstance(o, Use)
    ] == [
        (0, 50 * MS, 2, 1, 2),
        (100 * MS + 1, 100 * MS + 1, 1, 3, 3),
        (SECOND, 6 * SECOND, 126, 4, 129),
        (6 * SECOND + 40 * MS, SECOND + 199 * 40 * MS, 74, 130, 203),
    ]


def test_a_run_goes_on_from_one_batch_to_the_next(tmp_path: Path) -> None:
    shots = [(START + i * 10_000, captures.ip()) for i in range(50_000)]
    (use,) = observe(tmp_path, captures.pcap(shots))
    assert isinstance(use, Use)
    assert (use.frames, use.last.number) == (50_000, 50_000)


def test_what_is_seen_stays_in_order_from_one_batch_to_the_next(tmp_path: Path) -> None:
    """A run that is still open is told later than what came after its beginning."""
    one, other = captures.ip(), captures.arp(mac=OTHER)
    shots = [(START + i * 10_000, other if i % 5999 == 7 else one) for i in range(50_000)]
    found = [o.at for o in observe(tmp_path, captures.pcap(shots)) if isinstance(o, Use)]
    assert found == sorted(found)
    assert len(found) == 10


def cooked(content: bytes, kind: int = 0x0800, *, two: bool) -> bytes:
    """As `tcpdump -i any` has it."""
    if two:
        return struct.pack("!HHIHBB8s", kind, 0, 3, 1, 0, 6, MAC + b"\0\0") + content
    return struct.pack("!3H8sH", 0, 1, 6, MAC + b"\0\0", kind) + content


@pytest.mark.parametrize("two", [False, True], ids=["SLL", "SLL2"])
def test_linux_cooked(tmp_path: Path, two: bool) -> None:
    link = 276 if two else 113
    request = captures.raw_dhcp(captures.request())
    arp = captures.arp()[14:]
    found = show(
        tmp_path,
        cooked(captures.ip_packet(ADDRESS), two=two),
        cooked(arp, 0x0806, two=two),
        cooked(request, two=two),
        cooked(TAG[2:] + b"\x08\0" + captures.ip_packet(ADDRESS), 0x8100, two=two),
        link=link,
    )
    ip, by_arp, message, tagged = found
    assert isinstance(ip, Use)
    assert (ip.hardware, ip.how) == (MAC, "IP")
    assert isinstance(by_arp, Use)
    assert by_arp.how == "ARP"
    assert isinstance(message, DhcpMessage)
    assert (message.hardware, message.to, message.message) == (MAC, None, captures.request())
    assert isinstance(tagged, Use)
    assert tagged.vlan == (7,)


@pytest.mark.parametrize("link", [101, 228, 12])
def test_raw_ip_has_messages_and_no_holders(tmp_path: Path, link: int) -> None:
    request = captures.raw_dhcp(captures.request())
    (message,) = show(tmp_path, captures.ip_packet(ADDRESS), request, link=link)
    assert isinstance(message, DhcpMessage)
    assert (message.hardware, message.to) == (None, None)


def test_uses_of_other_networks_are_left_out_where_told_so(tmp_path: Path) -> None:
    shots = [
        (START, captures.ip()),
        (START + 1, captures.ip(IPv4Address("8.8.8.8"), OTHER)),
        (START + 2, captures.arp(IPv4Address("192.0.2.1"))),
    ]
    networks = [IPv4Network("10.0.0.0/8")]
    (use,) = observe(tmp_path, captures.pcap(shots), networks=networks)
    assert isinstance(use, Use)
    assert use.address == ADDRESS


# Messages ----------------------------------------------------------------------------------------


def test_a_malformed_message_is_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    good = captures.dhcp(captures.request())
    short = encode_frame(EVERYONE, MAC, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, b"no"))
    wrong = bytearray(good)
    wrong[-1] ^= 1
    no_magic = bytearray(captures.payload(captures.request()))
    no_magic[236] = 0
    bootp = encode_frame(EVERYONE, MAC, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, bytes(no_magic)))
    found = show(tmp_path, good, short, bytes(wrong), good[:200], bootp, good)
    assert [(type(o), o.where.number) for o in found] == [
        (DhcpMessage, 1),
        *((Unreadable, number) for number in (2, 3, 4, 5)),
        (DhcpMessage, 6),
    ]
    assert [str(o.why) for o in found if isinstance(o, Unreadable)] == [
        "DHCP: byte 2: expected at least 240 bytes, got 2",
        "DHCP: the UDP checksum is wrong",
        "DHCP: cut off by the capture: capture whole packets (snap length 0)",
        "DHCP: byte 236: expected the magic cookie 63825363, got 00825363",
    ]


def test_a_message_that_a_relay_passed_on_is_relayed(tmp_path: Path) -> None:
    relayed = captures.request(giaddr=SERVER)
    agent = options.RELAY_INFORMATION((SubOption(1, b"port 3"),))
    (one, two) = show(
        tmp_path,
        captures.dhcp(relayed, SERVER, IPv4Address("10.9.9.9"), ports=(67, 67)),
        captures.dhcp(captures.reply(xid=8, options=Options([agent]))),
    )[1::2]
    assert isinstance(one, DhcpMessage)
    assert isinstance(two, DhcpMessage)
    assert one.relayed
    assert two.relayed


def test_a_clock_that_goes_back_is_a_gap(tmp_path: Path) -> None:
    shots = [
        (START + 10 * SECOND, captures.ip()),
        (START + 2 * SECOND, captures.ip(mac=OTHER)),
        (START + 11 * SECOND, captures.ip()),
    ]
    found = observe(tmp_path, captures.pcap(shots))
    gap = next(o for o in found if isinstance(o, Gap))
    assert (gap.since, gap.until) == (START + 2 * SECOND, START + 10 * SECOND)
    assert gap.where.number == 2
    assert [o.at - START for o in found if isinstance(o, Use)] == [
        10 * SECOND, 10 * SECOND, 11 * SECOND,
    ]  # fmt: skip
