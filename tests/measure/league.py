"""`python -m tests.measure.league`: the league table of real clients, docs/league.md.

Theory of operation.  It runs `holdover lab`, several at once, for three parts of the page: the
machine's clients in depth, against our server and Kea, three times (`RUNS`); the clients of the
releases of Debian, five times (`releases.py`, the page opens with them); a lease's life of both
(`life.py`).  The DHCPNAKs are played with two leases (`refusals.py`).  What the page needs of what
the lab says is kept beside it, in docs/league.json, and charts of it in docs/static/, one of which
the README shows.

Beside the machine's stand the measurements of model/clients/measurements.toml that are of the same
profile, fault and lease: these were made by hand and mostly once.  They agree if the two ranges are
no further apart than kernels (2.5 s) or a process's timers in whole seconds (1 s) account for.

Exit status 1: some cell is above what the model allows.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import click

from holdover.model.clients import measurements
from holdover.model.errors import InputError
from holdover.model.seconds import show_offset, show_seconds
from holdover.reference.commands.of_lab.options import RootType
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.faults import BLOCKED
from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.learn.inference import KERNEL_LATE
from holdover.reference.lab.roots.made import cache_folder
from holdover.reference.lab.roots.release import RELEASES
from holdover.reference.lab.roots.root import Root, root_of
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure import lab_runs, life, releases_page
from tests.measure.agreement import agreement_table, bounded
from tests.measure.agreement import counted as tightness_counted
from tests.measure.lab_runs import Cell, cells_of, number, split_versions
from tests.measure.league_chart import chart, sentence
from tests.measure.league_runs import JOBS, PARTS, RUNS, measured, merged
from tests.measure.refusals import REFUSALS, after_refusal, kept_for

PAGE = Path("docs/league.md")
RAW = PAGE.with_suffix(".json")
README = Path("README.md")
CHART = Path("docs/static/league.svg")
RELEASES_CHART = Path("docs/static/league-releases.svg")
SCHEMA = {"schema": "holdover/league", "version": 3}
"""What the kept figures are; the number changes when a key, or its meaning, does."""
LONG = 1.0
"""Seconds of holdover that the page's summary has in bold: for the eye, no verdict."""

KERNEL, PROCESS = float(KERNEL_LATE), 1.0
"""Seconds by which two measurements of the same may differ, by who removed the address."""

KEPT = (
    "client",
    "root",
    "client_version",
    "server",
    "fault",
    "lease",
    "repeat",
    "outcome",
    "as_predicted",
    "reason",
    "predicted",
    "holdover",
    "removed_by",
    "after_nak",
    "duplicate",
)
"""What the pages need of a cell of lab.json."""

MEANINGS = {
    "client": "its name, as `--client` takes it",
    "root": "the release whose root file system has it; null: the machine's own",
    "client_version": "what it says of itself, or its package",
    "server": "its name",
    "fault": "which; holdover lab list tells them",
    "lease": "seconds granted",
    "repeat": "from 1",
    "outcome": "holds, violated or unknown",
    "as_predicted": "whether its profile allows it; null: it has none, or nothing is known",
    "reason": "in words; empty: none is needed",
    "predicted": "seconds, the greatest holdover that the model allows; unbounded: there is none",
    "holdover": "seconds after the server's lease end; unbounded: to the end of the watch",
    "removed_by": "process or kernel; empty: nobody",
    "after_nak": "seconds from the DHCPNAK to the removal; null: none came",
    "duplicate": "seconds for which another host had the address too",
}
"""What each key is."""

SUMMARY = {
    "server killed": "server gone",
    "frozen": "process frozen",
    "kill -9": "process killed",
    "hook": f"hook blocks {BLOCKED:g} s",
    "NAK": "after DHCPNAK, and no offer",
    "NAK and offer": "after DHCPNAK, and an offer",
}
"""The columns of the page's summary."""

REGION = re.compile(r"(?<=<!-- measured: league -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)
"""What the README says of it."""


def shown(cells: Sequence[Cell]) -> str:
    """The repeats of a cell: least, median, greatest; who removed it; how many."""
    known = [cell for cell in cells if "holdover" in cell]
    if not cells:
        return ""
    if not known:
        return f"unknown: {cells[0]['reason']}"
    if cells[0]["fault"] in REFUSALS:
        after = after_refusal(known)
        text = spread(after) if after else "none came"
    else:
        text = spread([number(cell["holdover"]) for cell in known])
    by = sorted({cell["removed_by"] for cell in known} - {""})
    both = max(cell["duplicate"] for cell in known)
    count = "" if len(known) == len(cells) else f" (n = {len(known)})"
    return (
        f"{text} {'/'.join(by)}".rstrip()
        + (f"; two hosts {show_seconds(both)}" if both else "")
        + count
    )


def spread(values: Sequence[float]) -> str:
    """Least / median / greatest, or one of them where all are the same."""
    return lab_runs.spread(values, show_offset)


def refusals(data: Any) -> str:
    """The table of DHCPNAKs: a line a client, of all servers; a column for each fault and lease."""
    faults = [name for name in REFUSALS if cells_of(data, fault=name)]
    leases = sorted({cell["lease"] for cell in data["cells"] if cell["fault"] in REFUSALS})
    rows = []
    for client in dict.fromkeys(cell["client"] for cell in data["cells"]):
        row = [client]
        for fault in faults:
            cells = cells_of(data, client=client, fault=fault)
            row += [shown(cells_of({"cells": cells}, lease=lease)) for lease in leases]
            row.append(kept_for(cells))
        rows.append(row)
    heads = [[*(f"{fault}, {lease} s" for lease in leases), "so"] for fault in faults]
    return table(["client", *chain(*heads)], rows)


def leagues(data: Any) -> Iterator[str]:
    """A table for each server."""
    faults = list(
        dict.fromkeys(cell["fault"] for cell in data["cells"] if cell["fault"] not in REFUSALS)
    )
    clients = list(dict.fromkeys(cell["client"] for cell in data["cells"]))
    for server in dict.fromkeys(cell["server"] for cell in data["cells"]):
        rows = [
            [
                client,
                *(
                    shown(cells_of(data, client=client, server=server, fault=fault))
                    for fault in faults
                ),
            ]
            for client in clients
        ]
        yield f"## Server: {server}\n\n{table(['client', *faults], rows)}"


def summary(data: Any) -> str:
    """The table of the page that is read first: a line a client, of all servers and repeats."""
    versions = split_versions(data["conditions"]["versions"])
    rows = []
    for client in dict.fromkeys(cell["client"] for cell in data["cells"]):
        cells = [cells_of(data, client=client, fault=fault) for fault in SUMMARY]
        rows.append([f"{CLIENTS[client].title} ({versions[client]})", *map(brief, cells)])
    repeats = max(cell["repeat"] for cell in data["cells"])
    servers = len({cell["server"] for cell in data["cells"]})
    return f"""{table(["client", *SUMMARY.values()], rows)}
How to read this table:

- A figure is the seconds for which the address stayed after the server's lease end. A negative
  figure is early. *Forever* means to the end of the watch. Bold means more than {LONG:g} s. An
  empty cell: the lab played no hook.
- Two figures are the least and the greatest of {repeats * servers} runs, with leases of
  {leases_of(data, refused=False)} s, {repeats} with each of {servers} servers. "n = " stands where
  fewer are known.
- The worst that [the model](profiles.md) allows stands in brackets.
- *After DHCPNAK*: the seconds after a broadcast DHCPNAK. The server then offers nothing, or
  another address. The leases are of {leases_of(data, refused=True)} s, with {repeats * servers}
  runs each. If the share of the lease stays the same, and not the time, the figure is that
  share."""


def readme_part(data: Any) -> str:
    """What the README says of it: the chart, and how many are how late."""
    return f"""![Clients by faults: how late each was at worst]({CHART})

{sentence(data)} Measured with
{" and ".join(sorted({cell["server"] for cell in data["cells"]}))} as servers, on
{data["conditions"]["date"]}: [every figure](docs/league.md).
Written by `python -m tests.measure.league --write`."""


def leases_of(data: Any, *, refused: bool) -> str:
    """The leases with which the DHCPNAKs were played, or all else."""
    cells = data["cells"]
    found = {cell["lease"] for cell in cells if (cell["fault"] in REFUSALS) is refused}
    return " and ".join(map(str, sorted(found)))


def brief(cells: Sequence[Cell]) -> str:
    """A cell of the README: least to greatest, and the worst that is predicted."""
    known = [cell for cell in cells if "holdover" in cell]
    if not known:
        return "unknown" if cells else ""
    if cells[0]["fault"] in REFUSALS:
        values, text, worst = after_refusal(known), kept_for(known), ""
    else:
        values = [number(cell["holdover"]) for cell in known]
        most = max(number(cell["predicted"]) for cell in known)
        worst = " (no bound)" if most == math.inf else f" (≤ {show_offset(most)})"
        text = " to ".join(dict.fromkeys(map(show_offset, (min(values), max(values)))))
    if not values:
        return text
    count = "" if len(values) == len(cells) else f", n = {len(values)}"
    return f"{f'**{text}**' if max(values) > LONG else text}{worst}{count}"


def above(data: Any) -> list[Cell]:
    """Cells that are above what the model allows for their profile."""
    cells = [*data["cells"], *data.get("releases", {"cells": ()})["cells"]]
    return [cell for cell in cells if cell["as_predicted"] is False]


def compared(data: Any) -> Iterator[list[str]]:
    """Each measurement that was made by hand, and whether the lab agrees."""
    names = {client.profile: client.name for client in CLIENTS.values()}
    for row in measurements.data()[1]:
        seen = [
            cell
            for cell in cells_of(data, client=names.get(row.profile, ""), fault=row.fault)
            if "holdover" in cell and Fraction(cell["lease"]) == row.lease
        ]
        if seen and row.fault != "hook":  # by hand it blocked for 20 s, in the lab for 60
            values = spread([number(cell["holdover"]) for cell in seen])
            yield [row.profile, row.fault, row.in_words, values, agreement(row, seen)]


def agreement(row: measurements.MeasuredCase, seen: Sequence[Cell]) -> str:
    """Whether two measurements are of the same thing."""
    values = [number(cell["holdover"]) for cell in seen]
    if row.high is None or math.inf in values:
        same = row.high is None and all(value == math.inf for value in values)
        return "yes" if same else "NO"
    kernel = any(cell["removed_by"] == "kernel" for cell in seen)
    slack = KERNEL if kernel else PROCESS
    apart = max(min(values) - float(row.high), float(row.low) - max(values), 0)
    return "yes" if apart <= slack else f"NO: {apart:.1f} s apart"


def counted(cells: Sequence[Cell]) -> str:
    """A line for each client, fault and reason, and of how many cells."""
    lines = Counter(
        f"{c['client']}, {c['fault']}: {re.sub(' of [0-9.]+ s$', '', c['reason'])}" for c in cells
    )
    return "\n".join(f"- {line} ({times})" for line, times in lines.items()) or "None."


def page(data: Any) -> str:
    """docs/league.md."""
    conditions = [[key, value] for key, value in data["conditions"].items() if key != "command"]
    unknown = [cell for cell in data["cells"] if cell["outcome"] == "unknown"]
    head = ["profile", "fault", "by hand", "the lab", "agree"]
    return f"""# The league table

{measured_at_once(data)}{by_release(data)}
{life.section(data["life"]) if "life" in data else ""}
## In depth

This part says how long real clients held an address after the server's lease end.  Figures are
seconds: least / median / greatest of three runs, with leases of ten seconds.  A negative figure is
early.  *Forever*: to the end of the watch, 30 s after the lease end.  The figures are followed by
who removed the address, and by how long two hosts had it.  The command runs the following, with
each client that is on the machine, by its name:

```sh
{chr(10).join(shlex.join(("holdover", *words)) for words in RUNS)}
```

[The lab](lab.md) says what the faults do.

### In short

![Clients by faults: how late each was at worst](static/league.svg)

{summary(data)}

{"".join(f"{each}{chr(10)}" for each in leagues(data))}
## After a DHCPNAK

Figures are the seconds for which a client kept an address after the server refused to renew it,
and who removed it, with both servers.  The server then offers nothing, or another address.  Clients
that do not obey wait for something else: their T2, the end of the lease, the kernel's lifetime, or
the end of their own attempt.  So the figure depends on the lease, or on the offer.  The column *so*
gives it as a share of the lease, if two leases agree in the share better than in seconds.  *None
came*: no DHCPNAK came, because the client asked for no renewal.

{refusals(data)}
## Beside the measurements by hand

The measurements by hand are those of [profiles](profiles.md), and mostly single runs.  Two
measurements agree if they are no further apart than {KERNEL} s when the kernel removes the address,
and {PROCESS:g} s when a process does.

{table(head, compared(data))}
## Below what the model allows

- *Slack*: by how many seconds a cell stayed below the worst that the model allowed.  The model used
  the profile as it was when the lab played the cell.
- *Measured / predicted*: how much of that worst the cell reached.  A cell that was not late reached
  none of it, and is not in this column.
- *Fitted*: the constants of the [profile](profiles.md), as it is now, that were set to
  measurements like these.  The prediction rests on them, so it is no prediction of these
  measurements.  The other constants name a source of their own, or are assumed.

Figures are least / median / greatest.  If there is no bound, there is no line.  Of
{len(bounded(data))} cells with a bound and an end

{tightness_counted(data)}

{agreement_table(data)}
## Above what the model allows

{counted(above(data))}

After a DHCPNAK connman keeps its address until its own attempt to get another one ends, whatever
was left of the lease{connman(data)}.  Its profile says so (`after_nak`), and says how long this
takes at most.  That constant, `nak_late`, is fitted to such cells, and predicts none of them.

## Unknown

{len(unknown)} of {len(data["cells"])} cells.

{counted(unknown)}

| condition | |
| --- | --- |
{"".join(f"| {key} | {value} |{chr(10)}" for key, value in conditions)}
## The figures

[league.json](league.json) has all figures.  Its keys are `schema` ({SCHEMA["schema"]}), `version`
({SCHEMA["version"]}; 1 had no `schema` and no `releases`, 2 had no cells of releases in `life`),
`conditions`, `cells`, `releases` and `life`.  `releases` and `life` each have `conditions` and
`cells` of their own.  The `conditions` of the file have `whole` if one command has measured all of
it: how long that took.  `again` in conditions: how often cells were played again, since another
program had held the kernel's networking lock.  A cell has the keys below, with the types and units
of [a cell of the lab](json.md).  If nothing was measured in a cell, it has no key from `holdover`
on.  Only a cell of `life` has the last key:

{table(["key", "meaning"], [*MEANINGS.items(), *life.MEANINGS.items()])}"""


def measured_at_once(data: Any) -> str:
    """Which command has measured the page, and how long it took."""
    took = data["conditions"].get("whole")
    said = f", in {took}" if took else ""
    parts = (data, *(data[part] for part in ("releases", "life") if part in data))
    since = ""
    if took and any("played again" in each["conditions"] for each in parts):
        since = "  Some cells were played again since then: the conditions of a part say which."
    return f"""This command measures all of this page, and writes it{said}:

```sh
holdover lab roots make bullseye bookworm trixie
holdover lab roots make --stale sid
python -m tests.measure.league --write
```

The first two make the root file systems of the releases, once.  `--part`, `--client` and `--fault`
measure a part of it again.{since}

"""


def by_release(data: Any) -> str:
    """What opens the page."""
    return releases_page.section(data["releases"]) if "releases" in data else ""


def connman(data: Any) -> str:
    """How long that is, where nothing is offered and where something is."""
    said = [
        f"{kept_for(cells)} if the server offers {what}"
        for fault, what in (("NAK", "nothing"), ("NAK and offer", "another address"))
        if (cells := cells_of(data, client="connman", fault=fault))
    ]
    return f": {', '.join(said)}" if said else ""


def kept(data: Any) -> str:
    """docs/league.json."""
    parts = {
        name: lab_runs.kept(data[name], (*KEPT, *more))
        for name, more in (("releases", ()), ("life", life.KEPT))
        if name in data
    }
    return lab_runs.kept(data, KEPT, SCHEMA, parts)


@click.command()
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A lab.json of an earlier run, or {RAW}; nothing is played.",
)
@click.option(
    "--client",
    "clients",
    type=click.Choice([*CLIENTS]),
    multiple=True,
    help=f"Play this one again; the others' cells are those of {RAW}.",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    help=f"Play this part; the others' cells are those of {RAW}.  [default: all]",
)
@click.option(
    "--fault",
    "faults",
    type=click.Choice([fault.name for fault in LIFE]),
    multiple=True,
    help="With --part life: play this fault again.",
)
@click.option(
    "--root",
    "roots",
    type=RootType(),
    multiple=True,
    help="A root file system, as `holdover lab --root`.  [default: those of the four releases]",
)
@click.option("--jobs", default=JOBS, show_default=True, help="Cells at a time.")
@click.option("--write", is_flag=True, help=f"Write {PAGE}, {RAW}, and the summary in {README}.")
def main(
    source: Path | None,
    clients: tuple[str, ...],
    parts: tuple[str, ...],
    faults: tuple[str, ...],
    roots: tuple[Root, ...],
    jobs: int,
    *,
    write: bool,
) -> None:
    """Measure every client that is here and those of four releases, and print the page.

    It says how long that took; about a quarter of an hour on two cores.

    Example: python -m tests.measure.league --write
    """
    if faults and parts != ("life",):
        raise click.UsageError("--fault goes with --part life")
    if source is not None:
        if clients or roots or parts:
            raise click.UsageError("--from plays nothing, so there is nothing to play again")
        data = json.loads(source.read_text(encoding="utf-8"))
    else:
        try:
            there = roots or [root_of(name, cache_folder()) for name in RELEASES]
        except InputError as error:
            raise click.UsageError(str(error)) from None
        found = measured(parts or PARTS, there, clients, faults, jobs)
        click.echo(f"measured in {found['whole']}", err=True)
        before = json.loads(RAW.read_text(encoding="utf-8"))
        data = merged(before, found, few=bool(clients or roots or faults))
    text = page(data)
    if write:
        PAGE.write_text(text, encoding="utf-8")
        RAW.write_text(kept(data), encoding="utf-8")
        CHART.write_text(chart(data), encoding="utf-8")
        if "releases" in data:
            RELEASES_CHART.write_text(releases_page.chart(data["releases"]), encoding="utf-8")
        readme = README.read_text(encoding="utf-8")
        README.write_text(REGION.sub(lambda _: readme_part(data), readme), encoding="utf-8")
    click.echo(text)
    sys.exit(bool(above(data)))


if __name__ == "__main__":
    main()
