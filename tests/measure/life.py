"""What the league's page says of a lease's life: ended in order, started again, moved.

Theory of operation.  Each client of the machine plays the faults of `lab/experiments/life.py`,
with leases of twenty seconds and our server.  The page has those that were played.  A figure is how
long after the lease end the address was there; the column *released* says in how many runs an ended
client sent a DHCPRELEASE.

What it does not know: a reboot, and a host that sleeps.
"""

from __future__ import annotations

from typing import Any

from holdover.model.seconds import show_offset
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure.lab_runs import Cell, cells_of, conditions_table, number
from tests.measure.releases_page import reasons

LEASE, REPEAT = 20, 3

MEANINGS = {"released": "whether the client sent a DHCPRELEASE"}
KEPT = tuple(MEANINGS)
"""What the page needs of a cell beside what the league does."""

RUN = (
    *("lab", "run", "--server", "holdover", "--lease", str(LEASE), "--repeat", str(REPEAT)),
    *("--watch", "20", "--jobs", "24", *(f"--fault={fault.name}" for fault in LIFE)),
)

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


def section(data: Any) -> str:
    """The part of the page."""
    played = [each for each in LIFE if cells_of(data, fault=each.name)]
    rows = [
        [
            CLIENTS[client].title,
            shown(cells_of(data, client=client, fault="ended")),
            released(data, client),
            *(shown(cells_of(data, client=client, fault=each.name)) for each in played[1:]),
        ]
        for client in dict.fromkeys(cell["client"] for cell in data["cells"])
    ]
    wrong = sum(cell["as_predicted"] is False for cell in data["cells"])
    unknown = sum(cell["outcome"] == "unknown" for cell in data["cells"])
    lines = "\n".join(f"- *{each.name}*: {each.sentence}." for each in played)
    return f"""## A lease's life

{lines}

{table(["client", "ended", "released", *(each.name for each in played[1:])], rows)}
A figure is the seconds for which the address stayed after the server's lease end.  A negative
figure is early: for example, a client may remove the address when somebody ends it.  Two figures
are the least and the greatest of {REPEAT} runs with leases of {LEASE} s.  *Forever*: to the end of
the watch, 20 s after the lease end.  Bold: more than {SOON:g} s.  *Released*: the runs in which the
client sent a DHCPRELEASE when it was asked to end.  If a client that has ended leaves its address
behind, nobody renews it.  Then the address goes by its kernel lifetime, or not at all.
Above what the model allows: {wrong} of {len(data["cells"])} cells.  Unknown: {unknown}.

{reasons(data["cells"])}

{conditions_table(data)}"""
