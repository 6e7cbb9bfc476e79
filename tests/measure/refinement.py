"""`python -m tests.measure.refinement`: how long the reference's code is explored, as before.

Theory of operation.  Two processes explore the same settings in turns, one with the sources of an
earlier commit and one with those of this checkout, by the same Python and packages; each says what
it found and its seconds of the processor.  Then `holdover verify reference` is run with both, and
once more, when the verdict is read.  What both found must be the same: states, steps, depth, the
rows of the table that justify each step, in which situation, and the edges that the table allows.
It writes docs/bench/refinement.md.

What it does not know: what else the machine does.  On one that is busy, only the ratio of two
figures means something.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from holdover.reference.console.progress import Progress
from holdover.reference.refinement.setting import settings
from tests.checkout import ROOT
from tests.measure.seconds import git, sources

PAGE = ROOT / "docs" / "bench" / "refinement.md"
LIMIT = 15
"""Seconds that `holdover verify reference` may take."""

EXPLORER = """
import json, sys, time
from holdover.reference.refinement.coverage import table_edges
from holdover.reference.refinement.search import refine
from holdover.reference.refinement.setting import settings

todo = {setting.name: setting for setting in settings()}
for line in sys.stdin:
    setting = todo[line.strip()]
    begun = time.process_time()
    seen = refine(setting)
    explored = time.process_time()
    edges = table_edges(setting)
    ended = time.process_time()
    found = seen.states, seen.steps, seen.depth, seen.kind, sorted(seen.taken), sorted(edges)
    print(json.dumps([found, explored - begun, ended - explored]), flush=True)
"""
"""A process that explores each setting that it is told the name of; it runs with both sources."""


@dataclass(frozen=True)
class Explored:
    """What a process says of a setting: what it found, and its seconds for code and for table."""

    found: list[Any]
    code: float
    table: float


def environment(path: Path, cache: Path) -> dict[str, str]:
    """That of a process with the packages in a folder and a cache of its own."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(path), "XDG_CACHE_HOME": str(cache)}


@contextmanager
def explorer(path: Path, cache: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that explores with the packages in a folder."""
    command = sys.executable, "-c", EXPLORER
    there = environment(path, cache)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=there, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def ask(process: subprocess.Popen[str], name: str) -> Explored:
    """Have a process explore a setting."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    return Explored(*json.loads(process.stdout.readline()))


def verified(path: Path, cache: Path) -> tuple[float, float, dict[str, Any]]:
    """`holdover verify reference`: wall and processor seconds, and what it says of the code."""
    program = "from holdover.reference.cli import main; main()"
    command = sys.executable, "-c", program, "verify", "reference", "--json"
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    said = subprocess.run(
        command, env=environment(path, cache), check=True, capture_output=True, text=True
    ).stdout
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, json.loads(said)["code"]


RUNS = "nothing kept", "the verdict is kept"


def commands(path: Path, cache: Path) -> list[tuple[float, float]]:
    """The command, and once more."""
    found = []
    for number, _ in enumerate(RUNS):
        wall, processor, code = verified(path, cache)
        assert code["outcome"] == "holds"
        assert (code["read_from"] is not None) == (number == 1), "the second reads the verdict"
        found.append((wall, processor))
    return found


Runs = list[tuple[float, float]]


def page(
    rows: Sequence[tuple[str, Explored, Explored]],
    before: str,
    words: str,
    runs: tuple[Runs, Runs],
    compiling: float,
    load: float,
) -> str:
    """The page."""
    lines = [
        "# Exploring the reference client's code",
        "",
        "Seconds that the exploration takes, before and now, printed by",
        "",
        "```sh",
        f"python -m tests.measure.refinement {words}",
        "```",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores;"
        f" the load of the machine before it was {load:.1f}. *Before* is commit {before}. States,"
        " steps, depth, the rows that justify the steps and the edges that the table allows are the"
        " same before and now, in each setting of the second table.",
        "",
        "`holdover verify reference`, with two processes:",
        "",
        "| | before: wall s | processor s | now: wall s | processor s | times less processor |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for says, earlier, now in zip(RUNS, *runs, strict=True):
        cells = (f"{v:.1f}" for v in (*earlier, *now, earlier[1] / now[1]))
        lines.append(f"| {says} | {' | '.join(cells)} |")
    lines += [
        "",
        f"The limit is {LIMIT} s by the wall clock, on two cores that do nothing else: they have "
        f"{2 * LIMIT} s of the processor in that time. Seconds by the wall clock that were taken "
        "beside other work (see the load) do not say whether it is met. "
        f"Where nothing is compiled yet, each of the "
        f"two processes first compiles the search, for {compiling:.1f} s of the processor.",
        "",
        f"{len(rows)} of {len(settings())} settings, each in seconds of the processor; *code*: the"
        " real cores explored, *table*: the edges that the lease table allows there.",
        "",
        "| setting | states | steps | code before | now | table before | now | times less |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    total = [0.0] * 4
    for name, was, is_ in rows:
        seconds = was.code, is_.code, was.table, is_.table
        total = [a + b for a, b in zip(total, seconds, strict=True)]
        lines.append(f"| {name} | {is_.found[0]:,} | {is_.found[1]:,} | {columns(seconds)} |")
    states, steps = (sum(each.found[n] for _, _, each in rows) for n in (0, 1))
    lines.append(f"| these | {states:,} | {steps:,} | {columns(total)} |")
    return "\n".join(lines) + "\n"


def columns(seconds: Sequence[float]) -> str:
    """Code and table, before and now, and how much less it is."""
    before, now = seconds[0] + seconds[2], seconds[1] + seconds[3]
    return " | ".join([*(f"{each:.2f}" for each in seconds), f"{before / now:.1f}"])


@click.command(epilog="Example: python -m tests.measure.refinement HEAD~10")
@click.argument("before", metavar="COMMIT")
@click.option("--most", default=1 << 62, help="Only settings with at most so many steps.")
def main(before: str, most: int) -> None:
    """Explore with the sources of a commit and with these; some minutes.

    The command itself explores all settings, whatever --most is.

    Exit status 1: something was found that was not found before, or the other way round.
    """
    load, named = os.getloadavg()[0], git("rev-parse", "--short", before)
    todo, rows = [setting for setting in settings() if setting.steps <= most], []
    with (
        sources(named) as there,
        sources(None) as here,
        tempfile.TemporaryDirectory() as caches,
        Progress("refinement") as progress,
    ):
        older, newer = Path(caches, "before"), Path(caches, "now")
        with explorer(there, older) as one, explorer(here, newer) as other:
            ask(one, todo[0].name)  # what is loaded once does not count
            first, again = (ask(other, todo[0].name) for _ in range(2))
            for number, setting in enumerate(todo):
                progress.count(number, len(todo), setting.name)
                earlier, now = ask(one, setting.name), ask(other, setting.name)
                if earlier.found != now.found:
                    raise click.ClickException(f"{setting.name}: not as before")
                rows.append((setting.name, earlier, now))
        runs = commands(there, older), commands(here, newer)
    words = named if len(todo) == len(settings()) else f"{named} --most {most}"
    text = page(rows, named, words, runs, first.code - again.code, load)
    click.echo(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
