"""`holdover lab device`: how long a device keeps an address, seen from its cable.

Theory of operation.  The outer process looks whether the interface may be given away
(lab/device/device_port.py) and asks; the inner one (lab/testbed/sandbox.py) sees the same network,
and plays the cells one after another, for there is one device.  When it ends, however it ends, its
namespaces are gone, and with them what led to the interface.  `devices` are the cells that
`holdover lab learn --device` has as well.

Exit status: 0 each cell holds, 1 the device was late, 2 bad input, 3 a cell is unknown.

What it does not know: what the wire tells (lab/record/wire_view.py).
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdover.model.clients.profile import load
from holdover.model.errors import InputError, nearest
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import complete_names, profile_names
from holdover.reference.console.output import document
from holdover.reference.console.progress import Progress
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS, find_fault
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS, RIVALS
from holdover.reference.lab.testbed.servers import SERVERS

if TYPE_CHECKING:
    from holdover.reference.lab.experiments.experiment import Cell, Outcome
    from holdover.reference.lab.experiments.verdict import Verdict

USUAL = ("server silent", "NAK", "NAK unicast")
"""What befalls a device where no fault is named."""

LEASE, PATIENCE = 30, 300
"""Seconds: of a lease, longer than what real clients stretch; and until a device asks."""

Command = Callable[..., Any]

HARDWARE = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def possible() -> dict[str, Fault]:
    """The faults that need no access to the client's host."""
    return {name: fault for name, fault in FAULTS.items() if not fault.needs_access}


def chosen_faults(
    context: click.Context, param: click.Parameter, given: Sequence[str]
) -> list[Fault]:
    """The faults of these names; BadParameter for one that needs access to the device."""
    found = []
    for name in given or USUAL:
        fault = find_fault(name)
        if fault is None:
            raise click.BadParameter(f"no fault {name!r}; {nearest(name, tuple(possible()))}")
        if fault.needs_access:
            raise click.BadParameter(
                f"{name}: it is done inside of the client's host, and nobody can be inside of a "
                f"device; there are: {', '.join(possible())}"
            )
        found.append(fault)
    return found


def hardware_address(
    context: click.Context, param: click.Parameter, given: str | None
) -> str | None:
    """A hardware address, in small letters."""
    if given is None or HARDWARE.fullmatch(given.lower().replace("-", ":")):
        return given and given.lower().replace("-", ":")
    raise click.BadParameter(f"{given!r} is no hardware address: write 02:00:00:00:00:01")


def device_options(command: Command) -> Command:
    """Which device, and whether somebody is asked."""
    options = (
        click.option(
            "--wait",
            type=click.IntRange(1, 86400),
            default=PATIENCE,
            show_default=True,
            help="Seconds in which a device asks for an address, each time.",
        ),
        click.option(
            "--hardware",
            metavar="ADDRESS",
            callback=hardware_address,
            help="The device's hardware address.  [default: who asks first]",
        ),
        click.option("--yes", is_flag=True, help="Do not ask before a device's link is taken."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(epilog="Example: holdover lab device eth1 --lease 30")
@click.argument("interface")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_names(possible),
    callback=chosen_faults,
    help="One of `holdover lab list` that is not done inside of the client's host; may be "
    f"repeated.  [default: {', '.join(USUAL)}]",
)
@click.option(
    "--lease", type=click.IntRange(1, 3600), default=LEASE, show_default=True, help="Seconds."
)
@click.option("--repeat", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option(
    "--watch",
    type=click.IntRange(1, 3600),
    default=15,
    show_default=True,
    help="Seconds that an address is watched after its lease.",
)
@click.option(
    "--profile",
    metavar="NAME|FILE",
    shell_complete=profile_names,
    help="Hold the device to what this profile allows.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write lab.html, lab.json, lab.xml (JUnit) and the records there.",
)
@device_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not the table.")
def device(
    interface: str,
    faults: Sequence[Fault],
    lease: int,
    repeat: int,
    watch: int,
    wait: int,
    hardware: str | None,
    profile: str | None,
    out: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> int:
    """Measure a device at the cable of an Ethernet interface.

    Our server leases it an address for a short time; then the server falls silent, or refuses.
    Until when the device answers for the address, an ARP question every 50 ms tells, and frames
    that it sends from the address.  Nothing is installed on the device, and nobody logs in.

    The interface is the lab's meanwhile: it must not carry a default route, and no other DHCP
    server may answer on its link.  Nothing is left behind.  As root.

    Exit status: 0 each cell holds, 1 the device was late, 2 bad input, 3 some cell is unknown.
    """
    from holdover.reference.lab.report.files import check_directory

    if profile is not None:
        load(profile)
    wanted = devices(interface, faults, lease, repeat, watch, wait, hardware, profile)
    if out is not None:
        check_directory(out)
    if (place := sandbox.inside()) is None:
        allow(interface, yes=yes, seconds=longest(wanted))
        return sandbox.alone(sys.argv[1:], sees_network=True)
    return play(wanted, place, out, as_json=as_json)


def devices(
    interface: str,
    faults: Sequence[Fault],
    lease: int,
    repeat: int,
    watch: float,
    wait: float,
    hardware: str | None,
    profile: str | None = None,
) -> list[Cell]:
    """The cells of one device."""
    from holdover.reference.lab.experiments.experiment import Cable, Cell

    rival = next(CLIENTS[name] for name in RIVALS if CLIENTS[name].missing() is None)
    return [
        Cell(
            client=as_client(interface, lease, profile),
            server=SERVERS["holdover"],
            fault=fault,
            lease=lease,
            repeat=number,
            window=watch,
            rival=rival if fault.rival else None,
            cable=Cable(interface=interface, hardware=hardware, patience=wait),
        )
        for number in range(1, repeat + 1)
        for fault in faults
    ]


def as_client(interface: str, lease: int, profile: str | None = None) -> ClientProgram:
    """A device as the tables name it; nobody starts it."""
    title = f"a device at {interface}"
    return ClientProgram(name="device", title=title, command="", lease=lease, profile=profile)


def longest(cells: Sequence[Cell]) -> float:
    """Seconds that cells last which the device does not delay: a renewal, a lease, the watch."""
    return sum(1.5 * cell.lease + cell.window for cell in cells)


def allow(interface: str, *, yes: bool, seconds: float) -> None:
    """InputError where the interface must not be taken, or the user does not want it."""
    from holdover.reference.lab.device.device_port import check_interface, check_no_server

    if os.geteuid() != 0:
        raise InputError(f"no permission to take {interface}: run as root")
    check_interface(interface)
    with Progress("device") as progress:
        progress.say(f"is there a DHCP server at {interface}?")
        check_no_server(interface)
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"nobody is there to be asked: say --yes, and {interface} is taken")
    question = (
        f"{interface} is the lab's for {seconds:.0f} s or longer: it serves leases there, then "
        "falls silent or refuses, and this machine hears nothing on it.  Go on?"
    )
    if not click.confirm(question, err=True):
        raise InputError("not started")


def play(cells: Sequence[Cell], place: Path, out: Path | None, *, as_json: bool) -> int:
    """Play cells one after another, report, and the exit status."""
    from holdover.reference.lab.experiments.verdict import combine_verdicts, verdict
    from holdover.reference.lab.report import report
    from holdover.reference.lab.report.files import conditions_of, write

    began = time.perf_counter()
    with sandbox.tie_to_parent(), Progress("device") as progress:
        outcomes = play_in_turn(cells, place, progress)
        verdicts = [verdict(outcome) for outcome in outcomes]
        conditions = conditions_of(cells, 1, time.perf_counter() - began)
        if out is not None:
            write(out, verdicts, conditions)
    stand = [premises_of(each) for each in verdicts]
    if as_json:
        document("lab-device", report.device_data(verdicts, stand, conditions))
    else:
        report.table(verdicts)
        report.print_premises(verdicts, stand)
        if out is not None:
            click.echo(f"written: {out}/lab.html, lab.json, lab.xml, records/", err=True)
    return EXIT[combine_verdicts(verdicts)]


def play_in_turn(cells: Sequence[Cell], place: Path, progress: Progress) -> list[Outcome]:
    """Play cells one after another: there is one device."""
    from holdover.reference.lab.experiments.experiment import play_all

    done = 0
    progress.say(f"{len(cells)} cells, one after another: the device has to ask for an address")

    def told(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        progress.count(done, len(cells), outcome.cell.fault.name)

    return play_all(cells, place, 1, told)


def premises_of(each: Verdict) -> Any:
    """On which premises a verdict stands; None: nothing was played."""
    from holdover.reference.lab.record import record
    from holdover.reference.lab.record.premises import premises
    from holdover.reference.lab.testbed.scene import LEASED

    where = each.outcome.record
    return premises(record.read(where), LEASED) if where.is_dir() else None
