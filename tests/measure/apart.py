"""Where the time of our client's own goes, from DHCPOFFER to DHCPREQUEST and DHCPACK to address.

Theory of operation.  In each round three programs lease an address, one after the other, in a
rotated order: `holdover client` with instants noted in it (`stamped.py`); a bare Python program
that makes the same system calls (`bare.py`), so that what Python itself costs is seen; and dhcpcd,
of which only the whole is known.  All are timed by one stopwatch
(`stopwatch.py`).  A part is the time from the instant of the row above to its own; the first begins
with the frame on the wire, the last ends with the next frame, or when the stopwatch hears of the
address.  Of each part the median over the rounds is shown.  The sum of medians is not the median of
sums, which is in the last row.

What it does not know: what of a part the machine's other work is; what dhcpcd does when.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from tests.measure.stopwatch import Timed, timed

OURS, BARE, PEER = "holdover client", "bare Python", "dhcpcd"

ARRIVES = (
    ("turn", "the process wakes up"),
    ("received", "frame received and decoded"),
    ("reply", "kernel and deadlines looked at"),
    ("replied", "message decoded"),
    ("decided", "the core decides"),
)
PARTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "DHCPOFFER to DHCPREQUEST": (
        *ARRIVES,
        ("send", "DHCPREQUEST written"),
        ("over", "sent: on the wire"),
    ),
    "DHCPACK to address": (
        *ARRIVES,
        ("text", "the state directory looked at, the lease as text"),
        ("stored", "file made, written, synced, renamed; directory synced"),
        ("ask", "request to the kernel made ready"),
        ("over", "netlink: asked, done, and heard by the stopwatch"),
    ),
}
"""By part: the names of instants, in their order, and what was done until then."""

TRIED = (
    "What was tried to take less: decisions [89](decisions/0089-less-python.md) and\n"
    "[92](decisions/0092-compiled-or-awake.md)."
)
"""Where the page says so."""

Spent = dict[tuple[str, str], float]
"""Seconds, by part and name of the instant at its end."""


@dataclass
class Apart:
    """What each program spent in each round; for how many seconds the collector ran."""

    server: str
    spent: dict[str, list[Spent]] = field(default_factory=dict)
    own: dict[str, list[float]] = field(default_factory=dict)
    collected: dict[str, list[float]] = field(default_factory=dict)


def stamped(host: Host, place: Path) -> Process:
    """Our client, with instants noted."""
    words = ("client", "eth0", "--no-probe", "--state-dir", "/run/state")
    return host.apart(sys.executable, "-u", "-m", "tests.measure.stamped", *words)


def bare(host: Host, place: Path) -> Process:
    """The least that Python can do."""
    return host.apart(sys.executable, "-u", "-m", "tests.measure.bare")


def rounds(
    name: str,
    repeat: int,
    links: Links,
    place: Path,
    server: Callable[[Host, Path], None],
    peer: Callable[[Host, Path], Process],
) -> Iterator[Apart]:
    """After each round what was measured so far."""
    programs: dict[str, Callable[[Host, Path], Process]]
    programs = {OURS: stamped, BARE: bare}
    if shutil.which(PEER):
        programs[PEER] = peer
    hosts = links(srv="10.77.0.1/24", **{f"c{n}": None for n in range(len(programs))})
    server(hosts["srv"], place)
    found = Apart(
        name,
        {each: [] for each in programs},
        {each: [] for each in programs},
        {each: [] for each in programs},
    )
    for number in range(repeat):
        for turn in range(len(programs)):
            which = (number + turn) % len(programs)
            program = list(programs)[which]
            said: list[str] = []
            says = (lambda client: None) if program == PEER else waits(said)
            one = timed(hosts[f"c{which}"], programs[program], place, says)
            found.own[program].append(one.own)
            if said:
                told = json.loads(said[0])
                found.spent[program].append(spent(one, told["stamps"]))
                found.collected[program].append(collected(one, told["collected"]))
        yield found
    hosts["srv"].end()


def waits(said: list[str]) -> Callable[[Process], None]:
    """Waits for the line of instants, and keeps it."""

    def wait(client: Process) -> None:
        try:
            lines = eventually(lambda: client.said(r'^\{"stamps'), PATIENCE, "a client's instants")
        except UnheardError as error:  # routes wait as long as others hold the networking lock
            raise UnheardError(f"{error}\n{client.lines}\n{client.errors}") from None
        said.append(lines[0][1])

    return wait


def windows(one: Timed) -> tuple[tuple[int, int], ...]:
    """From when to when it was the client's turn, in the order of PARTS."""
    _, offered, requested, acknowledged = one.messages
    return (offered, requested), (acknowledged, one.there)


def spent(one: Timed, stamps: list[tuple[str, int]]) -> Spent:
    """What went by until each instant; the first of its name after the frame counts."""
    found: Spent = {}
    for (part, rows), (begin, end) in zip(PARTS.items(), windows(one), strict=True):
        at = {name: instant for name, instant in reversed(stamps) if begin <= instant <= end}
        at["over"] = end
        instants = [(name, at[name]) for name, _ in rows if name in at]
        before = [("wire", begin), *instants]
        for (_, since), (name, until) in pairwise(before):
            found[part, name] = (until - since) / 1e9
    return found


def collected(one: Timed, instants: list[int]) -> float:
    """For how many seconds of its turns the collector ran."""
    runs = list(zip(instants[::2], instants[1::2], strict=False))
    return sum(
        max(min(end, over) - max(begin, since), 0) / 1e9
        for since, over in windows(one)
        for begin, end in runs
    )


def table(found: Apart) -> str:
    """As Markdown, in microseconds."""
    programs = [name for name in found.spent if name != PEER]
    lines = [f"Server: {found.server}. Medians of {len(found.own[OURS])} rounds, in µs.", ""]
    shown = [*programs, *([PEER] if PEER in found.own else [])]
    lines += [f"| part | {' | '.join(shown)} |", "| --- |" + " --- |" * len(shown)]
    for part, rows in PARTS.items():
        lines.append(f"| **{part}** |" + " |" * len(shown))
        for name, words in rows:
            cells = [_median([each.get((part, name)) for each in found.spent[p]]) for p in programs]
            lines.append(f"| {words} | {' | '.join(cells)} |" + " |" * (len(shown) - len(cells)))
    whole = [f"{1e6 * statistics.median(found.own[each]):.0f}" for each in shown]
    least = [f"{1e6 * min(found.own[each]):.0f}" for each in shown]
    ran = [f"{sum(map(bool, found.collected[each]))}" if each in programs else "" for each in shown]
    lines += [
        f"| **together** | {' | '.join(whole)} |",
        f"| the least of a round | {' | '.join(least)} |",
        f"| rounds in which the garbage collector ran | {' | '.join(ran)} |",
    ]
    return "\n".join(re.sub(r" +", " ", line) for line in lines)


def _median(seconds: list[float | None]) -> str:
    there = [each for each in seconds if each is not None]
    return f"{1e6 * statistics.median(there):.0f}" if there else ""


def remains(found: Apart) -> str:
    """What is left, in words."""
    ours, least = (statistics.median(found.own[each]) for each in (OURS, BARE))
    words = (
        f"The bare program takes {1e6 * least:.0f} µs: that is the floor of interpreter and "
        f"kernel. The other {1e6 * (ours - least):.0f} µs are ours."
    )
    if PEER in found.own:
        peer = statistics.median(found.own[PEER])
        words += f" dhcpcd takes {1e6 * peer:.0f} µs."
    return f"{words}\n{TRIED}"
