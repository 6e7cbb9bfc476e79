"""`dhcpd.leases` of ISC's server: a journal of what each address is.

Theory of operation.  A `lease ADDRESS { ... }` is what the address is from then on; the same
address comes again and again.  Times are UTC, as a date or, with `db-time-format local`, as `epoch`
and seconds.  When a record was written it does not say: for a running lease that is the client's
last transaction (cltt), for one that is over its end.

What it does not know: the server's own address, host declarations, failover states.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from holdover.reference.audit.inputs.logs.lines import (
    Line,
    LineError,
    address_of,
    hardware_of,
    instant_of,
    utc,
)
from holdover.reference.audit.observations import Observation, Recorded, Unreadable, Where
from holdover.reference.core.instants import Instant

SERVER = "ISC dhcpd"

LEASE = re.compile(r"lease\s+(\S+)\s*\{")
STATEMENT = re.compile(r"\s*(starts|ends|cltt|binding state|hardware \w+|uid)\s+(.*?);\s*(?:#.*)?")
DATE = re.compile(r"\d (\d+)/(\d+)/(\d+) (\d+):(\d+):(\d+)")
OCTAL = re.compile(rb"\\([0-7]{3})|\\(.)", re.DOTALL)
STATES = {
    "active": "leased",
    "free": "free",
    "expired": "expired",
    "released": "released",
    "abandoned": "declined",
    "backup": "backup",
    "reset": "free",
    "bootp": "leased",
}


def is_isc(head: str) -> bool:
    """Whether a text begins as such a file does."""
    return "dhcpd.leases(5)" in head or bool(re.search(r"^lease\s+\d+\.\S+\s*\{", head, re.M))


def read_isc(lines: Iterable[Line], file: str) -> Iterator[Observation]:
    """Each record."""
    begun: tuple[Where, IPv4Address] | None = None
    said: dict[str, str] = {}
    for number, text in lines:
        where = Where(file, number)
        try:
            if found := LEASE.match(text):
                if begun:
                    yield Unreadable(None, begun[0], "the record of a lease has no end")
                begun, said = (where, address_of(found[1])), {}
            elif begun and text.startswith("}"):
                (there, address), begun = begun, None
                yield _record(there, address, said)
            elif begun and (statement := STATEMENT.fullmatch(text)):
                said[statement[1]] = statement[2]
        except LineError as error:
            yield Unreadable(None, where, str(error))
    if begun:
        yield Unreadable(None, begun[0], "the record of a lease has no end")


def _record(where: Where, address: IPv4Address, said: dict[str, str]) -> Recorded:
    begin, end, last = (_time(said.get(name)) for name in ("starts", "ends", "cltt"))
    word = said.get("binding state", "active")
    state = STATES.get(word)
    if state is None:
        raise LineError(f"binding state {word!r}: there are: {', '.join(STATES)}")
    running = state in ("leased", "declined", "backup")
    at = (last or begin) if running else (end or last or begin)
    if at is None:
        raise LineError("expected `starts`, `ends` or `cltt` in the record of a lease")
    hardware = said.get("hardware ethernet")
    return Recorded(
        at,
        where,
        address,
        hardware_of(hardware) if hardware else None,
        _identifier(said.get("uid")),
        begin,
        end,
        state,
        SERVER,
        said.get("ends") == "never",
    )


def _time(text: str | None) -> Instant | None:
    if text is None or text == "never":
        return None
    if text.startswith("epoch "):
        return instant_of(text.removeprefix("epoch "))
    found = DATE.fullmatch(text)
    if not found:
        raise LineError(f"expected a date and a time, got {text[:40]!r}")
    return utc(*map(int, found.groups()))


def _identifier(text: str | None) -> bytes | None:
    """A uid: hexadecimal with colons, or text in quotes with octal escapes."""
    if text is None:
        return None
    if not text.startswith('"'):
        try:
            return bytes(int(part, 16) for part in text.split(":"))
        except ValueError:
            raise LineError(f"expected a uid, got {text[:40]!r}") from None
    raw = text[1:-1].encode("utf-8", "surrogateescape")
    return OCTAL.sub(lambda m: bytes((int(m[1], 8) & 255,)) if m[1] else m[2], raw)
