"""`python -m tests.net.never_late`: that the reference client lets go before its lease ends.

Each cell is a link of its own in network namespaces (reference/lab): a fault, a lease, once more.
The client is given its lease; the fault acts; the kernel says when the address went.  The table has
seconds after the server's lease end, so negative is early.  A DHCPNAK ends a lease at once; there
the table has seconds after it, and a host obeys that has let go within OBEYED.

Exit status 1: some cell is late.  3: none is, but some cell is unknown.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shlex
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click

from holdover.reference.cli import EXIT, INTERRUPTED
from holdover.reference.lab.cell import Cell, Outcome, play_all
from holdover.reference.lab.clients import CLIENTS
from holdover.reference.lab.faults import FAULTS
from holdover.reference.lab.measure import Measurement, Unknown
from holdover.reference.lab.servers import SERVERS
from holdover.reference.lab.verdict import OBEYED, is_refusal
from holdover.reference.markdown import table
from holdover.reference.progress import Progress

USUAL = (
    "server killed", "frozen", "kill -9", "hook", "NAK", "NAK unicast", "link flap",
    "clock set back", "clock set forward",
)  # fmt: skip
LEASES = (10, 20, 30, 60, 120)
QUICK = (10,)

AT_ONCE = 30
"""Cells that two cores bear: most of the time they wait."""

PAGE = Path("docs/never-late.md")

LATE, UNKNOWN = EXIT["violated"], EXIT["unknown"]


# What a cell says --------------------------------------------------------------------------------


def unknown(outcome: Outcome) -> str | None:
    """Why nothing is known of it."""
    if isinstance(outcome.result, Unknown):
        return outcome.result.reason
    if is_refusal(outcome.cell.fault) and outcome.result.after_nak is None:
        return "no DHCPNAK came while the address was held"
    return None


def late(outcome: Outcome) -> bool:
    """Whether the address was there after the lease, or too long after a DHCPNAK."""
    if not isinstance(outcome.result, Measurement):
        return False
    after_nak = outcome.result.after_nak if is_refusal(outcome.cell.fault) else None
    return outcome.result.holdover > 0 or (after_nak or 0) > OBEYED


def status(outcomes: Sequence[Outcome]) -> int:
    """The exit status that they come to."""
    if any(map(late, outcomes)):
        return LATE
    return UNKNOWN if any(map(unknown, outcomes)) else 0


# The page ----------------------------------------------------------------------------------------

Figure = Callable[[Measurement], float]


def signed(value: float) -> str:
    """Seconds after (+) or before (−) an instant."""
    return "forever" if value == math.inf else f"{value:+.2f}".replace("-", "−")


def spread(outcomes: Sequence[Outcome], figure: Figure) -> str:
    """Least, median and greatest of what is known; how many of how many."""
    known = [figure(o.result) for o in outcomes if isinstance(o.result, Measurement)
             and unknown(o) is None]  # fmt: skip
    count = f"n = {len(known)}" + (f" of {len(outcomes)}" if len(known) < len(outcomes) else "")
    if not known:
        return f"unknown ({count})"
    said = [signed(each) for each in (min(known), statistics.median(known), max(known))]
    return f"{' / '.join(said)} ({count})"


def figures(outcomes: Sequence[Outcome], figure: Figure) -> str:
    """A table: a row for each fault, a column for each lease."""
    leases = sorted({outcome.cell.lease for outcome in outcomes})
    rows = []
    for name in dict.fromkeys(outcome.cell.fault.name for outcome in outcomes):
        of_fault = [outcome for outcome in outcomes if outcome.cell.fault.name == name]
        cells = [[o for o in of_fault if o.cell.lease == lease] for lease in leases]
        by = {o.result.enforcer or "nobody" for o in of_fault if isinstance(o.result, Measurement)}
        sentence = of_fault[0].cell.fault.sentence
        rows.append([f"{name}: {sentence}", *(spread(cell, figure) for cell in cells),
                     ", ".join(sorted(by))])  # fmt: skip
    return table(["fault", *(f"{lease} s" for lease in leases), "removed by"], rows)


def tables(outcomes: Sequence[Outcome]) -> str:
    """All figures, and what is late or unknown."""
    parts = [figures(outcomes, lambda measured: measured.holdover)]
    if refused := [outcome for outcome in outcomes if is_refusal(outcome.cell.fault)]:
        parts += ["Seconds from the DHCPNAK until the address was gone:\n",
                  figures(refused, lambda measured: measured.after_nak or 0)]  # fmt: skip
    for title, odd in (
        ("Late", [cell_name(outcome) for outcome in outcomes if late(outcome)]),
        ("Unknown", [f"{cell_name(outcome)}: {reason}" for outcome in outcomes
                     if (reason := unknown(outcome)) is not None]),
    ):  # fmt: skip
        lines = [f"- {line}\n" for line in odd]
        parts.append(
            f"{title}: {len(odd)} of {len(outcomes)}.\n" + "\n" * bool(odd) + "".join(lines)
        )
    return "\n".join(parts)


def cell_name(outcome: Outcome) -> str:
    """A cell in a line."""
    cell = outcome.cell
    return f"{cell.fault.name}, {cell.lease} s, run {cell.repeat}"


def page(outcomes: Sequence[Outcome], about: dict[str, Any]) -> str:
    """docs/never-late.md."""
    worst = max((o.result.uncertainty for o in outcomes if isinstance(o.result, Measurement)),
                default=0)  # fmt: skip
    conditions = [[name, str(value)] for name, value in about.items() if name != "command"]
    return f"""# Never late

How long the [reference client](network.md) held its address after the server's lease end, in
seconds: least / median / greatest of n runs.  Negative is early.  All of it is of one run, that of

```sh
{about["command"]}
```

which writes this page.  The lease end is the last DHCPACK on the wire and its option 51; the
address was gone when the kernel said so, or when it was looked for and not found.  Each figure is
at most {worst:.2f} s too large, and never too small ([decision 19](decisions/0019-lab.md)).

{tables(outcomes)}
{table(["condition", "value"], conditions)}
The client probes before it uses an address (RFC 5227), so with a lease of ten seconds it asks for a
renewal as soon as it has one.  But for a DHCPNAK it is the kernel that removes the address, for its
lifetime ends two and a half seconds before the lease.  What is left of them is what the kernel was
not late.  To see the table go red: `python -m tests.net.never_late --quick --client udhcpc`.
"""


# The command -------------------------------------------------------------------------------------


def cells(
    leases: Sequence[int], faults: Sequence[str], repeat: int, client: str, server: str
) -> list[Cell]:
    """All that is to be played."""
    return [
        Cell(client=CLIENTS[client], server=SERVERS[server], fault=FAULTS[fault], lease=lease,
             repeat=number)
        for fault in faults for lease in leases for number in range(1, repeat + 1)
    ]  # fmt: skip


def as_json(outcomes: Sequence[Outcome], about: dict[str, Any]) -> str:
    """Conditions and cells; "forever" where there is no number."""
    found = []
    for outcome in outcomes:
        cell, result = outcome.cell, asdict(outcome.result)
        said = {key: "forever" if value == math.inf else value if isinstance(value, int | float)
                else value and str(value) for key, value in result.items()}  # fmt: skip
        found.append({"fault": cell.fault.name, "lease": cell.lease, "run": cell.repeat,
                      "unknown": unknown(outcome), "late": late(outcome), **said})  # fmt: skip
    return json.dumps({"about": about, "cells": found}, indent=1)


def comma_separated(kind: Callable[[str], Any], known: Sequence[str] | None) -> Any:
    """What reads an option with commas in it."""

    def read(context: click.Context, option: click.Parameter, text: str) -> tuple[Any, ...]:
        try:
            found = tuple(kind(each.strip()) for each in text.split(","))
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
        for each in found:
            if known is not None and each not in known:
                raise click.BadParameter(f"no {each!r}; there are: {', '.join(known)}")
        return found

    return read


def _terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM as Ctrl-C, so that what was started is ended."""
    raise KeyboardInterrupt


@click.command()
@click.option("--leases", default=",".join(map(str, LEASES)), show_default=True,
              callback=comma_separated(int, None), help="Seconds.")  # fmt: skip
@click.option("--faults", default=",".join(USUAL), show_default=True,
              callback=comma_separated(str, tuple(FAULTS)))  # fmt: skip
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
@click.option("--client", type=click.Choice(tuple(CLIENTS)), default="reference", show_default=True,
              help="To see the table go red, take one that is late: udhcpc.")  # fmt: skip
@click.option("--server", type=click.Choice(tuple(SERVERS)), default="holdover", show_default=True)
@click.option("--at-once", type=click.IntRange(1), default=AT_ONCE, show_default=True,
              help="Cells that are played at the same time.")  # fmt: skip
@click.option("--quick", is_flag=True, help="A lease of 10 s, once.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path),
              help="Keep the records there; it is made.")  # fmt: skip
@click.option("--write", is_flag=True, help=f"Write {PAGE}.")
@click.option("--json", "json_wanted", is_flag=True, help="Print every cell as JSON.")
def main(
    leases: tuple[int, ...], faults: tuple[str, ...], repeat: int, client: str, server: str,
    at_once: int, quick: bool, keep: Path | None, write: bool, json_wanted: bool,
) -> None:  # fmt: skip
    """Measure how long the reference client holds an address after its lease end.

    Needs root: network namespaces.  Exit status 1: some cell is late; 3: some cell is unknown.

    Example: python -m tests.net.never_late --leases 10,20 --repeat 1
    """
    if os.geteuid() != 0:
        raise click.UsageError("needs root: network namespaces")
    if quick:
        leases, repeat = QUICK, 1
    if keep is not None:
        keep.mkdir(parents=True)
    wanted = cells(leases, faults, repeat, client, server)
    signal.signal(signal.SIGTERM, _terminated)
    start, load, done = time.perf_counter(), os.getloadavg()[0], 0
    with (
        tempfile.TemporaryDirectory(prefix="holdover-never-late-") as place,
        Progress("never late") as progress,
    ):

        def told(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            progress.count(done, len(wanted), cell_name(outcome))

        try:
            outcomes = play_all(wanted, keep or Path(place), at_once, told)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": shlex.join(["python", "-m", "tests.net.never_late", *sys.argv[1:]]),
        "client": f"{CLIENTS[client].title}, {CLIENTS[client].version()}",
        "server": f"{SERVERS[server].title}, {SERVERS[server].version()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"{len(os.sched_getaffinity(0))} cores",
        "load average": f"{load:.1f} before, {os.getloadavg()[0]:.1f} after",
        "cells at once": str(min(at_once, len(wanted))),
        "took": f"{time.perf_counter() - start:.0f} s",
    }
    if write:
        PAGE.write_text(page(outcomes, about), encoding="utf-8")
    click.echo(as_json(outcomes, about) if json_wanted else tables(outcomes))
    sys.exit(status(outcomes))


if __name__ == "__main__":
    main()
