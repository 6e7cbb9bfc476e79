"""What the wire tells of a device: its measurement, and on which premises that stands.

Theory of operation.  `measure_device` reads a record as the wire alone tells it
(`wire_view.py`).  It is no measurement where another server than the lab's answered the device, for
then the leases on the wire are not those that count.  Who removed the address the wire does not
tell.

`premises` are sentences for the reader: how many questions were answered while the lease ran, how
far apart they were, how long an answer took, whether anybody else answered for the address, and
what the device did that no premise allows: the `doubt`.

What it does not know: what is behind the device's hardware address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import pairwise

from holdover.model.seconds import show_seconds
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.measure import Measurement, Unknown, measure
from holdover.reference.lab.record.record import Record
from holdover.reference.lab.record.wire_view import (
    Signs,
    device_of,
    seen_from_wire,
    signs_of,
    speaks_without_answering,
)
from holdover.reference.wire.frames import decode_frame
from holdover.reference.wire.messages import BootReply, BootRequest, message_in
from holdover.reference.wire.option_values import MessageType, WireError

FAITHFUL = 0.99
"""The share of questions that a host answers which has the address, on a link that loses little."""


@dataclass(frozen=True, slots=True)
class DevicePremises:
    """What was seen of a device, on which a measurement stands; times in seconds.

    `hardware`: the device's.  `asked`, `answered`: questions between the first DHCPACK and the
    last sign.  `apart`: the most between two questions.  `slowest`: the longest that one of the
    last answers took.  `frames`: what it sent besides from the address.  `others`: hardware
    addresses of others that answered for it.  `silent`: it sent frames from the address when it
    answered no question.  `askers`: hardware addresses of others that asked for an address.
    """

    hardware: str
    asked: int
    answered: int
    apart: float
    slowest: float
    frames: int
    others: tuple[str, ...]
    silent: bool
    askers: tuple[str, ...]

    @property
    def doubt(self) -> str:
        """What makes it unsure when the device let go; "": nothing."""
        if not self.answered:
            return "it answers no ARP, so the wire does not tell when it lets go"
        if self.silent:
            return (
                "it sent frames from the address while it answered no question, so the wire does "
                "not tell when it lets go"
            )
        if self.answered < FAITHFUL * self.asked:
            return "it leaves questions without an answer while it has the address"
        return ""

    def sentences(self) -> Iterator[str]:
        """The premises as words, and what contradicts them."""
        yield (
            f"{self.hardware} answered {self.answered} of {self.asked} questions until its last "
            f"sign; they were {show_seconds(self.apart)} apart at most, and the slowest of its "
            f"last answers took {self.slowest * 1000:.1f} ms"
        )
        yield f"it sent {self.frames} other frames from the address"
        if self.doubt:
            yield self.doubt
        if self.others:
            yield f"others answered for the address too: {', '.join(self.others)}"
        if self.askers:
            yield f"others asked for an address: {', '.join(self.askers)}"


def measure_device(
    record: Record, address: IPv4Address, server: IPv4Address
) -> Measurement | Unknown:
    """The holdover of the device that a record is about, from the wire alone."""
    if device_of(record) is None:
        return Unknown("no device asked for an address")
    if foreign := sorted(foreign_servers(record, server)):
        return Unknown(f"another DHCP server answers on this link: {', '.join(map(str, foreign))}")
    found, stand = measure(seen_from_wire(record, address), "a", address), premises(record, address)
    assert stand is not None
    if isinstance(found, Measurement):
        return replace(found, enforcer="", doubt=stand.doubt)
    return Unknown(f"{found.reason}: {stand.doubt}" if stand.doubt else found.reason)


def premises(record: Record, address: IPv4Address) -> DevicePremises | None:
    """On which a measurement of a device stands; None: no device asked."""
    if (hardware := device_of(record)) is None:
        return None
    signs = signs_of(record, hardware, address)
    begin = signs.granted[0] if signs.granted else record.begin
    last = last_sign(signs)
    inside = [each for each in signs.questions if begin <= each.asked <= last]
    first = next((number for number, each in enumerate(inside) if each.answered), len(inside))
    inside = inside[first:]  # before it has configured the address nobody has it
    asked = [each.asked for each in signs.questions if begin <= each.asked]
    apart = [after - before for before, after in pairwise(asked)]
    answers = signs.answered
    return DevicePremises(
        hardware=hardware.hex(":"),
        asked=len(inside),
        answered=sum(each.answered is not None for each in inside),
        apart=max(apart, default=0) / SECOND,
        slowest=signs.slowest / SECOND,
        frames=len(signs.frames),
        others=tuple(sorted(each.hex(":") for each in signs.others)),
        silent=bool(answers) and speaks_without_answering(signs, answers[-1].asked, signs.slowest),
        askers=tuple(sorted(each.hex(":") for each in other_askers(record, hardware))),
    )


def last_sign(signs: Signs) -> Instant:
    """The last instant at which it surely had the address; 0: it never had."""
    return max([0, *(each.asked for each in signs.answered), *signs.frames])


def foreign_servers(record: Record, ours: IPv4Address) -> set[IPv4Address]:
    """Other servers than the lab's that answered somebody."""
    found: set[IPv4Address] = set()
    for frame in record.frames:
        with suppress(WireError):
            content = decode_frame(frame.data).content
            match message_in(content):
                case BootReply(server=server) if server is not None and server != ours:
                    found.add(server)
    return found


def other_askers(record: Record, hardware: bytes) -> set[bytes]:
    """Who else asked for an address: not the device, and no host of the lab."""
    found = set()
    for frame in record.frames:
        with suppress(WireError):
            match message_in(decode_frame(frame.data).content):
                case BootRequest(type=MessageType.DISCOVER, chaddr=chaddr):
                    found.add(chaddr)
    return found - {hardware, *record.hosts.values()}
