"""Captures of several towns, each with hosts, addresses and a server of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.report.data import audit_data
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.record import pcap_frame, pcap_head
from tests.reference.audit.town import Town, weather_of

UDP_AT, CHECKSUM_AT = 34, 40
"""In a frame of Ethernet with an IPv4 header of 20 bytes."""


def write_town(place: Path, number: int, *, overstay: bool = False, later: int = 0) -> Path:
    """A capture of a town, `later` seconds after its own time; its names are of its own."""
    town = Town(replace(weather_of(number, overstay=overstay, missed=0.0), hosts=4, pool=3)).run()
    path = place / f"town-{number}.pcap"
    frames = [(at + later * SECOND, rename(data, number)) for at, data in town.frames]
    path.write_bytes(pcap_head() + b"".join(pcap_frame(at, data) for at, data in frames))
    return path


def rename(frame: bytes, number: int) -> bytes:
    """The frame with the hardware addresses, addresses and client identifiers of that town."""
    own = bytes([number])
    for old, new in (
        (b"\x02\x00\x00\x00\x01", b"\x02\x00\x00\x01" + own),
        (b"\xc0\x00\x02", b"\xc0\x00" + own),
        (b"\x3d\x02\x01", b"\x3d\x02" + own),
    ):
        frame = frame.replace(old, new)
    if frame[12:14] == b"\x08\x00" and frame[23] == 17:
        frame = frame[:CHECKSUM_AT] + bytes(2) + frame[CHECKSUM_AT + 2 :]
    return frame


def comparable(audit: Audit) -> object:
    """All that a report says, in an order of its own."""
    data = audit_data(audit)
    for name in ("findings", "open", "addresses", "gaps", "unreadable"):
        data[name] = sorted(data[name], key=repr)
    for rule in data["rules"].values():
        rule["breaches"] = sorted(rule["breaches"], key=repr)
        rule["why"] = sorted(rule["why"])
    return data


def first(path: Path) -> Instant:
    """The time of its first frame."""
    data = path.read_bytes()[24:32]
    return int.from_bytes(data[:4], "little") * SECOND + int.from_bytes(data[4:8], "little")
