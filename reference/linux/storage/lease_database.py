"""The server's leases on the disk: a log that is synced before a DHCPACK leaves.

Theory of operation.  RFC 2131 §3.1(4) and §4 want bindings to survive the server.  A `LeaseFile` is
a text of one record a line, each with its checksum: what an address is bound to from then on, or
that it is not.  `put` appends a record and syncs it; the caller sends what depends on it when `put`
has returned.  A log and not the whole anew: either costs about a millisecond, but with 5000 leases
the whole is half a megabyte for each renewal, which wears out the flash of small machines.  The
whole is written when the file is opened and when most of it is outdated: aside, synced, renamed,
the directory synced.

A file that somebody deletes, replaces or writes to under a running server would keep nothing of
what is stored from then on.  So after each sync, and now and then (`look`), the file that has the
name must be the one that is open, and as long as it was left.  If it is not, what has the name is
set aside, and the whole is written anew from memory before the caller goes on.

A disk that is full or read-only:  `put` raises `BindingNotStoredError`.  The file has what it had,
and what it had still counts: nothing is appended to it any more until `write_anew` has succeeded.
A binding that could not be stored is forgotten here as well, as if `put` had not been called.  An
address that was given up is not on record here any more, though it is in the file: nothing rests on
that.

Clocks.  An end is an instant of CLOCK_BOOTTIME, which means nothing after a reboot.  Each record
says when it was made, and the file says by which clock.  By another clock, a lease is given as long
from now as it had left at the latest record: it was later than that when the machine went down, so
this is never too early, whatever the wall clock says.  It may be late by as long as the server was
idle and down.

What is refused, with a reason: a file that is not one of these, another server's, a damaged one.
No lease is taken from it, and it stays where it is, so that the program ends whenever it is started
again; to begin without those leases is for a person to decide, who knows what they were.  One thing
is tolerated, and noted: a last line that is cut off or garbled, as by a loss of power.  It had not
been synced, so no DHCPACK had left for it; all before it had.

What it does not know: what a lease means; offers and declined addresses, which the core forgets as
well; a disk that says that it has synced and has not.  § alone is a section of RFC 2131.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from holdover.model.errors import InputError
from holdover.reference.core.instants import Instant
from holdover.reference.core.server_state import Binding, StoreBinding
from holdover.reference.linux.kernel.privilege import check_safe
from holdover.reference.linux.storage.journal import this_clock
from holdover.reference.linux.storage.json_values import from_json, of, to_json
from holdover.reference.linux.storage.lease_file import FileRefusedError, set_aside, sync, write

FORMAT = "holdover server leases 1"

LONGEST = 1 << 18
"""More bytes than a line has: a client identifier may have 65 kB, and is written in hex."""

SPARE = 1000
"""So many outdated records are kept, whatever the number of leases."""

Bindings = tuple[tuple[IPv4Address, Binding], ...]


class BindingNotStoredError(Exception):
    """What was to be durable is not."""


class LeaseFile:
    """What is bound, in a file that no other process has.

    `bindings` is what is on record, by this machine's clock of when it was opened; `notes` is what
    a person should know about the file.  `failure`: why nothing can be stored now; "": it can.
    InputError where it cannot be used.
    """

    def __init__(self, path: Path, server: IPv4Address, now: Instant) -> None:
        self.path = Path(os.path.realpath(path))  # a symbolic link stays one
        self.notes: list[str] = []
        self.failure = ""
        self._server = server
        self._file = -1
        self._bound: dict[IPv4Address, Binding] = {}
        self._records = self._size = 0
        try:
            self._file = open_locked(self.path)
            check_safe(self.path)
            self._read(now)
        except OSError as error:
            self.close()
            raise InputError(f"--leases {path}: {error.strerror or error}") from error
        except BaseException:
            self.close()
            raise
        with suppress(BindingNotStoredError):  # what it has is known, and counts
            self.write_anew(now)

    @property
    def bindings(self) -> Bindings:
        """What is on record, by address."""
        return tuple(sorted(self._bound.items()))

    def put(self, address: IPv4Address, binding: Binding | None, now: Instant) -> None:
        """What an address is bound to; durable when this returns, NotStoredError if it is not."""
        before = self._bound.get(address)
        record = StoreBinding(address, binding)
        self._take(record)
        try:
            if self.failure:
                raise BindingNotStoredError(self.failure)
            if self._records > 2 * len(self._bound) + SPARE:
                self.write_anew(now)
            else:
                self._append(line_of(now, record))
                self.look(now)
        except BindingNotStoredError:
            if binding is not None:
                self._take(StoreBinding(address, before))
            raise

    def look(self, now: Instant) -> None:
        """See that the file is still there, and write it anew if not; NotStoredError, `notes`.

        InputError where another server has put its own there.
        """
        if self.failure or self._is_there():
            return
        try:
            became = self._put_aside()
        except OSError as error:
            raise self._fails(error) from error
        self.write_anew(now)
        self.notes.append(
            f"{became}; written anew from memory, leases: {len(self._bound)}.  Leave the file to "
            "the server while it runs"
        )

    def write_anew(self, now: Instant) -> None:
        """The whole file anew, in the place of the old one at one instant; NotStoredError."""
        head = {"format": FORMAT, "server": str(self._server), "clock": this_clock(), "at": now}
        rows = [line_of(now, StoreBinding(*bound)) for bound in self.bindings]
        text = b"".join([line(head), *rows])
        aside = self.path.with_name(f"{self.path.name}.new")
        file = -1
        try:
            aside.unlink(missing_ok=True)
            write(aside, text)
            file = open_locked(aside)  # before it has the name
            aside.rename(self.path)
            sync(self.path.parent)
        except OSError as error:
            if file >= 0:
                os.close(file)
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise self._fails(error) from error
        os.close(self._file)
        self._file, self._records, self._size, self.failure = file, len(rows), len(text), ""

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
            except FileRefusedError as error:
                raise InputError(
                    f"--leases {self.path}: {error}; no lease was taken from it.  Its leases may "
                    "still run: put the file right, or wait until they are over and move it away, "
                    "before you start again"
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
            head = parse_line(first)
            if head.get("format") != FORMAT:
                raise ValueError
            clock, latest = of(str, head["clock"]), of(int, head["at"])
        except (ValueError, KeyError):
            raise FileRefusedError(f"its first line is not that of a {FORMAT!r}") from None
        if (of_server := head.get("server")) != str(self._server):
            raise FileRefusedError(f"it has the leases of {of_server!r:.40}, not of {self._server}")
        bad: int | None = None
        for number, text in enumerate(lines, 2):
            if bad is not None:
                raise FileRefusedError(f"line {bad} is damaged, and is not the last")
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

    def _append(self, text: bytes) -> None:
        """Write it behind the rest and sync it; NotStoredError, and then not a part of it stays."""
        try:
            append(self._file, text)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._fails(error) from error
        self._records += 1
        self._size += len(text)

    def _is_there(self) -> bool:
        """The file of that name is the one that is open, and nobody else has written to it."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(os.fstat(self._file), there) and there.st_size == self._size

    def _put_aside(self) -> str:
        """Make room for the file, and say what became of it; InputError where another has it."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return "it was deleted"
        if os.path.samestat(os.fstat(self._file), there):
            return (
                f"another program wrote to it; as it was then it is now {set_aside(self.path).name}"
            )
        os.close(open_locked(self.path))
        return f"it was replaced; what was there is now {set_aside(self.path).name}"

    def _fails(self, error: OSError) -> BindingNotStoredError:
        """Nothing can be stored from now on."""
        self.failure = (
            f"{error.strerror or error}; leases on record go on, new ones are refused until it can "
            "be written"
        )
        return BindingNotStoredError(self.failure)


# Lines -------------------------------------------------------------------------------------------


def line_of(at: Instant, record: StoreBinding) -> bytes:
    """The line of a record made at an instant."""
    return line({"at": at, "record": to_json(record)})


def of_line(text: bytes) -> tuple[Instant, StoreBinding]:
    """The instant and the record of a line; ValueError where it is damaged."""
    row = parse_line(text)
    if set(row) != {"at", "record"}:
        raise ValueError(f"expected at and record, got {', '.join(row)}")
    return of(int, row["at"]), from_json(StoreBinding, row["record"])


def line(row: dict[str, Any]) -> bytes:
    """Checksum and JSON."""
    text = json.dumps(row).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def parse_line(text: bytes) -> dict[str, Any]:
    """The JSON of a line; ValueError where it is damaged."""
    check, _, body = text[:-1].partition(b" ")
    if not text.endswith(b"\n") or check != b"%08x" % zlib.crc32(body):
        raise ValueError("damaged")
    return dict(of(dict, json.loads(body)))


# The file -----------------------------------------------------------------------------------------


def open_locked(path: Path) -> int:
    """The file, created where there is none; InputError where another process has it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # what it has can be kept to
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise InputError(f"--leases {path}: not a regular file")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been replaced by the process that had it, between the two.
        if not os.path.samestat(os.fstat(file), path.stat()):
            raise BlockingIOError
    except BlockingIOError:
        os.close(file)
        raise InputError(f"--leases {path}: another server is using it") from None
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
