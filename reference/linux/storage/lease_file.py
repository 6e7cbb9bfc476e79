"""The lease that a client remembers over crashes and reboots: a file for each interface.

Theory of operation.  A lease is written aside in the same directory, synced, renamed to its name,
and the directory synced: after a crash at any point the file has the old lease or the new one, and
a disk that is full leaves the old one.  When `save` has returned, the lease is on the disk.

Another boot.  The instants of a lease are CLOCK_BOOTTIME, which begins anew with each boot; the
file says of which boot (and, in a time namespace, shifted by what) they are.  Within it they are
taken as they are, whatever the wall clock does.  After a reboot CLOCK_BOOTTIME says how long the
machine was off at least, and only the wall clock how long at most; it may have been set back, or
have lost its battery.  The one remainder that is surely not too long is none.  RFC 2131 §3.2(3) MAY
use "the unexpired remainder", but none is known, and a wall clock must not stretch a lease (R36).
So a finite lease of another boot is handed over as one that is over: its instants are 0, before any
of this boot.  The core then takes the address off the interface if it was found there, forgets the
lease and begins in INIT.  That costs a DHCPDISCOVER, and a server offers a client its previous
address (§4.3.1).  A short remainder, pretended in order to ask in INIT-REBOOT (§4.4.2), would let
an address that was found be used for so long.  A lease without end (§3.3) has no instants and is
carried over.  The wall clock is there for people, and for a note of what was not used.

What is refused.  A file that is damaged (it has a checksum), of another version, interface or
network card, or whose instants cannot be: stored later than now, or ending later than the longest
lease after that.  It is set aside as `.refused`, and `note` is told why.

What it does not know: a virtual machine set back to a snapshot, where boot and clock are the same
and time has passed; two clients for one interface; a disk that says that it has synced and has not.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from holdover.model.errors import InputError
from holdover.reference.core.events import Lease
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.kernel.clock import now as boottime
from holdover.reference.linux.kernel.privilege import own_directory
from holdover.reference.linux.storage.journal import LOG, this_clock
from holdover.reference.linux.storage.json_values import from_json, of
from holdover.reference.wire.options import INFINITE

FORMAT = "holdover client lease 1"

LONGEST = INFINITE * SECOND  # longer than any lease that ends (RFC 2131 §3.3)
SIZE_MOST = 1 << 20  # more bytes than a lease has: options of 64 kB, in hex
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
NAME_MOST = 15  # characters of the name of an interface: IFNAMSIZ less the NUL
KEYS = {"format", "interface", "hardware", "clock", "stored", "wall", "lease", "sum"}


class NotStoredError(InputError):
    """The lease could not be durably written or removed.

    The file has what it had before; what was to be written, if only the last sync has failed.
    """


class FileRefusedError(ValueError):
    """Why a file is not used."""


def load(
    directory: Path,
    interface: str,
    *,
    hardware: bytes | None = None,
    note: Callable[[str], None] = LOG.warning,
) -> Lease | None:
    """The lease that was stored last; after a reboot one that is over, if it has an end.

    None where there is none or it is refused; `note` is told why.  `hardware`: the address of the
    network card; None does not compare it.  InputError where the directory cannot be used.
    """
    path = path_of(directory, interface)
    try:
        return at_present(path, parse_lease(text_of(path), interface, hardware), note)
    except FileNotFoundError:
        return None
    except FileRefusedError as error:
        try:
            aside = set_aside(path)
        except OSError as failed:
            raise InputError(f"{path}: {error}.  {failed.strerror}: remove it") from failed
        note(f"{path}: {error}; it is not used, and was set aside as {aside.name}")
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; it cannot be read") from error


def save(
    directory: Path, interface: str, lease: Lease | None, *, hardware: bytes | None = None
) -> None:
    """Write the lease down, durably when this returns; None: there is none from now on.

    NotStoredError where the disk is full, read-only or broken, or the directory cannot be used.
    """
    try:
        path = path_of(directory, interface)
    except InputError as error:  # it could be when the client started
        raise NotStoredError(str(error)) from error
    aside = f"{path}.new"
    try:
        if lease is None:
            remove(aside)
            remove(path)
        else:
            write(aside, text_for(interface, hardware, lease))
            os.rename(aside, path)  # noqa: PTH104 -- a lease waits for it
        sync(directory)
    except OSError as error:
        with suppress(OSError):
            remove(aside)
        raise NotStoredError(
            f"{path}: {error.strerror}; the lease is not durably "
            f"{'removed' if lease is None else 'stored'}.  Make room on its disk, or name another "
            "directory"
        ) from error


# What a file says --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """A lease, the clock by which it was stored, and when by that one and by the wall clock."""

    lease: Lease
    clock: str
    at: Instant
    wall: datetime


def text_for(interface: str, hardware: bytes | None, lease: Lease) -> bytes:
    """What the file of a lease has, stored now: JSON, its keys in order, and at last their sum.

    It is put together by hand: to have `to_json` and `json` find out what a lease is made of takes
    four times as long, and the address waits for it.
    """
    t1, t2, end = map(instant_for, (lease.renew_at, lease.rebind_at, lease.end))
    options = ", ".join([f'[{code}, "{data.hex()}"]' for code, data in lease.options.pairs()])
    text = (
        f'{{"clock": "{this_clock()}", {owner_for(interface, hardware)}, '
        f'"lease": {{"address": "{lease.address!s}", "end": {end}, "options": [{options}], '
        f'"rebind_at": {t2}, "renew_at": {t1}, "server": "{lease.server!s}"}}, '
        f'"stored": {boottime()}, "wall": "{datetime.now(UTC).isoformat()}"'
    )
    return f'{text}, "sum": "{sum_of(text + "}")}"}}\n'.encode()


@lru_cache(maxsize=1)
def owner_for(interface: str, hardware: bytes | None) -> str:
    """Whose a lease is, which is the same in each; and the format."""
    card = None if hardware is None else hardware.hex(":")
    said = {"format": FORMAT, "hardware": card, "interface": interface}
    return json.dumps(said)[1:-1]


def instant_for(instant: Instant | None) -> str:
    """As JSON has it."""
    return "null" if instant is None else str(instant)


SORTED = json.JSONEncoder(sort_keys=True)


def checksum(said: dict[str, Any]) -> str:
    """Of everything that a file says but the checksum."""
    return sum_of(SORTED.encode({key: value for key, value in said.items() if key != "sum"}))


def sum_of(text: str) -> str:
    """Of what is said, in the order of its keys."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_lease(text: bytes, interface: str, hardware: bytes | None) -> Stored:
    """What a file says; Refused where it is damaged, or not of this interface and card."""
    try:
        said = of(dict, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise FileRefusedError(f"damaged ({error})") from None
    if said.get("format") != FORMAT:
        raise FileRefusedError(f"its format is {said.get('format')!r:.60}, not {FORMAT!r}")
    if set(said) != KEYS or said["sum"] != checksum(said):
        raise FileRefusedError("damaged (its checksum is another)")
    if said["interface"] != interface:
        raise FileRefusedError(f"it is of interface {said['interface']!r}")
    card = None if hardware is None else hardware.hex(":")
    if None not in (card, said["hardware"]) and card != said["hardware"]:
        raise FileRefusedError(
            f"it is of a network card with address {said['hardware']}, this is {card}"
        )
    try:
        lease = from_json(Lease, said["lease"])
        wall = datetime.fromisoformat(of(str, said["wall"])).astimezone(UTC)
        return Stored(lease, of(str, said["clock"]), of(int, said["stored"]), wall)
    except ValueError as error:
        raise FileRefusedError(f"what it says is no lease ({error})") from None


def at_present(path: Path, stored: Stored, note: Callable[[str], None]) -> Lease:
    """The lease by the clock of now; Refused where its instants cannot be."""
    lease, at = stored.lease, stored.at
    if lease.end is None or lease.renew_at is None or lease.rebind_at is None:
        return lease
    if not 0 < lease.renew_at <= lease.rebind_at <= lease.end <= at + LONGEST:
        raise FileRefusedError("the instants of its lease cannot be")
    if stored.clock == this_clock():
        if at > boottime():
            raise FileRefusedError("it was stored later than now")
        return lease
    left = (lease.end - at) // SECOND - int((datetime.now(UTC) - stored.wall).total_seconds())
    note(
        f"{path}: the lease of {lease.address} was stored before this boot and is not relied on; "
        f"by the wall clock, which may have been set, it has {left} s left"
    )
    return replace(lease, renew_at=0, rebind_at=0, end=0)


# Files -------------------------------------------------------------------------------------------


def path_of(directory: Path, interface: str) -> Path:
    """The file of an interface; its directory is made if need be."""
    directory, path = place_of(directory.absolute(), interface)
    if own_directory(directory):
        sync(directory.parent)
    return path


@lru_cache
def place_of(directory: Path, interface: str) -> tuple[Path, Path]:
    """The directory and the file, by their names; no disk is asked."""
    if not 0 < len(interface.encode()) <= NAME_MOST or "/" in interface or "\0" in interface:
        raise InputError(f"{interface!r} is no name of an interface")
    return directory, directory / f"{interface}.json"


def remove(path: Path | str) -> None:
    """A file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 -- as what is there beside it is called by its text


def sync(directory: Path) -> None:
    """Make the names in a directory durable."""
    place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def text_of(path: Path) -> bytes:
    """What is in a file; Refused where it is none that `save` has made."""
    seen = path.lstat()  # nobody else can change it between the two: the directory was looked at
    if not stat.S_ISREG(seen.st_mode) or seen.st_size > SIZE_MOST:
        raise FileRefusedError("not a regular file of a size that a lease may have")
    if seen.st_uid != os.geteuid():
        raise FileRefusedError(f"it belongs to user {seen.st_uid}")
    return path.read_bytes()


def write(path: Path | str, text: bytes) -> None:
    """A new file, synced; one that a crash has left there is taken away."""
    try:
        file = os.open(path, NEW, 0o600)
    except FileExistsError:
        remove(path)
        file = os.open(path, NEW, 0o600)
    try:
        done = 0
        while done < len(text):
            done += os.write(file, text[done:])
        os.fsync(file)
    finally:
        os.close(file)


def set_aside(path: Path) -> Path:
    """Give a file another name, which nothing has yet; that name."""
    number, aside = 1, path.with_name(f"{path.name}.refused")
    while aside.is_symlink() or aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.refused-{number}")
    path.rename(aside)
    sync(path.parent)
    return aside
