"""`holdover client` on links with each server of the lab, and what became of it.

Theory of operation.  A scene is played with each server (`each_server`); the records of its clients
are asked when all of them have ended.  A client's journal says what was sent and received.  Where
the machine was too slow, a scene is played again with longer leases (scenes.py).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cache, partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TypeVar, cast

import pytest

from holdover.reference.core.events import Received, Send
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder, ServerProgram
from holdover.reference.linux.storage.journal import AddressSeen, Line, read
from holdover.reference.validation.calls import calls
from holdover.reference.validation.findings import JournalVerdict
from holdover.reference.validation.follower import replay
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from tests.net.scenes import CannotTellError, Site, slower

T = TypeVar("T")

OWN = IPv4Interface("10.77.0.1/24")
FIRST = IPv4Address("10.77.0.50")

CLIENT = "from holdover.reference.commands.client import client; client()"

# Clients -----------------------------------------------------------------------------------------


@dataclass
class Tenant:
    """`holdover client` on a host, and its journal."""

    process: Process
    journal: Path
    _size: int = -1
    _lines: list[Line] = field(default_factory=list)

    def says(self, event: str, times: int = 1) -> None:
        """Wait until it has told the event so often."""
        self.process.says(f'"event": "({event})"', PATIENCE, times=times)

    def told(self) -> list[str]:
        """The notices it has given, in order; not that it stops, which it is told to."""
        events = (line.partition('"event": "')[2] for _, line in self.process.lines)
        names = [each.partition('"')[0] for each in events]
        return [name for name in names if name not in ("STOPPED", "SILENT")]

    def lines(self) -> list[Line]:
        """Its journal so far."""
        size = self.journal.stat().st_size if self.journal.exists() else 0
        if size != self._size:
            self._size = size
            self._lines = list(read(self.journal)) if size else []
        return self._lines

    def sent(self, kind: MessageType | None = None) -> list[Send]:
        """The messages it has sent, of that type."""
        values = (line.value for line in self.lines())
        return [v for v in values if isinstance(v, Send) and kind in (None, v.request.type)]

    def replies(self, kind: MessageType | None = None) -> list[BootReply]:
        """The messages for it that it has received, of that type."""
        return [reply for _, reply in self.received(kind)]

    def received(self, kind: MessageType | None = None) -> list[tuple[int, BootReply]]:
        """The same, and when.  Some servers broadcast what is for others."""
        own = {send.request.xid for send in self.sent()}
        return [
            (line.now, line.value.reply)
            for line in self.lines()
            if isinstance(line.value, Received)
            and line.value.reply.xid in own
            and kind in (None, line.value.reply.type)
        ]

    def exchange(self) -> list[str]:
        """The types of all messages that it has sent, and of those for it, in order."""
        own = {send.request.xid for send in self.sent()}
        found = []
        for line in self.lines():
            if isinstance(line.value, Send):
                found.append(line.value.request.type.name)
            elif isinstance(line.value, Received) and line.value.reply.xid in own:
                found.append(line.value.reply.type.name)
        return found

    def at(self, kind: MessageType) -> list[int]:
        """When it has sent the messages of that type."""
        return [
            line.now
            for line in self.lines()
            if isinstance(line.value, Send) and line.value.request.type is kind
        ]

    def addresses(self) -> list[tuple[str, IPv4Address]]:
        """What became of its addresses on the interface."""
        values = (line.value for line in self.lines())
        return [(v.what, v.address) for v in values if isinstance(v, AddressSeen)]

    def until(self, what: str, wanted: Callable[[Tenant], T]) -> T:
        """Wait until its journal has it; in vain where it has ended."""

        def found() -> T:
            ended = self.process.running.poll() is not None
            if not (seen := wanted(self)) and ended:
                raise UnheardError(
                    f"{what}: it has ended\n{self.process.lines}\n{self.process.errors}"
                )
            return seen

        return cast(T, eventually(found, PATIENCE, what))

    def end(self) -> int:
        """When the lease that it was granted last is over, as it has told."""
        told = [*self.process.events("BOUND"), *self.process.events("EXTENDED")]
        return max(int(each["end"]) for each in told)

    def stop(self) -> int:
        """End it as a user does, and its status."""
        self.process.signal(signal.SIGTERM)
        return self.process.ended(PATIENCE)


def renewals(tenant: Tenant) -> list[Send]:
    """Its requests to its server alone."""
    return [each for each in tenant.sent(MessageType.REQUEST) if each.to is not None]


def rebindings(tenant: Tenant) -> list[Send]:
    """Its requests to any server, from its address."""
    return [
        each
        for each in tenant.sent(MessageType.REQUEST)
        if each.to is None and each.request.ciaddr != NO_ADDRESS
    ]


def came_back(before: Tenant, again: Tenant) -> Tenant:
    """The client that was started again; it is to have come while its lease ran."""
    if again.lines()[0].now > before.end():
        raise CannotTellError("its lease was over when it came back")
    return again


# The stage ---------------------------------------------------------------------------------------


@dataclass
class ServerStage:
    """A server's program, and hosts on a link, of which `srv` has an address."""

    program: ServerProgram
    links: Links
    place: Path
    factor: int = 1
    hosts: dict[str, Host] = field(default_factory=dict)
    tenants: list[Tenant] = field(default_factory=list)

    def link(self, **hosts: str | None) -> None:
        self.hosts |= self.links(**hosts)

    def order(self, t1: int, t2: int, lease: int, otherwise: int) -> ServerOrder:
        """One address; a lease of `otherwise` from a server that tells no T1 and T2.

        All of them times `factor` (scenes.py).
        """
        t1, t2, lease, otherwise = (each * self.factor for each in (t1, t2, lease, otherwise))
        order = ServerOrder(
            own=OWN, first=FIRST, last=FIRST, lease=max(lease, self.program.shortest)
        )
        if "times" in self.program.unsupported:
            return replace(order, lease=otherwise)
        return replace(order, times=(t1, t2))

    def soon(self) -> ServerOrder:
        """Renewed soon, and long enough for a client to be started again meanwhile."""
        return self.order(4, 10, 30, 20)

    def serve(self, order: ServerOrder) -> Process:
        return self.program.start(self.hosts["srv"], self.place / "server", order)

    def forget(self, server: Process) -> None:
        """The server is killed, and its leases are lost."""
        server.end()
        self.program.forget(self.place / "server")

    def client(self, host: str, *more: str) -> Tenant:
        """A client, by its own command: `holdover` has to load all the others before it."""
        journal = self.place / f"{host}-{len(self.tenants)}.journal"
        process = self.hosts[host].start(
            sys.executable,
            "-u",
            "-c",
            CLIENT,
            "eth0",
            "--json",
            "--journal",
            journal,
            "--state-dir",
            self.place / host,
            *more,
        )
        self.tenants.append(tenant := Tenant(process, journal))
        return tenant

    def bound(self, host: str = "cli", *more: str) -> Tenant:
        tenant = self.client(host, "--no-probe", *more)
        tenant.says("BOUND")
        return tenant

    def end(self) -> TenantsEnded:
        """Its clients are ended; what they have left, and what they did."""
        for tenant in self.tenants:
            if tenant.process.running.poll() is None:
                tenant.stop()
        statuses = frozenset(tenant.process.ended() for tenant in self.tenants)
        replayed = tuple(replay(list(calls(read(tenant.journal)))) for tenant in self.tenants)
        cli = self.hosts["cli"]
        return TenantsEnded(statuses, cli.addresses(), cli.ip("route"), replayed)


# What is seen ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TenantsEnded:
    """How the clients of a scene have ended, what the first one has left, and their journals."""

    statuses: frozenset[int]
    left: dict[IPv4Interface, int]
    routes: str
    replayed: tuple[JournalVerdict, ...]


@dataclass(frozen=True, kw_only=True)
class WithServer:
    """What a scene with a server has seen; `ended` is added when it is over."""

    ended: TenantsEnded = TenantsEnded(frozenset(), {}, "", ())


Record = TypeVar("Record", bound=WithServer)
ServerScene = Callable[[ServerStage], Record]


@cache
def with_server(scene: ServerScene[Record], server: str) -> Callable[[Site], Record]:
    """A scene with that server; skipped where its program is not here."""

    def play(site: Site) -> Record:
        skip_without(server)
        return slower(partial(_play_once, scene, server, site))

    play.__name__ = f"{scene.__name__}-{server}"
    return play


def _play_once(scene: ServerScene[Record], server: str, site: Site, factor: int) -> Record:
    """A scene with a server, on links of its own; what runs there has ended."""
    place = site.place / str(factor)
    place.mkdir()
    stage = ServerStage(SERVERS[server], site.links, place, factor)
    try:
        seen = scene(stage)
        return replace(seen, ended=stage.end())
    except CannotTellError:
        for host in stage.hosts.values():
            host.end()
        raise


def skip_without(server: str) -> None:
    """Skip the test where that server's program is not here."""
    if (program := SERVERS[server].missing()) is not None:
        pytest.skip(f"needs the program {program}: package {SERVERS[server].package}")


def each_server(
    scene: ServerScene[Record], servers: Collection[str] = tuple(SERVERS)
) -> Callable[[Callable[[Record, str], None]], Callable[[Record, str], None]]:
    """Make a test look at what the scene has seen with each server: `seen`, `server`."""
    given = [pytest.param(with_server(scene, each), each, id=each) for each in servers]
    marks = pytest.mark.parametrize(("seen", "server"), given, indirect=["seen"])

    def marked(test: Callable[[Record, str], None]) -> Callable[[Record, str], None]:
        return marks(test)

    return marked


# Of every scene ----------------------------------------------------------------------------------

MAY_BE_UNKNOWN = ("a conflict on an address in use", "the process was frozen, or late")
"""Of what a journal says, where the client was slow on a busy machine, or defended its address."""


def ends_well_and_leaves_nothing(seen: WithServer) -> None:
    """Each client has ended with status 0, and the interface is as it was."""
    assert seen.ended.statuses == {0}
    assert seen.ended.left == {}
    assert seen.ended.routes == ""


def is_in_the_table(seen: WithServer) -> None:
    """`holdover explain` of each client's journal: no call that no row does."""
    assert seen.ended.replayed
    for replayed in seen.ended.replayed:
        assert replayed.violation is None
        assert replayed.calls
        for finding in replayed.unknown:
            assert any(reason in finding.why.says for reason in MAY_BE_UNKNOWN), finding
