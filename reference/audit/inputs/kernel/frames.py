"""One look at each frame: who used which address, and where a message of DHCP is.

Theory of operation.  `look` goes over the frames of a batch.  What uses an address is put together
to runs (`runs.py`); a message of DHCP becomes a row of numbers (`messages.py`).  Nothing here makes
an object of Python for a frame.

A frame is evidence of what its headers say; the checksum of the IPv4 header is not looked at, for
a capture on the sending host has it before the network card has put it there.

What it does not know: what is behind MPLS, PPPoE, tunnels and 802.2; radio headers; IPv6.
"""

from __future__ import annotations

import numpy as np

from holdover.reference.audit.inputs.kernel.columns import (
    AT,
    BY_ARP,
    BY_IP,
    BY_PROBE,
    CUT,
    DESTINATION,
    ETHERNET,
    FRAGMENT,
    HOW_AT,
    INTERFACE,
    IP_LENGTH,
    NULL,
    NUMBER,
    ODD,
    PAYLOAD_AT,
    PAYLOAD_SIZE,
    PLAIN,
    PORT,
    PRINT,
    RAW,
    SIMPLE_TIME,
    SLL,
    SLL2,
    SOURCE,
    SOURCE_HARDWARE,
    STATUS,
    TO_HARDWARE,
    VLAN_AT,
    VLANS,
)
from holdover.reference.audit.inputs.kernel.compiled import inner, jit
from holdover.reference.audit.inputs.kernel.messages import print_of, read_message, udp_status
from holdover.reference.audit.inputs.kernel.runs import begin_run, note
from holdover.reference.audit.inputs.kernel.words import be16, be32, be48


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

    counts: of runs, out, rows, side, prints, and of rows that are ODD.  prints: the fingerprint and
    time of each frame of IPv4 or ARP whose fingerprint is a multiple of `sparse`; 0: of none.
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
            counts[5] += row[STATUS] == ODD
        counts[2] += 1
