"""A client's journal as calls of its core: what it was told, and what it did about it.

Theory of operation.  A journal has an event, then the effects that the core asked for, and in
between what the kernel says of addresses.  A `Call` is one event with all that followed up to the
next one.  `Break` stands where what was known before does not carry over: the first process, a
reboot, lines that could not be written.

Which of the table's words a call has (datagrams sent, address held afterwards, notices) is said
here, so that `follower.py` can compare it with rows.

What it does not know: whether any of it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from holdover.model.errors import InputError
from holdover.model.seconds import show_seconds
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Configure,
    Effect,
    Event,
    Notice,
    Notify,
    Remove,
    Send,
    Start,
    Store,
)
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.linux.malformed import Malformed
from holdover.reference.linux.storage.journal import (
    AddressSeen,
    Began,
    DryRun,
    Line,
    Lost,
    Unstored,
    Waited,
)
from holdover.reference.wire.option_values import NO_ADDRESS


@dataclass
class Part:
    """Something that a line of a journal begins."""

    line: Line

    @property
    def number(self) -> int:
        """Of that line, from 1."""
        return self.line.number

    @property
    def last(self) -> int:
        """The number of its last line."""
        return self.number


@dataclass
class Break(Part):
    """From here on nothing is known of what came before; `loses`: though it should be."""

    why: str
    loses: bool = False


@dataclass
class Declared(Part):
    """Who the client is, and its constants."""

    config: ClientConfig


@dataclass
class Noted(Part):
    """Something that a reader of the journal should know."""

    says: str


@dataclass
class Undone(Part):
    """A call that was taken back: its lease could not be stored."""


@dataclass
class Expired(Part):
    """The kernel has taken the address away."""


@dataclass
class Call(Part):
    """One call of the core; `slept`: how long the machine did since the one before."""

    event: Event
    slept: Duration
    effects: list[Effect] = field(default_factory=list)
    end: int = 0

    @property
    def last(self) -> int:
        """The number of its last line."""
        return self.end

    @property
    def now(self) -> Instant:
        """The instant that the core was told."""
        return self.line.now

    @property
    def sends(self) -> list[tuple[str, IPv4Address | None]]:
        """Datagrams of a client: kind, and the address that it asks for or gives up."""
        found = []
        for send in self.requests:
            about = send.request.requested or send.request.ciaddr
            found.append((send.request.type.name, None if about == NO_ADDRESS else about))
        return found

    @property
    def requests(self) -> list[Send]:
        """The datagrams themselves."""
        return [effect for effect in self.effects if isinstance(effect, Send)]

    @property
    def notices(self) -> list[Notice]:
        """What the user was told."""
        return [effect.notice for effect in self.effects if isinstance(effect, Notify)]

    @property
    def configured(self) -> Configure | None:
        """The last address that was configured."""
        return next((e for e in reversed(self.effects) if isinstance(e, Configure)), None)

    def holds(self, before: IPv4Address | None) -> IPv4Address | None:
        """The address on the interface afterwards."""
        held = before
        for effect in self.effects:
            if isinstance(effect, Configure):
                held = effect.lease.address
            elif isinstance(effect, Remove) and effect.address == held:
                held = None
        return held

    def addresses(self) -> Iterator[IPv4Address]:
        """Every address that it speaks of."""
        event = self.event
        if isinstance(event, Start):
            yield from (a for a in (event.found,) if a is not None)
            yield from (lease.address for lease in (event.remembered,) if lease is not None)
        reply = getattr(event, "reply", None)
        if reply is not None and reply.address != NO_ADDRESS:
            yield reply.address
        yield from (about for _, about in self.sends if about is not None)
        for effect in self.effects:
            match effect:
                case Configure(lease, _) | Store(lease) if lease is not None:
                    yield lease.address
                case Remove(address):
                    yield address

    def __str__(self) -> str:
        """What the client did, for people."""
        did = [f"DHCP{kind}" + (f" for {about}" if about else "") for kind, about in self.sends]
        for effect in self.effects:
            match effect:
                case Configure(lease, _):
                    did.append(f"{lease.address} configured")
                case Remove(address):
                    did.append(f"{address} removed")
                case Notify(notice):
                    did.append(f"told: {notice.value}")
        told = type(self.event).__name__.lower()
        reply = getattr(self.event, "reply", None)
        if reply is not None:
            told = f"DHCP{reply.type.name} received"
        return f"{told}: " + (", ".join(did) or "nothing was done")


def undone(line: Line, call: Call | None) -> Iterator[Part]:
    """A call that was taken back, as if what it was told had been lost, or had not come yet.

    What the client did before it failed to store the lease is not taken back.
    """
    yield Undone(line)
    done = [] if call is None else call.effects
    if any(not isinstance(effect, Store) or effect.lease is None for effect in done):
        yield Break(line, "part of a call was taken back", loses=True)


def calls(lines: Iterable[Line]) -> Iterator[Part]:
    """The calls in a journal, in order; InputError where it is no client's."""
    clock, before, lost = "", None, False
    call: Call | None = None
    for line in lines:
        number, value = line.number, line.value
        match value:
            case Began():
                if call is not None:
                    yield call
                    call = None
                if value.clock != clock:
                    why = "the first process" if not clock else "the machine was started anew"
                    yield Break(line, why)
                    clock, before = value.clock, None
            case Lost(lines=missing):
                if call is not None:
                    yield call
                    call = None
                yield Break(line, f"{missing} lines could not be written", loses=True)
                lost = True
            case ClientConfig():
                yield Declared(line, value)
            case DryRun():
                yield Noted(line, "a dry run: nothing but messages and notices was carried out")
            case AddressSeen(what="expired"):
                if call is not None:
                    yield call
                    call = None
                yield Expired(line)
            case Malformed():
                continue  # no call, whether the message was taken or refused
            case Waited(length=length):
                if call is not None:
                    yield call
                    call = None
                yield Noted(
                    line,
                    f"for {show_seconds(length / SECOND)} nobody could change the network: "
                    "the kernel's networking lock was held",
                )
            case AddressSeen():
                if call is not None:
                    call.end = number
            case Unstored():
                yield from undone(line, call)
                call = None
            case _ if isinstance(value, Event):
                if call is not None:
                    yield call
                awake = line.boot - line.monotonic
                slept = 0 if before is None else max(0, awake - before)
                before = awake
                call, lost = Call(line, value, slept, end=number), False
            case _ if isinstance(value, Effect):
                if lost:
                    continue  # its event is among the lost ones
                if call is None:
                    raise InputError(f"line {number}: an effect without an event before it")
                call.effects.append(value)
                call.end = number
            case _:
                raise InputError(
                    f"line {number}: {line.kind} is a server's; name a client's journal"
                )
    if call is not None:
        yield call
