"""`python -m tests.measure.audit`: how fast captures are audited, beside tshark in the same run.

Theory of operation.  The captures are made from a fixed seed: of the frames of a mixed one 1 % are
messages of DHCP, 2 % ARP, the rest TCP of a hundred hosts; the same with twenty thousand hosts,
where nearly each frame is a run of its own; messages of DHCP only; large frames only.  tshark is
asked for `-Y dhcp -T fields`, with the fields that are read here too.

The file is in the page cache, in large pieces, as after it was copied (`cp`) or read from a disk
once.  Where a program has just written it, a few kB at a time, and nobody has read it from a disk
since, the cache has it in small pieces, and the kernel's copy out of them takes several times as
long: that is a row of its own.

What counts is processor time, of user and system together, for other processes on the machine make
only the time on the clock much longer; the clock is shown beside it.  Two things are compared:

- *the reading*: `read_all`, which gives each observation to nobody, in a process that has done it
  once before; tshark without its start-up.  This is what the reader is judged by.
- *the whole command*: `holdover audit --json`, from the start of its process to its end, against
  all of tshark's process.  Start-up (Python, numba, the kernel from numba's cache, the automaton
  from the lease table) is what the command takes for a capture of four frames, tshark's likewise;
  the ratio is shown with it and without it.

Each limit is of the issue that asked for the audit; it is met or not met by what stands beside it.
The least of all rounds counts.  tshark looks into each frame for much more than we do, and it has
no evidence of use and judges nothing: the ratio says how long somebody waits who is used to it.

What it does not know: disks, other processors.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from holdover.reference.audit.collector import rarely_collected
from holdover.reference.audit.inputs.reading import read_all
from tests.checkout import ROOT
from tests.measure.audit_captures import COPIED, JUST_WRITTEN, large, messages, mixed, written
from tests.reference.commands.running import PROGRAM

PAGE = ROOT / "docs" / "bench" / "audit.md"
FIELDS = (
    *("frame.time_epoch", "frame.number", "eth.src", "eth.dst", "vlan.id", "ip.src", "ip.dst"),
    *("dhcp.type", "dhcp.id", "dhcp.secs", "dhcp.flags", "dhcp.hw.mac_addr", "dhcp.ip.client"),
    *("dhcp.ip.your", "dhcp.ip.relay", "dhcp.option.dhcp", "dhcp.option.requested_ip_address"),
    *("dhcp.option.dhcp_server_id", "dhcp.option.ip_address_lease_time"),
    *("dhcp.option.renewal_time_value", "dhcp.option.rebinding_time_value", "dhcp.client_id"),
    *("dhcp.option.hostname", "dhcp.option.type"),
)
"""What an observation has of a message."""


@dataclass(frozen=True)
class Kind:
    """A capture: what it is, who makes its frames, and the limits.

    `times`: by how much tshark must be slower; `rate`: bytes a second that must be read; `rounds`:
    None: as many as are asked for; `piece`: bytes that are written at once.
    """

    says: str
    make: Callable[[], Iterator[bytes]]
    times: float | None = None
    rate: float | None = None
    rounds: int | None = None
    piece: int = COPIED


KINDS = {
    "mixed": Kind("mixed, a hundred hosts", lambda: mixed(300_000, 100), times=100),
    "new": Kind(
        "the same, as it was just written",
        lambda: mixed(300_000, 100),
        times=100,
        piece=JUST_WRITTEN,
    ),
    "long": Kind(
        "a hundred hosts, ten times as long", lambda: mixed(3_000_000, 100), times=100, rounds=1
    ),
    "many": Kind("mixed, twenty thousand hosts", lambda: mixed(300_000, 20_000)),
    "dhcp": Kind("DHCP only", lambda: messages(60_000, 3000), times=5),
    "large": Kind("large frames", lambda: large(50_000), rate=1e9),
}


# Measuring ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Took:
    """Seconds of processor time and of the clock; kB of memory at most."""

    cpu: float
    clock: float
    memory: int

    def less(self, other: Took) -> Took:
        """Without another's time."""
        return Took(self.cpu - other.cpu, self.clock - other.clock, self.memory)


def least(all_of: Iterable[Took]) -> Took:
    """The least time of rounds, and their most memory."""
    each = list(all_of)
    return Took(min(x.cpu for x in each), min(x.clock for x in each), max(x.memory for x in each))


def run_whole(words: Sequence[str], good: Collection[int] = (0,)) -> Took:
    """A process from its start to its end; what it says goes nowhere."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    clock = time.perf_counter() - begun
    if process.returncode not in good:
        raise click.ClickException(f"{words[0]} ended with {process.returncode}: {words}")
    return Took(used.ru_utime + used.ru_stime, clock, used.ru_maxrss)


def tshark(file: Path) -> Took:
    """All of tshark."""
    words = ["tshark", "-n", "-r", str(file), "-Y", "dhcp", "-T", "fields"]
    return run_whole([*words, *(word for field in FIELDS for word in ("-e", field))])


def audit(file: Path) -> Took:
    """All of `holdover audit`, whatever its verdict."""
    return run_whole([*PROGRAM, "audit", str(file), "--json"], (0, 1, 3))


def reading(file: Path, rounds: int) -> tuple[Took, dict[str, int]]:
    """The reading alone, in a process of its own; observations by kind."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.measure.audit", "--read", str(file), "--rounds", str(rounds)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(said.stdout)
    return Took(*found["took"]), found["seen"]


@rarely_collected()
def read_here(file: Path, rounds: int) -> dict[str, object]:
    """In this process, as an audit does; the first reading is not counted."""
    took, seen = list[Took](), Counter[str]()
    for number in range(rounds + 1):
        cpu, clock = time.process_time(), time.perf_counter()
        for _ in read_all([file]):
            pass
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        took += [Took(cpu, clock, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)] * (
            number > 0
        )
    seen.update(type(each).__name__ for each in read_all([file]))
    return {"took": astuple(least(took)), "seen": seen}


@dataclass(frozen=True)
class Measured:
    """A capture, and what was measured; `started`: of tshark, and of ours."""

    kind: Kind
    frames: int
    size: int
    theirs: Took
    read: Took
    whole: Took
    started: tuple[Took, Took]
    seen: dict[str, int]

    @property
    def reading_times(self) -> float:
        """How many times as many frames a second are read."""
        return self.theirs.less(self.started[0]).cpu / self.read.cpu

    @property
    def whole_times(self) -> float:
        """The same of whole processes."""
        return self.theirs.cpu / self.whole.cpu

    @property
    def started_times(self) -> float | None:
        """The same without the start-up of either; None: it takes nearly all of our time."""
        theirs, ours = self.started
        left = self.whole.less(ours).cpu
        return None if left < ours.cpu / 10 else self.theirs.less(theirs).cpu / left

    @property
    def rate(self) -> float:
        """Bytes a second that are read."""
        return self.size / self.read.cpu

    @property
    def unmet(self) -> list[str]:
        """The limits that are not met."""
        found = []
        if self.kind.times is not None and self.reading_times < self.kind.times:
            found.append(f"{self.kind.says}: reading")
        if self.kind.rate is not None and self.rate < self.kind.rate:
            found.append(f"{self.kind.says}: GB/s")
        if self.kind.times is not None and self.whole_times < self.kind.times:
            found.append(f"{self.kind.says}: the whole command")
        return found

    @property
    def reading_row(self) -> str:
        """Of the first table."""
        limit, met = "", ""
        if self.kind.times is not None:
            limit = f"{self.kind.times:.0f} times"
            met = met_or_not(self.reading_times >= self.kind.times)
        if self.kind.rate is not None:
            limit, met = f"{self.kind.rate / 1e9:.0f} GB/s", met_or_not(self.rate >= self.kind.rate)
        theirs = self.theirs.less(self.started[0])
        return row(
            self.kind.says,
            f"{self.frames:,}",
            f"{self.size / 1e6:,.0f}",
            f"{self.frames / theirs.cpu:,.0f}",
            f"{self.frames / self.read.cpu:,.0f}",
            f"{self.rate / 1e9:.2f}",
            f"{self.reading_times:,.1f}",
            limit,
            met,
            f"{theirs.clock / self.read.clock:,.1f}",
            f"{self.read.memory / 1000:,.0f}",
        )

    @property
    def whole_row(self) -> str:
        """Of the second table."""
        limit = "" if self.kind.times is None else f"{self.kind.times:.0f} times"
        met = met_or_not(self.whole_times >= self.kind.times) if self.kind.times else ""
        return row(
            self.kind.says,
            f"{self.theirs.cpu:.2f}",
            f"{self.started[0].cpu:.2f}",
            f"{self.whole.cpu:.2f}",
            f"{self.started[1].cpu:.2f}",
            f"{self.whole_times:,.1f}",
            limit,
            met,
            "" if self.started_times is None else f"{self.started_times:,.1f}",
            f"{self.theirs.clock / self.whole.clock:,.1f}",
            f"{self.whole.memory / 1000:,.0f}",
        )


def row(*cells: str) -> str:
    """Of a table."""
    return f"| {' | '.join(cells)} |"


def met_or_not(good: bool) -> str:
    """In words."""
    return "met" if good else "**not met**"


READING = (
    *("capture", "frames", "MB", "tshark, frames/s", "read_all, frames/s", "GB/s", "times"),
    *("limit", "", "times by the clock", "MB of memory"),
)
WHOLE = (
    *("capture", "tshark, s", "of it start-up", "holdover audit, s", "of it start-up", "times"),
    *("limit", "", "times without start-up", "times by the clock", "MB of memory"),
)


def title(columns: Sequence[str]) -> str:
    """Of a table."""
    return f"{row(*columns)}\n| --- |{' ---: |' * (len(columns) - 1)}"


def measure(kind: Kind, place: Path, asked: int, started: tuple[Took, Took]) -> Measured:
    """One capture; the two programs take turns."""
    file, rounds = place / "capture.pcap", kind.rounds or asked
    file.unlink(missing_ok=True)
    frames = written(file, kind.make(), kind.piece)
    theirs, whole, read, seen = list[Took](), list[Took](), list[Took](), dict[str, int]()
    for _ in range(rounds):
        theirs.append(tshark(file))
        whole.append(audit(file))
        took, seen = reading(file, 3)
        read.append(took)
    return Measured(
        kind, frames, file.stat().st_size, least(theirs), least(read), least(whole), started, seen
    )


def start_up(place: Path, rounds: int) -> tuple[Took, Took]:
    """What both take for a capture of four frames."""
    file = place / "start.pcap"
    written(file, messages(4, 1))
    audit(file)  # so that numba has compiled
    return least(tshark(file) for _ in range(rounds)), least(audit(file) for _ in range(rounds))


@click.command(help=__doc__.split("\n\n")[0] if __doc__ else None)
@click.option("--rounds", default=3, show_default=True, help="How often each is read by each.")
@click.option("--only", type=click.Choice(list(KINDS)), multiple=True, help="These captures.")
@click.option("--write", is_flag=True, help=f"Write {PAGE.relative_to(ROOT)}.")
@click.option("--read", type=Path, hidden=True)
def main(rounds: int, only: tuple[str, ...], write: bool, read: Path | None) -> None:
    if read:
        click.echo(json.dumps(read_here(read, rounds)))
        return
    if shutil.which("tshark") is None:
        raise click.ClickException("needs tshark: apt-get install tshark")
    found = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        started = start_up(place, rounds)
        for name, kind in KINDS.items():
            if not only or name in only:
                click.echo(f"{kind.says} ...", err=True)
                found.append(measure(kind, place, rounds, started))
                click.echo(f"{kind.says}: {found[-1].seen}", err=True)
    click.echo(tables(found))
    if write:
        PAGE.write_text(page(found, rounds), encoding="utf-8")
    unmet = [words for each in found for words in each.unmet]
    if unmet:
        click.echo(f"not met: {', '.join(unmet)}", err=True)
        sys.exit(1)


def tables(found: Sequence[Measured]) -> str:
    """Both."""
    return "\n".join(
        [
            "The reading:",
            "",
            title(READING),
            *(each.reading_row for each in found),
            "",
            "The whole command:",
            "",
            title(WHOLE),
            *(each.whole_row for each in found),
        ]
    )


def page(found: Sequence[Measured], rounds: int) -> str:
    """docs/bench/audit.md."""
    version = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True)
    about = (__doc__ or "").split("\n\n")
    unmet = [words for each in found for words in each.unmet]
    return (
        "\n".join(
            [
                "# How fast captures are audited",
                "",
                "Written by `python -m tests.measure.audit --write` on "
                f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores; Python "
                f"{sys.version.split()[0]}, {version.stdout.splitlines()[0]}; the least of "
                f"{rounds} rounds (the long capture: one round); load of the machine "
                f"{os.getloadavg()[2]:.0f}.",
                "",
                f"Limits that are not met: {'; '.join(unmet) or 'none'}.",
                "",
                tables(found),
                "",
                "The memory is that of the program and one batch; it does not grow with the "
                "capture: compare the first row with that of ten times as many frames.",
                "",
                *(
                    part if part.startswith("- ") else part.replace("\n", " ")
                    for part in "\n\n".join(about[1:]).rstrip().split("\n\n")
                    for part in (part, "")
                ),
            ]
        ).rstrip()
        + "\n"
    )


if __name__ == "__main__":
    main()
