"""What is thrown: valid messages that are damaged, and bytes that never were any.

Theory of operation.  Everything is drawn from one generator, so a seed gives the same packets
again, in the same order.  A message is encoded, damaged where options are more often than
elsewhere, and put into a frame whose checksums are right: a damage that a checksum tells is found
too early to find anything else.  Some frames are damaged too, and some have tags.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from random import Random
from typing import Any

from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Checksum, Datagram, encode_frame
from holdover.reference.wire.options import TABLE, Options
from holdover.reference.wire.packet import Message, encode

OPTIONS_AT = 240
MOST = 548

TAGS = ("81000000", "8100e000", "88a80000", "8100000081000000", "81000005", "8100")
RESTED_ON = (50, 51, 52, 53, 54, 61)
LENGTHS = (0, 1, 2, 3, 5, 8, 64, 254, 255)

MORE: tuple[tuple[int, bytes], ...] = (
    (1, b"\xff\xff\xff\0"),
    (2, b"\0\0\x0e\x10"),
    (3, b"\x0a\x4d\0\1"),
    (6, b"\x0a\x4d\0\1" * 3),
    (12, b"here"),
    (15, b"example.org"),
    (19, b"\1"),
    (26, b"\5\xdc"),
    (28, b"\x0a\x4d\0\xff"),
    (43, b"abc"),
    (55, bytes((1, 3, 6, 51, 54))),
    (57, b"\2\x40"),
    (60, b"x"),
    (82, b"\1\2ab"),
    (121, b"\x18\x0a\0\0\x0a\x4d\0\1"),
    (224, bytes(range(200))),
)
"""Options that nothing rests on, as bytes of their kind."""


def some_options(random: Random) -> Options:
    """A few of them."""
    chosen = random.sample(MORE, random.randrange(5))
    read: list[tuple[int, Any]] = [
        (code, TABLE[code].kind.read(data) if code in TABLE else data) for code, data in chosen
    ]
    return Options(read)


def payload(random: Random, message: Message) -> bytes:
    """The message, mostly damaged, or something else altogether."""
    luck = random.random()
    if luck < 0.02:
        return random.randbytes(random.choice((0, 1, 100, 239, 240, 300, 576)))
    data = bytearray(encode(message, limit=2000))
    if luck < 0.06:
        return bytes(data[:OPTIONS_AT]) + random.randbytes(random.randrange(80))
    if luck < 0.16:
        return bytes(data)
    if random.random() < 0.3:
        data = bytearray(data[:OPTIONS_AT] + bytes(data[OPTIONS_AT:]).rstrip(b"\0"))
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        random.choice(DAMAGES)(random, data)
    return bytes(data[:MOST])


# Damages -----------------------------------------------------------------------------------------


def places(data: bytearray) -> list[int]:
    """Where options begin, as far as it is plain."""
    found, at = [], OPTIONS_AT
    while at + 1 < len(data) and data[at] != 255:
        if data[at]:
            found.append(at)
            at += 1 + data[at + 1]
        at += 1
    return found


def byte(random: Random, data: bytearray) -> None:
    """One byte of the options is another."""
    if len(data) > OPTIONS_AT:
        data[random.randrange(OPTIONS_AT, len(data))] = random.randrange(256)


def anywhere(random: Random, data: bytearray) -> None:
    """A bit is another, wherever."""
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def cut(random: Random, data: bytearray) -> None:
    """It ends somewhere in the options."""
    del data[random.randrange(OPTIONS_AT, max(len(data), OPTIONS_AT + 1)) :]


def length(random: Random, data: bytearray) -> None:
    """An option's length is another, and its value stays."""
    if found := places(data):
        at = random.choice(found) + 1
        data[at] = random.choice((*LENGTHS, data[at] + 1 & 255, data[at] - 1 & 255))


def resized(random: Random, data: bytearray) -> None:
    """An option has another length, and as many bytes."""
    if found := places(data):
        at = random.choice(found)
        value = bytes(data[at + 2 : at + 2 + data[at + 1]])
        size = random.choice((0, 1, 2, 3, 5, min(len(value) + 1, 255)))
        data[at + 1 : at + 2 + len(value)] = bytes((size,)) + value[:size].ljust(size, b"\7")


def doubled(random: Random, data: bytearray) -> None:
    """An option is there twice."""
    if found := places(data):
        at = random.choice(found)
        data[OPTIONS_AT:OPTIONS_AT] = data[at : at + 2 + data[at + 1]]


def gone(random: Random, data: bytearray) -> None:
    """An option is missing."""
    if found := places(data):
        at = random.choice(found)
        del data[at : at + 2 + data[at + 1]]


def renamed(random: Random, data: bytearray) -> None:
    """An option has another code."""
    if found := places(data):
        data[random.choice(found)] = random.choice((*RESTED_ON, random.randrange(256)))


def more(random: Random, data: bytearray) -> None:
    """There is one option more, of any length."""
    code = random.choice((*RESTED_ON, *TABLE))
    size = random.choice((0, 1, 2, 3, 4, 5))
    at = random.choice((*places(data), OPTIONS_AT))
    data[at:at] = bytes((code, size)) + random.randbytes(size)


def overloaded(random: Random, data: bytearray) -> None:
    """Fields are said to hold options, and hold whatever."""
    data[OPTIONS_AT:OPTIONS_AT] = bytes((52, 1, random.choice((0, 1, 2, 3, 3, 4))))
    code, size = random.choice((*RESTED_ON, 12)), random.choice((0, 1, 4, 63, 126, 200))
    at = random.choice((44, 108, 108 + 124))
    field = (bytes((code, size)) + random.randbytes(size))[: 236 - at]
    data[at : at + len(field)] = field


def padded(random: Random, data: bytearray) -> None:
    """There are pads, or an end, between options."""
    at = random.choice((*places(data), OPTIONS_AT))
    data[at:at] = random.choice((b"\0", b"\0\0\0", b"\xff"))


DAMAGES: tuple[Callable[[Random, bytearray], None], ...] = (
    byte,
    byte,
    anywhere,
    cut,
    length,
    length,
    resized,
    resized,
    resized,
    doubled,
    gone,
    renamed,
    more,
    more,
    overloaded,
    padded,
)


# Frames ------------------------------------------------------------------------------------------


def frame(random: Random, source: IPv4Address, ports: tuple[int, int], data: bytes) -> bytes:
    """A frame with that payload; some are damaged, some have tags."""
    check = random.choice((Checksum.VERIFIED,) * 6 + (Checksum.ABSENT, Checksum.PENDING))
    said = Datagram(source, ALL_HOSTS, *ports, data, check)
    framed = bytearray(encode_frame(EVERYONE, b"\2\0\0\0\0\x11", said))
    if random.random() < 0.05:
        framed[12:12] = bytes.fromhex(random.choice(TAGS))
    if random.random() < 0.03:
        random.choice((anywhere, anywhere, byte))(random, framed)
    if random.random() < 0.01:
        del framed[random.randrange(len(framed)) :]
    return bytes(framed)
