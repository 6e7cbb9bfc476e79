"""A client core, the server core and a network in virtual time, and the journal that comes of it.

Nothing is checked here: whatever a core does is carried out and written down.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from holdover.reference.core import client, server
from holdover.reference.core.config import ClientConfig, Misbehaviour, ServerConfig
from holdover.reference.core.events import (
    Chance,
    Event,
    Gone,
    Heard,
    Received,
    Release,
    Send,
    Stop,
    Timer,
)
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.core.server_state import ReceivedRequest, SendReply, Server, StartServer
from holdover.reference.linux.storage.journal import (
    VERSION,
    AddressSeen,
    Began,
    Entry,
    Line,
    to_line,
)
from holdover.reference.validation.calls import Part, calls
from holdover.reference.wire.arp import Arp, announcement
from holdover.reference.wire.messages import (
    BootReply,
    reply_from_wire,
    reply_to_wire,
    request_from_wire,
    request_to_wire,
)
from tests.virtual_host import VirtualHost

WALL = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS, SERVER, OTHER = (IPv4Address(f"192.0.2.{n}") for n in (50, 1, 2))
HARDWARE, SERVERS, STRANGER = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 3))
LEASE = 60
FLIGHT = SECOND // 100
TURN = SECOND // 100
"""What a process that has something to do and does nothing takes until it is called again."""
KERNEL_LATE = SECOND // 2

Act = Callable[["Rehearsal"], None]


@dataclass
class Rehearsal:
    """A host and its surroundings.  `at(seconds, act)` plans what happens to them."""

    host: VirtualHost
    now: Instant = 1000 * SECOND
    lines: list[Line] = field(default_factory=list)
    answers: bool = True
    edit: Callable[[BootReply], list[BootReply]] = lambda reply: [reply]
    flight: int = FLIGHT
    kernel_late: int = KERNEL_LATE

    def __post_init__(self) -> None:
        self.server = Server(
            ServerConfig(
                identifier=SERVER,
                hardware=SERVERS,
                pool=(ADDRESS,),
                lease=LEASE,
                grace=0,
                probe_wait=0,
            )
        )
        self._numbers, self._order = itertools.count(1), itertools.count()
        self._planned: list[tuple[Instant, int, Act]] = []
        self._begun, self._slept, self._rests = self.now, 0, 0
        self.last: BootReply | None = None
        self.write(Began(VERSION, "one clock", 1))
        self.serve(StartServer(()))

    def write(self, value: Entry, chance: Chance | None = None) -> None:
        number, awake = next(self._numbers), self.now - self._slept
        self.lines.append(Line(self.now, self.now, awake, WALL, value, number, chance))

    @property
    def parts(self) -> list[Part]:
        """The journal, as calls."""
        return list(calls(self.lines))

    def save(self, path: Path) -> Path:
        """The journal as a file."""
        lines = []
        for line in self.lines:
            clocks = {"boot": line.boot, "monotonic": line.monotonic, "wall": str(line.wall)}
            said = json.loads(to_line(line.value, line.now, line.chance))
            lines.append(json.dumps(said | clocks))
        path.write_text("\n".join(lines) + "\n")
        return path

    # What happens --------------------------------------------------------------------------------

    def at(self, seconds: float, act: Act) -> None:
        """Plan it, counted from the beginning."""
        when = self._begun + int(seconds * SECOND)
        heapq.heappush(self._planned, (when, next(self._order), act))

    def play(self, seconds: float) -> Rehearsal:
        """All that happens until then."""
        end = self._begun + int(seconds * SECOND)
        for _ in range(4_000):
            nexts = list(self._nexts())
            if not nexts or min(nexts)[0] > end:
                return self
            when, _, act = min(nexts)
            if self._planned and self._planned[0][:2] == min(nexts)[:2]:
                heapq.heappop(self._planned)
            self.now = max(self.now, when)
            act(self)
        raise AssertionError("it never comes to an end")

    def _nexts(self) -> Iterator[tuple[Instant, int, Act]]:
        if self._planned:
            yield self._planned[0]
        if self.host.until is not None:
            yield self.host.until + self.kernel_late, -3, Rehearsal.kernel
        due = server.deadline(self.server)
        if due is not None:
            yield due, -2, lambda self: self.serve(Timer())
        if (mine := self.host.deadline) is not None:
            yield max(mine, self._rests), -1, Rehearsal.timer

    def timer(self) -> None:
        """The core's own deadline; one that stands still is called again after a turn."""
        before = self.host.deadline
        self.happens(Timer())
        if self.host.deadline == before:
            self._rests = self.now + TURN

    def chance(self) -> Chance:
        return Chance(next(self._numbers) + 0x1000_0000, 500)

    def happens(self, event: Event) -> None:
        """A call of the core, and its effects."""
        if not self.host.runs:
            return
        chance = self.chance()
        self.write(event, chance)
        for effect in self.host.step(event, self.now, chance):
            self.write(effect)
            self.host.apply(effect)
            if isinstance(effect, Send):
                asked = request_from_wire(request_to_wire(effect.request))
                assert asked is not None
                self.later(partial(Rehearsal.serve, event=ReceivedRequest(asked)))

    def later(self, act: Act) -> None:
        when = self.now + self.flight
        heapq.heappush(self._planned, (when, next(self._order), act))

    def serve(self, event: Any) -> None:
        """A call of the server; its replies are on their way."""
        if isinstance(event, ReceivedRequest) and not self.answers:
            return
        self.server, effects = server.step(self.server, event, self.now)
        for effect in effects:
            if isinstance(effect, SendReply):
                reply = reply_from_wire(reply_to_wire(effect.reply))
                assert reply is not None
                self.last = reply
                for each in self.edit(reply):
                    self.later(partial(Rehearsal.hears, reply=each))

    def hears(self, reply: BootReply) -> None:
        self.happens(Received(reply))

    # Acts ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """A process begins, on what is stored and on the interface."""
        self.write(self.host.config)
        self.happens(self.host.start())

    def crash(self) -> None:
        self.host.end()

    def stop(self) -> None:
        self.happens(Stop())
        self.host.end()

    def release(self) -> None:
        self.happens(Release())
        self.host.end()

    def flap(self) -> None:
        """A link that comes back: begin anew in the same process."""
        self.happens(self.host.start())

    def freeze(self) -> None:
        self.host.frozen = True

    def thaw(self) -> None:
        """What the kernel did meanwhile is told first, unless a deadline has passed."""
        self.host.frozen = False
        gone = self.host.unnoticed
        if gone is not None:
            self.write(AddressSeen("expired", gone))
            due = self.host.deadline
            if due is not None and due <= self.now:
                self.happens(Timer())
            self.happens(Gone(gone))

    def sleep(self, seconds: int) -> None:
        """The machine is suspended."""
        self._slept += seconds * SECOND
        self.now += seconds * SECOND

    def kernel(self) -> None:
        """The address's lifetime is over."""
        gone = self.host.lose_address()
        if gone is not None and self.host.runs:
            self.write(AddressSeen("expired", gone))
            self.happens(Gone(gone))

    def arp(self, packet: Arp) -> None:
        self.happens(Heard(packet))

    def mute(self) -> None:
        self.answers = False

    def unmute(self) -> None:
        self.answers = True

    def leases(self, seconds: int) -> None:
        self.server = replace(self.server, config=replace(self.server.config, lease=seconds))

    def misbehaves(self, **how: Any) -> None:
        config = replace(self.server.config, misbehave=Misbehaviour(**how))
        self.server = replace(self.server, config=config)


# Scenes ------------------------------------------------------------------------------------------


def renewed(r: Rehearsal) -> float:
    """Renewed, rebound to a server that is back, lapsed, and leased again."""
    r.at(0, Rehearsal.start)
    r.at(100, Rehearsal.mute)
    r.at(100 + 1.8 * LEASE, Rehearsal.unmute)
    r.at(400, Rehearsal.mute)
    r.at(452, Rehearsal.unmute)  # between T2 and the end
    return 600


def refused(r: Rehearsal) -> float:
    """DHCPNAK in RENEWING, and in REQUESTING."""
    r.at(0, Rehearsal.start)
    r.at(50, lambda r: r.misbehaves(nak=True))
    r.at(150, lambda r: r.misbehaves())
    return 300


def crashed(r: Rehearsal) -> float:
    """Killed and restarted: confirmed; then unanswered, on the remainder; then past the end."""
    r.at(0, Rehearsal.start)
    for second in (30, 80, 150):
        r.at(second, Rehearsal.crash)
    for second in (35, 82, 300):
        r.at(second, Rehearsal.start)
    r.at(81, Rehearsal.mute)
    r.at(145, Rehearsal.unmute)
    return 400


def remainder(r: Rehearsal) -> float:
    """StartServer under a silent server with a lease longer than it asks."""
    r.at(0, Rehearsal.start)
    r.at(30, Rehearsal.mute)
    r.at(31, Rehearsal.crash)
    r.at(32, Rehearsal.start)
    r.at(500, Rehearsal.unmute)
    return 700


def contested(r: Rehearsal) -> float:
    """Somebody else has the address that is probed for."""
    r.at(0, Rehearsal.start)
    for tenth in range(40, 120):
        r.at(tenth / 10, lambda r: r.arp(announcement(STRANGER, ADDRESS)) if probing(r) else None)
    return 100


def probing(r: Rehearsal) -> bool:
    client = r.host.client
    return client.phase.name == "PROBING" and client.sent > 1


def ended(r: Rehearsal) -> float:
    """Stopped and begun again; a link that comes back; given back, and begun again."""
    r.at(0, Rehearsal.start)
    r.at(30, Rehearsal.stop)
    r.at(33, Rehearsal.start)
    r.at(70, Rehearsal.flap)
    r.at(100, Rehearsal.release)
    r.at(120, Rehearsal.start)
    return 200


def lossy(r: Rehearsal) -> float:
    """Replies twice, from strangers, under other xids, to others, and too late; some are lost."""
    turn = itertools.count()

    def edit(reply: BootReply) -> list[BootReply]:
        old = [
            replace(reply, xid=reply.xid - 1),
            replace(reply, server=OTHER),
            replace(reply, client_id=b"other"),
            replace(reply, lease=None),
        ]
        return [*old, reply, reply] if next(turn) % 3 else []

    r.edit = edit
    r.at(0, Rehearsal.start)
    r.at(200, lambda r: setattr(r, "flight", 3 * SECOND))
    r.at(300, lambda r: setattr(r, "flight", 29 * SECOND))
    return 700


def unanswered(r: Rehearsal) -> float:
    """The DHCPREQUEST is not answered, until it is given up."""
    r.at(0, Rehearsal.start)
    r.edit = lambda reply: [reply] if reply.type.name == "OFFER" else []
    r.at(150, lambda r: setattr(r, "edit", lambda reply: [reply]))
    return 300


def frozen(r: Rehearsal) -> float:
    """Stopped past the end of its lease."""
    r.at(0, Rehearsal.start)
    r.at(40, Rehearsal.freeze)
    r.at(150, Rehearsal.thaw)
    return 250


def asleep(r: Rehearsal) -> float:
    """The machine sleeps past T1."""
    r.at(0, Rehearsal.start)
    r.at(30, lambda r: r.sleep(25))
    return 200


def other_address(r: Rehearsal) -> float:
    """The server grants another address than it offered."""
    r.edit = lambda reply: [replace(reply, address=OTHER)] if reply.type.name == "ACK" else [reply]
    r.at(0, Rehearsal.start)
    r.at(60, lambda r: setattr(r, "edit", lambda reply: [reply]))
    return 300


def short(r: Rehearsal) -> float:
    """Leases of twenty, ten and eight seconds: probing takes most of them."""
    r.leases(20)
    r.at(0, Rehearsal.start)
    r.at(100, lambda r: r.leases(10))
    r.at(200, lambda r: r.leases(8))
    return 300


def long(r: Rehearsal) -> float:
    """StartServer under a silent server, with more left of the lease than it asks for."""
    r.leases(1000)
    r.at(0, Rehearsal.start)
    r.at(30, Rehearsal.mute)
    r.at(31, Rehearsal.crash)
    r.at(32, Rehearsal.start)
    r.at(1500, Rehearsal.unmute)
    return 2000


def late_kernel(r: Rehearsal) -> float:
    """The kernel is so late that the process finds the address still there."""
    r.kernel_late = 4 * SECOND
    r.at(0, Rehearsal.start)
    r.at(40, Rehearsal.mute)
    r.at(90, Rehearsal.unmute)
    return 200


def late_reply(r: Rehearsal) -> float:
    """The DHCPACK comes when the kernel has removed the address, and the lease still runs."""
    r.at(0, Rehearsal.start)
    r.at(40, lambda r: setattr(r, "edit", lambda reply: []))
    r.at(80, lambda r: setattr(r, "edit", lambda reply: [reply]))
    r.at(80, lambda r: setattr(r, "flight", int(3.1 * SECOND)))
    return 200


def slow(r: Rehearsal) -> float:
    """A DHCPACK that comes when there is nothing left to use, or less than probing takes."""
    r.at(0, Rehearsal.start)
    r.at(30, lambda r: setattr(r, "flight", 28_900_000_000))
    r.at(400, lambda r: setattr(r, "flight", 26 * SECOND))
    r.at(700, lambda r: setattr(r, "flight", FLIGHT))
    return 900


def found(r: Rehearsal) -> float:
    """StartServer with a lease that is over; and with an address, but nothing stored."""
    r.at(0, Rehearsal.start)
    r.at(30, Rehearsal.crash)
    r.at(200, Rehearsal.start)
    r.at(250, Rehearsal.crash)
    r.at(251, lambda r: setattr(r.host, "stored", None))
    r.at(252, Rehearsal.start)
    return 350


def late_lease(r: Rehearsal) -> float:
    """StartServer so late that, when it has waited for an answer, less than the margin is left."""

    def down(r: Rehearsal) -> None:
        config, stored = r.host.config, r.host.stored
        assert stored is not None
        assert stored.end is not None
        r.crash()
        r.mute()
        asks = stored.end - config.margin // 2 - config.ask_time
        r.at((asks - r._begun) / SECOND, Rehearsal.start)

    r.leases(120)
    r.at(0, Rehearsal.start)
    r.at(20, down)
    r.at(200, Rehearsal.unmute)
    return 300


def unusable(r: Rehearsal) -> float:
    """A server offers, then grants, what no host can have."""
    group = IPv4Address("224.0.0.1")
    r.edit = lambda reply: [replace(reply, address=group)]
    r.at(0, Rehearsal.start)
    r.at(
        20,
        lambda r: setattr(
            r,
            "edit",
            lambda reply: [replace(reply, address=group) if reply.type.name == "ACK" else reply],
        ),
    )
    r.at(200, lambda r: setattr(r, "edit", lambda reply: [reply]))
    return 300


def shortened(r: Rehearsal) -> float:
    """Renewals of two seconds, and of none; and requests that are answered twice.

    The second answer leaves less than the first, or nothing, in PROBING and in BOUND; or more.
    """

    def then(*lengths: int | None) -> Act:
        """Each DHCPACK comes with these leases, one after another; None: as granted."""

        def edit(reply: BootReply) -> list[BootReply]:
            if reply.type.name != "ACK":
                return [reply]
            return [reply if each is None else replace(reply, lease=each) for each in lengths]

        return lambda r: setattr(r, "edit", edit)

    r.at(0, Rehearsal.start)
    for second, lengths in (
        (60, (2,)),
        (90, (None,)),
        (150, (0,)),
        (180, (None, 40)),
        (260, (None, 2)),
        (290, (40, None, 40)),
        (400, (None, 10)),
    ):
        r.at(second, then(*lengths))
    return 500


SCENES = (
    short,
    long,
    late_kernel,
    late_reply,
    late_lease,
    unusable,
    slow,
    found,
    renewed,
    refused,
    crashed,
    remainder,
    contested,
    ended,
    lossy,
    unanswered,
    frozen,
    asleep,
    other_address,
    shortened,
)


def rehearsed(scene: Callable[[Rehearsal], float], core: Any = client, **config: Any) -> Rehearsal:
    """The scene with this core, to its end; another core may break before."""
    me = ClientConfig(hardware=HARDWARE, client_id=b"\1me", **config)
    made = Rehearsal(VirtualHost(me, core))
    try:
        made.play(scene(made))
    except Exception:
        if core is client:
            raise
    return made
