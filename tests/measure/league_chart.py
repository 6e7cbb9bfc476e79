"""The league in one picture: clients by faults, how late at worst.

Theory of operation.  A cell has the latest of all runs, with each server: *in time*, the seconds by
which the address outstayed the lease, or *for ever*: to the end of the watch.  The word is in the
cell, beside its colour.  Clients stand in the order of their worst cells.

What it does not know: whether a profile allows it; the league's page says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from holdover.model.seconds import show_offset
from holdover.reference.docs.site.drawing import svg, words
from holdover.reference.lab.testbed.clients import CLIENTS
from tests.measure.lab_runs import Cell, cells_of, number

FAULTS = {
    "server killed": "server gone",
    "frozen": "process frozen",
    "kill -9": "process killed",
    "hook": "hook blocks",
}

LEFT, WIDE, HIGH = 356, 104, 26
LITTLE = 1.0
"""Seconds that are called a little: for the eye, no verdict."""

COLOURS = """<style>
svg { --in: #dafbe1; --little: #fff8c5; --late: #ffd8b5; --ever: #ffcecb }
@media (prefers-color-scheme: dark) { svg { --in: #12361f; --little: #3d3205; --late: #5a3210;
--ever: #67171a } }
.in { fill: var(--in) } .little { fill: var(--little) } .late { fill: var(--late) }
.ever { fill: var(--ever) }
</style>"""


def worst(cells: Sequence[Cell]) -> float | None:
    """The latest of some runs; infinite if one lasted to the end of the watch, None if unknown."""
    known = [number(cell["holdover"]) for cell in cells if "holdover" in cell]
    return max(known, default=None)


def clients(data: Any) -> list[tuple[str, list[float | None]]]:
    """Each client of which a figure is known, with its worst under each fault, the best first."""
    each = (
        (client, [worst(cells_of(data, client=client, fault=fault)) for fault in FAULTS])
        for client in dict.fromkeys(cell["client"] for cell in data["cells"])
    )
    found = [row for row in each if any(late is not None for late in row[1])]
    return sorted(found, key=lambda row: sorted((v for v in row[1] if v is not None), reverse=True))


def kind(late: float) -> tuple[str, str]:
    """The class of a cell, and its word."""
    if late <= 0:
        return "in", "in time"
    if math.isinf(late):
        return "ever", "for ever"
    return ("little" if late <= LITTLE else "late"), f"{show_offset(late)} s"


def chart(data: Any) -> str:
    """The picture."""
    rows = clients(data)
    drawn = [
        COLOURS,
        words(16, 28, "How long after its lease ended a client still had it", "title"),
    ]
    for column, title in enumerate(FAULTS.values()):
        drawn.append(words(LEFT + WIDE * (column + 0.5), 54, title, "quiet", "middle"))
    for line, (client, late) in enumerate(rows):
        y = 64 + HIGH * line
        drawn.append(words(16, y + 17, CLIENTS[client].title))
        for column, each in enumerate(late):
            if each is not None:
                colour, said = kind(each)
                x = LEFT + WIDE * column
                drawn.append(
                    f'<rect class="{colour}" x="{x + 2}" y="{y + 1}" width="{WIDE - 4}" '
                    f'height="{HIGH - 2}" rx="3"/>'
                )
                drawn.append(words(x + WIDE / 2, y + 17, said, "", "middle"))
    return svg(LEFT + WIDE * len(FAULTS) + 12, 76 + HIGH * len(rows), sentence(data), drawn)


def sentence(data: Any) -> str:
    """How many clients are how late, at worst."""
    latest = [
        max(v for v in late if v is not None) for name, late in clients(data) if name != "reference"
    ]
    ever = sum(math.isinf(v) for v in latest)
    late = sum(LITTLE < v < math.inf for v in latest)
    rest = len(latest) - ever - late
    return (
        f"Of {len(latest)} clients in use, {ever} kept the address to the end of the watch under "
        f"at least one of these faults, {late} for more than {LITTLE:g} s, and {rest} for at most "
        f"{LITTLE:g} s."
    )
