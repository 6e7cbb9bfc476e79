"""When a host had an address, as far as the wire tells who has no access to the host.

Theory of operation.  Somebody asks for the address by ARP, again and again, in the names of ASKERS
one after another: the answer says which name asked, and so which question it answers, as long as it
comes before the same name asks again.  A host has the address when it answers: not before the
question, not after the answer.  It has it as well when it sends a frame with the address as its
source, of IPv4 or ARP.  These are its *signs*.  A message of DHCP is none: clients send them past
the kernel, from an address that it has not any more (dhclient does).

`seen_from_wire` is the record with the host's addresses as the signs tell them, in the place of
what its kernel said, if that is there at all.  So all that reads records reads it: `measure`, and
the pictures.  The host surely had the address at its last sign.  It had let go of it by the first
question after it that stayed without an answer, later by what its slowest answer took, of its last
RECENT.  So the end is known within the spacing of two questions and that.  Where the host left
questions without an answer before, and answered again, so many more are waited for.  A host that
answers none, or that sent frames while it answered none, may have the address for as long as it
was watched: its end is not known, but for the last sign.

What it does not know.  A host that answers ARP for an address that it has let go of, by the same
hardware address, looks as if it had it.  One that neither answers nor sends anything looks as if it
had let go.  Who is silent and speaks again has let go and come back, or was silent: with a DHCPACK
in between it is the former, else the latter.  An answer that takes longer than the names go round
is taken for one to a later question.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.record import HostAddresses, Record
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import SERVER_PORT, Datagram, Frame, Packet, decode_frame
from holdover.reference.wire.messages import BootReply, message_in
from holdover.reference.wire.option_values import MessageType, WireError

SPACING = SECOND // 20
"""Nanoseconds from one question to the next."""

ASKERS = tuple(IPv4Address("10.77.0.3") + more for more in range(4))
"""In whose names the questions are asked, in turn.  More would not fit into the ARP table of small
devices."""

RECENT = 20
"""Answers of which the slowest says how long one may take."""

PREFIX = 24

DEVICE = "device is "
"""What a mark begins with that has the hardware address of a host without a namespace."""


@dataclass(frozen=True, slots=True)
class Question:
    """Asked at `asked`, in the name of `asker`; answered at `answered`, or not (None)."""

    asked: Instant
    asker: IPv4Address
    answered: Instant | None = None


@dataclass(frozen=True, slots=True)
class Signs:
    """What the wire says of a host and an address.

    `questions`: all of them, in order of time.  `frames`: when it sent one with the address as its
    source, but for answers to the questions.  `granted`: when a DHCPACK granted it the address.
    `others`: hardware addresses of others that answered for it.
    """

    questions: tuple[Question, ...]
    frames: tuple[Instant, ...]
    granted: tuple[Instant, ...]
    others: frozenset[bytes]

    @property
    def answered(self) -> list[Question]:
        """The questions that were answered."""
        return [each for each in self.questions if each.answered is not None]

    @property
    def slowest(self) -> Instant:
        """How long one of the last answers took at most, in nanoseconds."""
        last = self.answered[-RECENT:]
        return max((each.answered - each.asked for each in last if each.answered), default=0)


def device_of(record: Record) -> bytes | None:
    """The hardware address of the device that a record is about; None: it is about none."""
    said = [mark.what.removeprefix(DEVICE) for mark in record.marks if mark.what.startswith(DEVICE)]
    return bytes.fromhex(said[-1].replace(":", "")) if said else None


def signs_of(record: Record, hardware: bytes, address: IPv4Address) -> Signs:
    """What the wire says of a host with that hardware address."""
    questions: list[Question] = []
    frames: list[Instant] = []
    granted: list[Instant] = []
    others: set[bytes] = set()
    for captured in record.frames:  # a question is on record before its answer
        try:
            frame = decode_frame(captured.data)
        except WireError:
            continue
        match frame.content:
            case Arp(operation=ArpOperation.REQUEST, target=target, sender=sender) if (
                target == address and sender in ASKERS
            ):
                questions.append(Question(captured.at, sender))
            case Arp(operation=ArpOperation.REPLY, sender=sender, target=asker) as arp if (
                sender == address and asker in ASKERS
            ):
                if arp.sender_hardware == hardware:
                    note_answer(questions, asker, captured.at)
                else:
                    others.add(arp.sender_hardware)
            case _ if uses(frame, hardware, address):
                frames.append(captured.at)
        with suppress(WireError):
            said = message_in(frame.content)
            if isinstance(said, BootReply) and grants(said, hardware, address):
                granted.append(captured.at)
    return Signs(tuple(questions), tuple(frames), tuple(granted), frozenset(others))


def uses(frame: Frame, hardware: bytes, address: IPv4Address) -> bool:
    """Whether a host sent it from the address: IPv4 but for DHCP, or ARP that says so."""
    if frame.source != hardware:
        return False
    match frame.content:
        case Datagram(destination_port=port) if port == SERVER_PORT:
            return False
        case Arp(sender=sender):
            return sender == address
        case Datagram(source=source) | Packet(source=source):
            return source == address
    return False


def grants(reply: BootReply, hardware: bytes, address: IPv4Address) -> bool:
    """Whether it is a DHCPACK of the address to the host."""
    return reply.type is MessageType.ACK and reply.chaddr == hardware and reply.address == address


def note_answer(questions: list[Question], asker: IPv4Address, at: Instant) -> None:
    """An answer is to the last question in that name."""
    for number in range(len(questions) - 1, -1, -1):
        if questions[number].asker == asker:
            if questions[number].answered is None:
                asked = questions[number].asked
                questions[number] = replace(questions[number], answered=max(at, asked))
            return


# When it had the address -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stay:
    """A host had an address from `begin`, surely until `sure`, and not after `end` (None: open)."""

    begin: Instant
    sure: Instant
    end: Instant | None


def stays_of(signs: Signs, until: Instant) -> Iterator[Stay]:
    """When a host had the address; `until`: the end of the record."""
    for part in split_signs(signs):
        yield stay(part, until)


def split_signs(signs: Signs) -> Iterator[Signs]:
    """The signs between one silence with a DHCPACK in it and the next; only parts that have any."""
    at = sorted([*(each.asked for each in signs.answered), *signs.frames])
    begins: list[Instant] = []
    for number, one in enumerate(at):
        before = at[number - 1] if number else None
        if before is None or (
            any(before < ack < one for ack in signs.granted) and silent_between(signs, before, one)
        ):
            begins.append(one)
    for begin, end in zip(begins, [*begins[1:], None], strict=False):
        yield replace(
            signs,
            questions=tuple(
                each for each in signs.questions if begin <= each.asked and lies_before(each, end)
            ),
            frames=tuple(each for each in signs.frames if begin <= each < (end or each + 1)),
        )


def lies_before(question: Question, end: Instant | None) -> bool:
    """Whether it was asked before an instant; None: there is none."""
    return end is None or question.asked < end


def silent_between(signs: Signs, begin: Instant, end: Instant) -> bool:
    """Whether a question between two signs was not answered."""
    return any(begin < each.asked < end for each in signs.questions)


def stay(signs: Signs, until: Instant) -> Stay:
    """From the first sign to the last, and when the host had let go by then."""
    asked = [each.asked for each in signs.answered]
    answers = [each.answered for each in signs.answered if each.answered is not None]
    begin = min([*answers, *signs.frames])
    sure, slowest = max([*asked, *signs.frames]), signs.slowest
    unanswered = [each.asked for each in signs.questions if each.asked > sure]
    if not asked or speaks_without_answering(signs, asked[-1], slowest):
        return Stay(begin, sure, until)
    needed = longest_silence(signs) + 1
    if not unanswered:
        return Stay(begin, max(sure, begin), None)
    if len(unanswered) < needed or unanswered[needed - 1] + slowest > until:
        return Stay(begin, max(sure, begin), until)
    return Stay(begin, max(sure, begin), unanswered[needed - 1] + slowest)


def speaks_without_answering(signs: Signs, last: Instant, slowest: Instant) -> bool:
    """Whether it sent a frame after a question that it did not answer any more."""
    missed = [each.asked for each in signs.questions if each.asked > last]
    return any(missed and frame > missed[0] + SPACING + slowest for frame in signs.frames)


def longest_silence(signs: Signs) -> int:
    """How many questions in a row stayed without an answer before one was answered again."""
    longest = run = 0
    for each in signs.questions:
        if each.answered is None:
            run += 1
        else:
            longest, run = max(longest, run), 0
    return longest


def seen_from_wire(
    record: Record, address: IPv4Address, host: str = "a", hardware: bytes | None = None
) -> Record:
    """The record as the wire alone tells it of that host; the others stay as they are.

    `hardware`: the host's; None: as the record has it.
    """
    mine = hardware or device_of(record) or record.hosts[host]
    signs = signs_of(record, mine, address)
    interface = IPv4Interface((address, PREFIX))
    seen = [each for each in record.seen if each.host != host]
    for each in stays_of(signs, record.end):
        seen.append(HostAddresses(each.begin, each.begin, host, {interface: None}))
        if each.end is not None:
            seen.append(HostAddresses(each.sure, each.end, host, {}))
    return replace(
        record,
        hosts={host: mine} | {k: v for k, v in record.hosts.items() if k != host},
        seen=tuple(sorted(seen, key=lambda each: each.at)),
    )
