"""A packet ring: memory into which Linux writes the frames of an interface (TPACKET_V3).

Theory of operation.  The ring is a row of blocks, which kernel and program hold by turns.  The
kernel writes frames one after another into its block, each behind a header of TPACKET_V3, and hands
the block over when it is full, or RETIRE after it was begun.  So a thousand frames cost as many
system calls as one, and no copy: they are indexed (`kernel/places.py`) and walked where they stand.
Then the block is given back.  Where the program holds all blocks, the kernel drops frames, and
counts them.

The kernel stamps each frame with the wall clock.  What it hears is all that comes or goes, frames
for others too (promiscuous mode).

What it does not know: what is in a frame; what its losses mean (`live.py`).
"""

from __future__ import annotations

import mmap
import select
import socket
import struct
from typing import Any

import numpy as np

from holdover.model.errors import InputError, nearest

BLOCK, BLOCKS = 1 << 17, 256
"""Bytes of a block; blocks of the ring.  Of a frame that does not fit the kernel cuts the end."""

RETIRE = 50
"""Milliseconds after which the kernel hands over a block that is not full.  So where there is
little to hear, the program may be busy for BLOCKS times as long before a frame is dropped."""

LEAST = 1 << 7
"""Bytes that a frame takes at the least, to size the ring by; more fit in where they are small."""

ALL_TYPES, ETHERNET = 0x0003, 1
"""ETH_P_ALL, ARPHRD_ETHER."""

SOL_PACKET, MEMBERSHIP, RING, STATISTICS, VERSION, RESERVE = 263, 1, 5, 6, 10, 12
"""PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_RESERVE."""

PROMISCUOUS, V3, TAG_SIZE = 1, 2, 4
"""PACKET_MR_PROMISC; TPACKET_V3; the bytes of a VLAN's tag, for which room is left in front."""

STATUS, COUNT, FIRST = 2, 3, 4
"""Of the header of a block, words of 32 bits: block_status, num_pkts, offset_to_first_pkt."""

KERNEL, USER = 0, 1
"""TP_STATUS_KERNEL, TP_STATUS_USER: who holds a block."""


class PacketRing:
    """The frames of an interface; InputError where it cannot be heard."""

    def __init__(self, interface: str) -> None:
        self._socket = open_socket(interface)
        try:
            self._map = self._make_room()
            bind(self._socket, interface)
        except OSError as error:
            self._socket.close()
            raise InputError(f"interface {interface}: cannot be heard: {error.strerror}") from None
        except InputError:
            self._socket.close()
            raise
        self.data: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(self._map, np.uint8)
        self._words = self.data.view(np.uint32)
        self._block, self._blocks = 0, len(self._map) // BLOCK

    def _make_room(self) -> mmap.mmap:
        """The memory of the ring, which the kernel makes; OSError where it cannot."""
        self._socket.setsockopt(SOL_PACKET, VERSION, V3)
        self._socket.setsockopt(SOL_PACKET, RESERVE, TAG_SIZE)
        frames = BLOCK // LEAST * BLOCKS
        wanted = struct.pack("=7I", BLOCK, BLOCKS, LEAST, frames, RETIRE, 0, 0)
        self._socket.setsockopt(SOL_PACKET, RING, wanted)
        return mmap.mmap(self._socket.fileno(), BLOCK * BLOCKS)

    def wait(self, seconds: float) -> None:
        """Until there is a block, or something has happened; so long at most."""
        select.select([self._socket], (), (), max(seconds, 0))

    def ready(self) -> tuple[int, int] | None:
        """The next block that is ours: where its first frame stands in `data`, how many it has.

        None: there is none.
        """
        begin = self._block * BLOCK
        word = begin // 4
        if not self._words[word + STATUS] & USER:
            return None
        return begin + int(self._words[word + FIRST]), int(self._words[word + COUNT])

    def give_back(self) -> None:
        """The block that was ready, to the kernel; nothing may look at its frames any more."""
        self._words[self._block * BLOCK // 4 + STATUS] = KERNEL
        self._block = (self._block + 1) % self._blocks

    def take_error(self) -> int:
        """What has happened to the interface (errno); 0: nothing."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def take_drops(self) -> int:
        """How many frames the kernel has dropped since it was asked last."""
        said = self._socket.getsockopt(SOL_PACKET, STATISTICS, 12)
        dropped: int = struct.unpack("=3I", said)[1]
        return dropped

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


def open_socket(interface: str) -> socket.socket:
    """A packet socket that hears nothing as yet; InputError where it may not be."""
    names = tuple(name for _, name in socket.if_nameindex())
    if interface not in names:
        raise InputError(f"interface {interface}: there is none; {nearest(interface, names)}")
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        raise InputError(
            f"interface {interface}: only root may hear it (CAP_NET_RAW): run it as root, or "
            "capture with tcpdump and audit the file"
        ) from None


def bind(opened: socket.socket, interface: str) -> None:
    """Hear all of an interface; OSError, or InputError where it is no Ethernet."""
    wanted = struct.pack("=I2H8s", socket.if_nametoindex(interface), PROMISCUOUS, 0, b"")
    opened.setsockopt(SOL_PACKET, MEMBERSHIP, wanted)
    opened.bind((interface, ALL_TYPES))
    if opened.getsockname()[3] != ETHERNET:
        raise InputError(f"interface {interface}: is no Ethernet: its hosts cannot be told apart")
