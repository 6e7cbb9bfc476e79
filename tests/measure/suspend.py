"""`python -m tests.measure.suspend`: a host sleeps, its lease ends meanwhile, and it wakes.

Theory of operation.  The client runs in an emulated machine (`tests/net/machine.py`), on a link of
the lab with our server.  When it has a lease the server ends, and the machine sleeps until AFTER
seconds after the lease end.  Then it wakes, and is watched for a lease and a while longer.  That
the address is gone the guest's kernel says, on the console; until when the guest answered for it,
ARP questions every 50 ms say, as for any device at a cable.  A host that sleeps answers nothing;
so what counts is for how long it has the address after it has woken.

`--write` writes the table into docs/suspend.md.  `--under DIR`: QEMU and a kernel are in a folder
into which their packages were unpacked.

What it does not know: firmware, and how long a real machine takes to wake; clients that need more
than a few files, such as systemd-networkd.
"""

from __future__ import annotations

import math
import platform
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import click

from holdover.model.seconds import show_offset
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.docs.markdown import table
from holdover.reference.lab.record import record
from holdover.reference.lab.record.wire_view import signs_of
from holdover.reference.lab.testbed.clients import CLIENTS, UDHCPC_SCRIPT
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.lab.testbed.scene import LEASED, OWN, Scene
from holdover.reference.lab.testbed.servers import SERVERS
from holdover.reference.linux.kernel.clock import now
from tests.checkout import ROOT
from tests.measure.lab_runs import exit_at_signal
from tests.net.machine import (
    HARDWARE,
    SLEEPS,
    Clocks,
    Files,
    Machine,
    Prepared,
    Sleep,
    copy,
    make_root,
    prepared,
    python_and_holdover,
    python_that_waits,
    that_waits,
)

PAGE = ROOT / "docs" / "suspend.md"
REGION = re.compile(r"(?<=<!-- measured: suspend -->\n\n).*?(?=<!-- end -->)", re.DOTALL)

LEASE = 40
"""Seconds: above the shortest lease that udhcpc honours."""

AFTER = 20
"""Seconds after the lease end at which it wakes."""

WATCHED = 20
"""Seconds longer than a lease for which it is watched after that."""

BOOTS = 240
"""Seconds in which an emulated machine has a lease, on a computer that is busy."""

OFF = 10
"""Seconds by which a guest's clock may be off: it runs for some around its sleep."""

TRIES = 3
"""How often a machine is started that did not do as it was told."""

AT_ONCE = 4
"""Machines; each sleeps most of the time."""


@dataclass(frozen=True)
class Guest:
    """A client in a guest: `prepare` puts its files into a root, and gives what has it wait."""

    prepare: Callable[[Path], str]
    programs: tuple[str, ...] = ()


def reference(root: Path) -> str:
    """Ours."""
    python = python_and_holdover(root)
    words = python_that_waits(python)
    return f"{words} client eth0 --json --state-dir /run/state"


def udhcpc(root: Path) -> str:
    """Busybox's, with Debian's script."""
    copy(Path("/etc/udhcpc/default.script"), root)
    return that_waits("busybox udhcpc -f -i eth0 -s /etc/udhcpc/default.script")


def udhcpc_lifetime(root: Path) -> str:
    """Busybox's, with a script that tells the kernel the lease as a lifetime."""
    (root / "etc" / "script").write_text(UDHCPC_SCRIPT)
    (root / "etc" / "script").chmod(0o755)
    return that_waits("busybox udhcpc -f -i eth0 -s /etc/script")


def dhclient(root: Path) -> str:
    """ISC's, with Debian's script."""
    copy(Path("/sbin/dhclient-script"), root)
    for name in ("var/lib/dhcp", "etc/dhcp"):
        (root / name).mkdir(parents=True)
    return that_waits("dhclient -4 -d -v eth0")


GUESTS: Mapping[str, Guest] = MappingProxyType(
    {
        "reference": Guest(reference),
        "dhclient": Guest(dhclient, ("dhclient", "bash")),
        "udhcpc": Guest(udhcpc),
        "udhcpc-lifetime": Guest(udhcpc_lifetime),
    }
)
"""Clients of the lab that need no more than a few files."""


@dataclass(frozen=True)
class Slept:
    """What was seen; seconds, infinite: to the end of the watch.

    `kept`: from the waking until the guest's kernel said that the address was gone.  `answered`:
    until the last ARP question that it answered; None: it answered none.  `slept`: how long the
    machine slept after the lease end.  `clocks`: how far the guest's clocks went in `took` seconds,
    from before it slept until after it woke.
    """

    client: str
    sleep: str
    kept: float
    answered: float | None
    slept: float
    took: float
    clocks: Clocks


class MachineScene(Scene):
    """A scene in which an emulated machine is on the link, in the place of a host."""

    def _hosts(self, links: Links, rival: dict[str, None]) -> dict[str, Host]:
        """The server's alone; a machine comes later."""
        return links(srv=str(OWN), **rival)

    def plug(self, machine: Machine) -> None:
        """It is the client from now on."""
        self._hardware = HARDWARE.replace(":", "")
        self.machine = machine

    def wait_for_lease(self) -> None:
        """Until the guest's kernel says that it has the address."""
        self.machine.console.says(f"inet {LEASED}/", BOOTS)

    def gone(self, since: Instant) -> Instant | None:
        """When the guest's kernel said that the address was gone, after an instant; None: not."""
        said = self.machine.console.said(rf"Deleted.*inet {LEASED}/")
        return next((at for at, _ in said if at >= since), None)

    def has_it(self) -> bool:
        """Whether the guest's kernel says that it has the address."""
        said = self.machine.console.said(rf"inet {LEASED}/")
        return bool(said) and "Deleted" not in said[-1][1]


def prepare(clients: Sequence[str], files: Files, place: Path) -> Prepared:
    """A guest in which these clients wait for one of them to begin."""
    root = place / "guest"
    programs = [name for client in clients for name in GUESTS[client].programs]
    archive = make_root(root, files, [GUESTS[each].prepare for each in clients], programs)
    shutil.rmtree(root)
    return prepared(files, archive, clients, place)


@contextmanager
def machine_scene(place: Path, ready: Prepared, client: str, lease: int) -> Iterator[MachineScene]:
    """A scene whose machine has a lease; all is gone at the end."""
    links = Links(place)
    try:
        server = SERVERS["holdover"]
        scene = MachineScene(
            links, place, threading.Event(), server=server, lease=lease, questions=True
        )
        scene.serve()
        scene.plug(Machine(scene.srv, ready, place))
        scene.machine.begin(client)
        scene.wait_for_lease()
        yield scene
    finally:
        links.close()


def sleep_once(
    place: Path, client: str, sleep: str, ready: Prepared, lease: int, after: int
) -> Slept:
    """Have a client sleep through the end of its lease; what it does when it wakes.

    UnheardError where the machine did not as it was told, or has no lease.
    """
    way = SLEEPS[sleep]
    with machine_scene(place, ready, client, lease) as scene:
        scene.end_server()
        before, began = scene.machine.clocks(), now()
        way.begin(scene.machine)
        scene.mark(f"client {sleep}")
        scene.wait_until(scene.lease_end() + after * SECOND)
        if not scene.has_it():
            raise UnheardError("the address was gone before the machine slept")
        woken = now()
        way.end(scene.machine)
        scene.mark("client wakes")
        clocks, took = scene.machine.clocks().since(before), (now() - began) / SECOND
        end = woken + (lease + WATCHED) * SECOND
        scene.until(
            lambda: scene.gone(woken) is not None or now() > end,
            lease + WATCHED + BOOTS,
            "the address goes",
        )
        scene.wait(1)
        went, over = scene.gone(woken), scene.lease_end()
        scene.close()
        seen = record.read(scene.record)
    signs = signs_of(seen, bytes.fromhex(HARDWARE.replace(":", "")), LEASED)
    answers = [each.asked for each in signs.answered if each.asked >= woken]
    check_clocks(way, clocks, took)
    kept = math.inf if went is None else (went - woken) / SECOND
    answered = (answers[-1] - woken) / SECOND if answers else None
    return Slept(client, sleep, kept, answered, (woken - over) / SECOND, took, clocks)


def check_clocks(way: Sleep, clocks: Clocks, took: float) -> None:
    """UnheardError where the guest's clocks did not stand, or go on, as this sleep has it."""
    expected = took if way.counted else 0
    if abs(clocks.boottime - expected) > OFF or clocks.monotonic > OFF:
        raise UnheardError(f"the guest's clocks are wrong: in {took:.0f} s they went {clocks}")


def play(
    wanted: Sequence[tuple[str, str]],
    files: Files,
    place: Path,
    lease: int = LEASE,
    after: int = AFTER,
) -> list[Slept]:
    """Several, some at once, each in a folder of its own."""
    ready = prepare(list(dict.fromkeys(client for client, _ in wanted)), files, place)

    def one(number: int) -> Slept:
        client, sleep = wanted[number]
        for trial in range(TRIES):
            mine = place / f"{number}-{trial}"
            mine.mkdir()
            try:
                found = sleep_once(mine, client, sleep, ready, lease, after)
            except UnheardError as error:
                why = str(error).partition("\n")[0]
                click.echo(f"{client}, {sleep}: unknown: {why}", err=True)
            else:
                click.echo(f"{client}, {sleep}: {describe(found)}", err=True)
                return found
        raise UnheardError(f"{client}, {sleep}: unknown {TRIES} times")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(len(wanted))))


def describe(found: Slept) -> str:
    """In words: until when it had the address after it had woken."""
    answered = "" if found.answered is None else f", answered ARP for {found.answered:.1f} s"
    return f"{show(found.kept)}{answered}"


def clock_rows(found: Sequence[Slept]) -> Iterator[list[str]]:
    """How far the guests' clocks went, for each way to sleep: the first guest's."""
    for way in SLEEPS:
        for each in [each for each in found if each.sleep == way][:1]:
            clocks = (each.clocks.monotonic, each.clocks.boottime, each.clocks.wall, each.took)
            yield [way, *(f"{seconds:.0f} s" for seconds in clocks)]


def described(found: Sequence[Slept], client: str, sleep: str) -> list[str]:
    """What one client did, after one way to sleep."""
    return [describe(each) for each in found if (each.client, each.sleep) == (client, sleep)]


def show(kept: float) -> str:
    """Seconds after the waking."""
    return "to the end of the watch" if kept == math.inf else show_offset(kept)


def report(found: Sequence[Slept], files: Files) -> str:
    """The measured part of the page."""
    kernel = files.kernel()
    rows = [
        [
            CLIENTS[client].title,
            *(
                describe(each)
                for way in SLEEPS
                for each in found
                if (each.client, each.sleep) == (client, way)
            ),
        ]
        for client in dict.fromkeys(each.client for each in found)
    ]
    slept = max(each.slept for each in found)
    version = kernel.name.removeprefix("vmlinuz-") if kernel else ""
    names = ["sleep", "CLOCK_MONOTONIC", "CLOCK_BOOTTIME", "wall clock", "true time"]
    return f"""{table(["client", *SLEEPS], rows)}

{table(names, list(clock_rows(found)))}

Leases of {LEASE} s.  Each machine woke {slept:.0f} s after the end of its lease, at most.  Written
by `python -m tests.measure.suspend --write` on {datetime.now(UTC):%Y-%m-%d}: {platform.machine()},
QEMU without KVM, guest kernel {version}, n = 1."""


@click.command(help=__doc__)
@click.option("--write", is_flag=True, help="Write the table into docs/suspend.md.")
@click.option("--under", type=click.Path(path_type=Path, exists=True), help="Unpacked packages.")
@click.option("--client", "clients", multiple=True, type=click.Choice(list(GUESTS)))
@click.option("--sleep", "sleeps", multiple=True, type=click.Choice(list(SLEEPS)))
def main(
    write: bool, under: Path | None, clients: tuple[str, ...], sleeps: tuple[str, ...]
) -> None:
    """Play each client with each way to sleep."""
    signal.signal(signal.SIGTERM, exit_at_signal)
    files = Files(under)
    if (reason := files.missing()) is not None:
        click.echo(reason, err=True)
        sys.exit(2)
    wanted = [(client, way) for client in clients or GUESTS for way in sleeps or SLEEPS]
    with tempfile.TemporaryDirectory(prefix="suspend-") as place:
        text = report(play(wanted, files, Path(place)), files)
    click.echo(text)
    if write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(REGION.sub(lambda _: f"{text.strip()}\n\n", page), encoding="utf-8")


if __name__ == "__main__":
    main()
