"""A town in virtual time: client and server cores on one link, and a capture point that loses.

Theory of operation.  Hosts with our client core, a server with our server core, a network that
delays and loses, users who stop, release and start, a server that is silent for a time, clocks that
drift.  Hosts use their address now and then, and answer ARP for it.  What passes the capture point
is an Ethernet frame with its time of sending; the point misses some.  `observe` reads the frames as
observations, by `reference/wire` as a capture is read.

Planted: a host's process dies and its kernel keeps the address (`overstay`): it is used past
the lease end.  Everything else conforms.

What it does not know: relays, VLANs, several servers.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network

from holdover.reference.audit.observations import (
    Coverage,
    DhcpMessage,
    Observation,
    Probe,
    Use,
    Where,
)
from holdover.reference.core import server as server_core
from holdover.reference.core.config import ClientConfig, ServerConfig
from holdover.reference.core.events import (
    Chance,
    Event,
    Gone,
    Heard,
    Received,
    Release,
    Send,
    SendArp,
    Start,
    Stop,
    Timer,
)
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.core.server_state import (
    Binding,
    ReceivedRequest,
    SendReply,
    Server,
    ServerEvent,
    StartServer,
    StoreBinding,
)
from holdover.reference.wire import arp
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import Datagram, decode_frame, encode_frame
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    message_in,
    reply_to_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS
from holdover.reference.wire.packet import encode
from tests.virtual_host import VirtualHost

SERVER = IPv4Address("192.0.2.254")
SERVER_MAC = bytes((2, 0, 0, 0, 0, 0xFE))
ROUTER_MAC, ROUTER = bytes((2, 0, 0, 0, 0, 0xFD)), IPv4Address("192.0.2.253")
EVERYBODY, ANYWHERE = bytes((0xFF,) * 6), IPv4Address("255.255.255.255")
BEGIN = 1_700_000_000 * SECOND

DRIFT = 90e-6
"""Less than what an audit grants (100 ppm)."""


@dataclass(frozen=True)
class Weather:
    """What a run is like; chances are of each datagram."""

    seed: int
    hosts: int = 2
    pool: int = 1
    lease: int = 120
    length: int = 900
    lost: float = 0.0
    missed: float = 0.0
    silent: tuple[tuple[float, float], ...] = ()
    orders: int = 0
    overstay: bool = False
    probes: bool = True


class Resident(VirtualHost):
    """A host with a clock of its own."""

    def __init__(self, config: ClientConfig, drift: float):
        super().__init__(config)
        self.rate = 1 + drift
        self.stays = False

    def clock(self, at: Instant) -> Instant:
        """What its clock shows."""
        return int(at * self.rate) if at < 1 << 45 else BEGIN + int((at - BEGIN) * self.rate)

    def when(self, shown: Instant) -> Instant:
        """When its clock shows that, or just after."""
        return BEGIN + int((shown - BEGIN) / self.rate) + 2


@dataclass
class Town:
    """One run: `frames` is what passed the capture point and was not missed."""

    weather: Weather
    frames: list[tuple[Instant, bytes]] = field(default_factory=list)
    overstayed: tuple[IPv4Address, bytes, Instant, Instant] | None = None

    def __post_init__(self) -> None:
        weather = self.weather
        self.random = random.Random(weather.seed)
        self.now: Instant = BEGIN
        self.queue: list[tuple[Instant, int, str, object]] = []
        self.count = 0
        self.missed = 0
        self.residents = [
            Resident(
                ClientConfig(
                    hardware=bytes((2, 0, 0, 0, 1, n)), client_id=bytes((1, n)) if n % 2 else None
                ),
                self.random.uniform(-DRIFT, DRIFT),
            )
            for n in range(weather.hosts)
        ]
        pool = tuple(IPv4Address(f"192.0.2.{n + 1}") for n in range(weather.pool))
        self.server = Server(
            ServerConfig(
                identifier=SERVER,
                hardware=SERVER_MAC,
                pool=pool,
                subnet=IPv4Network("192.0.2.0/24"),
                lease=weather.lease,
                grace=1 * SECOND,
                decline_time=30 * SECOND,
                probe_wait=SECOND if weather.probes else 0,
            )
        )
        self.stored: dict[IPv4Address, Binding] = {}
        self.until = BEGIN + weather.length * SECOND
        self.used: dict[tuple[IPv4Address, bytes], Instant] = {}

    # The run -------------------------------------------------------------------------------------

    def run(self) -> Town:
        """Until its time is over."""
        self.serve(StartServer())
        for n, resident in enumerate(self.residents):
            self.after(self.random.uniform(0, 20), "start", resident)
            self.after(self.random.uniform(1, 30), "use", n)
        for _ in range(self.weather.orders):
            order = self.random.choice(("stop", "release", "restart server"))
            self.after(
                self.random.uniform(30, self.weather.length),
                order,
                self.random.choice(self.residents),
            )
        self.after(5, "who has", None)
        if self.weather.overstay:
            self.after(self.random.uniform(40, self.weather.lease), "stay", None)
        while True:
            at, what, payload = self.next()
            if at > self.until:
                return self
            self.now = max(self.now, at)
            self.happen(what, payload)

    def next(self) -> tuple[Instant, str, object]:
        """The first thing to happen."""
        found: list[tuple[Instant, str, object]] = []
        if self.queue:
            at, _, what, payload = self.queue[0]
            found.append((at, "queue", None))
        due = server_core.deadline(self.server)
        if due is not None:
            found.append((due, "server timer", None))
        for resident in self.residents:
            if resident.deadline is not None:
                found.append((resident.when(resident.deadline), "timer", resident))
            if resident.until is not None and resident.address is not None and not resident.stays:
                found.append((resident.when(resident.until), "kernel", resident))
        at, what, payload = min(found, key=lambda each: each[0])
        if what == "queue":
            at, _, what, payload = heapq.heappop(self.queue)
        return at, what, payload

    def after(self, seconds: float, what: str, payload: object) -> None:
        self.count += 1
        at = self.now + int(seconds * SECOND)
        heapq.heappush(self.queue, (at, self.count, what, payload))

    def happen(self, what: str, payload: object) -> None:
        match what, payload:
            case "server timer", _:
                self.serve(Timer())
            case "timer", Resident() as resident:
                self.call(resident, Timer())
            case "kernel", Resident() as resident:
                gone = resident.lose_address()
                if gone is not None and resident.runs:
                    self.call(resident, Gone(gone))
            case "start", Resident() as resident if not resident.alive and not resident.stays:
                self.call(resident, resident.start())
            case "stop" | "release", Resident() as resident if resident.runs:
                self.call(resident, Stop() if what == "stop" else Release())
                if what == "stop":
                    resident.end()
                    self.after(self.random.uniform(0.5, 60), "start", resident)
                else:
                    self.after(self.random.uniform(11, 60), "go on", resident)
            case "go on", Resident() as resident if resident.runs:
                self.call(resident, Start())
            case "restart server", _:
                self.serve(StartServer(tuple(self.stored.items())))
            case "to server", BootRequest() as request if not self.is_silent():
                self.serve(ReceivedRequest(request))
            case "to client", (Resident() as resident, BootReply() as reply) if resident.runs:
                self.call(resident, Received(reply))
            case "arp", (Arp() as packet, bytes() as sender):
                self.hear(packet, sender)
            case "use", int() as n:
                self.use(self.residents[n])
                self.after(self.random.expovariate(12 / self.weather.lease), "use", n)
            case "who has", _:
                self.ask()
                self.after(self.random.expovariate(20 / self.weather.lease), "who has", None)
            case "stay", _:
                self.stay()

    def is_silent(self) -> bool:
        at = (self.now - BEGIN) / SECOND
        return any(begin <= at < end for begin, end in self.weather.silent)

    # Hosts ---------------------------------------------------------------------------------------

    def chance(self) -> Chance:
        return Chance(self.random.getrandbits(32), self.random.randint(0, 1000))

    def call(self, resident: Resident, event: Event) -> None:
        effects = resident.step(event, resident.clock(self.now), self.chance())
        for effect in effects:
            resident.apply(effect)
            if isinstance(effect, Send):
                self.send(effect.request, effect.to)
            elif isinstance(effect, SendArp):
                self.send_arp(effect.arp)

    def use(self, resident: Resident) -> None:
        """An IP packet to the router, or an ARP request."""
        if resident.address is None:
            return
        self.note(resident)
        if self.random.random() < 0.5:
            question = arp.announcement(resident.config.hardware, resident.address)
            self.send_arp(replace(question, target=ROUTER))
        else:
            data = Datagram(resident.address, ROUTER, 5000, 53, b"question")
            self.capture(encode_frame(ROUTER_MAC, resident.config.hardware, data))

    def ask(self) -> None:
        """The router asks for an address, and whoever has it answers."""
        address = self.random.choice(self.server.config.pool)
        question = replace(arp.announcement(ROUTER_MAC, ROUTER), target=address)
        self.send_arp(question)
        for resident in self.residents:
            if resident.address == address:
                self.note(resident)
                self.send_arp(arp.reply(question, resident.config.hardware))

    def note(self, resident: Resident) -> None:
        assert resident.address is not None
        if self.overstayed is not None and resident.stays:
            address, hardware, end, _ = self.overstayed
            if resident.address == address:
                self.overstayed = address, hardware, end, self.now

    def stay(self) -> None:
        """The process of a host with a lease dies, and its address stays."""
        for resident in self.residents:
            lease = resident.client.lease
            if resident.address is not None and lease is not None and lease.end is not None:
                resident.end()
                resident.stays = True
                end = resident.when(lease.end)
                self.overstayed = resident.address, resident.config.hardware, end, 0
                return
        self.after(5, "stay", None)

    # The link ------------------------------------------------------------------------------------

    def send(self, request: BootRequest, to: IPv4Address | None) -> None:
        destination = ANYWHERE if to is None else to
        data = Datagram(request.ciaddr, destination, 68, 67, encode(request_to_wire(request)))
        mac = EVERYBODY if to is None else SERVER_MAC
        self.capture(encode_frame(mac, request.chaddr, data))
        if self.random.random() >= self.weather.lost:
            self.after(self.delay(), "to server", request)

    def serve(self, event: ServerEvent) -> None:
        self.server, effects = server_core.step(self.server, event, self.now)
        for effect in effects:
            match effect:
                case StoreBinding(address, binding):
                    if binding is None:
                        self.stored.pop(address, None)
                    else:
                        self.stored[address] = binding
                case SendArp(packet) if not self.is_silent():
                    self.send_arp(packet)
                case SendReply(reply, to) if not self.is_silent():
                    destination = ANYWHERE if to is None else to
                    data = Datagram(SERVER, destination, 67, 68, encode(reply_to_wire(reply)))
                    mac = EVERYBODY if to is None else reply.chaddr
                    self.capture(encode_frame(mac, SERVER_MAC, data))
                    for resident in self.residents:
                        mine = resident.config.hardware == reply.chaddr
                        if mine and self.random.random() >= self.weather.lost:
                            self.after(self.delay(), "to client", (resident, reply))

    def send_arp(self, packet: Arp) -> None:
        self.capture(encode_frame(EVERYBODY, packet.sender_hardware, packet))
        self.after(0.0005, "arp", (packet, packet.sender_hardware))

    def hear(self, packet: Arp, sender: bytes) -> None:
        for resident in self.residents:
            if resident.config.hardware == sender:
                continue
            if resident.runs:
                self.call(resident, Heard(packet))
            if packet.is_probe and resident.address == packet.target:
                self.note(resident)
                self.send_arp(arp.reply(packet, resident.config.hardware))
        if sender != SERVER_MAC and not self.is_silent():
            self.serve(Heard(packet))

    def delay(self) -> float:
        return self.random.uniform(0.0002, 0.02) if self.random.random() < 0.9 else 0.5

    def capture(self, frame: bytes) -> None:
        """The capture point sees the frame, or misses it."""
        if self.random.random() < self.weather.missed:
            self.missed += 1
        else:
            self.frames.append((self.now, frame))


def observe(frames: list[tuple[Instant, bytes]], file: str = "town.pcap") -> Iterator[Observation]:
    """The frames of a capture as observations."""
    for number, (at, data) in enumerate(frames, 1):
        frame, where = decode_frame(data), Where(file, number)
        content = frame.content
        if isinstance(content, Arp):
            if content.is_probe:
                yield Probe(at, where, content.sender_hardware, content.target)
            else:
                yield Use.once(at, where, content.sender_hardware, content.sender, "ARP")
        elif isinstance(content, Datagram):
            message = message_in(content)
            if message is None:
                yield Use.once(at, where, frame.source, content.source, "IP")
                continue
            yield DhcpMessage(
                at,
                where,
                frame.source,
                frame.destination,
                content.source,
                content.destination,
                message,
            )
            if content.source != NO_ADDRESS:
                yield Use.once(at, where, frame.source, content.source, "IP")


def coverage(town: Town, file: str = "town.pcap") -> list[Coverage]:
    """From the first to the last moment of the run."""
    return [Coverage(file, BEGIN, town.until, len(town.frames))]


def weather_of(seed: int, *, overstay: bool = False, missed: float | None = None) -> Weather:
    """A run at random."""
    rng = random.Random(seed * 7919 + overstay)
    lease = rng.choice((20, 40, 60, 120, 300))
    length = lease * rng.randint(4, 10)
    silent: tuple[tuple[float, float], ...] = ()
    if rng.random() < 0.5:
        begin = rng.uniform(10, length * 0.7)
        silent = ((begin, begin + rng.uniform(lease * 0.5, lease * 2.5)),)
    return Weather(
        seed,
        hosts=rng.randint(2, 3),
        pool=rng.randint(1, 2),
        lease=lease,
        length=length,
        lost=rng.choice((0.0, 0.02, 0.05)),
        missed=rng.choice((0.0, 0.01, 0.05, 0.1)) if missed is None else missed,
        silent=() if overstay else silent,
        orders=0 if overstay else rng.randint(0, 6),
        overstay=overstay,
        probes=rng.random() < 0.5,
    )


WAIT: Duration = SECOND
