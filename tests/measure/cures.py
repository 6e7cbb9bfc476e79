"""`python -m tests.measure.cures [--write]`: what makes late clients let go in time, docs/cures.md.

Each client of model/clients/cures.toml is played by `holdover lab` as it is, and with each cure,
with two leases.  Patched programs are built before (`patched.py`).  The figures are kept beside the
page, in docs/cures.json.

With `--root` the clients and cures of other root file systems are played (`cures_of_releases.py`),
and after a DHCPNAK too.

What it does not know: what a cure does with leases of hours or days.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from holdover.model.clients.cures import Cure, cures, cures_of
from holdover.reference.commands.of_lab.options import RootType
from holdover.reference.docs.markdown import table
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure import cures_of_releases, lab_runs, patched
from tests.measure.cures_of_releases import has_hook, placed
from tests.measure.lab_runs import Cell, conditions_table, join_runs, run_lab
from tests.measure.league import shown

PAGE = Path("docs/cures.md")
RAW = PAGE.with_suffix(".json")
FAULTS = ("server killed", "frozen", "kill -9", "hook")
LEASES = (10, 40)
MACHINES = "bookworm"
"""The release whose patched programs the machine's clients are played beside."""

EACH = ("--repeat", "3", "--watch", "30", "--jobs", "40", "--server", "kea")

KEPT = (
    "client",
    "server",
    "fault",
    "lease",
    "repeat",
    "outcome",
    "reason",
    "holdover",
    "removed_by",
    "duplicate",
)
"""What the page needs of a cell of lab.json; `client` is as the table of cures has it."""


def profiles() -> list[str]:
    """Whom the table is about, in its order."""
    return list(dict.fromkeys(cure.profile for cure in cures()))


def played(of: Sequence[str]) -> list[str]:
    """All that is played of these profiles: clients as they are, and cures."""
    mine = [cure.played for cure in cures() if cure.played and cure.profile in of]
    return list(dict.fromkeys([*(CLIENTS[name].name for name in of), *mine]))


def mended(data: Any, again: Any) -> Any:
    """What was measured before, with what was played again in its place."""
    there = set(played(profiles()))
    anew = {cell["client"] for cell in again["cells"]}
    cells = [c for c in data["cells"] if c["client"] in there - anew] + again["cells"]
    conditions, later = dict(data["conditions"]), again["conditions"]
    told = f"{len(anew)} clients and cures: {later['cells']}, on {later['date']}"
    before = conditions.get("played again", "")
    conditions["played again"] = f"{before}; {told}" if before else told
    conditions["patched"] = later.get("patched", conditions["patched"])
    return {"conditions": conditions, "cells": cells}


def measure(built: Path, versions: Mapping[str, str], of: Sequence[str] = ()) -> Any:
    """Play all of it, or what is of these profiles."""
    found = []
    for hooks in (True, False):
        chosen = played(of or profiles())
        words = {placed(each, built, MACHINES): each for each in chosen if has_hook(each) is hooks}
        if not words:
            continue
        faults = [f"--fault={fault}" for fault in FAULTS if hooks or fault != "hook"]
        runs = [("lab", "run", "--lease", str(lease), *EACH, *faults) for lease in LEASES]
        data = run_lab(runs, list(words))
        for cell in data["cells"]:
            cell["client"] = words[cell["client"]]
        found.append(data)
    data = join_runs(found)
    if versions:
        data["conditions"]["patched"] = ", ".join(map(" ".join, versions.items()))
    return data


def cells_of(data: Any, words: str, lease: int, fault: str) -> list[Cell]:
    """The repeats of one cell."""
    return lab_runs.cells_of(data, client=words, lease=lease, fault=fault)


def line(data: Any, words: str, lease: int) -> list[str]:
    """A cell for each fault; empty where no hook could block."""
    return [shown(cells_of(data, words, lease, fault)) for fault in FAULTS]


def section(data: Any, profile: str) -> str:
    """A client, its cures, and what was measured."""
    mine = cures_of(profile)
    states = [("as it is", profile)] + [(cure.kind, cure.played) for cure in mine if cure.played]
    rows = [
        [name, f"{lease} s", *line(data, words, lease)]
        for lease in LEASES
        for name, words in states
    ]
    told = "\n".join(described(mine))
    head = ["", "lease", *FAULTS]
    return f"## {profile}\n\n{CLIENTS[profile].title}.\n\n{told}\n\n{table(head, rows)}"


def described(mine: Sequence[Cure]) -> Iterator[str]:
    """Each cure as an item of a list."""
    for cure in mine:
        what = {"none": "No cure", "as it is": "As it is"}.get(cure.kind, cure.kind.capitalize())
        file = f" ([{Path(cure.file).name}]({cure.file}))" if cure.file else ""
        yield f"- **{what}**: {cure.says}.{file} `{cure.how}`"


def page(data: Any) -> str:
    """docs/cures.md."""
    sections = "\n".join(section(data, profile) for profile in profiles())
    return f"""# Cures

A cure makes a late client let go in time.  This page lists the cures, and what was measured with
each of them.  If the verdict on a profile is bad, `holdover verify` prints its cures.

- Figures are the seconds for which the address stayed after the server's lease end.  A negative
  figure is early.  *Forever* means to the end of the watch.  The server is Kea.
- The faults are those of [the lab](lab.md): the server is killed, the client is frozen or killed,
  and its hook blocks, if it has one.  Each is played three times.
- Patches have [licences of their own](patches/README.md).  The table of cures is
  [cures.toml](../model/clients/cures.toml).

```sh
holdover lab roots make bullseye bookworm trixie && holdover lab roots make --stale sid
python -m tests.measure.cures --root bullseye --root bookworm --root trixie --root sid --write
python -m tests.measure.cures --write
```

These commands fetch and build the patched programs ({patched.PATCHED[0].package} and
{patched.PATCHED[1].package}; they need Debian's archive and a C compiler).  Then they play all
cells with `holdover lab run`, and write this page.

{by_release(data) if "releases" in data else ""}
## Debian 12, with two leases

The rest of this page is about the clients of a machine with Debian 12, and pyroute2 from PyPI, with
leases of {" and ".join(map(str, LEASES))} s.  Figures are least / median / greatest of three runs
each.  They are followed by who removed the address, and by how long two hosts had it.

{sections}
## Conditions

{conditions_table(data)}"""


def by_release(data: Any) -> str:
    """What opens the page: each cure in each release."""
    found = data["releases"]
    late = table(["client", "cure", "release", "late"], cures_of_releases.still_late(found))
    return f"""## By release

The latest figure before the cure → the latest with it, of all faults, with leases of
{cures_of_releases.LEASE} s.  Bold: a run was later than the lease, by more than the measurement's
uncertainty.  Empty: the release has no such client.  *No patch*: a patch is made for the sources of
Debian 12.  That of busybox fits those of trixie and sid as it is, and was built of these.  It does
not fit those of bullseye.  That of dhcpcd does not go to the other releases: we could not get their
sources.  pyroute2 is from PyPI, and stands in the column of Debian 12.

{cures_of_releases.summary(found, data, refused=False)}
{cures_of_releases.unknown(found)}

### Where a cure leaves a client late

A fault acts as soon as the client has its address.  A hook of dhcpcd tells the kernel
only after that.  So now and then the fault comes first, and the hook has done nothing yet; the
busier the machine, the more often.  A client that runs for days is in that moment once in each
renewal.  Figures are least / median / greatest.

{late}
## After a DHCPNAK

The same, as seconds from a broadcast DHCPNAK to the end of the address, with leases of
{cures_of_releases.NAK_LEASE} s.  The server then offers nothing.  *None came*: the client asked for
no renewal in time.

{cures_of_releases.summary(found, data, refused=True)}
Only code helps here, and no cure of this page has it.  A client that obeys a DHCPNAK with a cure
obeys it without.  If a cure has the kernel's lifetime end early, the wait ends as much earlier, and
no more.  The patch of dhcpcd leaves its socket as it is, which no broadcast reaches.  A DHCPNAK to
the client alone reaches it ([the league](league.md#after-a-dhcpnak)).

{conditions_table(found)}"""


def kept(data: Any) -> str:
    """docs/cures.json."""
    parts = {}
    if "releases" in data:
        keys = ("root", *KEPT, "after_nak")
        parts["releases"] = lab_runs.kept(data["releases"], keys)
    return lab_runs.kept(data, KEPT, parts=parts)


@click.command()
@click.option("--write", is_flag=True, help=f"Write {PAGE} and {RAW}.")
@click.option("--again", is_flag=True, help=f"Of what {RAW} has: measure nothing.")
@click.option(
    "--build",
    "place",
    type=click.Path(path_type=Path, file_okay=False),
    help="Build what is patched there, in a new directory, and measure nothing.",
)
@click.option(
    "--profile",
    "of",
    type=click.Choice(profiles()),
    multiple=True,
    help=f"Play only this client and its cures again; the others' cells are those of {RAW}.",
)
@click.option(
    "--root",
    "roots",
    type=RootType(),
    multiple=True,
    help="Play the clients and cures of this root file system, as `holdover lab --root`, and "
    f"nothing else; the others' cells are those of {RAW}.",
)
@click.option(
    "--spoiled",
    is_flag=True,
    help="With --root: only what another program's lock has spoiled, again.",
)
@click.option("--jobs", default=30, show_default=True, help="With --root: cells at a time.")
@click.option(
    "--built",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="With --root: where --build has built what is patched.",
)
def main(
    *,
    write: bool,
    again: bool,
    place: Path | None,
    of: tuple[str, ...],
    roots: tuple[Root, ...],
    spoiled: bool,
    jobs: int,
    built: Path | None,
) -> None:
    """Measure each cure, and print the page; some ten minutes, and with --root for each root."""
    if place is not None:
        for package, version in patched.build(place).items():
            click.echo(f"{package} {version}: built in {place}")
        return
    if again:
        data = json.loads(RAW.read_text("utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="cures-") as made:
            if roots:
                data = with_roots(roots, built, Path(made) / "built", jobs, of, spoiled=spoiled)
            else:
                data = of_the_machine(Path(made) / "built", of)
    click.echo(page(data))
    if write:
        RAW.write_text(kept(data), encoding="utf-8")
        PAGE.write_text(page(data), encoding="utf-8")


def of_the_machine(built: Path, of: Sequence[str]) -> Any:
    """What is played of the machine's clients, with the figures of releases as they are kept."""
    needed = any("{built}" in words for words in played(of or profiles()))
    data = measure(built, patched.build(built) if needed else {}, of)
    before = json.loads(RAW.read_text("utf-8"))
    if of:
        data = mended(before, data)
    return {**before, **data}


def with_roots(
    roots: Sequence[Root],
    built: Path | None,
    place: Path,
    jobs: int,
    of: Sequence[str],
    *,
    spoiled: bool,
) -> Any:
    """What is played of root file systems, with all other figures as they are kept."""
    versions = patched.build(place) if built is None else patched.versions(built)
    at, found = built or place, []
    for root in roots:
        if spoiled:
            before = json.loads(RAW.read_text("utf-8"))["releases"]
            planned = cures_of_releases.runs_again(root, at, jobs, before)
        else:
            planned = cures_of_releases.runs(root, at, jobs, of)
        mine = [f"{name} {each}" for name, each in versions.items() if name.startswith(root.name)]
        found.append(cures_of_releases.measure(root, planned, mine))
    data = json.loads(RAW.read_text("utf-8"))
    releases = data.get("releases", {"conditions": {}, "cells": []})
    for again in found:
        told = cures_of_releases.less_spoiled(releases, again) if spoiled else again
        releases = cures_of_releases.mended(releases, told)
    return {**data, "releases": releases}


if __name__ == "__main__":
    main()
