"""Messages of DHCP: the status of their datagram, and what is plain in them, as a row of numbers.

Theory of operation.  A message becomes a row, with its bytes of no fixed length in `side`.  What is
not plain in it (option 52, an option given twice or of a wrong length, ...) is left to
`reference/wire`, which reads it again.  The checksum of UDP is looked at as
`reference/wire/frames.py` does.

What it does not know: what the other options say; what a message means.
"""

from __future__ import annotations

import numpy as np

from holdover.reference.audit.inputs.kernel.columns import (
    CHADDR,
    CHADDR_SIZE,
    CHECKSUM,
    CIADDR,
    CLIENT,
    FLAGS,
    GIADDR,
    ID_SIZE,
    KIND,
    LEASE,
    ODD,
    OP,
    OTHERS_SIZE,
    PLAIN,
    REQUESTED,
    SECS,
    SERVER,
    SIDE_AT,
    T1,
    T2,
    UDP_LENGTH,
    XID,
    YIADDR,
)
from holdover.reference.audit.inputs.kernel.compiled import inner
from holdover.reference.audit.inputs.kernel.words import (
    GOLDEN,
    MURMUR,
    SHIFT,
    be16,
    be32,
    be48,
    be64,
)


@inner
def sum16(data, at, size):
    """The ones' complement sum, not folded (RFC 1071 §1); words of 32 bits have the same."""
    total = np.int64(0)
    end = at + size
    while at + 4 <= end:
        total += be32(data, at)
        at += 4
    if at + 2 <= end:
        total += be16(data, at)
        at += 2
    if at < end:
        total += np.int64(data[at]) << 8
    return total


@inner
def fold(total):
    """To 16 bits."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@inner
def udp_status(data, ip, udp, end):
    """Whether lengths and checksum of a UDP datagram are right (RFC 768)."""
    length = be16(data, udp + 4)
    if length < 8 or length > end - udp:
        return UDP_LENGTH
    check = be16(data, udp + 6)
    if check == 0:
        return PLAIN
    pseudo = sum16(data, ip + 12, 8) + 17 + length
    if fold(pseudo + sum16(data, udp, length)) == 0xFFFF or fold(pseudo) == check:
        return PLAIN
    return CHECKSUM


@inner
def print_of(data, at, size):
    """A fingerprint of bytes."""
    word = np.uint64(size) * GOLDEN
    end = at + size
    while at + 8 <= end:
        word = (word ^ np.uint64(be64(data, at))) * MURMUR
        word ^= word >> SHIFT
        at += 8
    while at < end:
        word = (word ^ np.uint64(data[at])) * MURMUR
        word ^= word >> SHIFT
        at += 1
    return np.int64(word >> np.uint64(1))


@inner
def is_value_plain(data, at, code, size):
    """Whether an option on which a message rests is as long as it has to be."""
    if code == 53:
        return size == 1 and 1 <= data[at] <= 13
    if code == 61:
        return size >= 2
    return size == 4


@inner
def read_message(data, at, size, row, side, counts):
    """The message in a payload, where it is plain; counts[3]: how much of `side` is used."""
    if size < 240 or not 1 <= data[at] <= 2 or data[at + 2] > 16:
        return ODD
    if be32(data, at + 236) != 0x63825363 or counts[3] + size > len(side):
        return ODD
    is_request = data[at] == 1
    row[OP] = data[at]
    row[XID] = be32(data, at + 4)
    row[SECS] = be16(data, at + 8)
    row[FLAGS] = be16(data, at + 10)
    row[CIADDR] = be32(data, at + 12)
    row[YIADDR] = be32(data, at + 16)
    row[GIADDR] = be32(data, at + 24)
    for column in (KIND, REQUESTED, SERVER, LEASE, T1, T2):
        row[column] = -1
    begin = counts[3]
    used = begin
    row[CHADDR_SIZE] = data[at + 2]
    row[CHADDR] = row[CLIENT] = -1
    if row[CHADDR_SIZE] == 6:
        row[CHADDR] = be48(data, at + 28)
        row[CHADDR_SIZE] = 0
    for i in range(row[CHADDR_SIZE]):
        side[used] = data[at + 28 + i]
        used += 1
    row[ID_SIZE] = -1
    row[SIDE_AT] = begin
    seen0 = seen1 = seen2 = seen3 = np.uint64(0)
    end = at + size
    id_at = id_size = others = np.int64(0)
    # The client-id goes in front of the others, so that the others are looked at once more below.
    p = at + 240
    while p < end:
        code = np.int64(data[p])
        if code == 255:
            break
        if code == 0:
            p += 1
            continue
        if p + 1 == end or p + 2 + data[p + 1] > end or code == 52:
            return ODD
        length = np.int64(data[p + 1])
        bit = np.uint64(1) << np.uint64(code & 63)
        if code < 64:
            twice, seen0 = seen0 & bit, seen0 | bit
        elif code < 128:
            twice, seen1 = seen1 & bit, seen1 | bit
        elif code < 192:
            twice, seen2 = seen2 & bit, seen2 | bit
        else:
            twice, seen3 = seen3 & bit, seen3 | bit
        if twice:
            return ODD
        v = p + 2
        p = v + length
        rests = code in (50, 51, 53, 54, 58, 59, 61)
        if rests and not is_value_plain(data, v, code, length):
            return ODD
        if code == 53:
            row[KIND] = data[v]
        elif code == 61:
            id_at, id_size = v, length
            row[ID_SIZE] = length
        elif code == 54:
            row[SERVER] = be32(data, v)
        elif code == 51:
            row[LEASE] = be32(data, v)
        elif code == 50 and is_request:
            row[REQUESTED] = be32(data, v)
        elif code == 58 and not is_request:
            row[T1] = be32(data, v)
        elif code == 59 and not is_request:
            row[T2] = be32(data, v)
        else:
            others += length + 2
    if row[KIND] < 0:
        return ODD
    if id_size == 7 and data[id_at] == 1:
        row[CLIENT] = (be16(data, id_at + 1) << 32) | be32(data, id_at + 3)
        id_size = np.int64(0)
        row[ID_SIZE] = id_size
    for i in range(id_size):
        side[used] = data[id_at + i]
        used += 1
    row[OTHERS_SIZE] = others
    end, p = p, at + 240
    while others > 0 and p < end:
        code = np.int64(data[p])
        if code == 0:
            p += 1
            continue
        length = np.int64(data[p + 1])
        named = code in (51, 53, 54, 61)
        named = named or (code == 50 and is_request)
        named = named or (code in (58, 59) and not is_request)
        if not named:
            for i in range(p, p + 2 + length):
                side[used] = data[i]
                used += 1
            others -= length + 2
        p += 2 + length
    counts[3] = used
    return PLAIN
