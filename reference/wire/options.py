"""DHCP options: one table from code to name, source and kind of value, and what a message carries.

Theory of operation.  An `Option` is a row: code, name, source, kind; `TABLE` is all of them, and
each has a name here, so that `LEASE_TIME(3600)` builds a typed pair and `message.get(LEASE_TIME)`
returns an int or None.  A code that the table does not know has `bytes` for a value and is kept as
it is.  `Options` is an ordered, hashable mapping from code to value that holds only values of the
right kind, so that whatever has been built can be written.

What it does not know: what options mean to one another, and where in a message they stand
(`option_layout.py`).  RFC 2132, 3046, 3442 and 4388 were read for the table; RFC 8925 is cited from
memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Generic

from holdover.reference.wire.option_values import (
    ADDRESS,
    ADDRESSES,
    ADDRESSES_OR_NONE,
    BYTES,
    CLIENT_ID,
    CODES,
    FLAG,
    I32,
    PAIRS,
    RELAY,
    ROUTES,
    SECONDS,
    SOME_BYTES,
    TEXT,
    TYPE,
    U8,
    U16,
    U16S,
    Kind,
    V,
    Value,
)

INFINITE = 0xFFFF_FFFF
"""A lease without end, in seconds (RFC 2131 §3.3)."""


PAD, OVERLOAD, END = 0, 52, 255
"""Codes that lay a message out and are no option of it (RFC 2132 §3.1, §9.3, §3.2)."""


@dataclass(frozen=True)
class Option(Generic[V]):
    """A row of the table."""

    code: int
    name: str
    source: str
    kind: Kind[V]

    def __call__(self, value: V) -> tuple[int, V]:
        """The pair for `Options`."""
        return self.code, value

    def __str__(self) -> str:
        return f"option {self.code} ({self.name})"


TABLE: dict[int, Option[Any]] = {}
"""Every option whose type is known, by code."""


def _row(code: int, name: str, source: str, kind: Kind[V]) -> Option[V]:
    row = Option(code, name, source if source.startswith("RFC") else f"RFC 2132 {source}", kind)
    TABLE[code] = row
    return row


def option_of(code: int) -> Option[Any]:
    """The row of a code; bytes where the table has none."""
    row = TABLE.get(code)
    if row is not None:
        return row
    name, source = ("overload", "§9.3") if code == OVERLOAD else ("unknown", "§2")
    return Option(code, name, f"RFC 2132 {source}", BYTES)


# fmt: off
SUBNET_MASK            = _row(1, "subnet mask", "§3.3", ADDRESS)
TIME_OFFSET            = _row(2, "time offset", "§3.4", I32)
ROUTERS                = _row(3, "routers", "§3.5", ADDRESSES)
TIME_SERVERS           = _row(4, "time servers", "§3.6", ADDRESSES)
IEN116_NAME_SERVERS    = _row(5, "IEN 116 name servers", "§3.7", ADDRESSES)
NAME_SERVERS           = _row(6, "domain name servers", "§3.8", ADDRESSES)
LOG_SERVERS            = _row(7, "log servers", "§3.9", ADDRESSES)
COOKIE_SERVERS         = _row(8, "cookie servers", "§3.10", ADDRESSES)
LPR_SERVERS            = _row(9, "LPR servers", "§3.11", ADDRESSES)
IMPRESS_SERVERS        = _row(10, "Impress servers", "§3.12", ADDRESSES)
LOCATION_SERVERS       = _row(11, "resource location servers", "§3.13", ADDRESSES)
HOST_NAME              = _row(12, "host name", "§3.14", TEXT)
BOOT_FILE_SIZE         = _row(13, "boot file size", "§3.15", U16)
MERIT_DUMP_FILE        = _row(14, "merit dump file", "§3.16", TEXT)
DOMAIN_NAME            = _row(15, "domain name", "§3.17", TEXT)
SWAP_SERVER            = _row(16, "swap server", "§3.18", ADDRESS)
ROOT_PATH              = _row(17, "root path", "§3.19", TEXT)
EXTENSIONS_PATH        = _row(18, "extensions path", "§3.20", TEXT)
IP_FORWARDING          = _row(19, "IP forwarding", "§4.1", FLAG)
SOURCE_ROUTING         = _row(20, "non-local source routing", "§4.2", FLAG)
POLICY_FILTER          = _row(21, "policy filter", "§4.3", PAIRS)
REASSEMBLY_SIZE        = _row(22, "maximum datagram reassembly size", "§4.4", U16)
DEFAULT_TTL            = _row(23, "default IP time-to-live", "§4.5", U8)
PATH_MTU_AGING         = _row(24, "path MTU aging timeout", "§4.6", SECONDS)
PATH_MTU_PLATEAUS      = _row(25, "path MTU plateau table", "§4.7", U16S)
INTERFACE_MTU          = _row(26, "interface MTU", "§5.1", U16)
ALL_SUBNETS_LOCAL      = _row(27, "all subnets are local", "§5.2", FLAG)
BROADCAST_ADDRESS      = _row(28, "broadcast address", "§5.3", ADDRESS)
MASK_DISCOVERY         = _row(29, "perform mask discovery", "§5.4", FLAG)
MASK_SUPPLIER          = _row(30, "mask supplier", "§5.5", FLAG)
ROUTER_DISCOVERY       = _row(31, "perform router discovery", "§5.6", FLAG)
ROUTER_SOLICITATION    = _row(32, "router solicitation address", "§5.7", ADDRESS)
STATIC_ROUTES          = _row(33, "static routes", "§5.8", PAIRS)
TRAILERS               = _row(34, "trailer encapsulation", "§6.1", FLAG)
ARP_TIMEOUT            = _row(35, "ARP cache timeout", "§6.2", SECONDS)
ETHERNET_802_3         = _row(36, "Ethernet encapsulation", "§6.3", FLAG)
TCP_TTL                = _row(37, "TCP default TTL", "§7.1", U8)
TCP_KEEPALIVE_INTERVAL = _row(38, "TCP keepalive interval", "§7.2", SECONDS)
TCP_KEEPALIVE_GARBAGE  = _row(39, "TCP keepalive garbage", "§7.3", FLAG)
NIS_DOMAIN             = _row(40, "NIS domain", "§8.1", TEXT)
NIS_SERVERS            = _row(41, "NIS servers", "§8.2", ADDRESSES)
NTP_SERVERS            = _row(42, "NTP servers", "§8.3", ADDRESSES)
VENDOR_SPECIFIC        = _row(43, "vendor specific information", "§8.4", SOME_BYTES)
NETBIOS_NAME_SERVERS   = _row(44, "NetBIOS name servers", "§8.5", ADDRESSES)
NETBIOS_DISTRIBUTION   = _row(45, "NetBIOS distribution servers", "§8.6", ADDRESSES)
NETBIOS_NODE_TYPE      = _row(46, "NetBIOS node type", "§8.7", U8)
NETBIOS_SCOPE          = _row(47, "NetBIOS scope", "§8.8", SOME_BYTES)
X_FONT_SERVERS         = _row(48, "X font servers", "§8.9", ADDRESSES)
X_DISPLAY_MANAGERS     = _row(49, "X display managers", "§8.10", ADDRESSES)
REQUESTED_ADDRESS      = _row(50, "requested IP address", "§9.1", ADDRESS)
LEASE_TIME             = _row(51, "IP address lease time", "§9.2", SECONDS)
MESSAGE_TYPE           = _row(53, "DHCP message type", "§9.6", TYPE)
SERVER_ID              = _row(54, "server identifier", "§9.7", ADDRESS)
PARAMETER_REQUEST_LIST = _row(55, "parameter request list", "§9.8", CODES)
MESSAGE                = _row(56, "message", "§9.9", TEXT)
MAXIMUM_MESSAGE_SIZE   = _row(57, "maximum DHCP message size", "§9.10", U16)
RENEWAL_TIME           = _row(58, "renewal (T1) time value", "§9.11", SECONDS)
REBINDING_TIME         = _row(59, "rebinding (T2) time value", "§9.12", SECONDS)
VENDOR_CLASS           = _row(60, "vendor class identifier", "§9.13", SOME_BYTES)
CLIENT_IDENTIFIER      = _row(61, "client-identifier", "§9.14", CLIENT_ID)
NIS_PLUS_DOMAIN        = _row(64, "NIS+ domain", "§8.11", TEXT)
NIS_PLUS_SERVERS       = _row(65, "NIS+ servers", "§8.12", ADDRESSES)
TFTP_SERVER_NAME       = _row(66, "TFTP server name", "§9.4", TEXT)
BOOTFILE_NAME          = _row(67, "bootfile name", "§9.5", TEXT)
HOME_AGENTS            = _row(68, "mobile IP home agents", "§8.13", ADDRESSES_OR_NONE)
SMTP_SERVERS           = _row(69, "SMTP servers", "§8.14", ADDRESSES)
POP3_SERVERS           = _row(70, "POP3 servers", "§8.15", ADDRESSES)
NNTP_SERVERS           = _row(71, "NNTP servers", "§8.16", ADDRESSES)
WWW_SERVERS            = _row(72, "WWW servers", "§8.17", ADDRESSES)
FINGER_SERVERS         = _row(73, "Finger servers", "§8.18", ADDRESSES)
IRC_SERVERS            = _row(74, "IRC servers", "§8.19", ADDRESSES)
STREETTALK_SERVERS     = _row(75, "StreetTalk servers", "§8.20", ADDRESSES)
STDA_SERVERS           = _row(76, "StreetTalk directory servers", "§8.21", ADDRESSES)
RELAY_INFORMATION      = _row(82, "relay agent information", "RFC 3046 §2.0", RELAY)
LAST_TRANSACTION_TIME  = _row(91, "client last transaction time", "RFC 4388 §6.1", SECONDS)
ASSOCIATED_ADDRESSES   = _row(92, "associated IP addresses", "RFC 4388 §6.1", ADDRESSES)
IPV6_ONLY_PREFERRED    = _row(108, "IPv6-only preferred", "RFC 8925 §3.1", SECONDS)
CLASSLESS_ROUTES       = _row(121, "classless routes", "RFC 3442", ROUTES)
# fmt: on

# What a message carries --------------------------------------------------------------------------


NOTHING_RAW: Mapping[int, bytes] = {}


class Options(Mapping[int, Value]):
    """The options of a message in their order, each code once; immutable and hashable.

    Equal are two with the same values, in whatever order.  A code out of 1..254, code 52 (it is
    layout: `wire.encode` writes it), a code given twice (RFC 3396 §7: it would be one value) or a
    value not of the code's kind raises ValueError.
    """

    __slots__ = ("_raw", "_values", "_written")

    def __init__(self, pairs: Mapping[int, Value] | Iterable[tuple[int, Value]] = ()):
        self._values: dict[int, Value] = {}
        self._raw: Mapping[int, bytes] = {}
        self._written: dict[int, bytes] | None = {}
        for code, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            row = option_of(code)
            if not PAD < code < END or code == OVERLOAD:
                raise ValueError(f"{row}: no option of a message")
            if code in self._values:
                raise ValueError(f"{row}: given twice")
            try:
                self._written[code] = row.kind.write(value)
            except ValueError as error:
                raise ValueError(f"{row}: {error}") from None
            self._values[code] = value

    def behind(self, rows: Iterable[Option[Any]], values: Iterable[Value | None]) -> Options:
        """These, and in front of them a value for each row, where it has one."""
        found: dict[int, Value] = {}
        written: dict[int, bytes] = {}
        for row, value in zip(rows, values, strict=True):
            if value is None:
                continue
            if row.code in self._values:
                raise ValueError(f"{row}: given twice")
            try:
                written[row.code] = row.kind.write(value)
            except ValueError as error:
                raise ValueError(f"{row}: {error}") from None
            found[row.code] = value
        made = Options.known({**found, **self._values})
        made._written = {**written, **self.written()}
        return made

    def without(self, codes: Set[int]) -> Options:
        """The others."""
        values = self._values
        left = {code: values[code] for code in values if code not in codes}
        return Options.known(left, self._raw)

    @classmethod
    def known(cls, values: dict[int, Value], raw: Mapping[int, bytes] = NOTHING_RAW) -> Options:
        """Of values that were read as their codes' kinds: what `read` returns, `write` takes.

        `raw`: what they were read from, by code; and perhaps more.
        """
        made = cls.__new__(cls)
        made._values, made._raw, made._written = values, raw, None
        return made

    def __getitem__(self, code: int) -> Value:
        return self._values[code]

    def of(self, option: Option[V]) -> V | None:
        """The value, typed as the table has it, or None."""
        return self._values.get(option.code)  # type: ignore[return-value]  # it was checked

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, Options) else other)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"Options({self._values!r})"

    def written(self) -> Mapping[int, bytes]:
        """Each code with its bytes, of whatever length; they are written once."""
        if self._written is None:
            written: dict[int, bytes] = {}
            for code, value in self._values.items():
                kind, data = option_of(code).kind, self._raw.get(code)
                written[code] = data if data is not None and kind.exact else kind.write(value)
            self._written = written
        return self._written

    def pairs(self) -> Iterable[tuple[int, bytes]]:
        """The same, in pairs."""
        return self.written().items()
