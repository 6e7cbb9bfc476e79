"""What was recorded of a link: frames, addresses, and what was done to its programs.

Theory of operation.  A record is a directory.  `frames.pcap` has each frame once (pcap with
nanoseconds; Ethernet).  `link.ndjson` has a line for each change of a host's addresses and for each
request that the kernel kept waiting, and at the end what was lost.  `marks.ndjson` has what the lab
has done, and what became of programs.  All instants are nanoseconds of CLOCK_BOOTTIME; the first
line of `link.ndjson` has one, and the wall clock at the same moment.  By that, and nothing that is
set later, the frames have a date in the file: who opens it sees when that was, and `read` gives
them back in CLOCK_BOOTTIME.  Until version 2 the file had no dates.

A record that does not come to its end, or has lost something, says so in `gap`: what it does not
show may have happened.

What it does not know: what any of it means (`measure.py`); captures of other makers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND, Instant

FRAMES, LINK, MARKS = "frames.pcap", "link.ndjson", "marks.ndjson"
"""The files of a record."""

VERSION, UNDATED = 2, 1

PCAP = struct.Struct("=I 2H i 3I")
CAPTURED = struct.Struct("=4I")
NANOSECONDS, ETHERNET = 0xA1B23C4D, 1
"""The magic number of a pcap file whose fractions are nanoseconds; LINKTYPE_ETHERNET."""

LONGEST = 0xFFFF

Addresses = Mapping[IPv4Interface, int | None]
"""For how many more seconds each is valid, as the kernel rounds it; None: for ever."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame on the link."""

    at: Instant
    data: bytes


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """What addresses a host has had at an instant not after `at`.

    Until `since`, and perhaps longer, it had those of the look before it.
    """

    since: Instant
    at: Instant
    host: str
    addresses: Addresses


@dataclass(frozen=True, slots=True)
class Change:
    """What the kernel said of an address not before `since` and not after `at`.

    `there`: it was added, or given `valid` more seconds (None: for ever); else it was removed.
    """

    since: Instant
    at: Instant
    host: str
    address: IPv4Interface
    there: bool
    valid: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What the lab has done, or seen of a program: "bound", "client stopped"."""

    at: Instant
    what: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The kernel kept a request about its network waiting: its networking lock was held."""

    since: Instant
    at: Instant


@dataclass(frozen=True, slots=True)
class Record:
    """All of it.  `hosts`: the hardware address of each; `gap`: why it may not be all of it."""

    begin: Instant
    end: Instant
    hosts: Mapping[str, bytes]
    frames: tuple[Captured, ...]
    seen: tuple[HostAddresses | Change, ...]
    marks: tuple[Mark, ...]
    gap: str | None = None
    kept: tuple[Kept, ...] = ()


# Writing -----------------------------------------------------------------------------------------


def pcap_head() -> bytes:
    """The beginning of `frames.pcap`."""
    return PCAP.pack(NANOSECONDS, 2, 4, 0, 0, LONGEST, ETHERNET)


def pcap_frame(at: Instant, data: bytes) -> bytes:
    """A frame in `frames.pcap`; `at`: nanoseconds of the wall clock."""
    return CAPTURED.pack(*divmod(at, SECOND), len(data), len(data)) + data


def addresses_as_json(addresses: Addresses) -> dict[str, int | None]:
    """As `link.ndjson` has them."""
    return {str(address): valid for address, valid in addresses.items()}


# Reading -----------------------------------------------------------------------------------------


def read(place: Path) -> Record:
    """The record in a directory; InputError where it is none, or damaged."""
    lines, torn = _lines(place / LINK)
    marks, _ = _lines(place / MARKS)
    if not lines or lines[0].get("kind") != "head":
        raise InputError(f"{place / LINK}: line 1: expected a head of version {VERSION}")
    head, *rest = lines
    if head.get("version") not in (UNDATED, VERSION):
        raise InputError(f"{place / LINK}: line 1: expected a head of version {VERSION}")
    apart = 0 if head["version"] == UNDATED else head["wall"] - head["at"]
    frames, cut = _frames(place / FRAMES, apart)
    seen: list[HostAddresses | Change] = []
    kept: list[Kept] = []
    lost, end = [], None
    for line in rest:
        match line["kind"]:
            case "look":
                addresses = {IPv4Interface(a): valid for a, valid in line["addresses"].items()}
                seen.append(HostAddresses(line["since"], line["at"], line["host"], addresses))
            case "change":
                said = (IPv4Interface(line["address"]), line["there"], line["valid"])
                seen.append(Change(line["since"], line["at"], line["host"], *said))
            case "kept":
                kept.append(Kept(line["since"], line["at"]))
            case "lost":
                lost.append(line["what"])
            case "end":
                end = line["at"]
            case other:
                raise InputError(f"{place / LINK}: unknown kind {other!r}")
    if cut or torn or end is None:
        lost.append("the recorder did not come to its end")
    last = max([head["at"], *(each.at for each in seen), *(each.at for each in frames)])
    return Record(
        head["at"],
        last if end is None else end,
        {host: bytes.fromhex(hardware) for host, hardware in head["hosts"].items()},
        frames,
        tuple(seen),
        tuple(Mark(mark["at"], mark["what"]) for mark in marks),
        "; ".join(lost) or None,
        tuple(kept),
    )


def _frames(path: Path, apart: int) -> tuple[tuple[Captured, ...], bool]:
    """The frames of a file that this module wrote, and whether the last one is cut off.

    `apart`: nanoseconds from CLOCK_BOOTTIME to the clock of the file.
    """
    data = path.read_bytes()
    if data[: PCAP.size] != pcap_head():
        raise InputError(f"{path}: byte 0: no pcap file of this lab")
    found = list(_captured(data))
    whole = PCAP.size + sum(CAPTURED.size + len(frame.data) for frame in found)
    return tuple(Captured(each.at - apart, each.data) for each in found), whole != len(data)


def _captured(data: bytes) -> Iterator[Captured]:
    at = PCAP.size
    while at + CAPTURED.size <= len(data):
        seconds, nanoseconds, size, _ = CAPTURED.unpack_from(data, at)
        at += CAPTURED.size
        if at + size > len(data):
            return
        yield Captured(seconds * SECOND + nanoseconds, data[at : at + size])
        at += size


def _lines(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The lines of a file, and whether the last one has no end and is left out."""
    text = path.read_text(encoding="utf-8")
    *whole, torn = text.split("\n")
    found = []
    for number, line in enumerate(whole, 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise InputError(f"{path}: line {number}: {error}") from None
    return found, bool(torn)
