"""`python -m tests.measure.audit`: how fast captures are read, beside tshark in the same run.

Theory of operation.  The captures are made from a fixed seed: of 300,000 frames 1 % are messages of
DHCP, 2 % ARP, the rest TCP of a hundred hosts; the same with twenty thousand hosts, where nearly
each frame is a run of its own; messages of DHCP only; large frames only.  Each is read in turns by
tshark (`-Y dhcp -T fields`, with the fields that are read here too) and by `read_all`, which gives
each observation to nobody.  The file is in the page cache.  What counts is processor time, of the
least of all rounds, for other processes can only make it longer.  What a program takes to start is
not in it: tshark's is measured with an empty capture; of ours, which compiles or loads its kernel,
only the readings after the first are counted, in a process that has done one.

tshark looks into each frame for much more than we do, and it has no evidence of use: that it takes
longer is no fault.  The ratio says how long somebody waits who is used to it.

What it does not know: the audit behind the reading; disks.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import click

from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.wire import options
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    EVERYONE,
    IPV4,
    Datagram,
    checksum,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import Options
from holdover.reference.wire.packet import encode
from tests.checkout import ROOT

PAGE = ROOT / "docs" / "bench" / "audit.md"
HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
SERVER, SERVER_MAC = IPv4Address("10.0.0.1"), b"\2\xff\0\0\0\1"
FIRST = int(IPv4Address("10.0.1.0"))
START = 1_700_000_000_000_000
"""Microseconds."""

FIELDS = (
    *("frame.time_epoch", "frame.number", "eth.src", "eth.dst", "vlan.id", "ip.src", "ip.dst"),
    *("dhcp.type", "dhcp.id", "dhcp.secs", "dhcp.flags", "dhcp.hw.mac_addr", "dhcp.ip.client"),
    *("dhcp.ip.your", "dhcp.ip.relay", "dhcp.option.dhcp", "dhcp.option.requested_ip_address"),
    *("dhcp.option.dhcp_server_id", "dhcp.option.ip_address_lease_time"),
    *("dhcp.option.renewal_time_value", "dhcp.option.rebinding_time_value", "dhcp.client_id"),
    *("dhcp.option.hostname", "dhcp.option.type"),
)
"""What an observation has of a message."""


# The captures ------------------------------------------------------------------------------------


def mac(host: int) -> bytes:
    return struct.pack("!HI", 0x0200, host)


def address(host: int) -> IPv4Address:
    return IPv4Address(FIRST + host)


def record(at: int, frame: bytes) -> bytes:
    return struct.pack("<4I", *divmod(at, 1_000_000), len(frame), len(frame)) + frame


def exchange(host: int, xid: int) -> list[bytes]:
    """DISCOVER, OFFER, REQUEST and ACK of a host."""
    hardware, own = mac(host), address(host)
    asks = Options(
        [
            options.PARAMETER_REQUEST_LIST((1, 3, 6, 12, 15, 26, 28, 51, 54, 58, 59)),
            options.HOST_NAME(f"host-{host}"),
            options.VENDOR_CLASS(b"MSFT 5.0"),
        ]
    )
    gets = Options(
        [
            options.SUBNET_MASK(IPv4Address("255.255.0.0")),
            options.ROUTERS((SERVER,)),
            options.NAME_SERVERS((SERVER,)),
            options.DOMAIN_NAME("example.org"),
        ]
    )

    def request(kind: MessageType, **more: IPv4Address) -> bytes:
        said = BootRequest(kind, xid, hardware, b"\1" + hardware, options=asks, **more)  # type: ignore[arg-type]
        payload = encode(request_to_wire(said))
        return encode_frame(EVERYONE, hardware, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, payload))

    def reply(kind: MessageType) -> bytes:
        said = BootReply(kind, xid, hardware, address=own, server=SERVER, options=gets)
        said = replace(said, lease=3600, t1=1800, t2=3150)
        payload = encode(reply_to_wire(said))
        return encode_frame(hardware, SERVER_MAC, Datagram(SERVER, own, 67, 68, payload))

    return [
        request(MessageType.DISCOVER),
        reply(MessageType.OFFER),
        request(MessageType.REQUEST, requested=own, server=SERVER),
        reply(MessageType.ACK),
    ]


def tcp(random: Random, host: int, hosts: int, size: int) -> bytes:
    """A segment from one host to another."""
    to = address(random.randrange(hosts))
    number = random.getrandbits(16)
    words = (0x45, 0, 40 + size, number, 0x4000, 64, 6)
    head = bytearray(IPV4.pack(*words, 0, address(host).packed, to.packed))
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    segment = (40000, 443, random.getrandbits(32), random.getrandbits(32), 0x5010, 1000, 0, 0)
    ethernet = SERVER_MAC + mac(host) + b"\x08\0"
    return ethernet + bytes(head) + struct.pack("!HHIIHHHH", *segment) + bytes(size)


def mixed(count: int, hosts: int) -> Iterator[bytes]:
    """1 % DHCP, 2 % ARP, the rest TCP; ten thousand frames a second."""
    random, at, waiting = Random(2), START, list[bytes]()
    for _ in range(count):
        at += random.randrange(1, 200)
        drawn = random.random()
        host = random.randrange(hosts)
        if drawn < 0.01:
            waiting = waiting or exchange(host, random.getrandbits(32))
            frame = waiting.pop(0)
        elif drawn < 0.03:
            asks = Arp(ArpOperation.REQUEST, mac(host), address(host), bytes(6), SERVER)
            frame = encode_frame(EVERYONE, mac(host), asks).ljust(60, b"\0")
        else:
            frame = tcp(random, host, hosts, random.choice((0, 0, 100, 600, 1460)))
        yield record(at, frame)


def messages(count: int, hosts: int) -> Iterator[bytes]:
    """DHCP only."""
    random, at = Random(1), START
    for _ in range(count // 4):
        for frame in exchange(random.randrange(hosts), random.getrandbits(32)):
            at += random.randrange(1, 2000)
            yield record(at, frame)


def large(count: int) -> Iterator[bytes]:
    """Full segments of fifty hosts."""
    random, at = Random(3), START
    frames = [tcp(random, host, 50, 1460) for host in range(50)]
    for _ in range(count):
        at += random.randrange(1, 100)
        yield record(at, random.choice(frames))


@dataclass(frozen=True)
class Kind:
    """A capture: what it is, who makes its frames, and by how much tshark must be slower."""

    says: str
    make: Callable[[], Iterator[bytes]]
    times: float | None = None
    rate: float | None = None


KINDS = {
    "mixed": Kind("mixed, a hundred hosts", lambda: mixed(300_000, 100), times=100),
    "many": Kind("mixed, twenty thousand hosts", lambda: mixed(300_000, 20_000)),
    "dhcp": Kind("DHCP only", lambda: messages(60_000, 3000), times=5),
    "large": Kind("large frames", lambda: large(700_000), rate=1e9),
}


# Measuring ---------------------------------------------------------------------------------------


def spent() -> float:
    """Seconds of processor time, of this process and the children it has waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def tshark(file: Path) -> tuple[float, float]:
    """Seconds of processor time, and of the clock."""
    words = ["tshark", "-n", "-r", str(file), "-Y", "dhcp", "-T", "fields"]
    words += [word for field in FIELDS for word in ("-e", field)]
    before, begun = spent(), time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return spent() - before, time.perf_counter() - begun


def own(file: Path, rounds: int) -> dict[str, object]:
    """The same of ours, in a process of its own; observations by kind; kB of memory at most."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.measure.audit", "--read", str(file), "--rounds", str(rounds)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, object] = json.loads(said.stdout)
    return found


def read_here(file: Path, rounds: int) -> dict[str, object]:
    """In this process: the first reading is not counted."""
    took, clock, counts = [], [], Counter[str]()
    for _ in range(rounds + 1):
        before, begun = spent(), time.perf_counter()
        for _ in read_all([file]):
            pass
        took.append(spent() - before)
        clock.append(time.perf_counter() - begun)
    counts.update(type(each).__name__ for each in read_all([file]))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu": min(took[1:]), "clock": min(clock[1:]), "kB": most, "seen": counts}


@dataclass(frozen=True)
class Measured:
    """A capture, and what both took; seconds."""

    kind: Kind
    frames: int
    size: int
    theirs: tuple[float, float]
    ours: tuple[float, float]
    memory: int
    seen: dict[str, int]

    @property
    def times(self) -> float:
        """How many times as many frames a second."""
        return self.theirs[0] / self.ours[0]

    @property
    def fails(self) -> bool:
        """Whether it is slower than it must be."""
        return (self.kind.times is not None and self.times < self.kind.times) or (
            self.kind.rate is not None and self.size / self.ours[0] < self.kind.rate
        )

    @property
    def row(self) -> str:
        """Of the table."""
        must = f"{self.kind.times:.0f} ×" if self.kind.times else ""
        must = f"{self.kind.rate / 1e9:.0f} GB/s" if self.kind.rate else must
        cells = (
            self.kind.says,
            f"{self.frames:,}",
            f"{self.size / 1e6:,.0f}",
            f"{self.frames / self.theirs[0]:,.0f}",
            f"{self.frames / self.ours[0]:,.0f}",
            f"{self.times:,.1f}",
            f"{self.theirs[1] / self.ours[1]:,.1f}",
            f"{self.size / self.ours[0] / 1e9:.2f}",
            must,
            f"{self.memory / 1000:,.0f}",
        )
        return f"| {' | '.join(cells)} |"


COLUMNS = (
    *("capture", "frames", "MB", "tshark, frames/s", "read_all, frames/s", "times"),
    *("by the clock", "GB/s", "must be", "MB of memory"),
)
TITLE = f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 1)}"


def measure(kind: Kind, place: Path, rounds: int) -> Measured:
    """One capture."""
    file, empty = place / "capture.pcap", place / "empty.pcap"
    empty.write_bytes(HEAD)
    frames = 0
    with file.open("wb") as out:
        out.write(HEAD)
        for each in kind.make():
            out.write(each)
            frames += 1
    start = min(tshark(empty) for _ in range(rounds))
    theirs, ours, memory, seen = [], [], 0, dict[str, int]()
    for _ in range(rounds):
        theirs.append(tshark(file))
        found = own(file, 3)
        ours.append((float(str(found["cpu"])), float(str(found["clock"]))))
        memory = max(memory, int(str(found["kB"])))
        seen = dict(found["seen"])  # type: ignore[call-overload]
    least = tuple(min(each[i] for each in theirs) - start[i] for i in (0, 1))
    fewest = tuple(min(each[i] for each in ours) for i in (0, 1))
    size = file.stat().st_size
    return Measured(kind, frames, size, (least[0], least[1]), (fewest[0], fewest[1]), memory, seen)


@click.command(help=__doc__.split("\n\n")[0] if __doc__ else None)
@click.option("--rounds", default=3, show_default=True, help="How often each is read by each.")
@click.option("--only", type=click.Choice(list(KINDS)), help="One capture.")
@click.option("--write", is_flag=True, help=f"Write {PAGE.relative_to(ROOT)}.")
@click.option("--read", type=Path, hidden=True)
def main(rounds: int, only: str | None, write: bool, read: Path | None) -> None:
    if read:
        click.echo(json.dumps(read_here(read, rounds)))
        return
    if shutil.which("tshark") is None:
        raise click.ClickException("needs tshark: apt-get install tshark")
    rows = []
    click.echo(TITLE)
    with tempfile.TemporaryDirectory() as place:
        for name, kind in KINDS.items():
            if only in (None, name):
                rows.append(measure(kind, Path(place), rounds))
                click.echo(rows[-1].row)
    for each in rows:
        click.echo(f"{each.kind.says}: {each.seen}", err=True)
    if write:
        PAGE.write_text(page(rows, rounds), encoding="utf-8")
    failing = [each.kind.says for each in rows if each.fails]
    if failing:
        click.echo(f"slower than they must be: {', '.join(failing)}", err=True)
        sys.exit(1)


def page(rows: list[Measured], rounds: int) -> str:
    """docs/bench/audit.md."""
    version = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True)
    about = (__doc__ or "").split("\n\n")
    return (
        "\n".join(
            [
                "# How fast captures are read",
                "",
                "Written by `python -m tests.measure.audit --write` on "
                f"{datetime.now(UTC):%Y-%m-%d}. "
                f"{os.cpu_count()} cores; Python {sys.version.split()[0]}, "
                f"{version.stdout.splitlines()[0]}; the least of {rounds} rounds.",
                "",
                TITLE,
                *(each.row for each in rows),
                "",
                *(part.replace("\n", " ") + "\n" for part in about[1:]),
            ]
        ).rstrip()
        + "\n"
    )


if __name__ == "__main__":
    main()
