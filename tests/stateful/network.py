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
What the table does not see is checked as the effects are carried out (`hosts.py`): that an address
is probed and its lease stored before it is used, removed before it is given up, and that each
notice is true.
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

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from holdover.model.readings.finite import NONE, State
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import KIND
from holdover.reference.core import server
from holdover.reference.core.client_state import Effects
from holdover.reference.core.discipline import GIVES_UP
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
    ReceivedRequest,
    SendReply,
    ServerEvent,
    StartServer,
)
from holdover.reference.refinement.client_cores import ClientCore
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.justify import Situation
from holdover.reference.refinement.world import FREE
from holdover.reference.wire import arp
from holdover.reference.wire.arp import Arp
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS
from tests.stateful.compiled import Compiled, answering
from tests.stateful.datagrams import (
    Flight,
    answer,
    of_reply,
    of_request,
    over_the_air,
    read_reply,
    read_request,
)
from tests.stateful.guesses import guessed
from tests.stateful.hosts import Host
from tests.stateful.scene import ADDRESSES, NUMBER, UNUSABLE, from_now, key

Step = tuple[Any, ...]
"""("pass", length), ("timer", host), ("deliver", slot), ..., or (row of the table, binding)."""

ORDERS: Mapping[str, type[Stop] | type[Release] | type[Start]] = {
    "stop": Stop,
    "release": Release,
    "start": Start,
}
"""What a user tells a process."""


class Choice(NamedTuple):
    """A step, and what is random in it."""

    step: Step
    xid: int
    jitter: int


class Network:
    """One run: hosts, datagrams, server and clock, and what comes of each step."""

    def __init__(self, table: Compiled, core: ClientCore):
        scene = table.scene
        self.table, self.scene = table, scene
        self.now: Instant = 1_000 * SECOND
        self.chance = Chance(0, 500)
        self.hosts = [Host(config, core) for config in scene.clients()]
        self.number = {host.config.hardware: h for h, host in enumerate(self.hosts)}
        self.slots: list[Flight | None] = [None] * (scene.messages + 1)
        self.used: set[int] = set()
        self.state: State = table.table.initial
        self.server = scene.server()
        self.keys = {key(host.config): h for h, host in enumerate(self.hosts)}
        for host in self.hosts:
            self.begin(host)
        self.agreed("begin", self.state)

    def situations(self) -> list[tuple[Situation, str]]:
        """Where each client is, and how its process is."""
        return [
            (self.table.rows.situation(self.state, h), host.process)
            for h, host in enumerate(self.hosts)
        ]

    # What comes of it ----------------------------------------------------------------------------

    def take(self, step: Step, xid: int, jitter: int) -> None:
        """One step."""
        self.chance = Chance(xid, jitter)
        match step:
            case ("pass" | "pass to" | "pass a little", length):
                self.wait(length)
            case ("timer" | "early", h):
                self.timer(h)
            case ("deliver" | "deliver spoilt" as name, m):
                self.deliver(m, spoilt=name != "deliver")
            case ("stop" | "release" | "start" as name, h):
                self.call(h, ORDERS[name]())
                if name == "stop":
                    self.bury(h)
            case ("serve", m):
                flight, self.slots[m] = self.slots[m], None
                assert flight is not None
                self.serve(ReceivedRequest(read_request(flight.frame)))
            case ("server timer",):
                self.serve(Timer())
            case ("server forgets",):
                self.serve(StartServer())
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
        h = given.get("h", 0)  # a row about no host does nothing to one
        host, gone = self.hosts[h], None
        match name:
            case "kernel_removes":
                gone = host.lose_address()
            case "freeze":
                host.frozen = True
            case "thaw":
                host.frozen = False
                if host.probing:
                    host.probing_since = self.now
            case "crash":
                host.end()
            case "restart":
                self.begin(host)
        self.agreed(name, following)
        if gone is not None and host.runs:
            self.call(h, Gone(gone))
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

    def begin(self, host: Host) -> None:
        """A new process is told what the lease file has, and what is on the interface."""
        host.probed = []
        self.carry_out(host, host.step(host.start(), self.now, self.fresh()))

    def bury(self, h: int) -> None:
        """What the process had taken is gone with it."""
        for m, flight in enumerate(self.slots):
            if flight is not None and flight.taken and self.number[flight.client] == h:
                self.slots[m] = replace(flight, taken=False)
                self.row("miss", (m, h))

    def catch_up(self, h: int) -> None:
        """What a thawed process reads first: what became of its address meanwhile."""
        host, core = self.hosts[h], self.hosts[h].client
        if host.unnoticed is not None:
            self.call(h, Gone(host.unnoticed))
        elif core.phase.name == "PROBING" and core.lease is not None:
            self.answer_arp(h, arp.probe(core.config.hardware, core.lease.address))

    # Calls of a core -----------------------------------------------------------------------------

    def timer(self, h: int) -> None:
        """The deadline has come, or not."""
        self.call(h, Timer())
        self.hosts[h].count_timer(self.now)

    def deliver(self, m: int, *, spoilt: bool) -> None:
        """A datagram reaches its client, or before it its like with an address no host can have.

        One that has waited in a socket buffer counts as just arrived: the client may collect it.
        """
        flight = self.slots[m]
        assert flight is not None
        reply = read_reply(flight.frame)
        if spoilt:
            reply = replace(reply, address=UNUSABLE)
        elif flight.sent < (earliest := self.now - self.scene.delay):
            self.slots[m] = replace(flight, sent=earliest)
            self.state = self.seen()
        event = Received(reply)
        self.call(self.number[flight.client], event, None if spoilt else m)

    def call(self, h: int, event: Event, slot: int | None = None) -> None:
        """A call of a core, justified by the client's rows of the table."""
        host, before = self.hosts[h], self.state
        core, effects = host.client, host.step(event, self.now, self.fresh())
        after, lapsed, kind = host.client, host.due_notice, ""
        if slot is not None:
            flight = self.slots[slot]
            assert flight is not None
            kind = flight.kind
            collected = after.phase.name == "SELECTING" and len(after.offers) > len(core.offers)
            self.slots[slot] = replace(flight, taken=True) if collected else None
        if isinstance(event, Stop):
            host.stop(core, effects)
            kind = "STOP"
        elif after.phase.name != "SELECTING":
            for m, flight in enumerate(self.slots):
                if flight is not None and flight.taken and self.number[flight.client] == h:
                    self.slots[m] = None
        packets, lost = self.carry_out(host, effects)
        self.state = self.seen()
        self.check()
        names = (*guessed(core, after, effects, kind, lapsed=lapsed), *("lose",) * lost)
        said = f"{core.phase.name}, {kind or type(event).__name__}: to {after.phase.name}"
        with answering():
            self.table.rows.justify(before, self.state, h, names, said)
        for packet in packets:
            self.hear(h, packet)

    def carry_out(self, host: Host, effects: Effects) -> tuple[list[Arp], int]:
        """What the effects do, in their order; ARP packets, and how many datagrams are lost."""
        packets, lost = [], 0
        for effect in host.obey(effects, self.now):
            match effect:
                case Send(request, to):
                    lost += not self.send(host, request, to)
                case SendArp(packet):
                    packets.append(over_the_air(packet))
        return packets, lost

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
            if g != h and host.runs:
                self.call(g, Heard(packet))
        if self.server is not None:
            self.serve(Heard(packet))
        if packet.is_probe:
            self.answer_arp(h, packet)

    def answer_arp(self, h: int, packet: Arp) -> None:
        """Kernels answer for the address they have."""
        for g, host in enumerate(self.hosts):
            if g != h and host.address == packet.target and self.hosts[h].runs:
                reply = over_the_air(arp.reply(packet, host.config.hardware))
                self.call(h, Heard(reply))

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
                    if isinstance(event, ReceivedRequest):
                        about = event.request.requested or event.request.ciaddr
                    self.slots[self.slots.index(None)] = of_reply(effect, self.now, about)
                case SendArp(packet):
                    probed.append(over_the_air(packet))
        self.state = self.seen()
        self.check()
        for packet in probed:
            for host in self.hosts:
                if host.address == packet.target:
                    self.serve(Heard(over_the_air(arp.reply(packet, host.config.hardware))))

    # The table's view ----------------------------------------------------------------------------

    def seen(self) -> State:
        """The hosts, the datagrams and our own server in the words of the table."""
        s = list(self.state)
        for h, host in enumerate(self.hosts):
            for place, value in zip(self.table.of_host[h], host.seen(self.now), strict=True):
                s[place] = value
        for columns, flight in zip(self.table.rows.columns, self.slots, strict=True):
            content = FREE
            if flight is not None:
                h = self.number[flight.client]
                content = flight.seen(h, self.now, current=flight.xid in self.hosts[h].xids)
            for place, value in zip(columns, content, strict=True):
                s[place] = value
        if self.server is not None:
            for address, record in server.abstract(self.server).items():
                owner = NONE if record.owner is None else self.keys[record.owner]
                end = from_now(record.server_end, self.now)
                places = self.table.of_address[NUMBER[address]]
                for place, value in zip(places, (owner, end, record.withheld), strict=True):
                    s[place] = value
        return tuple(s)

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
            if host.runs and host.core.abstract(host.client).holds != host.address:
                raise DefectError(
                    "belief", "the client is wrong about the address on its interface"
                )
