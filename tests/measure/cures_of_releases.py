"""The cures in other releases: what is played of them in root file systems, and their tables.

Theory of operation.  Of each release the clients that it has are played as they are, and with each
cure.  A command line is played in the root file system, and finds there a copy of our script, or
the patched program that was built of that release's sources (`patched.py`).  The faults and Kea are
those of the page; the lease is one.  A DHCPNAK answers a renewal, so it is played with a longer
one, of which the scripts leave a client enough to ask in.

What it does not know: what is played of the machine's clients, and with which leases (`cures.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from holdover.model.clients.cures import Cure, cures
from holdover.model.seconds import show_offset
from holdover.reference.docs.markdown import table
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.checkout import ROOT
from tests.measure.lab_runs import Cell, cells_of, join_runs, number, run_lab
from tests.measure.league import shown
from tests.measure.patched import PATCHED
from tests.measure.refusals import after_refusal
from tests.measure.releases import LONG_WATCH, NEVER_ASKS

FAULTS = ("server killed", "frozen", "kill -9", "hook")
LEASE, NAK_LEASE = 10, 40
REPEAT, WATCH = 3, 30
NAK = "NAK"
RELEASES = ("bullseye", "bookworm", "trixie", "sid")

PATCHES = {each.patch: each.releases for each in PATCHED}
"""Of whose sources each patch is built."""


def placed(words: str, built: Path, release: str) -> str:
    """What is played, with the places of this machine."""
    return words.replace("{docs}", str(ROOT / "docs")).replace("{built}", str(built / release))


def has_hook(words: str) -> bool:
    """Whether what is played can be given a hook that blocks."""
    return CLIENTS[words].hook is not None if words in CLIENTS else "{hook" in words


def cures_in(root: Root, of: Sequence[str] = ()) -> list[Cure]:
    """The cures of clients that a root file system has; but patches only of its sources.

    `of`: of these profiles alone.
    """
    asked = [cure for cure in cures() if not of or cure.profile in of]
    there = [cure for cure in asked if CLIENTS[cure.profile].in_root(root).missing() is None]
    return [cure for cure in there if is_built(cure, root.name)]


def is_built(cure: Cure, release: str) -> bool:
    """Whether a cure is there for a release: a patch only where its sources are."""
    return release in PATCHES.get(Path(cure.file).name, (release,))


def played_in(root: Root, of: Sequence[str] = ()) -> list[str]:
    """All that is played in it: its clients as they are, and cures."""
    mine = cures_in(root, of)
    found = [*(cure.profile for cure in mine), *(cure.played for cure in mine if cure.played)]
    return list(dict.fromkeys(found))


def runs(
    root: Root, built: Path, jobs: int, of: Sequence[str] = ()
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Of each run its words, and what each of its clients is called in the table of cures."""
    names = name_clients(root, built, played_in(root, of))
    long = [each for each, words in names.items() if counts_long(words, root)]
    usual = [each for each in names if each not in long]
    hooked = [each for each in usual if has_hook(names[each])]
    unhooked = [each for each in usual if each not in hooked]
    asking = [each for each, words in names.items() if words not in silent()]
    for clients, faults, lease, watch in (
        (long, FAULTS, LEASE, LONG_WATCH),
        (hooked, FAULTS, LEASE, WATCH),
        (unhooked, FAULTS[:-1], LEASE, WATCH),
        (asking, (NAK,), NAK_LEASE, WATCH),
    ):
        if clients:
            yield run_words(root, clients, faults, lease, watch, jobs), names


def run_words(
    root: Root, clients: Sequence[str], faults: Sequence[str], lease: int, watch: int, jobs: int
) -> list[str]:
    """The words of one run."""
    return [
        *("lab", "run", "--server", "kea", "--lease", str(lease)),
        *("--repeat", str(REPEAT), "--watch", str(watch), "--jobs", str(jobs)),
        f"--root={root.name}={root.path}",
        *(f"--client={each}" for each in clients),
        *(f"--fault={fault}" for fault in faults),
    ]


def runs_again(
    root: Root, built: Path, jobs: int, before: Any
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Of what the kernel's lock has spoiled in a root: the same, a run a fault and watch."""
    spoiled = {
        (c["client"], c["fault"])
        for c in before["cells"]
        if c["root"] == root.name and is_spoiled(c)
    }
    for fault in (*FAULTS, NAK):
        mine = {words for words, of in spoiled if of == fault}
        for is_long in (False, True):
            words = [each for each in mine if counts_long(each, root) is is_long]
            names = name_clients(root, built, sorted(words))
            lease = NAK_LEASE if fault == NAK else LEASE
            watch = LONG_WATCH if is_long and fault != NAK else WATCH
            if names:
                yield run_words(root, list(names), [fault], lease, watch, jobs), names


def is_spoiled(cell: Cell) -> bool:
    """Whether another program's lock, or another accident, kept a cell from being decided."""
    return cell["outcome"] == "unknown" and not cell["reason"].startswith(OF_ITSELF)


OF_ITSELF = ("within the uncertainty", "no DHCPNAK came")
"""Unknown for what the client has done, so that no repetition helps."""


def name_clients(root: Root, built: Path, played: Sequence[str]) -> dict[str, str]:
    """What the lab is told to play, and what that is called in the table of cures."""
    return {
        f"{root.name}/{words}" if words in CLIENTS else placed(words, built, root.name): words
        for words in played
    }


def counts_long(words: str, root: Root) -> bool:
    """Whether a client counts a short lease as two minutes."""
    return words in CLIENTS and CLIENTS[words].in_root(root).profile == "udhcpc-1.30"


def silent() -> set[str]:
    """What is played of clients that ask for no renewal, so that nobody can refuse them one."""
    mine = [cure for cure in cures() if cure.profile in NEVER_ASKS]
    return {words for cure in mine for words in (cure.profile, cure.played)}


def measure(
    root: Root, planned: Iterable[tuple[list[str], dict[str, str]]], patched: Sequence[str] = ()
) -> Any:
    """Play these runs; `patched`: what was built for the root, as the page says it."""
    found = []
    for words, names in planned:
        data = run_lab([words], [])
        for cell in data["cells"]:
            name = cell["client"]
            cell["client"] = names[name if name in names else f"{root.name}/{name}"]
        found.append(data)
    data = join_runs(found)
    of = data["conditions"]
    versions = of["versions"].replace(f"{root.name}/", "")
    told = (of["date"], of["cells"], of["took"], versions, *patched)
    return {"conditions": {root.name: "; ".join(told)}, "cells": data["cells"]}


def mended(data: Any, again: Any) -> Any:
    """What was measured before, with what was played again in a root in its place.

    If only some of a root's cells were, its conditions are those of before, and of these.
    """
    anew = {(c["root"], c["client"], c["fault"]) for c in again["cells"]}
    stay = [c for c in data["cells"] if (c["root"], c["client"], c["fault"]) not in anew]
    conditions = dict(data["conditions"])
    for name, told in again["conditions"].items():
        is_part = any(cell["root"] == name for cell in stay)
        conditions[name] = f"{conditions[name]}; played again: {told}" if is_part else told
    return {
        "conditions": {name: conditions[name] for name in RELEASES if name in conditions},
        "cells": stay + again["cells"],
    }


def less_spoiled(before: Any, again: Any) -> Any:
    """Of what was played again because it was spoiled: what is less so than it was."""

    def spoiled(data: Any, cell: Cell) -> int:
        keys = ("root", "client", "fault")
        return sum(map(is_spoiled, cells_of(data, **{key: cell[key] for key in keys})))

    cells = [cell for cell in again["cells"] if spoiled(again, cell) < spoiled(before, cell)]
    return {**again, "cells": cells}


# Tables ------------------------------------------------------------------------------------------


def after_end(cells: Sequence[Cell]) -> list[float]:
    """The seconds past the lease end."""
    return [number(cell["holdover"]) for cell in cells if "holdover" in cell]


def latest(cells: Sequence[Cell], read: Callable[[Sequence[Cell]], list[float]]) -> str:
    """The latest of these cells, how many are late, and how many unknown."""
    if not cells:
        return ""
    decided = [cell for cell in cells if not is_spoiled(cell)]
    values = read(decided)
    said = show_offset(max(values)) if values else "none came" if after_end(decided) else "unknown"
    late = sum(cell["outcome"] == "violated" for cell in cells)
    unknown = sum(cell["outcome"] == "unknown" for cell in cells)
    counts = [f"{late} of {len(cells)} late"] if late else []
    counts += [f"{unknown} unknown"] if unknown else []
    shown_value = f"**{said}**" if late else said
    return f"{shown_value} ({', '.join(counts)})" if counts else said


def cells_in(data: Any, release: str, words: str, *, refused: bool) -> list[Cell]:
    """The cells of what is played in a release, after a DHCPNAK or of all else."""
    cells = cells_of(data, root=release, client=words)
    return [cell for cell in cells if (cell["fault"] == NAK) is refused]


def before_and_after(data: Any, cure: Cure, release: str, *, refused: bool) -> str:
    """The latest without a cure and with it; empty where the release has no such client."""
    read = after_refusal if refused else after_end
    before = cells_in(data, release, cure.profile, refused=refused)
    if not before:
        return ""
    if not is_built(cure, release):
        return "no patch"
    was = latest(before, read)
    if not cure.played:
        return was
    after = cells_in(data, release, cure.played, refused=refused)
    return f"{was.partition(' (')[0].replace('*', '')} → {latest(after, read)}"


def summary(data: Any, of_machine: Any, *, refused: bool) -> str:
    """A line a client and cure, a column a release: the latest before and after.

    `of_machine`: the cells of the machine's clients, for those that are of no release.
    """
    rows = []
    for cure in cures():
        found = [before_and_after(data, cure, each, refused=refused) for each in RELEASES]
        if not any(found) and not refused:
            states = (cure.profile, cure.played)
            mine = [cells_of(of_machine, client=each, lease=LEASE) for each in states]
            was, now = (latest(cells, after_end) for cells in mine)
            if now:
                found = ["", f"{was.partition(' (')[0].replace('*', '')} → {now}", "", ""]
        if any(found):
            title = CLIENTS[cure.profile].title
            rows.append([f"[{title}](#{cure.profile})", cure.kind, *found])
    return table(["client", "cure", *RELEASES], rows)


def still_late(data: Any) -> Iterator[list[str]]:
    """Of each cure that leaves a client late in a release: with which faults, and how late."""
    for cure in cures():
        for release in RELEASES if cure.played else ():
            cells = cells_in(data, release, cure.played, refused=False)
            cells = [cell for cell in cells if not is_spoiled(cell)]
            late = [cell for cell in cells if cell["outcome"] == "violated"]
            faults = dict.fromkeys(cell["fault"] for cell in late)
            said = [
                f"{fault}: {shown([cell for cell in cells if cell['fault'] == fault])}"
                for fault in faults
            ]
            if said:
                title = CLIENTS[cure.profile].title
                yield [title, cure.kind, release, "; ".join(said)]


def unknown(data: Any) -> str:
    """How many cells are unknown, and why: a line a reason."""
    cells = [cell for cell in data["cells"] if cell["outcome"] == "unknown"]
    why = Counter(re.sub(r"^for [0-9.]+ s |[ ,]of [0-9.]+ s$", "", c["reason"]) for c in cells)
    lines = [f"{reason} ({times})" for reason, times in sorted(why.items())]
    return f"{len(cells)} of {len(data['cells'])} cells are unknown: {'; '.join(lines)}."
