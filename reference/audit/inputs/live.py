"""Follows an interface: observations as they happen, until somebody says stop.

Theory of operation.  A packet socket hears each frame that comes or goes, those for others too
(promiscuous mode).  What has come is put together to a batch, and walked like that of a file, so
observations are some tens of milliseconds late, and a run of uses as long as it lasts; memory is
that of one batch, and of the runs.  The kernel stamps each frame with the wall clock, tells which
VLAN's tag it has taken off (it is put back), and, when asked, how many frames it has had to drop
since it was asked last: that is a `Gap` of this length, as is the time in which the interface was
down.

What it does not know: links other than Ethernet; what a switch does not send to this port.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import chain

import numpy as np

from holdover.model.errors import InputError, nearest
from holdover.reference.audit.inputs.formats import Loss
from holdover.reference.audit.inputs.kernel import columns
from holdover.reference.audit.inputs.points import mark_copies
from holdover.reference.audit.inputs.walk import Item, Walk, seen_of
from holdover.reference.audit.observations import Observation
from holdover.reference.core.instants import SECOND, Instant

FRAMES, ROOM = 1 << 11, 1 << 22
"""Frames, and bytes, of a batch at most."""

LARGEST = 1 << 17
"""Bytes of a frame at most, as the kernel hands over what a card will cut later."""

QUEUE = 1 << 24
"""Bytes that may wait for this process; the kernel may grant less."""

WAIT, SETTLED, LONG = 0.05, SECOND // 20, SECOND
"""Seconds to wait for a frame at most; nanoseconds after which no earlier one comes any more, and
for which frames are taken before anything else is done."""

ALL_TYPES, ETHERNET = 0x0003, 1
"""ETH_P_ALL, ARPHRD_ETHER."""

SOL_PACKET, MEMBERSHIP, STATISTICS, AUXILIARY, PROMISCUOUS = 263, 1, 6, 8, 1
"""PACKET_ADD_MEMBERSHIP, PACKET_STATISTICS, PACKET_AUXDATA, PACKET_MR_PROMISC."""

STAMPS, FORCE = 35, 33
"""SO_TIMESTAMPNS, SO_RCVBUFFORCE."""

AUXILIARY_DATA = struct.Struct("=3I4H")
TAGGED, TAG_TYPE = 0x10, 0x40
"""TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID."""


class InterfaceFollower:
    """Hears an interface; InputError where that cannot be."""

    def __init__(self, interface: str, networks: Iterable[IPv4Network] = ()) -> None:
        self.walk = Walk(interface, networks)
        self._interface = interface
        self._socket = open_socket(interface)
        self._room = bytearray(ROOM)
        self._data = np.frombuffer(self._room, np.uint8)
        self._off, self._cap, self._times, self._iface = (
            np.zeros(FRAMES, np.int64) for _ in range(4)
        )
        self._links = np.array([columns.ETHERNET], np.int64)
        self._asked: Instant = time.time_ns()
        self._is_down = False
        self._count = 0
        self._losses: list[Loss] = []

    def run(self, stop: threading.Event) -> Iterator[Sequence[Item]]:
        """What has happened since, again and again, until `stop` is set; then the rest."""
        try:
            while not stop.is_set():
                select.select([self._socket], (), (), WAIT)
                asked = time.time_ns()
                while self._hear() and time.time_ns() - asked < LONG:
                    yield self._feed()
                self._count_drops()
                yield self._feed()
                self.walk.pass_time(asked - SETTLED)
                yield self.walk.flush(over=False)
            stopped = time.time_ns()
            while self._hear() and time.time_ns() - stopped < LONG:
                yield self._feed()
            self._count_drops()
            yield self._feed()
            yield self.walk.finish(self._losses)
        finally:
            self._socket.close()

    def _hear(self) -> bool:
        """A batch of what waits in the socket; whether there may be more."""
        count = at = 0
        while count < FRAMES and at + LARGEST <= ROOM:
            room = memoryview(self._room)[at : at + LARGEST]
            try:
                size, extras, _, _ = self._socket.recvmsg_into([room], 256)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise InputError(
                        f"interface {self._interface}: cannot be heard any more: {error.strerror}"
                    ) from None
                self._is_down = True
                self._lose(self._asked, time.time_ns(), "the interface went down")
                break
            stamp, tag = read_extras(extras)
            stamp = stamp or time.time_ns()
            if self._is_down:
                self._lose(self._asked, stamp, "the interface was down")
                self._is_down = False
            if tag is not None:
                self._room[at + 16 : at + 4 + size] = self._room[at + 12 : at + size]
                self._room[at + 12 : at + 16] = tag
                size += 4
            self._off[count], self._cap[count], self._times[count] = at, size, stamp
            count, at = count + 1, at + size
        self._count = count
        return count == FRAMES or at + LARGEST > ROOM

    def _feed(self) -> Sequence[Item]:
        """What the batch shows."""
        count, self._count = self._count, 0
        if not count and not self._losses:
            return ()
        arrays = self._off, self._cap, self._times, self._iface
        return self.walk.feed(self._data, arrays, count, self._links, self._losses)

    def _count_drops(self) -> None:
        """What the kernel has dropped since it was asked last."""
        _, dropped = struct.unpack("=2I", self._socket.getsockopt(SOL_PACKET, STATISTICS, 8))
        asked = time.time_ns()
        if dropped:
            why = f"the kernel dropped {dropped} frames: this machine was too slow"
            self._lose(self._asked, asked, why)
        if not self._is_down:
            self._asked = asked

    def _lose(self, since: Instant, until: Instant, why: str) -> None:
        self._losses.append(Loss(min(since, until), until, self.walk.frames, why))


def read_extras(extras: Iterable[tuple[int, int, bytes]]) -> tuple[Instant | None, bytes | None]:
    """The time of a frame, and the tag that was taken off it."""
    stamp, tag = None, None
    for level, kind, data in extras:
        if level == socket.SOL_SOCKET and kind == STAMPS:
            seconds, rest = struct.unpack("=2q", data[:16])
            stamp = seconds * SECOND + rest
        elif level == SOL_PACKET and kind == AUXILIARY:
            status, *_, control, ethertype = AUXILIARY_DATA.unpack_from(data)
            if status & TAGGED:
                outer = ethertype if status & TAG_TYPE else 0x8100
                tag = struct.pack("!2H", outer, control)
    return stamp, tag


def open_socket(interface: str) -> socket.socket:
    """A packet socket that hears all of an interface, and does not wait."""
    names = tuple(name for _, name in socket.if_nameindex())
    if interface not in names:
        raise InputError(f"interface {interface}: there is none; {nearest(interface, names)}")
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        raise InputError(
            f"interface {interface}: only root may hear it (CAP_NET_RAW): run it as root, or "
            "capture with tcpdump and audit the file"
        ) from None
    opened.setblocking(False)
    for option in (socket.SO_RCVBUF, FORCE):
        try:
            opened.setsockopt(socket.SOL_SOCKET, option, QUEUE)
        except PermissionError:
            continue
    opened.setsockopt(socket.SOL_SOCKET, STAMPS, 1)
    opened.setsockopt(SOL_PACKET, AUXILIARY, 1)
    wanted = struct.pack("=I2H8s", socket.if_nametoindex(interface), PROMISCUOUS, 0, b"")
    opened.setsockopt(SOL_PACKET, MEMBERSHIP, wanted)
    try:
        opened.bind((interface, ALL_TYPES))
    except OSError as error:
        opened.close()
        raise InputError(f"interface {interface}: cannot be heard: {error.strerror}") from None
    if opened.getsockname()[3] != ETHERNET:
        opened.close()
        raise InputError(f"interface {interface}: is no Ethernet: its hosts cannot be told apart")
    return opened


def follow(
    interface: str, stop: threading.Event, networks: Iterable[IPv4Network] = ()
) -> Iterator[Observation]:
    """The observations of an interface in time order, until `stop` is set.

    It ends within WAIT of that, or when the next one is asked for.
    """
    follower = InterfaceFollower(interface, networks)
    return chain.from_iterable(mark_copies(map(seen_of, follower.run(stop))))
