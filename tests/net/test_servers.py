"""`holdover client` and each server of the lab (reference/lab/testbed/servers.py); as root only.

Each scene is played with each server, all at once; each test looks at what a scene with a server
has seen.  Where servers differ, a table says how, and the tests hold each to it.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from holdover.reference.core.events import Heard
from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder
from holdover.reference.linux.kernel.clock import now
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from tests.net.scenes import CannotTellError, Site, sees
from tests.net.server_stage import (
    FIRST,
    OWN,
    ServerStage,
    Tenant,
    WithServer,
    came_back,
    each_server,
    ends_well_and_leaves_nothing,
    is_in_the_table,
    rebindings,
    renewals,
    with_server,
)

DISCOVER, OFFER, REQUEST = MessageType.DISCOVER, MessageType.OFFER, MessageType.REQUEST
DECLINE, ACK, NAK, RELEASE = (
    MessageType.DECLINE,
    MessageType.ACK,
    MessageType.NAK,
    MessageType.RELEASE,
)

NEXT = IPv4Address("10.77.0.51")
MOVED, ELSEWHERE = IPv4Interface("10.78.0.1/24"), IPv4Address("10.78.0.50")

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

PROBES = [name for name in SERVERS if name != "kea"]
"""Who asks whether an address is in use; of Kea, a hook of later versions does."""


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Site]:
    """Each scene has links of its own."""
    return partial(Site, links)


# A lease, to its end -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Lived(WithServer):
    """A client, its successor, and another client; the seconds of the first one's address."""

    order: ServerOrder
    client: Tenant
    again: Tenant
    other: Tenant
    valid: dict[IPv4Interface, int]


def lived(stage: ServerStage) -> Lived:
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
    return Lived(order, client, again, other, valid)


@each_server(lived)
def test_acquires(seen: Lived, server: str) -> None:
    """RFC 2131 §3.1: four messages, and what was ordered comes out."""
    client, order = seen.client, seen.order
    assert client.exchange()[:4] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    (offer, ack) = client.replies()[:2]
    request = client.sent(REQUEST)[0].request
    assert (request.requested, request.server, request.ciaddr) == (FIRST, OWN.ip, NO_ADDRESS)
    assert (offer.address, ack.address, ack.lease) == (FIRST, FIRST, order.lease)
    if order.times is not None:
        assert (ack.t1, ack.t2) == order.times


@each_server(lived)
def test_renews(seen: Lived, server: str) -> None:
    """RFC 2131 §4.4.5: from the address, to its server alone; the lease gets more time."""
    client, order = seen.client, seen.order
    assert client.told()[:3] == ["BOUND", "EXTENDED", "EXTENDED"]
    for send in renewals(client)[:2]:
        asked = send.request
        assert (send.to, asked.ciaddr, asked.requested, asked.server) == (OWN.ip, FIRST, None, None)
    ends = [line["end"] for name in ("BOUND", "EXTENDED") for line in client.process.events(name)]
    assert ends == sorted(set(ends))
    assert "expired" not in [what for what, _ in client.addresses()]
    ((address, valid),) = seen.valid.items()
    assert (address, 0 < valid <= order.lease - 3) == (IPv4Interface((FIRST, 24)), True)


@each_server(lived)
def test_confirms_after_a_restart(seen: Lived, server: str) -> None:
    """RFC 2131 §4.3.2 INIT-REBOOT: the first message asks for the address, and gets it."""
    assert seen.client.addresses()[-1] == ("removed", FIRST)
    again = seen.again
    assert again.exchange()[:2] == ["REQUEST", "ACK"]
    asked = again.sent()[0].request
    assert (asked.requested, asked.server, asked.ciaddr) == (FIRST, None, NO_ADDRESS)


@each_server(lived)
def test_has_nothing_for_a_second_client(seen: Lived, server: str) -> None:
    """It asks again and again, and gets nothing before the first has given its lease back."""
    (*_, released) = seen.again.at(RELEASE)
    other = seen.other
    assert len([at for at in other.at(DISCOVER) if at < released]) > 1
    assert not [reply for at, reply in other.received() if at < released]


@each_server(lived)
def test_gives_a_released_address_to_another(seen: Lived, server: str) -> None:
    """RFC 2131 §4.4.6: DHCPRELEASE, from the address, which is gone by then."""
    again, (send,) = seen.again, seen.again.sent(RELEASE)
    assert (send.to, send.request.ciaddr, send.request.server) == (OWN.ip, FIRST, OWN.ip)
    assert again.addresses()[-1] == ("removed", FIRST)
    assert again.told()[-1] == "RELEASED"
    assert seen.other.replies(ACK)[0].address == FIRST


# A server that was away, or has forgotten --------------------------------------------------------


@dataclass(frozen=True)
class Rebound(WithServer):
    """A client that rebinds."""

    client: Tenant


def rebound(stage: ServerStage) -> Rebound:
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
    assert watch.said("Deleted") == []
    return Rebound(client)


@each_server(rebound)
def test_rebinds(seen: Rebound, server: str) -> None:
    """RFC 2131 §4.4.5: from the address that it holds, to any server."""
    client = seen.client
    (send, *_) = rebindings(client)
    assert (send.request.ciaddr, send.request.requested, send.request.server) == (FIRST, None, None)
    assert client.exchange()[-3:] == ["REQUEST", "REQUEST", "ACK"]
    assert client.told()[-1] == "EXTENDED"


@dataclass(frozen=True)
class Forgotten(WithServer):
    """What a client has told since its server lost its leases."""

    told: list[str]


def forgotten(stage: ServerStage) -> Forgotten:
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
    return Forgotten(client.told()[told:])


@each_server(forgotten)
def test_has_lost_its_leases(seen: Forgotten, server: str) -> None:
    """The lease is granted again, or the client lets go of it and gets another."""
    expected = FORGOTTEN[server]
    assert seen.told[: len(expected)] == expected


@dataclass(frozen=True)
class Usurped(WithServer):
    """A client, and another that has its address."""

    client: Tenant
    other: Tenant


def usurped(stage: ServerStage) -> Usurped:
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
    granted = [at for at, _ in other.received(ACK)]
    if not granted or any(at < granted[0] for at in client.at(MessageType.REQUEST)[1:]):
        raise CannotTellError("it has asked for its lease before another had the address")
    client.until(
        "refused, or rebinding", lambda tenant: "REFUSED" in tenant.told() or rebindings(tenant)
    )
    return Usurped(client, other)


@each_server(usurped)
def test_refuses_to_renew_what_is_anothers(seen: Usurped, server: str) -> None:
    """RFC 2131 §3.2(3), Figure 5: at the DHCPNAK the address goes at once; without, it is kept."""
    client = seen.client
    assert seen.other.replies(ACK)[0].address == FIRST
    if USURPED[server] is None:
        assert client.exchange()[4:] == ["REQUEST", "REQUEST"]
        assert client.told() == ["BOUND"]
        return
    assert client.exchange()[4:6] == ["REQUEST", "NAK"]
    assert client.told()[:2] == ["BOUND", "REFUSED"]
    assert client.addresses() == [("added", FIRST), ("removed", FIRST)]


# Addresses of another network, and of another host -----------------------------------------------


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


@dataclass(frozen=True)
class Renumbered(WithServer):
    """A client that came back, and whether a DHCPNAK was broadcast."""

    client: Tenant
    spied: bool


def renumbered(stage: ServerStage) -> Renumbered:
    """The client comes back, and the network has other addresses by now."""
    stage.link(srv=str(OWN), cli=None, other=None)
    srv, other = stage.hosts["srv"], stage.hosts["other"]
    spy = other.start(sys.executable, "-u", "-c", SPY)
    spy.says("listens", PATIENCE)
    server = stage.serve(stage.soon())
    before = stage.bound()
    before.stop()
    stage.forget(server)
    srv.ip("addr", "del", str(OWN), "dev", "eth0")
    srv.ip("addr", "add", str(MOVED), "dev", "eth0")
    stage.serve(replace(stage.soon(), own=MOVED, first=ELSEWHERE, last=ELSEWHERE))
    return Renumbered(came_back(before, stage.bound()), bool(spy.said("NAK")))


@each_server(renumbered)
def test_refuses_an_address_of_another_network(seen: Renumbered, server: str) -> None:
    """RFC 2131 §4.3.2 INIT-REBOOT; the client begins again, and has an address of the new one."""
    client, way = seen.client, RENUMBERED[server]
    assert client.sent()[0].request.requested == FIRST
    told, exchange = client.told(), client.exchange()
    assert told[:2] == ["LAPSED" if way is None else "REFUSED", "BOUND"]
    assert ("NAK" in exchange) is (way is not None)
    assert "DISCOVER OFFER REQUEST ACK" in " ".join(exchange)
    assert {address for _, address in client.addresses()} == {ELSEWHERE}
    assert bool(seen.spied) is (way == "to all")


@dataclass(frozen=True)
class Contested(WithServer):
    """A client, what it was offered first, and who had that address."""

    client: Tenant
    offer: BootReply
    hardware: str


def contested(stage: ServerStage) -> Contested:
    """Another host has the address that is offered."""
    stage.link(srv=str(OWN), cli=None, other=None)
    other = stage.hosts["other"]
    stage.serve(replace(stage.order(50, 80, 120, 120), last=NEXT))
    client = stage.client("cli")
    (offer, *_) = client.until("an offer", lambda tenant: tenant.replies(OFFER))
    other.ip("addr", "add", f"{offer.address}/24", "dev", "eth0")
    client.says("BOUND")
    return Contested(client, offer, other.hardware)


@each_server(contested)
def test_hears_of_a_conflict(seen: Contested, server: str) -> None:
    """RFC 2131 §3.1(5), Table 5: DHCPDECLINE for the address that another host answers for."""
    client, offer = seen.client, seen.offer
    (send,) = client.sent(DECLINE)
    assert (send.to, send.request.requested, send.request.server) == (None, offer.address, OWN.ip)
    heard = [line.value.arp for line in client.lines() if isinstance(line.value, Heard)]
    assert (offer.address, seen.hardware) in [
        (arp.sender, arp.sender_hardware.hex(":")) for arp in heard
    ]
    assert client.told() == ["DECLINED", "BOUND"]


@each_server(contested)
def test_withholds_what_was_declined(seen: Contested, server: str) -> None:
    """RFC 2131 §4.3.3 MUST: it offers the other address, and the client uses that one only."""
    client, (left,) = seen.client, {FIRST, NEXT} - {seen.offer.address}
    (declined,) = client.at(DECLINE)
    offers = [reply.address for at, reply in client.received(OFFER) if at > declined]
    assert set(offers) == {left}
    assert client.addresses() == [("added", left), ("removed", left)]


@dataclass(frozen=True)
class Probed(WithServer):
    """A client that was to be offered an address in use."""

    client: Tenant


def probed(stage: ServerStage) -> Probed:
    """The one address is in use, and the server is to look first."""
    order = ServerOrder(own=OWN, first=FIRST, last=FIRST, lease=120, probe=True)
    stage.link(srv=str(OWN), cli=None, other=f"{FIRST}/24")
    stage.serve(order)
    client = stage.client("cli", "--no-probe")
    client.until("it asks again", lambda tenant: len(tenant.sent(DISCOVER)) > 1)
    return Probed(client)


@each_server(probed, PROBES)
def test_asks_before_it_offers(seen: Probed, server: str) -> None:
    """RFC 2131 §3.1(2) SHOULD: what answers ARP or ICMP is not offered."""
    assert seen.client.exchange()[:2] == ["DISCOVER", "DISCOVER"]


# Of every scene ----------------------------------------------------------------------------------

ALL: list[Callable[[Site], WithServer]] = [
    *(with_server(lived, server) for server in SERVERS),
    *(with_server(rebound, server) for server in SERVERS),
    *(with_server(forgotten, server) for server in SERVERS),
    *(with_server(usurped, server) for server in SERVERS),
    *(with_server(renumbered, server) for server in SERVERS),
    *(with_server(contested, server) for server in SERVERS),
    *(with_server(probed, server) for server in PROBES),
]


@sees(*ALL)
def test_the_client_ends_well_and_leaves_nothing(seen: WithServer) -> None:
    ends_well_and_leaves_nothing(seen)


@sees(*ALL)
def test_what_the_client_did_is_in_the_table(seen: WithServer) -> None:
    is_in_the_table(seen)
