"""Where the next frames of a buffer stand, and when they were captured: pcap, pcapng, packet rings.

Theory of operation.  `index_pcap` and `index_pcapng` fill arrays with the offset, the size and the
time of each frame, and say why they ended; `index_block` does so for a block of a packet ring.
`check_order` then mends times that go back.

What it does not know: what is in a frame; blocks of pcapng that hold none (`formats.py`).
"""

from __future__ import annotations

import numpy as np

from holdover.reference.audit.inputs.kernel.columns import (
    DAMAGED,
    FACTOR,
    FORM,
    FULL,
    MORE,
    NO_TIME,
    OFFSET,
    OTHER,
    PER,
    SIMPLE_TIME,
    TIMES,
)
from holdover.reference.audit.inputs.kernel.compiled import inner, jit
from holdover.reference.audit.inputs.kernel.words import number16, number32


@jit
def index_pcap(data, at, end, big, header, unit, most, off, cap, times):
    """The next records of a pcap file: how many, where the next begins, why it ended."""
    count = 0
    while count < len(off):
        if at + header > end:
            return count, at, MORE
        fraction = number32(data, at + 4, big) * unit
        size = number32(data, at + 8, big)
        if size > most or fraction >= 2_000_000_000:
            return count, at, DAMAGED
        if at + header + size > end:
            return count, at, MORE
        off[count] = at + header
        cap[count] = size
        times[count] = number32(data, at, big) * 1_000_000_000 + fraction
        count += 1
        at += header + size
    return count, at, FULL


@inner
def nanoseconds(stamp, interface):
    """The time of a frame, by the resolution of its interface."""
    factor = np.uint64(interface[FACTOR])
    if interface[FORM] == TIMES:
        since = stamp * factor
    elif interface[FORM] == PER:
        since = stamp // factor
    else:
        whole = stamp >> factor
        rest = stamp - (whole << factor)
        if factor > np.uint64(33):
            rest >>= factor - np.uint64(33)
            factor = np.uint64(33)
        since = whole * np.uint64(1_000_000_000) + (rest * np.uint64(1_000_000_000) >> factor)
    return np.int64(since & np.uint64(0x3FFF_FFFF_FFFF_FFFF)) + interface[OFFSET]


@inner
def drops_of(data, at, end, big):
    """epb_dropcount among the options of a packet block."""
    while at + 4 <= end:
        code = number16(data, at, big)
        size = number16(data, at + 2, big)
        if code == 0:
            break
        if code == 4 and size == 8 and at + 12 <= end:
            low, high = number32(data, at + 4, big), number32(data, at + 8, big)
            return high if big else low
        at += 4 + (size + 3) // 4 * 4
    return 0


@jit
def index_pcapng(data, at, end, big, most, interfaces, off, cap, times, iface, drops, count):
    """Add the next packet blocks of a section to `count`; it ends at each block of another kind."""
    while count < len(off):
        if at + 12 > end:
            return count, at, MORE
        kind = number32(data, at, big)
        if kind == 0x0A0D0D0A:
            return count, at, OTHER
        length = number32(data, at + 4, big)
        if length < 12 or length % 4 or length > most:
            return count, at, DAMAGED
        if at + length > end:
            return count, at, MORE
        if kind in (2, 6):
            if length < 32:
                return count, at, DAMAGED
            which = number32(data, at + 8, big) if kind == 6 else number16(data, at + 8, big)
            size = number32(data, at + 20, big)
            if which >= len(interfaces) or size > length - 32:
                return count, at, DAMAGED
            high = np.uint64(number32(data, at + 12, big))
            stamp = (high << np.uint64(32)) | np.uint64(number32(data, at + 16, big))
            times[count] = nanoseconds(stamp, interfaces[which])
            off[count] = at + 28
            if kind == 6:
                drops[count] = drops_of(data, at + 28 + (size + 3) // 4 * 4, at + length - 4, big)
            else:
                lost = number16(data, at + 10, big)
                drops[count] = 0 if lost == 0xFFFF else lost
        elif kind == 3:
            if length < 16 or len(interfaces) == 0:
                return count, at, DAMAGED
            which = np.int64(0)
            size = min(number32(data, at + 8, big), length - 16)
            times[count] = SIMPLE_TIME
            off[count] = at + 12
            drops[count] = 0
        else:
            return count, at, OTHER
        cap[count] = size
        iface[count] = which
        count += 1
        at += length
    return count, at, FULL


TAGGED, TAG_TYPE = 0x10, 0x40
"""TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID: in the header of TPACKET_V3."""


@jit
def index_block(data, at, left, big, off, cap, times):
    """The next of `left` frames in a block of TPACKET_V3: how many, where the next one's header is.

    The tag of a VLAN, which the kernel has taken off, is put back: there is room in front.
    """
    count = 0
    while count < left and count < len(off):
        size = number32(data, at + 12, big)
        status = number32(data, at + 20, big)
        frame = at + number16(data, at + 24, big)
        if status & TAGGED and size >= 12:
            control = number32(data, at + 32, big)
            kind = number16(data, at + 36, big) if status & TAG_TYPE else 0x8100
            frame -= 4
            size += 4
            for i in range(frame, frame + 12):
                data[i] = data[i + 4]
            data[frame + 12] = kind >> 8
            data[frame + 13] = kind & 0xFF
            data[frame + 14] = control >> 8 & 0xFF
            data[frame + 15] = control & 0xFF
        off[count] = frame
        cap[count] = size
        times[count] = number32(data, at + 4, big) * 1_000_000_000 + number32(data, at + 8, big)
        count += 1
        at += number32(data, at, big)
    return count, at


@jit
def check_order(times, reached, slack):
    """Move the times that lie more than `slack` behind what was `reached` to that.

    The least time, what is reached now, the first frame that was moved (-1: none), the least time
    that one had, and to where the last one was moved.
    """
    least = lowest = NO_TIME
    first = -1
    moved_to = reached
    for i in range(len(times)):
        at = times[i]
        if at == SIMPLE_TIME:
            continue
        if at < reached - slack:
            if first < 0:
                first = i
            lowest = min(lowest, at)
            at = moved_to = reached
            times[i] = at
        least = min(least, at)
        reached = max(reached, at)
    return least, reached, first, lowest, moved_to
