"""dnsmasq's leases, the audit log of Windows, and Zeek's `dhcp.log`.

Theory of operation.  `dnsmasq.leases` is what dnsmasq knows now: lease end, hardware address, IPv4
address, name, client-id; it was so when the file was written last.

Windows writes `DhcpSrvLog-Mon.log` and so on: after some lines of explanation, comma-separated
"ID,Date,Time,Description,IP Address,Host Name,MAC Address", in local time; how long a lease is it
does not say.

Zeek writes what it has seen of a transaction, as tab-separated values with a head of `#` lines, or
as JSON.  It is no server, but what it saw of one: its observations name the server's address.

What it does not know: IPv6 of all three.  Windows' time zone is taken for this machine's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from holdover.reference.audit.inputs.logs.lines import (
    Line,
    LineError,
    address_of,
    bytes_of,
    hardware_of,
    instant_of,
    local,
    number_of,
    read_lines,
    utc,
)
from holdover.reference.audit.observations import Observation, Recorded, Where
from holdover.reference.core.instants import SECOND, Instant

DNSMASQ = re.compile(r"\d+ [0-9A-Fa-f:-]{11,} \d+\.\d+\.\d+\.\d+ \S+ \S+")
WINDOWS_HEAD = "ID,Date,Time,Description,IP Address"
WINDOWS = {
    10: "leased",
    11: "leased",
    12: "released",
    13: "declined",
    15: "refused",
    16: "free",
    17: "expired",
    18: "expired",
    20: "leased",
    21: "leased",
    23: "free",
}
"""By event; others are of no lease."""

WINDOWS_LINE = re.compile(r"\d{1,5},\d+/\d+/\d+,\d+:\d+:\d+,")
ZEEK_FIELDS = {"ts", "uids", "mac"}
UNSET = {"-", "(empty)", ""}
ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z")


# dnsmasq -----------------------------------------------------------------------------------------


def is_dnsmasq(head: str) -> bool:
    """Whether a text begins as dnsmasq's leases do."""
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    return bool(lines) and (bool(DNSMASQ.fullmatch(lines[0])) or lines[0].startswith("duid "))


def read_dnsmasq(lines: Iterable[Line], file: str, written: Instant) -> Iterator[Observation]:
    """Each lease, as of when the file was written; those of IPv6 are left out."""

    def read(line: Line) -> Iterable[Observation]:
        number, text = line
        words = text.split()
        if not words or words[0] == "duid" or (len(words) == 5 and ":" in words[2]):
            return ()
        if len(words) != 5:
            raise LineError(f"expected 5 words, got {len(words)}")
        end = number_of(words[0]) * SECOND
        kind, _, hardware = words[1].rpartition("-") if "-" in words[1] else ("", "", words[1])
        if kind not in ("", "01", "1"):
            hardware = ""
        client_id = bytes_of(words[4])
        return (
            Recorded(
                written,
                Where(file, number),
                address_of(words[2]),
                hardware_of(hardware),
                client_id,
                None,
                end or None,
                "leased",
                "dnsmasq",
                not end,
            ),
        )

    return read_lines(lines, file, read)


# Windows -----------------------------------------------------------------------------------------


def is_windows(head: str) -> bool:
    """Whether a text begins as the audit log does."""
    return WINDOWS_HEAD in head or bool(WINDOWS_LINE.match(head))


def read_windows(lines: Iterable[Line], file: str) -> Iterator[Observation]:
    """Each event of a lease; what is in front of the head is explanation."""

    def read(line: Line) -> Iterable[Observation]:
        number, text = line
        if not WINDOWS_LINE.match(text):
            return ()
        values = text.split(",")
        state = WINDOWS.get(int(values[0]))
        if state is None:
            return ()
        if len(values) < 7:
            raise LineError(f"expected 7 columns or more, got {len(values)}")
        month, day, year = (int(part) for part in values[1].split("/"))
        clock = [int(part) for part in values[2].split(":")]
        at = local(year + 2000 if year < 100 else year, month, day, *clock)
        hardware = values[6].strip()
        return (
            Recorded(
                at,
                Where(file, number),
                address_of(values[4]),
                hardware_of(hardware) if len(hardware) in (0, 12, 17) else None,
                None,
                at if state == "leased" else None,
                at if state in ("released", "expired", "free") else None,
                state,
                "Windows",
            ),
        )

    return read_lines(lines, file, read)


# Zeek --------------------------------------------------------------------------------------------


def is_zeek(head: str) -> bool:
    """Whether a text begins as Zeek's log of DHCP does, in either form."""
    if head.startswith("#separator"):
        return "#path\tdhcp" in head or "\tmsg_types\t" in head
    try:
        first = json.loads(head.splitlines()[0])
    except (ValueError, IndexError, RecursionError):
        return False
    return isinstance(first, dict) and first.keys() >= ZEEK_FIELDS


def read_zeek(lines: Iterable[Line], file: str) -> Iterator[Observation]:
    """Each transaction that gave or took a lease."""
    names: list[str] = []

    def read(line: Line) -> Iterable[Observation]:
        nonlocal names
        number, text = line
        row: Mapping[str, Any]
        if text.startswith("#fields\t"):
            names = text.split("\t")[1:]
        if text.startswith("#") or not text.strip():
            return ()
        if text.startswith("{"):
            try:
                row = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise LineError(f"no JSON: {type(error).__name__}") from None
            types = row.get("msg_types", [])
        else:
            values = text.split("\t")
            if len(values) != len(names):
                raise LineError(f"expected {len(names)} columns, got {len(values)}")
            row = {n: v for n, v in zip(names, values, strict=True) if v not in UNSET}
            types = row.get("msg_types", "").split(",")
        found = _transaction(row, [str(each) for each in types], Where(file, number))
        return () if found is None else (found,)

    return read_lines(lines, file, read)


def _transaction(row: Mapping[str, Any], types: list[str], where: Where) -> Recorded | None:
    begun = _zeek_time(row.get("ts"))
    lasted = _zeek_seconds(row.get("duration", 0))
    at = begun + lasted
    server = f"Zeek, of {row['server_addr']}" if "server_addr" in row else "Zeek"
    hardware = hardware_of(str(row.get("mac", "")))
    last = next((each for each in reversed(types) if each in ZEEK_STATES), None)
    if last is None:
        return None
    state, columns = ZEEK_STATES[last]
    address = next((row[each] for each in columns if each in row), None)
    if address is None:
        return None
    length = row.get("lease_time")
    leased = state == "leased"
    end = at + _zeek_seconds(length) if leased and length is not None else None
    return Recorded(
        at,
        where,
        address_of(str(address)),
        hardware,
        None,
        at if leased else None,
        end if leased else at,
        state,
        server,
    )


ZEEK_STATES = {
    "ACK": ("leased", ("assigned_addr",)),
    "NAK": ("refused", ("requested_addr", "client_addr")),
    "RELEASE": ("released", ("client_addr",)),
    "DECLINE": ("declined", ("requested_addr",)),
}
"""What the last of these messages says, and in which columns its address is."""


def _zeek_time(value: object) -> Instant:
    if found := ISO.fullmatch(str(value)):
        *parts, fraction = found.groups()
        nanoseconds = int((fraction or "0").ljust(9, "0")[:9])
        return utc(*map(int, parts), nanoseconds=nanoseconds)
    return instant_of(str(value))


def _zeek_seconds(value: object) -> int:
    """Nanoseconds of a duration in seconds."""
    return instant_of(str(value))
