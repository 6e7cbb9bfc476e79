"""`python -m tests.measure.lean`: the lean installation beside the whole one: MiB, seconds.

Theory of operation.  Both are installed as their documents say, each into an environment of its own
that has no pip: docs/embedding.md has the one, the README the other.  The size is the sum of what
lies in site-packages, with what Python has compiled of it.  Each command is a process, run so often
in turns, and its time is the processor's; the least counts, since what else the machine does can
only make it longer.  Memory is the most that the process had (VmHWM), by the kernel.

What it does not know: a device.  It is measured on this machine, with packages from a registry or
from pip's cache; the whole installation takes minutes where it has to be fetched.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from holdover.reference.console.progress import Progress
from tests.checkout import ROOT

PAGE = ROOT / "docs" / "embedding.md"
REGION = re.compile(r"(?<=<!-- measured: lean -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)
LOCK = ROOT / ".ci" / "lean.lock"

RUNS = 15
LEAN, WHOLE = "lean", "whole"
WAYS: Mapping[str, Sequence[Sequence[str]]] = {
    LEAN: (("-r", str(LOCK)), ("--no-deps", str(ROOT))),
    WHOLE: ((str(ROOT),),),
}
"""What pip is told, one call after the other."""

COMMANDS: Mapping[str, Sequence[str]] = {
    "Python itself": ("-c", "pass"),
    "import of both cores": ("-c", "from holdover.reference.core import client, server"),
    "`holdover --version`": ("-m", "holdover", "--version"),
    "`holdover client --help`": ("-m", "holdover", "client", "--help"),
    "`holdover server --help`": ("-m", "holdover", "server", "--help"),
}
"""The words for Python."""

PEAK = "import atexit; atexit.register(lambda: print(open('/proc/self/status').read()))\n"


@dataclass(frozen=True)
class Measured:
    """One installation: its packages and bytes; of each command processor seconds, and bytes."""

    packages: Sequence[str]
    size: int
    seconds: Mapping[str, float]
    memory: Mapping[str, int]


def install(place: Path, calls: Sequence[Sequence[str]]) -> Path:
    """An environment with what pip brings; its Python."""
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    for words in calls:
        pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "-q", *words)
        subprocess.run(pip, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return python


def size_of(place: Path) -> int:
    """Bytes of what is installed."""
    (site,) = place.glob("lib/python*/site-packages")
    return sum(each.stat().st_size for each in site.rglob("*") if each.is_file())


def packages_of(place: Path) -> list[str]:
    """Names with versions of the packages there, without holdover itself."""
    (site,) = place.glob("lib/python*/site-packages")
    names = (each.name.removesuffix(".dist-info") for each in site.glob("*.dist-info"))
    return sorted(name.replace("-", " ") for name in names if not name.startswith("holdover-"))


def seconds_of(python: Path, words: Sequence[str]) -> float:
    """The processor time of a process, to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run((str(python), *words), check=True, stdout=subprocess.DEVNULL, cwd=python.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory_of(python: Path, words: Sequence[str]) -> int:
    """The most memory that it had, in bytes."""
    run = f"import runpy; runpy.run_module({words[1]!r}, run_name='__main__', alter_sys=True)"
    code = words[1] if words[0] == "-c" else f"import sys; sys.argv[0] = 'holdover'\n{run}"
    said = subprocess.run(
        (str(python), "-c", PEAK + code, *words[2:]),
        check=True,
        capture_output=True,
        text=True,
        cwd=python.parent,
    ).stdout
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", said)
    return int(peak) << 10


def measure(place: Path, progress: Progress) -> dict[str, Measured]:
    """Both, with their commands in turns."""
    pythons = {}
    for name, calls in WAYS.items():
        progress.say(f"{name}: installing")
        pythons[name] = install(place / name, calls)
    taken: dict[str, dict[str, float]] = {name: {} for name in WAYS}
    for number in range(RUNS + 1):  # the first compiles
        for says, words in COMMANDS.items():
            progress.count(number, RUNS, says)
            for name, python in pythons.items():
                seconds = seconds_of(python, words)
                if number:
                    taken[name][says] = min(seconds, taken[name].get(says, seconds))
    return {
        name: Measured(
            packages_of(place / name),
            size_of(place / name),
            taken[name],
            {says: memory_of(python, words) for says, words in COMMANDS.items()},
        )
        for name, python in pythons.items()
    }


def text_of(found: Mapping[str, Measured]) -> str:
    """The table, and under what it was measured."""
    lean, whole = found[LEAN], found[WHOLE]
    rows = [
        ("packages besides holdover", *(str(len(each.packages)) for each in (lean, whole))),
        ("MiB on disk", *(f"{each.size / 2**20:.1f}" for each in (lean, whole))),
    ]
    for says in COMMANDS:
        cells = [
            f"{each.seconds[says] * 1000:.0f}; {each.memory[says] / 2**20:.1f}"
            for each in (lean, whole)
        ]
        rows += [(f"{says}: ms of processor; MiB of memory", *cells)]
    lines = ["| | lean | whole |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [
        "",
        f"The lean one has {' and '.join(lean.packages)}. Written by `python -m tests.measure.lean "
        f"--write` on {datetime.now(UTC):%Y-%m-%d}: Python {platform.python_version()}, "
        f"{os.cpu_count()} cores; of {RUNS} runs the shortest.",
    ]
    return "\n".join(lines)


@click.command(epilog="Example: python -m tests.measure.lean --write")
@click.option("--write", is_flag=True, help="Write it into docs/embedding.md as well.")
def main(write: bool) -> None:
    """Install both, measure, and print a table; some minutes where packages must be fetched."""
    with tempfile.TemporaryDirectory() as folder, Progress("lean") as progress:
        text = text_of(measure(Path(folder), progress))
    click.echo(text)
    if write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(REGION.sub(lambda _: text, page, count=1), encoding="utf-8")


if __name__ == "__main__":
    main()
