"""The IPv4 addresses of another host, looked at and listened for from here.

Theory of operation.  A socket stays in the network namespace in which it was opened: so a process
enters a host's for a moment, opens two sockets of rtnetlink there, and comes back.  One is
asked for all addresses; the other hears of each change.

Messages are read by hand and not by pyroute2: that is done some twenty times a second on each of
many links, and there is but one kind of them.

What it does not know: interfaces other than eth0, and when anything happened.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Interface

from holdover.reference.lab.record.record import Addresses
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.namespace import inside

PORT = "eth0"
MOST_BYTES = 1 << 16

MESSAGE, ABOUT, ATTRIBUTE, LIFETIME = map(struct.Struct, ("=I2H2I", "=4BI", "=2H", "=2I"))
"""nlmsghdr, ifaddrmsg, rtattr, the beginning of ifa_cacheinfo (linux/netlink.h, if_addr.h)."""

DONE, NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 3, 20, 21, 22
LOCAL, CACHE = 2, 6
FOREVER = 0xFFFFFFFF
GROUP = 0x10
"""RTMGRP_IPV4_IFADDR."""

QUESTION = MESSAGE.pack(MESSAGE.size + ABOUT.size, GET_ADDRESS, 0x301, 0, 0) + ABOUT.pack(
    socket.AF_INET, 0, 0, 0, 0
)
"""A dump of all IPv4 addresses (NLM_F_REQUEST, NLM_F_DUMP)."""

Said = tuple[int, int, IPv4Interface, "int | None"]
"""Type of message, interface, address, seconds that it is valid."""


def parse(data: bytes) -> Iterator[Said | None]:
    """What a datagram of rtnetlink says of IPv4 addresses; None: this was all."""
    at = 0
    while at + MESSAGE.size <= len(data):
        size, kind, *_ = MESSAGE.unpack_from(data, at)
        if kind == DONE:
            yield None
        if kind in (NEW_ADDRESS, DELETE_ADDRESS):
            yield _address(kind, data[at + MESSAGE.size : at + size])
        at += max(size + 3 & ~3, MESSAGE.size)


def ends(data: bytes) -> bool:
    """Whether a datagram is the last of a dump."""
    at = 0
    while at + MESSAGE.size <= len(data):
        size, kind, *_ = MESSAGE.unpack_from(data, at)
        if kind == DONE:
            return True
        at += max(size + 3 & ~3, MESSAGE.size)
    return False


def _address(kind: int, data: bytes) -> Said:
    _, prefix, _, _, index = ABOUT.unpack_from(data)
    address, valid, at = bytes(4), FOREVER, ABOUT.size
    while at + ATTRIBUTE.size <= len(data):
        size, name = ATTRIBUTE.unpack_from(data, at)
        if name == LOCAL:
            address = data[at + ATTRIBUTE.size : at + size]
        if name == CACHE:
            _, valid = LIFETIME.unpack_from(data, at + ATTRIBUTE.size)
        at += max(size + 3 & ~3, ATTRIBUTE.size)
    return kind, index, IPv4Interface((address, prefix)), None if valid == FOREVER else valid


class Watched:
    """A host, and two sockets in its namespace; `held`: what it has, as far as is known."""

    def __init__(self, name: str, space: str) -> None:
        self.name = name
        self.held: set[IPv4Interface] = set()
        self.told: Addresses | None = None
        self._heard: list[bytes] = []
        self._found: dict[IPv4Interface, int | None] = {}
        with inside(space):
            self.index = socket.if_nametoindex(PORT)
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
                link.bind((PORT, 0))
                self.hardware: bytes = link.getsockname()[-1]
            self._asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.hearing = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.hearing.setblocking(False)
        self.hearing.bind((0, GROUP))
        self.since = now()

    def look(self) -> dict[IPv4Interface, int | None]:
        """What it has now; the kernel answers at once.  The same words are not read twice."""
        self._asking.send(QUESTION)
        heard = [self._asking.recv(MOST_BYTES)]
        while not ends(heard[-1]):
            heard.append(self._asking.recv(MOST_BYTES))
        if heard != self._heard:
            self._heard = heard
            said = (each for data in heard for each in parse(data) if each is not None)
            self._found = {
                address: valid for _, index, address, valid in said if index == self.index
            }
        return self._found

    def hear(self) -> Iterator[Said]:
        """What the kernel has said since; OSError where some of it is lost."""
        while True:
            try:
                data = self.hearing.recv(MOST_BYTES)
            except BlockingIOError:
                return
            yield from (said for said in parse(data) if said is not None and said[1] == self.index)
