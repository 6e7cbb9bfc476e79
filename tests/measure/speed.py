"""`python -m tests.measure.speed`: how long clients take from DHCPDISCOVER to an address.

Theory of operation.  A server and the clients are on one link, each in a network namespace.  In
each round every client is started once, one after the other, on a host that has no address, without
a remembered lease and with its probe off; the order is rotated from round to round.  A `Stopwatch`
hears the cable of the client (a packet socket in the switch's namespace) and the kernel of its host
(rtnetlink): the time is from the first DHCPDISCOVER on the wire to RTM_NEWADDR of a leased address.
How long a program takes to start, and to wait before it asks, is not in it.  Nor is the disk: what
clients and servers write down is in memory (`Host.apart`), for all of them alike.

Two parts of that time are the client's (`Timed.own`, stopwatch.py).  `--apart` tells where our
client's goes (apart.py).

Slower means: the median is above the peer's, and in so many rounds of the run were we slower than
it that a fair coin would do that in less than one run of twenty.

What it does not know: what else the machine does meanwhile, but that it does it to every client;
`chrt -f 10` in front of the command keeps most of it away from all of them.  As root only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from ipaddress import IPv4Address
from math import comb
from pathlib import Path
from types import FrameType

import click

from holdover.reference.lab.testbed.netns import COMMANDS, Host, Links
from holdover.reference.lab.testbed.process import Process, UnheardError, eventually
from tests.checkout import ROOT
from tests.measure import apart
from tests.measure.stopwatch import FIRST, LAST, LONG, timed

PAGE = ROOT / "docs" / "speed.md"
SERVER = IPv4Address("10.77.0.1")
LEASE = 600
OURS = "holdover client"
PEERS = ("busybox udhcpc", "ISC dhclient")
CHANCE = 0.05


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


APART = (
    "## Where our client's own time goes\n\n"
    "`python -m tests.measure.speed --apart` prints this table. *Bare Python* is a program that "
    "makes the same system calls\nand thinks as little as it can "
    "([`tests/measure/bare.py`](../tests/measure/bare.py)): the interpreter's floor, with the "
    "kernel's. A row\nis the time until what it says is done; where the bare program has no such "
    "row, the time is in its next one."
)


def page(all_found: list[Measured], taken: apart.Apart, repeat: int) -> str:
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
                APART,
                apart.table(taken),
                apart.remains(taken),
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
@click.option("--apart", "only_apart", is_flag=True, help="Only show where our client's time goes.")
def main(
    repeat: int, servers: tuple[str, ...], as_json: bool, write: bool, only_apart: bool
) -> int:
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
    all_found: list[Measured] = []
    taken_apart: list[apart.Apart] = []
    with tempfile.TemporaryDirectory() as place, contextlib.closing(Links(Path(place))) as links:
        for name in chosen:
            there = Path(place) / name.replace(" ", "-")
            there.mkdir()
            try:
                if only_apart or (write and name == chosen[-1]):
                    taken = apart.rounds(name, repeat, links, there, SERVERS[name], dhcpcd)
                    taken_apart += [*taken][-1:]
                if only_apart:
                    continue
                for found in rounds(name, repeat, links, there):
                    last = ", ".join(f"{c} {1000 * s[-1]:.0f} ms" for c, s in found.seconds.items())
                    if sys.stderr.isatty():
                        click.echo(f"{name}: {last}", err=True)
            except UnheardError as error:
                click.echo(f"error: {error}", err=True)
                return 2
            all_found.append(found)
    if only_apart:
        click.echo("\n\n".join(map(apart.table, taken_apart)))
        return 0
    if write:
        PAGE.write_text(page(all_found, taken_apart[0], repeat), encoding="utf-8")
    if as_json:
        said = {"versions": versions(), "servers": [asdict(found) for found in all_found]}
        click.echo(json.dumps(said, indent=1))
    else:
        click.echo("\n\n".join(table(found) for found in all_found))
    slower = [found.slower_than(peer) for found in all_found for peer in PEERS]
    return 1 if any(slower) else 0


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
