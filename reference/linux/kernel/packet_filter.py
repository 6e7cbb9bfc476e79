"""Which frames a packet socket takes: a program that the kernel runs (classic BPF)."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence

from holdover.reference.wire.arp import ARP_TYPE, IPV4_TYPE
from holdover.reference.wire.frames import FRAGMENT, SERVICE_TAG, TAG, TAG_SIZE, UDP_PROTOCOL, VLAN

ATTACH_FILTER = 26
"""SO_ATTACH_FILTER, which `socket` does not name."""


MOST_BYTES = 1 << 16
"""More than a frame has."""


Instruction = tuple[int, int, int, int]
"""Code, where to jump if true and if false, operand (linux/filter.h)."""


LOAD_WORD, LOAD_HALF, LOAD_BYTE = 0x20, 0x28, 0x30


LOAD_WORD_INDEXED, LOAD_HALF_INDEXED, TO_INDEX = 0x40, 0x48, 0x07


ADD, SHIFT_LEFT, AND = 0x04, 0x64, 0x54


JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x15, 0x35, 0x45, 0x06


AUXILIARY = 0xFFFF_F000
"""SKF_AD_OFF: what the kernel knows of a frame besides its bytes."""


PACKET_KIND, TAKEN_OFF, TAG_PRESENT = AUXILIARY + 4, AUXILIARY + 44, AUXILIARY + 48
"""For whom it is; the tag that was taken off; whether one was, else there is no telling."""


OTHER_HOST = 3
"""PACKET_OTHERHOST; below it what is for this host, above it PACKET_OUTGOING and the kernel's."""


TYPE_AT, ARP_PROTOCOL_AT, IP_AT = 12, 16, 14


FRAGMENT_AT, PROTOCOL_AT = 20, 23


PORT_AT = IP_AT + 2


XID_AT, CHADDR_AT = IP_AT + 8 + 4, IP_AT + 8 + 28
"""In a UDP datagram, from the frame's start and less the size of the IPv4 header, and of a tag."""


Row = tuple[str, int, str, str, int]
"""A label, code, the label to go to if true and if false ("" for the next row), operand."""


def does(code: int, operand: int) -> Row:
    """A row that goes on to the next one."""
    return "", code, "", "", operand


def ret(size: int) -> Instruction:
    """End: so many bytes of the frame are taken."""
    return RETURN, 0, 0, size


def reply_rows(xid: int | None, hardware: bytes) -> tuple[Row, ...]:
    """What comes after the port: the xid and `chaddr` of a reply; None: no datagram is taken."""
    if xid is None:
        return (("", JUMP_EQUAL, "drop", "drop", 0),)
    first, rest = struct.unpack("!IH", hardware)
    return (
        does(LOAD_WORD_INDEXED, XID_AT),
        ("", JUMP_EQUAL, "", "drop", xid),
        does(LOAD_WORD_INDEXED, CHADDR_AT),
        ("", JUMP_EQUAL, "", "drop", first),
        does(LOAD_HALF_INDEXED, CHADDR_AT + 4),
        ("", JUMP_EQUAL, "", "drop", rest),
    )


def content_rows(more: int) -> tuple[Row, ...]:
    """From the EtherType, which is loaded, to UDP; `more`: bytes of a tag in front of it."""
    arp = f"arp {more}"
    return (
        ("", JUMP_EQUAL, arp, "", ARP_TYPE),
        ("", JUMP_EQUAL, "", "drop", IPV4_TYPE),
        does(LOAD_BYTE, PROTOCOL_AT + more),
        ("", JUMP_EQUAL, "", "drop", UDP_PROTOCOL),
        does(LOAD_HALF, FRAGMENT_AT + more),
        ("", JUMP_BITS, "drop", "", FRAGMENT),
        # What indexed loads add: the header's size, which is in its first byte in words of four.
        does(LOAD_BYTE, IP_AT + more),
        does(AND, 0xF),
        does(SHIFT_LEFT, 2),
        does(ADD, more),
        does(TO_INDEX, 0),
        ("", JUMP_EQUAL, "udp", "udp", 0),
        (arp, LOAD_HALF, "", "", ARP_PROTOCOL_AT + more),
        ("", JUMP_EQUAL, "take", "drop", IPV4_TYPE),
    )


def dhcp_filter(port: int, more: tuple[Row, ...] = ()) -> list[Instruction]:
    """ARP for IPv4, and whole UDP datagrams over IPv4 to the port, for this host and no VLAN."""
    return assemble(
        (
            does(LOAD_WORD, PACKET_KIND),
            ("", JUMP_AT_LEAST, "drop", "", OTHER_HOST),
            does(LOAD_WORD, TAG_PRESENT),
            ("", JUMP_EQUAL, "frame", "", 0),
            does(LOAD_WORD, TAKEN_OFF),
            ("", JUMP_BITS, "drop", "", VLAN),
            ("frame", LOAD_HALF, "", "", TYPE_AT),
            ("", JUMP_EQUAL, "tag", "", TAG),
            ("", JUMP_EQUAL, "tag", "", SERVICE_TAG),
            *content_rows(0),
            ("tag", LOAD_HALF, "", "", TYPE_AT + 2),
            ("", JUMP_BITS, "drop", "", VLAN),
            does(LOAD_HALF, TYPE_AT + TAG_SIZE),
            *content_rows(TAG_SIZE),
            ("udp", LOAD_HALF_INDEXED, "", "", PORT_AT),
            ("", JUMP_EQUAL, "", "drop", port),
            *more,
            ("take", RETURN, "", "", MOST_BYTES),
            ("drop", RETURN, "", "", 0),
        )
    )


def assemble(rows: Sequence[Row]) -> list[Instruction]:
    """The program; the kernel counts a jump from the next instruction."""
    places = {label: at for at, (label, *_) in enumerate(rows) if label}
    return [
        (code, places[yes] - at if yes else 0, places[no] - at if no else 0, operand)
        for at, (_, code, yes, no, operand) in enumerate(rows, 1)
    ]


def attach(sock: socket.socket, program: list[Instruction]) -> None:
    """Have the kernel run the program on each frame (SO_ATTACH_FILTER)."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in program))
    where = struct.pack("@HP", len(program), ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, where)
