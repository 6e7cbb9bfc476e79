"""What became of a renewal: when the host asked for one, and what it did with another address.

Theory of operation.  A renewal is a DHCPREQUEST with the address as its ciaddr (RFC 2131 §4.3.2).
The last DHCPACK of an address is the one of which T1 and T2 count; the first renewal after it
tells when the host took T1, or T2, to be.  Where the host is granted another address while it has
this one, the time is measured for which it goes on with this one; and the kernel says which
other address it had since.

What it does not know: what T1 and T2 the DHCPACK said, and who is to answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.record import Change, Record
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import decode_frame
from holdover.reference.wire.messages import BootReply, BootRequest, message_in
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError

Held = Sequence[tuple[Instant, Instant | None]]
"""When a host had an address: begin and end of each time; None: it had it at the record's end."""

Messages = Sequence[tuple[Instant, BootReply | Arp]]


def acks(messages: Messages, hardware: bytes) -> list[tuple[Instant, IPv4Address]]:
    """Each DHCPACK of an address to a host."""
    return [
        (at, reply.address)
        for at, reply in messages
        if isinstance(reply, BootReply)
        and (reply.type, reply.chaddr) == (MessageType.ACK, hardware)
        and reply.address != NO_ADDRESS
        and reply.lease is not None
    ]


def time_replaced(
    messages: Messages, hardware: bytes, address: IPv4Address, held: Held
) -> float | None:
    """Seconds for which a host went on with an address after a DHCPACK of another one; at most.

    None: there was none while it had the address.  Infinite: to the end of the record.
    """
    for at, granted in acks(messages, hardware):
        for begin, end in held if granted != address else ():
            if begin <= at and (end is None or at < end):
                return math.inf if end is None else (end - at) / SECOND
    return None


def next_address(record: Record, host: str, address: IPv4Address, held: Held) -> IPv4Address | None:
    """The last other address that a host had since it began to have this one; None: none."""
    found = None
    for seen in record.seen if held else ():
        if seen.host == host and seen.at >= held[0][0]:
            changed = [seen.address] if isinstance(seen, Change) and seen.there else []
            there = changed if isinstance(seen, Change) else seen.addresses
            found = next((each.ip for each in there if each.ip != address), found)
    return found


def time_to_ask(
    record: Record, messages: Messages, hardware: bytes, address: IPv4Address
) -> float | None:
    """Seconds from the last DHCPACK of an address to the next renewal of it; None: there is none.

    No DHCPACK, and the host's own messages with another ciaddr, are nothing of the kind.
    """
    granted = [at for at, each in acks(messages, hardware) if each == address]
    for frame in record.frames if granted else ():
        with suppress(WireError):
            said = message_in(decode_frame(frame.data).content)
            if (
                isinstance(said, BootRequest)
                and (said.type, said.chaddr) == (MessageType.REQUEST, hardware)
                and said.ciaddr == address
                and frame.at > granted[-1]
            ):
                return (frame.at - granted[-1]) / SECOND
    return None
