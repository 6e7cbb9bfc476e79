"""`python -m tests.measure.soak`: an hour with a lease, and whether `holdover client` held it.

Theory of operation.  A client and a server, dnsmasq or ours, are on a link of their own, each in a
network namespace.  The client gets a lease and keeps it; the kernel's account of addresses is
recorded, and the client's memory every ten seconds.  At the end comes SIGINT.  The address must
have been there without a gap from BOUND to the end, renewed at least as often as half of the leases
ask for, and the interface must be as it was found.

Memory is what the client had after its first renewal, and what it had at the end.

What it does not know: what a host does in an hour besides: suspend, roam, change its clock.  As
root only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import click

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import Process, UnheardError, eventually
from holdover.reference.linux.kernel.clock import now
from tests.checkout import ROOT
from tests.measure.speed import terminated, versions

PAGE = ROOT / "docs" / "soak.md"
SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
LONG = 60
EVERY = 10
GROWTH_MOST = 1024
"""kB that a client may grow in a run: the hour of a leak of a byte a frame is more."""


@dataclass(frozen=True)
class Soaked:
    """What a run has seen; instants in seconds from BOUND."""

    server: str
    minutes: float
    lease: int
    held: float
    renewals: int
    gaps: list[float]
    notices: dict[str, int]
    memory: list[int]
    growth: int
    as_found: bool
    status: int

    @property
    def failures(self) -> list[str]:
        """What is not as it should be."""
        due = int(self.minutes * 60 / self.lease)
        wrong = {
            f"the address was gone at {self.gaps}": bool(self.gaps),
            f"{self.renewals} renewals, at least {due} were due": self.renewals < due,
            f"notices besides BOUND and EXTENDED: {self.notices}": bool(
                set(self.notices) - {"BOUND", "EXTENDED", "STOPPED"}
            ),
            f"memory grew by {self.growth} kB": self.growth > GROWTH_MOST,
            "the interface is not as it was found": not self.as_found,
            f"status {self.status} after SIGINT, not 130": self.status != 130,
        }
        return [line for line, is_so in wrong.items() if is_so]

    @property
    def text(self) -> str:
        """For people."""
        return "\n".join(
            [
                f"Server: {self.server}; lease {self.lease} s; {self.minutes:g} minutes.",
                f"Held for {self.held:.0f} s with {self.renewals} renewals and "
                f"{len(self.gaps)} gaps.",
                f"Memory: {self.memory[0]} kB after the first renewal, {self.memory[-1]} kB at the "
                f"end, {max(self.memory)} kB at most, in {len(self.memory)} looks.",
                f"The interface {'is' if self.as_found else 'is not'} as it was found.",
                *(f"Not so: {line}." for line in self.failures),
            ]
        )


def serve(name: str, host: Host, place: Path, lease: int) -> None:
    """Start the server."""
    if name == "dnsmasq":
        words = (
            "dnsmasq -k --log-facility=- --conf-file=/dev/null --port=0 --interface=eth0 "
            "--bind-interfaces --except-interface=lo --dhcp-authoritative --no-ping --user=root "
            f"--pid-file= --dhcp-range={LEASED},{LEASED},255.255.255.0,{lease} "
            f"--dhcp-option=3,{SERVER}"
        )
        server = host.start(*words.split(), f"--dhcp-leasefile={place / 'leases'}")
        eventually(lambda: any("DHCP" in line for line in server.errors), LONG, "dnsmasq serves")
        return
    words = f"server eth0 --pool {LEASED} --lease {lease} --router {SERVER} --no-probe --json"
    host.holdover(*words.split(), "--leases", place / "leases").says("started", LONG)


def memory(process: Process) -> int:
    """Resident, in kB; where it has ended, UnheardError with its last words."""
    if process.running.poll() is not None:
        raise UnheardError(f"the client has ended: {process.errors}")
    status = Path(f"/proc/{process.running.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def soaked(server: str, minutes: float, lease: int, links: Links, place: Path) -> Soaked:
    """A run."""
    hosts = links(srv=f"{SERVER}/24", cli=None)
    host = hosts["cli"]
    serve(server, hosts["srv"], place, lease)
    before, watch = host.picture(), host.watch()
    client = host.holdover("client", "eth0", "--json", "--state-dir", place / "state")
    begun, _ = client.says("BOUND", LONG)
    client.says("EXTENDED", lease)
    used = [memory(client)]
    end = begun + int(minutes * 60 * SECOND)
    while (left := (end - now()) / SECOND) > 0:
        time.sleep(min(left, EVERY))
        used.append(memory(client))
        if not host.has(LEASED):
            watch.says("Deleted", LONG)
    gone = [(at - begun) / SECOND for at, _ in watch.said(f"Deleted.*{LEASED}/")]
    over = now()
    client.signal(signal.SIGINT)
    status = client.ended(LONG)
    events = [json.loads(line)["event"] for _, line in client.lines]
    return Soaked(
        server=server,
        minutes=minutes,
        lease=lease,
        held=(over - begun) / SECOND,
        renewals=events.count("EXTENDED"),
        gaps=gone,
        notices={event: events.count(event) for event in dict.fromkeys(events)},
        memory=used,
        growth=used[-1] - used[0],
        as_found=host.picture() == before,
        status=status,
    )


def page(seen: Soaked) -> str:
    """The page of the specification."""
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    options = f"--minutes {seen.minutes:g} --lease {seen.lease} --server {seen.server}"
    command = f"python -m tests.measure.soak --write {options}"
    return (
        "# A lease that is held for long\n\n"
        f"Written by `{command}`, as root, on {datetime.now(UTC):%Y-%m-%d}; {known}.\n\n"
        f"```text\n{seen.text}\n```\n"
    )


@click.command(epilog="Example: python -m tests.measure.soak --minutes 60 --lease 120")
@click.option("--minutes", type=click.FloatRange(1), default=60, show_default=True)
@click.option(
    "--lease",
    type=click.IntRange(10),
    default=120,
    show_default=True,
    help="Seconds; dnsmasq grants no less than 120.",
)
@click.option(
    "--server", type=click.Choice(["dnsmasq", "holdover"]), default="dnsmasq", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen.")
@click.option("--write", is_flag=True, help="Write docs/soak.md.")
def main(minutes: float, lease: int, server: str, as_json: bool, write: bool) -> int:
    """Have `holdover client` keep a lease, and see whether it always had it.

    Exit status 1 if something was not as it should be, 2 if it cannot be seen.
    """
    needed = ["ip", "unshare", "stdbuf", *(["dnsmasq"] if server == "dnsmasq" else [])]
    absent = [program for program in needed if shutil.which(program) is None]
    if os.geteuid() != 0 or absent:
        click.echo(f"error: needs root, and {', '.join(absent) or 'network namespaces'}", err=True)
        return 2
    signal.signal(signal.SIGTERM, terminated)
    with tempfile.TemporaryDirectory() as place, contextlib.closing(Links(Path(place))) as links:
        try:
            seen = soaked(server, minutes, lease, links, Path(place))
        except UnheardError as error:
            click.echo(f"error: {error}", err=True)
            return 2
    if write:
        PAGE.write_text(page(seen), encoding="utf-8")
    said = asdict(seen) | {"failures": seen.failures, "versions": versions()}
    click.echo(json.dumps(said) if as_json else seen.text)
    return 1 if seen.failures else 0


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
