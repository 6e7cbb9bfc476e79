"""Follows an interface: observations as they happen, until somebody says stop.

Theory of operation.  The kernel writes each frame that comes or goes into a packet ring
(`ring.py`).  What it hands over is walked where it stands, like a batch of a file, so observations
are some tens of milliseconds late, and a run of uses as long as it lasts; memory is that of the
ring, of one batch, and of the runs.  The kernel tells which VLAN's tag it has taken off (it is put
back), and, when asked, how many frames it has had to drop since it was asked last: that is a `Gap`
of this length, as is the time in which the interface was down.

What it does not know: links other than Ethernet; what a switch does not send to this port.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import chain

import numpy as np

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.formats import BATCH, Loss
from holdover.reference.audit.inputs.kernel import columns, places
from holdover.reference.audit.inputs.points import mark_copies
from holdover.reference.audit.inputs.ring import RETIRE, PacketRing
from holdover.reference.audit.inputs.walk import Item, Walk, seen_of
from holdover.reference.audit.observations import Observation
from holdover.reference.core.instants import SECOND, Instant

WAIT, SETTLED, LONG = 0.05, SECOND // 5, SECOND
"""Seconds to wait for a frame at most; nanoseconds after which no earlier one comes any more, and
for which frames are taken before anything else is done."""

LAST = 3 * RETIRE / 1000
"""Seconds after the end in which the kernel has handed over what it heard before."""

BIG = sys.byteorder == "big"


class InterfaceFollower:
    """Hears an interface; InputError where that cannot be."""

    def __init__(self, interface: str, networks: Iterable[IPv4Network] = ()) -> None:
        self.walk = Walk(interface, networks)
        self._interface = interface
        compile_all()
        self._ring = PacketRing(interface)
        self._off, self._cap, self._times, self._iface = (
            np.zeros(BATCH, np.int64) for _ in range(4)
        )
        self._links = np.array([columns.ETHERNET], np.int64)
        self._asked: Instant = time.time_ns()
        self._is_down = False
        self._losses: list[Loss] = []

    def run(self, stop: threading.Event) -> Iterator[Sequence[Item]]:
        """What has happened since, again and again, until `stop` is set; then the rest."""
        try:
            while not stop.is_set():
                self._ring.wait(WAIT)
                asked = time.time_ns()
                yield from self._hear(asked + LONG)
                yield self._feed(0)
                self.walk.pass_time(asked - SETTLED)
                yield self.walk.flush(over=False)
            end = time.monotonic() + LAST
            while (left := end - time.monotonic()) > 0:
                self._ring.wait(left)
                yield from self._hear(time.time_ns() + LONG)
            yield self._feed(0)
            yield self.walk.finish(self._losses)
        finally:
            self._ring.close()

    def _hear(self, until: Instant) -> Iterator[Sequence[Item]]:
        """What is in the blocks that the kernel has handed over, and what was lost meanwhile."""
        while (block := self._ring.ready()) is not None and time.time_ns() < until:
            at, left = block
            while left:
                count, at = places.index_block(
                    self._ring.data, at, left, BIG, self._off, self._cap, self._times
                )
                left -= count
                if self._is_down:
                    self._lose(self._asked, int(self._times[0]), "the interface was down")
                    self._is_down = False
                yield self._feed(count)
            self._ring.give_back()
        self._note_down()
        self._count_drops()

    def _feed(self, count: int) -> Sequence[Item]:
        """What so many frames show."""
        if not count and not self._losses:
            return ()
        arrays = self._off, self._cap, self._times, self._iface
        return self.walk.feed(self._ring.data, arrays, count, self._links, self._losses)

    def _note_down(self) -> None:
        """Whether the interface has gone down."""
        error = self._ring.take_error()
        if error == errno.ENETDOWN:
            self._is_down = True
            self._lose(self._asked, time.time_ns(), "the interface went down")
        elif error:
            raise InputError(
                f"interface {self._interface}: cannot be heard any more: {os.strerror(error)}"
            )

    def _count_drops(self) -> None:
        """What the kernel has dropped since it was asked last."""
        dropped = self._ring.take_drops()
        asked = time.time_ns()
        if dropped:
            why = f"the kernel dropped {dropped} frames: this machine was too slow"
            self._lose(self._asked, asked, why)
        if not self._is_down:
            self._asked = asked

    def _lose(self, since: Instant, until: Instant, why: str) -> None:
        self._losses.append(Loss(min(since, until), until, self.walk.frames, why))


def compile_all() -> None:
    """Have compiled what looks at frames, before the first of them waits for it.

    Where numba has kept nothing of it, that takes half a minute.
    """
    nothing, links = np.zeros(64, np.uint8), np.array([columns.ETHERNET], np.int64)
    off, cap, times, interfaces = (np.zeros(1, np.int64) for _ in range(4))
    places.index_block(nothing, 0, 0, BIG, off, cap, times)
    walk = Walk("nothing")
    walk.pass_time(0)
    walk.feed(nothing, (off, cap, times, interfaces), 0, links, [])
    walk.flush()


def follow(
    interface: str, stop: threading.Event, networks: Iterable[IPv4Network] = ()
) -> Iterator[Observation]:
    """The observations of an interface in time order, until `stop` is set.

    It ends within WAIT and LAST of that, or when the next one is asked for.
    """
    follower = InterfaceFollower(interface, networks)
    return chain.from_iterable(mark_copies(map(seen_of, follower.run(stop))))
