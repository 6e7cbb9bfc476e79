"""`holdover client` and each server of the lab (reference/lab/testbed/servers.py); as root only.

Each scene is played with each server, all at once; each check looks at what a scene with a server
has seen.  The client's journal says what was sent and received.  Where servers differ, a table says
how, and the checks hold each to it.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, cast

import pytest

from holdover.reference.core.events import Heard, Received, Send
from holdover.reference.lab.testbed.netns import Host, Links, run
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder, ServerProgram
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.storage.journal import Line, Seen, read
from holdover.reference.validation.calls import calls
from holdover.reference.validation.follower import replay
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from tests.net.scenes import CannotTellError, slower

DISCOVER, OFFER, REQUEST = MessageType.DISCOVER, MessageType.OFFER, MessageType.REQUEST
DECLINE, ACK, NAK, RELEASE = (
    MessageType.DECLINE,
    MessageType.ACK,
    MessageType.NAK,
    MessageType.RELEASE,
)

OWN, BESIDE = IPv4Interface("10.77.0.1/24"), IPv4Interface("10.77.0.2/24")
FIRST, NEXT, THEIRS = (IPv4Address(f"10.77.0.{n}") for n in (50, 51, 60))
MOVED, ELSEWHERE = IPv4Interface("10.78.0.1/24"), IPv4Address("10.78.0.50")
RELAY, NEAR = IPv4Address("10.88.0.1"), IPv4Address("10.88.0.50")
RELAY_LATER, FAR = IPv4Address("10.89.0.1"), IPv4Address("10.89.0.50")

CLIENT = "from holdover.reference.commands.client import client; client()"

# What servers do differently ---------------------------------------------------------------------

AGAIN, ANEW = ["EXTENDED"], ["LAPSED", "BOUND"]
FORGOTTEN = {"holdover": ANEW, "kea": AGAIN, "isc": AGAIN, "dnsmasq": AGAIN, "udhcpd": ANEW}
"""What comes of a lease that a server has lost: it is granted again, or nobody answers."""

USURPED = {"holdover": NAK, "kea": NAK, "isc": NAK, "dnsmasq": NAK, "udhcpd": None}
"""What a renewal gets when the address is another's by now; udhcpd refuses no renewal."""

RENUMBERED = {
    "holdover": None,
    "kea": "to the client",
    "isc": "to all",
    "dnsmasq": "to all",
    "udhcpd": "to all",
}
"""Where the DHCPNAK for an address of another network is sent to on the link; RFC 2131 §4.3.2
SHOULD, §4.1 broadcast.  Ours looks for a record of the client before it looks at the network."""

KEEPS = {"holdover": False, "kea": False, "isc": True, "dnsmasq": False, "udhcpd": True}
"""Whether an offer stays reserved, for a minute or more, for who took another server's."""

INSISTS = {"holdover": False, "kea": False, "isc": False, "dnsmasq": True, "udhcpd": False}
"""Whether an authoritative server answers a DHCPREQUEST to another server, with DHCPNAK."""

ECHOES = {"kea": True, "isc": True, "dnsmasq": True, "udhcpd": False}
"""Whether a relay's option 82 comes back (RFC 3046 §2.2).  Ours leases on its own link only."""

ROUTES = {"kea": True, "isc": True, "dnsmasq": True, "udhcpd": False}
"""Whether a renewal is answered by way of a router; udhcpd looks for the client on its own link."""

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
        return [(v.what, v.address) for v in values if isinstance(v, Seen)]

    def until(self, what: str, wanted: Callable[["Tenant"], Any]) -> Any:
        """Wait until its journal has it; in vain where it has ended."""

        def found() -> Any:
            ended = self.process.running.poll() is not None
            if not (seen := wanted(self)) and ended:
                raise UnheardError(
                    f"{what}: it has ended\n{self.process.lines}\n{self.process.errors}"
                )
            return seen

        return eventually(found, PATIENCE, what)

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
    return [each for each in tenant.sent(REQUEST) if each.to is not None]


def rebindings(tenant: Tenant) -> list[Send]:
    """Its requests to any server, from its address."""
    return [
        each
        for each in tenant.sent(REQUEST)
        if each.to is None and each.request.ciaddr != NO_ADDRESS
    ]


def came_back(before: Tenant, again: Tenant) -> Tenant:
    """The client that was started again; it is to have come while its lease ran."""
    if again.lines()[0].now > before.end():
        raise CannotTellError("its lease was over when it came back")
    return again


# Scenes ------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A server's program, and hosts on a link, of which `srv` has an address."""

    program: ServerProgram
    links: Links
    place: Path
    factor: int = 1
    hosts: dict[str, Host] = field(default_factory=dict)
    tenants: list[Tenant] = field(default_factory=list)

    def link(self, **hosts: str | None) -> None:
        self.hosts |= self.links(**hosts)

    def order(self, t1: int, t2: int, lease: int, otherwise: int, **more: Any) -> ServerOrder:
        """One address; a lease of `otherwise` from a server that tells no T1 and T2.

        All of them times `factor` (scenes.py).
        """
        t1, t2, lease, otherwise = (each * self.factor for each in (t1, t2, lease, otherwise))
        order = ServerOrder(
            own=OWN, first=FIRST, last=FIRST, lease=max(lease, self.program.shortest)
        )
        if "times" in self.program.unsupported:
            return replace(order, lease=otherwise, **more)
        return replace(order, times=(t1, t2), **more)

    def soon(self, **more: Any) -> ServerOrder:
        """Renewed soon, and long enough for a client to be started again meanwhile."""
        return self.order(4, 10, 30, 20, **more)

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


def lived(stage: Stage) -> dict[str, Any]:
    """One address, two clients: bound, renewed, ended, asked for again, given back."""
    stage.link(srv=str(OWN), cli=None, other=None)
    order = stage.soon()
    stage.serve(order)
    client = stage.bound()
    other = stage.client("other", "--no-probe")
    client.says("EXTENDED", times=2)
    valid = stage.hosts["cli"].addresses()
    other.until("it asks again", lambda tenant: len(tenant.sent(DISCOVER)) > 1)
    client.stop()
    again = came_back(client, stage.bound("cli", "--release-on-exit"))
    again.stop()
    other.says("BOUND")
    return {"order": order, "client": client, "again": again, "other": other, "valid": valid}


def rebound(stage: Stage) -> dict[str, Any]:
    """The server is away when the lease is to be renewed, and back before T2."""
    stage.link(srv=str(OWN), cli=None)
    order = stage.order(3, 14, 30, 40)
    server, watch = stage.serve(order), stage.hosts["cli"].watch()
    client = stage.bound()
    stored = stage.place / "server" / "leases"
    eventually(lambda: stored.stat().st_size > len("udhcpd's"), PATIENCE, "the lease is stored")
    server.end()
    away, extended = now(), client.told().count("EXTENDED")
    client.until(
        "it renews, or has not",
        lambda tenant: tenant.at(REQUEST)[-1] > away or "LAPSED" in tenant.told(),
    )
    if rebindings(client) or "LAPSED" in client.told():
        raise CannotTellError("the server had not ended before the client was to renew")
    stage.serve(order)
    client.says("EXTENDED|LAPSED", times=extended + 1)
    if now() > client.end() or client.told().count("EXTENDED") > extended + 1:
        raise CannotTellError("the server was not back while the lease ran, or it had not ended")
    return {"client": client, "deleted": watch.said("Deleted")}


def forgotten(stage: Stage) -> dict[str, Any]:
    """The server is started again without its leases."""
    stage.link(srv=str(OWN), cli=None)
    order = stage.order(10, 13, 20, 16)
    server = stage.serve(order)
    client = stage.bound()
    stage.forget(server)
    told = len(client.told())
    stage.serve(order)
    if now() > client.end():
        raise CannotTellError("the lease was over before the server was back")
    client.says("BOUND|EXTENDED", times=told + 1)
    return {"told": client.told()[told:]}


def usurped(stage: Stage) -> dict[str, Any]:
    """The server is started again without its leases, and grants the address to another client.

    That one does not use it: else ours would give way to its ARP before it is refused.
    """
    stage.link(srv=str(OWN), cli=None, other=None)
    order = stage.order(25, 31, 50, 50)
    server = stage.serve(order)
    client = stage.bound()
    stage.forget(server)
    stage.serve(order)
    other = stage.client("other", "--dry-run")
    other.until(
        "it has an address, or ours again",
        lambda tenant: tenant.process.running.poll() is not None or len(client.told()) > 1,
    )
    if (before := len(client.told())) != 1:
        raise CannotTellError("it has asked for its lease before another had the address")
    client.until(
        "refused, or rebinding", lambda tenant: "REFUSED" in tenant.told() or rebindings(tenant)
    )
    return {"client": client, "other": other, "before": before}


SPY = """
import select
from holdover.reference.wire.frames import CLIENT_PORT, Datagram
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.packet import decode
link = LinkSocket("eth0", CLIENT_PORT)
print("listens", flush=True)
while select.select([link], [], []):
    for frame in link.receive():
        if isinstance(frame.content, Datagram):
            print(decode(frame.content.payload).message_type.name, flush=True)
"""
"""On a third host: what it hears of servers was broadcast."""


def refused(stage: Stage) -> dict[str, Any]:
    """The client comes back, and the network has other addresses by now."""
    stage.link(srv=str(OWN), cli=None, other=None)
    srv, other = stage.hosts["srv"], stage.hosts["other"]
    spy = other.start(sys.executable, "-c", SPY)
    spy.says("listens", PATIENCE)
    server = stage.serve(stage.soon())
    before = stage.bound()
    before.stop()
    stage.forget(server)
    srv.ip("addr", "del", str(OWN), "dev", "eth0")
    srv.ip("addr", "add", str(MOVED), "dev", "eth0")
    stage.serve(stage.soon(own=MOVED, first=ELSEWHERE, last=ELSEWHERE))
    return {"client": came_back(before, stage.bound()), "spied": spy.said("NAK")}


def contested(stage: Stage) -> dict[str, Any]:
    """Another host has the address that is offered."""
    stage.link(srv=str(OWN), cli=None, other=None)
    other = stage.hosts["other"]
    stage.serve(stage.order(50, 80, 120, 120, last=NEXT))
    client = stage.client("cli")
    (offer, *_) = client.until("an offer", lambda tenant: tenant.replies(OFFER))
    other.ip("addr", "add", f"{offer.address}/24", "dev", "eth0")
    client.says("BOUND")
    return {"client": client, "offer": offer, "hardware": other.hardware}


def probed(stage: Stage) -> dict[str, Any]:
    """The one address is in use, and the server is to look first."""
    order = ServerOrder(own=OWN, first=FIRST, last=FIRST, lease=120, probe=True)
    if (why := stage.program.refuses(order)) is not None:
        return {"why": why}
    stage.link(srv=str(OWN), cli=None, other=f"{FIRST}/24")
    stage.serve(order)
    client = stage.client("cli", "--no-probe")
    client.until("it asks again", lambda tenant: len(tenant.sent(DISCOVER)) > 1)
    return {"client": client}


def paired(stage: Stage) -> dict[str, Any]:
    """Two servers on a link; the one that is chosen goes, and another client comes."""
    stage.link(srv=str(OWN), beside=str(BESIDE), cli=None, other=None)
    programs = {OWN.ip: stage.program, BESIDE.ip: SERVERS[neighbour(stage.program.name)]}
    theirs = ServerOrder(own=BESIDE, first=THEIRS, last=THEIRS, lease=120)
    servers = {
        OWN.ip: stage.serve(ServerOrder(own=OWN, first=FIRST, last=FIRST, lease=600)),
        BESIDE.ip: programs[BESIDE.ip].start(stage.hosts["beside"], stage.place / "beside", theirs),
    }
    client = stage.bound()
    (chosen,) = {reply.server for reply in client.replies(ACK) if reply.server is not None}
    (left,) = {*servers} - {chosen}
    servers[chosen].end()
    other = stage.client("other", "--no-probe")
    if KEEPS[programs[left].name]:
        other.until("it asks again", lambda tenant: len(tenant.sent(DISCOVER)) > 1)
    else:
        other.says("BOUND")
    return {
        "client": client,
        "other": other,
        "chosen": chosen,
        "unchosen": left,
        "unheard": programs[left].name,
    }


def neighbour(server: str) -> str:
    """The server that is on a link with that one."""
    names = list(SERVERS)
    return names[names.index(server) - 1]


AGENT = """
import select, socket, sys
from dataclasses import replace
from ipaddress import IPv4Address
from holdover.reference.wire.frames import *
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.options import RELAY_INFORMATION, Options
from holdover.reference.wire.option_values import SubOption
from holdover.reference.wire.packet import decode, encode
own, server = map(IPv4Address, sys.argv[1:])
named = RELAY_INFORMATION((SubOption(1, b"port 7"),))
link, up = LinkSocket("eth0", SERVER_PORT), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
up.bind((str(own), SERVER_PORT))
print("relays", flush=True)
while ready := select.select([link, up], [], [])[0]:
    for frame in link.receive():
        if isinstance(frame.content, Datagram) and frame.content.destination == ALL_HOSTS:
            message = decode(frame.content.payload)
            options = Options([*message.options.items(), named])
            message = replace(message, hops=message.hops + 1, giaddr=own, options=options)
            up.sendto(encode(message), (str(server), SERVER_PORT))
    if up in ready:
        message = decode(up.recv(1500))
        print(message.message_type.name, message.get(RELAY_INFORMATION) == named[1], flush=True)
        kept = [pair for pair in message.options.items() if pair[0] != RELAY_INFORMATION.code]
        payload = encode(replace(message, options=Options(kept)))
        said = Datagram(own, message.yiaddr, SERVER_PORT, CLIENT_PORT, payload)
        link.send(encode_frame(message.chaddr, link.hardware, said))
"""
"""A relay; it says what it passes down, and whether option 82 came back.  All of it is unicast."""


def relayed(stage: Stage) -> dict[str, Any]:
    """Client and server on links of their own, a relay between; then the client's is renumbered."""
    near = stage.soon(first=NEAR, last=NEAR, router=RELAY)
    if (why := stage.program.refuses(near)) is not None:
        return {"why": why}
    stage.link(srv=str(OWN))
    stage.link(cli=None, relay=f"{RELAY}/24")
    srv, relay = stage.hosts["srv"], stage.hosts["relay"]
    run(*f"ip -n {srv.switch} link add prelay type veth peer eth1 netns {relay.space}".split())
    run(*f"ip -n {srv.switch} link set prelay master br0 up".split())
    relay.ip("addr", "add", "10.77.0.9/24", "dev", "eth1")
    relay.ip("addr", "add", f"{RELAY_LATER}/24", "dev", "eth0")
    relay.ip("link", "set", "eth1", "up")
    relay.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    srv.ip("route", "add", "10.88.0.0/15", "via", "10.77.0.9")

    def between(address: IPv4Address) -> Process:
        agent = relay.start(sys.executable, "-c", AGENT, str(address), str(OWN.ip))
        agent.says("relays", PATIENCE)
        return agent

    agent = between(RELAY)
    server = stage.serve(near)
    client = stage.bound()
    client.says("EXTENDED")
    client.stop()
    agent.end()
    stage.forget(server)
    later = between(RELAY_LATER)
    stage.serve(replace(near, first=FAR, last=FAR, router=RELAY_LATER))
    again = came_back(client, stage.bound())
    return {"client": client, "again": again, "passed": agent.lines, "later": later.lines}


SCENES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    scene.__name__: scene
    for scene in (rebound, usurped, lived, contested, relayed, paired, forgotten, refused, probed)
}


def played_once(
    scene: str, program: ServerProgram, links: Links, places: pytest.TempPathFactory, factor: int
) -> dict[str, Any]:
    """A scene with a server, on links of its own; what runs there has ended."""
    stage = Stage(program, links, places.mktemp(f"{scene}-{program.name}"), factor)
    try:
        return play(scene, stage)
    except CannotTellError:
        for host in stage.hosts.values():
            host.end()
        raise


def play(scene: str, stage: Stage) -> dict[str, Any]:
    """A scene, and how clients end and leave the interface."""
    seen = SCENES[scene](stage)
    if "why" in seen:
        return seen
    for tenant in stage.tenants:
        if tenant.process.running.poll() is None:
            tenant.stop()
    seen["statuses"] = {tenant.process.ended() for tenant in stage.tenants}
    cli = stage.hosts["cli"]
    seen["replayed"] = [replay(list(calls(read(tenant.journal)))) for tenant in stage.tenants]
    return seen | {"left": cli.addresses(), "routes": cli.ip("route"), "scene": scene}


# Checks ------------------------------------------------------------------------------------------

Check = Callable[[str, Any], None]
CHECKS: dict[str, tuple[str, Check]] = {}


def check(scene: str) -> Callable[[Check], Check]:
    """What a scene has seen with a server is to be judged by this."""

    def taken(judge: Check) -> Check:
        CHECKS[judge.__name__.replace("_", "-")] = scene, judge
        return judge

    return taken


@check("lived")
def acquires(server: str, seen: Any) -> None:
    """RFC 2131 §3.1: four messages, and what was ordered comes out."""
    client, order = seen["client"], seen["order"]
    assert client.exchange()[:4] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    (offer, ack) = client.replies()[:2]
    request = client.sent(REQUEST)[0].request
    assert (request.requested, request.server, request.ciaddr) == (FIRST, OWN.ip, NO_ADDRESS)
    assert (offer.address, ack.address, ack.lease) == (FIRST, FIRST, order.lease)
    if order.times is not None:
        assert (ack.t1, ack.t2) == order.times


@check("lived")
def renews(server: str, seen: Any) -> None:
    """RFC 2131 §4.4.5: from the address, to its server alone; the lease gets more time."""
    client, order = seen["client"], seen["order"]
    assert client.told()[:3] == ["BOUND", "EXTENDED", "EXTENDED"]
    for send in renewals(client)[:2]:
        asked = send.request
        assert (send.to, asked.ciaddr, asked.requested, asked.server) == (OWN.ip, FIRST, None, None)
    ends = [line["end"] for name in ("BOUND", "EXTENDED") for line in client.process.events(name)]
    assert ends == sorted(set(ends))
    assert "expired" not in [what for what, _ in client.addresses()]
    ((address, valid),) = seen["valid"].items()
    assert (address, 0 < valid <= order.lease - 3) == (IPv4Interface((FIRST, 24)), True)


@check("lived")
def confirms_after_a_restart(server: str, seen: Any) -> None:
    """RFC 2131 §4.3.2 INIT-REBOOT: the first message asks for the address, and gets it."""
    assert seen["client"].addresses()[-1] == ("removed", FIRST)
    again = seen["again"]
    assert again.exchange()[:2] == ["REQUEST", "ACK"]
    asked = again.sent()[0].request
    assert (asked.requested, asked.server, asked.ciaddr) == (FIRST, None, NO_ADDRESS)


@check("lived")
def has_nothing_for_a_second_client(server: str, seen: Any) -> None:
    """It asks again and again, and gets nothing before the first has given its lease back."""
    (*_, released) = seen["again"].at(RELEASE)
    other = seen["other"]
    assert len([at for at in other.at(DISCOVER) if at < released]) > 1
    assert not [reply for at, reply in other.received() if at < released]


@check("lived")
def gives_a_released_address_to_another(server: str, seen: Any) -> None:
    """RFC 2131 §4.4.6: DHCPRELEASE, from the address, which is gone by then."""
    again, (send,) = seen["again"], seen["again"].sent(RELEASE)
    assert (send.to, send.request.ciaddr, send.request.server) == (OWN.ip, FIRST, OWN.ip)
    assert again.addresses()[-1] == ("removed", FIRST)
    assert again.told()[-1] == "RELEASED"
    assert seen["other"].replies(ACK)[0].address == FIRST


@check("rebound")
def rebinds(server: str, seen: Any) -> None:
    """RFC 2131 §4.4.5: from the address that it holds, to any server."""
    client = seen["client"]
    (send, *_) = rebindings(client)
    assert (send.request.ciaddr, send.request.requested, send.request.server) == (FIRST, None, None)
    assert client.exchange()[-3:] == ["REQUEST", "REQUEST", "ACK"]
    assert client.told()[-1] == "EXTENDED"
    assert seen["deleted"] == []


@check("forgotten")
def has_lost_its_leases(server: str, seen: Any) -> None:
    """The lease is granted again, or the client lets go of it and gets another."""
    expected = FORGOTTEN[server]
    assert seen["told"][: len(expected)] == expected


@check("usurped")
def refuses_to_renew_what_is_anothers(server: str, seen: Any) -> None:
    """RFC 2131 §3.2(3), Figure 5: at the DHCPNAK the address goes at once; without, it is kept."""
    client = seen["client"]
    assert seen["before"] == 1
    assert seen["other"].replies(ACK)[0].address == FIRST
    if USURPED[server] is None:
        assert client.exchange()[4:] == ["REQUEST", "REQUEST"]
        assert client.told() == ["BOUND"]
        return
    assert client.exchange()[4:6] == ["REQUEST", "NAK"]
    assert client.told()[:2] == ["BOUND", "REFUSED"]
    assert client.addresses() == [("added", FIRST), ("removed", FIRST)]


@check("refused")
def refuses_an_address_of_another_network(server: str, seen: Any) -> None:
    """RFC 2131 §4.3.2 INIT-REBOOT; the client begins again, and has an address of the new one."""
    client, way = seen["client"], RENUMBERED[server]
    assert client.sent()[0].request.requested == FIRST
    told, exchange = client.told(), client.exchange()
    assert told[:2] == ["LAPSED" if way is None else "REFUSED", "BOUND"]
    assert ("NAK" in exchange) is (way is not None)
    assert "DISCOVER OFFER REQUEST ACK" in " ".join(exchange)
    assert {address for _, address in client.addresses()} == {ELSEWHERE}
    assert bool(seen["spied"]) is (way == "to all")


@check("contested")
def hears_of_a_conflict(server: str, seen: Any) -> None:
    """RFC 2131 §3.1(5), Table 5: DHCPDECLINE for the address that another host answers for."""
    client, offer = seen["client"], seen["offer"]
    (send,) = client.sent(DECLINE)
    assert (send.to, send.request.requested, send.request.server) == (None, offer.address, OWN.ip)
    heard = [line.value.arp for line in client.lines() if isinstance(line.value, Heard)]
    assert (offer.address, seen["hardware"]) in [
        (arp.sender, arp.sender_hardware.hex(":")) for arp in heard
    ]
    assert client.told() == ["DECLINED", "BOUND"]


@check("contested")
def withholds_what_was_declined(server: str, seen: Any) -> None:
    """RFC 2131 §4.3.3 MUST: it offers the other address, and the client uses that one only."""
    client, (left,) = seen["client"], {FIRST, NEXT} - {seen["offer"].address}
    (declined,) = client.at(DECLINE)
    offers = [reply.address for at, reply in client.received(OFFER) if at > declined]
    assert set(offers) == {left}
    assert client.addresses() == [("added", left), ("removed", left)]


@check("probed")
def asks_before_it_offers(server: str, seen: Any) -> None:
    """RFC 2131 §3.1(2) SHOULD: what answers ARP or ICMP is not offered."""
    if server == "kea":  # a hook of later versions does
        assert "does not ask" in seen["why"]
        return
    assert seen["client"].exchange()[:2] == ["DISCOVER", "DISCOVER"]


@check("paired")
def is_one_of_two(server: str, seen: Any) -> None:
    """RFC 2131 §4.3.2: the longest of the offers so far; then no answer of the other counts."""
    client, chosen = seen["client"], seen["chosen"]
    (asked, *_) = client.at(REQUEST)
    offers = [offer for at, offer in client.received(OFFER) if at <= asked]
    assert max(offers, key=lambda offer: offer.lease).server == chosen
    assert {reply.server for reply in client.replies(ACK)} == {chosen}
    assert {send.request.server for send in client.sent(REQUEST)} == {chosen}
    naks = {reply.server for reply in client.replies(NAK)}  # one may come later than this looks
    assert naks <= ({seen["unchosen"]} if INSISTS[seen["unheard"]] else set())
    assert client.told() == ["BOUND"]
    assert client.addresses()[0] == ("added", FIRST if chosen == OWN.ip else THEIRS)


@check("paired")
def frees_the_offer_that_was_left(server: str, seen: Any) -> None:
    """RFC 2131 §3.1(4): the DHCPREQUEST tells those not chosen; not all of them listen."""
    left, keeps = (THEIRS if seen["chosen"] == OWN.ip else FIRST), KEEPS[seen["unheard"]]
    assert {offer.address for offer in seen["other"].replies(OFFER)} == (set() if keeps else {left})
    assert seen["other"].told() == ([] if keeps else ["BOUND"])


@check("relayed")
def leases_behind_a_relay(server: str, seen: Any) -> None:
    """RFC 2131 §4.1, RFC 3046 §2.2: to `giaddr`, from its network, with option 82 as it was."""
    if server not in ECHOES:
        assert "its own link" in seen["why"]
        return
    client = seen["client"]
    assert client.exchange()[:4] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    assert {reply.giaddr for reply in client.replies()[:2]} == {RELAY}
    passed = [line for _, line in seen["passed"]]
    assert passed[1:3] == [f"OFFER {ECHOES[server]}", f"ACK {ECHOES[server]}"]
    assert client.addresses()[0] == ("added", NEAR)


@check("relayed")
def renews_past_a_relay(server: str, seen: Any) -> None:
    """RFC 2131 §4.4.5: a renewal takes no relay; by broadcast, after T2, it does."""
    if server not in ROUTES:
        assert "its own link" in seen["why"]
        return
    client = seen["client"]
    assert renewals(client)[0].to == OWN.ip
    assert client.told()[:2] == ["BOUND", "EXTENDED"]
    (_, ack, *_) = client.replies(ACK)
    assert ack.giaddr == (NO_ADDRESS if ROUTES[server] else RELAY)
    assert bool(rebindings(client)) is not ROUTES[server]


@check("relayed")
def refuses_through_a_relay(server: str, seen: Any) -> None:
    """RFC 2131 §3.2(3): a DHCPNAK counts as well where the relay sends it to the client alone."""
    if server not in ECHOES:
        assert "its own link" in seen["why"]
        return
    again = seen["again"]
    assert again.exchange()[:2] == ["REQUEST", "NAK"]
    assert again.told()[:2] == ["REFUSED", "BOUND"]
    assert f"NAK {ECHOES[server]}" in [line for _, line in seen["later"]]
    assert again.addresses()[0] == ("added", FAR)


# Tests -------------------------------------------------------------------------------------------

Played = dict[tuple[str, str], Future[dict[str, Any]]]


def wanted(session: pytest.Session) -> list[tuple[str, str]]:
    """The scenes and servers that the tests to come look at; the longest scenes first."""
    own = [item for item in session.items if item.path == Path(__file__)]
    given = [item.callspec.params for item in own if hasattr(item, "callspec")]
    pairs = {(CHECKS[each["judge"]][0], each["server"]) for each in given if "judge" in each}
    pairs |= {(each["scene"], each["server"]) for each in given if "scene" in each}
    ranks = list(SCENES)
    return sorted(pairs, key=lambda pair: (ranks.index(pair[0]), pair[1]))


@pytest.fixture(scope="module")
def played(
    links: Links, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Played]:
    """Every scene with every server that is here, from when one is first wanted."""
    here = {name for name, program in SERVERS.items() if program.missing() is None}
    pairs = [pair for pair in wanted(request.session) if {pair[1], neighbour(pair[1])} <= here]
    with ThreadPoolExecutor(max(len(pairs), 1)) as pool:
        try:
            yield {
                (scene, server): pool.submit(
                    slower, partial(played_once, scene, SERVERS[server], links, tmp_path_factory)
                )
                for scene, server in pairs
            }
        finally:
            links.end()  # a scene that is still played fails at once


def skip_without(*servers: str) -> None:
    for name in servers:
        if (program := SERVERS[name].missing()) is not None:
            pytest.skip(f"needs the program {program}: package {SERVERS[name].package}")


def seen_by(played: Played, scene: str, server: str) -> dict[str, Any]:
    """What a scene with a server has seen; skipped where its program is not here."""
    skip_without(server, neighbour(server))
    return played[scene, server].result(2 * PATIENCE)


@pytest.mark.parametrize(
    ("server", "judge"),
    [pytest.param(server, judge, id=f"{server}-{judge}") for judge in CHECKS for server in SERVERS],
)
def test_client_and_server(played: Played, server: str, judge: str) -> None:
    scene, judged = CHECKS[judge]
    judged(server, seen_by(played, scene, server))


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_client_ends_well_and_leaves_nothing(played: Played, scene: str, server: str) -> None:
    seen = seen_by(played, scene, server)
    if "why" not in seen:
        assert (seen["statuses"], seen["left"], seen["routes"]) == ({0}, {}, "")


MAY_BE_UNKNOWN = ("a conflict on an address in use", "the process was frozen, or late")
"""Of what a journal says, where the client was slow on a busy machine, or defended its address."""


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("scene", SCENES)
def test_what_the_client_did_is_in_the_table(played: Played, scene: str, server: str) -> None:
    """`holdover explain` of each client's journal: no call that no row does."""
    for replayed in seen_by(played, scene, server).get("replayed", ()):
        assert replayed.violation is None
        assert replayed.calls
        for finding in replayed.unknown:
            assert any(reason in finding.why.says for reason in MAY_BE_UNKNOWN), finding


# The servers themselves --------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_each_server_says_its_version(server: str) -> None:
    skip_without(server)
    assert SERVERS[server].version()[0].isdigit()


@pytest.mark.parametrize(
    ("server", "order", "reason"),
    [
        ("dnsmasq", {"lease": 119}, "no lease shorter than 120 s"),
        ("kea", {"probe": True}, "does not ask whether an address is in use"),
        ("holdover", {"times": (3, 10)}, "tells no T1 and T2"),
        ("holdover", {"first": NEAR, "last": NEAR}, "on its own link only"),
    ],
)
def test_what_a_server_cannot_do_is_not_asked_of_it(
    server: str, order: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    asked = replace(ServerOrder(own=OWN, first=FIRST, last=FIRST, lease=600), **order)
    with pytest.raises(ValueError, match=reason):
        SERVERS[server].start(cast(Host, None), tmp_path / "place", asked)
    assert not (tmp_path / "place").exists()
