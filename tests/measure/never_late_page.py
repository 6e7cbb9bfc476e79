"""What the cells of `never_late.py` say, and the page that they make: docs/never-late.md.

Figures are seconds after the server's lease end, so negative is early.  A DHCPNAK ends a lease at
once, and so does a DHCPACK for no time; a host obeys that has let go within OBEYED.

PREMISES are what "never late" takes for granted.  Each has faults that break it: there the client
may be late, and by no more than the model allows.  Nothing else may be.  What the page claims in
its title and first lines it takes from the cells, and so does the README.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from holdover.model.seconds import show_offset, show_seconds
from holdover.reference.console.exit import EXIT
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import find_fault
from holdover.reference.lab.experiments.verdict import OBEYED
from tests.measure.lab_runs import Cell, number

PAGE, README = Path("docs/never-late.md"), Path("README.md")
RAW = PAGE.with_suffix(".json")

REGION = re.compile(r"(?<=<!-- measured: never late -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)
"""What the README says of it."""

LATE, UNKNOWN = EXIT["violated"], EXIT["unknown"]

WIDTH = 110
"""Characters of a line."""

KEPT = (
    "fault",
    "lease",
    "repeat",
    "reason",
    "predicted",
    "measured_lease",
    "holdover",
    "uncertainty",
    "removed_by",
    "after_nak",
    "locked",
)
"""What the page needs of a cell."""


# Premises ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Premise:
    """What is taken for granted; which faults break it, and what follows then."""

    words: str
    breaks: Callable[[Fault], bool]
    otherwise: str


PREMISES = (
    Premise(
        "The client reads a DHCPACK that shortens its lease before that shorter lease is over.",
        lambda fault: fault.unread,
        "If that DHCPACK is lost, or the client is frozen or dead, the client keeps the address "
        "for as long as the lease that it knows allows. No client could do otherwise",
    ),
    Premise(
        "Nobody holds the kernel's networking lock when the address is to go.",
        lambda fault: fault.alone,
        "If somebody holds the lock, neither the client nor the kernel can remove the address. It "
        "stays until the lock is free",
    ),
)


def broken(cell: Cell) -> Premise | None:
    """The premise that the fault of a cell breaks; None: "never late" is claimed of it."""
    fault = find_fault(cell["fault"])
    return next((each for each in PREMISES if fault is not None and each.breaks(fault)), None)


def of(cells: Sequence[Cell], premise: Premise | None) -> list[Cell]:
    """The cells that break it, or, without one, those that break none."""
    return [cell for cell in cells if broken(cell) is premise]


# What a cell says --------------------------------------------------------------------------------


def is_refusal(cell: Cell) -> bool:
    """Whether a DHCPNAK comes."""
    fault = find_fault(cell["fault"])
    return fault is not None and fault.refuses is not None


def unknown(cell: Cell) -> str | None:
    """Why nothing is known of it."""
    if "holdover" not in cell:
        return str(cell["reason"])
    if is_refusal(cell) and cell["after_nak"] is None:
        return "no DHCPNAK came while the address was held"
    return None


def late(cell: Cell) -> bool:
    """Whether the address was there after the lease, or too long after what ended it at once."""
    if "holdover" not in cell:
        return False
    after_nak = (cell["after_nak"] or 0) if is_refusal(cell) else 0
    in_time = 0 if cell["measured_lease"] else OBEYED
    return number(cell["holdover"]) > in_time or number(after_nak) > OBEYED


def too_late(cell: Cell) -> bool:
    """Whether it was there for longer than the model allows, by more than is uncertain."""
    if "holdover" not in cell or cell["predicted"] is None:
        return False
    surely = number(cell["holdover"]) - number(cell["uncertainty"])
    return surely > number(cell["predicted"])


def status(cells: Sequence[Cell]) -> int:
    """The exit status that they come to."""
    if any(map(late, of(cells, None))) or any(map(too_late, cells)):
        return LATE
    return UNKNOWN if any(map(unknown, cells)) else 0


# The page ----------------------------------------------------------------------------------------

Figure = Callable[[Cell], float]


def spread(cells: Sequence[Cell], figure: Figure, *, predicted: bool) -> str:
    """Least, median and greatest of what is known; how many; the most that the model allows."""
    if not cells:
        return ""
    known = [figure(cell) for cell in cells if unknown(cell) is None]
    count = f"n = {len(known)}" + (f" of {len(cells)}" if len(known) < len(cells) else "")
    if not known:
        return f"unknown ({count})"
    said = [*map(show_offset, (min(known), statistics.median(known), max(known)))]
    worst = [number(cell["predicted"]) for cell in cells if cell.get("predicted") is not None]
    allowed = f", ≤ {show_offset(max(worst))}" if predicted and worst else ""
    return f"{' / '.join(dict.fromkeys(said))} ({count}{allowed})"


def figures(cells: Sequence[Cell], figure: Figure, *, predicted: bool = False) -> str:
    """A table: a row for each fault, a column for each lease."""
    leases = sorted({cell["lease"] for cell in cells})
    rows = []
    for name in dict.fromkeys(cell["fault"] for cell in cells):
        mine = [cell for cell in cells if cell["fault"] == name]
        by = {cell["removed_by"] or "nobody" for cell in mine if "holdover" in cell}
        fault = find_fault(name)
        columns = [[cell for cell in mine if cell["lease"] == lease] for lease in leases]
        rows.append(
            [
                name if fault is None else f"{name}: {fault.sentence}",
                *(spread(cells, figure, predicted=predicted) for cells in columns),
                ", ".join(sorted(by)),
                count(mine),
            ]
        )
    return table(["fault", *(f"{lease} s" for lease in leases), "removed by", "late"], rows)


def count(cells: Sequence[Cell]) -> str:
    """How many are late, of how many of which anything is known."""
    return f"{sum(map(late, cells))} of {sum(unknown(cell) is None for cell in cells)}"


def holdover(cell: Cell) -> float:
    """Seconds after the lease end."""
    return number(cell["holdover"])


def after_nak(cell: Cell) -> float:
    """Seconds after the DHCPNAK."""
    return number(cell["after_nak"])


def tables(cells: Sequence[Cell]) -> str:
    """All figures, by premise, and what is late or unknown."""
    parts = []
    if usual := of(cells, None):
        parts += ["## On these premises\n", figures(usual, holdover)]
    if refused := [cell for cell in cells if is_refusal(cell)]:
        parts += [
            "Seconds from the DHCPNAK until the address was gone:\n",
            figures(refused, after_nak),
        ]
    for number_, premise in enumerate(PREMISES, 1):
        if excepted := of(cells, premise):
            parts += [
                f"## Without premise {number_}\n",
                f"{premise.otherwise}.  The most that the model allows stands in brackets.\n",
                figures(excepted, holdover, predicted=True),
            ]
    parts.append("## What is to be explained\n")
    for title, odd in (
        ("Late on these premises", [name_of(cell) for cell in of(cells, None) if late(cell)]),
        (
            "Later than the model allows",
            [
                f"{name_of(cell)}: {show_seconds(holdover(cell), sign=True)}, at most "
                f"{show_seconds(number(cell['predicted']), sign=True)} were predicted"
                for cell in cells
                if too_late(cell)
            ],
        ),
        (
            "Unknown",
            [
                f"{name_of(cell)}: {reason}"
                for cell in cells
                if (reason := unknown(cell)) is not None
            ],
        ),
    ):
        of_how_many = len(of(cells, None)) if title.startswith("Late on") else len(cells)
        lines = [f"- {line}\n" for line in odd]
        parts.append(f"{title}: {len(odd)} of {of_how_many}.\n" + "\n" * bool(odd) + "".join(lines))
    return "\n".join(parts)


def name_of(cell: Cell) -> str:
    """A cell in a line."""
    return f"{cell['fault']}, {cell['lease']} s, run {cell['repeat']}"


def title(cells: Sequence[Cell]) -> str:
    """What the page claims: no more than the cells show."""
    claimed = of(cells, None)
    if any(map(late, claimed)):
        return f"Late in {count(claimed)} runs"
    if not claimed or any(map(unknown, claimed)):
        return "Late or not: not all of it is known"
    return f"Never late, on {len(PREMISES)} premises"


def whence(about: Mapping[str, str]) -> str:
    """How many runs it is of."""
    if any(name.startswith("run ") for name in about):
        return "The figures are from the runs in the table of conditions below.  The first run was:"
    return "All figures are from one run:"


def claim(cells: Sequence[Cell]) -> str:
    """The same in a sentence, and a list of the premises, with what was seen without them."""
    claimed = of(cells, None)
    *others, longest = sorted({str(cell["lease"]) for cell in cells}, key=int)
    leases = f"{', '.join(others)} and {longest}" if others else longest
    said = [
        f"On the premises below, the reference client was late in {count(claimed)} runs, with "
        f"{len({cell['fault'] for cell in claimed})} faults and leases of {leases} s."
    ]
    for number_, premise in enumerate(PREMISES, 1):
        seen = seen_without(cells, premise)
        said.append(
            f"{number_}. {premise.words} {premise.otherwise}. Without this premise it was {seen}."
        )
    return "\n".join(
        [
            "\n".join(wrap(said[0], WIDTH)),
            "",
            *("\n".join(wrap(each, WIDTH, subsequent_indent="   ")) for each in said[1:]),
        ]
    )


def seen_without(cells: Sequence[Cell], premise: Premise) -> str:
    """What was seen where a premise is broken."""
    excepted = [cell for cell in of(cells, premise) if unknown(cell) is None]
    if not excepted:
        return "not measured"
    worst = max(map(holdover, excepted))
    over = sum(map(too_late, excepted))
    than = "never" if not over else f"in {over} runs"
    most = show_seconds(worst, sign=True)
    return (
        f"late in {count(excepted)} runs, by {most} at most, and {than} later than the model allows"
    )


def page(data: Any) -> str:
    """docs/never-late.md."""
    cells, about = data["cells"], data["about"]
    worst = max((cell["uncertainty"] for cell in cells if "holdover" in cell), default=0)
    conditions = [[name, str(value)] for name, value in about.items() if name != "command"]
    return f"""# {title(cells)}

This page says how long the [reference client](network.md) held its address after the server's
lease end.  Figures are seconds: least / median / greatest of n runs.  A negative figure is early.

{claim(cells)}

{whence(about)}

```sh
{about["command"]}
```

This command writes this page, docs/never-late.json and the README's sentence.  The lease end comes
from the last DHCPACK on the wire and its option 51, whether or not the client could read it.  The
address was gone when the kernel said so, or when the lab looked for it and did not find it.  Each
figure is at most {worst:.2f} s too large, and never too small
([decision 19](decisions/0019-lab.md)).  A DHCPNAK, and a DHCPACK for no time, end a lease as they
come.  The client is in time if it has let go within {OBEYED:g} s.
[Decision 22](decisions/0022-the-ack-that-shortens-in-the-lab.md) says how the lab plays these.

{tables(cells)}
{table(["condition", "value"], conditions)}
The client probes before it uses an address (RFC 5227).  So with a lease of ten seconds it asks for
a renewal as soon as it has the lease.  The process removes the address after a DHCPNAK, and after
a DHCPACK that leaves two seconds or less.  In all other cases the kernel removes it, because its
lifetime ends two and a half seconds before the lease.  The kernel is late by a part of these
seconds, and the figures show the rest.  This command shows a table in which cells are late:
`python -m tests.measure.never_late --quick --client udhcpc`.
"""


def sentence(data: Any) -> str:
    """What the README says."""
    return f"""Measured: [{title(data["cells"]).lower()}](docs/never-late.md).

{claim(data["cells"])}

Written by `python -m tests.measure.never_late --write` on {data["about"]["date"]}."""


def kept(data: Any) -> str:
    """docs/never-late.json: conditions, and a line a cell."""
    cells = [{key: cell[key] for key in KEPT if key in cell} for cell in data["cells"]]
    lines = ",\n".join(json.dumps(cell, ensure_ascii=False) for cell in cells)
    about = json.dumps(data["about"], ensure_ascii=False)
    return f'{{"about": {about},\n"cells": [\n{lines}\n]}}\n'
