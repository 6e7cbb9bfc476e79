"""`python -m tests.measure.hardship`: `holdover server` killed, flooded, starved, lied to.

Theory of operation.  A server, bad company (`load.py`) and a real client (udhcpc) are on a link of
their own, each in a network namespace.

* Kills: SIGKILL at a random instant under a crowd of clients, and a start with what was stored;
  then the same, with the lease file deleted at a random instant before, and noticed.  No double
  commitment.  How long it took to notice is printed: a kill within that time loses leases.
* Flood: DHCPDISCOVER under a new name each, as fast as it goes.  A client on record gets its lease.
* Starvation: the flood has left the pool on offer to nobody.  A new client gets an address.
* Declines, forged: DHCPDECLINE for each address, of nobody to whom it was offered; and offered:
  DHCPDISCOVER and DHCPDECLINE under a new name each, for more than the pool.  A new client gets an
  address all the same.

What it does not know: loss of power; a bad company that answers ARP.  As root only.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import click

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import Process, UnheardError
from holdover.reference.linux.kernel.clock import now
from tests.checkout import ROOT
from tests.measure.speed import terminated, versions

PAGE = ROOT / "docs" / "hardship.md"
ROOT = PAGE.parents[1]
SERVER, FIRST = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
POOL = 50
CROWD, LEASE = 70, 20
"""More clients than addresses, and leases that many outlive."""

LONG = 120
DECLINES_MOST = POOL + 10
NEEDED = ("ip", "udhcpc", "unshare", "stdbuf")


@dataclass
class Seen:
    """What came of it; times in seconds."""

    kills: int = 0
    acks: int = 0
    doubles: list[str] = field(default_factory=list)
    deleting: int = 0
    deleting_acks: int = 0
    deleting_doubles: list[str] = field(default_factory=list)
    anew: int = 0
    noticed: float = 0.0
    flood: int = 0
    rate: float = 0.0
    flooded: float | None = None
    starved: float | None = None
    forged: float | None = None
    declined: dict[str, int] = field(default_factory=dict)
    offered: float | None = None

    @property
    def failures(self) -> list[str]:
        """What is not as it should be."""
        lost = "no address"
        wrong = {
            f"double commitments, as {self.doubles[:3]}": bool(self.doubles),
            f"double commitments, file deleted, as {self.deleting_doubles[:3]}": bool(
                self.deleting_doubles
            ),
            "no lease was granted between kills": not (self.acks and self.deleting_acks),
            "the file was not written anew": not self.anew,
            f"{lost} in a flood, for a client on record": self.flood > 0 and self.flooded is None,
            f"{lost} after the flood": self.flood > 0 and self.starved is None,
            f"{lost} after forged DHCPDECLINEs": self.forged is None,
            f"{lost} after DHCPDECLINEs of what was offered": self.offered is None,
        }
        return [line for line, is_so in wrong.items() if is_so]

    @property
    def text(self) -> str:
        """For people."""

        def after(seconds: float | None) -> str:
            return "never" if seconds is None else f"{seconds:.1f} s"

        flood = (
            f"Flood: {self.flood} DHCPDISCOVERs under as many names, {self.rate:.0f} a second; a "
            f"client on record had its lease after {after(self.flooded)}.",
            f"Starvation: a new client had an address {after(self.starved)} after the flood.",
        )
        return "\n".join(
            [
                f"Kills: {self.kills}; {self.acks} DHCPACKs, {len(self.doubles)} double "
                "commitments.",
                f"Kills with the lease file deleted before: {self.deleting}; {self.deleting_acks} "
                f"DHCPACKs, {len(self.deleting_doubles)} double commitments; written anew "
                f"{self.anew} times, within {self.noticed:.2f} s.",
                *(flood if self.flood else ()),
                f"Forged DHCPDECLINEs for all {POOL} addresses: a new client had one after "
                f"{after(self.forged)}.",
                f"DHCPDECLINEs of what was offered: {self.declined.get('declined', 0)}, for "
                f"{self.declined.get('addresses', 0)} addresses of {POOL}; a new client had one "
                f"after {after(self.offered)}.",
                *(f"Not so: {line}." for line in self.failures),
            ]
        )


# What is done ------------------------------------------------------------------------------------


@dataclass
class HardshipStage:
    """The link."""

    hosts: dict[str, Host]
    place: Path

    def serve(self, *options: object, leases: str = "leases") -> Process:
        """A server that serves."""
        words = f"server eth0 --pool {FIRST}-{FIRST + POOL - 1} --json"
        given = ("--leases", str(self.place / leases), *map(str, options))
        server = self.hosts["srv"].holdover(*words.split(), *given)
        server.says('"started"', LONG)
        return server

    def load(self, *what: object) -> Process:
        """Bad company, or good."""
        words = (sys.executable, "-m", "tests.net.load", *map(str, what))
        return self.hosts["foe"].start("sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", ROOT, *words)

    def done(self, *what: object) -> dict[str, Any]:
        """What came of it."""
        return result(self.load(*what))

    def client(self, host: str, seconds: float) -> float | None:
        """How long a client takes to get a lease; None: it has none in that time."""
        words = "udhcpc -f -q -i eth0 -s /etc/udhcpc/default.script -T 2 -A 1 -t 200"
        begun, client = time.monotonic(), self.hosts[host].apart(*words.split())
        try:
            return time.monotonic() - begun if client.ended(seconds) == 0 else None
        except UnheardError:
            client.end()
            return None


def result(load: Process) -> dict[str, Any]:
    """What the load has said at its end."""
    if load.ended(LONG) != 0:
        raise UnheardError(f"{load.errors}")
    return dict(json.loads(load.lines[-1][1]))


def killed(
    stage: HardshipStage, times: int, leases: str, *, delete: bool
) -> tuple[dict[str, Any], list[float]]:
    """What the crowd has seen of a server that is killed so often; how soon its file was anew."""
    options = ("--lease", f"{LEASE}s", "--grace", "1s", "--no-probe")
    crowd, anew = None, list[float]()
    for _ in range(times):
        server = stage.serve(*options, leases=leases)
        crowd = crowd or stage.load("crowd", CROWD)
        time.sleep(random.uniform(0.2, 1.5))
        if delete:
            gone = now()
            (stage.place / leases).unlink()
            server.says('"lease file"', LONG)
            anew.append((server.events("lease file")[0]["at"] - gone) / SECOND)
            time.sleep(random.uniform(0, 0.5))
        os.kill(server.running.pid, signal.SIGKILL)
        server.ended(LONG)
    if crowd is None:
        return {"acks": 0, "doubles": []}, []
    crowd.signal(signal.SIGTERM)
    return result(crowd), anew


def played(stage: HardshipStage, kills: int, seconds: int) -> Seen:
    """All of it, one after the other."""
    seen = Seen(kills=kills, deleting=kills)
    was, _ = killed(stage, kills, "killed", delete=False)
    seen.acks, seen.doubles = was["acks"], was["doubles"]
    was, anew = killed(stage, kills, "deleted", delete=True)
    seen.anew, seen.noticed = len(anew), max(anew, default=0.0)
    seen.deleting_acks, seen.deleting_doubles = was["acks"], was["doubles"]

    if seconds:
        server = stage.serve(leases="flooded")
        stage.client("known", LONG)
        flood = stage.load("flood", seconds)
        seen.flooded = stage.client("known", LONG)
        was, over = result(flood), time.monotonic()
        seen.flood, seen.rate = was["sent"], was["rate"]
        seen.starved = stage.client("first", LONG) and time.monotonic() - over
        server.end()

    server = stage.serve(leases="forged")
    stage.done("forge", FIRST, POOL)
    seen.forged = stage.client("second", LONG)
    seen.declined = stage.done("decline", DECLINES_MOST)
    seen.offered = stage.client("third", LONG)
    server.end()
    return seen


# The command -------------------------------------------------------------------------------------


def page(seen: Seen, command: str) -> str:
    """The page of the specification."""
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    return (
        "# A server in hardship\n\n"
        f"Written by `{command}`, as root, on {datetime.now(UTC):%Y-%m-%d}; {known}.\n"
        "The docstring of `tests/measure/hardship.py` says what is done.\n\n"
        f"```text\n{seen.text}\n```\n"
    )


def look(kills: int, seconds: int) -> Seen:
    """Make the link, and play; UnheardError where it cannot be seen."""
    with tempfile.TemporaryDirectory() as place, contextlib.closing(Links(Path(place))) as links:
        names = dict.fromkeys(("foe", "known", "first", "second", "third"))
        hosts = links(srv=f"{SERVER}/24", **names)
        return played(HardshipStage(hosts, Path(place)), kills, seconds)


@click.command(epilog="Example: python -m tests.measure.hardship --kills 200")
@click.option(
    "--kills", type=click.IntRange(1), default=200, show_default=True, help="Of each sort."
)
@click.option(
    "--seconds",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How long the flood is; 0: none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen.")
@click.option("--write", is_flag=True, help="Write docs/hardship.md.")
def main(kills: int, seconds: int, as_json: bool, write: bool) -> int:
    """Have `holdover server` go through hardship, and see what its clients have of it.

    Exit status 1 if something was not as it should be, 2 if it cannot be seen.
    """
    absent = [program for program in NEEDED if shutil.which(program) is None]
    if os.geteuid() != 0 or absent:
        click.echo(f"error: needs root, and {', '.join(absent) or 'network namespaces'}", err=True)
        return 2
    signal.signal(signal.SIGTERM, terminated)
    try:
        seen = look(kills, seconds)
    except UnheardError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    if write:
        command = f"python -m tests.measure.hardship --write --kills {kills} --seconds {seconds}"
        PAGE.write_text(page(seen, command), encoding="utf-8")
    said = asdict(seen) | {"failures": seen.failures, "versions": versions()}
    click.echo(json.dumps(said) if as_json else seen.text)
    return 1 if seen.failures else 0


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
