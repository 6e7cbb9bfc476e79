"""A request to the kernel by rtnetlink, and its answer.

Theory of operation.  The kernel does what a request says before `send` returns, and its answer is
there at once; so this waits for it, and what is asked for later is done later.  pyroute2 writes and
reads the messages; its sockets, which bring an event loop each, are not used.  What it writes takes
longer than what the kernel does, so a request can be made ready before it is wanted (`encoded`).
The kernel's plain yes, which most requests get, is known by its bytes.

A list that changed while the kernel wrote it is asked for again.

What it does not know: what is asked.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from typing import Any

from pyroute2.netlink.rtnl.marshal import MarshalRtnl

NEW_LINK, DELETE_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26
ERROR, DONE = 2, 3
"""Types of messages (linux/rtnetlink.h, linux/netlink.h)."""

REQUEST, ACKNOWLEDGE, DUMP, INTERRUPTED = 0x1, 0x4, 0x300, 0x10
CREATE, REPLACE, EXCLUSIVE = 0x400, 0x100, 0x200
"""Flags of messages."""

GROUPS = 0x1 | 0x10
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR."""

HEADER = struct.Struct("=I2H2I")
"""struct nlmsghdr: length, type, flags, sequence number, port."""

ANSWER = struct.Struct("=4xH2xI4xi")
"""Type, sequence number and error of struct nlmsghdr and the struct nlmsgerr behind it."""

SOL_NETLINK, EXTENDED_ACK = 270, 11
MOST_BYTES = 1 << 16


class KernelRefusedError(OSError):
    """The kernel did not do what it was asked to; `strerror` says what and why."""


class RequestSocket:
    """A socket for requests."""

    def __init__(self) -> None:
        self._marshal = MarshalRtnl()
        self._number = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(SOL_NETLINK, EXTENDED_ACK, 1)
        self._socket.bind((0, 0))

    def close(self) -> None:
        """Ask nothing more."""
        self._socket.close()

    def ask(self, kind: int, flags: int, message: Any) -> list[Any]:
        """Send a request and read its answer; Refused where the kernel says no."""
        return self.ask_encoded(encode_request(kind, flags, message))

    def ask_encoded(self, request: bytearray) -> list[Any]:
        """The same with what `encoded` has made ready, as often as it is wanted."""
        length, kind, flags, _, port = HEADER.unpack_from(request)
        while True:
            self._number += 1
            HEADER.pack_into(request, 0, length, kind, flags, self._number, port)
            self._socket.send(request)
            found, whole = self._answer(bool(flags & (DUMP | ACKNOWLEDGE)))
            if whole:
                return found

    def _answer(self, ends: bool) -> tuple[list[Any], bool]:
        """The messages of an answer, and whether nothing changed while they were written."""
        found: list[Any] = []
        whole = True
        while True:
            data = self._socket.recv(MOST_BYTES)
            if ANSWER.unpack_from(data) == (ERROR, self._number, 0):
                return found, whole
            for message in self._marshal.parse(data):
                header = message["header"]
                if header["sequence_number"] != self._number:
                    continue
                if header["error"] is not None:
                    raise to_refusal(header["error"])
                whole = whole and not header["flags"] & INTERRUPTED
                if header["type"] in (ERROR, DONE):
                    return found, whole
                found.append(message)
                if not ends:
                    return found, whole


class Hearing:
    """A socket that hears of links and IPv4 addresses."""

    def __init__(self) -> None:
        self._marshal = MarshalRtnl()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.bind((0, GROUPS))
        self._said = select.poll()
        self._said.register(self._socket, select.POLLIN)

    def fileno(self) -> int:
        """For who waits until there is something to hear."""
        return self._socket.fileno()

    def hear(self) -> tuple[list[Any], bool]:
        """What was heard since the last call, and whether some of it was lost; never waits."""
        heard: list[Any] = []
        lost = False
        while self._said.poll(0):  # it costs less than an error that is raised and caught
            try:
                heard.extend(self._marshal.parse(self._socket.recv(MOST_BYTES)))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
        return heard, lost

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()


def fields(message: Any, *attributes: tuple[str, object], **values: int) -> Any:
    """The message with these fields and attributes."""
    for name, value in values.items():
        message[name] = value
    message["attrs"] = list(attributes)
    return message


def encode_request(kind: int, flags: int, message: Any) -> bytearray:
    """A request as the kernel reads it; `RequestSocket.ask_encoded` gives it its number."""
    message["header"].update(type=kind, flags=REQUEST | flags, sequence_number=0, pid=0)
    message.reset()
    message.encode()
    return bytearray(message.data)


def to_refusal(error: Any) -> KernelRefusedError:
    """What pyroute2 read from the kernel's answer: a number, and perhaps words."""
    number, *words = error.args
    said = next((word for word in words if isinstance(word, str)), None)
    return KernelRefusedError(number, said or errno.errorcode.get(number, "error"))
