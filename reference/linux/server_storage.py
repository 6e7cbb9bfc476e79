"""The server's leases on the disk: a log that is synced before a DHCPACK leaves.

Theory of operation.  RFC 2131 §3.1(4) and §4 want bindings to survive the server.  A `LeaseFile` is
a text of one record a line, each with its checksum: what an address is bound to from then on, or
that it is not.  `put` appends a record and syncs it; the caller sends what depends on it when `put`
has returned.  A log and not the whole anew: either costs about a millisecond, but with 5000 leases
the whole is half a megabyte for each renewal, which wears out the flash of small machines.  The
whole is written when the file is opened and when most of it is outdated: aside, synced, renamed,
the directory synced.

Clocks.  An end is an instant of CLOCK_BOOTTIME, which means nothing after a reboot.  Each record
says when it was made, and the file says by which clock.  By another clock, a lease is given as long
from now as it had left at the latest record: it was later than that when the machine went down, so
this is never too early, whatever the wall clock says.  It may be late by as long as the server was
idle and down.

What is refused, with a reason, and set aside under another name: a file that is not one of these,
another server's, a damaged one.  No lease is taken from it.  The program then ends; to start again,
without those leases, is for a person to decide, who knows what they were.  One thing is tolerated,
and noted: a last line that is cut off or garbled, as by a loss of power.  It had not been synced,
so no DHCPACK had left for it; all before it had.

What it does not know: what a lease means; offers and declined addresses, which the core forgets as
well; a disk that says that it has synced and has not.  § alone is a section of RFC 2131.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from holdover.model.profile import BadInput
from holdover.reference.events import Instant
from holdover.reference.linux.journal import this_clock
from holdover.reference.linux.plain import built, of, plain
from holdover.reference.linux.privilege import check_safe
from holdover.reference.linux.storage import Refused, set_aside, sync, write
from holdover.reference.server_state import Binding, StoreBinding

FORMAT = "holdover server leases 1"

LONGEST = 1 << 18
"""More bytes than a line has: a client identifier may have 65 kB, and is written in hex."""

SPARE = 1000
"""So many outdated records are kept, whatever the number of leases."""

Bindings = tuple[tuple[IPv4Address, Binding], ...]


class LeaseFile:
    """What is bound, in a file that no other process has.

    `bindings` is what it had when it was opened, by this machine's clock of now; `notes` is what a
    person should know about that.  BadInput where it cannot be used or written.
    """

    def __init__(self, path: Path, server: IPv4Address, now: Instant) -> None:
        self.path = Path(os.path.realpath(path))  # a symbolic link stays one
        self.notes: list[str] = []
        self._server = server
        self._file = -1
        self._bound: dict[IPv4Address, Binding] = {}
        self._records = 0
        try:
            self._file = locked(self.path)
            check_safe(self.path)
            self._read(now)
            self._rewrite(now)
        except OSError as error:
            self.close()
            raise BadInput(f"--leases {path}: {error.strerror or error}") from error
        except BaseException:
            self.close()
            raise

    @property
    def bindings(self) -> Bindings:
        """What is on record, by address."""
        return tuple(sorted(self._bound.items()))

    def put(self, address: IPv4Address, binding: Binding | None, now: Instant) -> None:
        """What an address is bound to; durable when this returns, BadInput if it is not.

        After a failure the file is not to be written again: its last record may be cut off.
        """
        record = StoreBinding(address, binding)
        self._take(record)
        try:
            if self._records > 2 * len(self._bound) + SPARE:
                self._rewrite(now)
            else:
                append(self._file, line_of(now, record))
                self._records += 1
        except OSError as error:
            raise BadInput(
                f"--leases {self.path}: {error.strerror or error}; the lease of {address} is not "
                "stored, and no DHCPACK leaves for it"
            ) from error

    def close(self) -> None:
        """Let others have the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read(self, now: Instant) -> None:
        """What the file has, by the clock of now."""
        with os.fdopen(os.dup(self._file), "rb") as text:
            try:
                clock, latest = self._read_lines(iter(lambda: text.readline(LONGEST), b""))
            except Refused as error:
                aside = set_aside(self.path)
                raise BadInput(
                    f"--leases {self.path}: {error}; no lease was taken from it, and it is now "
                    f"{aside.name}.  Its leases may still run: put the file right, or wait until "
                    "they are over, before you start again"
                ) from None
        if clock != this_clock() or latest > now:
            for address, binding in self._bound.items():
                if binding.end is not None:
                    self._bound[address] = replace(binding, end=now + binding.end - latest)
            if self._bound:
                self.notes.append(
                    "the leases were stored by another clock (before a reboot?): each is kept as "
                    "long from now as it had left when the last was stored"
                )

    def _read_lines(self, lines: Iterator[bytes]) -> tuple[str, Instant]:
        """The clock of the file and the instant of its latest record; Refused."""
        first = next(lines, b"")
        if not first:
            return this_clock(), -(1 << 63)  # just created
        try:
            head = said(first)
            if head.get("format") != FORMAT:
                raise ValueError
            clock, latest = of(str, head["clock"]), of(int, head["at"])
        except (ValueError, KeyError):
            raise Refused(f"its first line is not that of a {FORMAT!r}") from None
        if (of_server := head.get("server")) != str(self._server):
            raise Refused(f"it has the leases of {of_server!r:.40}, not of {self._server}")
        bad: int | None = None
        for number, text in enumerate(lines, 2):
            if bad is not None:
                raise Refused(f"line {bad} is damaged, and is not the last")
            try:
                at, record = of_line(text)
            except ValueError:
                bad = number
                continue
            self._take(record)
            latest = max(latest, at)
        if bad is not None:
            self.notes.append(
                f"line {bad}, the last, is cut off or garbled and was left out: it had not been "
                "synced, so no DHCPACK had left for it"
            )
        return clock, latest

    def _take(self, record: StoreBinding) -> None:
        self._bound.pop(record.address, None)
        if record.binding is not None:
            self._bound[record.address] = record.binding

    def _rewrite(self, now: Instant) -> None:
        """The whole file anew, in the place of the old one at one instant."""
        head = {"format": FORMAT, "server": str(self._server), "clock": this_clock(), "at": now}
        rows = [line_of(now, StoreBinding(*bound)) for bound in self.bindings]
        aside = self.path.with_name(f"{self.path.name}.new")
        aside.unlink(missing_ok=True)
        write(aside, b"".join([line(head), *rows]))
        file = locked(aside)  # before it has the name
        try:
            aside.rename(self.path)
            sync(self.path.parent)
        except BaseException:
            os.close(file)
            raise
        os.close(self._file)
        self._file, self._records = file, len(rows)


# Lines -------------------------------------------------------------------------------------------


def line_of(at: Instant, record: StoreBinding) -> bytes:
    """The line of a record made at an instant."""
    return line({"at": at, "record": plain(record)})


def of_line(text: bytes) -> tuple[Instant, StoreBinding]:
    """The instant and the record of a line; ValueError where it is damaged."""
    row = said(text)
    if set(row) != {"at", "record"}:
        raise ValueError(f"expected at and record, got {', '.join(row)}")
    return of(int, row["at"]), built(StoreBinding, row["record"])


def line(row: dict[str, Any]) -> bytes:
    """Checksum and JSON."""
    text = json.dumps(row).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def said(text: bytes) -> dict[str, Any]:
    """The JSON of a line; ValueError where it is damaged."""
    check, _, body = text[:-1].partition(b" ")
    if not text.endswith(b"\n") or check != b"%08x" % zlib.crc32(body):
        raise ValueError("damaged")
    return dict(of(dict, json.loads(body)))


# The file -----------------------------------------------------------------------------------------


def locked(path: Path) -> int:
    """The file, created where there is none; BadInput where another process has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise BadInput(f"--leases {path}: not a regular file")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been replaced by the process that had it, between the two.
        if not os.path.samestat(os.fstat(file), path.stat()):
            raise BlockingIOError
    except BlockingIOError:
        os.close(file)
        raise BadInput(f"--leases {path}: another server is using it") from None
    except BaseException:
        os.close(file)
        raise
    return file


def append(file: int, text: bytes) -> None:
    """All of it, synced: the kernel may take less at a time."""
    done = 0
    while done < len(text):
        done += os.write(file, text[done:])
    os.fdatasync(file)
