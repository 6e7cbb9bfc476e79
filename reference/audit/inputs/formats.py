"""Captures: where the frames stand in a pcap or pcapng file, batch by batch.

Theory of operation.  The first bytes say which format it is, and in which byte order.  `Capture`
has arrays with room for BATCH frames; `batches` fills them again and again (`kernel/`), and
yields how many frames there are: where each stands in `data`, how many of its bytes were captured,
when, and at which interface.  Of pcapng, blocks that hold no frame are read here: sections,
interfaces, and the statistics that say what was dropped.

What was lost is in `losses`, to be taken out by who reads the batches: since when, until when, why;
None: the beginning, the end.  A file that ends in the middle of a record, or has something in it
that is no record, is read up to there, and the rest is a loss.

What it does not know: what is in a frame.  Blocks with secrets, names and custom blocks are passed
over.  if_tzone is: it never was in use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.kernel import columns, places
from holdover.reference.audit.inputs.stream import Bytes
from holdover.reference.core.instants import SECOND, Instant

Array = np.ndarray[Any, Any]

BATCH = 1 << 12
"""Frames."""

LARGEST = 1 << 24
"""Bytes: no frame is larger, nor a block of pcapng; what says so is damaged."""

PCAP: dict[bytes, tuple[bool, int, int]] = {
    bytes.fromhex("a1b2c3d4"): (True, 1000, 16),
    bytes.fromhex("d4c3b2a1"): (False, 1000, 16),
    bytes.fromhex("a1b23c4d"): (True, 1, 16),
    bytes.fromhex("4d3cb2a1"): (False, 1, 16),
    bytes.fromhex("a1b2cd34"): (True, 1000, 24),
    bytes.fromhex("34cdb2a1"): (False, 1000, 24),
}
"""By the first bytes: whether it is big-endian, nanoseconds in a unit of its fractions, and how
many bytes are in front of a frame (24: Kuznetzov's variant)."""

PCAP_HEAD = 24
SECTION, INTERFACE, STATISTICS = 0x0A0D0D0A, 1, 5
PCAPNG = bytes.fromhex("0a0d0d0a")
BIG, LITTLE = bytes.fromhex("1a2b3c4d"), bytes.fromhex("4d3c2b1a")

LINKS = {
    1: columns.ETHERNET,
    113: columns.SLL,
    276: columns.SLL2,
    12: columns.RAW,
    14: columns.RAW,
    101: columns.RAW,
    228: columns.RAW,
    0: columns.NULL,
    108: columns.NULL,
}
"""By LINKTYPE: Ethernet, Linux's cooked captures, raw IP (12 and 14: as some systems number it),
and loopbacks."""

KNOWN = "Ethernet, Linux cooked captures (SLL, SLL2), raw IP and loopbacks can be read"


@dataclass(frozen=True, slots=True)
class Loss:
    """What happened meanwhile may be unseen; `number` is the frame before it."""

    since: Instant | None
    until: Instant | None
    number: int
    why: str


class Capture:
    """A capture that is being read: the arrays of its present batch, and what was lost."""

    def __init__(self, window: Bytes, name: str) -> None:
        self.window, self.name = window, name
        self.off, self.cap, self.times, self.iface, self.drops = (
            np.zeros(BATCH, np.int64) for _ in range(5)
        )
        self.links = np.zeros(1, np.int64)
        self.losses: list[Loss] = []
        self.frames = 0
        self.last: Instant | None = None
        self.untimed = 0

    @property
    def data(self) -> Array:
        """In which `off` and `cap` count."""
        return self.window.data

    def batches(self) -> Iterator[int]:
        """Fill the arrays, again and again; how many frames there are."""
        raise NotImplementedError

    def _filled(self, count: int) -> int:
        """A batch that is full."""
        self.frames += count
        if count:
            self.last = max(int(self.times[:count].max()), self.last or 0)
        return count

    def _lose_the_rest(self, why: str) -> None:
        self.losses.append(Loss(self.last, None, self.frames, why))

    def _ended(self) -> None:
        """No more bytes come; what is left in the window is no whole record."""
        if self.window.broken:
            self._lose_the_rest(self.window.broken)
        elif self.window.end:
            place = self.window.base
            self._lose_the_rest(
                f"byte {place}: the file ends in the middle of a record: copy it again, or audit "
                "what is there"
            )


class Pcap(Capture):
    """A pcap file."""

    def __init__(self, window: Bytes, name: str) -> None:
        super().__init__(window, name)
        head = window.head(PCAP_HEAD)
        self._big, self._unit, self._header = PCAP[head[:4]]
        if len(head) < PCAP_HEAD:
            raise InputError(
                f"{name}: byte {len(head)}: cut off: a pcap file begins with {PCAP_HEAD} bytes"
            )
        (network,) = struct.unpack_from(">I" if self._big else "<I", head, 20)
        link = LINKS.get(network & 0xFFFF)
        if link is None:
            raise InputError(f"{name}: byte 20: link type {network & 0xFFFF}: {KNOWN}")
        self.links[0] = link

    def batches(self) -> Iterator[int]:
        """See `Capture`."""
        at: int | None = PCAP_HEAD
        while at is not None:
            here = at
            count, here, why = places.index_pcap(
                self.window.data,
                here,
                self.window.end,
                self._big,
                self._header,
                self._unit,
                LARGEST,
                self.off,
                self.cap,
                self.times,
            )
            if count:
                yield self._filled(count)
            if why == columns.DAMAGED:
                self._lose_the_rest(f"byte {self.window.base + here}: no record stands there")
                return
            at = here if why == columns.FULL else self.window.more(here)
        self._ended()


class Pcapng(Capture):
    """A pcapng file."""

    def __init__(self, window: Bytes, name: str) -> None:
        super().__init__(window, name)
        self._big = False
        self._interfaces = np.zeros((0, 4), np.int64)
        self._first = 0
        self._before: dict[int, Instant] = {}
        self.links = np.zeros(0, np.int64)
        self._foreign: list[str] = []
        if len(window.head(12)) < 12:
            raise InputError(f"{name}: a pcapng file begins with 28 bytes: it is cut off")

    def batches(self) -> Iterator[int]:
        """See `Capture`."""
        at: int | None = 0
        count = 0
        while at is not None:
            here = at
            count, here, why = places.index_pcapng(
                self.window.data,
                here,
                self.window.end,
                self._big,
                LARGEST,
                self._interfaces,
                self.off,
                self.cap,
                self.times,
                self.iface,
                self.drops,
                count,
            )
            if why == columns.OTHER and not self._begins_section(here):
                size = self._block(here)
                if size is None:
                    yield from self._noted(count)
                    return
                if here + size <= self.window.end:
                    at = here + size
                    continue
            yield from self._noted(count)
            count = 0
            if why == columns.OTHER and self._begins_section(here):
                size = self._block(here)
                if size is None:
                    return
                if here + size <= self.window.end:
                    at = here + size
                    continue
            if why == columns.DAMAGED:
                self._lose_the_rest(f"byte {self.window.base + here}: no block stands there")
                return
            at = here if why == columns.FULL else self.window.more(here)
        self._ended()
        if self._foreign and not any(each != columns.FOREIGN for each in self.links):
            raise InputError(f"{self.name}: link type {', '.join(self._foreign)}: {KNOWN}")

    def _begins_section(self, at: int) -> bool:
        return self.window.data[at : at + 4].tobytes() == PCAPNG

    def _noted(self, count: int) -> Iterator[int]:
        """A batch, where it has frames."""
        if count:
            self._note_drops(count)
            yield self._filled(count)

    def _note_drops(self, count: int) -> None:
        """What the frames of a batch say was dropped in front of them; frames without a time."""
        times, drops = self.times[:count], self.drops[:count]
        for i in np.flatnonzero(drops):
            since = int(times[i - 1]) if i else self.last
            why = f"the capture dropped {drops[i]} frames in front of this one"
            self.losses.append(Loss(since, int(times[i]), self.frames + int(i) + 1, why))
        untimed = np.flatnonzero(times == columns.SIMPLE_TIME)
        if len(untimed):
            if not self.untimed:
                why = "frames without a time (Simple Packet Blocks): capture with Enhanced ones"
                number = self.frames + int(untimed[0]) + 1
                self.losses.append(Loss(self.last, None, number, why))
            self.untimed += len(untimed)

    def _block(self, at: int) -> int | None:
        """Read a block that holds no frame, where all of it is there: its size; None: damaged."""
        data, end = self.window.data, self.window.end
        head = data[at : at + 12].tobytes()
        if head[:4] == PCAPNG:
            if head[8:] not in (BIG, LITTLE):
                self._lose_the_rest(f"byte {self.window.base + at + 8}: no section begins there")
                return None
            self._big = head[8:] == BIG
        order = ">" if self._big else "<"
        kind, size = struct.unpack_from(order + "2I", head)
        if not 12 <= size <= LARGEST or size % 4:
            self._lose_the_rest(f"byte {self.window.base + at + 4}: a block of {size} bytes")
            return None
        if at + size > end:
            return int(size)
        block = data[at + 8 : at + size - 4].tobytes()
        if kind == SECTION:
            self._first += len(self._interfaces)
            self._interfaces = np.zeros((0, 4), np.int64)
            self.links = np.zeros(0, np.int64)
        elif kind == INTERFACE and len(block) >= 8:
            self._add_interface(block, order)
        elif kind == STATISTICS and len(block) >= 12:
            self._note_statistics(block, order)
        return int(size)

    def _add_interface(self, block: bytes, order: str) -> None:
        (network,) = struct.unpack_from(order + "H", block)
        form, factor, offset = columns.TIMES, 1000, 0
        for code, value in _options(block, 8, order):
            if code == 9 and value:
                power = value[0] & 0x7F
                if value[0] & 0x80:
                    form, factor = columns.BINARY, min(power, 63)
                elif power <= 9:
                    form, factor = columns.TIMES, 10 ** (9 - power)
                else:
                    form, factor = columns.PER, 10 ** min(power - 9, 18)
            elif code == 14 and len(value) == 8:
                (seconds,) = struct.unpack(order + "q", value)
                offset = max(min(seconds, 1 << 32), -(1 << 32)) * SECOND
        link = LINKS.get(network, columns.FOREIGN)
        if link == columns.FOREIGN:
            self._foreign.append(str(network))
            why = f"interface {len(self._interfaces)} has link type {network}: {KNOWN}"
            self.losses.append(Loss(None, None, self.frames, why))
        row = np.array([[link, form, factor, offset]], np.int64)
        self._interfaces = np.concatenate([self._interfaces, row])
        self.links = np.ascontiguousarray(self._interfaces[:, columns.LINK])

    def _note_statistics(self, block: bytes, order: str) -> None:
        which, high, low = struct.unpack_from(order + "3I", block)
        if which >= len(self._interfaces):
            return
        interface = self._interfaces[which]
        stamp = np.uint64(high << 32 | low)
        with np.errstate(over="ignore"):
            until = int(places.nanoseconds.py_func(stamp, interface))
        dropped = 0
        for code, value in _options(block, 12, order):
            if code in (5, 7) and len(value) == 8:  # isb_ifdrop, isb_osdrop
                dropped += struct.unpack(order + "Q", value)[0]
        before = self._before.get(self._first + which, 0)
        if dropped > before:
            why = f"interface {which} dropped {dropped - before} frames, and does not say when"
            self.losses.append(Loss(None, until, self.frames, why))
        self._before[self._first + which] = dropped


def _options(block: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    """The options of a block, up to one that is cut off."""
    while at + 4 <= len(block):
        code, size = struct.unpack_from(order + "2H", block, at)
        if code == 0 or at + 4 + size > len(block):
            return
        yield code, block[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def capture_of(window: Bytes, name: str) -> Capture | None:
    """The capture that a window shows; None where it shows something else."""
    first = window.head(4)
    if first in PCAP:
        return Pcap(window, name)
    if first == PCAPNG:
        return Pcapng(window, name)
    return None
