"""Records are read as they were written, by us and by others; what is cut off is a gap."""

import json
import shutil
import socket
import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record.record import (
    FRAMES,
    LINK,
    MARKS,
    Change,
    HostAddresses,
    Kept,
    Mark,
    pcap_frame,
    pcap_head,
    read,
)
from holdover.reference.lab.stand_ins.nak_server import GRANTED, WAYS, refusal
from holdover.reference.lab.testbed.address_monitor import DELETE_ADDRESS, NEW_ADDRESS, parse
from holdover.reference.lab.testbed.process import Process, UnheardError
from holdover.reference.lab.testbed.wall_clock import COMPILER, WallClock
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, Frame, decode_frame
from holdover.reference.wire.messages import BootRequest, reply_from_wire, request_to_wire
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.packet import decode, encode
from tests.reference.lab.test_measure import LEASED, OTHER, SERVER, A, B, answer, said

HELD = IPv4Interface("10.77.0.50/24")
LINES: tuple[dict[str, Any], ...] = (
    {"kind": "head", "version": 1, "at": 5, "wall": 9, "hosts": {"a": A.hex()}},
    {"kind": "look", "at": 7, "since": 6, "host": "a", "addresses": {str(HELD): 3}},
    {
        "kind": "change",
        "at": 8,
        "since": 7,
        "host": "a",
        "address": str(HELD),
        "there": False,
        "valid": None,
    },
    {"kind": "kept", "at": 8, "since": 7},
    {"kind": "end", "at": 9 * SECOND},
)
SENT = (said(1.5), answer(2.25, A))


def written(place: Path, *lines: dict[str, Any]) -> Path:
    frames = b"".join(pcap_frame(frame.at, frame.data) for frame in SENT)
    (place / FRAMES).write_bytes(pcap_head() + frames)
    (place / LINK).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (place / MARKS).write_text('{"at": 7, "what": "bound"}\n')
    return place


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = read(written(tmp_path, *LINES))
    assert record.frames == SENT
    assert record.seen == (HostAddresses(6, 7, "a", {HELD: 3}), Change(7, 8, "a", HELD, False))
    assert record.marks == (Mark(7, "bound"),)
    assert record.kept == (Kept(7, 8),)
    assert (record.begin, record.end, record.hosts) == (5, 9 * SECOND, {"a": A})
    assert record.gap is None


def test_frames_have_a_date_and_are_read_without_it(tmp_path: Path) -> None:
    """The file's clock is the wall clock; the record's is CLOCK_BOOTTIME, as all of it."""
    wall = 1_800_000_000 * SECOND
    head = LINES[0] | {"version": 2, "at": 5 * SECOND, "wall": wall}
    written(tmp_path, head, *LINES[1:])
    dated = [pcap_frame(frame.at + wall - 5 * SECOND, frame.data) for frame in SENT]
    (tmp_path / FRAMES).write_bytes(pcap_head() + b"".join(dated))
    assert read(tmp_path).frames == SENT


def test_what_was_lost_is_a_gap(tmp_path: Path) -> None:
    lost = {"kind": "lost", "at": 8, "what": "2 frames were dropped"}
    assert read(written(tmp_path, *LINES[:4], lost, LINES[4])).gap == "2 frames were dropped"


@pytest.mark.parametrize("cut", [FRAMES, LINK])
def test_a_record_that_is_cut_off_has_a_gap(tmp_path: Path, cut: str) -> None:
    written(tmp_path, *LINES)
    (tmp_path / cut).write_bytes((tmp_path / cut).read_bytes()[:-3])
    record = read(tmp_path)
    assert record.gap == "the recorder did not come to its end"
    assert len(record.frames) == (1 if cut == FRAMES else 2)


def test_a_record_without_its_end_has_a_gap(tmp_path: Path) -> None:
    assert read(written(tmp_path, *LINES[:3])).gap == "the recorder did not come to its end"


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (FRAMES, b"\xd4\xc3\xb2\xa1", "no pcap file of this lab"),
        (LINK, b'{"kind": "head", "version": 3}\n', "line 1: expected a head"),
        (LINK, b"", "line 1: expected a head"),
        (LINK, json.dumps(LINES[0]).encode() + b'\n{"kind": "luck"}\n', "unknown kind 'luck'"),
        (MARKS, b"{\n", "line 1"),
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, file: str, content: bytes, words: str) -> None:
    written(tmp_path, *LINES)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read(tmp_path)


def test_scapy_reads_the_same_frames(tmp_path: Path) -> None:
    from scapy.layers.l2 import Ether
    from scapy.utils import rdpcap

    frames = rdpcap(str(written(tmp_path, *LINES) / FRAMES))
    assert [(frame.time, bytes(frame)) for frame in frames] == [
        (frame.at / SECOND, frame.data) for frame in SENT
    ]
    assert all(isinstance(frame, Ether) for frame in frames)


def test_tcpdump_reads_them_too(tmp_path: Path) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("needs the program tcpdump")
    words = ("tcpdump", "-tt", "-n", "-r", written(tmp_path, *LINES) / FRAMES)
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1.500000", "2.250000"]
    assert "BOOTP/DHCP, Reply" in lines[0]
    assert f"ARP, Reply {LEASED}" in lines[1]


# What the recorder reads of the kernel's ---------------------------------------------------------


def message(kind: int, valid: int | None, *, label: str = "eth0") -> bytes:
    """As pyroute2 writes it."""
    said = ifaddrmsg()
    said["header"]["type"] = kind
    said["family"], said["prefixlen"], said["index"] = socket.AF_INET, 24, 7
    lifetime = 0xFFFFFFFF if valid is None else valid
    said["attrs"] = [
        ("IFA_ADDRESS", "10.77.0.9"),
        ("IFA_LOCAL", str(LEASED)),
        ("IFA_LABEL", label),
        ("IFA_CACHEINFO", {"ifa_preferred": 1, "ifa_valid": lifetime, "cstamp": 2, "tstamp": 3}),
    ]
    said.encode()
    return bytes(said.data)


@pytest.mark.parametrize("label", ["eth0", "e"])
@pytest.mark.parametrize("valid", [None, 0, 7])
def test_addresses_are_read_as_pyroute2_writes_them(valid: int | None, label: str) -> None:
    data = message(NEW_ADDRESS, valid, label=label) + message(DELETE_ADDRESS, None)
    assert list(parse(data)) == [(NEW_ADDRESS, 7, HELD, valid), (DELETE_ADDRESS, 7, HELD, None)]


def test_the_end_of_a_list_and_other_messages_are_told_apart() -> None:
    done = (20).to_bytes(4, "little") + (3).to_bytes(2, "little") + bytes(14)
    other = (20).to_bytes(4, "little") + (16).to_bytes(2, "little") + bytes(14)
    assert list(parse(other + done)) == [None]


# Refusing by unicast -----------------------------------------------------------------------------


def asked(kind: MessageType, ciaddr: IPv4Address) -> Frame:
    request = BootRequest(kind, 9, A, client_id=b"\1\2", ciaddr=ciaddr)
    payload = encode(request_to_wire(request))
    return Frame(EVERYONE, A, Datagram(ciaddr, ALL_HOSTS, 68, 67, payload))


@pytest.mark.parametrize(
    ("way", "to", "address"), [("broadcast", EVERYONE, ALL_HOSTS), ("unicast", A, LEASED)]
)
def test_a_renewal_is_refused(way: str, to: bytes, address: IPv4Address) -> None:
    answered = refusal(asked(MessageType.REQUEST, LEASED), way, SERVER, LEASED, B)
    assert answered is not None
    frame = decode_frame(answered)
    assert isinstance(frame.content, Datagram)
    assert (frame.destination, frame.source) == (to, B)
    assert (frame.content.source, frame.content.destination) == (SERVER, address)
    reply = reply_from_wire(decode(frame.content.payload))
    assert reply is not None
    assert (reply.type, reply.xid, reply.chaddr) == (MessageType.NAK, 9, A)
    assert (reply.server, reply.client_id) == (SERVER, b"\1\2")


def test_a_renewal_is_granted_under_a_foreign_xid() -> None:
    answered = refusal(asked(MessageType.REQUEST, LEASED), "foreign xid", SERVER, LEASED, B)
    assert answered is not None
    frame = decode_frame(answered)
    assert isinstance(frame.content, Datagram)
    assert frame.destination == A
    reply = reply_from_wire(decode(frame.content.payload))
    assert reply is not None
    assert (reply.type, reply.address, reply.lease) == (MessageType.ACK, LEASED, GRANTED)
    assert reply.xid != 9


@pytest.mark.parametrize(
    "frame",
    [
        asked(MessageType.DISCOVER, LEASED),
        asked(MessageType.REQUEST, IPv4Address(0)),
        asked(MessageType.REQUEST, OTHER),  # that of the offer that came after the refusal
        Frame(EVERYONE, A, Datagram(LEASED, SERVER, 68, 67, b"what?")),
        decode_frame(SENT[1].data),
    ],
)
def test_nothing_else_is_refused(frame: Frame) -> None:
    assert [refusal(frame, way, SERVER, LEASED, B) for way in WAYS] == [None] * len(WAYS)


# A wall clock of its own -------------------------------------------------------------------------

CLOCKS = """
import datetime, select, sys, time
from holdover.reference.linux.kernel.clock import Alarm, now
alarm = Alarm()
for _ in sys.stdin:
    alarm.set(now() + 10_000_000)
    rings = bool(select.select([alarm], [], [], 20)[0])
    print(time.time(), datetime.datetime.now().timestamp(), now(), rings, flush=True)
"""


def test_a_step_moves_the_wall_clock_and_nothing_else(tmp_path: Path) -> None:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"needs the program {COMPILER}")
    wall = WallClock(tmp_path)
    asking = subprocess.Popen(
        [*map(str, wall.under), sys.executable, "-c", CLOCKS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        for step in (0, -3600, 3600):
            wall.step(step)
            before = time.time(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            asking.stdin.write("\n")
            asking.stdin.flush()
            told, date, boot, rings = asking.stdout.readline().split()
            after = time.time(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            # The coarse clock is a tick behind.
            assert before[0] - 0.1 <= float(told) - step <= after[0]
            assert before[0] - 0.1 <= float(date) - step <= after[0]
            assert before[1] <= int(boot) <= after[1]
            assert rings == "True"
        assert wall.loaded(asking.pid)
        asking.stdin.close()


def test_what_does_not_read_it_is_told_apart(tmp_path: Path) -> None:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"needs the program {COMPILER}")
    wall = WallClock(tmp_path)
    asleep = Process(("sleep", "60"))
    try:
        assert not wall.loaded(asleep.running.pid)
    finally:
        asleep.end()


def test_without_a_compiler_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnheardError, match="needs the program cc"):
        WallClock(tmp_path)
