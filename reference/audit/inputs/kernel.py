"""The walk over captured frames, compiled by numba: it notes who used which address.

Theory of operation.  `index_pcap` and `index_pcapng` find where the next frames of a buffer are,
and when they were captured; `look` looks at each of them once.  What uses an address is put
together to runs in a hash table of (hardware address, IPv4 address, how, VLANs): the table holds
runs that are not over yet, and a run that is over goes to `out`.  `sweep`, after each batch, takes
those out that have ended meanwhile; so the memory is that of the pairs that were alive within RUN,
and of one batch.  A message of DHCP becomes a row of numbers, with its bytes in `side`; what is not
plain in it (option 52, an option given twice or of a wrong length, ...) is left to
`reference/wire`, which reads it again.  Nothing here makes an object of Python for a frame.

A frame is evidence of what its headers say; the checksum of the IPv4 header is not looked at, for
a capture on the sending host has it before the network card has put it there.  That of UDP is, for
messages of DHCP, as `reference/wire/frames.py` does.

What it does not know: what is behind MPLS, PPPoE, tunnels and 802.2; radio headers; IPv6.
"""

from __future__ import annotations

import numpy as np

from holdover.model.engine.kernel import inner, jit

# Columns -----------------------------------------------------------------------------------------

HARDWARE, KEY, SINCE, UNTIL, FRAMES, FIRST, LAST = range(7)
RUN_COLUMNS = 7
"""Of a run.  KEY: the address, how it was used, and the VLANs."""

HOW_AT, VLAN_AT = 32, 34
BY_ARP, BY_IP, BY_PROBE = 0, 1, 2
"""In KEY: bits 0 to 31 are the address, then two bits say how, then the VLANs (12 bits each)."""

(
    NUMBER,
    AT,
    SOURCE_HARDWARE,
    TO_HARDWARE,
    SOURCE,
    DESTINATION,
    VLANS,
    INTERFACE,
    PORT,
    STATUS,
    PAYLOAD_AT,
    PAYLOAD_SIZE,
    OP,
    KIND,
    XID,
    SECS,
    FLAGS,
    CIADDR,
    YIADDR,
    GIADDR,
    REQUESTED,
    SERVER,
    LEASE,
    T1,
    T2,
    CHADDR_SIZE,
    ID_SIZE,
    OTHERS_SIZE,
    SIDE_AT,
    PRINT,
) = range(30)
MESSAGE_COLUMNS = 30
"""Of a message; -1: it has none.  In `side`, from SIDE_AT: chaddr, client-id, other options."""

PLAIN, FRAGMENT, CUT, IP_LENGTH, UDP_LENGTH, CHECKSUM, ODD = range(7)
"""STATUS: the row is all of the message; why it is none; ODD: `reference/wire` has to read it."""

MORE, FULL, DAMAGED, OTHER = range(4)
"""Why an index ended: it needs more bytes; the batch is full; no record is there; another block."""

SIMPLE_TIME = -(1 << 63)
"""The time of a frame that has none (Simple Packet Block)."""

ETHERNET, SLL, SLL2, RAW, NULL, FOREIGN = range(6)
"""What is in front of the network's header."""

LINK, FORM, FACTOR, OFFSET = range(4)
TIMES, PER, BINARY = range(3)
"""Of an interface: its link, and how its time becomes nanoseconds: FORM and FACTOR; OFFSET."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MURMUR = np.uint64(0xC2B2AE3D27D4EB4F)
SHIFT = np.uint64(29)


# Numbers in bytes --------------------------------------------------------------------------------


@inner
def be16(data, at):
    """Big-endian, 16 bits."""
    return (np.int64(data[at]) << 8) | np.int64(data[at + 1])


@inner
def be32(data, at):
    """Big-endian, 32 bits."""
    return (be16(data, at) << 16) | be16(data, at + 2)


@inner
def be48(data, at):
    """Big-endian, 48 bits: a hardware address."""
    return (be16(data, at) << 32) | be32(data, at + 2)


@inner
def le16(data, at):
    """Little-endian, 16 bits."""
    return (np.int64(data[at + 1]) << 8) | np.int64(data[at])


@inner
def le32(data, at):
    """Little-endian, 32 bits."""
    return (le16(data, at + 2) << 16) | le16(data, at)


@inner
def number16(data, at, big):
    """In the byte order of a file."""
    return be16(data, at) if big else le16(data, at)


@inner
def number32(data, at, big):
    """In the byte order of a file."""
    return be32(data, at) if big else le32(data, at)


# Where frames stand ------------------------------------------------------------------------------


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


NO_TIME = (1 << 63) - 1
"""The least time of a batch in which no frame has one."""


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


# Runs --------------------------------------------------------------------------------------------


@inner
def home(hardware, key, size):
    """Where the search for a run begins; `size` is a power of two."""
    word = np.uint64(hardware) * GOLDEN ^ np.uint64(key) * MURMUR
    word ^= word >> SHIFT
    word *= GOLDEN
    return np.int64((word >> np.uint64(20)) & np.uint64(size - 1))


@inner
def begin_run(run, hardware, key, at, number):
    """A run of one frame."""
    run[HARDWARE] = hardware
    run[KEY] = key
    run[SINCE] = at
    run[UNTIL] = at
    run[FRAMES] = 1
    run[FIRST] = number
    run[LAST] = number


@inner
def note(slots, runs, counts, out, hardware, key, at, number, gap, longest):
    """A frame that uses an address: it continues a run, or begins one.  counts: runs, out."""
    place = home(hardware, key, len(slots))
    while True:
        there = slots[place]
        if there == 0:
            slots[place] = counts[0] + 1
            begin_run(runs[counts[0]], hardware, key, at, number)
            counts[0] += 1
            return
        run = runs[there - 1]
        if run[HARDWARE] == hardware and run[KEY] == key:
            break
        place = (place + 1) & (len(slots) - 1)
    if run[SINCE] <= at <= run[UNTIL] + gap and at - run[SINCE] <= longest:
        run[FRAMES] += 1
        if at >= run[UNTIL]:
            run[UNTIL] = at
            run[LAST] = number
        return
    for column in range(RUN_COLUMNS):
        out[counts[1], column] = run[column]
    counts[1] += 1
    begin_run(run, hardware, key, at, number)


@jit
def sweep(slots, runs, counts, out, over):
    """Take out the runs that ended before `over`; the least beginning of those that stay."""
    slots[:] = 0
    kept = 0
    least = np.int64(0x7FFF_FFFF_FFFF_FFFF)
    for i in range(counts[0]):
        if runs[i, UNTIL] < over:
            for column in range(RUN_COLUMNS):
                out[counts[1], column] = runs[i, column]
            counts[1] += 1
            continue
        for column in range(RUN_COLUMNS):
            runs[kept, column] = runs[i, column]
        least = min(least, runs[kept, SINCE])
        place = home(runs[kept, HARDWARE], runs[kept, KEY], len(slots))
        while slots[place]:
            place = (place + 1) & (len(slots) - 1)
        kept += 1
        slots[place] = kept
    counts[0] = kept
    return least


# Messages ----------------------------------------------------------------------------------------


@inner
def sum16(data, at, size):
    """The ones' complement sum, not folded (RFC 1071 §1)."""
    total = np.int64(0)
    for i in range(at, at + size - 1, 2):
        total += be16(data, i)
    if size % 2:
        total += np.int64(data[at + size - 1]) << 8
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
    whole = size // 4 * 4
    for i in range(at, at + whole, 4):
        word = (word ^ np.uint64(be32(data, i))) * MURMUR
        word ^= word >> SHIFT
    for i in range(at + whole, at + size):
        word = (word ^ np.uint64(data[i])) * MURMUR
        word ^= word >> SHIFT
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
    for i in range(data[at + 2]):
        side[used] = data[at + 28 + i]
        used += 1
    row[CHADDR_SIZE] = data[at + 2]
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


# Frames ------------------------------------------------------------------------------------------


@inner
def is_host(address):
    """Whether a packet's source can be a host's address: not 0.0.0.0, 127/8, 224/3."""
    return address != 0 and address >> 24 != 127 and address < 0xE000_0000


@inner
def is_within(address, networks):
    """Whether it is in one of the networks (rows: network, mask); of none: in all."""
    for i in range(len(networks)):
        if address & networks[i, 1] == networks[i, 0]:
            return True
    return len(networks) == 0


@jit
def look(
    data,
    off,
    cap,
    times,
    iface,
    count,
    number,
    links,
    networks,
    slots,
    runs,
    out,
    rows,
    side,
    counts,
    prints,
    sparse,
    gap,
    longest,
):
    """Look at `count` frames, the first of which is `number`.

    counts: of runs, out, rows, side, prints.  prints: the fingerprint and the time of each frame of
    IPv4 or ARP whose fingerprint is a multiple of `sparse`; 0: of none.
    """
    for i in range(count):
        at = times[i]
        p = off[i]
        end = p + cap[i]
        link = links[iface[i]]
        if at == SIMPLE_TIME:
            continue
        hardware = to = np.int64(-1)
        if link == ETHERNET:
            if end - p < 14:
                continue
            to = be48(data, p)
            hardware = be48(data, p + 6)
            ether = be16(data, p + 12)
            p += 14
        elif link == SLL:
            if end - p < 16:
                continue
            if be16(data, p + 4) == 6:
                hardware = be48(data, p + 6)
            ether = be16(data, p + 14)
            p += 16
        elif link == SLL2:
            if end - p < 20:
                continue
            if data[p + 11] == 6:
                hardware = be48(data, p + 12)
            ether = be16(data, p)
            p += 20
        elif link in (RAW, NULL):
            if link == NULL:
                p += 4
            if p >= end or data[p] >> 4 != 4:
                continue
            ether = np.int64(0x0800)
        else:
            continue
        vlans = np.int64(0)
        tags = 0
        while ether in (0x8100, 0x88A8, 0x9100) and end - p >= 4 and tags < 4:
            vlan = be16(data, p) & 0x0FFF
            if vlan and vlans < 4096:
                vlans = vlans << 12 | vlan
            ether = be16(data, p + 2)
            p += 4
            tags += 1
        if ether == 0x0800:
            if end - p < 20 or data[p] >> 4 != 4:
                continue
            head = np.int64(data[p] & 15) * 4
            source = be32(data, p + 12)
            if head < 20:
                continue
            if hardware >= 0 and is_host(source) and is_within(source, networks):
                key = source | BY_IP << HOW_AT | vlans << VLAN_AT
                note(slots, runs, counts, out, hardware, key, at, number + i, gap, longest)
            size = be16(data, p + 2)
        elif ether == 0x0806:
            if end - p < 28 or be32(data, p) != 0x0001_0800 or be16(data, p + 4) != 0x0604:
                continue
            operation = be16(data, p + 6)
            if operation not in (1, 2):
                continue
            sender = be32(data, p + 14)
            if sender == 0 and operation == 1:
                target = be32(data, p + 24)
                if is_within(target, networks):
                    key = target | BY_PROBE << HOW_AT | vlans << VLAN_AT
                    run = out[counts[1]]
                    begin_run(run, be48(data, p + 8), key, at, number + i)
                    counts[1] += 1
            elif is_host(sender) and is_within(sender, networks):
                key = sender | BY_ARP << HOW_AT | vlans << VLAN_AT
                own = be48(data, p + 8)
                note(slots, runs, counts, out, own, key, at, number + i, gap, longest)
            size = np.int64(28)
        else:
            continue
        if sparse:
            mark = print_of(data, p, min(min(size, end - p), 64))
            if mark % sparse == 0 and counts[4] < len(prints):
                prints[counts[4], 0] = mark
                prints[counts[4], 1] = at
                counts[4] += 1
        if ether != 0x0800 or data[p + 9] != 17:
            continue
        fragment = be16(data, p + 6) & 0x3FFF
        if fragment & 0x1FFF or end - p < head + 8:
            continue
        udp = p + head
        port = be16(data, udp + 2)
        if port not in (67, 68):
            continue
        row = rows[counts[2]]
        row[NUMBER] = number + i
        row[AT] = at
        row[SOURCE_HARDWARE] = hardware
        row[TO_HARDWARE] = to
        row[SOURCE] = source
        row[DESTINATION] = be32(data, p + 16)
        row[VLANS] = vlans
        row[INTERFACE] = iface[i]
        row[PORT] = port
        row[PAYLOAD_AT] = udp + 8
        row[PRINT] = 0
        if fragment:
            row[STATUS] = FRAGMENT
        elif size < head + 8:
            row[STATUS] = IP_LENGTH
        elif size > end - p:
            row[STATUS] = CUT
        else:
            row[STATUS] = udp_status(data, p, udp, p + size)
        if row[STATUS] == PLAIN:
            row[PAYLOAD_SIZE] = be16(data, udp + 4) - 8
            row[PRINT] = print_of(data, udp, 8 + row[PAYLOAD_SIZE])
            row[STATUS] = read_message(data, udp + 8, row[PAYLOAD_SIZE], row, side, counts)
        counts[2] += 1
