"""`python -m tests.measure.never_late`: how long the reference client keeps an address.

Each cell is a link of its own in network namespaces (reference/lab): a fault, a lease, once more.
The client is given its lease; the fault acts; the kernel says when the address went.  What that is
measured against, and on which premises it may never be late, `never_late_page.py` says; with
`--write` it writes the page, the figures that it is made of, and the README's sentence.

Exit status: 1 if a cell is late on the premises, or any later than the model allows.  3: none is,
but some cell is unknown.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click

from holdover.reference.console.exit import INTERRUPTED
from holdover.reference.console.progress import Progress
from holdover.reference.lab.experiments.experiment import WINDOW, Cell, Outcome, play_all
from holdover.reference.lab.experiments.fault import Fault, whole
from holdover.reference.lab.experiments.faults import FAULTS, find_fault
from holdover.reference.lab.experiments.verdict import verdict
from holdover.reference.lab.report.report import cell_data, name_cell
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS
from tests.measure.never_late_page import (
    PAGE,
    RAW,
    README,
    REGION,
    kept,
    page,
    sentence,
    status,
    tables,
)

USUAL = (
    "server killed",
    "frozen",
    "kill -9",
    "hook",
    "NAK",
    "NAK unicast",
    "link flap",
    "clock set back",
    "clock set forward",
    "shortened=0s",
    "shortened=1s",
    "shortened=2s",
    "shortened=10s",
    "shortened",
    "shortened thawed=2s",
    "shortened thawed=10s",
    "shortened thawed",
    "shortened frozen=0s",
    "shortened frozen=2s",
    "shortened frozen",
    "shortened killed=0s",
    "shortened killed=2s",
    "shortened killed",
    "shortened lost=0s",
    "shortened lost=2s",
    "shortened lost",
    "kernel busy",
)
LEASES = (10, 20, 30, 60, 120)
QUICK = (10,)

OF_ALL = 2
"""Leases, the shortest, with which a fault is played that befalls the whole machine."""

AT_ONCE = 30
"""Cells that two cores bear: most of the time they wait."""


# The command -------------------------------------------------------------------------------------


def cells(
    leases: Sequence[int], faults: Sequence[Fault], repeat: int, client: str, server: str
) -> list[Cell]:
    """All that is to be played; without what would shorten a lease to no less than it is.

    Who could not read that it has less is watched until what it knows of is over.
    """
    return [
        Cell(
            client=CLIENTS[client],
            server=SERVERS[server],
            fault=fault,
            lease=lease,
            repeat=number,
            window=max(WINDOW, lease) if fault.unread else WINDOW,
        )
        for fault in faults
        for lease in (sorted(leases)[:OF_ALL] if fault.alone else leases)
        if fault.grants is whole or fault.grants(lease) < lease
        for number in range(1, repeat + 1)
    ]


def each_fault(text: str) -> Fault:
    """The fault of a name; ValueError where there is none."""
    if (found := find_fault(text)) is None:
        raise ValueError(f"no {text!r}; there are: {', '.join(FAULTS)}; and as 'shortened=2s'")
    return found


def comma_separated(kind: Callable[[str], Any]) -> Any:
    """What reads an option with commas in it."""

    def read(context: click.Context, option: click.Parameter, text: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(each.strip()) for each in text.split(","))
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return read


def _terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM as Ctrl-C, so that what was started is ended."""
    raise KeyboardInterrupt


@click.command()
@click.option(
    "--leases",
    default=",".join(map(str, LEASES)),
    show_default=True,
    callback=comma_separated(int),
    help="Seconds.",
)
@click.option(
    "--faults",
    default=",".join(USUAL),
    show_default=True,
    callback=comma_separated(each_fault),
    help="As `holdover lab list` has them; a length may follow: shortened=2s.",
)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--client",
    type=click.Choice(tuple(CLIENTS)),
    default="reference",
    show_default=True,
    help="To see the table go red, take one that is late: udhcpc.",
)
@click.option("--server", type=click.Choice(tuple(SERVERS)), default="holdover", show_default=True)
@click.option(
    "--at-once",
    type=click.IntRange(1),
    default=AT_ONCE,
    show_default=True,
    help="Cells that are played at the same time.",
)
@click.option("--quick", is_flag=True, help="A lease of 10 s, once.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the records there; it is made.",
)
@click.option("--write", is_flag=True, help=f"Write {PAGE}, {RAW}, and the sentence in {README}.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A {RAW} of an earlier run; nothing is played.",
)
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A {RAW} of an earlier run, in which these cells are to stand.",
)
@click.option("--json", "json_wanted", is_flag=True, help="Print every cell as JSON.")
def main(
    leases: tuple[int, ...],
    faults: tuple[Fault, ...],
    repeat: int,
    client: str,
    server: str,
    at_once: int,
    quick: bool,
    keep: Path | None,
    write: bool,
    source: Path | None,
    into: Path | None,
    json_wanted: bool,
) -> None:
    """Measure how long the reference client holds an address after its lease end.

    Needs root: network namespaces.  Exit status 1: some cell is late; 3: some cell is unknown.

    Example: python -m tests.measure.never_late --leases 10,20 --repeat 1
    """
    if source is not None:
        data = json.loads(source.read_text(encoding="utf-8"))
    else:
        if quick:
            leases, repeat = QUICK, 1
        data = measured(cells(leases, faults, repeat, client, server), at_once, keep)
        if into is not None:
            data = joined(json.loads(into.read_text(encoding="utf-8")), data)
    if write:
        written(data)
    click.echo(json.dumps(data, indent=1) if json_wanted else tables(data["cells"]))
    sys.exit(status(data["cells"]))


def measured(wanted: Sequence[Cell], at_once: int, keep: Path | None) -> Any:
    """Play cells: what of each `holdover lab` would write, and under which conditions."""
    if os.geteuid() != 0:
        raise click.UsageError("needs root: network namespaces")
    if not wanted:
        raise click.UsageError("no lease is long enough to be shortened so")
    if keep is not None:
        keep.mkdir(parents=True)
    signal.signal(signal.SIGTERM, _terminated)
    start, load, done = time.perf_counter(), os.getloadavg()[0], 0
    with (
        tempfile.TemporaryDirectory(prefix="holdover-never-late-") as place,
        Progress("never late") as progress,
    ):

        def told(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            progress.count(done, len(wanted), name_cell(verdict(outcome)))

        try:
            outcomes = play_all(wanted, keep or Path(place), at_once, told)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    client, server = wanted[0].client, wanted[0].server
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": shlex.join(["python", "-m", "tests.measure.never_late", *sys.argv[1:]]),
        "client": f"{client.title}, {client.version()}",
        "server": f"{server.title}, {server.version()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"{len(os.sched_getaffinity(0))} cores",
        "load average": f"{load:.1f} before, {os.getloadavg()[0]:.1f} after",
        "cells at once": str(min(at_once, len(wanted))),
        "took": f"{time.perf_counter() - start:.0f} s",
    }
    return {"about": about, "cells": [cell_data(verdict(outcome)) for outcome in outcomes]}


def joined(earlier: Any, later: Any) -> Any:
    """The earlier run with the later one's cells in their places, and both runs' conditions."""

    def key(cell: Any) -> tuple[Any, ...]:
        return cell["fault"], cell["lease"], cell["repeat"]

    again = {key(cell): cell for cell in later["cells"]}
    kept_ones = [again.pop(key(cell), cell) for cell in earlier["cells"]]
    number = 2 + sum(name.startswith("run ") for name in earlier["about"])
    of_later = "; ".join(f"{name}: {value}" for name, value in later["about"].items())
    return {
        "about": {**earlier["about"], f"run {number}, {len(later['cells'])} cells": of_later},
        "cells": [*kept_ones, *again.values()],
    }


def written(data: Any) -> None:
    """The page, what it is made of, and the README's sentence."""
    RAW.write_text(kept(data), encoding="utf-8")
    PAGE.write_text(page(data), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    README.write_text(REGION.sub(lambda _: sentence(data), readme), encoding="utf-8")


if __name__ == "__main__":
    main()
