"""A program in the place of a server: it grants a client terms of somebody's choosing.

Theory of operation.  A server may grant what no server of the lab can be configured for: another
address at a renewal, an infinite lease, a T1 after the lease's end.  This program grants one
client, by its hardware address, always the same `ChosenTerms`: it offers them, and answers each
DHCPREQUEST for that address, and each renewal of whatever address, with a DHCPACK that has them.
T1 and T2 (options 58 and 59) are there where they are chosen.  Where no client is named, it is
whoever asks: the client may be a device of which nothing is known yet.

Where the terms are another address than the client has had, that one becomes free when the old
lease is over.  The program follows a server that has just granted it, for no more than the terms
have: so `lease` seconds later it offers the old address to whoever else asks, and not before.

What it does not know: what becomes of the lease; that somebody is refused, which it never does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.reference.lab.stand_ins.nak_server import MASK
from holdover.reference.lab.stand_ins.stand_in import stand_in
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    Frame,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, message_in, reply_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode

ABSENT = "-"
"""A word of the command line for an option, or an address, that is not there."""


@dataclass(frozen=True, slots=True)
class ChosenTerms:
    """What is granted: an address, for `lease` seconds; `t1` and `t2` in seconds, None: unsaid."""

    address: IPv4Address
    lease: int
    t1: int | None = None
    t2: int | None = None

    def __str__(self) -> str:
        """As a mark of the record says it."""
        times = [f", {name} {each} s" for name, each in (("T1", self.t1), ("T2", self.t2)) if each]
        return f"{self.address} for {self.lease} s" + "".join(times)

    def words(self) -> tuple[str, ...]:
        """As the command line has them."""
        times = (ABSENT if each is None else str(each) for each in (self.t1, self.t2))
        return (str(self.address), str(self.lease), *times)


def terms_in(words: Iterable[str]) -> ChosenTerms:
    """The terms of a command line."""
    address, lease, *times = words
    t1, t2 = (None if each == ABSENT else int(each) for each in times)
    return ChosenTerms(IPv4Address(address), int(lease), t1, t2)


def choosing_server(
    own: IPv4Address, client: str, terms: ChosenTerms, old: IPv4Address | None
) -> tuple[str, ...]:
    """The command line: `client` is a hardware address in hex, "" for whoever asks.

    `old`: what others are granted when its lease is over; None: nothing.
    """
    module = "holdover.reference.lab.stand_ins.choosing_server"
    freed = ABSENT if old is None else str(old)
    return (sys.executable, "-m", module, str(own), client or ABSENT, *terms.words(), freed)


def reply_of(request: BootRequest, own: IPv4Address, terms: ChosenTerms) -> BootReply | None:
    """What a DHCPDISCOVER or DHCPREQUEST is answered; None: nothing (RFC 2131 §4.3, Table 3)."""
    match request.type:
        case MessageType.DISCOVER:
            kind = MessageType.OFFER
        case MessageType.REQUEST:
            kind = MessageType.ACK
        case _:
            return None
    if request.server not in (None, own):
        return None  # it has chosen another server
    asked = request.requested if kind is MessageType.ACK else None
    if asked not in (None, terms.address):
        return None
    return BootReply(
        kind,
        request.xid,
        request.chaddr,
        client_id=request.client_id,
        broadcast=request.broadcast,
        address=terms.address,
        ciaddr=request.ciaddr if kind is MessageType.ACK else NO_ADDRESS,
        server=own,
        lease=terms.lease,
        t1=terms.t1,
        t2=terms.t2,
        options=MASK,
    )


def frame_of(reply: BootReply, own: IPv4Address, hardware: bytes) -> bytes:
    """The frame that carries it (RFC 2131 §4.1): to ciaddr, to everybody, or to yiaddr."""
    if reply.ciaddr != NO_ADDRESS:
        to, destination = reply.chaddr, reply.ciaddr
    elif reply.broadcast:
        to, destination = EVERYONE, ALL_HOSTS
    else:
        to, destination = reply.chaddr, reply.address
    datagram = Datagram(own, destination, SERVER_PORT, CLIENT_PORT, encode(reply_to_wire(reply)))
    return encode_frame(to, hardware, datagram)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is granted what: `client`, a hardware address (b"": whoever asks), its terms.

    `old`: what everybody else is granted from `free_at` on (seconds, as `now` has them); None:
    nothing.
    """

    own: IPv4Address
    client: bytes
    terms: ChosenTerms
    old: ChosenTerms | None
    free_at: float

    def answer(self, frame: Frame, hardware: bytes, now: float) -> tuple[bytes, ...]:
        """The frame that answers a frame, if one does."""
        request = message_in(frame.content)
        if not isinstance(request, BootRequest):
            return ()
        mine = self.client in (b"", request.chaddr)
        terms = self.terms if mine else self.old
        if terms is None or not (mine or now >= self.free_at):
            return ()
        reply = reply_of(request, self.own, terms)
        return () if reply is None else (frame_of(reply, self.own, hardware),)


def main() -> None:
    """Grant a client terms: OWN CLIENT ADDRESS LEASE T1 T2 OLD (CLIENT, T1, T2, OLD may be "-").

    The old lease is counted from the first frame that is heard: that is after it was granted.
    """
    own, hardware, *words, old = sys.argv[1:]
    client = b"" if hardware == ABSENT else bytes.fromhex(hardware)
    terms = terms_in(words)
    freed = None if old == ABSENT else ChosenTerms(IPv4Address(old), terms.lease)
    begun: list[float] = []

    def answer(frame: Frame, hardware: bytes) -> Iterable[bytes]:
        begun[:] = begun or [time.monotonic()]
        free_at = begun[0] + terms.lease
        choice = Choice(IPv4Address(own), client, terms, freed, free_at)
        return choice.answer(frame, hardware, time.monotonic())

    stand_in(answer)


if __name__ == "__main__":
    main()
