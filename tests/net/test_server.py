"""`holdover server` in a network namespace, and whoever asks it in others; as root only.

What each real client makes of it is in test_clients.py.
"""

import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from holdover.model.errors import InputError
from holdover.reference.cli import main
from holdover.reference.commands.server import choose_address, misbehaviour
from holdover.reference.core.config import Misbehaviour, ServerConfig
from holdover.reference.core.instants import SECOND
from holdover.reference.core.server_state import Binding, ClientKey
from holdover.reference.lab.testbed.client_program import processes
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.linux import server as service_module
from holdover.reference.linux.server import LOOK, RETRY, Service
from holdover.reference.linux.storage import lease_database
from holdover.reference.linux.storage.journal import Journal
from holdover.reference.linux.storage.lease_database import BindingNotStoredError, LeaseFile
from holdover.reference.wire.arp import reply
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, Frame, decode_frame
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode, encode
from tests.net.scenes import errors_of

SERVER, FIRST, SECOND_ONE, THIRD = (IPv4Address(f"10.77.0.{n}") for n in (1, 50, 51, 52))
KEY = ClientKey(b"\1\2\0\0\0\0\1", given=True)
NOW = 1000 * SECOND
LATER = NOW + 20 * SECOND

HASTE = "-T 1 -A 1"
"""Of udhcpc: it asks again after a second."""


# A network ---------------------------------------------------------------------------------------


@dataclass
class Network:
    """Hosts on a link (conftest.py): `srv` has an address, `a`, `b` and `c` want one."""

    hosts: dict[str, Any]
    place: Path

    def serve(self, *options: object, pool: str = f"{FIRST}-{THIRD}", wait: bool = True) -> Any:
        """Start `holdover server`."""
        arguments = ("server", "eth0", "--pool", pool, *map(str, options))
        server = self.hosts["srv"].holdover(*arguments)
        if wait:
            server.says('^serving|"started"', PATIENCE)
        return server

    def client(self, host: str, name: str, *more: str) -> Any:
        """Start a real client."""
        program = CLIENTS[name]
        command = " ".join((program.command, *more))
        return replace(program, command=command).start(self.hosts[host], self.place / host)

    def asks(self, host: str, *more: str) -> int:
        """The status of a client that asks once and ends."""
        status = self.client(host, "udhcpc", HASTE, "-q", "-n", *more).ended()
        assert isinstance(status, int)
        return status

    def run(self, host: str, *command: str) -> str:
        """Run a command on a host, and what it says."""
        return str(self.hosts[host].run(*command))

    def hardware(self, host: str) -> str:
        return str(self.hosts[host].hardware)

    def addresses(self, host: str) -> list[str]:
        return [str(each.ip) for each in self.hosts[host].addresses()]


@pytest.fixture
def network(links: Any, tmp_path: Path) -> Iterator[Network]:
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
    (seen,) = server.events("in use")
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
    said = network.run("b", sys.executable, "-c", UNICAST)
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
    network.run("b", sys.executable, "-c", FLOOD)
    assert network.asks("a", "-t", "5") == 0
    assert memory() - before < 8192
    server.signal(signal.SIGTERM)
    assert server.ended() == 0
    assert [line["address"] for line in server.events("DHCPACK")] == ["10.77.0.2"] * 2
    (ended,) = server.events("ended")
    assert ended["unread"] > 100


# The loop, without a kernel ----------------------------------------------------------------------

OWN = IPv4Interface(f"{SERVER}/24")
HARDWARE, CLIENT = b"\2\0\0\0\0\1", b"\2\0\0\0\0\7"


class Air:
    """A link and a port on which nothing is lost, and nothing is heard."""

    name, index, hardware = "lo", 1, HARDWARE

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, data: bytes, *way: Any) -> None:
        self.sent.append((*way, data) if way else decode_frame(data))


def service(leases: LeaseFile | None = None, **config: Any) -> tuple[Any, list[Any]]:
    """A service, and what it sends: frames, and (source, destination, port) by UDP."""
    air: Any = Air()
    usual: dict[str, Any] = {
        "identifier": SERVER,
        "hardware": HARDWARE,
        "pool": (FIRST,),
        "probe_wait": 0,
        "subnet": OWN.network,
    }
    made = ServerConfig(**usual | config)
    return Service(made, air, air, OWN, leases, Journal(None), lambda told: None), air.sent


def said_by(sent: Any) -> BootReply:
    """What was sent: a frame, or by UDP."""
    payload = sent[-1] if isinstance(sent, tuple) else sent.content.payload
    said = reply_from_wire(decode(payload))
    assert said is not None
    return said


def request(
    kind: MessageType, to: IPv4Address = ALL_HOSTS, chaddr: bytes = CLIENT, **said: Any
) -> Frame:
    asked = BootRequest(kind, 9, chaddr, **said)
    payload = encode(request_to_wire(asked))
    return Frame(EVERYONE, CLIENT, Datagram(NO_ADDRESS, to, 68, 67, payload))


RELAY, ELSEWHERE = IPv4Address("10.77.0.60"), IPv4Address("10.88.0.1")


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ({}, (CLIENT, FIRST, 68)),
        ({"broadcast": True}, (EVERYONE, ALL_HOSTS, 68)),
        ({"giaddr": RELAY}, (SERVER, RELAY, 67)),
        ({"giaddr": RELAY, "broadcast": True, "chaddr": bytes(16)}, (SERVER, RELAY, 67)),
        ({"giaddr": ELSEWHERE}, None),
    ],
)
def test_each_reply_takes_the_way_of_rfc_2131_4_1(said: dict[str, Any], way: Any) -> None:
    serving, sent = service()
    serving.take([request(MessageType.DISCOVER, **said)])
    ways: list[Any] = [None] if not sent else []
    for each in sent:
        if isinstance(each, Frame):
            assert isinstance(each.content, Datagram)
            to, port = each.content.destination, each.content.destination_port
            ways.append((each.destination, to, port))
        else:
            ways.append(each[:-1])
    assert ways == [way]


@pytest.mark.parametrize(
    "frame",
    [
        request(MessageType.DISCOVER, to=FIRST),  # on its way to another host
        request(MessageType.DISCOVER, chaddr=bytes(16)),  # no Ethernet client of this link
        Frame(EVERYONE, CLIENT, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, b"what?")),
    ],
)
def test_what_is_no_message_for_it_is_no_event(frame: Frame) -> None:
    serving, sent = service()
    serving.take([frame])
    assert sent == []


def test_who_answers_a_probe_does_not_lose_to_a_message_before_it() -> None:
    serving, sent = service(pool=(FIRST, SECOND_ONE), probe_wait=1)
    serving.take([request(MessageType.DISCOVER)])
    (asked,) = (frame.content for frame in sent)
    user = b"\2\0\0\0\0\11"
    other = Frame(HARDWARE, user, reply(asked, user))
    serving.take([request(MessageType.DISCOVER, chaddr=CLIENT[::-1]), other])
    assert serving.server.entry(FIRST).withheld is not None


@contextmanager
def full(path: Path, room: int = 0) -> Iterator[None]:
    """Nothing gets longer than the file is now, and so much more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_ends_nothing_and_promises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, other = NOW, CLIENT[::-1]
    monkeypatch.setattr(service_module, "boottime", lambda: clock)
    asks = request(MessageType.REQUEST, requested=FIRST, server=SERVER)
    renews = request(MessageType.REQUEST, ciaddr=FIRST)
    with leases(path := tmp_path / "leases") as file:
        serving, sent = service(file, pool=(FIRST, SECOND_ONE), lease=100)
        serving.take([asks])
        clock += 30 * SECOND
        with full(path):
            serving.take([renews])
            serving.take([request(MessageType.DISCOVER, chaddr=other)])
            serving.take(
                [request(MessageType.REQUEST, chaddr=other, requested=SECOND_ONE, server=SERVER)]
            )
            clock += LOOK
            serving.look_after_leases()
            assert not serving.server.recording
        clock += RETRY
        serving.look_after_leases()
        assert serving.server.recording
        clock += SECOND
        serving.take([renews])
        before = file.bindings
    got = [said_by(each) for each in sent]
    assert [(each.type, each.lease) for each in got] == [
        (MessageType.ACK, 100),
        (MessageType.ACK, 70),
        (MessageType.NAK, None),
        (MessageType.ACK, 100),
    ]
    with leases(path, clock) as file:
        assert file.bindings == before
        assert dict(before)[FIRST].end == clock + 100 * SECOND


# Options -----------------------------------------------------------------------------------------


def test_every_misbehaviour_has_its_option() -> None:
    given = [
        "nak",
        "reuse-early",
        "wrong-xid",
        "wrong-server",
        "wrong-client-id",
        "mute-from=15s",
        "mute-until=1m",
        "forget-at=0.5",
        "ack-delay=3s",
        "shorten=10s",
    ]
    assert misbehaviour(given, NOW) == Misbehaviour(
        mute_from=NOW + 15 * SECOND,
        mute_until=NOW + 60 * SECOND,
        nak=True,
        ack_delay=3 * SECOND,
        forget_at=NOW + SECOND // 2,
        shorten=10,
        reuse_early=True,
        wrong_xid=True,
        wrong_server=True,
        wrong_client_id=True,
    )
    assert len(given) == len(fields(Misbehaviour))
    assert misbehaviour(["mute-until=5s"], NOW).mute_from == NOW
    assert misbehaviour(["shorten=0s"], NOW).shorten == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("mutefrom=1", "nearest: mute-from"),
        ("nak=1", "takes no value"),
        ("ack-delay", "say how long, as ack-delay=10s"),
        ("ack-delay=soon", "no length of time"),
        ("shorten=1.5", "whole seconds"),
    ],
)
def test_a_misbehaviour_that_cannot_be_is_refused(given: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        misbehaviour([given], NOW)
    with pytest.raises(InputError, match="given twice"):
        misbehaviour(["nak", "nak"], NOW)
    with pytest.raises(InputError, match="not after mute-from"):
        misbehaviour(["mute-until=1s", "mute-from=1s"], NOW)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ([], "no IPv4 address"),
        (["192.0.2.1/24"], "not in a subnet"),
        (["10.77.0.50/24"], "own"),
        (["10.77.0.1/24", "192.0.2.1/24", "10.77.0.51/32"], "own"),
        (["10.77.0.49/30"], "no host"),
    ],
)
def test_a_pool_that_the_interface_cannot_serve_is_refused(there: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        choose_address("eth0", (FIRST, SECOND_ONE), [IPv4Interface(each) for each in there])


def test_the_server_is_the_address_in_the_subnet_of_the_pool() -> None:
    there = [IPv4Interface("192.0.2.1/24"), IPv4Interface("10.77.0.1/24")]
    assert choose_address("eth0", (FIRST, SECOND_ONE), there) == there[1]
    with pytest.raises(InputError, match="no host"):
        choose_address("eth0", (IPv4Address("10.77.0.200"), IPv4Address("10.77.0.255")), there)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("nosuch0", "--pool", "10.0.0.1"), "no interface 'nosuch0'"),
        (("lo", "--pool", "10.0.0.1"), "not in a subnet of lo"),
        (("lo", "--pool", "127.0.0.50-127.0.0.60"), "no Ethernet|no permission"),
        (("lo", "--pool", "10.0.0.9-10.0.0.1"), "ends before it begins"),
        (("lo", "--pool", "10.0.0.1-10.2.0.1"), "more than 65536"),
        (("lo", "--pool", "ten"), "no range"),
        (("lo",), "Missing option '--pool'"),
    ],
)
def test_bad_input_ends_with_status_2(
    options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["server", *options])
    assert ended.value.code == 2
    assert re.search(reason, capsys.readouterr().err)


# The file of leases ------------------------------------------------------------------------------


@contextmanager
def leases(path: Path, now: int = NOW, server: IPv4Address = SERVER) -> Iterator[LeaseFile]:
    file = LeaseFile(path, server, now)
    try:
        yield file
    finally:
        file.close()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Three leases: one runs for 100 s more, one is over, one has no end."""
    with leases(path := tmp_path / "leases") as file:
        file.put(THIRD, Binding(KEY, NOW + 7 * SECOND), NOW)
        file.put(FIRST, Binding(KEY, NOW + 110 * SECOND), NOW + SECOND)
        file.put(SECOND_ONE, Binding(ClientKey(KEY.identifier, given=False), NOW), NOW)
        file.put(THIRD, None, NOW + 10 * SECOND)
        file.put(THIRD, Binding(KEY, None), NOW + 10 * SECOND)
    return path


def test_what_was_stored_is_read_again(stored: Path) -> None:
    for _ in range(2):  # from the log, and from what was rewritten
        with leases(stored, NOW + 20 * SECOND) as file:
            assert file.notes == []
            assert file.bindings == (
                (FIRST, Binding(KEY, NOW + 110 * SECOND)),
                (SECOND_ONE, Binding(ClientKey(KEY.identifier, given=False), NOW)),
                (THIRD, Binding(KEY, None)),
            )
    assert [each.name for each in stored.parent.iterdir()] == ["leases"]


@pytest.mark.parametrize("rebooted", [True, False])
def test_by_another_clock_a_lease_runs_as_long_as_it_had_left(
    stored: Path, rebooted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 3 * SECOND  # earlier than it was stored, so even the same boot's clock is another
    if rebooted:
        monkeypatch.setattr(lease_database, "this_clock", lambda: "another boot")
        now = 5000 * SECOND
    with leases(stored, now) as file:
        ends = {address: binding.end for address, binding in file.bindings}
        assert ends == {FIRST: now + 100 * SECOND, SECOND_ONE: now - 10 * SECOND, THIRD: None}
        assert "another clock" in file.notes[0]
    with leases(stored, now + SECOND) as file:
        assert file.notes == []
        assert dict(file.bindings)[FIRST].end == now + 100 * SECOND


@pytest.mark.parametrize("cut", [1, 30, 120])
def test_a_last_record_that_is_cut_off_is_left_out_and_noted(stored: Path, cut: int) -> None:
    stored.write_bytes(stored.read_bytes()[:-cut])
    with leases(stored, NOW + 20 * SECOND) as file:
        assert [address for address, _ in file.bindings] == [FIRST, SECOND_ONE]
        assert file.notes == [
            "line 6, the last, is cut off or garbled and was left out: it had not been synced, so "
            "no DHCPACK had left for it"
        ]
        file.put(THIRD, Binding(KEY, NOW), NOW + 20 * SECOND)
    with leases(stored, NOW + 20 * SECOND) as file:
        assert file.notes == []
        assert len(file.bindings) == 3


def changed(text: bytes, line: int) -> bytes:
    rows = text.splitlines(keepends=True)
    rows[line] = rows[line].replace(b"1", b"2")
    return b"".join(rows)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "record": (lambda text: changed(text, 2), "line 3 is damaged, and is not the last"),
    "head": (lambda text: changed(text, 0), "its first line is not that of"),
    "zeros": (lambda text: bytes(len(text)), "its first line is not that of"),
    "foreign": (lambda text: b"lease 10.77.0.50 {\n}\n", "its first line is not that of"),
    "record first": (lambda text: text.split(b"\n", 1)[1], "its first line is not that of"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused_again_and_again(stored: Path, damage: str) -> None:
    change, reason = DAMAGES[damage]
    text = change(stored.read_bytes())
    stored.write_bytes(text)
    for _ in range(2):  # as often as a supervisor starts it again
        with pytest.raises(InputError, match=f"{reason}.*move it away"):
            LeaseFile(stored, SERVER, NOW + 20 * SECOND)
        assert [each.name for each in stored.parent.iterdir()] == ["leases"]
        assert stored.read_bytes() == text


def test_another_servers_leases_are_refused(stored: Path) -> None:
    with pytest.raises(InputError, match=r"leases of '10\.77\.0\.1', not of 10\.77\.0\.50"):
        LeaseFile(stored, FIRST, NOW)
    assert stored.exists()


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.write_text("something else")


def restored(path: Path) -> None:
    """By `cp`, which writes into the file that is there."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"lease 10.77.0.50 {\n}\n")


@pytest.mark.parametrize(
    ("become", "says"),
    [
        (deleted, "it was deleted"),
        (replaced, "it was replaced; what was there is now leases.refused"),
        (restored, "another program wrote to it; as it was then it is now leases.refused"),
        (appended, "another program wrote to it; as it was then it is now leases.refused"),
    ],
)
@pytest.mark.parametrize("by", ["put", "look"])
def test_what_becomes_of_the_file_is_noticed_and_made_good(
    stored: Path, become: Callable[[Path], None], says: str, by: str
) -> None:
    with leases(stored, LATER) as file:
        become(stored)
        if by == "put":
            file.put(FIRST + 3, Binding(KEY, LATER), LATER)
        else:
            file.look(LATER)
        (note,) = file.notes
        expected = file.bindings
        assert note.startswith(f"{says}; written anew from memory, leases: {len(expected)}.")
        file.look(LATER)
        assert len(file.notes) == 1
    assert len(expected) == (4 if by == "put" else 3)
    with leases(stored, LATER) as file:
        assert (file.bindings, file.notes) == (expected, [])


def test_what_another_server_has_put_there_is_not_touched(stored: Path) -> None:
    with leases(stored, LATER) as file:
        stored.rename(stored.with_name("old"))
        with leases(stored, LATER), pytest.raises(InputError, match="another server is using it"):
            file.look(LATER)


def test_two_servers_cannot_have_one_file(stored: Path) -> None:
    with leases(stored), pytest.raises(InputError, match="another server is using it"):
        LeaseFile(stored, SERVER, NOW)


def test_what_cannot_be_a_file_of_leases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        LeaseFile(Path("/dev/null"), SERVER, NOW)
    with pytest.raises(InputError, match="No such file"):
        LeaseFile(tmp_path / "nowhere" / "leases", SERVER, NOW)
    (tmp_path / "leases").touch()
    (tmp_path / "leases").chmod(0o666)
    with pytest.raises(InputError, match="everybody may write"):
        LeaseFile(tmp_path / "leases", SERVER, NOW)


def test_a_record_that_does_not_fit_is_left_out_until_there_is_room(stored: Path) -> None:
    fourth = FIRST + 3
    with leases(stored, LATER) as file:
        before, text = file.bindings, stored.read_bytes()
        with full(stored, 10):
            for _ in range(2):
                with pytest.raises(BindingNotStoredError, match="File too large"):
                    file.put(fourth, Binding(KEY, LATER), LATER)
                assert file.bindings == before
                assert stored.read_bytes() == text
            with pytest.raises(BindingNotStoredError):
                file.put(THIRD, None, LATER)
        assert file.failure
        assert stored.read_bytes() == text
        assert [each.name for each in stored.parent.iterdir()] == ["leases"]
        file.write_anew(LATER)
        assert file.failure == ""
        file.put(fourth, Binding(KEY, LATER), LATER)
        after = file.bindings
    assert dict(after) == {**{a: b for a, b in before if a != THIRD}, fourth: Binding(KEY, LATER)}
    with leases(stored, LATER) as file:
        assert (file.bindings, file.notes) == (after, [])


def test_a_disk_that_is_full_at_the_start_leaves_what_is_on_record(stored: Path) -> None:
    with leases(stored, LATER) as file:
        expected = file.bindings
    with full(stored, -10), leases(stored, LATER) as file:
        assert file.bindings == expected
        assert "File too large" in file.failure


def test_the_log_is_rewritten_before_it_gets_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_database, "SPARE", 10)
    with leases(path := tmp_path / "leases") as file:
        for number in range(100):
            file.put(FIRST, Binding(KEY, NOW + number), NOW)
            assert len(path.read_bytes().splitlines()) <= 14
        file.put(SECOND_ONE, Binding(KEY, NOW), NOW)
    with leases(path) as file:
        assert file.bindings == ((FIRST, Binding(KEY, NOW + 99)), (SECOND_ONE, Binding(KEY, NOW)))
