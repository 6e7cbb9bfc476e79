"""A line for each event, effect and address change, and all of them back again.

Theory of operation.  A journal is NDJSON: a `Line` is a JSON object with four clocks, the name of a
class and the fields of a value of it; beside an event of a client, its `chance`.  `now` is the
instant that the core was told, `boot` and `monotonic` are CLOCK_BOOTTIME and CLOCK_MONOTONIC when
the line was written, all in nanoseconds; `wall` is the wall clock in UTC, for people.  What is read
equals what was written (`json_values.py`).

Each line is one write(2) to a file opened for appending, before anything that follows is done.  A
process that is killed leaves at most its last line torn.  The next one begins with a line break and
`Began`; a line in front of `Began`, or at the end, may be torn.

A disk that is full later stops nobody.  That is said once; the lines that could not be written are
counted, and `Lost` has their number in the place where they would have been.

Whoever writes is on Linux, and imports its clock; a journal is read anywhere.

What it does not know: whether the disk has kept a line, for it does not sync; two processes that
write one journal; how long it may get.  A write to a disk that hangs, hangs.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import get_args

from holdover.model.errors import InputError
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import Chance, Effect, Event
from holdover.reference.core.instants import Duration, Instant
from holdover.reference.core.server_state import ServerEffect, ServerEvent
from holdover.reference.linux.malformed import Malformed
from holdover.reference.linux.storage.json_values import from_json, of, to_json

LOG = logging.getLogger("holdover")

VERSION = 4
"""4: a client's chance stands beside its event; a server's events have other names."""

LONGEST = 1 << 20
"""Bytes of a line that is read; a datagram of 64 KiB, as a list of numbers, takes a third of it."""

LARGEST = 64 << 20
"""Bytes of a journal that are read: a year of a client's, with a lease of an hour."""

HINT = "; a journal is what `holdover client --journal` wrote"


@dataclass(frozen=True, slots=True)
class Began:
    """A process began to write; instants of another boot, or clock, are not to be compared."""

    version: int
    clock: str
    process: int


@dataclass(frozen=True, slots=True)
class Lost:
    """So many lines before this one could not be written."""

    lines: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """Of what the core asks for, only messages and notices are carried out."""


@dataclass(frozen=True, slots=True)
class AddressSeen:
    """What the kernel says of an address: `what` is "added", "removed" and so on."""

    what: str
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Unstored:
    """The lease that the event before brought could not be stored: the event counts as not been."""


@dataclass(frozen=True, slots=True)
class Waited:
    """The kernel has taken no request about its network for so long, and takes them again."""

    length: Duration


Remark = Began | Lost | DryRun | AddressSeen | Unstored | Malformed | Waited
Entry = Event | Effect | ServerEvent | ServerEffect | ClientConfig | Remark
KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Entry)}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a journal; `number`: which one, from 1; `chance`: what a client was handed."""

    now: Instant
    boot: Instant
    monotonic: int
    wall: datetime
    value: Entry
    number: int = field(default=0, compare=False)
    chance: Chance | None = None

    @property
    def kind(self) -> str:
        """What it is: the name of the class of its value."""
        return type(self.value).__name__


# Writing -----------------------------------------------------------------------------------------


class Journal:
    """A journal that is appended to; with path None nothing is written anywhere.

    InputError where the file cannot be opened and written.  `note` is told of a failure later on.
    """

    def __init__(self, path: Path | None, note: Callable[[str], None] = LOG.warning) -> None:
        self._path, self._note = path, note
        self._file = -1
        self._torn = self._noted = False
        self._lost = 0
        if path is None:
            return
        from holdover.reference.linux.kernel.clock import now as boottime

        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
        try:
            self._file = os.open(path, flags, 0o600)
            self._torn = is_torn(self._file)
            self._write(Began(VERSION, this_clock(), os.getpid()), boottime())
        except OSError as error:
            self.close()
            raise InputError(
                f"{path}: {error.strerror}; the journal cannot be written.  Name another file"
            ) from error

    def client(self, config: ClientConfig, now: Instant, *, dry: bool = False) -> None:
        """Who the client is, and its constants."""
        self._put(config, now)
        if dry:
            self._put(DryRun(), now)

    def event(self, event: Event | ServerEvent, now: Instant, chance: Chance | None = None) -> None:
        """What the core is told, and what a client may choose at random."""
        self._put(event, now, chance)

    def effect(self, effect: Effect | ServerEffect, now: Instant) -> None:
        """What the core asks for."""
        self._put(effect, now)

    def address(self, what: str, address: IPv4Address, now: Instant) -> None:
        """What the kernel says of an address."""
        self._put(AddressSeen(what, address), now)

    def note_unstored(self, now: Instant) -> None:
        """The lease of the event before could not be stored, and the event counts as not been."""
        self._put(Unstored(), now)

    def note_malformed(self, said: Malformed, now: Instant) -> None:
        """What was not read of a message; where it was not refused, its event is the next line."""
        self._put(said, now)

    def note_wait(self, length: Duration, now: Instant) -> None:
        """The kernel has kept its network to itself, or to another program."""
        self._put(Waited(length), now)

    def close(self) -> None:
        """Nothing is written from here on."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _put(self, value: Entry, now: Instant, chance: Chance | None = None) -> None:
        """Write a line, or count it as lost."""
        if self._file < 0:
            return
        try:
            if self._lost:
                self._write(Lost(self._lost), now)
                self._lost = 0
            self._write(value, now, chance)
        except OSError as error:
            self._lost += 1
            if not self._noted:
                self._noted = True
                self._note(f"{self._path}: {error.strerror}; the journal goes on when it can")

    def _write(self, value: Entry, now: Instant, chance: Chance | None = None) -> None:
        """One line, on a line of its own whatever was torn before; OSError if it is not whole."""
        text = (b"\n" if self._torn else b"") + to_line(value, now, chance)
        done = 0
        try:
            while done < len(text):
                done += os.write(self._file, text[done:])
        finally:
            if done:
                self._torn = not text[:done].endswith(b"\n")


def is_torn(file: int) -> bool:
    """Whether the last line has no end."""
    seen = os.fstat(file)
    return stat.S_ISREG(seen.st_mode) and os.pread(file, 1, max(seen.st_size - 1, 0)) not in (
        b"",
        b"\n",
    )


@cache
def this_clock() -> str:
    """Which CLOCK_BOOTTIME it is: of which boot, and shifted by what in a time namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    offsets = Path("/proc/self/timens_offsets")  # since Linux 5.6
    lines = offsets.read_text().splitlines() if offsets.exists() else []
    shift = "".join("+" + ".".join(line.split()[1:]) for line in lines if line.startswith("boot"))
    return boot if shift in ("", "+0.0") else boot + shift


def to_line(value: Entry, now: Instant, chance: Chance | None = None) -> bytes:
    """The line of a value, written now."""
    from holdover.reference.linux.kernel.clock import now as boottime

    clocks = {
        "wall": datetime.now(UTC).isoformat(),
        "now": now,
        "boot": boottime(),
        "monotonic": time.monotonic_ns(),
    }
    kind = {"kind": type(value).__name__, "value": to_json(value)}
    drawn = {} if chance is None else {"chance": to_json(chance)}
    return json.dumps(clocks | kind | drawn).encode() + b"\n"


# Reading -----------------------------------------------------------------------------------------


def read(path: Path) -> Iterator[Line]:
    """The lines of a journal; InputError with the line's number where one is damaged, not torn."""
    damage: InputError | None = None
    text, size = b"\n", 0
    try:
        with path.open("rb") as file:
            for number, text in enumerate(iter(partial(file.readline, LONGEST + 1), b""), 1):
                size += len(text)
                if size > LARGEST:
                    raise InputError(
                        f"{path}: larger than {LARGEST >> 20} MiB: take the part from a "
                        "later line with `Began` on"
                    )
                if len(text) > LONGEST:
                    raise InputError(
                        f"{path}: line {number}: longer than {LONGEST >> 10} KiB{HINT}"
                    )
                try:
                    line = from_line(text)
                except (ValueError, RecursionError) as error:
                    if damage is not None:
                        raise damage from None
                    why = "nested too deeply" if isinstance(error, RecursionError) else error
                    damage = InputError(f"{path}: line {number}: {why}{HINT}")
                    continue
                if damage is not None and not isinstance(line.value, Began | Lost):
                    raise damage
                damage = None
                yield replace(line, number=number)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if damage is not None and text.endswith(b"\n"):
        raise damage


def from_line(text: bytes) -> Line:
    """What a line says; ValueError where it is none."""
    said = of(dict, json.loads(text))
    expected = {"wall", "now", "boot", "monotonic", "kind", "value"}
    if said.keys() - {"chance"} != expected:
        raise ValueError(f"expected {', '.join(sorted(expected))}; got {', '.join(sorted(said))}")
    kind = KINDS.get(of(str, said["kind"]))
    if kind is None:
        raise ValueError(f"unknown kind {said['kind']!r}")
    now, boot, monotonic = (of(int, said[clock]) for clock in ("now", "boot", "monotonic"))
    wall = datetime.fromisoformat(of(str, said["wall"]))
    value, chance = from_json(kind, said["value"]), said.get("chance")
    if isinstance(value, Began) and value.version != VERSION:
        raise ValueError(f"of version {value.version}; this release reads version {VERSION}")
    drawn = None if chance is None else from_json(Chance, chance)
    return Line(now, boot, monotonic, wall, value, chance=drawn)
