"""Where frames stand in a block of a packet ring, in either byte order."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from holdover.reference.audit.inputs.kernel.places import index_block

ORDERS = pytest.mark.parametrize("order", ["<", ">"])
HEADER = "6I2H2I2H8x"
"""tpacket3_hdr of Linux's if_packet.h."""

TO, SENDER = bytes(range(6)), bytes(range(16, 22))
PLAIN = TO + SENDER + b"\x08\0" + b"payload"


def block(order: str, *frames: tuple[bytes, int, int, int]) -> np.ndarray:
    """Frames with their status, tag and its type, one second apart; each has room in front."""
    found = bytearray(16)
    for number, (frame, status, control, kind) in enumerate(frames):
        begin, mac = len(found), 48 + 20 + 4
        size = mac + len(frame)
        last = number + 1 == len(frames)
        words = (0 if last else size, 100 + number, 7, len(frame), len(frame), status, mac, 0)
        found += struct.pack(order + HEADER, *words, 0, control, kind, 0)
        found += bytes(begin + mac - len(found)) + frame
    return np.frombuffer(found, np.uint8)


def read(order: str, data: np.ndarray, left: int, room: int) -> list[tuple[bytes, int]]:
    """The frames and their times, so many at once."""
    off, cap, times = (np.zeros(room, np.int64) for _ in range(3))
    at, found = 16, list[tuple[bytes, int]]()
    while left:
        count, at = index_block(data, at, left, order == ">", off, cap, times)
        assert 0 < count <= room
        left -= count
        for begin, size, time in zip(off[:count], cap[:count], times[:count], strict=True):
            found.append((data[begin : begin + size].tobytes(), int(time)))
    return found


@ORDERS
@pytest.mark.parametrize("room", [1, 2, 5])
def test_frames_are_found_one_after_another(order: str, room: int) -> None:
    frames = [PLAIN + bytes([number]) for number in range(5)]
    data = block(order, *((frame, 1, 0, 0) for frame in frames))
    times = [(100 + number) * 10**9 + 7 for number in range(5)]
    assert read(order, data, 5, room) == list(zip(frames, times, strict=True))


@ORDERS
def test_a_tag_that_was_taken_off_is_put_back(order: str) -> None:
    data = block(order, (PLAIN, 0x11, 0x6007, 0), (PLAIN, 0x51, 7, 0x88A8), (PLAIN, 1, 7, 0x8100))
    tagged = [frame for frame, _ in read(order, data, 3, 8)]
    assert tagged[0] == TO + SENDER + bytes.fromhex("81006007") + PLAIN[12:]
    assert tagged[1] == TO + SENDER + bytes.fromhex("88a80007") + PLAIN[12:]
    assert tagged[2] == PLAIN


@ORDERS
def test_what_is_no_whole_header_gets_no_tag(order: str) -> None:
    assert read(order, block(order, (TO, 0x11, 7, 0)), 1, 1) == [(TO, 100 * 10**9 + 7)]
