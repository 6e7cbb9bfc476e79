"""When a client's messages are on the wire, and when its address is there.

Theory of operation.  A `Stopwatch` hears the cable of a host (a packet socket in the switch's
namespace) and the host's kernel (rtnetlink).  It looks at what it has heard when the address is
there, and not before: what it does meanwhile, it does on the two cores on which client and server
run.

Two parts of the time are the client's (`Timed.own`): from the DHCPOFFER to the DHCPREQUEST, and
from the DHCPACK to the address.  The rest is the server's.

What it does not know: when the kernel has set the address; it knows when it has heard of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from holdover.reference.lab.testbed.netns import Host
from holdover.reference.lab.testbed.process import Process, UnheardError, eventually
from holdover.reference.linux.kernel.rtnetlink import NEW_ADDRESS
from holdover.reference.wire.frames import CLIENT_PORT, SERVER_PORT, Datagram, decode_frame
from holdover.reference.wire.option_values import MessageType, WireError
from holdover.reference.wire.packet import decode

FIRST, LAST = (IPv4Address(f"10.77.0.{n}") for n in (50, 99))
LONG = 40
"""Seconds: our client waits up to ten before it asks, dhclient asks again after up to ten."""

NEW_NETWORK, ADDRESS_GROUP = 0x4000_0000, 0x10
"""CLONE_NEWNET, RTMGRP_IPV4_IFADDR."""

TIMESTAMP = 35
"""SO_TIMESTAMPNS, which `socket` does not name."""

ORDER = (MessageType.DISCOVER, MessageType.OFFER, MessageType.REQUEST, MessageType.ACK)


@dataclass(frozen=True, slots=True)
class Timed:
    """When each message of `ORDER` was first on the wire, and when the address was there: in ns."""

    messages: tuple[int, ...]
    there: int

    @property
    def seconds(self) -> float:
        """From the DHCPDISCOVER to the address."""
        return (self.there - self.messages[0]) / 1e9

    @property
    def own(self) -> float:
        """What of it the client took, in seconds: after the DHCPOFFER, and after the DHCPACK."""
        _, offered, requested, acknowledged = self.messages
        return (requested - offered + self.there - acknowledged) / 1e9


class Stopwatch(threading.Thread):
    """Hears a host's cable and its kernel; `timed` is there when both have said their word.

    The frame's instant is the kernel's (SO_TIMESTAMPNS), the address's is when this thread wakes.
    A thread of its own, since the namespace in which a socket is made is a thread's.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(daemon=True)
        self.timed: Timed | None = None
        self.listens, self.over = threading.Event(), threading.Event()
        self._host = host

    def run(self) -> None:
        """Until the address is there."""
        host = self._host
        enter(host.switch)
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.setsockopt(socket.SOL_SOCKET, TIMESTAMP, 1)
        wire.bind((host.port, 0x0003))
        wire.setblocking(False)
        enter(host.space)
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        kernel.bind((0, ADDRESS_GROUP))
        poll = select.poll()
        frames: list[tuple[bytes, bytes]] = []
        there = None
        with wire, kernel:
            for each in (wire, kernel):
                poll.register(each, select.POLLIN)
            self.listens.set()
            while there is None and not self.over.is_set():
                ready = [file for file, _ in poll.poll(200)]
                at = time.time_ns()
                if kernel.fileno() in ready:
                    said = kernel.recv(1 << 16)
                    there = at if any(map(leased, MarshalRtnl().parse(said))) else None
                if wire.fileno() in ready or there is not None:
                    with contextlib.suppress(BlockingIOError):
                        while True:  # what led to the address was on the wire before it
                            data, ((_, _, stamp),), *_ = wire.recvmsg(1 << 16, 64)
                            frames.append((data, stamp))
        heard: dict[MessageType, int] = {}
        for data, stamp in frames:
            kind = message_type(data)
            # An answer to another host, or of an exchange before, is before its question.
            if kind in ORDER and ORDER.index(kind) == len(heard):
                seconds, nanoseconds = struct.unpack("@ll", stamp)
                heard[kind] = seconds * 10**9 + nanoseconds
        if len(heard) == len(ORDER) and there is not None:
            self.timed = Timed(tuple(heard[kind] for kind in ORDER), there)


def enter(space: str) -> None:
    """From now on this thread is in the namespace."""
    with Path(f"/run/netns/{space}").open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")


def message_type(data: bytes) -> MessageType | None:
    """Of the DHCP message in a frame; None where there is none."""
    with contextlib.suppress(WireError):
        content = decode_frame(data).content
        if isinstance(content, Datagram) and content.destination_port in (SERVER_PORT, CLIENT_PORT):
            return decode(content.payload).message_type
    return None


def leased(message: object) -> bool:
    """Whether the kernel says that an address of the pool is there."""
    assert isinstance(message, dict)
    if message["header"]["type"] != NEW_ADDRESS:
        return False
    (address,) = [value for name, value in message["attrs"] if name == "IFA_LOCAL"]
    return FIRST <= IPv4Address(address) <= LAST


def timed(
    host: Host,
    begin: Callable[[Host, Path], Process],
    place: Path,
    says: Callable[[Process], object] = lambda client: None,
) -> Timed:
    """How long a client takes; then it is gone, and what it has configured.

    `says` is handed the client when it has its address, and may wait for what it says.
    """
    watch = Stopwatch(host)
    watch.start()
    try:
        if not watch.listens.wait(LONG):
            raise UnheardError("the stopwatch does not listen")
        client = begin(host, place)
        try:
            eventually(lambda: watch.timed or client.running.poll() is not None, LONG, "address")
        except UnheardError as error:
            raise UnheardError(f"{error}\n{place}\n{client.lines}\n{client.errors}") from None
        else:
            says(client)
        finally:
            client.end()
    finally:
        watch.over.set()
        watch.join()
    host.ip("addr", "flush", "dev", "eth0")
    host.ip("route", "flush", "dev", "eth0")
    if watch.timed is None:
        raise UnheardError(f"it has ended\n{place}\n{client.errors}")
    return watch.timed
