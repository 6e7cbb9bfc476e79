"""`holdover server` behind ISC's relay agent, and asked by dhcping; as root only.

Of a relay counts where it stands: an address of the pool is of use on the server's own link only
(RFC 2131 §4.3.1).  dhcping fills in `ciaddr` and option 50, which Table 4 knows of no client, and
gives the lease back that it is confirmed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from holdover.reference.lab.testbed.netns import Host, Links, run
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from tests.net.scenes import needs

SERVER, FIRST = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
LONG = PATIENCE


@dataclass(frozen=True)
class Between:
    """A server on one link, a client on another, and a relay between the two."""

    server: Process
    relay: Host
    client: Host
    agent: Process

    def asks(self, host: Host, *more: str) -> int:
        """The status of udhcpc, which asks four times and ends."""
        words = "udhcpc -f -i eth0 -s /etc/udhcpc/default.script -q -n -T 1 -A 1 -t 4"
        return host.apart(*words.split(), *more).ended(LONG)


@pytest.fixture
def relayed(links: Links) -> Iterator[Callable[[str], Between]]:
    needs("dhcrelay", "udhcpc")
    hosts: dict[str, Host] = {}

    def make(own: str) -> Between:
        """The relay has this address where the client is."""
        hosts.update(links(srv=f"{SERVER}/24", relay="10.77.0.60/24"))
        hosts.update(links(far=None))
        server, relay, far = hosts["srv"], hosts["relay"], hosts["far"]
        cable = f"prelay type veth peer name eth1 netns {relay.space}"
        run(*f"ip -n {far.switch} link add {cable}".split())
        run(*f"ip -n {far.switch} link set prelay master br0 up".split())
        relay.ip("addr", "add", own, "dev", "eth1")
        relay.ip("link", "set", "eth1", "up")
        server.ip("route", "add", "10.88.0.0/24", "via", "10.77.0.60")
        words = f"dhcrelay -4 -d --no-pid -id eth1 -iu eth0 {SERVER}"
        agent = relay.start(*words.split())
        serving = server.holdover("server", "eth0", "--pool", f"{FIRST}-{FIRST + 2}", "--no-probe")
        serving.says("^serving", LONG)
        assert agent.running.poll() is None, agent.errors
        return Between(serving, relay, far, agent)

    yield make
    for host in hosts.values():
        host.end()


def test_a_relay_on_another_subnet_gets_silence(relayed: Callable[[str], Between]) -> None:
    scene = relayed("10.88.0.1/24")
    assert scene.asks(scene.client) == 1
    forwarded = f"Forwarded BOOTREQUEST for {scene.client.hardware} to {SERVER}"
    eventually(lambda: forwarded in scene.agent.errors, LONG, forwarded)
    assert scene.server.said("DHCP") == []
    assert scene.client.addresses() == {}


def test_a_relay_in_the_servers_subnet_is_served_at_its_port(
    relayed: Callable[[str], Between],
) -> None:
    scene = relayed("10.77.0.61/32")
    assert scene.asks(scene.client) == 0
    scene.server.says(rf"DHCPACK {FIRST} {scene.client.hardware} for 3600 s", LONG)
    assert [each.ip for each in scene.client.addresses()] == [FIRST]


@pytest.mark.parametrize("identifier", [False, True])
def test_dhcping_finds_the_server(relayed: Callable[[str], Between], identifier: bool) -> None:
    """It has no client identifier: to the server it is the client that has none either (§4.2)."""
    needs("dhcping")
    scene = relayed("10.88.0.1/24")
    host = scene.relay
    ping = ("dhcping", "-v", "-t", "5", "-s", str(SERVER), "-h", host.hardware, "-c")
    assert host.start(*ping, "10.77.0.60", "-i").ended(LONG) == 0  # who has no lease here
    assert host.start(*ping, "10.77.0.60").ended(LONG) == 1  # there is no record (§4.3.2)
    host.ip("addr", "flush", "dev", "eth0")
    assert scene.asks(host, *([] if identifier else ["-C"])) == 0
    assert [each.ip for each in host.addresses()] == [FIRST]
    found = host.start(*ping, str(FIRST))
    assert found.ended(LONG) == 0
    assert [line for _, line in found.lines] == [f"Got answer from: {SERVER}"]
    if identifier:
        scene.server.says(f"DHCPNAK {host.hardware}", LONG)
    else:
        scene.server.says(rf"DHCPACK {FIRST} {host.hardware} for 3600 s", LONG, times=2)
        scene.server.says(rf"DHCPRELEASE {FIRST} {host.hardware}", LONG)
