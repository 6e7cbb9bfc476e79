"""Several captures: clocks that differ, frames that two saw, messages that a relay passed on."""

from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.points import measure_offsets
from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.observations import DhcpMessage, Gap, Observation, Probe, Use
from holdover.reference.core.instants import SECOND
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from tests.reference.audit.inputs import captures
from tests.reference.audit.inputs.captures import ADDRESS, MAC, SERVER, START, Shot

MS = SECOND // 1000
RELAY, FAR = IPv4Address("10.0.0.254"), IPv4Address("10.1.0.1")


def write(file: Path, shots: list[Shot]) -> Path:
    file.write_bytes(captures.pcap(shots))
    return file


def traffic(random: Random, count: int) -> list[Shot]:
    """Packets of which each is there once."""
    return [
        (
            START + i * 300 * MS,
            captures.ethernet(captures.ip_packet(ADDRESS, content=random.randbytes(20))),
        )
        for i in range(count)
    ]


def messages(found: list[Observation]) -> list[DhcpMessage]:
    return [o for o in found if isinstance(o, DhcpMessage)]


def test_the_offset_of_a_clock_is_the_median_of_what_both_saw(tmp_path: Path) -> None:
    random = Random(1)
    seen = traffic(random, 1000)
    late = [(at + 5 * SECOND + random.randrange(MS), frame) for at, frame in seen[100:]]
    files = [write(tmp_path / "a", seen), write(tmp_path / "b", late)]
    first, second = measure_offsets(files)
    assert (first.offset, first.uncertainty) == (0, 0)
    assert abs(second.offset - 5 * SECOND) <= MS
    assert second.uncertainty is not None
    assert 0 < second.uncertainty <= MS
    assert second.common > 50


def test_a_frame_that_stands_twice_in_a_capture_says_nothing_of_clocks(tmp_path: Path) -> None:
    same = [(START + i * SECOND, captures.ip()) for i in range(100)]
    files = [write(tmp_path / "a", same), write(tmp_path / "b", same)]
    assert [(o.offset, o.uncertainty, o.common) for o in measure_offsets(files)] == [
        (0, 0, 0), (0, None, 0),
    ]  # fmt: skip


def test_clocks_are_compared_through_a_third_capture(tmp_path: Path) -> None:
    seen = traffic(Random(2), 900)
    one, two = seen[:300], [(at + SECOND, frame) for at, frame in seen[200:600]]
    three = [(at - SECOND, frame) for at, frame in seen[500:]]
    named = zip("abc", (one, two, three), strict=True)
    files = [write(tmp_path / name, shots) for name, shots in named]
    assert [o.offset for o in measure_offsets(files)] == [0, SECOND, -SECOND]
    reading = read_all(files)
    uses = [o for o in reading if isinstance(o, Use)]
    assert [o.at for o in uses] == [at for at, _ in seen]  # each once, on the first one's clock
    assert [(c.begin, c.end) for c in reading.coverage][2] == (seen[500][0], seen[-1][0])


def test_what_two_points_saw_is_one_observation(tmp_path: Path) -> None:
    shots: list[Shot] = [
        *traffic(Random(3), 50),
        (START + 20 * SECOND, captures.dhcp(captures.request(xid=1))),
        (START + 21 * SECOND, captures.arp(NO_ADDRESS, target=ADDRESS)),
        (START + 25 * SECOND, captures.dhcp(captures.request(xid=1))),
    ]
    late = [(at + 3 * MS, frame) for at, frame in shots]
    files = [write(tmp_path / "a", shots), write(tmp_path / "b", late)]
    found = list(read_all(files))
    assert len(messages(found)) == 2  # the client sent it twice, to two points
    assert len([o for o in found if isinstance(o, Use)]) == 50
    assert len([o for o in found if isinstance(o, Probe)]) == 1


def test_two_interfaces_of_one_file_are_two_points(tmp_path: Path) -> None:
    frame = captures.dhcp(captures.request())
    data = captures.section() + captures.interface(1, "<", 9) * 2
    data += captures.enhanced(START, frame, 0) + captures.enhanced(START + 500, frame, 1)
    (tmp_path / "c").write_bytes(data)
    assert len(messages(list(read_all([tmp_path / "c"])))) == 1


def test_files_are_merged_in_time_order(tmp_path: Path) -> None:
    shots = traffic(Random(4), 40)
    files = [write(tmp_path / "a", shots[::2]), write(tmp_path / "b", shots[1::2])]
    found = list(read_all(files))
    assert [o.at for o in found if not isinstance(o, Gap)] == [at for at, _ in shots]


def test_standard_input_can_be_read_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="named twice"):
        read_all(["-", "-"])


# Relays ------------------------------------------------------------------------------------------


def exchange(kind: MessageType = MessageType.REQUEST, xid: int = 7) -> list[bytes]:
    """A request and its reply on both sides of a relay."""
    passed_on = captures.request(kind, xid, giaddr=RELAY)
    back = captures.reply(xid=xid, giaddr=RELAY)
    return [
        captures.dhcp(captures.request(kind, xid)),
        captures.dhcp(passed_on, RELAY, FAR, b"\2\0\0\0\0\5", (67, 67)),
        captures.dhcp(back, FAR, RELAY, ports=(67, 67)),
        captures.dhcp(back, RELAY, ports=(67, 68)),
    ]


def copies(place: Path, frames: list[bytes]) -> list[bool]:
    shots = [(START + i * 10 * MS, frame) for i, frame in enumerate(frames)]
    return [o.copy for o in messages(list(read_all([write(place / "c", shots)])))]


def test_what_a_relay_passes_on_is_a_copy(tmp_path: Path) -> None:
    assert copies(tmp_path, exchange()) == [False, True, False, True]


def test_so_is_what_it_passes_on_to_a_second_server(tmp_path: Path) -> None:
    first, second, *_ = exchange()
    other = captures.dhcp(
        captures.request(giaddr=RELAY), RELAY, IPv4Address("10.1.0.2"), ports=(67, 67)
    )
    assert copies(tmp_path, [first, second, other]) == [False, True, True]


def test_a_retransmission_is_no_copy(tmp_path: Path) -> None:
    first, passed_on, *_ = exchange()
    assert copies(tmp_path, [first, first]) == [False, False]
    assert copies(tmp_path, [first, passed_on, first, passed_on]) == [False, True, False, True]


def test_a_rebinding_after_a_renewal_with_the_same_xid_is_no_copy(tmp_path: Path) -> None:
    renewal = captures.request(ciaddr=ADDRESS)
    of_another = exchange(xid=99)[1]  # so relays are there
    frames = [of_another, captures.dhcp(renewal, ADDRESS, SERVER), captures.dhcp(renewal, ADDRESS)]
    assert copies(tmp_path, frames) == [False, False, False]


def test_offers_of_two_servers_are_no_copies(tmp_path: Path) -> None:
    other = IPv4Address("10.0.0.2")
    frames = [
        captures.dhcp(captures.reply(MessageType.OFFER)),
        captures.dhcp(captures.reply(MessageType.OFFER, server=other), other),
    ]
    assert copies(tmp_path, frames) == [False, False]


def test_nor_are_those_that_both_give_to_a_relay(tmp_path: Path) -> None:
    other = IPv4Address("10.1.0.2")
    frames = [
        captures.dhcp(
            captures.reply(MessageType.OFFER, server=server, giaddr=RELAY), server, RELAY,
            ports=(67, 67),
        )
        for server in (FAR, other)
    ]  # fmt: skip
    assert copies(tmp_path, frames) == [False, False]


def test_a_relay_that_answers_much_later_passes_on_nothing(tmp_path: Path) -> None:
    first, passed_on, *_ = exchange()
    shots = [(START, first), (START + 9 * SECOND, passed_on)]
    found = messages(list(read_all([write(tmp_path / "c", shots)])))
    assert [o.copy for o in found] == [False, False]
    assert found[1].hardware != MAC
