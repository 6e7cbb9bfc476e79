"""What the league's page says of a lease's life: ended in order, started again, moved.

Theory of operation.  Each client of the machine and of each release plays the faults of
`lab/experiments/life.py`, with leases of twenty seconds and our server.  A figure is how long after
the lease end the address was there; the column *released* says in how many runs an ended client
sent a DHCPRELEASE.

What it does not know: a reboot, and a host that sleeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from holdover.model.seconds import show_offset
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure.lab_runs import Cell, cells_of, conditions_table, number
from tests.measure.releases import LONG_WATCH, PLAYED, of_roots, split
from tests.measure.releases_page import reasons, releases_of

LEASE, REPEAT = 20, 3

MEANINGS = {"released": "whether the client sent a DHCPRELEASE"}
KEPT = tuple(MEANINGS)
"""What the page needs of a cell beside what the league does."""

EACH = ("lab", "run", "--server", "holdover", "--lease", str(LEASE), "--repeat", str(REPEAT))
RUN = (*EACH, "--again", "2", "--watch", "20", *(f"--fault={fault.name}" for fault in LIFE))
"""And each client that is here, by its name."""


def runs_of_releases(roots: Sequence[Root], names: Sequence[str] = ()) -> Iterator[list[str]]:
    """The words of each run, for the clients of roots; `names`: these clients alone."""
    usual, long = split(roots, names)
    faults = [f"--fault={fault.name}" for fault in LIFE]
    for clients, watch in ((usual, 20), (long, LONG_WATCH)):
        if clients:
            words = (*EACH, "--again", "2", "--watch", str(watch), *faults)
            yield [*words, *of_roots(roots, clients)]


SOON = 1.0
"""Seconds above which a figure is bold: for the eye, no verdict."""


def shown(cells: list[Cell]) -> str:
    """Least to greatest, and the worst that the model allows; unknown with its reason."""
    known = [cell for cell in cells if "holdover" in cell]
    if not known:
        return f"unknown: {cells[0]['reason']}" if cells else ""
    values = [number(cell["holdover"]) for cell in known]
    text = " to ".join(dict.fromkeys(map(show_offset, (min(values), max(values)))))
    count = "" if len(known) == len(cells) else f", n = {len(known)}"
    return (f"**{text}**" if max(values) > SOON else text) + count


def released(data: Any, client: str) -> str:
    """In how many runs a client that was ended gave its lease back."""
    cells = [cell for cell in cells_of(data, client=client, fault="ended") if "released" in cell]
    return f"{sum(cell['released'] for cell in cells)} of {len(cells)}" if cells else ""


def played(cells: Sequence[Cell]) -> list[Fault]:
    """The faults that were played, in their order."""
    return [each for each in LIFE if cells_of({"cells": cells}, fault=each.name)]


def of_machine(data: Any) -> str:
    """The table of the machine's own clients: a line a client, a column a fault."""
    cells = cells_of(data, root=None)
    others = played(cells)[1:]
    rows = [
        [
            CLIENTS[client].title,
            shown(cells_of({"cells": cells}, client=client, fault="ended")),
            released({"cells": cells}, client),
            *(shown(cells_of({"cells": cells}, client=client, fault=f.name)) for f in others),
        ]
        for client in dict.fromkeys(cell["client"] for cell in cells)
    ]
    return table(["client", "ended", "released", *(each.name for each in others)], rows)


def of_releases(data: Any) -> str:
    """The table of releases: a line a client and fault, a column a release; none without cells."""
    cells = [cell for cell in data["cells"] if cell["root"] is not None]
    if not cells:
        return ""
    releases = releases_of({"cells": cells})
    rows = [
        [
            CLIENTS[client].title,
            fault.name,
            *(
                shown(cells_of({"cells": cells}, client=client, root=release, fault=fault.name))
                for release in releases
            ),
        ]
        for client in PLAYED
        for fault in played(cells_of({"cells": cells}, client=client))
    ]
    return f"""The same of the clients of the releases, as Debian has them:

{table(["client", "fault", *releases], rows)}
"""


def section(data: Any) -> str:
    """The part of the page."""
    wrong = sum(cell["as_predicted"] is False for cell in data["cells"])
    unknown = sum(cell["outcome"] == "unknown" for cell in data["cells"])
    lines = "\n".join(f"- *{each.name}*: {each.sentence}." for each in played(data["cells"]))
    return f"""## A lease's life

{lines}

{of_machine(data)}
{of_releases(data)}
A figure is the seconds for which the address stayed after the server's lease end.  A negative
figure is early: for example, a client may remove the address when somebody ends it.  Two figures
are the least and the greatest of {REPEAT} runs with leases of {LEASE} s.  *Forever*: to the end of
the watch, 20 s after the lease end, and {LONG_WATCH} s for udhcpc before 1.34.  Bold: more than
{SOON:g} s.  *Released*: the runs in which the client sent a DHCPRELEASE when it was asked to end.
If a client that has ended leaves its address behind, nobody renews it.  Then the address goes by
its kernel lifetime, or not at all.
Above what the model allows: {wrong} of {len(data["cells"])} cells.  Unknown: {unknown}.

{reasons(data["cells"])}

{conditions_table(data)}"""
