"""`holdover client` and `holdover server` in bad luck, each in a namespace; as root only.

Disks that are full or read-only, a port that is taken, hooks that block and crash, servers that
send garbage, floods, no root.  As in test_client.py all scenes play at once, and a test looks at
what one of them has seen.  The kernel's account (`ip monitor`) says which addresses there were.
"""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.malformed import BURST
from holdover.reference.linux.server import alike
from holdover.reference.wire.arp import probe
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, encode_frame
from holdover.reference.wire.messages import BootRequest, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode
from tests.net.scenes import LOCK, errors_of, played, scene

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
FLOODED, RATE = 15, 10_000
"""Seconds, and datagrams a second."""

DISK = "mount -t tmpfs -o size=64k tmpfs "
FILL = "head -c 200000 /dev/zero >{}/fill 2>&1 || true"


@dataclass
class Stage:
    """A link with a server, a client and another host, and a place for files."""

    srv: Any
    cli: Any
    other: Any
    place: Path

    @property
    def state(self) -> Path:
        return self.place / "state"

    def server(self, *more: str | Path, lease: int = 10, under: tuple[str, ...] = ()) -> Any:
        words = f"server eth0 --pool {LEASED} --lease {lease} --router {SERVER} --no-probe --json"
        process = self.srv.holdover(*words.split(), *more, under=under)
        process.says("started", PATIENCE)
        return process

    def client(self, *more: str | Path, under: tuple[str, ...] = ()) -> Any:
        words = ("client", "eth0", "--state-dir", self.state, "--no-probe", "--json")
        return self.cli.holdover(*words, *more, under=under)

    def disk(self, directory: Path, then: str = "") -> tuple[str, ...]:
        """A small disk in the directory, seen by the program only that is started under it."""
        directory.mkdir(exist_ok=True)
        shell = f'{DISK}{directory}; {then}\nexec "$@"'
        return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", shell, "sh")

    def fill(self, process: Process, directory: Path) -> None:
        """Fill that disk up."""
        there = Path(f"/proc/{process.running.pid}/root{directory}")
        self.srv.run("sh", "-c", FILL.format(there))

    def empty(self, process: Process, directory: Path) -> None:
        """Make room on it again."""
        Path(f"/proc/{process.running.pid}/root{directory}/fill").unlink()

    def remount(self, process: Process, directory: Path, how: str) -> None:
        """Make that disk read-only, or no more."""
        words = ("nsenter", "-m", "-t", str(process.running.pid), "mount", "-o", f"remount,{how}")
        self.srv.run(*words, directory)

    def explained(self) -> tuple[int, list[str]]:
        """What is to be said of the client's journal."""
        process = self.cli.holdover("explain", self.place / "journal")
        return process.ended(PATIENCE), [line for _, line in process.lines]


def ended(stage: Stage, client: Any, before: Any) -> dict[str, Any]:
    """Ctrl-C, and what is there then."""
    client.signal(signal.SIGINT)
    status = client.ended(PATIENCE)
    return {"status": status, "before": before, "after": stage.cli.picture()}


def failed(stage: Stage, client: Any, watch: Any, before: Any) -> dict[str, Any]:
    """A client that ends by itself."""
    return {
        "status": client.ended(PATIENCE),
        "before": before,
        "after": stage.cli.picture(),
        "errors": errors_of(client),
        "client": client,
        "watched": list(watch.lines),
    }


# Scenes: the machine -----------------------------------------------------------------------------


def link_down(stage: Stage) -> dict[str, Any]:
    """The link is set down and up while a lease is in use."""
    before = stage.cli.picture()
    stage.server(lease=600)
    client = stage.client()
    client.says("BOUND", PATIENCE)
    bound = stage.cli.picture()
    stage.cli.ip("link", "set", "eth0", "down")
    down = stage.cli.ip("route")
    stage.cli.ip("link", "set", "eth0", "up")
    client.says("EXTENDED", PATIENCE)
    again = {"bound": without_lifetime(bound), "down": down}
    again["again"] = without_lifetime(stage.cli.picture())
    return again | ended(stage, client, before)


def without_lifetime(picture: tuple[str, str, str]) -> tuple[str, ...]:
    return tuple(re.sub(r"(valid|preferred)_lft \d+sec|qlen \d+", "", part) for part in picture)


def taken_port(stage: Stage) -> dict[str, Any]:
    """Another program has port 68 for itself."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    takes = "import socket, time; s = socket.socket(2, 2); s.bind(('', 68)); print(1, flush=True)"
    stage.cli.start(sys.executable, "-c", f"{takes}; time.sleep(1000)").says("1", PATIENCE)
    return failed(stage, stage.client(), watch, before)


def full_disk(stage: Stage, *more: str) -> dict[str, Any]:
    """No lease can be stored from the beginning; then there is room."""
    server = stage.server(lease=60)
    watch, before = stage.cli.watch(), stage.cli.picture()
    under = stage.disk(stage.state, f"chmod 700 {stage.state}; {FILL.format(stage.state)}")
    client = stage.client(*more, "--journal", stage.place / "journal", under=under)
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    server.says("DHCPACK", PATIENCE, times=2)  # asked again, and not at once
    seen: dict[str, Any] = {
        "errors": errors_of(client),
        "watched": list(watch.lines),
        "apart": [ack["at"] for ack in server.events("DHCPACK")],
        "bound": client.events("BOUND"),
    }
    stage.empty(client, stage.state)
    client.says("BOUND", PATIENCE)
    return seen | ended(stage, client, before) | explained(stage) | {"then": errors_of(client)}


def full_disk_probing(stage: Stage) -> dict[str, Any]:
    """The same with a client that has probed for the address when it cannot be stored."""
    stage.server(lease=60)
    watch, before = stage.cli.watch(), stage.cli.picture()
    under = stage.disk(stage.state, f"chmod 700 {stage.state}; {FILL.format(stage.state)}")
    words = ("client", "eth0", "--state-dir", stage.state, "--json")
    client = stage.cli.holdover(*words, "--journal", stage.place / "journal", under=under)
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    seen: dict[str, Any] = {"watched": list(watch.lines), "cpu": seconds(client)}
    stage.empty(client, stage.state)
    client.says("BOUND", PATIENCE)
    seen["cpu"] = seconds(client) - seen["cpu"]
    return seen | ended(stage, client, before) | explained(stage)


def seconds(process: Process) -> float:
    """Of a processor, that it has used."""
    user, system = Path(f"/proc/{process.running.pid}/stat").read_text().split()[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def explained(stage: Stage) -> dict[str, Any]:
    status, said = stage.explained()
    return {"explained": status, "explanation": said}


def unwritable(
    spoil: Callable[[Stage, Any], None], mend: Callable[[Stage, Any], None] | None, lease: int
) -> Callable[[Stage], dict[str, Any]]:
    """The first lease could be stored, its renewal cannot; then it can again, or does not."""

    def scene(stage: Stage) -> dict[str, Any]:
        server = stage.server(lease=lease)
        watch, before = stage.cli.watch(), stage.cli.picture()
        under = stage.disk(stage.state, f"chmod 700 {stage.state}")
        client = stage.client("--journal", stage.place / "journal", under=under)
        client.says("BOUND", PATIENCE)
        stored = server.events("DHCPACK")[0]
        spoil(stage, client)
        eventually(lambda: errors_of(client), PATIENCE, "it says so")
        seen: dict[str, Any] = {"kept": stage.cli.has(LEASED), "errors": errors_of(client)}
        if mend is None:
            watch.says("Deleted", PATIENCE)
            client.says("LAPSED", PATIENCE)
            end = stored["at"] + stored["lease"] * SECOND
            seen |= {"early": (end - watch.said("Deleted")[0][0]) / SECOND}
        else:
            mend(stage, client)
            client.says("EXTENDED", PATIENCE)
            seen |= {"deleted": watch.said("Deleted")}
        return seen | ended(stage, client, before) | explained(stage) | {"then": errors_of(client)}

    scene.__name__ = f"{spoil.__name__}_{'back' if mend else 'for_good'}"
    return scene


def filled(stage: Stage, client: Any) -> None:
    stage.fill(client, stage.state)


def emptied(stage: Stage, client: Any) -> None:
    stage.empty(client, stage.state)


def made_read_only(stage: Stage, client: Any) -> None:
    stage.remount(client, stage.state, "ro")


def made_writable(stage: Stage, client: Any) -> None:
    stage.remount(client, stage.state, "rw")


filled_back = unwritable(filled, emptied, 40)
made_read_only_back = unwritable(made_read_only, made_writable, 40)
made_read_only_for_good = unwritable(made_read_only, None, 16)


def read_only(stage: Stage) -> dict[str, Any]:
    """The state directory is on a disk that nobody can write to."""
    stage.server()
    watch, before = stage.cli.watch(), stage.cli.picture()
    made_so = f"chmod 700 {stage.state}; mount -o remount,ro {stage.state}"
    return failed(stage, stage.client(under=stage.disk(stage.state, made_so)), watch, before)


def full_journal(stage: Stage) -> dict[str, Any]:
    """The disk of the journal gets full."""
    before, disk = stage.cli.picture(), stage.place / "disk"
    stage.server()
    client = stage.client("--journal", disk / "journal", under=stage.disk(disk))
    client.says("BOUND", PATIENCE)
    stage.fill(client, disk)
    client.says("EXTENDED", PATIENCE, times=2)
    return ended(stage, client, before) | {"errors": errors_of(client)}


ASKING = """
import time
from ipaddress import IPv4Address
from holdover.reference.wire.frames import *
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.messages import *
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode, encode
link, server = LinkSocket("eth0", CLIENT_PORT), IPv4Address("10.77.0.1")
for number in range(100):
    asks = BootRequest(MessageType.REQUEST, number, b"\\2\\7\\0\\0\\0" + bytes((number,)),
                       server=server, requested=server + 49 + number, broadcast=True)
    said = Datagram(NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, encode(request_to_wire(asks)))
    link.send(encode_frame(EVERYONE, link.hardware, said))
    time.sleep(0.05)
    for frame in link.receive():
        print(decode(frame.content.payload).yiaddr, flush=True)
"""
"""A hundred hosts ask for an address each; it says which were acknowledged."""


def full_server(stage: Stage) -> dict[str, Any]:
    """The server's disk is full: no page of it is left beside those that its file has."""
    disk = stage.place / "disk"
    more = ("--pool", "10.77.0.50-10.77.0.200", "--leases", disk / "leases")
    server = stage.server(*more, lease=600, under=stage.disk(disk))
    stage.fill(server, disk)
    asking = stage.other.start(sys.executable, "-c", ASKING)
    asking.ended(PATIENCE)
    server.signal(signal.SIGTERM)
    return {
        "status": server.ended(PATIENCE),
        "heard": [line for _, line in asking.lines],
        "acks": [ack["address"] for ack in server.events("DHCPACK")],
        "notes": [line["note"] for line in server.events("not stored")],
    }


def crashing_hook(stage: Stage) -> dict[str, Any]:
    """A hook that is missing; one that crashes."""
    before = stage.cli.picture()
    missing = stage.client("--hook", "/nowhere/hook")
    seen = {"missing": missing, "missing status": missing.ended(PATIENCE)}
    stage.server()
    client = stage.client("--hook", "sh -c 'kill -SEGV $$'")
    client.says("EXTENDED", PATIENCE)
    return seen | {"client": client} | ended(stage, client, before)


def blocking_hook(stage: Stage) -> dict[str, Any]:
    """A hook that blocks, while the lease is renewed and when the server is gone."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server = stage.server()
    client = stage.client("--hook", "sleep 1000")
    client.says("EXTENDED", PATIENCE)
    server.signal(signal.SIGKILL)
    server.ended(PATIENCE)
    end = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")][-1]
    client.says("LAPSED", PATIENCE)
    seen = {"early": end - watch.said("Deleted")[-1][0], "after lapse": stage.cli.picture()}
    return seen | ended(stage, client, before)


# Scenes: the network -----------------------------------------------------------------------------

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


def garbage(stage: Stage) -> dict[str, Any]:
    """Mangled replies to each message; then one that is sound."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server = stage.other.start(sys.executable, "-c", GARBAGE)
    server.says("listens", PATIENCE)
    client = stage.client()
    server.says("REQUEST", PATIENCE)
    first = list(watch.lines)
    server.says("REQUEST", PATIENCE, times=2)
    client.says("BOUND", PATIENCE)
    bound = stage.cli.addresses()
    seen = {"first": first, "bound": bound, "sent": server.said("REQUEST")[-1][1]}
    seen |= ended(stage, client, before)
    return seen | {"events": client.lines, "errors": errors_of(client)}


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


def awaited(stage: Stage) -> dict[str, Any]:
    """A link that awaits replies to one exchange, to another, and to none."""
    hears = stage.cli.start(sys.executable, "-c", HEARING)
    for number in range(3):
        hears.says("awaits", PATIENCE, times=number + 1)
        stage.other.run(sys.executable, "-c", SAYING, stage.cli.hardware, seconds=PATIENCE)
        hears.says("ARP", PATIENCE, times=number + 1)
    return {"heard": [line for _, line in hears.lines]}


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


def flood(stage: Stage, port: int, seconds: int = FLOODED) -> Any:
    """Random and valid datagrams to a port, from the third host; for so long, and until SIGTERM."""
    words = (str(port), stage.cli.hardware, str(seconds), str(RATE * 11 // 10))
    # Before everything else that runs, or it would not be a flood on a machine with much to do.
    return stage.other.start("nice", "-n", "-15", sys.executable, "-c", FLOOD, *words)


def memory(process: Process) -> int:
    """Resident, in kB."""
    status = Path(f"/proc/{process.running.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def rate(sender: Any) -> int:
    """When it is told to end."""
    sender.signal(signal.SIGTERM)
    return int(sender.says("sent", FLOODED + PATIENCE)[1].split()[-3])


def flooded_client(stage: Stage) -> dict[str, Any]:
    """Replies that it did not ask for, while it renews; then the server is gone, and they go on."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server = stage.server(lease=10)
    client = stage.client()
    client.says("EXTENDED", PATIENCE)
    extended, used = len(client.said("EXTENDED")), memory(client)
    sender = flood(stage, 68)
    client.says("EXTENDED", PATIENCE, times=extended + 2)
    seen: dict[str, Any] = {"rate": rate(sender), "grown": memory(client) - used}
    seen["renewed"] = len(client.said("EXTENDED")) - extended
    seen["deleted"] = list(watch.said("Deleted"))
    again = flood(stage, 68)
    server.signal(signal.SIGKILL)
    end = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")][-1]
    client.says("LAPSED", PATIENCE)
    seen |= {"early": end - watch.said("Deleted")[-1][0], "second rate": rate(again)}
    return seen | ended(stage, client, before)


def flooded_server(stage: Stage) -> dict[str, Any]:
    """Requests of a hundred hosts that are none, while a client comes and renews."""
    more = ("--pool", "10.77.0.50-10.77.0.250", "--leases", stage.place / "leases")
    server = stage.server(*more, lease=12)
    used = memory(server)
    before, watch = stage.cli.picture(), stage.cli.watch()
    sender = flood(stage, 67, 2 * FLOODED)
    eventually(lambda: len(server.lines) > 100, PATIENCE, "the flood has begun")
    client = stage.client()
    client.says("BOUND", PATIENCE)
    seen: dict[str, Any] = {"rate": rate(sender), "grown": memory(server) - used}
    seen |= {"bound at": client.said("BOUND")[0][0], "over at": sender.said("sent")[0][0]}
    client.says("EXTENDED", PATIENCE)
    seen |= ended(stage, client, before) | {"watched": list(watch.lines)}
    server.signal(signal.SIGTERM)
    return seen | {"server status": server.ended(PATIENCE)}


# Scenes: without root ----------------------------------------------------------------------------

ROOTLESS = """
import json, re, signal, subprocess, sys
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
def ip(*words):
    return subprocess.run(("nsenter", "-t", pid, "-n", "ip", *words), check=True,
                          capture_output=True, text=True).stdout
def picture():
    return [ip("-o", "-4", "addr"), ip("route"), ip("-br", "link")]
run = "from holdover.reference.cli import main; main()"
ours = (sys.executable, "-u", "-c", run)
place = Process(("unshare", "-n", "sh", "-c", "echo there; exec sleep 1000"))
pid = str(place.running.pid)
place.says("there", 240)
for line in ("mount -t tmpfs tmpfs /mnt", "mkdir -m 700 /mnt/state", "ip link set lo up",
             f"ip link add srv type veth peer name eth0 netns {pid}",
             "ip addr add 10.77.0.1/24 dev srv", "ip link set srv up"):
    subprocess.run(line.split(), check=True)
ip("link", "set", "eth0", "up")
eventually(lambda: "eth0" in ip("-br", "link", "show", "up") and "NO-CARRIER" not in ip("link")
           and "state UP" in ip("link"), 60, "the link is up")
before = picture()
server = Process((*ours, *"server srv --pool 10.77.0.50 --lease 60 --no-probe --json".split()))
server.says("started", 240)
client = Process(("nsenter", "-t", pid, "-n", *ours, "client", "eth0", "--no-probe", "--json",
                  "--state-dir", "/mnt/state"))
client.says("BOUND", 240)
bound = picture()
client.signal(signal.SIGINT)
print(json.dumps({"status": client.ended(), "before": before, "bound": bound,
                  "after": picture(), "errors": client.errors + server.errors,
                  "capabilities": open("/proc/self/status").read()}), flush=True)
server.end()
place.end()
"""

NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
)
ALONE = (
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)


OPENED = """
shut=$1 base=$2; shift 2
if [ "$shut" != "$base" ]; then
  mount --rbind "$base" /mnt && mount -t tmpfs -o mode=755 tmpfs "$shut"
  mkdir -p "$base" && mount --rbind /mnt "$base"
fi
exec "$@"
"""
"""Python may be in a directory that only root can enter: then a way to it, for this process."""


def rootless(stage: Stage) -> dict[str, Any]:
    """All of it by nobody, in namespaces that he may have."""
    base = Path(sys.base_prefix).resolve()
    shut = next((way for way in reversed(base.parents) if not way.stat().st_mode & 1), base)
    private = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", OPENED, "sh")
    by_nobody = (*private, shut, base, *NOBODY, *ALONE)
    for words in (("true",), (sys.executable, "-c", "import holdover.reference.cli")):
        tried = stage.other.start(*by_nobody, *words)
        if tried.ended(PATIENCE):
            why = f"user nobody cannot have a user namespace, or not run {words[0]} in it"
            return {"skipped": f"{why}: {tried.errors[-1:]}"}
    process = stage.other.start(*by_nobody, sys.executable, "-c", ROOTLESS)
    process.ended(PATIENCE)
    said = process.said("status")
    assert said, process.errors
    return dict(json.loads(said[0][1]))


# All of them -------------------------------------------------------------------------------------

SCENES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    scene.__name__: scene
    for scene in (
        link_down,
        taken_port,
        full_disk,
        full_disk_probing,
        filled_back,
        made_read_only_back,
        made_read_only_for_good,
        read_only,
        full_journal,
        full_server,
        crashing_hook,
        blocking_hook,
        garbage,
        awaited,
        rootless,
        flooded_client,
        flooded_server,
    )
}


@pytest.fixture(scope="module")
def scenes(links: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All scenes, from when they are first wanted."""
    for program in ("setpriv", "nsenter"):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")
    stages = {
        name: Stage(
            **links(srv=f"{SERVER}/24", cli=None, other=None), place=tmp_path_factory.mktemp(name)
        )
        for name in SCENES
    }
    with played(links, {name: partial(SCENES[name], stages[name]) for name in SCENES}) as all_:
        yield all_


# The machine -------------------------------------------------------------------------------------


@scene("link_down")
def test_a_link_that_was_down_has_address_and_routes_again(seen: Any) -> None:
    assert seen["down"] == ""
    assert f"default via {SERVER}" in seen["again"][1]
    assert seen["again"] == seen["bound"]
    assert (seen["status"], seen["after"]) == (130, seen["before"])


@scene("taken_port")
def test_a_port_that_is_taken_is_named(seen: Any) -> None:
    assert seen["status"] == 2
    assert seen["errors"] == [
        "error: UDP port 68 is in use; stop the other DHCP program (ss -ulpn shows it)"
    ]
    assert (seen["watched"], seen["after"]) == ([], seen["before"])


@scene("full_disk")
def test_a_lease_that_cannot_be_stored_is_not_used(seen: Any) -> None:
    (error,) = seen["errors"]
    assert "No space left on device; the lease is not durably stored" in error
    assert f"{LEASED} is not used before it is" in error
    assert (seen["watched"], seen["bound"]) == ([], [])


@scene("full_disk")
def test_it_is_asked_for_again_as_if_the_dhcpack_were_lost(seen: Any) -> None:
    first, second = seen["apart"][:2]
    assert second - first > 2 * SECOND, "RFC 2131 §4.1: about four seconds"


@pytest.mark.parametrize("seen", ["full_disk", "full_disk_probing"], indirect=True)
def test_when_there_is_room_the_lease_is_used(seen: Any) -> None:
    assert (seen["status"], seen["after"], seen["watched"]) == (130, seen["before"], [])
    assert seen["explained"] == 0, seen["explanation"]


@scene("full_disk_probing")
def test_who_waits_for_room_is_idle(seen: Any) -> None:
    assert seen["cpu"] < 1


WRITABLE_AGAIN, NEVER_WRITABLE = (
    ["filled_back", "made_read_only_back"],
    ["made_read_only_for_good"],
)


@pytest.mark.parametrize("seen", WRITABLE_AGAIN + NEVER_WRITABLE, indirect=True)
def test_a_renewal_that_cannot_be_stored_is_said_and_the_address_stays(seen: Any) -> None:
    (error,) = seen["errors"]
    assert re.search(f"{LEASED} stays as long as what is stored says, [0-9]+ s", error)
    assert seen["kept"]


@pytest.mark.parametrize("seen", WRITABLE_AGAIN, indirect=True)
def test_it_is_renewed_when_it_can_be_stored(seen: Any) -> None:
    assert seen["deleted"] == []
    assert "leases can be stored again" in seen["then"][-1]


@pytest.mark.parametrize("seen", NEVER_WRITABLE, indirect=True)
def test_it_goes_before_what_is_stored_ends(seen: Any) -> None:
    assert 0 <= seen["early"] < 6


@pytest.mark.parametrize("seen", WRITABLE_AGAIN + NEVER_WRITABLE, indirect=True)
def test_a_client_that_cannot_store_ends_in_order_and_keeps_to_the_table(seen: Any) -> None:
    assert (seen["status"], seen["after"]) == (130, seen["before"])
    # Once the kernel has removed the address, one call forgets the old lease and cannot store the
    # new one: the table has no half of a row, and the verdict is *unknown*.
    half = any("part of a call was taken back" in line for line in seen["explanation"])
    assert seen["explained"] == (3 if half else 0), seen["explanation"]


@scene("read_only")
def test_a_state_directory_that_is_read_only_is_refused_at_once(seen: Any) -> None:
    assert seen["status"] == 2
    assert len(seen["errors"]) == 1
    assert "no directory that user 0 can write to" in seen["errors"][0]
    assert (seen["watched"], seen["after"]) == ([], seen["before"])


@scene("full_journal")
def test_a_journal_that_cannot_be_written_is_told_once_and_ends_nothing(seen: Any) -> None:
    assert len([line for line in seen["errors"] if "No space left on device" in line]) == 1
    assert (seen["status"], seen["after"]) == (130, seen["before"])


@scene("full_server")
def test_no_dhcpack_leaves_a_server_whose_disk_is_full(seen: Any) -> None:
    """It refuses who has nothing on record, says why, and does not end."""
    assert seen["status"] == 0
    assert "No space left on device" in seen["notes"][0]
    assert 5 < len(seen["acks"]) < 100
    assert [address for address in seen["heard"] if address != str(NO_ADDRESS)] == seen["acks"]
    assert str(NO_ADDRESS) in seen["heard"], "a DHCPNAK"


@scene("crashing_hook")
def test_a_hook_that_is_missing_is_refused(seen: Any) -> None:
    assert seen["missing status"] == 2
    assert "/nowhere/hook: no such program, or not executable" in seen["missing"].errors[-1]


@scene("crashing_hook")
def test_a_hook_that_crashes_is_told_and_ends_nothing(seen: Any) -> None:
    assert any("BOUND: exit status -11" in line for line in seen["client"].errors)
    assert (seen["status"], seen["after"]) == (130, seen["before"])


@scene("blocking_hook")
def test_a_hook_that_blocks_keeps_no_address(seen: Any) -> None:
    assert seen["early"] >= 0
    assert seen["after lapse"] == seen["before"]
    assert (seen["status"], seen["after"]) == (130, seen["before"])


# The network -------------------------------------------------------------------------------------


@scene("garbage")
def test_garbage_configures_nothing_and_ends_nothing(
    seen: Any, record_property: Callable[[str, object], None]
) -> None:
    record_property("mangled replies", seen["sent"])
    assert int(seen["sent"].split()[1]) > 200
    assert seen["first"] == []
    assert set(seen["bound"]) == {IPv4Interface(f"{LEASED}/8")}
    events = [json.loads(line)["event"] for _, line in seen["events"]]
    assert [event for event in events if event != "SILENT"][:1] == ["BOUND"]
    assert 0 < len(seen["errors"]) <= BURST, "few lines, of hundreds of replies"
    assert all(
        re.search("(refused for|read without) option 5[1234] ", line) for line in seen["errors"]
    )
    assert (seen["status"], seen["after"]) == (130, seen["before"])


@scene("awaited")
def test_only_replies_to_the_exchange_get_through(seen: Any) -> None:
    assert seen["heard"] == ["awaits 7", "7", "ARP", "awaits 8", "8", "ARP", "awaits None", "ARP"]


@scene("flooded_client")
def test_a_flooded_client_renews_and_lets_go_in_time(
    seen: Any, record_property: Callable[[str, object], None]
) -> None:
    for name in ("rate", "second rate", "grown", "renewed"):
        record_property(name, seen[name])
    assert min(seen["rate"], seen["second rate"]) >= RATE
    assert seen["renewed"] >= 2
    assert seen["deleted"] == []
    assert seen["grown"] < 4096
    assert seen["early"] >= 0
    assert (seen["status"], seen["after"]) == (130, seen["before"])


@scene("flooded_server")
def test_a_flooded_server_serves_other_clients(
    seen: Any, record_property: Callable[[str, object], None]
) -> None:
    for name in ("rate", "grown"):
        record_property(name, seen[name])
    assert seen["rate"] >= RATE
    assert seen["bound at"] < seen["over at"]
    assert seen["grown"] < 8192
    assert seen["server status"] == 0
    assert (seen["status"], seen["after"]) == (130, seen["before"])


def request(xid: int, kind: MessageType, chaddr: bytes, **said: Any) -> bytes:
    payload = encode(request_to_wire(BootRequest(kind, xid, chaddr, **said)))
    return encode_frame(EVERYONE, chaddr, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, payload))


def test_messages_of_one_kind_from_one_client_are_alike() -> None:
    one, other = b"\2" * 6, b"\2" * 5 + b"\3"
    first = request(1, MessageType.DISCOVER, one)
    assert alike(first) == alike(request(2, MessageType.DISCOVER, one))
    different = [
        first,
        request(1, MessageType.DISCOVER, other),
        request(1, MessageType.REQUEST, one, requested=LEASED),
        request(1, MessageType.REQUEST, one, ciaddr=LEASED),
        request(1, MessageType.RELEASE, one, ciaddr=LEASED, server=SERVER),
        request(1, MessageType.DISCOVER, one, giaddr=SERVER),
        *(encode_frame(EVERYONE, one, probe(one, SERVER + n)) for n in range(2)),
    ]
    assert len({alike(data) for data in different}) == len(different)
    assert all(alike(first[:size]) is not None for size in range(len(first)))


# Without root ------------------------------------------------------------------------------------


@scene("rootless")
def test_nobody_can_run_both_in_namespaces_of_his_own(seen: Any) -> None:
    if "skipped" in seen:
        pytest.skip(seen["skipped"])
    assert [line for line in seen["errors"] if LOCK not in line] == []
    assert seen["status"] == 130
    assert str(LEASED) in seen["bound"][0]
    assert seen["after"] == seen["before"]
