"""A copy of a capture as pcapng, in which the frames of evidence have comments.

Theory of operation.  Comments are an option of pcapng's packets (`opt_comment`), which Wireshark
and tshark show: `tshark -r out.pcapng -Y frame.comment`.  A capture in the older format, pcap, is
turned into a section of pcapng with one interface, at the same resolution of time.  Of one that is
pcapng already each block is copied as it is, but for packets that get a comment: theirs is put
before the end of their options.  Several captures become sections one after another.  All is read
and written once, a block at a time.

Frames are counted as the audit counts them, from 1, over all packets of a file.  What the last
whole packet is followed by, in a file that was cut off, is not copied.

What it does not know: compression (it reads a stream); what is in a frame.  A simple packet block
has no room for a comment, and no time either, so it is nobody's evidence.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from holdover.model.errors import InputError
from holdover.reference.audit.monitor.results import Audit

SECTION, INTERFACE, PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
"""Types of pcapng's blocks; PACKET is the obsolete one."""

PACKETS = (PACKET, SIMPLE, ENHANCED)
END_OF_OPTIONS, COMMENT, RESOLUTION = 0, 1, 9
"""Options: of any block, of any block, and of an interface (if_tsresol)."""

ORDER = b"\x1a\x2b\x3c\x4d"
"""The byte-order magic of a section, as a big-endian program writes it."""

MOST_BLOCK = 1 << 26
"""Bytes of a block that are taken; more is no capture."""

MOST_COMMENT = 0xFFFC
"""Bytes of a comment."""

PCAP = {
    b"\xa1\xb2\xc3\xd4": (">", 6),
    b"\xd4\xc3\xb2\xa1": ("<", 6),
    b"\xa1\xb2\x3c\x4d": (">", 9),
    b"\x4d\x3c\xb2\xa1": ("<", 9),
}
"""The first bytes of a pcap: its byte order, and how many digits of a second it has."""


class ReadableBytes(Protocol):
    """What is copied."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer at the end."""


class WritableBytes(Protocol):
    """What takes the copy."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""


Comments = Mapping[int, str]
"""By the number of a frame."""


def comments_of(audit: Audit) -> Mapping[str, Comments]:
    """The comments of an audit, by file and frame; a finding's sentence is at its last evidence."""
    found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for number, finding in enumerate(audit.findings, 1):
        for each in finding.evidence:
            named = ", ".join(filter(None, (finding.kind, finding.rule)))
            said = f"holdover, finding {number} ({named}): {each.what}"
            if each is finding.evidence[-1]:
                said += f"\n{finding.sentence}"
            found[each.where.file][each.where.number].append(said)
    return {
        file: {number: "\n".join(said) for number, said in by_frame.items()}
        for file, by_frame in found.items()
    }


def copy_with_comments(
    source: ReadableBytes, comments: Comments, out: WritableBytes, name: str
) -> int:
    """Copy a capture, and how many frames got their comment; InputError where it is none."""
    magic = source.read(4)
    if magic in PCAP:
        return _copy_pcap(source, comments, out, *PCAP[magic])
    if magic == SECTION.to_bytes(4, "big"):
        return _copy_pcapng(source, comments, out)
    raise InputError(f"{name}: byte 0: no pcap and no pcapng, so it cannot be annotated")


# From pcap ---------------------------------------------------------------------------------------


def _copy_pcap(
    source: ReadableBytes, comments: Comments, out: WritableBytes, order: str, digits: int
) -> int:
    head = source.read(20)
    if len(head) < 20:
        return 0
    _, _, _, _, longest, link = struct.unpack(f"{order}2H i 3I", head)
    resolution = _option(order, RESOLUTION, bytes([digits]))
    magic = struct.pack(f"{order}I", int.from_bytes(ORDER, "big"))
    section = magic + struct.pack(f"{order}2H q", 1, 0, -1)
    out.write(_block(order, SECTION, section))
    described = struct.pack(f"{order}2H I", link & 0xFFFF, 0, longest)
    out.write(_block(order, INTERFACE, described + resolution + _end(order)))
    number = done = 0
    while len(record := source.read(16)) == 16:
        seconds, fraction, captured, length = struct.unpack(f"{order}4I", record)
        if captured > MOST_BLOCK or len(data := source.read(captured)) < captured:
            break
        number += 1
        high, low = divmod(seconds * 10**digits + fraction, 1 << 32)
        body = struct.pack(f"{order}5I", 0, high & 0xFFFFFFFF, low, captured, length)
        body += data + bytes(-captured % 4)
        if (comment := comments.get(number)) is not None:
            body += _comment(order, comment) + _end(order)
            done += 1
        out.write(_block(order, ENHANCED, body))
    return done


# From pcapng -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CopiedBlock:
    """A block of pcapng: the byte order of its section, its type, and what is between lengths."""

    order: str
    kind: int
    body: bytes


def _copy_pcapng(source: ReadableBytes, comments: Comments, out: WritableBytes) -> int:
    number = done = 0
    for block in _blocks(source):
        body = block.body
        if block.kind in PACKETS:
            number += 1
            comment = comments.get(number)
            if comment is not None and block.kind != SIMPLE:
                body = _with_comment(block, comment)
                done += 1
        out.write(_block(block.order, block.kind, body))
    return done


def _blocks(source: ReadableBytes) -> Iterator[CopiedBlock]:
    """The blocks of a file of which the first four bytes are read; those that are whole."""
    order, kind = "<", SECTION.to_bytes(4, "big")
    while len(kind) == 4:
        lengths = source.read(4)
        if kind == SECTION.to_bytes(4, "big"):
            magic = source.read(4)
            if magic not in (ORDER, ORDER[::-1]):
                return
            order = ">" if magic == ORDER else "<"
        else:
            magic = b""
        if len(lengths) < 4:
            return
        (length,) = struct.unpack(f"{order}I", lengths)
        if not 12 + len(magic) <= length <= MOST_BLOCK or length % 4:
            return
        wanted = length - 12 - len(magic)
        body = source.read(wanted)
        if len(body) < wanted or len(source.read(4)) < 4:
            return
        yield CopiedBlock(order, struct.unpack(f"{order}I", kind)[0], magic + body)
        kind = source.read(4)


def _with_comment(block: CopiedBlock, comment: str) -> bytes:
    """The body of a packet, with one more option in front of the end of its options."""
    at = struct.calcsize(f"{block.order}5I")
    (captured,) = struct.unpack_from(f"{block.order}I", block.body, 12)
    options = at + captured + -captured % 4
    end = options
    while end + 4 <= len(block.body):
        code, length = struct.unpack_from(f"{block.order}2H", block.body, end)
        if code == END_OF_OPTIONS:
            break
        end += 4 + length + -length % 4
    end = min(end, len(block.body))
    return block.body[:end] + _comment(block.order, comment) + _end(block.order)


# Blocks and options ------------------------------------------------------------------------------


def _block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def _option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}2H", code, len(value)) + value + bytes(-len(value) % 4)


def _comment(order: str, text: str) -> bytes:
    return _option(order, COMMENT, text.encode()[:MOST_COMMENT])


def _end(order: str) -> bytes:
    return struct.pack(f"{order}2H", END_OF_OPTIONS, 0)
