"""Captures of all formats, whole and damaged: each frame is found, and what was lost is told."""

import gzip
import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.audit.inputs import stream
from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.observations import DhcpMessage, Gap, Observation, Use
from holdover.reference.core.instants import SECOND
from tests.reference.audit.inputs import captures
from tests.reference.audit.inputs.captures import (
    MAC,
    OTHER,
    START,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    section,
    simple,
    statistics,
)

SHOTS = [
    (START, captures.ip()),
    (START + SECOND + 1000, captures.dhcp(captures.request())),
    (START + 2 * SECOND + 123_456_000, captures.arp(mac=OTHER)),
]


def observe(place: Path, data: bytes, name: str = "c") -> list[Observation]:
    """What a file shows."""
    (place / name).write_bytes(data)
    return list(read_all([place / name]))


def times(found: list[Observation]) -> list[int]:
    """When what is no gap was seen."""
    return [o.at for o in found if isinstance(o, Use | DhcpMessage)]


def gaps(found: list[Observation]) -> list[Gap]:
    """What was lost."""
    return [o for o in found if isinstance(o, Gap)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_pcap(tmp_path: Path, order: str, nano: bool) -> None:
    found = observe(tmp_path, captures.pcap(SHOTS, order, nano))
    assert times(found) == [at for at, _ in SHOTS]
    assert gaps(found) == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(tmp_path: Path, order: str) -> None:
    found = observe(tmp_path, captures.pcapng(SHOTS, order))
    assert times(found) == [at for at, _ in SHOTS]
    assert gaps(found) == []


def test_kuznetzovs_pcap_has_longer_records(tmp_path: Path) -> None:
    data = struct.pack("<I2Hi3I", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1)
    for at, frame in SHOTS:
        seconds, rest = divmod(at, SECOND)
        data += struct.pack("<4I", seconds, rest // 1000, len(frame), len(frame)) + bytes(8) + frame
    assert times(observe(tmp_path, data)) == [at for at, _ in SHOTS]


@pytest.mark.parametrize(
    ("resolution", "stamp", "at"),
    [
        (None, 5_000_001, 5_000_001_000),
        (3, 5_001, 5_001_000_000),
        (0, 5, 5 * SECOND),
        (9, 5_000_000_001, 5_000_000_001),
        (12, 5_000_000_001_999, 5_000_000_001),
        (0x80 | 1, 11, 5_500_000_000),
        (0x80 | 20, 5 << 20 | 1 << 19, 5_500_000_000),
        (0x80 | 40, 5 << 40 | 1 << 39, 5_500_000_000),
    ],
)
def test_an_interface_has_its_own_resolution(
    tmp_path: Path, resolution: int | None, stamp: int, at: int
) -> None:
    data = section() + interface(1, "<", resolution) + enhanced(stamp, captures.ip())
    assert times(observe(tmp_path, data)) == [at]


def test_an_interface_has_its_own_offset(tmp_path: Path) -> None:
    more = option(14, struct.pack("<q", 1000))
    data = section() + interface(1, "<", 9, more) + enhanced(7, captures.ip())
    assert times(observe(tmp_path, data)) == [1000 * SECOND + 7]


def test_several_interfaces_and_sections_in_both_byte_orders(tmp_path: Path) -> None:
    data = (
        section("<")
        + interface(1, "<", 9)
        + interface(101, "<", 6)
        + enhanced(1000, captures.ip(), 0)
        + enhanced(2, captures.raw_dhcp(captures.request()), 1)
        + section(">")
        + interface(1, ">", 6)
        + enhanced(3, captures.ip(mac=OTHER), 0, ">")
    )
    use, message, other = observe(tmp_path, data)
    assert isinstance(use, Use)
    assert isinstance(message, DhcpMessage)
    assert isinstance(other, Use)
    assert (use.at, message.at, other.at, message.hardware) == (1000, 2000, 3000, None)
    assert (use.hardware, other.hardware, other.where.number) == (MAC, OTHER, 3)


def test_blocks_that_hold_no_frame_are_passed_over(tmp_path: Path) -> None:
    data = section() + block(0xBAD, b"secret") + interface(1, "<", 9)
    data += block(4, bytes(8)) + enhanced(5, captures.ip()) + block(10, bytes(20))
    assert times(observe(tmp_path, data)) == [5]


def test_the_obsolete_packet_block(tmp_path: Path) -> None:
    data = section() + interface(1, "<", 9) + obsolete(5, captures.ip())
    found = observe(tmp_path, data + obsolete(SECOND, captures.ip(), drops=3))
    assert times(found) == [5, SECOND]
    (gap,) = gaps(found)
    assert (gap.since, gap.until) == (5, SECOND)
    assert "dropped 3 frames" in gap.why


def test_what_an_enhanced_block_says_was_dropped_is_a_gap(tmp_path: Path) -> None:
    drops = option(1, b"comment") + option(4, struct.pack("<Q", 12)) + option(0, b"")
    data = section() + interface(1, "<", 9) + enhanced(5, captures.ip())
    found = observe(tmp_path, data + enhanced(9, captures.ip(), 0, "<", drops))
    (gap,) = gaps(found)
    assert (gap.since, gap.until, gap.where.number) == (5, 9, 2)
    assert "dropped 12 frames" in gap.why


def test_what_statistics_say_was_dropped_is_a_gap_that_may_be_anywhere(tmp_path: Path) -> None:
    data = section() + interface(1, "<", 9) + enhanced(5, captures.ip())
    found = observe(tmp_path, data + statistics(8, 4) + statistics(9, 4))
    assert [(gap.since, gap.until) for gap in gaps(found)] == [(None, 8)]


def test_frames_without_a_time_are_a_gap(tmp_path: Path) -> None:
    data = section() + interface(1, "<", 9) + simple(captures.ip()) + simple(captures.ip())
    found = observe(tmp_path, data + enhanced(5, captures.ip()))
    assert times(found) == [5]
    (gap,) = gaps(found)
    assert "without a time" in gap.why


# Packed, and through a pipe ----------------------------------------------------------------------


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(captures.pcap(SHOTS[:2])) + gzip.compress(captures.pcap_record(SHOTS[2]))
    assert times(observe(tmp_path, packed)) == [at for at, _ in SHOTS]


def test_gzip_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    packed = gzip.compress(captures.pcap(SHOTS))
    found = observe(tmp_path, packed[:-12])
    (gap,) = gaps(found)
    assert "cannot be unpacked" in gap.why
    assert gap.until is None


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs the program zstd")
def test_zstd_is_unpacked(tmp_path: Path) -> None:
    data = captures.pcap(SHOTS)
    packed = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
    assert times(observe(tmp_path, packed)) == [at for at, _ in SHOTS]
    with pytest.raises(InputError, match="cannot be read any further"):
        observe(tmp_path, packed[:-20])
    noise = captures.ethernet(captures.ip_packet(captures.ADDRESS) + Random(1).randbytes(1 << 20))
    data = captures.pcap([*SHOTS, (START + 9 * SECOND, noise)])
    packed = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
    found = observe(tmp_path, packed[:-20])
    assert times(found) == [at for at, _ in SHOTS]
    assert "cannot be read any further" in gaps(found)[0].why


def test_zstd_without_its_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="the program `zstd` is not there"):
        observe(tmp_path, stream.ZSTD + bytes(20))


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BufferedReader(io.BytesIO(captures.pcapng(SHOTS)))

    monkeypatch.setattr(sys, "stdin", Input)
    found = list(read_all(["-"]))
    assert times(found) == [at for at, _ in SHOTS]
    assert found[0].where.file == "standard input"


def test_a_frame_larger_than_the_buffer_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BUFFER", 64)
    large = captures.ethernet(captures.ip_packet(captures.ADDRESS, size=5000))
    shots = [(START, large), *((at + SECOND, frame) for at, frame in SHOTS)]
    assert len(times(observe(tmp_path, captures.pcap(shots)))) == 4
    assert len(times(observe(tmp_path, captures.pcapng(shots)))) == 4


# Damaged -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [captures.pcap, captures.pcapng])
def test_a_file_that_ends_in_the_middle_of_a_record_has_a_gap_to_its_end(
    tmp_path: Path, make: object
) -> None:
    data = make(SHOTS)  # type: ignore[operator]
    found = observe(tmp_path, data[:-5])
    assert times(found) == [at for at, _ in SHOTS[:2]]
    (gap,) = gaps(found)
    assert (gap.since, gap.until) == (SHOTS[1][0], None)
    assert "ends in the middle of a record" in gap.why


def test_what_is_no_record_ends_a_file(tmp_path: Path) -> None:
    found = observe(tmp_path, captures.pcap(SHOTS[:1]) + b"\xff" * 100)
    (gap,) = gaps(found)
    at = 24 + 16 + len(SHOTS[0][1])
    assert gap.why == f"byte {at}: no record stands there"
    found = observe(tmp_path, captures.pcapng(SHOTS[:1]) + b"\xff" * 100)
    assert "no block stands there" in gaps(found)[0].why


def test_an_empty_capture_covers_nothing(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(captures.pcap([]))
    reading = read_all([tmp_path / "c"])
    assert list(reading) == []
    assert [(c.begin, c.end, c.frames) for c in reading.coverage] == [(None, None, 0)]


def test_a_capture_says_what_it_covers(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(captures.pcap(SHOTS))
    reading = read_all([tmp_path / "c"])
    list(reading)
    covered = reading.coverage[0]
    assert (covered.begin, covered.end, covered.frames) == (SHOTS[0][0], SHOTS[2][0], 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty: expected a capture"),
        (b"\x7fELF" + bytes(100), "byte 0: 7f 45 4c 46 .*expected a capture"),
        (captures.pcap([])[:10], "byte 10: cut off: a pcap file begins with 24 bytes"),
        (captures.section()[:8], "cut off"),
        (captures.pcap(SHOTS, link=105), "byte 20: link type 105: Ethernet"),
        (captures.section() + captures.interface(127), "link type 127: Ethernet"),
    ],
)
def test_what_is_no_capture_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        observe(tmp_path, data)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        list(read_all([tmp_path / "none"]))
    with pytest.raises(InputError, match="Is a directory"):
        list(read_all([tmp_path]))


def test_one_interface_of_another_link_is_a_gap(tmp_path: Path) -> None:
    data = section() + interface(1, "<", 9) + interface(105)
    found = observe(tmp_path, data + enhanced(5, captures.ip()) + enhanced(6, b"radio", 1))
    assert times(found) == [5]
    assert "interface 1 has link type 105" in gaps(found)[0].why


WHOLE = (b"", captures.pcap(SHOTS), captures.pcapng(SHOTS), captures.pcapng(SHOTS, ">"))


@given(
    st.binary(max_size=300),
    st.sampled_from(
        (b"", captures.pcap(SHOTS), captures.pcapng(SHOTS), captures.pcapng(SHOTS, ">"))
    ),
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=8),
    st.booleans(),
)
def test_nothing_but_an_input_error_is_raised(
    tmp_path_factory: pytest.TempPathFactory,
    junk: bytes,
    whole: bytes,
    spoiled: list[tuple[int, int]],
    packed: bool,
) -> None:
    data = bytearray(whole + junk)
    for at, value in spoiled:
        if at < len(data):
            data[at] = value
    file = tmp_path_factory.getbasetemp() / "junk"
    file.write_bytes(gzip.compress(data)[: 10 + len(data)] if packed else data)
    try:
        found = list(read_all([file]))
    except InputError as error:
        assert str(file) in str(error)  # noqa: PT017
    else:
        assert all(o.where.number >= 1 for o in found)


def test_a_large_capture_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    """Of hosts that come and go: what is over is forgotten."""
    code = (
        "import sys, resource\n"
        "from pathlib import Path\n"
        "from holdover.reference.audit.inputs.reading import read_all\n"
        "for _ in read_all([Path(sys.argv[1])]): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    took = []
    for count in (20_000, 400_000):
        file = tmp_path / f"{count}.pcap"
        with file.open("wb") as out:
            out.write(captures.pcap([]))
            for number in range(count):
                mac = struct.pack("!HI", 0x0200, number // 4)
                frame = captures.SERVER_MAC + mac + FIXED[12:]
                out.write(captures.pcap_record((START + number * 100_000, frame)))
        said = subprocess.run(
            [sys.executable, "-c", code, file], capture_output=True, check=True, text=True
        )
        took.append(int(said.stdout))
    assert took[1] - took[0] < 30_000, took  # kB; the file has 30 MB more, the runs would have 100


FIXED = captures.ip()
