"""For how long two hosts had one address at once: from a record alone.

Theory of operation.  In the kernels of the hosts stand the spans in which each had the address.
While the client's host and another one both have it, it is *shared*; each such time is a spell,
which ends when one of the two lets go.  `shared` is the longest spell, and FOREVER where one lasted
until the record ended, however late it began; `total` is how long it was seen altogether.  A spell
counts from when both surely had the address until one of them may have lost it, so it is never too
long.

That two hosts have an address is one thing, that both say so another: `answered` are those that
answered ARP for it meanwhile.  Where they never both had it, `told` says that somebody asked for
it, and was told that it is in use, by ARP or by ICMP; who listens may hear of it without asking.

Of the host that asks for the address by DHCP while another one has it (`asker`) it is told what it
was offered and granted, and how often it declined: who was not offered the address was kept from it
by the server, who declined has found out by itself.  Clones are clones where both sent one and the
same client identifier (option 61), and nothing else: `one_identity`.

Nothing is a measurement where the record has a gap: that is `Unknown`.

What it does not know: leases and their ends (`measure.py`); who should have let go.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.measure import (
    FOREVER,
    Unknown,
    answerers,
    decode_messages,
    find_overlap,
    spans_of,
)
from holdover.reference.lab.record.record import Record
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import Packet, decode_frame
from holdover.reference.wire.messages import BootReply, BootRequest, message_in
from holdover.reference.wire.option_values import MessageType, WireError

ICMP = 1
"""The protocol's number (RFC 792)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Of an address that two hosts may have had at once: seconds, but for what is counted.

    `shared`: the longest spell; FOREVER where one lasted to the end; 0 where there was none.
    `total`: of all spells, as far as they were seen.  `spells`: how many.  `at_end`: hosts that had
    the address when the record ended.  `answered`: hosts that answered ARP while two had it.
    `other_had_it`: another host had the address at some time.  `told`: ARP replies and ICMP packets
    of others than the asker that said so.  `offered`, `granted`: DHCPOFFERs and DHCPACKs of the
    address to the asker.  `declined`: its DHCPDECLINEs.  `one_identity`: the host and the asker,
    another one, have sent one client identifier.
    """

    address: IPv4Address
    shared: float
    total: float
    spells: int
    at_end: int
    answered: int
    other_had_it: bool
    told: int
    offered: int
    granted: int
    declined: int
    one_identity: bool


def measure_sharing(
    record: Record, host: str, asker: str, address: IPv4Address
) -> Sharing | Unknown:
    """For how long a host of the record had the address together with another one."""
    if record.gap is not None:
        return Unknown(f"the record has a gap: {record.gap}")
    messages = list(decode_messages(record))
    requests = {each: requests_from(record, record.hosts[each]) for each in (host, asker)}
    both = sorted(find_overlap(record, host, address, list(spans_of(record, host, address))))
    return Sharing(
        address=address,
        shared=max((lasts(record, *spell) for spell in both), default=0.0),
        total=sum(end - begin for begin, end in both) / SECOND,
        spells=len(both),
        at_end=sum(had_at_end(record, each, address) for each in record.hosts),
        answered=len(answerers(record, messages, address, both)),
        other_had_it=any(
            any(spans_of(record, each, address)) for each in record.hosts if each != host
        ),
        told=count_tellings(record, record.hosts[asker], address),
        offered=count_replies(messages, MessageType.OFFER, record.hosts[asker], address),
        granted=count_replies(messages, MessageType.ACK, record.hosts[asker], address),
        declined=sum(
            request.type is MessageType.DECLINE and request.requested == address
            for request in requests[asker]
        ),
        one_identity=host != asker and have_one_identity(requests[host], requests[asker]),
    )


def lasts(record: Record, begin: Instant, end: Instant) -> float:
    """How long a spell is, in seconds; FOREVER: to the end of the record."""
    return FOREVER if end == record.end else (end - begin) / SECOND


def had_at_end(record: Record, host: str, address: IPv4Address) -> bool:
    """Whether a host had the address when the record ended."""
    return any(span.end is None for span in spans_of(record, host, address))


def count_replies(
    messages: Sequence[tuple[Instant, BootReply | Arp]],
    kind: MessageType,
    hardware: bytes,
    address: IPv4Address,
) -> int:
    """How many messages of that kind assigned the address to the client of that hardware."""
    return sum(
        reply.type is kind and reply.chaddr == hardware and reply.address == address
        for _, reply in messages
        if isinstance(reply, BootReply)
    )


def count_tellings(record: Record, hardware: bytes, address: IPv4Address) -> int:
    """How often other hardware said that it has the address: ARP replies, and ICMP."""
    found = 0
    for frame in record.frames:
        with suppress(WireError):
            seen = decode_frame(frame.data)
            if seen.source != hardware:
                match seen.content:
                    case Arp(operation=ArpOperation.REPLY, sender=sender):
                        found += sender == address
                    case Packet(source=source, protocol=protocol) if protocol == ICMP:
                        found += source == address
    return found


def requests_from(record: Record, hardware: bytes) -> list[BootRequest]:
    """What the client of that hardware has said to servers."""
    found = []
    for frame in record.frames:
        with suppress(WireError):
            said = message_in(decode_frame(frame.data).content)
            if isinstance(said, BootRequest) and said.chaddr == hardware:
                found.append(said)
    return found


def have_one_identity(first: Sequence[BootRequest], second: Sequence[BootRequest]) -> bool:
    """Whether both have said one and the same client identifier, and each always."""
    said = [{request.client_id for request in each} for each in (first, second)]
    return said[0] == said[1] and len(said[0]) == 1 and None not in said[0]
