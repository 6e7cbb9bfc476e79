"""Comments in a copy of a capture: by scapy's reader, by tshark where it is there, and bytewise."""

import io
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.audit.observations import Where
from holdover.reference.audit.report.annotate import comments_of, copy_with_comments
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record.record import pcap_frame, pcap_head
from tests.reference.audit.report.audits import BEGIN, FINDING, SENTENCE, VIOLATED

FRAME = bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(46)
PCAP = pcap_head() + b"".join(
    pcap_frame(BEGIN + number * SECOND + 7, FRAME + bytes(number)) for number in range(4)
)
SECTION = bytes.fromhex("0a0d0d0a")


def copy(data: bytes, comments: dict[int, str]) -> bytes:
    out = io.BytesIO()
    done = copy_with_comments(io.BytesIO(data), comments, out, "x.pcap")
    assert done <= len(comments)
    return out.getvalue()


def blocks(data: bytes, order: str = "<") -> list[tuple[int, bytes]]:
    """Type and body of each block of a section, by a reader of its own."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from(f"{order}2I", data, at)
        assert length % 4 == 0
        assert struct.unpack_from(f"{order}I", data, at + length - 4) == (length,)
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def comments(data: bytes, order: str = "<") -> dict[int, list[str]]:
    """The comments of enhanced packets, by frame."""
    found: dict[int, list[str]] = {}
    number = 0
    for kind, body in blocks(data, order):
        if kind != 6:
            continue
        number += 1
        (captured,) = struct.unpack_from(f"{order}I", body, 12)
        at = 20 + captured + -captured % 4
        while at < len(body):
            code, length = struct.unpack_from(f"{order}2H", body, at)
            if code == 0:
                break
            if code == 1:
                found.setdefault(number, []).append(body[at + 4 : at + 4 + length].decode())
            at += 4 + length + -length % 4
    return found


def packets(data: bytes, order: str = "<") -> list[tuple[int, int, bytes]]:
    """Time in units of the interface, length on the wire and bytes of each enhanced packet."""
    found = []
    for kind, body in blocks(data, order):
        if kind == 6:
            _, high, low, captured, length = struct.unpack_from(f"{order}5I", body)
            found.append(((high << 32) + low, length, body[20 : 20 + captured]))
    return found


# What gets a comment -----------------------------------------------------------------------------


def test_the_frames_of_evidence_get_what_they_show_and_the_last_one_the_sentence() -> None:
    found = comments_of(VIOLATED)["office.pcap"]
    assert set(found) == {4, 9}
    assert found[4] == (
        "holdover, finding 1 (client_holdover, R3): "
        "DHCPACK: 10.0.0.57 to 02:00:00:00:00:01 for 600 s"
    )
    assert found[9].endswith(f"\n{SENTENCE}")
    assert set(comments_of(VIOLATED)["host.log"]) == {3}


def test_a_frame_of_two_findings_tells_both() -> None:
    twice = replace(VIOLATED, findings=(FINDING, replace(FINDING, rule="R1")))
    assert [line.split(":")[0] for line in comments_of(twice)["office.pcap"][4].splitlines()] == [
        "holdover, finding 1 (client_holdover, R3)",
        "holdover, finding 2 (client_holdover, R1)",
    ]


# From pcap ---------------------------------------------------------------------------------------


def test_a_pcap_becomes_pcapng_with_all_its_frames_and_times() -> None:
    made = copy(PCAP, {2: "zwei", 4: "vier"})
    assert packets(made) == [
        (BEGIN + number * SECOND + 7, len(FRAME) + number, FRAME + bytes(number))
        for number in range(4)
    ]
    assert comments(made) == {2: ["zwei"], 4: ["vier"]}
    _, (kind, interface), *_ = blocks(made)
    assert (kind, interface[:8]) == (1, struct.pack("<2H I", 1, 0, 0xFFFF))
    assert interface[8:13] == struct.pack("<2H", 9, 1) + b"\x09"


@pytest.mark.parametrize(("order", "digits"), [("<", 6), (">", 6), (">", 9)])
def test_each_byte_order_and_resolution(order: str, digits: int) -> None:
    magic = 0xA1B2C3D4 if digits == 6 else 0xA1B23C4D
    head = struct.pack(f"{order}I 2H i 3I", magic, 2, 4, 0, 0, 65535, 113)
    record = struct.pack(f"{order}4I", 1_700_000_000, 123_456, len(FRAME), 1500)
    made = copy(head + record + FRAME, {1: "one"})
    assert packets(made, order) == [(1_700_000_000 * 10**digits + 123_456, 1500, FRAME)]
    assert comments(made, order) == {1: ["one"]}


@pytest.mark.parametrize("cut", [3, 20, 24 + 16 + 5, len(PCAP) - 1])
def test_what_is_cut_off_is_left_out(cut: int) -> None:
    if cut < 4:
        with pytest.raises(InputError, match="no pcap and no pcapng"):
            copy(PCAP[:cut], {})
        return
    made = copy(PCAP[:cut], {1: "one"})
    assert len(packets(made)) == (3 if cut == len(PCAP) - 1 else 0)


# From pcapng -------------------------------------------------------------------------------------


def test_a_copy_without_comments_is_the_same_bytes() -> None:
    made = copy(PCAP, {2: "zwei"})
    assert copy(made, {}) == made


def test_a_comment_is_added_to_those_that_are_there() -> None:
    made = copy(copy(PCAP, {2: "zwei!", 3: "drei"}), {2: "two", 1: "one"})
    made = copy(made, {2: "due"})
    assert comments(made) == {1: ["one"], 2: ["zwei!", "two", "due"], 3: ["drei"]}
    assert packets(made) == packets(copy(PCAP, {}))


def test_other_blocks_stay_as_they_are_and_sections_may_differ_in_byte_order() -> None:
    head = struct.pack(">I 2H i 3I", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    big = copy(head + struct.pack(">4I", 1, 2, len(FRAME), len(FRAME)) + FRAME, {})
    little = copy(PCAP, {})
    names = struct.pack("<2I", 4, 12 + 4) + bytes(4) + struct.pack("<I", 12 + 4)
    both = little + names + big
    made = copy(both, {4: "four", 5: "five"})
    cut = made.rindex(SECTION)
    assert comments(made[:cut]) == {4: ["four"]}
    assert comments(made[cut:], ">") == {1: ["five"]}
    assert names in made


@given(data=st.binary(max_size=200), number=st.integers(1, 4), at=st.integers(0, 400))
def test_no_bytes_make_it_fail_or_run_on(data: bytes, number: int, at: int) -> None:
    made = copy(PCAP, {number: "x"})
    damaged = made[:at] + data + made[at + len(data) :]
    for given_bytes in (data, damaged, SECTION + data, PCAP[:24] + data):
        out = io.BytesIO()
        try:
            copy_with_comments(io.BytesIO(given_bytes), {1: "x", 2: "y"}, out, "x")
        except InputError:
            continue
        assert len(out.getvalue()) <= 3 * len(given_bytes) + 200


# By others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [PCAP, copy(PCAP, {})], ids=["pcap", "pcapng"])
def test_tshark_shows_them(data: bytes, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("needs the program tshark")
    file = tmp_path / "out.pcapng"
    file.write_bytes(copy(data, {2: "holdover: zwei", 4: "vier"}))
    shown = subprocess.run(
        [
            *("tshark", "-r", file, "-Y", "frame.comment"),
            *("-T", "fields", "-e", "frame.number", "-e", "frame.comment"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "2\tholdover: zwei\n4\tvier\n"
    times = subprocess.run(
        ["tshark", "-r", file, "-T", "fields", "-e", "frame.time_epoch"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    seconds = [f"{BEGIN // SECOND + number}.000000007" for number in range(4)]
    iso = [f"2026-11-28T14:00:{number:02d}.000000007Z" for number in range(4)]
    assert times in (seconds, iso)  # the form depends on its version


def test_evidence_in_another_file_is_no_comment_here() -> None:
    assert "x.pcap" not in comments_of(VIOLATED)
    other = replace(FINDING.evidence[0], where=Where("x.pcap", 1))
    assert comments_of(replace(VIOLATED, findings=(replace(FINDING, evidence=(other,)),))) == {
        "x.pcap": {1: f"holdover, finding 1 (client_holdover, R3): {other.what}\n{SENTENCE}"}
    }
