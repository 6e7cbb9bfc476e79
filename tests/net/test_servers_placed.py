"""`holdover client` where servers stand otherwise: two of them on a link, or one behind a relay.

As in test_servers.py each scene is played with each server, and tables say where they differ.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from holdover.reference.lab.testbed.netns import Links, run
from holdover.reference.lab.testbed.process import PATIENCE, Process
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from tests.net.scenes import Site, sees
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
    skip_without,
    with_server,
)

DISCOVER, OFFER, REQUEST = MessageType.DISCOVER, MessageType.OFFER, MessageType.REQUEST
ACK, NAK = MessageType.ACK, MessageType.NAK

BESIDE, THEIRS = IPv4Interface("10.77.0.2/24"), IPv4Address("10.77.0.60")
RELAY, NEAR = IPv4Address("10.88.0.1"), IPv4Address("10.88.0.50")
RELAY_LATER, FAR = IPv4Address("10.89.0.1"), IPv4Address("10.89.0.50")

# What servers do differently ---------------------------------------------------------------------

KEEPS = {"holdover": False, "kea": False, "isc": True, "dnsmasq": False, "udhcpd": True}
"""Whether an offer stays reserved, for a minute or more, for who took another server's."""

INSISTS = {"holdover": False, "kea": False, "isc": False, "dnsmasq": True, "udhcpd": False}
"""Whether an authoritative server answers a DHCPREQUEST to another server, with DHCPNAK."""

ECHOES = {"kea": True, "isc": True, "dnsmasq": True, "udhcpd": False}
"""Whether a relay's option 82 comes back (RFC 3046 §2.2).  Ours leases on its own link only."""

ROUTES = {"kea": True, "isc": True, "dnsmasq": True, "udhcpd": False}
"""Whether a renewal is answered by way of a router; udhcpd looks for the client on its own link."""


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Site]:
    """Each scene has links of its own."""
    return partial(Site, links)


# Two servers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paired(WithServer):
    """A client, and another that came when the server of the first, `chosen`, had gone.

    `unchosen`: the address of the other server, whose name is `unheard`.
    """

    client: Tenant
    other: Tenant
    chosen: IPv4Address
    unchosen: IPv4Address
    unheard: str


def paired(stage: ServerStage) -> Paired:
    """Two servers on a link; the one that is chosen goes, and another client comes."""
    skip_without(neighbour(stage.program.name))
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
    return Paired(client, other, chosen, left, programs[left].name)


def neighbour(server: str) -> str:
    """The server that is on a link with that one."""
    names = list(SERVERS)
    return names[names.index(server) - 1]


@each_server(paired)
def test_is_one_of_two(seen: Paired, server: str) -> None:
    """RFC 2131 §4.3.2: the longest of the offers so far; then no answer of the other counts."""
    client, chosen = seen.client, seen.chosen
    (asked, *_) = client.at(REQUEST)
    offers = [offer for at, offer in client.received(OFFER) if at <= asked]
    assert max(offers, key=lambda offer: offer.lease or 0).server == chosen
    assert {reply.server for reply in client.replies(ACK)} == {chosen}
    assert {send.request.server for send in client.sent(REQUEST)} == {chosen}
    naks = {reply.server for reply in client.replies(NAK)}  # one may come later than this looks
    assert naks <= ({seen.unchosen} if INSISTS[seen.unheard] else set())
    assert client.told() == ["BOUND"]
    assert client.addresses()[0] == ("added", FIRST if chosen == OWN.ip else THEIRS)


@each_server(paired)
def test_frees_the_offer_that_was_left(seen: Paired, server: str) -> None:
    """RFC 2131 §3.1(4): the DHCPREQUEST tells those not chosen; not all of them listen."""
    left, keeps = (THEIRS if seen.chosen == OWN.ip else FIRST), KEEPS[seen.unheard]
    assert {offer.address for offer in seen.other.replies(OFFER)} == (set() if keeps else {left})
    assert seen.other.told() == ([] if keeps else ["BOUND"])


# Behind a relay ----------------------------------------------------------------------------------

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


@dataclass(frozen=True)
class Relayed(WithServer):
    """A client, and its successor; a relay, and the one after it."""

    client: Tenant
    again: Tenant
    agent: Process
    later: Process


def relayed(stage: ServerStage) -> Relayed:
    """Client and server on links of their own, a relay between; then the client's is renumbered."""
    near = replace(stage.soon(), first=NEAR, last=NEAR, router=RELAY)
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
        agent = relay.start(sys.executable, "-u", "-c", AGENT, str(address), str(OWN.ip))
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
    return Relayed(client, again, agent, later)


@each_server(relayed, ECHOES)
def test_leases_behind_a_relay(seen: Relayed, server: str) -> None:
    """RFC 2131 §4.1, RFC 3046 §2.2: to `giaddr`, from its network, with option 82 as it was."""
    client = seen.client
    assert client.exchange()[:4] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    assert {reply.giaddr for reply in client.replies()[:2]} == {RELAY}
    passed = [line for _, line in seen.agent.lines]
    assert passed[1:3] == [f"OFFER {ECHOES[server]}", f"ACK {ECHOES[server]}"]
    assert client.addresses()[0] == ("added", NEAR)


@each_server(relayed, ECHOES)
def test_renews_past_a_relay(seen: Relayed, server: str) -> None:
    """RFC 2131 §4.4.5: a renewal takes no relay; by broadcast, after T2, it does."""
    client = seen.client
    assert renewals(client)[0].to == OWN.ip
    assert client.told()[:2] == ["BOUND", "EXTENDED"]
    (_, ack, *_) = client.replies(ACK)
    assert ack.giaddr == (NO_ADDRESS if ROUTES[server] else RELAY)
    assert bool(rebindings(client)) is not ROUTES[server]


@each_server(relayed, ECHOES)
def test_refuses_through_a_relay(seen: Relayed, server: str) -> None:
    """RFC 2131 §3.2(3): a DHCPNAK counts as well where the relay sends it to the client alone."""
    again = seen.again
    assert again.exchange()[:2] == ["REQUEST", "NAK"]
    assert again.told()[:2] == ["REFUSED", "BOUND"]
    assert f"NAK {ECHOES[server]}" in [line for _, line in seen.later.lines]
    assert again.addresses()[0] == ("added", FAR)


# Of every scene ----------------------------------------------------------------------------------

ALL: list[Callable[[Site], WithServer]] = [
    *(with_server(paired, server) for server in SERVERS),
    *(with_server(relayed, server) for server in ECHOES),
]


@sees(*ALL)
def test_the_client_ends_well_and_leaves_nothing(seen: WithServer) -> None:
    ends_well_and_leaves_nothing(seen)


@sees(*ALL)
def test_what_the_client_did_is_in_the_table(seen: WithServer) -> None:
    is_in_the_table(seen)
