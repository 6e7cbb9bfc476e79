"""`python -m tests.measure.seconds`: how long the commands take, beside their limits and as before.

Theory of operation.  Each command is a process of its own, and is run so often; what counts is the
least, since what else the machine does can only make it longer.  With `--before` every command is
run with the sources of an earlier commit too, in turns, by the same Python and the same packages: a
ratio of the two means something on a machine that is not quiet.  The commands of one commit share a
cache (a compiled engine and tables), which a run that does not count has filled; verdicts are not
kept.

The limits were set on another machine.  Of the commit on which they were set, two commands are run
here too (`speed`), and the page says what the limits are at that machine's speed.

What it does not know: what else the machine does.  It writes docs/bench/seconds.md.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import click

from holdover.model.clients.profile import builtin_names
from holdover.reference.console.progress import Progress
from tests.checkout import ROOT

PAGE = ROOT / "docs" / "bench" / "seconds.md"
VERDICTS = (0, 1, 3)
"""The statuses of a command that has come to its end."""

PACKAGES = ("model", "proofs", "reference")


@dataclass(frozen=True)
class Row:
    """What is measured: the arguments of `holdover`, the limit in seconds, how often it is run.

    `cold`: with an empty cache, each time.
    """

    says: str
    arguments: tuple[str, ...]
    limit: float
    times: int = 1
    cold: bool = False


@dataclass(frozen=True)
class Taken:
    """What a run took, in seconds of the wall clock and of the processor; its exit status."""

    wall: float
    processor: float
    status: int


ROWS = (
    *(
        Row(" ".join(("holdover", *words)), words, 0.15, 7)
        for words in (("--help",), ("--version",), ("profiles",), ("grace",), ("lab", "list"))
    ),
    Row("holdover prove --solver z3", ("prove", "--solver", "z3"), 5),
    Row("holdover prove --solver both", ("prove", "--solver", "both"), 9),
    Row("holdover matrix", ("matrix",), 6),
    Row("holdover verify", ("verify",), 10),
    Row("holdover verify, nothing compiled", ("verify",), 15, cold=True),
    Row("holdover verify reference", ("verify", "reference"), 15),
)


SET_WITH = "f0ff70a1"
"""The commit whose commands were measured when the limits were set."""

SET_TOOK = {"verify": 23.0, "matrix": 28.0}
"""How many seconds these commands of that commit took on the machine on which they were set."""


def slowest_profile(measured: dict[str, Taken]) -> tuple[str, Taken]:
    """The built-in profile whose verdict takes longest."""
    name = max(measured, key=lambda each: measured[each].wall)
    return name, measured[name]


@contextmanager
def sources(commit: str | None) -> Iterator[Path]:
    """A folder that has the packages of a commit as `holdover`; None: those of this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        there, packages = ROOT, Path(folder, "path", "holdover")
        packages.mkdir(parents=True)
        if commit is not None:
            there = Path(folder, "tree")
            git("worktree", "add", "--quiet", "--detach", str(there), commit)
        try:
            for name in PACKAGES:
                (packages / name).symlink_to(there / name)
            yield packages.parent
        finally:
            if commit is not None:
                git("worktree", "remove", "--force", str(there))


def git(*words: str) -> str:
    """What git says."""
    return subprocess.run(
        ("git", "-C", str(ROOT), *words), check=True, capture_output=True, text=True
    ).stdout.strip()


def run_once(path: Path, arguments: Sequence[str], cache: Path) -> Taken:
    """One run of a command with the packages in a folder."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(path), "XDG_CACHE_HOME": str(cache)}
    command = (sys.executable, "-c", "from holdover.reference.cli import main; main()", *arguments)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    status = subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(cache / "holdover" / "verdicts", ignore_errors=True)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, processor, status)


def least(path: Path, row: Row, cache: Path) -> Taken:
    """The shortest of so many runs; after one that does not count, unless the cache is empty."""
    if not row.cold:
        run_once(path, row.arguments, cache)
    runs = []
    for _ in range(row.times):
        if row.cold:
            shutil.rmtree(cache, ignore_errors=True)
        runs.append(run_once(path, row.arguments, cache))
    return min(runs, key=lambda taken: taken.wall)


def speed(caches: Path) -> float:
    """How many times as long as there the commands of `SET_TOOK` take here.

    RuntimeError if one fails.
    """
    with sources(SET_WITH) as path:
        taken = [least(path, Row(name, (name,), limit), caches) for name, limit in SET_TOOK.items()]
    if any(each.status not in VERDICTS for each in taken):
        raise RuntimeError(f"commit {SET_WITH}: {taken}")
    return sum(each.wall for each in taken) / sum(SET_TOOK.values())


def shown(taken: Taken | None) -> tuple[str, str]:
    """Its seconds by the wall clock and of the processor."""
    if taken is None:
        return "", ""
    if taken.status not in VERDICTS:
        return f"status {taken.status}", ""
    digits = 2 if taken.wall < 2 else 1
    return f"{taken.wall:.{digits}f}", f"{taken.processor:.{digits}f}"


def is_met(taken: Taken, limit: float) -> str:
    """Whether a run came to its end within a limit (seconds)."""
    return "met" if taken.wall <= limit and taken.status in VERDICTS else "**not met**"


def page(
    rows: Sequence[tuple[str, float, Taken | None, Taken]],
    before: str | None,
    load: float,
    slower: float | None,
) -> str:
    """The page; `slower`: how many times as long as there commands take here."""
    lines = [
        "# Seconds",
        "",
        "How long commands take, printed by",
        "",
        "```sh",
        f"python -m tests.measure.seconds{f' --before {before}' if before else ''}",
        "```",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores;"
        f" the load of the machine before it was {load:.1f}. Of several runs the shortest. A "
        "status is shown of a command that did not come to its end.",
        "",
        "| command | before: wall s | processor s | now: wall s | processor s | limit s | "
        "| at its speed | |",
        f"|{' --- |' * 9}",
    ]
    for says, limit, earlier, now in rows:
        limits = (
            (f"{each:.2g}" if each < 10 else f"{each:.0f}", is_met(now, each))
            for each in (limit, limit * (slower or 1))
        )
        cells = (f"`{says}`", *shown(earlier), *shown(now), *chain.from_iterable(limits))
        lines.append(f"| {' | '.join(cells)} |")
    said = (
        f"*Before* is commit {before}, with the same Python and the same packages. "
        if before
        else ""
    )
    lines += ["", f"{said}Commands that use several processes use two."]
    if slower is not None:
        named = "` and `".join(SET_TOOK)
        lines += [
            "",
            f"The limits were set on another machine. `{named}` of commit {SET_WITH} took "
            f"{sum(SET_TOOK.values()):g} s there, and {slower:.2f} times as long here, in this "
            "run. *At its speed* is each limit times that.",
        ]
    return "\n".join(lines) + "\n"


@click.command(epilog="Example: python -m tests.measure.seconds --before HEAD~10")
@click.option("--before", metavar="COMMIT", help="Run every command with these sources as well.")
@click.option("--only", metavar="WORD", help="Only commands with this in them; no page is written.")
def main(before: str | None, only: str | None) -> None:
    """Run each command, print what it took, and write docs/bench/seconds.md; some minutes."""
    load, named = os.getloadavg()[0], before and git("rev-parse", "--short", before)
    rows: list[tuple[str, float, Taken | None, Taken]] = []
    todo = [row for row in ROWS if only is None or only in row.says]
    with (
        sources(None) as here,
        sources(named) as there,
        tempfile.TemporaryDirectory() as caches,
        Progress("seconds") as progress,
    ):
        one, other = Path(caches, "now"), Path(caches, "before")
        for number, row in enumerate(todo):
            progress.count(number, len(todo), row.says)
            earlier = None if named is None else least(there, row, other)
            rows.append((row.says, row.limit, earlier, least(here, row, one)))
        if only is None or only in "verify PROFILE":
            names = builtin_names()
            # An hour and a bit: in the standard surroundings `reference` has its code explored.
            each = {n: Row(n, ("verify", n, "--lease", "3601s"), 0.8, 2) for n in names}
            name, now = slowest_profile({name: least(here, row, one) for name, row in each.items()})
            earlier = None if named is None else least(there, each[name], other)
            rows.append((f"holdover verify {name}, the slowest of {len(names)}", 0.8, earlier, now))
        slower = speed(Path(caches, "set")) if only is None else None
    text = page(rows, named, load, slower)
    click.echo(text)
    if only is None:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
