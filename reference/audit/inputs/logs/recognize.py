"""Which format a log has, by what is in it; its observations in time order, and what it covered.

Theory of operation.  The first 64 KiB are shown to each format's own test; the first that knows it
reads the file.  A server's records come in any order, so all of a file are read and sorted: memory
is that of its records.  gzip and zstd are unpacked.

What it does not know: names of files; formats that no module here has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.logs import host, isc, kea, others
from holdover.reference.audit.inputs.logs.lines import Line
from holdover.reference.audit.inputs.stream import Bytes, name_of, open_bytes
from holdover.reference.audit.observations import Coverage, Held, Observation, Recorded, due_at
from holdover.reference.core.instants import Instant

HEAD, LONGEST = 1 << 16, 1 << 20
"""Bytes: of what is looked at; of a line."""

Parser = Callable[[Iterator[Line], str], Iterator[Observation]]

LAB = "the lab's log"

FORMATS: dict[str, tuple[Callable[[str], bool], Parser | None]] = {
    LAB: (host.is_lab_log, None),
    "Zeek's dhcp.log": (others.is_zeek, others.read_zeek),
    "ip -ts monitor": (host.is_ip_monitor, host.read_ip_monitor),
    "ISC dhcpd.leases": (isc.is_isc, isc.read_isc),
    "Kea's memfile": (kea.is_memfile, kea.read_memfile),
    "Kea's legal log": (kea.is_legal_log, kea.read_legal_log),
    "Windows' DhcpSrvLog": (others.is_windows, others.read_windows),
    "dnsmasq.leases": (others.is_dnsmasq, None),
}
"""By name: whether a text begins so, and who reads it; None: who is told more (`read_log`)."""


@dataclass(frozen=True, slots=True)
class LogContents:
    """What a log says, in time order, and what it covered; `kind` is the name of its format."""

    kind: str
    observations: tuple[Observation, ...]
    coverage: Coverage


def read_log(path: Path, *, boottime: bool = False) -> LogContents:
    """A host's log or a server's records; InputError where the format is not known.

    `boottime`: it goes with captures in the lab's clock (`host.py`).
    """
    name = name_of(path)
    window = open_bytes(path)
    try:
        head = window.head(HEAD).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        kind = next((kind for kind, (knows, _) in FORMATS.items() if knows(head)), None)
        if kind is None:
            raise InputError(_unknown(name, head))
        read = FORMATS[kind][1]
        lines, covered = lines_of(window), list[Instant]()
        if kind == LAB:
            found = list(host.read_lab_log(lines, name, covered, boottime=boottime))
        elif read is None:
            found = list(others.read_dnsmasq(lines, name, written_at(path)))
        else:
            found = list(read(lines, name))
        if window.broken:
            raise InputError(f"{name}: {window.broken}")
    finally:
        window.close()
    times = [each.at for each in found if isinstance(each, Held | Recorded)] + covered
    found.sort(key=due_at)
    coverage = Coverage(name, min(times, default=None), max(times, default=None), 0)
    return LogContents(kind, tuple(found), coverage)


def written_at(path: Path) -> Instant:
    """When a file was last written; now, if it is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return time.time_ns()


def lines_of(window: Bytes) -> Iterator[Line]:
    """The lines, with their numbers; one that is too long is cut."""
    number, at = 0, 0
    while True:
        data = window.data[at : window.end].tobytes()
        *whole, rest = data.split(b"\n")
        for line in whole:
            number += 1
            yield number, _text(line, number)
        at = window.end - len(rest)
        if len(rest) > LONGEST:
            number += 1
            yield number, _text(rest[:LONGEST], number)
            rest, at = b"", window.end
        more = window.more(at)
        if more is None:
            if rest:
                yield number + 1, _text(rest, number + 1)
            return
        at = more


def _text(line: bytes, number: int) -> str:
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    return line.decode("utf-8", "surrogateescape").rstrip("\r")


def _unknown(name: str, head: str) -> str:
    if not head.strip():
        return f"{name}: is empty: expected one of: {', '.join(FORMATS)}"
    first = head.splitlines()[0][:60]
    return f"{name}: line 1: {first!r}: expected one of: {', '.join(FORMATS)}"
