"""A host's own logs: what its kernel said of its addresses.

Theory of operation.  `ip -ts monitor address` (with or without -o, or with a label), and `ip -t
monitor`, which has the time on a line of its own; the log is of the host in the first line `# mac
aa:bb:cc:dd:ee:ff`, or of nobody known.  A line "Deleted 2: eth0    inet 10.0.0.5/24 ..." says that
an address went, the same without "Deleted" that it came, or was given a new lifetime, which is on
the line below.  The program writes the time at which it reads what the kernel said: the change was
up to LATE earlier.

The lab's own log (reference/lab/record/record.py) counts in CLOCK_BOOTTIME, as its captures do; its
first line has the wall clock at the same moment.  Where it goes with a capture of the lab, it stays
in that clock, and else becomes dates.  At its end it says once more what each host still has.

What it does not know: IPv6; the time zone of a log of `ip`; a host that was suspended while `ip`
had not yet read (LATE is not enough then).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from holdover.reference.audit.inputs.logs.lines import (
    Line,
    LineError,
    address_of,
    hardware_of,
    local,
)
from holdover.reference.audit.observations import Gap, Held, Observation, Unreadable, Where
from holdover.reference.core.instants import SECOND, Duration, Instant

LATE: Duration = SECOND // 10

OWNER = re.compile(r"#\s*mac\s+(\S+)\s*")
SHORT = re.compile(r"\[(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})\]\s*(?:\[\w+\]\s*)?(.*)")
LONG = re.compile(r"Timestamp: \w{3} (\w{3}) +(\d+) (\d\d):(\d\d):(\d\d) (\d{4}) (\d+) usec\s*")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CHANGE = re.compile(r"(Deleted )?\d+: (\S+)\s+inet (\S+)(?: |$)")
LIFETIME = re.compile(r"valid_lft (forever|\d+sec)")


def is_ip_monitor(head: str) -> bool:
    """Whether a text begins as a log of `ip` does."""
    return any(
        pattern.match(line) for line in head.splitlines()[:20] for pattern in (OWNER, SHORT, LONG)
    )


def read_ip_monitor(lines: Iterable[Line], file: str) -> Iterator[Observation]:
    """The changes of a host's IPv4 addresses."""
    owner: bytes | None = None
    at: Instant | None = None
    waiting: Held | None = None
    for number, text in lines:
        where = Where(file, number)
        try:
            if waiting and (lifetime := LIFETIME.search(text)) and text.startswith(" "):
                yield _with_lifetime(waiting, lifetime[1])
                waiting = None
                continue
            if waiting:
                yield waiting
                waiting = None
            if found := OWNER.fullmatch(text):
                owner = hardware_of(found[1])
                continue
            if stamp := LONG.fullmatch(text):
                at = _long(stamp)
                continue
            if short := SHORT.fullmatch(text):
                *parts, micro, text = short.groups()
                at = local(*map(int, parts), nanoseconds=int(micro) * 1000)
            change = CHANGE.match(text)
            if not change:
                continue
            if at is None:
                raise LineError("no time stands here: record with `ip -ts monitor address`")
            address = address_of(change[3].partition("/")[0])
            waiting = Held(at, where, owner, address, not change[1], None, at - LATE)
            if lifetime := LIFETIME.search(text):
                yield _with_lifetime(waiting, lifetime[1])
                waiting = None
        except LineError as error:
            yield Unreadable(at, where, str(error))
    if waiting:
        yield waiting


def _with_lifetime(held: Held, word: str) -> Held:
    valid = None if word == "forever" or not held.there else int(word.removesuffix("sec"))
    return Held(held.at, held.where, held.hardware, held.address, held.there, valid, held.since)


def _long(stamp: re.Match[str]) -> Instant:
    month, day, hour, minute, second, year, micro = stamp.groups()
    if month not in MONTHS:
        raise LineError(f"expected a month in English, got {month!r}: record with LC_ALL=C")
    parts = (int(year), MONTHS.index(month) + 1, *map(int, (day, hour, minute, second)))
    return local(*parts, nanoseconds=int(micro) * 1000)


# The lab's ---------------------------------------------------------------------------------------


def is_lab_log(head: str) -> bool:
    """Whether a text begins as the lab's log does."""
    try:
        first = json.loads(head.splitlines()[0])
    except (ValueError, IndexError, RecursionError):
        return False
    return isinstance(first, dict) and first.get("kind") == "head" and "wall" in first


def read_lab_log(
    lines: Iterable[Line], file: str, covered: list[Instant], *, boottime: bool = False
) -> Iterator[Observation]:
    """The changes of the addresses of all hosts; `boottime`: in the clock of the lab's captures.

    `covered` gets the instant of each line: the lab looks all the time, from the first to the last.
    """
    apart = 0
    hosts: dict[str, bytes] = {}
    had: dict[str, set[IPv4Address]] = {}
    last: Instant | None = None
    ended = False
    for number, text in lines:
        where = Where(file, number)
        try:
            line = json.loads(text)
            at = int(line["at"])
            if line["kind"] == "head":
                apart = 0 if boottime else int(line["wall"]) - at
                hosts = {name: bytes.fromhex(mac) for name, mac in line["hosts"].items()}
            last = at + apart
            covered.append(last)
            if line["kind"] in ("look", "change"):
                yield from _changes(line, where, apart, hosts, had)
            elif line["kind"] == "lost":
                yield Gap(None, at + apart, where, str(line["what"]))
            elif line["kind"] == "kept":
                why = "the kernel kept a request about its network waiting: no address could change"
                yield Gap(int(line["since"]) + apart, at + apart, where, why)
            if line["kind"] == "end":
                ended = True
                for host, held in had.items():
                    for address in sorted(held):
                        yield _held((last, last), where, hosts.get(host), address, True, None)
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ) as error:
            yield Unreadable(last, where, f"no line of the lab's log: {type(error).__name__}")
    if not ended:
        yield Gap(last, None, Where(file, 1), "the recorder did not come to its end")


def _changes(
    line: Mapping[str, Any],
    where: Where,
    apart: Duration,
    hosts: Mapping[str, bytes],
    had: dict[str, set[IPv4Address]],
) -> Iterator[Held]:
    host = line["host"]
    held = had.setdefault(host, set())
    between = int(line["at"]) + apart, int(line["since"]) + apart
    if line["kind"] == "change":
        now = IPv4Interface(line["address"]).ip
        yield _held(between, where, hosts.get(host), now, bool(line["there"]), line["valid"])
        if line["there"]:
            held.add(now)
        else:
            held.discard(now)
        return
    told = {IPv4Interface(each).ip: valid for each, valid in line["addresses"].items()}
    for address, valid in told.items():
        if address not in held:
            yield _held(between, where, hosts.get(host), address, True, valid)
    for address in sorted(held - set(told)):
        yield _held(between, where, hosts.get(host), address, False, None)
    had[host] = set(told)


def _held(
    between: tuple[Instant, Instant],
    where: Where,
    hardware: bytes | None,
    address: IPv4Address,
    there: bool,
    valid: object,
) -> Held:
    at, since = between
    return Held(
        at, where, hardware, address, there, valid if isinstance(valid, int) else None, since
    )
