"""`python -m tests.measure.speed`: how long clients take from DHCPDISCOVER to an address.

Theory of operation.  A server and the clients are on one link, each in a network namespace.  In
each round every client is started once, one after the other, on a host that has no address, without
a remembered lease and with its probe off; the order is rotated from round to round.  A `Stopwatch`
hears the cable of the client (a packet socket in the switch's namespace) and the kernel of its host
(rtnetlink): the time is from the first DHCPDISCOVER on the wire to RTM_NEWADDR of a leased address.
How long a program takes to start, and to wait before it asks, is not in it.  Nor is the disk: what
clients and servers write down is in memory (`Host.apart`), for all of them alike.

Two parts of that time are the client's (`Timed.own`): from the DHCPOFFER to the DHCPREQUEST, and
from the DHCPACK to the address.  The rest is the server's.

Slower means: the median is above the peer's, and in so many rounds of the run were we slower than
it that a fair coin would do that in less than one run of twenty.

What it does not know: what else the machine does meanwhile, but that it does it to every client;
`chrt -f 10` in front of the command keeps most of it away from all of them.  As root only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from ipaddress import IPv4Address
from math import comb
from pathlib import Path
from types import FrameType

import click
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from holdover.reference.lab.testbed.netns import COMMANDS, Host, Links
from holdover.reference.lab.testbed.process import Process, UnheardError, eventually
from holdover.reference.linux.kernel.rtnetlink import NEW_ADDRESS
from holdover.reference.wire.frames import CLIENT_PORT, SERVER_PORT, Datagram, decode_frame
from holdover.reference.wire.option_values import MessageType, WireError
from holdover.reference.wire.packet import decode
from tests.checkout import ROOT

PAGE = ROOT / "docs" / "speed.md"
SERVER, FIRST, LAST = (IPv4Address(f"10.77.0.{n}") for n in (1, 50, 99))
LEASE = 600
OURS = "holdover client"
PEERS = ("busybox udhcpc", "ISC dhclient")
LONG = 40
"""Seconds: our client waits up to ten before it asks, dhclient asks again after up to ten."""

CHANCE = 0.05
NEW_NETWORK, ADDRESS_GROUP = 0x4000_0000, 0x10
"""CLONE_NEWNET, RTMGRP_IPV4_IFADDR."""

TIMESTAMP = 35
"""SO_TIMESTAMPNS, which `socket` does not name."""


# Programs ----------------------------------------------------------------------------------------


def ours(host: Host, *words: str) -> Process:
    """Our command line, with files of its own as the others have them."""
    return host.apart(sys.executable, "-u", "-c", COMMANDS, *words)


def holdover(host: Host, place: Path) -> Process:
    """Ours, with a state directory that has nothing in it."""
    return ours(host, "client", "eth0", "--no-probe", "--state-dir", "/run/state")


def udhcpc(host: Host, place: Path) -> Process:
    """Busybox; it probes only if it is told to (-a)."""
    return host.apart("udhcpc", "-f", "-i", "eth0", "-s", "/etc/udhcpc/default.script")


def dhclient(host: Host, place: Path) -> Process:
    """ISC; it never probes."""
    return host.apart("dhclient", "-4", "-d", "-pf", "/run/pid", "-lf", "/run/leases", "eth0")


def dhcpcd(host: Host, place: Path) -> Process:
    """With -A it does not probe."""
    words = ("dhcpcd", "-B", "-4", "-A", "-f", "/etc/dhcpcd.conf", "eth0")
    return host.apart(*words, setup="mkdir /run/dhcpcd")


CLIENTS: Mapping[str, Callable[[Host, Path], Process]] = {
    OURS: holdover,
    PEERS[0]: udhcpc,
    PEERS[1]: dhclient,
    "dhcpcd": dhcpcd,
}


def own_server(host: Host, place: Path) -> None:
    """`holdover server`, with its leases in a file."""
    words = f"server eth0 --pool {FIRST}-{LAST} --lease {LEASE} --no-probe --json"
    server = ours(host, *words.split(), "--leases", "/run/leases")
    server.says("started", LONG)


def dnsmasq(host: Host, place: Path) -> None:
    """Without ping."""
    words = (
        "dnsmasq -k --log-facility=- --conf-file=/dev/null --port=0 --interface=eth0 "
        "--bind-interfaces --except-interface=lo --dhcp-authoritative --no-ping --user=root "
        f"--pid-file= --dhcp-range={FIRST},{LAST},255.255.255.0,{LEASE}"
    )
    server = host.start(*words.split(), f"--dhcp-leasefile={place / 'dnsmasq'}")
    eventually(
        lambda: any("sockets bound" in line or "DHCP, IP range" in line for line in server.errors),
        LONG,
        "dnsmasq serves",
    )


SERVERS: Mapping[str, Callable[[Host, Path], None]] = {
    "holdover server": own_server,
    "dnsmasq": dnsmasq,
}

PROGRAMS = {PEERS[0]: "udhcpc", PEERS[1]: "dhclient", "dhcpcd": "dhcpcd", "dnsmasq": "dnsmasq"}


def versions() -> dict[str, str]:
    """What was measured, by name."""
    asked = {PEERS[0]: ("busybox",), PEERS[1]: ("dhclient", "--version")}
    asked |= {name: (name, "--version") for name in ("dhcpcd", "dnsmasq")}
    found = {"holdover": version("holdover"), "Python": ".".join(map(str, sys.version_info[:3]))}
    for name, words in asked.items():
        said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONG)
        number = re.search(r"\d+\.\d+[\w.-]*", said.stdout + said.stderr)
        found[name] = number[0] if number else "unknown"
    return found | {"Linux": os.uname().release}


# The stopwatch -----------------------------------------------------------------------------------


ORDER = (MessageType.DISCOVER, MessageType.OFFER, MessageType.REQUEST, MessageType.ACK)


@dataclass(frozen=True, slots=True)
class Timed:
    """When each message of `ORDER` was first on the wire, and when the address was there: in ns."""

    messages: tuple[int, ...]
    there: int

    @property
    def seconds(self) -> float:
        """From the DHCPDISCOVER to the address."""
        return (self.there - self.messages[0]) / 1e9

    @property
    def own(self) -> float:
        """What of it the client took, in seconds: after the DHCPOFFER, and after the DHCPACK."""
        _, offered, requested, acknowledged = self.messages
        return (requested - offered + self.there - acknowledged) / 1e9


class Stopwatch(threading.Thread):
    """Hears a host's cable and its kernel; `timed` is there when both have said their word.

    The frame's instant is the kernel's (SO_TIMESTAMPNS), the address's is when this thread wakes.
    A thread of its own, since the namespace in which a socket is made is a thread's.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(daemon=True)
        self.timed: Timed | None = None
        self.listens, self.over = threading.Event(), threading.Event()
        self._host = host

    def run(self) -> None:
        """Until the address is there."""
        host = self._host
        enter(host.switch)
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.setsockopt(socket.SOL_SOCKET, TIMESTAMP, 1)
        wire.bind((host.port, 0x0003))
        enter(host.space)
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        kernel.bind((0, ADDRESS_GROUP))
        marshal, poll = MarshalRtnl(), select.poll()
        heard: dict[MessageType, int] = {}
        there = None
        with wire, kernel:
            for each in (wire, kernel):
                poll.register(each, select.POLLIN)
            self.listens.set()
            while (len(heard) < len(ORDER) or there is None) and not self.over.is_set():
                ready = [file for file, _ in poll.poll(200)]
                at = time.time_ns()
                if kernel.fileno() in ready:
                    said = marshal.parse(kernel.recv(1 << 16))
                    there = at if there is None and any(map(leased, said)) else there
                if wire.fileno() in ready:
                    data, ((_, _, stamp),), *_ = wire.recvmsg(1 << 16, 64)
                    kind = message_type(data)
                    # An answer to another host, or of an exchange before, is before its question.
                    if kind in ORDER and ORDER.index(kind) == len(heard):
                        seconds, nanoseconds = struct.unpack("@ll", stamp)
                        heard[kind] = seconds * 10**9 + nanoseconds
        if len(heard) == len(ORDER) and there is not None:
            self.timed = Timed(tuple(heard[kind] for kind in ORDER), there)


def enter(space: str) -> None:
    """From now on this thread is in the namespace."""
    with Path(f"/run/netns/{space}").open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")


def message_type(data: bytes) -> MessageType | None:
    """Of the DHCP message in a frame; None where there is none."""
    with contextlib.suppress(WireError):
        content = decode_frame(data).content
        if isinstance(content, Datagram) and content.destination_port in (SERVER_PORT, CLIENT_PORT):
            return decode(content.payload).message_type
    return None


def leased(message: object) -> bool:
    """Whether the kernel says that an address of the pool is there."""
    assert isinstance(message, dict)
    if message["header"]["type"] != NEW_ADDRESS:
        return False
    (address,) = [value for name, value in message["attrs"] if name == "IFA_LOCAL"]
    return FIRST <= IPv4Address(address) <= LAST


def timed(host: Host, begin: Callable[[Host, Path], Process], place: Path) -> Timed:
    """How long a client takes; then it is gone, and what it has configured."""
    watch = Stopwatch(host)
    watch.start()
    try:
        if not watch.listens.wait(LONG):
            raise UnheardError("the stopwatch does not listen")
        client = begin(host, place)
        try:
            eventually(lambda: watch.timed or client.running.poll() is not None, LONG, "address")
        except UnheardError as error:
            raise UnheardError(f"{error}\n{place}\n{client.lines}\n{client.errors}") from None
        finally:
            client.end()
    finally:
        watch.over.set()
        watch.join()
    host.ip("addr", "flush", "dev", "eth0")
    host.ip("route", "flush", "dev", "eth0")
    if watch.timed is None:
        raise UnheardError(f"it has ended\n{place}\n{client.errors}")
    return watch.timed


# A run -------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """What one server's clients took, in seconds, in the order of the rounds.

    `own` is what of it was theirs (`Timed.own`).
    """

    server: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    own: dict[str, list[float]] = field(default_factory=dict)

    def slower_than(self, peer: str) -> bool:
        """Whether ours is, by more than chance."""
        ours, theirs = self.seconds[OURS], self.seconds[peer]
        lost = sum(a > b for a, b in zip(ours, theirs, strict=True))
        beyond = sum(comb(len(ours), k) for k in range(lost, len(ours) + 1)) / 2 ** len(ours)
        return statistics.median(ours) > statistics.median(theirs) and beyond < CHANCE


def rounds(name: str, repeat: int, links: Links, place: Path) -> Iterator[Measured]:
    """After each round what was measured so far."""
    names = [client for client in CLIENTS if shutil.which(PROGRAMS.get(client, sys.executable))]
    hosts = links(srv=f"{SERVER}/24", **{f"c{n}": None for n in range(len(names))})
    SERVERS[name](hosts["srv"], place)
    found = Measured(name, {client: [] for client in names}, {client: [] for client in names})
    for number in range(repeat):
        for turn in range(len(names)):
            which = (number + turn) % len(names)
            client = names[which]
            one = timed(hosts[f"c{which}"], CLIENTS[client], place)
            found.seconds[client].append(one.seconds)
            found.own[client].append(one.own)
        yield found
    hosts["srv"].end()


def table(found: Measured) -> str:
    """As Markdown; the ratio is the client's median to ours."""
    ours = statistics.median(found.seconds[OURS])
    rows = [
        "| client | n | median | least | most | by ours | its own, median |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for client, seconds in found.seconds.items():
        median = statistics.median(seconds)
        figures = " | ".join(
            f"{1000 * each:.1f} ms" for each in (median, min(seconds), max(seconds))
        )
        own = f"{1000 * statistics.median(found.own[client]):.1f} ms"
        rows.append(f"| {client} | {len(seconds)} | {figures} | {median / ours:.2f} | {own} |")
    return f"Server: {found.server}\n\n" + "\n".join(rows)


MEASURED = (
    "A figure is the time from the first DHCPDISCOVER on the wire until the kernel says that the "
    "leased address is\nthere (RTM_NEWADDR). Nobody probes, and nobody remembers a lease. The "
    "clients take turns, and their order rotates.\nTheir files are in memory. Our client syncs its "
    "file before it uses the address, and how long that takes depends on\nthe disk. dhcpcd also "
    "writes its lease down before, but in place and without a sync.\n*By ours*: the client's "
    "median divided by that of `holdover client`. Above 1, ours is faster.\n*Its own*: the part of "
    "the time that the client took, from the DHCPOFFER to its DHCPREQUEST and from the DHCPACK to"
    "\nthe address. The server took the rest."
)
SLOWER = (
    "*Slower*: our median is above the peer's, and ours was slower in so many rounds that a fair "
    "coin would show as many in\nless than one run of twenty."
)
FIRST_OFFER = (
    'Each client takes the first offer that comes (RFC 2131 §3.1(3): it "may choose to wait for '
    'multiple responses").\nUsually clients probe first (RFC 5227). This takes our client four to '
    "seven seconds, and as long for every client that\nfollows that RFC."
)


def page(all_found: list[Measured], repeat: int) -> str:
    """The page of the specification."""
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    policy = os.sched_getscheduler(0)
    priority = " under `chrt -f`" if policy == os.SCHED_FIFO else ""
    verdicts = [
        f"With {found.server}: "
        + "; ".join(
            f"{'slower' if found.slower_than(peer) else 'not slower'} than {peer}"
            for peer in PEERS
            if peer in found.seconds
        )
        + "."
        for found in all_found
    ]
    return (
        "\n\n".join(
            [
                "# How fast a client has an address",
                "Written by `python -m tests.measure.speed --write"
                + (f" --repeat {repeat}" if repeat != 10 else "")
                + f"`, as root{priority}, on {datetime.now(UTC):%Y-%m-%d}. "
                f"{os.cpu_count()} cores; {known}.",
                MEASURED,
                *(table(found) for found in all_found),
                f"{' '.join(verdicts)}\n{SLOWER}",
                FIRST_OFFER,
            ]
        )
        + "\n"
    )


def terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM as an exit, so that what was started is ended."""
    raise SystemExit(128 + number)


@click.command(epilog="Example: python -m tests.measure.speed --repeat 20 --json")
@click.option("--repeat", type=click.IntRange(5), default=10, show_default=True, help="Rounds.")
@click.option(
    "--server", "servers", type=click.Choice(list(SERVERS)), multiple=True, help="Only this one."
)
@click.option("--json", "as_json", is_flag=True, help="Print each time, in seconds.")
@click.option("--write", is_flag=True, help="Write docs/speed.md.")
def main(repeat: int, servers: tuple[str, ...], as_json: bool, write: bool) -> int:
    """Compare `holdover client` with other clients, from DHCPDISCOVER to the address.

    Exit status 1 if ours is slower than udhcpc or dhclient, 2 if it cannot be measured.
    """
    needed = ("ip", "unshare", *(PROGRAMS[peer] for peer in PEERS))
    absent = [program for program in needed if shutil.which(program) is None]
    if os.geteuid() != 0 or absent:
        click.echo(f"error: needs root, and {', '.join(absent) or 'network namespaces'}", err=True)
        return 2
    signal.signal(signal.SIGTERM, terminated)
    chosen = [name for name in servers or SERVERS if shutil.which(PROGRAMS.get(name, "ip"))]
    all_found = []
    with tempfile.TemporaryDirectory() as place, contextlib.closing(Links(Path(place))) as links:
        for name in chosen:
            there = Path(place) / name.replace(" ", "-")
            there.mkdir()
            try:
                for found in rounds(name, repeat, links, there):
                    last = ", ".join(f"{c} {1000 * s[-1]:.0f} ms" for c, s in found.seconds.items())
                    if sys.stderr.isatty():
                        click.echo(f"{name}: {last}", err=True)
            except UnheardError as error:
                click.echo(f"error: {error}", err=True)
                return 2
            all_found.append(found)
    if write:
        PAGE.write_text(page(all_found, repeat), encoding="utf-8")
    if as_json:
        said = {"versions": versions(), "servers": [asdict(found) for found in all_found]}
        click.echo(json.dumps(said, indent=1))
    else:
        click.echo("\n\n".join(table(found) for found in all_found))
    slower = [found.slower_than(peer) for found in all_found for peer in PEERS]
    return 1 if any(slower) else 0


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
