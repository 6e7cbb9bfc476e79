"""Addresses, identifiers and options by what the walk has of them; each is built once.

Theory of operation.  The clients of a network and its servers say the same again and again, so what
was made of a number, or of the bytes of options, is kept until there are too many.  Options are
read by `reference/wire`, when somebody asks for one: most nobody does.

What it does not know: what a message says (`dhcp.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, TypeVar

from holdover.reference.audit.inputs.build import KnownAddress
from holdover.reference.audit.observations import Vlans
from holdover.reference.wire.messages import NO_OPTIONS
from holdover.reference.wire.option_layout import OPTIONS_AT, read_options
from holdover.reference.wire.options import NOTHING_RAW, RELAY_INFORMATION, Options

REMEMBERED = 1 << 14
"""How many addresses, names and options are kept at most, so that each is built once."""

FIXED, RELAY = bytes(OPTIONS_AT), RELAY_INFORMATION.code

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """What was made of a key: made when it is asked for, forgotten when there are too many."""

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        if len(self) >= REMEMBERED:
            self.clear()
        self[key] = made = self._make(key)
        return made


class NameTables:
    """Addresses and so on by their numbers, and options by their bytes: each is built once.

    -1 is what is not there (None).  `options` gives the options and whether a relay's is among
    them; what cannot be read is left out, as the cores do.
    """

    def __init__(self) -> None:
        self.address = Remembered[int, IPv4Address | None](_address)
        self.hardware = Remembered[int, bytes | None](_hardware)
        self.client_id = Remembered[int, bytes | None](_client_id)
        self.seconds = Remembered[int, int | None](_seconds)
        self.vlans = Remembered[int, Vlans](_vlans)
        self.options = Remembered[bytes, tuple[Options, bool]](_options)


def _address(number: int) -> IPv4Address | None:
    return None if number < 0 else KnownAddress(number)


def _hardware(number: int) -> bytes | None:
    return None if number < 0 else number.to_bytes(6, "big")


def _client_id(number: int) -> bytes | None:
    return None if number < 0 else b"\1" + number.to_bytes(6, "big")


def _seconds(number: int) -> int | None:
    return None if number < 0 else number


def _vlans(number: int) -> Vlans:
    """The VLANs, the outer one first."""
    outer, inner = divmod(number, 4096)
    return (outer, inner) if outer else (inner,) if inner else ()


class LateOptions(Options):
    """Options that are read from their bytes when somebody asks for them; most nobody does."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:  # the values come later
        self._data, self._raw, self._written = data, NOTHING_RAW, None

    def __getattr__(self, name: str) -> Any:
        """The values, where they are not there yet; they are not looked for here again."""
        if name != "_values":
            raise AttributeError(name)
        _, options, _ = read_options(FIXED + self._data)
        self._values = options._values
        return self._values

    def __reduce__(self) -> tuple[type[LateOptions], tuple[bytes]]:
        return LateOptions, (self._data,)


def _options(data: bytes) -> tuple[Options, bool]:
    if not data:
        return NO_OPTIONS, False
    options = LateOptions(data)
    return options, _has_option(data, RELAY) and RELAY in options


def _has_option(data: bytes, code: int) -> bool:
    """Whether it is among options, each of them whole, as the walk leaves them."""
    at = 0
    while at < len(data):
        if data[at] == code:
            return True
        at += 2 + data[at + 1]
    return False
