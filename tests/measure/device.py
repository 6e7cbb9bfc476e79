"""`python -m tests.measure.device [--write]`: what the wire tells beside what the kernel does.

Each client of the lab that is here is played as if it were a device (`devices.py`), and each record
is read twice: from the host's kernel, and from the wire alone.  `--write`: the table of the page,
and what it is made of.  Exit status 1: the two differ by more than AGREE somewhere; 3: something is
unknown one way only.  As root.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from holdover.model.seconds import show_number, show_offset
from holdover.reference.console.exit import EXIT
from holdover.reference.console.output import UNBOUNDED
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.experiment import Run
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import Unknown
from holdover.reference.lab.record.premises import premises
from holdover.reference.lab.report.files import conditions_of
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.scene import LEASED
from tests.measure.devices import Both, Result, cell, play_both
from tests.measure.lab_runs import Cell, cells_of, clients_here, conditions_table, number

PAGE = Path("docs/device.md")
RAW = PAGE.with_suffix(".json")
BEGIN, END = "<!-- measured -->", "<!-- measured: end -->"

FAULTS = ("server silent", "NAK", "NAK unicast")
AGREE = 0.1
"""Seconds by which the two readings may differ."""

APART = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
PREPARED = (
    "mount --make-rprivate /; mount -t tmpfs tmpfs /run; mkdir /run/netns; "
    'ip link set lo up; exec "$@"'
)
INSIDE = "HOLDOVER_MEASURED_APART"


def figures(result: Result) -> dict[str, Any]:
    """A reading as JSON has it."""
    if isinstance(result, Unknown):
        return {"reason": result.reason}
    infinite = {math.inf: UNBOUNDED}
    return {
        "holdover": infinite.get(result.holdover, result.holdover),
        "uncertainty": result.uncertainty,
        "after_nak": infinite.get(result.after_nak or 0, result.after_nak),
    }


def as_cell(both: Both) -> Cell:
    """A run, and both readings of it."""
    played = both.outcome.cell
    where = both.outcome.record
    stand = premises(record.read(where), LEASED) if where.is_dir() else None
    return {
        "client": played.client.name,
        "fault": played.fault.name,
        "lease": played.lease,
        "repeat": played.repeat,
        "host": figures(both.host),
        "wire": figures(both.wire),
        "asked": None if stand is None else stand.asked,
        "answered": None if stand is None else stand.answered,
        "apart": None if stand is None else stand.apart,
    }


def measured(clients: Sequence[str], repeat: int, jobs: int) -> Any:
    """Play them all; conditions and cells."""
    cells = [
        cell(client, fault, CLIENTS[client].lease, each)
        for each in range(1, repeat + 1)
        for client in clients
        for fault in FAULTS
    ]
    run, began = Run(), time.perf_counter()
    found = []
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(jobs) as pool:
        playing = [
            pool.submit(play_both, each, Path(place) / str(number), run)
            for number, each in enumerate(cells)
        ]
        for each in playing:
            found.append(as_cell(each.result()))
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    conditions = conditions_of(cells, jobs, time.perf_counter() - began)
    return {"conditions": conditions, "cells": found}


# The page ----------------------------------------------------------------------------------------


def difference(each: Cell) -> float | None:
    """By how much the wire is later than the kernel; None: one of them is unknown."""
    host, wire = each["host"], each["wire"]
    if "reason" in host or "reason" in wire:
        return None
    one, other = number(host["holdover"]), number(wire["holdover"])
    return 0.0 if one == other else other - one


def disagree(each: Cell) -> bool:
    """Whether only one is unknown, or both differ by more than AGREE."""
    apart = difference(each)
    if apart is None:
        return ("reason" in each["host"]) != ("reason" in each["wire"])
    return abs(apart) > AGREE


def comparison(data: Any) -> str:
    """A line a client and fault: both readings, and their difference."""
    rows = []
    for client in dict.fromkeys(each["client"] for each in data["cells"]):
        for fault in FAULTS:
            cells = cells_of(data, client=client, fault=fault)
            known = [each for each in cells if difference(each) is not None]
            rows.append([client, fault, *(spread(known, who) for who in ("host", "wire"))])
            apart = [difference(each) or 0.0 for each in known]
            rows[-1] += [
                " to ".join(dict.fromkeys(show_offset(x) for x in (min(apart), max(apart))))
                if apart
                else "",
                show_number(max(each["wire"]["uncertainty"] for each in known)) if known else "",
                f"{len(known)} of {len(cells)}",
            ]
    heads = ["client", "fault", "kernel", "wire", "wire − kernel", "uncertainty", "n"]
    return table(heads, rows)


def spread(cells: Sequence[Cell], who: str) -> str:
    """Least / median / greatest of a reading."""
    found = [number(each[who]["holdover"]) for each in cells]
    if not found:
        return "unknown"
    three = (min(found), statistics.median_low(found), max(found))
    return " / ".join(dict.fromkeys(map(show_offset, three)))


def summary(data: Any) -> str:
    """What of it a reader wants to know first."""
    apart = sorted(abs(x) for each in data["cells"] if (x := difference(each)) is not None)
    beyond = [each for each in data["cells"] if disagree(each)]
    gaps = [each["apart"] for each in beyond if each["apart"]]
    why = ""
    if gaps:
        why = (
            f" In these runs the questions were up to {show_number(max(gaps))} s apart, because "
            "the machine was busy. The width of the figure says so."
        )
    return (
        f"{len(apart)} of {len(data['cells'])} runs are measured both ways. The two differ by "
        f"{show_number(statistics.median_low(apart))} s in the median and by "
        f"{show_number(apart[-1])} s at most. Runs in which they differ by more than {AGREE} s, or "
        "which are known one way only: "
        f"{len(beyond)}.{why}"
    )


def section(data: Any) -> str:
    """The measured part of the page."""
    return f"{BEGIN}\n{summary(data)}\n\n{comparison(data)}\n{conditions_table(data)}\n{END}"


def filled(page: str, data: Any) -> str:
    """The page with its measured part."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + section(data) + after


def kept(data: Any) -> str:
    """docs/device.json."""
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in data["cells"])
    known = {key: value for key, value in data["conditions"].items() if key != "command"}
    return f'{{"conditions": {json.dumps(known, ensure_ascii=False)},\n"cells": [\n{lines}\n]}}\n'


@click.command()
@click.option("--write", is_flag=True, help=f"Write the table of {PAGE}, and {RAW}.")
@click.option("--again", is_flag=True, help=f"Of what {RAW} has: measure nothing.")
@click.option("--client", "clients", multiple=True, help="[default: all that are here]")
@click.option("--repeat", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--jobs", type=click.IntRange(1, 200), default=8, show_default=True)
def main(*, write: bool, again: bool, clients: Sequence[str], repeat: int, jobs: int) -> None:
    """Measure, and print the table; some ten minutes."""
    if again:
        data = json.loads(RAW.read_text("utf-8"))
    elif INSIDE not in os.environ:
        words = (*APART, "sh", "-ec", PREPARED, "sh", sys.executable, "-m", "tests.measure.device")
        os.execvpe(words[0], [*words, *sys.argv[1:]], os.environ | {INSIDE: "yes"})
    else:
        data = measured(clients or clients_here(), repeat, jobs)
    click.echo(section(data))
    if write:
        RAW.write_text(kept(data), encoding="utf-8")
        PAGE.write_text(filled(PAGE.read_text("utf-8"), data), encoding="utf-8")
    known = [x for each in data["cells"] if (x := difference(each)) is not None]
    if any(abs(x) > AGREE for x in known):
        sys.exit(EXIT["violated"])
    sys.exit(EXIT["unknown"] if any(map(disagree, data["cells"])) else 0)


if __name__ == "__main__":
    main()
