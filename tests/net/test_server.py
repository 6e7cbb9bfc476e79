"""`holdover server` in a network namespace, and whoever asks it in others; as root only.

What each real client makes of it is in test_clients.py; without a kernel: test_server_shell.py.
"""

import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.reference.lab.testbed.client_program import processes
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from tests.net.scenes import errors_of
from tests.schemas import checked, checked_text

SERVER, FIRST, SECOND_ONE, THIRD = (IPv4Address(f"10.77.0.{n}") for n in (1, 50, 51, 52))

HASTE = "-T 1 -A 1"
"""Of udhcpc: it asks again after a second."""


# A network ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """Hosts on a link (conftest.py): `srv` has an address, `a`, `b` and `c` want one."""

    hosts: dict[str, Host]
    place: Path

    def serve(self, *options: object, pool: str = f"{FIRST}-{THIRD}", wait: bool = True) -> Process:
        """Start `holdover server`."""
        arguments = ("server", "eth0", "--pool", pool, *map(str, options))
        server = self.hosts["srv"].holdover(*arguments)
        if wait:
            server.says('^serving|"started"', PATIENCE)
        return server

    def client(self, host: str, name: str, *more: str) -> Process:
        """Start a real client."""
        program = CLIENTS[name]
        command = " ".join((program.command, *more))
        return replace(program, command=command).start(self.hosts[host], self.place / host)

    def asks(self, host: str, *more: str) -> int:
        """The status of a client that asks once and ends."""
        return self.client(host, "udhcpc", HASTE, "-q", "-n", *more).ended()

    def run(self, host: str, *command: str) -> str:
        """Run a command on a host, and what it says."""
        return self.hosts[host].run(*command)

    def hardware(self, host: str) -> str:
        return self.hosts[host].hardware

    def addresses(self, host: str) -> list[str]:
        return [str(each.ip) for each in self.hosts[host].addresses()]


@pytest.fixture
def network(links: Links, tmp_path: Path) -> Iterator[Network]:
    for name in ("udhcpc", "dhclient"):
        if (missing := CLIENTS[name].missing()) is not None:
            pytest.skip(f"needs {missing}")
    hosts = links(srv=f"{SERVER}/24", a=None, b=None, c=None)
    yield Network(hosts, tmp_path)
    for host in hosts.values():
        host.end()


# Leases ------------------------------------------------------------------------------------------


def test_leases_survive_a_restart_and_no_other_client_gets_them(network: Network) -> None:
    options = ("--leases", network.place / "leases", "--no-probe")
    pool = f"{FIRST}-{SECOND_ONE}"
    server = network.serve(*options, pool=pool)
    assert network.asks("a") == 0
    server.says(rf"DHCPACK {FIRST} {network.hardware('a')} for 3600 s", PATIENCE)
    server.signal(signal.SIGTERM)
    assert server.ended() == 0
    server = network.serve(*options, pool=pool)
    assert network.asks("b") == 0
    server.says(rf"DHCPACK {SECOND_ONE} {network.hardware('b')} for 3600 s", PATIENCE)
    server.end()
    server = network.serve(*options, pool=pool)
    server.says("leases stored in .*: 2$", PATIENCE)
    assert network.asks("c", "-t", "2") == 1  # there is no third
    assert network.asks("a") == 0
    server.says(rf"DHCPACK {FIRST} {network.hardware('a')}", PATIENCE)
    assert len(server.said("DHCPACK")) == 1
    server.signal(signal.SIGINT)
    assert server.ended() == 130


def test_an_address_is_free_again_when_it_is_released(network: Network) -> None:
    server = network.serve("--no-probe", pool=str(FIRST))
    kernel = network.hosts["a"].watch()
    client = network.client("a", "udhcpc", "-R")
    kernel.says(str(FIRST), PATIENCE)
    # Its script may still run.
    udhcpc, *_ = eventually(lambda: processes(client), PATIENCE, "it runs")
    os.kill(udhcpc, signal.SIGTERM)
    server.says(rf"DHCPRELEASE {FIRST} {network.hardware('a')}", PATIENCE)
    server.says(f"unbound {FIRST}", PATIENCE)
    assert network.asks("b") == 0
    server.says(rf"DHCPACK {FIRST} {network.hardware('b')}", PATIENCE)


def test_an_address_that_answers_the_probe_is_not_offered(network: Network) -> None:
    network.hosts["b"].ip("addr", "add", f"{FIRST}/24", "dev", "eth0")
    server = network.serve("--json")
    assert network.asks("a") == 0
    (seen,) = map(checked, server.events("in use"))
    assert (seen["address"], seen["hardware"]) == (str(FIRST), network.hardware("b"))
    assert network.addresses("a") == [str(SECOND_ONE)]


def test_a_server_that_refuses_everybody_leases_nothing(network: Network) -> None:
    server = network.serve("--no-probe", "--misbehave", "nak")
    network.client("a", "udhcpc", HASTE)
    network.client("b", "dhclient")
    for host in "ab":
        server.says(rf"DHCPNAK {network.hardware(host)}$", PATIENCE, times=2)
        assert network.addresses(host) == []
    assert not server.said("DHCPACK")


def test_a_mute_server_leases_nothing_until_it_is_back(network: Network) -> None:
    server = network.serve("--no-probe", "--misbehave", "mute-until=4s")
    assert network.asks("a", "-t", "2") == 1
    assert not server.said("DHCP")
    assert network.asks("a", "-t", "9") == 0
    assert network.addresses("a") == [str(FIRST)]


def test_a_disk_that_is_full_for_a_while_costs_no_lease(network: Network) -> None:
    leases = network.place / "leases"
    server = network.serve("--json", "--no-probe", "--leases", leases)
    process = server.running.pid
    assert network.asks("a") == 0
    full = leases.stat().st_size - 10  # nor is there room for what it has, written anew
    most = resource.prlimit(process, resource.RLIMIT_FSIZE, (full, -1))
    assert network.asks("b", "-t", "2") == 1
    server.says('"not stored"', 5)
    (said,) = server.events("not stored")
    assert "File too large; leases on record go on" in said["note"]
    assert network.asks("a") == 0
    assert network.addresses("a") == [str(FIRST)]
    assert 0 < server.events("DHCPACK")[-1]["lease"] < 3600
    resource.prlimit(process, resource.RLIMIT_FSIZE, most)
    server.says('"stored again"', 20)
    assert [checked_text(line) for _, line in server.lines]
    assert network.asks("b") == 0
    assert network.addresses("b") == [str(SECOND_ONE)]


UNICAST = """
import socket, sys
from ipaddress import IPv4Address
from holdover.reference.wire.messages import *
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.packet import decode, encode
from tests.net.scenes import errors_of
own = IPv4Address("10.77.0.60")
def answer(port, *asked):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((str(own), port))
        udp.connect(("10.77.0.1", 67))  # so that ICMP is an error of `recv`
        for xid, said in enumerate(asked):
            request = BootRequest(xid=xid, client_id=b"anybody", **said)
            udp.send(encode(request_to_wire(request)))
        return reply_from_wire(decode(udp.recv(1500)))
informs = dict(type=MessageType.INFORM, chaddr=bytes(6), ciaddr=own)
print(answer(67, dict(type=MessageType.DISCOVER, chaddr=bytes(16), giaddr=own)).address)
print(answer(68, informs).options[1])
renews = dict(type=MessageType.REQUEST, chaddr=bytes(6), ciaddr=own)
print("silence" if answer(68, renews, informs).xid == 1 else "an answer")
"""


def test_relays_and_hosts_with_an_address_are_answered_by_unicast(network: Network) -> None:
    network.hosts["b"].ip("addr", "add", "10.77.0.60/24", "dev", "eth0")
    network.serve("--no-probe")
    said = network.run("b", sys.executable, "-u", "-c", UNICAST)
    assert said.split() == [str(FIRST), "255.255.255.0", "silence"]


# What it does not do -----------------------------------------------------------------------------


def test_a_port_in_use_is_said_so(network: Network) -> None:
    network.serve()
    second = network.serve(wait=False)
    assert second.ended() == 2
    assert "UDP port 67 of eth0 is in use" in second.errors[0]


def test_an_interface_that_goes_ends_the_server(network: Network) -> None:
    server = network.serve()
    network.hosts["srv"].ip("link", "del", "eth0")
    assert server.ended() == 2
    assert errors_of(server) == ["error: eth0: the interface is gone"]


def test_so_does_one_that_was_set_down_before(network: Network) -> None:
    server = network.serve()
    network.hosts["srv"].ip("link", "set", "eth0", "down")
    server.signal(signal.SIGUSR1)
    server.says("nothing is withheld", PATIENCE)  # it has seen what there was to see of the link
    network.hosts["srv"].ip("link", "del", "eth0")
    assert server.ended() == 2
    assert errors_of(server) == ["error: eth0: the interface is gone"]


FLOOD = """
import os, socket, sys
from holdover.reference.wire.frames import *
from holdover.reference.wire.messages import BootRequest, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.bind(("eth0", 0))
for number in range(20000):
    hardware = b"\\2" + number.to_bytes(5, "big")
    payload = os.urandom(300)
    if number % 2:
        payload = encode(request_to_wire(BootRequest(MessageType.DISCOVER, number, hardware)))
    link.send(encode_frame(EVERYONE, hardware, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, payload)))
"""


def test_a_flood_costs_no_memory_and_no_lease(network: Network) -> None:
    server = network.serve("--no-probe", "--json", pool="10.77.0.2-10.77.0.254")
    assert network.asks("a") == 0

    def memory() -> int:
        status = Path(f"/proc/{server.running.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])

    before = memory()
    network.run("b", sys.executable, "-u", "-c", FLOOD)
    assert network.asks("a", "-t", "5") == 0
    assert memory() - before < 8192
    server.signal(signal.SIGTERM)
    assert server.ended() == 0
    assert [line["address"] for line in server.events("DHCPACK")] == ["10.77.0.2"] * 2
    (ended,) = server.events("ended")
    assert ended["unread"] > 100
