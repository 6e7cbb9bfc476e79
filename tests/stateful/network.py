"""A network on real seconds and real bytes: client cores against the lease table.

Theory of operation.  There are hosts (an interface, a lease file, perhaps a process with a core),
datagrams in flight, a server, and a clock that counts nanoseconds.  All of it is written again in
the words of the lease table after every step (`Network.seen`); the table says whether the step was
one of its own:
- what the server, the network, the kernels and fate do is a row of the table, carried out on the
  hosts as well; both must agree afterwards;
- what a client does is a call of its core; rows of that client must lead from the table's state
  before to the one after (`Rows.justify`), and nothing of the table is asked beforehand;
- time may pass while no process that runs has a deadline, no datagram is overdue, no kernel has an
  address to remove.  If the table forbids it even so, a client is late.
What the table does not see is checked as the effects are carried out: that an address is probed and
its lease stored before it is used, removed before it is given up, and that each notice is true.
Datagrams and ARP packets are Ethernet frames between two calls and are read back from them.  The
network loses, duplicates, reorders and delays them by up to `Scene.delay`.

The server is the table's (`SERVER_ACTIONS`: the reply is made from the request and the row), or our
own core.  The latter's steps are not justified by rows: the table's server variables follow its
`abstract`, and what is checked is the clients, row by row, and the properties of `ALWAYS`.

What it does not know.  More datagrams in flight than `Scene.messages`: one that finds no room is
lost.  ARP packets that are lost or late; who is frozen hears of a conflict when it thaws, if there
still is one; nobody but a kernel hears the server's own probe.  Leases of different lengths, a
second server, drift, suspend: the proofs are about those.  A restarted client does not know that
its predecessor sent DHCPRELEASE a moment ago, and the table forbids that its DHCPDISCOVER overtakes
that: where processes are restarted, `start_least` is longer than `delay`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any, NamedTuple

from holdover.model.clients.profile import Environment, in_ticks, load
from holdover.model.readings.finite import NONE, Code, Instance, Label, State
from holdover.model.table.environment import WORLD_ACTIONS
from holdover.model.table.properties import ALWAYS
from holdover.model.table.server import SERVER_ACTIONS
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import KIND, MESSAGE, PHASE, PROCESS, VARIABLES
from holdover.reference.core import server
from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig, ServerConfig
from holdover.reference.core.discipline import GIVES_UP, Discipline, OrderError
from holdover.reference.core.events import (
    Chance,
    Configure,
    Effect,
    Event,
    Gone,
    Heard,
    Lease,
    Notice,
    Notify,
    Received,
    Release,
    Remove,
    Send,
    SendArp,
    Start,
    Stop,
    Timer,
)
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.core.server_state import (
    Arrived,
    ClientKey,
    Overheard,
    Restarted,
    SendReply,
    Server,
    ServerEvent,
    Tick,
)
from holdover.reference.refinement.cores import Core, DefectError
from holdover.reference.refinement.justify import Rows, Situation
from holdover.reference.refinement.setting import Setting
from holdover.reference.wire import arp
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.frames import Datagram, decode_frame, encode_frame
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from_wire,
    reply_to_wire,
    request_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode, encode

Step = tuple[Any, ...]
"""("pass", length), ("timer", host), ("deliver", slot), ..., or (row of the table, binding)."""

SERVER = IPv4Address("192.0.2.254")
SERVER_HARDWARE = bytes((2, 0, 0, 0, 0, 0xFE))
EVERYBODY = bytes((0xFF,) * 6)
ANYWHERE = IPv4Address("255.255.255.255")
ADDRESSES = tuple(IPv4Address(f"192.0.2.{n}") for n in range(1, 9))
UNUSABLE = IPv4Address("127.0.0.1")
NUMBER = {address: number for number, address in enumerate(ADDRESSES)}
SERVER_PORT, CLIENT_PORT = 67, 68

FOR_CLIENT = ("OFFER", "ACK", "NAK")
WITH_A_CORE = ("tick", "ignore", "stop", "wake_expired")
"""Rows of the world that are not taken by themselves: a core has its part in them."""

OF_HOST = (
    "phase",
    "process",
    "notice",
    "wants",
    "holds",
    "asked",
    "renew_at",
    "rebind_at",
    "lease_end",
    "kernel_end",
    "probing_since",
)
FREE = (KIND.values.index("FREE"), NONE, NONE, None, None, False)
SILENT = 0

FAULTS = (
    "mutes",
    "loses",
    "duplicates",
    "freezes",
    "thaws",
    "crashes",
    "stops",
    "restarts",
    "forgets",
)
IDLE = 30 * SECOND
"""How far time goes where nobody has to act."""

TIMERS_MOST = 8
"""A client that wants to be called more often than this at one instant would be called for ever."""


# The scene ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene(Setting):
    """Hosts with the constants of the RFCs.  `lease` in seconds; waits in units of the clock."""

    delay: Duration = 900_000_000
    start_least: Duration = 1 * SECOND
    start_most: Duration = 10 * SECOND
    faults: tuple[str, ...] = FAULTS
    own_server: bool = False

    def clients(self) -> list[ClientConfig]:
        """The hosts' constants: every second one has an identifier, every third wants broadcast."""
        return [
            ClientConfig(
                hardware=bytes((2, 0, 0, 0, 0, h + 1)),
                client_id=bytes((1, 2, 0, 0, 0, 0, h + 1)) if h % 2 else None,
                broadcast=h % 3 == 2,
                fuzz=0,
                start_least=self.start_least,
                start_most=self.start_most,
            )
            for h in range(self.hosts)
        ]

    def constants(self) -> dict[str, object]:
        """The lease table's constants in nanoseconds.

        An offer that a client keeps for `offer_wait` is to the table so much longer under way.
        """
        config = ClientConfig(hardware=bytes(6))
        assert self.delay < self.start_least or "restarts" not in self.faults
        environment = Environment(
            lease=Fraction(self.lease),
            shortest=None if self.shortest is None else Fraction(self.shortest),
            delay=Fraction(self.delay + config.offer_wait, SECOND),
            faults=frozenset(self.faults),
        )
        return in_ticks(load("reference"), environment, Fraction(1, SECOND))


class Choice(NamedTuple):
    """A step, and what is random in it."""

    step: Step
    xid: int
    jitter: int


class Compiled:
    """The lease table of a scene, compiled: rows, guard of time, properties, places."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.rows = Rows(scene)
        self.table = table = self.rows.table
        outside = tuple(a for a in WORLD_ACTIONS if a.name not in WITH_A_CORE)
        served = tuple(
            a for a in SERVER_ACTIONS if not scene.own_server or a.name in ("mute", "unmute")
        )
        self.outside = Instance(Table(VARIABLES, served + outside), table.constants, table.bounds)
        self.labels = [
            (edge.action.name, edge.binding, slots_of(edge)) for edge in self.outside.labels
        ]
        constants = table.constants
        self.before_end = int(str(constants["after_t1"])), int(str(constants["after_t2"]))
        self.may_pass = passing_guard(table)
        self.always = [(wanted, table.predicate(wanted.term)) for wanted in ALWAYS]
        place = table.place
        self.of_host = [[place[name, h] for name in OF_HOST] for h in range(scene.hosts)]
        self.serving = place["serving", 0]
        self.of_address = [
            [place[name, a] for name in ("owner", "server_end", "withheld")]
            for a in range(scene.addresses)
        ]
        dated = {variable.name for variable in LEASE_TABLE.instants()}
        self.instants = [i for (name, _), i in place.items() if name in dated]


def slots_of(label: Label) -> tuple[int, ...]:
    """The datagrams that a row is about."""
    pairs = zip(label.action.given, label.binding, strict=True)
    return tuple(value for name, value in pairs if name.sort is MESSAGE)


@contextmanager
def answering() -> Iterator[None]:
    """The table is asked; a Defect where a client leaves it without an instant that it needs."""
    try:
        yield
    except TypeError as error:
        says = f"the table needs an instant that is not set: {error}"
        raise DefectError("refinement", says) from error


def passing_guard(table: Instance) -> Callable[[State, Duration], bool]:
    """Whether the table lets so much time pass, for any length."""
    tick = LEASE_TABLE.action("tick")
    bound = {tick.given[0]: Code("p")}
    guards = " and ".join(table.source.read(guard, bound).text for guard in tick.when)
    return table.compiled(f"def may_pass(s, p):\n    return {guards}\n", "may_pass")  # type: ignore[no-any-return]


# Hosts and datagrams -----------------------------------------------------------------------------


@dataclass
class Host:
    """A host: its process (no core: not running), lease file and interface.

    `xids`: of the present exchange, and of a farewell after it.  `probed`: when the probes of the
    present probing were sent; `probing_since`: when it began, or went on after a pause.  `timers`:
    how often it was called at the instant `called`.
    """

    config: ClientConfig
    core: Client | None
    stored: Lease | None = None
    frozen: bool = False
    address: IPv4Address | None = None
    until: Instant | None = None
    due_notice: bool = False
    xids: set[int] = field(default_factory=set)
    probed: list[Instant] = field(default_factory=list)
    probing_since: Instant | None = None
    called: Instant = -1
    timers: int = 0

    @property
    def running(self) -> Client | None:
        """The core of a process that runs."""
        return None if self.frozen else self.core

    @property
    def probing(self) -> bool:
        """Whether its client is in PROBING."""
        return self.core is not None and self.core.phase.name == "PROBING"

    @property
    def process(self) -> str:
        """How the process is."""
        return "DEAD" if self.core is None else "FROZEN" if self.frozen else "RUNS"


@dataclass(frozen=True)
class Flight:
    """A datagram under way, as an Ethernet frame; the other fields were read from it.

    But for a DHCPNAK's `address`, which no such message has.  `taken`: the client has it, and has
    not acted on it yet.
    """

    frame: bytes
    sent: Instant
    kind: str
    client: bytes
    address: IPv4Address | None
    lease: Duration | None
    xid: int
    taken: bool = False


def of_request(request: BootRequest, to: IPv4Address | None, now: Instant) -> Flight:
    """A client's message on its way to the server."""
    frame = encode_frame(
        EVERYBODY if to is None else SERVER_HARDWARE,
        request.chaddr,
        Datagram(
            request.ciaddr,
            ANYWHERE if to is None else to,
            CLIENT_PORT,
            SERVER_PORT,
            encode(request_to_wire(request)),
        ),
    )
    said = read_request(frame)
    used = said.ciaddr if said.ciaddr != NO_ADDRESS else None
    return Flight(frame, now, said.type.name, said.chaddr, said.requested or used, None, said.xid)


def of_reply(said: SendReply, now: Instant, about: IPv4Address | None) -> Flight:
    """A server's message on its way to a client."""
    reply = said.reply
    frame = encode_frame(
        EVERYBODY if said.to is None else reply.chaddr,
        SERVER_HARDWARE,
        Datagram(
            SERVER,
            ANYWHERE if said.to is None else said.to,
            SERVER_PORT,
            CLIENT_PORT,
            encode(reply_to_wire(reply)),
        ),
    )
    read = read_reply(frame)
    address = read.address if read.address != NO_ADDRESS else about
    lease = read.lease * SECOND if read.type is MessageType.ACK and read.lease else None
    return Flight(frame, now, read.type.name, read.chaddr, address, lease, read.xid)


def read_request(frame: bytes) -> BootRequest:
    """The client's message in a frame."""
    read = request_from_wire(decode(payload(frame)))
    assert read is not None
    return read


def read_reply(frame: bytes) -> BootReply:
    """The server's message in a frame."""
    read = reply_from_wire(decode(payload(frame)))
    assert read is not None
    return read


def payload(frame: bytes) -> bytes:
    """The DHCP message in a frame."""
    content = decode_frame(frame).content
    assert isinstance(content, Datagram)
    return content.payload


def over_the_air(packet: Arp) -> Arp:
    """An ARP packet as others receive it."""
    content = decode_frame(encode_frame(EVERYBODY, packet.sender_hardware, packet)).content
    assert isinstance(content, Arp)
    return content


# The network -------------------------------------------------------------------------------------


class Network:
    """One run: what may happen next, and what comes of it."""

    def __init__(self, table: Compiled, core: Core):
        scene = table.scene
        self.table, self.scene, self.core = table, scene, core
        self.now: Instant = 1_000 * SECOND
        self.chance = Chance(0, 500)
        self.hosts = [Host(config, Client(config)) for config in scene.clients()]
        self.number = {host.config.hardware: h for h, host in enumerate(self.hosts)}
        self.slots: list[Flight | None] = [None] * (scene.messages + 1)
        self.used: set[int] = set()
        self.state: State = table.table.initial
        self.server: Server | None = None
        if scene.own_server:
            self.server = Server(
                ServerConfig(
                    identifier=SERVER,
                    hardware=SERVER_HARDWARE,
                    pool=ADDRESSES[: scene.addresses],
                    lease=scene.lease,
                    grace=0,
                    decline_time=30 * SECOND,
                )
            )
        self.keys = {key(host.config): h for h, host in enumerate(self.hosts)}
        for h, host in enumerate(self.hosts):
            self.begin(h, host)
        self.agreed("begin", self.state)

    # What may happen next ------------------------------------------------------------------------

    def options(self) -> dict[str, list[Step]]:
        """Everything that may happen next, by the name of its row or event."""
        found: dict[str, list[Step]] = {}

        def may(*step: Any) -> None:
            found.setdefault(step[0], []).append(step)

        for edge, _ in self.table.outside.successors(self.state):
            name, binding, slots = self.table.labels[edge]
            if self.is_possible(name, slots):
                may(name, binding)
        for h, host in enumerate(self.hosts):
            core = host.running
            if core is None:
                continue
            due = self.core.deadline(core)
            may("timer" if due is not None and due <= self.now else "early", h)
            if core.lease is not None:
                may("release", h)
            if "stops" in self.scene.faults:
                may("stop", h)
            if core.phase.name == "INIT" and core.due is None:
                may("start", h)
        for m, flight in enumerate(self.slots):
            if flight is None or flight.taken:
                continue
            if flight.kind not in FOR_CLIENT:
                if self.server is not None and self.state[self.table.serving]:
                    may("serve", m)
            elif self.hosts[self.number[flight.client]].running is not None:
                may("deliver", m)
                if flight.kind != "NAK":
                    may("deliver spoilt", m)
        if self.server is not None:
            due = server.deadline(self.server)
            if due is not None and due <= self.now:
                may("server timer")
            if self.server.entries:
                may("server forgets")
        for name, length in self.leaps():
            may(name, length)
        return found

    def situations(self) -> list[tuple[Situation, str]]:
        """Where each client is, and how its process is."""
        return [
            (self.table.rows.situation(self.state, h), host.process)
            for h, host in enumerate(self.hosts)
        ]

    def is_possible(self, name: str, slots: Sequence[int]) -> bool:
        """The network has room for it, and no datagram is concerned that a client has taken."""
        flights = [self.slots[m] for m in slots]
        if any(flight is not None and flight.taken for flight in flights):
            return False
        if name == "duplicate":
            room = self.scene.messages - sum(flight is not None for flight in self.slots)
            return room > 0 and slots[1] == self.slots.index(None)
        return True

    def limit(self) -> Instant | None:
        """When somebody has to act at the latest; None: nobody has to."""
        instants: list[Instant | None] = []
        for host in self.hosts:
            if host.running is not None:
                instants.append(self.core.deadline(host.running))
            if host.until is not None:
                instants.append(host.until + self.kernel_late)
        instants += [
            flight.sent + self.scene.delay
            for flight in self.slots
            if flight is not None and not flight.taken and not self.waits(flight)
        ]
        if self.server is not None:
            instants.append(server.deadline(self.server))
        return min((instant for instant in instants if instant is not None), default=None)

    @property
    def kernel_late(self) -> Duration:
        """How late a kernel may be."""
        late = self.table.table.constants["kernel_late"]
        assert isinstance(late, int)
        return late

    def waits(self, flight: Flight) -> bool:
        """It lies in the socket buffer of a frozen process."""
        return flight.kind in FOR_CLIENT and self.hosts[self.number[flight.client]].frozen

    def leaps(self) -> Iterator[tuple[str, Duration]]:
        """How far time may go: to where somebody has to act, to the next instant, or a little."""
        limit = self.limit()
        most = IDLE if limit is None else limit - self.now
        if most <= 0:
            return
        yield "pass", most
        yield "pass a little", max(1, most // 2)
        yield "pass a little", 1
        ahead = (self.state[place] for place in self.table.instants)
        nearest = min((i for i in ahead if isinstance(i, int) and i > 0), default=most)
        if nearest < most:
            yield "pass to", nearest
            yield "pass to", nearest + 1

    # What comes of it ----------------------------------------------------------------------------

    def take(self, step: Step, xid: int, jitter: int) -> None:
        """One step."""
        self.chance = Chance(xid, jitter)
        match step:
            case ("pass" | "pass to" | "pass a little", length):
                self.wait(length)
            case ("timer" | "early", h):
                self.timer(h)
            case ("deliver", m):
                self.deliver(m)
            case ("deliver spoilt", m):
                self.deliver_spoilt(m)
            case ("stop", h):
                self.call(h, Stop(self.fresh()))
                self.bury(h)
            case ("release", h):
                self.call(h, Release(self.fresh()))
            case ("start", h):
                self.call(h, Start(self.fresh()))
            case ("serve", m):
                flight, self.slots[m] = self.slots[m], None
                assert flight is not None
                self.serve(Arrived(read_request(flight.frame)))
            case ("server timer",):
                self.serve(Tick())
            case ("server forgets",):
                self.serve(Restarted())
            case (str() as name, binding):
                self.row(name, binding)
        self.believe()

    def says(self, step: Step) -> str:
        """The step in words."""
        about = ""
        if step[0] in ("deliver", "deliver spoilt", "serve"):
            flight = self.slots[step[1]]
            assert flight is not None
            about = f" {flight.kind} of h{self.number[flight.client] + 1}"
        return f"{self.now / SECOND:12.6f} s  {' '.join(map(str, step))}{about}"

    def fresh(self) -> Chance:
        """The next random choice; no xid comes twice."""
        chance = self.chance
        while chance.xid in self.used:
            chance = replace(chance, xid=(chance.xid + 1) % (1 << 32))
        self.used.add(chance.xid)
        self.chance = replace(chance, xid=(chance.xid + 1) % (1 << 32))
        return chance

    def wait(self, length: Duration) -> None:
        """Time passes, unless the table says that somebody should have acted."""
        with answering():
            passes = self.table.may_pass(self.state, length)
        if not passes:
            raise DefectError("late", "the table lets no time pass before a client has acted")
        s = list(self.state)
        for place in self.table.instants:
            instant = s[place]
            if instant is not None:
                s[place] = instant - length
        self.now += length
        self.agreed("tick", tuple(s))

    # Rows of the table ---------------------------------------------------------------------------

    def row(self, name: str, binding: tuple[int, ...]) -> None:
        """A row of the server or the world, in the table and on the hosts."""
        following = self.following(name, binding)
        given = {
            str(p.args[0]): v for p, v in zip(LEASE_TABLE.action(name).given, binding, strict=True)
        }
        self.carry_over(following, given.get("m", NONE))
        h = given.get("h", NONE)
        match name:
            case "kernel_removes":
                self.hosts[h].address = self.hosts[h].until = None
            case "freeze":
                self.hosts[h].frozen = True
            case "thaw":
                self.hosts[h].frozen = False
                if self.hosts[h].probing:
                    self.hosts[h].probing_since = self.now
            case "crash":
                self.hosts[h].core, self.hosts[h].frozen = None, False
            case "restart":
                self.hosts[h].core = Client(self.hosts[h].config)
                self.begin(h, self.hosts[h])
        removed = self.state[self.table.of_host[h][4]] if name == "kernel_removes" else NONE
        self.agreed(name, following)
        if name == "kernel_removes" and self.hosts[h].running is not None:
            assert isinstance(removed, int)
            self.call(h, Gone(self.fresh(), ADDRESSES[removed]))
        elif name == "thaw":
            self.catch_up(h)
        elif name == "crash":
            self.bury(h)

    def following(self, name: str, binding: tuple[int, ...]) -> State:
        """The table's state after a row."""
        for edge, state in self.table.outside.successors(self.state):
            if self.table.labels[edge][:2] == (name, binding):
                return state
        raise AssertionError(f"{name}{binding} is not possible")

    def carry_over(self, following: State, source: int) -> None:
        """The datagrams as the row has left them; the server's reply is made from the request."""
        for m, content in enumerate(self.table.rows.content):
            kind, _, address, _, lease, _ = content(following)
            flight = self.slots[m]
            if content(self.state) == content(following):
                continue
            if kind == FREE[0]:
                self.slots[m] = None
            elif flight is None:
                self.slots[m] = self.slots[source]
            else:
                said = answer(
                    read_request(flight.frame),
                    KIND.values[kind],
                    address,
                    lease,
                    self.table.before_end,
                )
                self.slots[m] = of_reply(said, self.now, ADDRESSES[address])

    def begin(self, h: int, host: Host) -> None:
        """A new process is told what the lease file has, and what is on the interface."""
        assert host.core is not None
        event = Start(self.fresh(), host.stored, host.address)
        host.probed = []
        host.core, effects = self.stepped(host.core, event)
        self.carry_out(h, effects)

    def bury(self, h: int) -> None:
        """What the process had taken is gone with it."""
        for m, flight in enumerate(self.slots):
            if flight is not None and flight.taken and self.number[flight.client] == h:
                self.slots[m] = replace(flight, taken=False)
                self.row("miss", (m, h))

    def catch_up(self, h: int) -> None:
        """What a thawed process reads first: what became of its address meanwhile."""
        core = self.hosts[h].core
        assert core is not None
        if core.holds is not None and self.hosts[h].address != core.holds:
            self.call(h, Gone(self.fresh(), core.holds))
        elif core.phase.name == "PROBING" and core.lease is not None:
            self.answer_arp(h, arp.probe(core.config.hardware, core.lease.address))

    # Calls of a core -----------------------------------------------------------------------------

    def timer(self, h: int) -> None:
        """The deadline has come, or not."""
        host = self.hosts[h]
        host.timers = host.timers + 1 if host.called == self.now else 1
        host.called = self.now
        self.call(h, Timer(self.fresh()))
        due = None if host.core is None else self.core.deadline(host.core)
        if due is not None and due <= self.now and host.timers > TIMERS_MOST:
            raise DefectError("late", "the client wants to be called again and does nothing")

    def deliver(self, m: int) -> None:
        """A datagram reaches its client.

        One that has waited in a socket buffer counts as just arrived: the client may collect it.
        """
        flight = self.slots[m]
        assert flight is not None
        earliest = self.now - self.scene.delay
        if flight.sent < earliest:
            self.slots[m] = replace(flight, sent=earliest)
            self.state = self.seen()
        event = Received(self.fresh(), read_reply(flight.frame))
        self.call(self.number[flight.client], event, m)

    def deliver_spoilt(self, m: int) -> None:
        """Before a datagram its like arrives, with an address that no host can have."""
        flight = self.slots[m]
        assert flight is not None
        reply = replace(read_reply(flight.frame), address=UNUSABLE)
        self.call(self.number[flight.client], Received(self.fresh(), reply))

    def stepped(self, core: Client, event: Event) -> tuple[Client, tuple[Effect, ...]]:
        """What the core makes of an event."""
        try:
            return self.core.step(core, event, self.now)
        except Exception as error:  # a mutant may do anything
            raise DefectError("crash", f"{type(error).__name__}: {error}") from error

    def call(self, h: int, event: Event, slot: int | None = None) -> None:
        """A call of a core, justified by the client's rows of the table."""
        host, before = self.hosts[h], self.state
        core = host.core
        assert core is not None
        after, effects = self.stepped(core, event)
        probed, host.core = host.probing, after
        if not probed:
            host.probing_since = self.now
        lapsed = has_lapsed(core, after, self.now)
        host.due_notice = lapsed
        kind = ""
        if slot is not None:
            flight = self.slots[slot]
            assert flight is not None
            kind = flight.kind
            collected = after.phase.name == "SELECTING" and len(after.offers) > len(core.offers)
            self.slots[slot] = replace(flight, taken=True) if collected else None
        if isinstance(event, Stop):
            kind = self.stopped(host, core, after, effects)
        elif after.phase.name != "SELECTING":
            for m, flight in enumerate(self.slots):
                if flight is not None and flight.taken and self.number[flight.client] == h:
                    self.slots[m] = None
        packets, lost = self.carry_out(h, effects)
        if after.phase.name != "PROBING":
            host.probed = []
        if host.due_notice:
            raise DefectError("told", "the lease lapses and nobody is told")
        self.state = self.seen()
        self.check()
        names = (*guessed(core, after, effects, kind, lapsed=lapsed), *("lose",) * lost)
        said = f"{core.phase.name}, {kind or type(event).__name__}: to {after.phase.name}"
        with answering():
            self.table.rows.justify(before, self.state, h, names, said)
        for packet in packets:
            self.hear(h, packet)

    def stopped(self, host: Host, core: Client, after: Client, effects: Iterable[Effect]) -> str:
        """The process is gone, and its user told."""
        if after.phase.name != "INIT" or after.due is not None:
            raise DefectError("stop", "told to end, the client goes on")
        if core.lease is not None and not any(isinstance(effect, Notify) for effect in effects):
            raise DefectError("told", "the client ends and nobody is told")
        host.core = None
        return "STOP"

    def carry_out(self, h: int, effects: Iterable[Effect]) -> tuple[list[Arp], int]:
        """What the effects do, in their order; ARP packets, and how many datagrams are lost."""
        host, packets, lost = self.hosts[h], [], 0
        order = Discipline(host.address, host.stored, probed=self.is_probed(host))
        for effect in effects:
            try:
                order.follow(effect)
            except OrderError as early:
                raise DefectError(early.kind, early.says) from early
            host.address, host.stored = order.held, order.stored
            match effect:
                case Remove():
                    host.until = None
                case Configure(_, until):
                    host.until = until
                case Notify(notice, about):
                    self.notify(host, notice, about)
                case Send(request, to):
                    lost += not self.send(host, request, to)
                case SendArp(packet):
                    packets.append(over_the_air(packet))
                    if packet.is_probe:
                        host.probed.append(self.now)
        return packets, lost

    def is_probed(self, host: Host) -> bool:
        """RFC 5227 §2.1.1: so many probes, so far apart, and then a wait."""
        config, sent = host.config, [*host.probed, self.now]
        apart = [after - before for before, after in pairwise(sent)]
        return len(apart) == config.probes and all(
            gap >= least
            for gap, least in zip(
                apart,
                (*(config.probe_least,) * (config.probes - 1), config.announce_wait),
                strict=True,
            )
        )

    def notify(self, host: Host, notice: Notice, about: Lease | None) -> None:
        """The user is told."""
        if notice is Notice.LAPSED:
            if not host.due_notice:
                raise DefectError("told", "a lapse is told and there was none")
            host.due_notice = False
        held = about is not None and host.address == about.address
        if held is not (notice in (Notice.BOUND, Notice.EXTENDED)) and about is not None:
            raise DefectError("told", f"the notice {notice.name} is not true")

    def send(self, host: Host, request: BootRequest, to: IPv4Address | None) -> bool:
        """A datagram takes a free slot; False: the network is full, and it is lost."""
        try:
            flight = of_request(request, to, self.now)
        except ValueError as error:
            raise DefectError("wire", str(error)) from error
        if request.type in GIVES_UP:
            host.xids.add(flight.xid)
        elif flight.xid not in host.xids:
            host.xids = {flight.xid}
        free = self.slots.index(None)
        if self.slots.count(None) == 1:
            return False
        self.slots[free] = flight
        return True

    # ARP -----------------------------------------------------------------------------------------

    def hear(self, h: int, packet: Arp) -> None:
        """All processes on the link hear the packet of a host, and who holds answers a probe."""
        for g, host in enumerate(self.hosts):
            if g != h and host.running is not None:
                self.call(g, Heard(self.fresh(), packet))
        if self.server is not None:
            self.serve(Overheard(packet))
        if packet.is_probe:
            self.answer_arp(h, packet)

    def answer_arp(self, h: int, packet: Arp) -> None:
        """Kernels answer for the address they have."""
        for g, host in enumerate(self.hosts):
            if g != h and host.address == packet.target and self.hosts[h].running is not None:
                reply = over_the_air(arp.reply(packet, host.config.hardware))
                self.call(h, Heard(self.fresh(), reply))

    # Our own server ------------------------------------------------------------------------------

    def serve(self, event: ServerEvent) -> None:
        """A call of the server's core; what it says while it is mute is lost."""
        assert self.server is not None
        self.server, effects = server.step(self.server, event, self.now)
        probed = []
        for effect in effects:
            match effect:
                case SendReply() if self.state[self.table.serving] and self.slots.count(None) > 1:
                    about = NO_ADDRESS
                    if isinstance(event, Arrived):
                        about = event.request.requested or event.request.ciaddr
                    self.slots[self.slots.index(None)] = of_reply(effect, self.now, about)
                case SendArp(packet):
                    probed.append(over_the_air(packet))
        self.state = self.seen()
        self.check()
        for packet in probed:
            for host in self.hosts:
                if host.address == packet.target:
                    self.serve(Overheard(over_the_air(arp.reply(packet, host.config.hardware))))

    # The table's view ----------------------------------------------------------------------------

    def seen(self) -> State:
        """The hosts, the datagrams and our own server in the words of the table."""
        s = list(self.state)
        for h, host in enumerate(self.hosts):
            for place, value in zip(self.table.of_host[h], self.seen_of(host), strict=True):
                s[place] = value
        for columns, flight in zip(self.table.rows.columns, self.slots, strict=True):
            content = FREE if flight is None else self.seen_of_flight(flight)
            for place, value in zip(columns, content, strict=True):
                s[place] = value
        if self.server is not None:
            for address, record in server.abstract(self.server).items():
                owner = NONE if record.owner is None else self.keys[record.owner]
                end = self.relative(record.server_end)
                places = self.table.of_address[NUMBER[address]]
                for place, value in zip(places, (owner, end, record.withheld), strict=True):
                    s[place] = value
        return tuple(s)

    def seen_of(self, host: Host) -> tuple[Any, ...]:
        """A host's variables, in the order of `OF_HOST`; without a process, of its lease file."""
        stored, relative = host.stored, self.relative
        kernel_end = relative(host.until)
        if host.core is not None:
            view = self.core.abstract(host.core)
            ends = view.asked, view.renew_at, view.rebind_at, view.lease_end
            phase, wants = view.phase, view.wants
            if phase == "PROBING" and view.lease_end is not None:  # to be configured with this
                kernel_end = relative(view.lease_end - host.config.margin)
        else:
            phase, wants, ends = "INIT", None, (None, None, None, None)
            if stored is not None:
                phase, wants = "INIT_REBOOT", stored.address
                ends = None, stored.renew_at, stored.rebind_at, stored.end
        return (
            PHASE.values.index(phase),
            PROCESS.values.index(host.process),
            SILENT,
            number_of(wants),
            number_of(host.address),
            *map(relative, ends),
            kernel_end,
            relative(host.probing_since) if host.probing else None,
        )

    def seen_of_flight(self, flight: Flight) -> tuple[Any, ...]:
        """A datagram's variables, in the order of `Rows.columns`."""
        h = self.number[flight.client]
        current = flight.xid in self.hosts[h].xids
        kind, sent = KIND.values.index(flight.kind), self.relative(flight.sent)
        return kind, h, number_of(flight.address), sent, flight.lease, current

    def relative(self, instant: Instant | None) -> Instant | None:
        """An instant as the finite reading counts it: from now."""
        return None if instant is None else instant - self.now

    def agreed(self, name: str, following: State) -> None:
        """The hosts are where the table is."""
        self.state = following
        self.state = self.seen()
        if self.state != following:
            different = self.table.rows.difference(self.state, following)
            raise DefectError("refinement", f"after `{name}`, {different}")
        self.check()

    def check(self) -> None:
        """What must hold of the hosts themselves, and what a process knows of its interface."""
        for wanted, holds in self.table.always:
            with answering():
                good = holds(self.state)
            if not good:
                raise DefectError(wanted.name, f"not so: {wanted.says}")

    def believe(self) -> None:
        """A running process knows what is on its interface."""
        for host in self.hosts:
            if host.running is not None and self.core.abstract(host.running).holds != host.address:
                raise DefectError(
                    "belief", "the client is wrong about the address on its interface"
                )


def answer(
    request: BootRequest,
    kind: str,
    address: int,
    lease: Duration | None,
    before_end: tuple[int, int],
) -> SendReply:
    """The table's reply as a message: what the row says, and the rest as Table 3 has it.

    T1 and T2 are so long before the end of each lease, and are told where that is whole seconds.
    """
    nak = kind == "NAK"
    offered = None if nak else ADDRESSES[address]
    seconds = None if lease is None else lease // SECOND
    at = [] if lease is None else [lease - rest for rest in before_end]
    t1, t2 = (n // SECOND for n in at) if at and not any(n % SECOND for n in at) else (None, None)
    said = BootReply(
        MessageType[kind],
        request.xid,
        request.chaddr,
        request.client_id,
        broadcast=request.broadcast,
        address=offered or NO_ADDRESS,
        server=SERVER,
        lease=seconds,
        t1=t1,
        t2=t2,
    )
    return SendReply(said, None if nak or request.broadcast else offered)


def key(config: ClientConfig) -> ClientKey:
    """Who a client is to our own server."""
    if config.client_id is None:
        return ClientKey(config.hardware, given=False)
    return ClientKey(config.client_id, given=True)


def number_of(address: IPv4Address | None) -> int:
    """An address as the table numbers it."""
    if address == UNUSABLE:
        raise DefectError("unusable", f"the client wants {address}, which no host can have")
    return NONE if address is None else NUMBER[address]


def has_lapsed(core: Client, after: Client, now: Instant) -> bool:
    """The lease that the client had is over, and it has it no more."""
    lease = core.lease
    return lease is not None and not lease.runs(now) and after.lease != lease


REQUESTS = {
    "REQUESTING": "select",
    "REBOOTING": "reboot",
    "RENEWING": "renew",
    "REBINDING": "rebind",
}
MOVES = {
    ("REQUESTING", "INIT"): "give_up",
    ("PROBING", "BOUND"): "use",
    ("REBOOTING", "BOUND"): "keep_remainder",
    ("REBOOTING", "PROBING"): "keep_remainder",
}


ANSWERED = {"REQUESTING": "bind", "REBOOTING": "bind", "PROBING": "cut_short", "BOUND": "cut_short"}


def guessed(
    core: Client, after: Client, effects: Sequence[Effect], kind: str, *, lapsed: bool
) -> list[str]:
    """Rows that may explain a call; a wrong guess costs a search."""
    names = ["lapse", "notify"] if lapsed else []
    before = "INIT" if lapsed else core.phase.name
    acted = after != core and not lapsed
    for effect in effects:
        if isinstance(effect, Send):
            said = effect.request.type.name.lower()
            if said != "request":
                return [*names, said]
            if before == after.phase.name and before in ("REQUESTING", "REBOOTING"):
                return [*names, "ask_again"]
            others = len(core.offers) + (kind == "OFFER") - 1
            name = REQUESTS.get(after.phase.name, "")
            return [*names, name, *["ignore"] * (others if name == "select" else 0)]
    match kind:
        case "ACK" if any(isinstance(e, Notify) and e.notice is Notice.TOO_SHORT for e in effects):
            return [*names, "cut_off", "notify"]
        case "ACK" if acted:
            return [ANSWERED.get(before, "extend")]
        case "NAK" if acted:
            return ["obey_nak"]
        case "STOP":
            return [*names, "stop"]
        case "OFFER" if acted:
            return []
        case "OFFER" | "ACK" | "NAK":
            return [*names, "ignore"]
    move = MOVES.get((before, after.phase.name))
    return names if move is None else [*names, move]
