"""Lines of a text, and what stands in them again and again: addresses, times.

Theory of operation.  A parser takes lines with their numbers and gives observations; where a line
cannot be read it raises `LineError`, which becomes `Unreadable` there, and goes on with the next.
Instants are nanoseconds since 1970 (UTC).  Where a program writes local time, it is taken for that
of this machine (the environment variable TZ says another): no such log says which one it is.

What it does not know: formats.
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address

from holdover.reference.audit.observations import Observation, Unreadable, Where
from holdover.reference.core.instants import SECOND, Instant

Line = tuple[int, str]
"""Its number from 1, and its text without the end."""

HARDWARE = re.compile(r"(?:[0-9A-Fa-f]{1,2}[:-]){5}[0-9A-Fa-f]{1,2}|[0-9A-Fa-f]{12}")
LATEST = 1 << 33
"""Seconds since 1970 up to which a time is one."""


class LineError(ValueError):
    """A line is not what it has to be; the message says what was expected."""


def read_lines(
    lines: Iterable[Line], file: str, read: Callable[[Line], Iterable[Observation]]
) -> Iterator[Observation]:
    """What each line says; those that cannot be read are noted."""
    for line in lines:
        try:
            yield from read(line)
        except LineError as error:
            yield Unreadable(None, Where(file, line[0]), str(error))


def address_of(text: str) -> IPv4Address:
    """An IPv4 address."""
    try:
        return IPv4Address(text.strip())
    except ValueError:
        raise LineError(f"expected an IPv4 address, got {text[:40]!r}") from None


def hardware_of(text: str) -> bytes | None:
    """A hardware address in one of the usual forms; None: there is none."""
    word = text.strip()
    if not word or word == "-":
        return None
    if not HARDWARE.fullmatch(word):
        raise LineError(f"expected a hardware address, got {word[:40]!r}")
    if len(word) == 12:
        return bytes.fromhex(word)
    return bytes(int(part, 16) for part in re.split("[:-]", word))


def bytes_of(text: str) -> bytes | None:
    """Bytes in hexadecimal, with colons or without; None: there are none."""
    word = text.strip()
    if word in ("", "-", "*"):
        return None
    try:
        if ":" in word:
            return bytes(int(part, 16) for part in word.split(":"))
        return bytes.fromhex(word)
    except ValueError:
        raise LineError(f"expected bytes in hexadecimal, got {word[:40]!r}") from None


def number_of(text: str) -> int:
    """A whole number that is not negative."""
    word = text.strip()
    if not re.fullmatch(r"[0-9]{1,19}", word):
        raise LineError(f"expected a number, got {word[:40]!r}")
    return int(word)


def instant_of(text: str) -> Instant:
    """Seconds since 1970, perhaps with a fraction."""
    found = re.fullmatch(r"([0-9]{1,10})(?:\.([0-9]{1,18}))?", text.strip())
    if not found or int(found[1]) > LATEST:
        raise LineError(f"expected seconds since 1970, got {text[:40]!r}")
    return int(found[1]) * SECOND + int((found[2] or "0").ljust(9, "0")[:9])


def utc(
    year: int, month: int, day: int, hour: int, minute: int, second: int, *, nanoseconds: int = 0
) -> Instant:
    """A date and a time of day, in UTC; LineError where there is no such."""
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise LineError(f"expected a date and a time: {error}") from None
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (since.days * 86400 + since.seconds) * SECOND + nanoseconds


def local(
    year: int, month: int, day: int, hour: int, minute: int, second: int, *, nanoseconds: int = 0
) -> Instant:
    """The same in this machine's time zone."""
    utc(year, month, day, hour, minute, second)  # refuses what is no date
    try:
        seconds = int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    except (OverflowError, ValueError) as error:
        raise LineError(f"expected a date and a time: {error}") from None
    return seconds * SECOND + nanoseconds
