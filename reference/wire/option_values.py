"""Typed values of DHCP options, and the two ways between each kind of value and bytes.

Theory of operation.  A `Kind` is a name and two functions.  `read` takes the whole value of an
option (its pieces joined, RFC 3396 §7) and raises WireError with an offset into it; `write` raises
ValueError for what is no value of the kind.  What `read` returns, `write` takes, and `read` returns
again.

What is refused.  A value that cannot be read as its kind: a length that does not fit, a flag that
is neither 0 nor 1, an unassigned message type.  What becomes of the message that it stands in, its
readers decide (`packet.py`, `messages.py`).

What is tolerated.  Values that can be read but are unwise (MTU 0, T1 after T2, a maximum message
size below 576): judging them is the core's business, not the wire's.  Text without characters
(RFC 2132 wants one; it is read as "" all the same), with trailing NULs (RFC 2132 §2: MUST be
prepared) or beyond NVT ASCII, kept as the character of the same number: but for trailing NULs
reading loses nothing, and whoever prints text from the network has to escape it.  Bits beyond the
mask of a classless route are cleared (RFC 3442: the client MUST).

What it does not know: which option has which kind (`options.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")

NO_ADDRESS = IPv4Address("0.0.0.0")
"""An empty address field (RFC 2131 §2), the sender of a client without address (§4.1)."""


@lru_cache(maxsize=256)
def address_of(data: bytes) -> IPv4Address:
    """The address of four bytes.

    In one exchange the same few come again and again, and Python takes as long to make one as to
    look at ten that there are.
    """
    return IPv4Address(data)


class WireError(ValueError):
    """Bytes that are not what they should be.

    `offset` is the first byte that is not what `message` says was expected; the length of the input
    where that ends too early.
    """

    def __init__(self, message: str, offset: int):
        super().__init__(message, offset)
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.message}"


def expect(data: bytes, start: int, size: int, what: str) -> None:
    """WireError where fewer than `size` bytes are left at `start`."""
    if len(data) - start < size:
        got = max(len(data) - start, 0)
        raise WireError(f"expected {what} of {size} bytes, got {got}", len(data))


class MessageType(IntEnum):
    """What a message is (RFC 2132 §9.6; 9: RFC 3203 §2; 10 to 13: RFC 4388 §6.1)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8
    FORCERENEW = 9
    LEASEQUERY = 10
    LEASEUNASSIGNED = 11
    LEASEUNKNOWN = 12
    LEASEACTIVE = 13


MESSAGE_TYPES = {int(each): each for each in MessageType}


@dataclass(frozen=True)
class Route:
    """A classless route; router 0.0.0.0: the network is on the link (RFC 3442)."""

    network: IPv4Network
    router: IPv4Address


@dataclass(frozen=True)
class SubOption:
    """One tuple of the Agent Information Field; its data is the relay's (RFC 3046 §2.0)."""

    code: int
    data: bytes


Value = (
    int
    | str
    | bytes
    | IPv4Address
    | tuple[int, ...]
    | tuple[IPv4Address, ...]
    | tuple[tuple[IPv4Address, IPv4Address], ...]
    | tuple[Route, ...]
    | tuple[SubOption, ...]
)
"""What an option may hold; MessageType and bool are int."""

V = TypeVar("V", bound=Value)

# Kinds of values ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A sort of value: what it is called, and both ways between it and bytes.

    `read` raises WireError with an offset into the value; `write` raises ValueError for what is no
    value of this kind.  What `read` returns, `write` takes.  `exact`: and makes of it the bytes
    that were read; where it is not, there are several ways to say the same.
    """

    name: str
    read: Callable[[bytes], T]
    write: Callable[[Any], bytes]
    exact: bool = True


def _misfit(expected: str, data: bytes, offset: int) -> NoReturn:
    raise WireError(f"expected {expected}, got a length of {len(data)}", offset)


def _a(sort: type[T], value: object) -> T:
    """The value, if it is of that class; True is no number."""
    if not isinstance(value, sort) or (isinstance(value, bool) and sort is not bool):
        raise ValueError(f"expected {sort.__name__}, got {value!r}")
    return value


def _whole(size: int, name: str, *, signed: bool = False) -> Kind[int]:
    """A number of `size` bytes in network byte order (RFC 2132 §2)."""

    def read(data: bytes) -> int:
        if len(data) != size:
            _misfit(name, data, min(len(data), size))
        return int.from_bytes(data, "big", signed=signed)

    def write(value: object) -> bytes:
        try:
            return _a(int, value).to_bytes(size, "big", signed=signed)
        except OverflowError:
            raise ValueError(f"expected {name}, got {value}") from None

    return Kind(name, read, write)


def _list(item: Kind[T], size: int, least: int = 1) -> Kind[tuple[T, ...]]:
    """Items of `size` bytes each, at least so many."""
    name = f"{least} or more of {item.name}"

    def read(data: bytes) -> tuple[T, ...]:
        if len(data) % size or len(data) < least * size:
            _misfit(name, data, len(data) - len(data) % size)
        return tuple([item.read(data[at : at + size]) for at in range(0, len(data), size)])

    def write(value: object) -> bytes:
        items = _a(tuple, value)
        if len(items) < least:
            raise ValueError(f"expected {name}, got none")
        return b"".join([item.write(i) for i in items])

    return Kind(name, read, write, item.exact)


def _opaque(least: int) -> Kind[bytes]:
    """Bytes that are nobody's business here, at least so many."""
    name = f"{least} or more bytes"

    def read(data: bytes) -> bytes:
        if len(data) < least:
            _misfit(name, data, len(data))
        return data

    def write(value: object) -> bytes:
        if len(data := _a(bytes, value)) < least:
            raise ValueError(f"expected {name}, got {data!r}")
        return data

    return Kind(name, read, write)


def _read_address(data: bytes) -> IPv4Address:
    if len(data) != 4:
        _misfit("4 bytes (an address)", data, min(len(data), 4))
    return address_of(data)


def _write_address(value: object) -> bytes:
    return _a(IPv4Address, value).packed


def _read_pair(data: bytes) -> tuple[IPv4Address, IPv4Address]:
    return IPv4Address(data[:4]), IPv4Address(data[4:])


def _write_pair(value: object) -> bytes:
    left, right = _a(tuple, value)
    return _write_address(left) + _write_address(right)


def _read_flag(data: bytes) -> bool:
    if len(data) != 1:
        _misfit("1 byte (0 or 1)", data, min(len(data), 1))
    if data[0] > 1:
        raise WireError(f"expected 0 or 1, got {data[0]}", 0)
    return data == b"\1"


def _write_flag(value: object) -> bytes:
    return b"\1" if _a(bool, value) else b"\0"


def _read_text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("latin-1")


def _write_text(value: object) -> bytes:
    """RFC 2132 §2: SHOULD NOT have a trailing NUL; no character at all: one, as §3.14 wants one."""
    if (text := _a(str, value)).endswith("\0"):
        raise ValueError(f"expected text without trailing NUL, got {text!r}")
    return text.encode("latin-1") or b"\0"


def _read_message_type(data: bytes) -> MessageType:
    number = U8.read(data)
    kind = MESSAGE_TYPES.get(number)
    if kind is None:
        raise WireError(f"expected a message type (1 to {max(MessageType)}), got {number}", 0)
    return kind


def _write_message_type(value: object) -> bytes:
    return bytes((_a(MessageType, value),))


def _read_routes(data: bytes) -> tuple[Route, ...]:
    """RFC 3442: width, as many bytes of the network as it covers in part, router."""
    routes: list[Route] = []
    at = 0
    while at < len(data) or not routes:
        if at == len(data):
            _misfit("a route (5 to 9 bytes)", data, at)
        if (width := data[at]) > 32:
            raise WireError(f"expected the width of a mask (0 to 32), got {width}", at)
        router = at + 1 + (width + 7) // 8
        if router + 4 > len(data):
            _misfit(f"a route of {router + 4 - at} bytes at {at}", data, len(data))
        network = int.from_bytes(data[at + 1 : router].ljust(4, b"\0"), "big")
        routes.append(
            Route(
                IPv4Network((network, width), strict=False), IPv4Address(data[router : router + 4])
            )
        )
        at = router + 4
    return tuple(routes)


def _write_routes(value: object) -> bytes:
    written = b"".join([_write_route(_a(Route, route)) for route in _a(tuple, value)])
    if not written:
        raise ValueError("expected 1 or more routes, got none")
    return written


def _write_route(route: Route) -> bytes:
    width = route.network.prefixlen
    network = route.network.network_address.packed[: (width + 7) // 8]
    return bytes((width,)) + network + route.router.packed


def _read_relay(data: bytes) -> tuple[SubOption, ...]:
    """RFC 3046 §2.0: code, length, value; neither pad nor end; at least one."""
    found: list[SubOption] = []
    at = 0
    while at < len(data) or not found:
        if at + 2 > len(data):
            _misfit(f"a sub-option's code and length at {at}", data, len(data))
        if (after := at + 2 + data[at + 1]) > len(data):
            _misfit(f"{data[at + 1]} bytes of sub-option {data[at]}", data, at + 1)
        found.append(SubOption(data[at], data[at + 2 : after]))
        at = after
    return tuple(found)


def _write_relay(value: object) -> bytes:
    found = [_a(SubOption, each) for each in _a(tuple, value)]
    if not found:
        raise ValueError("expected 1 or more sub-options, got none")
    return b"".join([bytes((each.code, len(each.data))) + each.data for each in found])


U8 = _whole(1, "1 byte")
U16 = _whole(2, "2 bytes")
U32 = _whole(4, "4 bytes")
I32 = _whole(4, "4 bytes (signed)", signed=True)
SECONDS = _whole(4, "4 bytes (seconds)")
FLAG = Kind("0 or 1", _read_flag, _write_flag)
TEXT = Kind("text", _read_text, _write_text, exact=False)
BYTES = _opaque(0)
SOME_BYTES = _opaque(1)
CLIENT_ID = _opaque(2)
ADDRESS = Kind("4 bytes (an address)", _read_address, _write_address)
ADDRESSES = _list(ADDRESS, 4)
ADDRESSES_OR_NONE = _list(ADDRESS, 4, 0)
PAIRS = _list(Kind("8 bytes (two addresses)", _read_pair, _write_pair), 8)
U16S = _list(U16, 2)
CODES = _list(U8, 1)
TYPE = Kind("a message type", _read_message_type, _write_message_type)
ROUTES = Kind("classless routes", _read_routes, _write_routes, exact=False)
RELAY = Kind("relay agent information", _read_relay, _write_relay)
