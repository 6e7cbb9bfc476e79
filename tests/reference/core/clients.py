"""A client that is driven through its life, in virtual time.

Theory of operation.  A `Driver` is the client's surroundings: it hands in events at its own `now`,
lets time pass by handing in a `Timer` at each deadline on the way, and keeps what the client said
with the instant at which it did.  Whatever is fed, three things are checked: nothing sent is too
large or unclear for the wire, the client is hashable, and a `Timer` at its deadline moves that on.

What it does not know: any rule of an RFC; nor does it carry out effects, it only records them
(its host's interface and lease file stay empty).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any, TypeVar

from holdover.reference.core.client import Client, deadline
from holdover.reference.core.client_state import Effects
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Chance,
    Event,
    Gone,
    Heard,
    Lease,
    Notify,
    Phase,
    Received,
    Release,
    Send,
    SendArp,
    Start,
    Timer,
)
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.arp import Arp, announcement, probe
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    request_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import (
    DOMAIN_NAME,
    HOST_NAME,
    PARAMETER_REQUEST_LIST,
    SUBNET_MASK,
    Options,
)
from holdover.reference.wire.packet import decode, encode
from tests.virtual_host import VirtualHost

MAC, PEER = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
IDENTIFIER = b"\xff\0\0\0\1\0\3\0\1" + MAC
A, B, C = (IPv4Address(f"10.0.0.{i}") for i in (101, 102, 103))
SERVER, OTHER = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
ASKED = Options([PARAMETER_REQUEST_LIST((1, 3, 6, 51, 54)), HOST_NAME("here")])
TOLD = Options([SUBNET_MASK(IPv4Address("255.255.255.0")), DOMAIN_NAME("example.org")])
CONFIG = ClientConfig(hardware=MAC, client_id=IDENTIFIER, options=ASKED)
HOUR = 3600

OFFER, ACK, NAK = MessageType.OFFER, MessageType.ACK, MessageType.NAK

EPOCH: Instant = 1_000_000 * SECOND + 7
"""When a client begins; it is not to know what zero is."""

STUCK = 4
"""So many timers at one instant are a busy loop (BOUND after T1, REBOOTING's end: two)."""

E = TypeVar("E")
HOLDING = (Phase.BOUND, Phase.RENEWING, Phase.REBINDING)
LEASED = (Phase.INIT_REBOOT, Phase.REBOOTING, Phase.PROBING, *HOLDING)


class Driver:
    """A client, its clock, and what it has said so far; `jitter` is 0 to 1000."""

    def __init__(self, config: ClientConfig = CONFIG, *, jitter: int = 500, now: Instant = EPOCH):
        self.host = VirtualHost(config)
        self.host.alive = True
        self.now = now
        self.jitter = jitter
        self.said: list[tuple[Instant, Effects]] = []
        self.xid = 0x1000

    @property
    def client(self) -> Client:
        """The client between two events."""
        return self.host.client

    # Events ------------------------------------------------------------------------------------

    def chance(self) -> Chance:
        """A fresh xid, the jitter as it is set."""
        self.xid += 1
        return Chance(self.xid, self.jitter)

    def feed(self, event: Event) -> Effects:
        """The effects of the event, now."""
        self.drawn = self.chance()
        effects = self.host.step(event, self.now, self.drawn)
        hash((self.client, effects))
        for sent in of(Send, effects):
            assert wired(sent.request) == sent.request
        if effects:
            self.said.append((self.now, effects))
        return effects

    def start(self, remembered: Lease | None = None, found: IPv4Address | None = None) -> Effects:
        return self.feed(Start(remembered, found))

    def timer(self) -> Effects:
        return self.feed(Timer())

    def receive(self, kind: MessageType, **fields: Any) -> Effects:
        """A reply to the present exchange: about A, from SERVER, unless `fields` say otherwise."""
        return self.feed(Received(self.reply(kind, **fields)))

    def hear(self, arp: Arp) -> Effects:
        return self.feed(Heard(arp))

    def gone(self, address: IPv4Address = A) -> Effects:
        return self.feed(Gone(address))

    def release(self) -> Effects:
        return self.feed(Release())

    def reply(self, kind: MessageType, **fields: Any) -> BootReply:
        """What a server would send to the present exchange; a DHCPNAK has no address and lease."""
        exchange, config = self.client.exchange, self.client.config
        usual = BootReply(
            kind,
            0xDEAD if exchange is None else exchange.xid,
            config.hardware,
            config.client_id,
            server=SERVER,
        )
        if kind is not NAK:
            usual = replace(usual, address=A, lease=HOUR, options=TOLD)
        return replace(usual, **fields)

    # Time --------------------------------------------------------------------------------------

    def tick(self) -> Effects:
        """The deadline comes; the effects of its `Timer`."""
        due = deadline(self.client)
        assert due is not None
        self.now = max(self.now, due)
        effects = self.timer()
        for _ in range(STUCK):
            after = deadline(self.client)
            if after is None or after > self.now:
                return effects
            effects += self.timer()
        raise AssertionError(f"busy loop at {self.now}: {self.client}")

    def wait(self, length: Duration) -> list[tuple[Instant, Effects]]:
        """So many units pass; what the client says meanwhile, and when."""
        until, before = self.now + length, len(self.said)
        while (due := deadline(self.client)) is not None and due <= until:
            self.tick()
        self.now = until
        return self.said[before:]

    def freeze(self, length: Duration) -> Effects:
        """So many units pass unseen; then a `Timer`."""
        self.now += length
        return self.timer()

    # Ways --------------------------------------------------------------------------------------

    def until(self, phase: Phase) -> Driver:
        """Timers until the phase is reached."""
        for _ in range(1000):
            if self.client.phase is phase:
                return self
            self.tick()
        raise AssertionError(f"{phase} is not reached from {self.client}")

    def acknowledged(self, **fields: Any) -> Driver:
        """A DHCPACK that begins a lease: PROBING, where there are probes."""
        self.start()
        self.until(Phase.SELECTING)
        self.receive(OFFER, **fields)
        self.until(Phase.REQUESTING)
        self.receive(ACK, **fields)
        return self

    def bound(self, **fields: Any) -> Driver:
        """BOUND, announcements and all."""
        self.acknowledged(**fields).until(Phase.BOUND)
        self.wait(10 * SECOND)
        return self

    def remembered(self, length: Duration = 1800 * SECOND) -> Lease:
        """What a lease file has of a lease of A that has `length` to run."""
        return Lease(
            A, SERVER, self.now + length // 4, self.now + length // 2, self.now + length, TOLD
        )


def driven(phase: Phase, config: ClientConfig = CONFIG, **fields: Any) -> Driver:
    """A client in that phase, which has come there by itself; where it may hold A it does."""
    driver = Driver(config)
    match phase:
        case Phase.INIT:
            driver.start()
        case Phase.SELECTING:
            driver.start()
            driver.tick()
        case Phase.REQUESTING:
            driver.start()
            driver.until(Phase.SELECTING)
            driver.receive(OFFER, **fields)
            driver.until(phase)
        case Phase.PROBING:
            driver.acknowledged(**fields)
        case Phase.INIT_REBOOT | Phase.REBOOTING:
            driver.start(driver.remembered(), A)
            driver.until(phase)
        case _:
            driver.bound(**fields).until(phase)
    assert driver.client.phase is phase
    return driver


def of(kind: type[E], effects: Effects) -> list[E]:
    """The effects of a kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def requests(said: list[tuple[Instant, Effects]]) -> list[tuple[Instant, Send]]:
    """What was sent, and when."""
    return [(now, sent) for now, effects in said for sent in of(Send, effects)]


def packets(said: list[tuple[Instant, Effects]]) -> list[tuple[Instant, Arp]]:
    """The ARP packets, and when."""
    return [(now, each.arp) for now, effects in said for each in of(SendArp, effects)]


def notices(said: list[tuple[Instant, Effects]]) -> list[tuple[Instant, Notify]]:
    """What users were told, and when."""
    return [(now, each) for now, effects in said for each in of(Notify, effects)]


def only(effects: Effects) -> BootRequest:
    """The one message among the effects."""
    (sent,) = of(Send, effects)
    return sent.request


def wired(request: BootRequest) -> BootRequest | None:
    """What a server makes of it, over the wire; `secs` has sixteen bits."""
    short = replace(request, secs=min(request.secs, 0xFFFF))
    read = request_from_wire(decode(encode(request_to_wire(request))))
    return request if read == short else read


def used_by_other(address: IPv4Address = A) -> Arp:
    """Another host says that it uses the address."""
    return announcement(PEER, address)


def probed_by_other(address: IPv4Address = A) -> Arp:
    """Another host asks whether anybody uses the address."""
    return probe(PEER, address)


def gaps(instants: list[Instant]) -> list[Duration]:
    """The lengths between them."""
    return [after - before for before, after in pairwise(instants)]


def blank(request: BootRequest) -> BootRequest:
    """The message without what each of one client's has: xid, hardware address, identifier."""
    return replace(request, xid=0, chaddr=b"", client_id=None)
