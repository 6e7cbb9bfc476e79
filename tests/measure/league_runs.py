"""Which runs of the lab the league is made of, and what becomes of the figures of before.

Theory of operation.  All runs are played beside each other (`lab_runs.run_beside`), for most of a
cell is waiting.  A part that is played for some clients alone takes the place of their cells.

What it does not know: what the page says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from holdover.reference.lab.roots.root import Root
from tests.measure import life, releases
from tests.measure.lab_runs import clients_here, join_runs, run_beside, split_versions
from tests.measure.refusals import REFUSALS

EACH = ("--repeat", "3", "--watch", "30", "--again", "2")
RUNS = (
    ("lab", "run", "--lease", "10", *EACH),
    ("lab", "run", "--lease", "40", *EACH, *(f"--fault={name}" for name in REFUSALS)),
)
"""And each client that is here, by its name."""

PARTS = ("in depth", "releases", "life")
"""Of the page."""

JOBS = 240
"""Cells that two cores bear: most of the time they wait."""


def mended(data: Any, again: Any) -> Any:
    """What was measured before, with the cells of clients that were played again in their place."""
    anew = {cell["client"] for cell in again["cells"]}
    cells = [cell for cell in data["cells"] if cell["client"] not in anew] + again["cells"]
    conditions = dict(data["conditions"])
    told = f"{', '.join(sorted(anew))}: {again['conditions']['cells']}"
    versions = split_versions(conditions["versions"])
    versions |= split_versions(again["conditions"]["versions"])
    conditions["versions"] = ", ".join(map(" ".join, versions.items()))
    told = f"{told}, on {again['conditions']['date']}"
    before = conditions.get("played again", "")
    conditions["played again"] = f"{before}; {told}" if before else told
    return {**data, "conditions": conditions, "cells": cells}


def replaced(data: Any, again: Any) -> Any:
    """Cells, with those that were played again, of a client and fault, in their place."""
    anew = {(cell["client"], cell["root"], cell["fault"]) for cell in again["cells"]}
    stay = [c for c in data["cells"] if (c["client"], c["root"], c["fault"]) not in anew]
    conditions = dict(data["conditions"])
    names = sorted(
        {f"{client if root is None else f'{root}/{client}'}, {f}" for client, root, f in anew}
    )
    told = f"{'; '.join(names)}: {again['conditions']['cells']}"
    before = conditions.get("played again", "")
    conditions["played again"] = f"{before}; {told}" if before else told
    return {"conditions": conditions, "cells": stay + again["cells"]}


def runs_of(
    parts: Sequence[str], roots: Sequence[Root], names: Sequence[str], faults: Sequence[str] = ()
) -> list[tuple[str, list[str]]]:
    """The words of each run, and of which part it is; of these clients and faults alone, if any."""
    here = [f"--client={name}" for name in clients_here() if not names or name in names]
    found: dict[str, list[Sequence[str]]] = {
        "in depth": [(*run, *here) for run in RUNS] if here else [],
        "releases": [*releases.runs(roots, names)],
        "life": [*([(*life.RUN, *here)] if here else []), *life.runs_of_releases(roots, names)],
    }
    runs = [(part, list(run)) for part in parts for run in found[part]]
    if faults:
        named = [f"--fault={fault}" for fault in faults]
        others = ((part, [w for w in run if not w.startswith("--fault=")]) for part, run in runs)
        runs = [(part, [*run, *named]) for part, run in others]
    return runs


def measured(
    parts: Sequence[str],
    roots: Sequence[Root],
    names: Sequence[str],
    faults: Sequence[str],
    jobs: int,
) -> dict[str, Any]:
    """What the runs of each part have found, joined; and as `whole` how long all of it took."""
    runs, began = runs_of(parts, roots, names, faults), time.perf_counter()
    found = run_beside([run for _, run in runs], jobs)
    took = time.perf_counter() - began
    joined = {}
    for part in parts:
        mine = [each for (of, _), each in zip(runs, found, strict=True) if of == part]
        if mine:
            joined[part] = join_runs(mine)
    cells = sum(len(each["cells"]) for each in found)
    joined["whole"] = f"{took:.0f} s: {cells} cells, {jobs} at once"
    return joined


def merged(data: Any, found: dict[str, Any], *, few: bool) -> Any:
    """The figures of before, with what was found in their place.

    `few`: of some clients or faults alone; the conditions say which, and what all took stays.
    """
    data = dict(data)
    if (played := found.get("in depth")) is not None:
        data = mended(data, played) if few else {**data, **played}
    for part in ("releases", "life"):
        if (played := found.get(part)) is not None:
            data[part] = replaced(data[part], played) if few else played
    conditions = dict(data["conditions"])
    if not few:
        conditions.pop("whole", None)
        if set(PARTS) <= set(found):
            conditions["whole"] = found["whole"]
    return {**data, "conditions": conditions}
