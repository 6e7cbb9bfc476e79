"""`holdover client` and `holdover server` among those who mean them ill; as root only.

A server that sends garbage, replies of other exchanges, floods.
"""

import json
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.malformed import BURST
from tests.net.scenes import errors_of, scene, sees
from tests.net.stage import LEASED, Stage

FLOODED, RATE = 5, 10_000
"""Seconds at least, and datagrams a second."""

FIRST = ("nice", "-n", "-15")
"""A flood, and who is flooded, run before everything else: on a machine with much to do it would be
no flood, or a program that gets no processor."""

# Replies -----------------------------------------------------------------------------------------

GARBAGE = """
import select
from ipaddress import IPv4Address
from holdover.reference.wire.frames import *
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.packet import decode
SERVER, GOOD, LEASE = b"\\x0a\\x4d\\0\\1", b"\\x0a\\x4d\\0\\x32", b"\\x33\\4\\0\\0\\0\\x3c"
NAMED = b"\\x36\\4" + SERVER

def message(asked, kind, options=None, *, op=2, hlen=6, xid=None, chaddr=None, yiaddr=GOOD,
            magic=b"\\x63\\x82\\x53\\x63", legacy=bytes(192)):
    if options is None:
        options = bytes((53, 1, kind)) + NAMED + LEASE
    xid = asked.xid if xid is None else xid
    return (bytes((op, 1, hlen, 0)) + xid.to_bytes(4, "big") + bytes(8) + yiaddr + bytes(8)
            + (chaddr or asked.chaddr).ljust(16, b"\\0") + legacy + magic + options + b"\\xff")

def mangled(asked, kind):
    good, typed = message(asked, kind), bytes((53, 1, kind))
    for size in (*range(0, 240, 7), *range(236, len(good) - 7)):
        yield good[:size]
    for option in (b"", b"\\x35\\0", b"\\x35\\2\\2\\5", b"\\x35\\1\\0", b"\\x35\\1\\x63",
                   b"\\x35\\1"):
        yield message(asked, kind, option + NAMED + LEASE)
    for option in (b"", b"\\x36\\0", b"\\x36\\3\\x0a\\0\\0", b"\\x36\\xff\\x0a", b"\\x36\\4\\x0a"):
        yield message(asked, kind, typed + LEASE + option)
    for overload in (b"\\x34\\1\\3", b"\\x34\\1\\1\\x34\\1\\2", b"\\x34\\1\\3\\x34\\1\\3"):
        for legacy in (b"\\x34\\1\\3" * 64, b"\\x36\\xc8" * 96, b"\\1" * 192, b"\\x33\\xff" * 96):
            yield message(asked, kind, typed + overload, legacy=legacy)
    for wrong in ({"op": 1}, {"op": 0}, {"hlen": 255}, {"hlen": 0}, {"hlen": 17},
                  {"magic": bytes(4)}, {"magic": b"\\x63\\x82\\x53\\x64"}, {"yiaddr": bytes(4)},
                  {"xid": asked.xid ^ 1}, {"chaddr": b"\\2" * 6}, {"chaddr": bytes(6)}):
        yield message(asked, kind, **wrong)
    if kind == 5:
        for lease in (b"", b"\\x33\\3\\0\\0\\x3c", b"\\x33\\0",
                      b"\\x33\\xff"):
            yield message(asked, kind, typed + NAMED + lease)
        for refusal in (b"", b"\\x36\\4\\x0a\\x4d\\0\\2"):  # nobody's, and another server's
            yield message(asked, kind, b"\\x35\\1\\6" + refusal)

link, sent, requests = LinkSocket("eth0", SERVER_PORT), 0, 0
def send(payload, destination=EVERYONE):
    said = Datagram(IPv4Address("10.77.0.1"), ALL_HOSTS, SERVER_PORT, CLIENT_PORT, payload)
    link.send(encode_frame(destination, link.hardware, said))
print("listens", flush=True)
while select.select([link], [], []):
    for frame in link.receive():
        if not isinstance(frame.content, Datagram):
            continue
        asked = decode(frame.content.payload)
        kind = {MessageType.DISCOVER: 2, MessageType.REQUEST: 5}[asked.message_type]
        for payload in mangled(asked, kind):
            send(payload)
            sent += 1
        print(asked.message_type.name, sent, flush=True)
        requests += asked.message_type is MessageType.REQUEST
        if kind == 2 or requests > 1:
            send(message(asked, kind))
"""
"""A server all of whose replies are mangled, but for its last: to the second DHCPREQUEST."""


def garbage(stage: Stage) -> str:
    """Mangled replies to each message; then one that is sound.  How many were sent."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server = stage.other.start(sys.executable, "-u", "-c", GARBAGE)
    server.says("listens", PATIENCE)
    client = stage.client("--no-probe")
    server.says("REQUEST", PATIENCE)
    assert watch.lines == []
    server.says("REQUEST", PATIENCE, times=2)
    client.says("BOUND", PATIENCE)
    assert set(stage.cli.addresses()) == {IPv4Interface(f"{LEASED}/8")}
    sent = server.said("REQUEST")[-1][1]
    stage.stop(client, before)
    events = [json.loads(line)["event"] for _, line in client.lines]
    assert [event for event in events if event != "SILENT"][:1] == ["BOUND"]
    errors = errors_of(client)
    assert 0 < len(errors) <= BURST, "few lines, of hundreds of replies"
    assert all(re.search("(refused for|read without) option 5[1234] ", line) for line in errors)
    return sent


@sees(garbage)
def test_garbage_configures_nothing_and_ends_nothing(
    seen: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("mangled replies", seen)
    assert int(seen.split()[1]) > 200


HEARING = """
import select
from holdover.reference.wire.frames import *
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.packet import decode
link = LinkSocket("eth0", CLIENT_PORT)
for link.awaits in (7, 8, None):
    print("awaits", link.awaits, flush=True)
    arp = False
    while not arp and select.select([link], [], []):
        for frame in link.receive():
            arp = not isinstance(frame.content, Datagram)
            print("ARP" if arp else decode(frame.content.payload).xid, flush=True)
"""

SAYING = """
import sys
from ipaddress import IPv4Address
from holdover.reference.wire.arp import probe
from holdover.reference.wire.frames import *
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.messages import *
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.packet import encode
link, who = LinkSocket("eth0", SERVER_PORT), bytes.fromhex(sys.argv[1].replace(":", ""))
own = IPv4Address("10.77.0.9")
near = who[:5] + bytes((who[5] ^ 1,)), bytes((who[0] ^ 2,)) + who[1:]
for xid, chaddr in ((8, who), (7, near[0]), (7, near[1]), (7, who), (1 << 31, who)):
    said = BootReply(MessageType.ACK, xid, chaddr, address=own, server=own, lease=9)
    datagram = Datagram(own, ALL_HOSTS, 67, 68, encode(reply_to_wire(said)))
    link.send(encode_frame(EVERYONE, link.hardware, datagram))
link.send(encode_frame(EVERYONE, link.hardware, probe(link.hardware, own)))
"""
"""Replies with several xids and for several hosts; and at last ARP, which is always heard."""


@scene
def test_only_replies_to_the_exchange_get_through(stage: Stage) -> None:
    """A link awaits replies to one exchange, to another, and to none."""
    hears = stage.cli.start(sys.executable, "-u", "-c", HEARING)
    for number in range(3):
        hears.says("awaits", PATIENCE, times=number + 1)
        stage.other.run(sys.executable, "-u", "-c", SAYING, stage.cli.hardware, seconds=PATIENCE)
        hears.says("ARP", PATIENCE, times=number + 1)
    heard = [line for _, line in hears.lines]
    assert heard == ["awaits 7", "7", "ARP", "awaits 8", "8", "ARP", "awaits None", "ARP"]


# Floods ------------------------------------------------------------------------------------------

FLOOD = """
import os, signal, socket, sys, time
from ipaddress import IPv4Address
from holdover.reference.wire.frames import *
from holdover.reference.wire.messages import *
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode
port, hardware = int(sys.argv[1]), bytes.fromhex(sys.argv[2].replace(":", ""))
seconds, rate = float(sys.argv[3]), int(sys.argv[4])
SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")

def payloads(number):
    yield os.urandom(300)
    other = b"\\2\\7" + os.urandom(3) + bytes((number % 100,))
    if port == CLIENT_PORT:
        for who in (hardware, hardware, other):
            for kind in (MessageType.OFFER, MessageType.ACK, MessageType.NAK):
                lease = None if kind is MessageType.NAK else 9
                said = BootReply(kind, number * 7919, who, address=LEASED, server=SERVER,
                                 lease=lease)
                yield encode(reply_to_wire(said))
        return
    who = b"\\2\\7\\0\\0\\0" + bytes((number % 100,))
    yield encode(request_to_wire(BootRequest(MessageType.DISCOVER, number, who)))
    for server in (SERVER, SERVER + 9):
        asks = BootRequest(MessageType.REQUEST, number, who, requested=SERVER + 7, server=server)
        yield encode(request_to_wire(asks))
    yield encode(request_to_wire(BootRequest(MessageType.REQUEST, number, who, ciaddr=SERVER + 70)))

frames = [
    encode_frame(EVERYONE, b"\\2\\7" + os.urandom(4),
                 Datagram(SERVER if port == CLIENT_PORT else NO_ADDRESS, ALL_HOSTS,
                          SERVER_PORT + CLIENT_PORT - port, port, payload))
    for number in range(400) for payload in payloads(number)
]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.bind(("eth0", 0))
begun, sent, over = time.monotonic(), 0, []
signal.signal(signal.SIGTERM, lambda *_: over.append(True))
while (gone := time.monotonic() - begun) < seconds or not over:
    due = int(rate * gone) - sent
    for _ in range(min(due, 500)):
        link.send(frames[sent % len(frames)])
        sent += 1
    if due < 50:
        time.sleep(0.005)
print(f"sent {sent} in {gone:.2f} s: {sent / gone:.0f} a second", flush=True)
"""


def flood(stage: Stage, port: int, seconds: int = FLOODED) -> Process:
    """Random and valid datagrams to a port, from the third host; for so long, and until SIGTERM."""
    words = (str(port), stage.cli.hardware, str(seconds), str(RATE * 11 // 10))
    return stage.other.start(*FIRST, sys.executable, "-c", FLOOD, *words)


def memory(process: Process) -> int:
    """Resident, in kB."""
    status = Path(f"/proc/{process.running.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def rate(sender: Process) -> int:
    """Datagrams a second of a flood, which is told to end."""
    sender.signal(signal.SIGTERM)
    return int(sender.says("sent", FLOODED + PATIENCE)[1].split()[-3])


@dataclass(frozen=True)
class Flooded:
    """Datagrams a second, and by how many kB the program has grown under them."""

    rate: int
    grown: int


@dataclass(frozen=True)
class FloodedClient(Flooded):
    """The rate of a second flood, and how often the lease was renewed under the first."""

    second_rate: int
    renewed: int


def flooded_client(stage: Stage) -> FloodedClient:
    """Replies that it did not ask for, while it renews; then the server is gone, and they go on."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server = stage.server(lease=8)
    client = stage.client("--no-probe", under=FIRST)
    client.says("EXTENDED", PATIENCE)
    extended, used = len(client.said("EXTENDED")), memory(client)
    sender = flood(stage, 68)
    client.says("EXTENDED", PATIENCE, times=extended + 2)
    first, grown = rate(sender), memory(client) - used
    renewed = len(client.said("EXTENDED")) - extended
    assert watch.said("Deleted") == []
    again = flood(stage, 68)
    server.signal(signal.SIGKILL)
    end = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")][-1]
    client.says("LAPSED", PATIENCE)
    assert watch.said("Deleted")[-1][0] <= end
    second = rate(again)
    stage.stop(client, before)
    return FloodedClient(first, grown, second, renewed)


@sees(flooded_client)
def test_a_flooded_client_renews_and_lets_go_in_time(
    seen: FloodedClient, record_property: Callable[[str, object], None]
) -> None:
    record_property("rate", seen.rate)
    record_property("second rate", seen.second_rate)
    record_property("grown", seen.grown)
    record_property("renewed", seen.renewed)
    assert min(seen.rate, seen.second_rate) >= RATE
    assert seen.renewed >= 2
    assert seen.grown < 4096


def flooded_server(stage: Stage) -> Flooded:
    """Requests of a hundred hosts that are none, while a client comes and renews."""
    more = ("--pool", "10.77.0.50-10.77.0.250", "--leases", stage.place / "leases")
    server = stage.server(*more, lease=12, under=FIRST)
    used = memory(server)
    before = stage.cli.picture()
    sender = flood(stage, 67, 2 * FLOODED)
    eventually(lambda: len(server.lines) > 100, PATIENCE, "the flood has begun")
    client = stage.bound()
    reached, grown = rate(sender), memory(server) - used
    assert first_said(client, "BOUND") < first_said(sender, "sent")
    client.says("EXTENDED", PATIENCE)
    stage.stop(client, before)
    server.signal(signal.SIGTERM)
    assert server.ended(PATIENCE) == 0
    return Flooded(reached, grown)


def first_said(process: Process, word: str) -> Instant:
    return process.said(word)[0][0]


@sees(flooded_server)
def test_a_flooded_server_serves_other_clients(
    seen: Flooded, record_property: Callable[[str, object], None]
) -> None:
    record_property("rate", seen.rate)
    record_property("grown", seen.grown)
    assert seen.rate >= RATE
    assert seen.grown < 8192
