"""What the measures of real clients have in common: the lab is run, and what it writes is kept.

A page (docs/*.md) is made of the figures beside it (docs/*.json): conditions, and a line a cell,
with what the page needs of a cell of lab.json.  `run_lab` and `run_beside` play;
everything else reads.
"""

from __future__ import annotations

import json
import math
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

from holdover.reference.commands.lab import BESIDE, USUAL
from holdover.reference.console.exit import EXIT
from holdover.reference.console.output import UNBOUNDED
from holdover.reference.docs.markdown import table
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import COMMANDS
from tests.measure.releases import built_without

Cell = dict[str, Any]
"""A cell of lab.json."""


def clients_here() -> list[str]:
    """The names of the clients that are on this machine and start, and that a profile describes."""
    known = [each for each in CLIENTS.values() if each.profile is not None]
    there = [each for each in known if each.missing() is None]
    return [each.name for each in there if not built_without(each)]


def run_lab(runs: Sequence[Sequence[str]], clients: Sequence[str]) -> Any:
    """Run `holdover` with these words and clients, one run after the other; what it has written."""
    signal.signal(signal.SIGTERM, exit_at_signal)
    names = [f"--client={name}" for name in clients]
    found: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="lab-runs-") as place:
        for run in runs:
            out = Path(place) / str(len(found))
            words = [sys.executable, "-c", COMMANDS, *run, *names, "--out", str(out)]
            lab = subprocess.Popen(words, stdout=subprocess.DEVNULL)
            try:
                lab.wait()
            except BaseException:  # the lab takes away what it has made, if it is asked to
                lab.terminate()
                lab.wait()
                raise
            found.append(json.loads((out / "lab.json").read_text(encoding="utf-8")))
    return join_runs(found)


def run_beside(runs: Sequence[Sequence[str]], jobs: int) -> list[Any]:
    """Run `holdover` with these words, all beside each other; what each has written.

    `jobs`: cells that are played at the same time.  Each run has a share of them by its `work`, so
    that all end at about the same time.
    """
    signal.signal(signal.SIGTERM, exit_at_signal)
    total = sum(map(work, runs))
    playing: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="lab-runs-") as place:
        try:
            for number, run in enumerate(runs):
                share = max(1, round(jobs * work(run) / total))
                words = [sys.executable, "-c", COMMANDS, *run, "--jobs", str(share), "--json"]
                with (Path(place) / str(number)).open("wb") as said:
                    playing.append(subprocess.Popen(words, stdout=said))
            for run, lab in zip(runs, playing, strict=True):
                if (status := lab.wait()) not in EXIT.values():
                    sys.exit(f"holdover {shlex.join(run)}: exit status {status}")
        except BaseException:  # the lab takes away what it has made, if it is asked to
            for lab in playing:
                lab.terminate()
            for lab in playing:
                lab.wait()
            raise
        return [json.loads((Path(place) / str(n)).read_bytes()) for n in range(len(runs))]


BEGIN, MORE = 8, 10
"""Seconds until a client has its lease, about, and for what a fault of a lease's life does more."""

AT_ONCE = ("server killed", "frozen", "kill -9", "hook", "link flap")
"""Faults after which the first lease ends; after the others mostly one that was renewed."""

SHORT_WATCH = 60
"""Seconds; half of the clients need no more than half of such a watch.  A longer one is for clients
that are known to stay."""


def work(run: Sequence[str]) -> int:
    """Cells times the seconds that one takes, about, by the words of a run."""
    words = [part for word in run for part in word.split("=", 1)]
    given: dict[str, list[str]] = {}
    for option, value in pairwise(words):
        if option.startswith("--"):
            given.setdefault(option, []).append(value)
    cells = len(given["--client"]) * len(given.get("--server", BESIDE)) * int(given["--repeat"][0])
    return cells * int(
        sum(
            lasts(name, int(given["--lease"][0]), int(given["--watch"][0]))
            for name in given.get("--fault", USUAL)
        )
    )


def lasts(fault: str, lease: int, watch: int) -> float:
    """About how many seconds a cell of a fault takes."""
    whole = watch + (FAULTS[fault].hook_blocks or 0)
    stays = whole / 2 if watch <= SHORT_WATCH else whole
    renewed = 1 if fault in AT_ONCE else 1.5
    return BEGIN + renewed * lease + (MORE if FAULTS[fault] in LIFE else 0) + stays


def exit_at_signal(number: int, frame: FrameType | None) -> None:
    """SIGTERM as an exit, so that the lab is ended."""
    raise SystemExit(128 + number)


def join_runs(found: Sequence[Any]) -> Any:
    """Several runs as one: what they say of their cells and their time is told one by one."""
    conditions = dict(found[0]["conditions"])
    again = [each["conditions"]["again"] for each in found if "again" in each["conditions"]]
    if again:
        conditions["again"] = " + ".join(again)
    for key in ("cells", "took"):
        conditions[key] = " + ".join(each["conditions"][key] for each in found)
    versions: dict[str, str] = {}
    for each in found:
        versions |= split_versions(each["conditions"].get("versions", ""))
    if versions:
        conditions["versions"] = ", ".join(map(" ".join, versions.items()))
    return {"conditions": conditions, "cells": [cell for each in found for cell in each["cells"]]}


def split_versions(told: str) -> dict[str, str]:
    """Programs and their versions, of what the conditions say of them."""
    return dict(each.rsplit(" ", 1) for each in told.split(", ")) if told else {}


def cells_of(data: Any, **wanted: object) -> list[Cell]:
    """The cells that have these values."""
    return [c for c in data["cells"] if all(c[key] == value for key, value in wanted.items())]


def number(value: Any) -> float:
    """A figure of lab.json."""
    return math.inf if value == UNBOUNDED else float(value)


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Least / median / greatest, or one of them where they read the same."""
    three = (min(values), statistics.median_low(values), max(values))
    return " / ".join(dict.fromkeys(map(show, three)))


LONGEST = 400
"""Characters of a cell of a table that a reader can take in."""


def conditions_table(data: Any) -> str:
    """Under which conditions a page's figures were measured; the command stands on the page.

    What is too long for a row of a table follows it, as a list.
    """
    known = [(key, str(each)) for key, each in data["conditions"].items() if key != "command"]
    rows = [[key, value] for key, value in known if len(value) <= LONGEST]
    after = [f"- *{key}*: {value}\n" for key, value in known if len(value) > LONGEST]
    return "\n".join([table(["condition", ""], rows), *(["".join(after)] if after else [])])


def kept(
    data: Any,
    keys: Sequence[str],
    schema: Mapping[str, object] = MappingProxyType({}),
    parts: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The figures of a page as a file: conditions, and a line a cell with these keys.

    `schema`: what the file says that it is; `parts`: other such files within it.
    """
    cells = [{key: cell[key] for key in keys if key in cell} for cell in data["cells"]]
    lines = ",\n".join(json.dumps(cell, ensure_ascii=False) for cell in cells)
    known = {key: value for key, value in data["conditions"].items() if key != "command"}
    conditions = json.dumps(known, ensure_ascii=False)
    said = "".join(f"{json.dumps(key)}: {json.dumps(value)}, " for key, value in schema.items())
    rest = "".join(f',\n"{name}": {text.rstrip()}' for name, text in parts.items())
    return f'{{{said}"conditions": {conditions},\n"cells": [\n{lines}\n]{rest}}}\n'
