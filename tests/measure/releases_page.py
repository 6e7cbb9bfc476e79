"""What the league's page says of releases: a picture, a table, and what changed, in words.

Theory of operation.  A row is a client of one release, with its version.  Where a client keeps an
address for another time in one release than in the one before, by more than a second, or for ever,
a line says so; `WHY` adds what its makers say of it, with its source.  Everything else is counted
from the cells.

What it does not know: which cells are played (`releases.py`).
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from holdover.model.seconds import show_offset
from holdover.reference.docs.markdown import table
from holdover.reference.docs.site.drawing import svg, words
from holdover.reference.lab.roots.release import RELEASES
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure.lab_runs import Cell, cells_of, conditions_table, number
from tests.measure.league_chart import COLOURS, kind, worst
from tests.measure.refusals import after_refusal
from tests.measure.releases import ENDED, PLAYED

LEFT, WIDE, HIGH = 320, 120, 40

COLUMNS = {**ENDED, "hook": "hook blocks 60 s", "NAK": "after DHCPNAK"}

CHANGED = 1.0
"""Seconds by which medians have to differ for a change that is told."""

WHY = {
    "udhcpc": "Until 1.34 it counts a lease of less than 122 s as 122 s.  Since then it counts a "
    "lease of less than 30 s as 30 s (its commit a1a77ad5e, networking/udhcp/dhcpc.c).",
    "dhcpcd": "Since 8.0 it tells the kernel how long the address is valid (its commit 0312f6cd, "
    "src/if-linux.c).  So the kernel removes the address when nobody else can.",
    "networkd": "262 counts leases of 10 and 20 s as 30 s, and one of 40 s as 40 s.  We could not "
    "get its source, so this comes from measurements alone.",
    "dhclient": "Its maker has ended it, and Debian's sid no longer has a package of it.",
    "networkmanager-dhclient": "In trixie NetworkManager's log says that dhclient is not "
    "available, and NetworkManager runs its own client instead.",
    "networkmanager-dhcpcd": "In bullseye and bookworm NetworkManager's log says that dhcpcd is "
    "not available, and in sid that it is unknown.  NetworkManager runs its own client instead.",
}
"""What is known of a change, and from where."""


def releases_of(data: Any) -> list[str]:
    """The releases, the oldest first; others after them, as they were given."""
    there = dict.fromkeys(cell["root"] for cell in data["cells"])
    return [*(each for each in RELEASES if each in there), *(e for e in there if e not in RELEASES)]


def measured(data: Any) -> Any:
    """The cells of clients that start; those that do not are told apart."""
    return {"cells": [cell for cell in data["cells"] if not never_played(data, cell)]}


def never_played(data: Any, cell: Cell) -> bool:
    """Whether nothing was ever measured of a cell's client in its release."""
    same = cells_of(data, client=cell["client"], root=cell["root"])
    return all("holdover" not in each for each in same)


def rows(data: Any) -> Iterator[tuple[str, str, str]]:
    """Client, release and version, in the order of the page."""
    cells = measured(data)["cells"]
    for client in PLAYED:
        for release in releases_of(data):
            for cell in cells_of({"cells": cells}, client=client, root=release)[:1]:
                yield client, release, cell["client_version"]


def value_of(cell: Cell) -> float | None:
    """How late a cell was: after the lease, or after a DHCPNAK; None: nothing is known."""
    if cell["fault"] == "NAK":
        after = after_refusal([cell])
        return after[0] if after else None
    return number(cell["holdover"]) if "holdover" in cell else None


def values(data: Any, **wanted: object) -> list[float]:
    """The same of several cells, as far as it is known."""
    found = map(value_of, cells_of(data, **wanted))
    return [value for value in found if value is not None]


def brief(data: Any, **wanted: object) -> str:
    """Least to greatest, in bold above a second; how many, where some are unknown."""
    known, played = values(data, **wanted), cells_of(data, **wanted)
    if not known:
        return "unknown" if played else ""
    text = " to ".join(dict.fromkeys(map(show_offset, (min(known), max(known)))))
    count = "" if len(known) == len(played) else f", n = {len(known)}"
    return (f"**{text}**" if max(known) > CHANGED else text) + count


def by_version(data: Any) -> str:
    """The table: a line a client and release."""
    lines = [
        [
            CLIENTS[client].title,
            release,
            version,
            *(brief(data, client=client, root=release, fault=fault) for fault in COLUMNS),
        ]
        for client, release, version in rows(data)
    ]
    return table(["client", "release", "version", *COLUMNS.values()], lines)


def changes(data: Any) -> Iterator[str]:
    """What is otherwise in one release than in the one before it, and what is in none."""
    there = list(rows(data))
    for client in PLAYED:
        mine = [(release, version) for each, release, version in there if each == client]
        said = [
            f"{COLUMNS[fault]}: {change}"
            for fault in COLUMNS
            for before, after in pairwise(mine)
            if (change := changed(data, client, fault, before, after))
        ]
        absent = [each for each in releases_of(data) if each not in dict(mine)]
        if absent:
            said.append(f"none in {', '.join(absent)}")
        if not said:
            said.append(f"the same in each, from {mine[0][1]} to {mine[-1][1]}")
        why = f"  {WHY[client]}" if client in WHY else ""
        yield f"- **{CLIENTS[client].title}.** {'; '.join(said)}.{why}"


def changed(
    data: Any, client: str, fault: str, before: tuple[str, str], after: tuple[str, str]
) -> str | None:
    """How a client's time has changed from one release to the next; None: it has not."""
    first, second = (
        values(data, client=client, root=release, fault=fault) for release, _ in (before, after)
    )
    if not first or not second:
        return None
    middles = statistics.median_low(first), statistics.median_low(second)
    if middles[0] == middles[1] or abs(middles[1] - middles[0]) <= CHANGED:
        return None
    if max(min(first), min(second)) <= min(max(first), max(second)):
        return None  # the ranges overlap
    return f"{show_offset(middles[0])} in {before[1]}, {show_offset(middles[1])} in {after[1]}"


def count_versions(data: Any) -> int:
    """How many versions of clients, each once, whatever the releases that have them."""
    return len({(client, version) for client, _, version in rows(data)})


def unplayed(data: Any) -> str:
    """A line for each client of a release that has it, and of which nothing could be measured."""
    found = [cell for cell in data["cells"] if never_played(data, cell)]
    lines = {
        (cell["client"], cell["root"]): [
            CLIENTS[cell["client"]].title,
            cell["root"],
            cell["client_version"],
            cell["reason"].replace(f"{cell['root']}/{cell['client']}: ", ""),
        ]
        for cell in found
    }
    return table(["client", "release", "version", "why"], lines.values())


def unknown(data: Any) -> str:
    """A line for each client, fault and reason, of what is unknown beside."""
    return reasons(measured(data)["cells"])


def reasons(cells: Sequence[Cell]) -> str:
    """A line for each client, fault and reason of what is unknown, and of how many cells."""
    found: dict[str, int] = {}
    for cell in cells:
        if cell["outcome"] == "unknown":
            reason = re.sub(r"( of|^for) [0-9.]+ s", "", cell["reason"]).strip()
            name = cell["client"] if cell["root"] is None else f"{cell['root']}/{cell['client']}"
            line = f"{name}, {cell['fault']}: {reason}"
            found[line] = found.get(line, 0) + 1
    return "\n".join(f"- {line} ({times})" for line, times in found.items()) or "None."


def wrong(data: Any) -> list[Cell]:
    """Cells that are above what the model allows."""
    return [cell for cell in data["cells"] if cell["as_predicted"] is False]


def chart(data: Any) -> str:
    """The picture: clients by releases, how late at worst."""
    releases = releases_of(data)
    there = {(client, release): version for client, release, version in rows(data)}
    names = [client for client in PLAYED if any(client == each for each, _ in there)]
    drawn = [
        COLOURS,
        words(16, 28, "How long after its lease ended a client still had it, at worst", "title"),
        words(16, 48, "server gone, process frozen or killed; lease 10 s", "quiet"),
    ]
    for column, release in enumerate(releases):
        drawn.append(words(LEFT + WIDE * (column + 0.5), 70, release, "quiet", "middle"))
    for line, client in enumerate(names):
        y = 80 + HIGH * line
        drawn.append(words(16, y + 24, CLIENTS[client].title))
        for column, release in enumerate(releases):
            middle = LEFT + WIDE * (column + 0.5)
            cells = cells_of(data, client=client, root=release)
            late = worst([cell for cell in cells if cell["fault"] in ENDED])
            if late is None:
                drawn.append(words(middle, y + 24, "–", "quiet", "middle"))
                continue
            colour, said = kind(late)
            drawn.append(
                f'<rect class="{colour}" x="{LEFT + WIDE * column + 2}" y="{y + 1}" '
                f'width="{WIDE - 4}" height="{HIGH - 2}" rx="3"/>'
            )
            drawn.append(words(middle, y + 17, said, "", "middle"))
            drawn.append(words(middle, y + 33, there[client, release], "quiet", "middle"))
    return svg(LEFT + WIDE * len(releases) + 12, 92 + HIGH * len(names), sentence(data), drawn)


def sentence(data: Any) -> str:
    """How many versions are how late, at worst."""
    most = [
        max(
            value
            for fault in ENDED
            for value in values(data, client=client, root=release, fault=fault)
        )
        for client, release, _ in rows(data)
    ]
    ever = sum(map(math.isinf, most))
    some = sum(CHANGED < each < math.inf for each in most)
    return (
        f"Of {len(most)} clients in {len(releases_of(data))} releases of Debian, {ever} kept the "
        f"address to the end of the watch when the server was gone or their process frozen or "
        f"killed, {some} for more than {CHANGED:g} s, and {len(most) - ever - some} for at most "
        f"{CHANGED:g} s."
    )


def section(data: Any) -> str:
    """What the page has of releases."""
    repeat = max(cell["repeat"] for cell in data["cells"])
    listed = "\n".join(changes(data))
    return f"""## By release

![Clients by releases: how late each was at worst](static/league-releases.svg)

{sentence(data)}
These are {count_versions(data)} versions, as Debian has them, without options or scripts of ours.

{by_version(data)}
A figure is the seconds for which the address stayed after the server's lease end, or after a
broadcast DHCPNAK from a server that then offers nothing.  A negative figure is early.  Two figures
are the least and the greatest of {repeat} runs, or of n, with leases of 10 s and our server.
*Forever*: to the end of the watch, 30 s after the lease end, and 130 s for udhcpc before 1.34.
Bold: more than {CHANGED:g} s.  Empty: there was no hook, or no renewal, to play the fault with.
Versions are those of the packages in each root.

### What changed between versions

{listed}

### In a release, and not played

{unplayed(data)}
trixie and sid have coredhcp-client, which speaks DHCPv6 alone.  So do odhcp6c and dibbler.
ifupdown and ifupdown-ng start one of the clients above.  wicked is in none of these releases.
dhcppython 0.1.4 and ScapyDhclient 1.0.0 of PyPI, and dhcp 0.2.20 of npm, ask for a lease and
configure no address.  So they have nothing to hold.  pyroute2 is below.

### Unknown

{unknown(data)}

Above what the model allows: {len(wrong(data))} of {len(data["cells"])} cells.

{conditions_table(data)}"""
