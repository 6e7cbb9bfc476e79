"""The least that a DHCP client in Python does: the floor under `holdover client`.

Theory of operation.  It makes the system calls that `holdover client` makes, in the same order, and
thinks as little as it can: frames are cut by offsets, and whatever could be checked, is not.  A
lease is written aside, synced, renamed, the directory synced; then one request sets the address.
What it prints is a line of JSON with its instants, by the names of `apart.py`.

It is no client: no retransmission, no renewal, nothing that a server may get wrong.

What it does not know: whether the bytes that it cuts are what they should be.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

INTERFACE, PLACE = "eth0", "/run/state"
OPTIONS_AT, ADDRESS_AT, XID_AT = 282, 58, 46
"""In a frame with headers of 14, 20 and 8 bytes."""

ASKS_FOR = bytes((55, 9, 1, 121, 3, 6, 15, 26, 28, 58, 59))


def sum16(data: bytes) -> int:
    """Of a header, with an even number of bytes."""
    return int.from_bytes(data, "big") % 0xFFFF


def frame(hardware: bytes, xid: bytes, options: bytes) -> bytes:
    """A broadcast request without a UDP checksum."""
    fixed = struct.pack(
        "!4B4s2H16s16s192x4s", 1, 1, 6, 0, xid, 0, 0, bytes(16), hardware, b"c\x82Sc"
    )
    message = (fixed + options + b"\xff").ljust(300, b"\0")
    size = len(message) + 8
    head = [0x45, 0, 20 + size, 0, 0x4000, 64, 17, 0, bytes(4), b"\xff" * 4]
    head[7] = 0xFFFF - sum16(struct.pack("!2B3H2BH4s4s", *head))
    return (
        b"\xff" * 6
        + hardware
        + b"\x08\0"
        + struct.pack("!2B3H2BH4s4s", *head)
        + struct.pack("!4H", 68, 67, size, 0)
        + message
    )


def options_of(data: bytes) -> dict[int, bytes]:
    """By their codes."""
    at, found = OPTIONS_AT, {}
    while data[at] != 255:
        if data[at]:
            found[data[at]] = data[at + 2 : at + 2 + data[at + 1]]
            at += 1 + data[at + 1]
        at += 1
    return found


def store(data: bytes) -> None:
    """Aside, synced, renamed, the directory synced."""
    file = os.open(f"{PLACE}/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(file, data)
    os.fsync(file)
    os.close(file)
    os.rename(f"{PLACE}/new", f"{PLACE}/lease")  # noqa: PTH104 -- as little as it can
    place = os.open(PLACE, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(place)
    os.close(place)


def new_address(index: int, address: bytes) -> bytes:
    """RTM_NEWADDR: a /24 for ten minutes."""
    body = struct.pack("=4BI", 2, 24, 0, 0, index)
    for kind in (2, 1):
        body += struct.pack("=2H4s", 8, kind, address)
    body += struct.pack("=2H4I", 20, 6, 600, 600, 0, 0)
    return struct.pack("=I2H2I", 16 + len(body), 20, 0x505, 1, 0) + body


def main() -> None:
    """From a DHCPDISCOVER to the address; then it stays, and does nothing."""
    stamps: list[tuple[str, int]] = []

    def stamp(name: str) -> None:
        stamps.append((name, time.time_ns()))

    Path(PLACE).mkdir(exist_ok=True)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.bind((INTERFACE, 3))
    hardware, index = link.getsockname()[4], socket.if_nametoindex(INTERFACE)
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    kernel.bind((0, 0))
    xid, poll = os.urandom(4), select.poll()
    poll.register(link, select.POLLIN)

    def heard(kind: int) -> tuple[bytes, dict[int, bytes]]:
        while True:
            poll.poll()
            stamp("turn")
            data = link.recv(1 << 16)
            ours = data[12:14] == b"\x08\0" and data[36:38] == b"\0D"
            if ours and data[XID_AT : XID_AT + 4] == xid:
                options = options_of(data)
                if options[53][0] == kind:
                    return data, options

    discover = frame(hardware, xid, b"\x35\1\1" + ASKS_FOR)
    time.sleep(1 + random.random())  # as a client does (RFC 2131 §4.4.1): it begins after a sleep
    link.send(discover)
    data, options = heard(2)
    wanted = b"\x32\4" + data[ADDRESS_AT : ADDRESS_AT + 4] + b"\x36\4" + options[54]
    request = frame(hardware, xid, b"\x35\1\3" + wanted + ASKS_FOR)
    stamp("send")
    link.send(request)
    data, options = heard(5)
    stamp("decided")
    store(data)
    stamp("stored")
    asked = new_address(index, data[ADDRESS_AT : ADDRESS_AT + 4])
    stamp("ask")
    kernel.send(asked)
    kernel.recv(4096)
    stamp("answered")
    sys.stdout.write(json.dumps({"stamps": stamps, "collected": []}) + "\n")
    sys.stdout.flush()
    signal.pause()  # whoever measures ends it


if __name__ == "__main__":
    main()
