"""DHCP messages on the wire: bytes to `Message` and back (RFC 2131 §2, §4.1).

Theory of operation.  A message is a fixed part of 236 bytes, the magic cookie, and options.  The
fixed part is one `struct`; options are laid out by `option_layout.py`, typed by `options.py` and
`option_values.py`.  `decode(encode(m)) == m` for every message that fits;  `encode(decode(b))` is a
normal form of b: it need not be b, but decodes to the same message and encodes to itself.

What no message is, always a WireError: fewer than 240 bytes or no cookie (BOOTP without options is
no DHCP), more bytes than a datagram has, `op` other than 1 or 2, `hlen` above 16.

What is dropped: an option cut off by the end of its field, option 52 other than 1, 2, 3 or outside
the options field, and values that their kind refuses (`option_layout.py`).  RFC 2131 and 2132 do
not say what a receiver does with it.  `read` gives the message without it, and what was dropped and
why: that is for who has to live with what there is on a network, and who must then look whether the
message rests on it (`messages.py`).  `decode` refuses such a message, with the first error: that is
for who judges messages, and for tests.  Both read alike, and differ in nothing else.

What is tolerated, since it cannot be misunderstood: messages shorter than BOOTP's 300 bytes; a
field that is not closed by the end option (it ends where it ends); anything after the end option;
pads anywhere; reserved flag bits (RFC 2131 §2: ignored; kept here, for who wants to report them);
nonzero `chaddr` bytes past `hlen`; `sname` and `file` without a NUL, and whatever follows the NUL;
relay information in an overloaded field.

What it does not know: which options a message of a type must have, and who may send it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Any, NoReturn

from holdover.reference.wire.option_layout import (
    COOKIE_AT,
    OPTIONS_AT,
    Dropped,
    Overload,
    in_one,
    lay_out,
    read_options,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, V, WireError, address_of
from holdover.reference.wire.options import MESSAGE_TYPE, PAD, Option, Options

COOKIE = bytes((99, 130, 83, 99))
"""RFC 2131 §3, RFC 2132 §2."""

FIXED = struct.Struct("!4B I 2H 4s 4s 4s 4s 16s 64s 128s")
"""RFC 2131 Figure 1, up to the options field."""

OP_AT, HLEN_AT = 0, 2
"""Offsets of fields (RFC 2131 Figure 1)."""

BROADCAST = 0x8000
"""The B bit (RFC 2131 Figure 2)."""

HEADERS = 20 + 8
"""IPv4 header without options, UDP header."""

BOOTP_SIZE = 300
"""What a BOOTP receiver may insist on: 64 bytes of vendor information (RFC 951 §3, from memory)."""

USUAL_SIZE = 576 - HEADERS
"""What each client takes without having said so (RFC 2131 §2)."""

LARGEST_SIZE = 0xFFFF - HEADERS
"""What one UDP datagram over IPv4 can hold."""


class Op(IntEnum):
    """RFC 2131 Table 1."""

    BOOTREQUEST = 1
    BOOTREPLY = 2


OPS = {int(op): op for op in Op}


@dataclass(frozen=True, kw_only=True)
class Message:
    """A DHCP message (RFC 2131 Table 1); what no message can carry raises ValueError.

    `chaddr` has `hlen` bytes, `sname` and `file` end before their NUL and are empty where they hold
    options, `secs` is in seconds, `reserved` is the 15 flag bits that must be zero.
    """

    op: Op
    xid: int
    chaddr: bytes
    options: Options
    htype: int = 1
    hops: int = 0
    secs: int = 0
    broadcast: bool = False
    reserved: int = 0
    ciaddr: IPv4Address = NO_ADDRESS
    yiaddr: IPv4Address = NO_ADDRESS
    siaddr: IPv4Address = NO_ADDRESS
    giaddr: IPv4Address = NO_ADDRESS
    sname: bytes = b""
    file: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.xid <= 0xFFFF_FFFF:
            _unfit("xid", self.xid, 0xFFFF_FFFF)
        if not 0 <= self.htype <= 0xFF:
            _unfit("htype", self.htype, 0xFF)
        if not 0 <= self.hops <= 0xFF:
            _unfit("hops", self.hops, 0xFF)
        if not 0 <= self.secs <= 0xFFFF:
            _unfit("secs", self.secs, 0xFFFF)
        if not 0 <= self.reserved < BROADCAST:
            _unfit("reserved", self.reserved, BROADCAST - 1)
        if len(self.chaddr) > 16:
            raise ValueError(f"chaddr: expected at most 16 bytes, got {len(self.chaddr)}")
        if self.sname or self.file:
            _check_text("sname", self.sname, 64)
            _check_text("file", self.file, 128)

    @classmethod
    def known(cls, **values: Any) -> Message:
        """Of values that were read from bytes, one for each field: so a message can carry them."""
        made = cls.__new__(cls)
        made.__dict__.update(values)
        return made

    def get(self, option: Option[V]) -> V | None:
        """The value of an option, typed as the table has it; None where it is absent."""
        return self.options.of(option)

    @property
    def message_type(self) -> MessageType | None:
        """DISCOVER, OFFER, ...; None: a BOOTP message with vendor extensions."""
        return self.get(MESSAGE_TYPE)


def _unfit(name: str, value: int, most: int) -> NoReturn:
    raise ValueError(f"{name} {value}: expected 0 to {most}")


def _check_text(name: str, text: bytes, size: int) -> None:
    if len(text) > size or b"\0" in text:
        raise ValueError(f"{name}: expected at most {size} bytes without NUL, got {text!r}")


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message as far as it could be read, and the options that could not, in their order."""

    message: Message
    dropped: tuple[Dropped, ...] = ()


def decode(data: bytes) -> Message:
    """The message in a UDP payload, every option of which can be read; WireError if it has none."""
    reading = read(data)
    for dropped in reading.dropped:
        raise dropped.error
    return reading.message


def read(data: bytes) -> ParsedMessage:
    """What can be read of a UDP payload (RFC 2131 §2, §4.1; RFC 3396 §7); WireError: no message."""
    if len(data) > LARGEST_SIZE:
        raise WireError(f"expected at most {LARGEST_SIZE} bytes, got {len(data)}", LARGEST_SIZE)
    if len(data) < OPTIONS_AT:
        raise WireError(f"expected at least {OPTIONS_AT} bytes, got {len(data)}", len(data))
    op, htype, hlen, hops, xid, secs, flags, *addresses, chaddr, sname, file = FIXED.unpack_from(
        data
    )
    kind = OPS.get(op)
    if kind is None:
        raise WireError(f"expected op 1 (BOOTREQUEST) or 2 (BOOTREPLY), got {op}", OP_AT)
    if hlen > len(chaddr):
        raise WireError(f"expected hlen 0 to {len(chaddr)}, got {hlen}", HLEN_AT)
    if data[COOKIE_AT:OPTIONS_AT] != COOKIE:
        got = data[COOKIE_AT:OPTIONS_AT].hex()
        raise WireError(f"expected the magic cookie {COOKIE.hex()}, got {got}", COOKIE_AT)
    use, options, dropped = read_options(data)
    ciaddr, yiaddr, siaddr, giaddr = map(address_of, addresses)
    message = Message.known(
        op=kind,
        htype=htype,
        hops=hops,
        xid=xid,
        secs=secs,
        broadcast=bool(flags & BROADCAST),
        reserved=flags & ~BROADCAST,
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=siaddr,
        giaddr=giaddr,
        chaddr=chaddr[:hlen],
        sname=b"" if use and Overload.SNAME in use else sname.partition(b"\0")[0],
        file=b"" if use and Overload.FILE in use else file.partition(b"\0")[0],
        options=options,
    )
    return ParsedMessage(message, dropped)


def encode(message: Message, *, limit: int = USUAL_SIZE, overload: Overload | None = None) -> bytes:
    """The UDP payload of a message (RFC 2131 §2, §4.1; RFC 3396 §6).

    `limit` is the most bytes it may have (300 to 65507).  `overload` asks for just these fields to
    hold options besides their own; None takes the fewest that do.  TooLargeError where there is no
    room; ValueError where a field asked for has a content of its own, or the message is a DHCPNAK
    (RFC 2131 Table 3: MUST NOT).
    """
    if not BOOTP_SIZE <= limit <= LARGEST_SIZE:
        raise ValueError(f"limit {limit}: expected {BOOTP_SIZE} to {LARGEST_SIZE}")
    room, sname, file = limit - OPTIONS_AT, message.sname, message.file
    options = None if overload else in_one(message.options, room)
    if options is None:
        free = _free(message)
        if overload is not None and overload & ~free:
            raise ValueError(f"overload {overload!r}: these fields are taken, or it is a DHCPNAK")
        uses = USES[free] if overload is None else [overload]
        use, (options, more_file, more_sname) = lay_out(message.options, room, uses)
        file = more_file if Overload.FILE in use else file
        sname = more_sname if Overload.SNAME in use else sname
    fixed = FIXED.pack(
        message.op,
        message.htype,
        len(message.chaddr),
        message.hops,
        message.xid,
        message.secs,
        message.reserved | BROADCAST * message.broadcast,
        message.ciaddr.packed,
        message.yiaddr.packed,
        message.siaddr.packed,
        message.giaddr.packed,
        message.chaddr,
        sname,
        file,
    )
    return (fixed + COOKIE + options).ljust(BOOTP_SIZE, bytes((PAD,)))


USES = {
    free: [use for use in Overload.__members__.values() if not use & ~free]
    for free in Overload.__members__.values()
}
"""What may be used where these fields are free, the fewest first; Python is slow with flags."""


def _free(message: Message) -> Overload:
    """The fields that options may take."""
    if message.message_type is MessageType.NAK:
        return Overload.NONE
    if message.file:
        return Overload.NONE if message.sname else Overload.SNAME
    return Overload.FILE if message.sname else Overload.BOTH
