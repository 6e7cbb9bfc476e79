"""Kea: its memfile of leases (`kea-leases4.csv`), and its legal log.

Theory of operation.  A row of the memfile is what an address is from then on; `expire` is the
lease's end, and that less `valid_lifetime` the client's last transaction, when the row was written.
A lease that was removed is a row with lifetime 0; when that was it does not say, only that it was
after the row before.  Columns are found by their names, in the first line.

The legal log says in English that an address "has been assigned for", "renewed for" or "released
from" a device, or that an administrator, or the other server of a pair, added or deleted a lease by
a command, with a time in the server's zone: UTC and GMT are known, and this machine's own.

What it does not know: other backends; templates of the legal log that an operator has written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

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
from holdover.reference.wire.options import INFINITE

SERVER = "Kea"
HEAD = "address,hwaddr,client_id,valid_lifetime,expire"
STATES = {"0": "leased", "1": "declined", "2": "expired", "3": "released", "4": "leased"}

LEGAL = re.compile(
    r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\S+) "
    r"Address: ?(\S+) has been (assigned|renewed|released|reused)(.*)"
)
COMMAND = re.compile(
    r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\S+) "
    r"(?:Administrator|HA partner) (added|updated|deleted) (.*)"
)
"""What a command has done, and no client: somebody's, or the other server's of a pair."""

ABOUT = re.compile(r"address: (\d+\.\d+\.\d+\.\d+)")
LIFETIME = re.compile(r"(\d+) (day|hr|min|sec)(?:ond)?s?\b")
UNITS = {"day": 86400, "hr": 3600, "min": 60, "sec": 1}
DEVICE = re.compile(r"hardware address: (?:hwtype=\d+ )?([0-9a-fA-F:]+)")
CLIENT = re.compile(r"client-id: ([0-9a-fA-F:]+)")


def is_memfile(head: str) -> bool:
    """Whether a text begins as a memfile does."""
    return head.startswith(HEAD)


def read_memfile(lines: Iterable[Line], file: str) -> Iterator[Observation]:
    """Each row."""
    names: list[str] = []
    newest = 0

    def read(line: Line) -> Iterable[Observation]:
        nonlocal names, newest
        number, text = line
        values = [each.replace("&#x2c", ",") for each in text.split(",")]
        if text.startswith(HEAD):
            names = values
            return ()
        if not text.strip():
            return ()
        row = dict(zip(names, values, strict=False))
        if len(row) < 5 or "state" not in row:
            raise LineError(f"expected {len(names)} columns, got {len(values)}")
        lifetime, end = number_of(row["valid_lifetime"]), instant_of(row["expire"])
        state = STATES.get(row["state"])
        if state is None:
            raise LineError(f"expected state 0 to 4, got {row['state'][:20]!r}")
        forever = lifetime == INFINITE
        begin = None if forever else end - lifetime * SECOND
        if not lifetime:
            state = "free"
        at = newest = max(newest, end if begin is None else begin)
        record = Recorded(
            at,
            Where(file, number),
            address_of(row["address"]),
            hardware_of(row["hwaddr"]),
            bytes_of(row["client_id"]),
            begin,
            None if forever else end,
            state,
            SERVER,
            forever,
        )
        return (record,)

    return read_lines(lines, file, read)


# The legal log -----------------------------------------------------------------------------------


def is_legal_log(head: str) -> bool:
    """Whether a text begins as a legal log does."""
    return any(LEGAL.match(line) or COMMAND.match(line) for line in head.splitlines()[:20])


def read_legal_log(lines: Iterable[Line], file: str) -> Iterator[Observation]:
    """Each line."""

    def read(line: Line) -> Iterable[Observation]:
        number, text = line
        if not text.strip():
            return ()
        command = COMMAND.fullmatch(text)
        if command:
            return _commanded(command, Where(file, number))
        found = LEGAL.fullmatch(text)
        if not found:
            raise LineError("expected a time, and `Address: ... has been assigned, renewed, ...`")
        *parts, zone, address, verb, rest = found.groups()
        at = _instant(parts, zone)
        device, client = DEVICE.search(rest), CLIENT.search(rest)
        length = _length(rest.partition(" to a device")[0])
        if verb == "released":
            begin, end, state = None, at, "released"
        elif not length:
            raise LineError("expected for how long the lease is")
        else:
            begin, end, state = at, at + length * SECOND, "leased"
        return (
            Recorded(
                at,
                Where(file, number),
                address_of(address),
                hardware_of(device[1]) if device else None,
                bytes_of(client[1]) if client else None,
                begin,
                end,
                state,
                SERVER,
            ),
        )

    return read_lines(lines, file, read)


def _commanded(found: re.Match[str], where: Where) -> Iterable[Observation]:
    """A lease that a command has added, changed or deleted; nothing where it names no address."""
    *parts, zone, verb, rest = found.groups()
    at = _instant(parts, zone)
    about, device, client = ABOUT.search(rest), DEVICE.search(rest), CLIENT.search(rest)
    length = _length(rest)
    if about is None or (verb != "deleted" and not length):
        return ()
    deleted = verb == "deleted"
    return (
        Recorded(
            at,
            where,
            address_of(about[1]),
            hardware_of(device[1]) if device else None,
            bytes_of(client[1]) if client else None,
            None if deleted else at,
            at if deleted else at + length * SECOND,
            "free" if deleted else "leased",
            SERVER,
        ),
    )


def _length(text: str) -> int:
    """Seconds: "1 hrs 6 mins 40 secs"."""
    return sum(int(count) * UNITS[unit] for count, unit in LIFETIME.findall(text))


def _instant(parts: list[str], zone: str) -> Instant:
    numbers = [int(part) for part in parts]
    if zone in ("UTC", "GMT", "Z"):
        return utc(*numbers)
    if zone in time.tzname:
        return local(*numbers)
    raise LineError(f"time zone {zone!r}: neither UTC nor this machine's: set TZ")
