"""The checks of the engine are checked: each seeded defect is noticed, by the check that is named.

A defect of `engine_defects.toml` changes one passage of a module of the engine.  It is put in on
import, in a process of its own, where `engine_battery` is then run.  As a script, this file is the
process from which these are forked: what no defect can touch (`prepared.py`) is made there, once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO

import pytest

from tests import kept, seeding
from tests.checkout import ROOT
from tests.model.engine import prepared

FAMILY = "seeded defects of the engine"

AS_IS = ""
"""Stands among the names of defects for the engine without one."""

LONGEST = 1000
"""Seconds that a battery may take on a machine that is busy with other things."""

NONE_FAILS, FAILED, NOTICED, CRASHED = 0, 1, 3, 4
"""How the process ends; `FAILED`, or another status, is that of an error outside the checks."""


@dataclass(frozen=True, kw_only=True)
class Defect(seeding.Defect):
    """`noticed` is a check of the battery; `crashes` if it goes red by an error of the engine."""

    crashes: bool = False


@cache
def defects() -> tuple[Defect, ...]:
    """All of `engine_defects.toml`."""
    text = (Path(__file__).parent / "engine_defects.toml").read_text(encoding="utf-8")
    return tuple(Defect(**row) for row in tomllib.loads(text)["defect"])


# The process that has a defect -------------------------------------------------------------------


def battery_with(name: str) -> int:
    """The battery, with the defect of that name or, without a name, as the engine is."""
    first = ""
    for defect in defects():
        if defect.id == name:
            sys.meta_path.insert(0, seeding.Seeding(defect))
            first = defect.noticed
    from tests.model.engine import engine_battery

    try:
        engine_battery.battery(first)
    except AssertionError as error:
        print(error)
        return NOTICED
    except engine_battery.CrashedError as error:
        print(error)
        return CRASHED
    return NONE_FAILS


def in_time(name: str) -> int:
    """The same, and ended by SIGALRM if that takes too long."""
    signal.alarm(LONGEST)
    return battery_with(name)


# The process that they are forked from -----------------------------------------------------------

FEW = 3
"""So many make their own tables."""

BEFORE_TABLES = (
    "model/packed/tabulated.py",
    "model/packed/components.py",
    "model/readings/ground.py",
)
"""Files that tables are made of: who has a defect in one of them makes tables of its own."""


@dataclass(frozen=True)
class Ran:
    """How a process ended, and what it said."""

    name: str
    status: int
    said: str


def all_run(names: Iterable[str], at_once: int) -> Iterator[Ran]:
    """How each of them has ended, as they end."""
    running: dict[int, tuple[str, IO[bytes]]] = {}
    waiting = list(names)
    while waiting or running:
        while waiting and len(running) < at_once:
            name = waiting.pop(0)
            new: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed when it is read)
            running[seeding.fork(partial(in_time, name), new, FAILED)] = (name, new)
        process, ended = os.wait()
        name, file = running.pop(process)
        file.seek(0)
        yield Ran(name, os.waitstatus_to_exitcode(ended), file.read().decode())
        file.close()


def main(names: Sequence[str]) -> None:
    """A line of JSON for each of these defects, and for the engine as it is.

    Each of a few makes what it needs for itself: to make all for all of them takes longer.
    """
    if len(names) <= FEW:
        for ran in all_run(names, 2):
            print(json.dumps(asdict(ran)), flush=True)
        return
    where = {defect.id: defect.file for defect in defects()}
    early = [name for name in names if where.get(name) in BEFORE_TABLES]
    prepared.without_tables()
    for ran in all_run(early, 2):
        print(json.dumps(asdict(ran)), flush=True)
    prepared.with_tables()
    from tests.model.engine import orbits  # which rests on tables

    orbits.all_orbits()
    for ran in all_run([name for name in names if name not in early], 2):
        print(json.dumps(asdict(ran)), flush=True)


# The tests ---------------------------------------------------------------------------------------


@cache
def made_today() -> set[str]:
    """Which of them are tried today; where nothing has changed since, all were (tests/kept.py)."""
    return kept.made_today(FAMILY, [AS_IS, *(defect.id for defect in defects())])


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Ran]]:
    """How the process of a defect that is to be tested ended: waits for it."""
    names = [
        item.callspec.id if item.function is test_it_is_noticed else AS_IS
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.function in (test_it_is_noticed, test_the_engine_as_it_is_passes)
    ]
    names = [name for name in names if name in made_today()]
    command = [sys.executable, "-m", "tests.model.engine.test_engine_defects", *names]
    ended: dict[str, Ran] = {}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        lines = process.stdout
        assert lines is not None

        def run(name: str) -> Ran:
            while name not in ended and (line := lines.readline()):
                ran = Ran(**json.loads(line))
                ended[ran.name] = ran
            assert name in ended, f"the process of all defects has ended with {process.wait()}"
            return ended[name]

        yield run
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what it has forked


def test_each_is_in_its_file_once_and_says_what_is_wrong() -> None:
    assert len({defect.id for defect in defects()}) == len(defects()) >= 25
    for defect in defects():
        source = (ROOT / defect.file).read_text(encoding="utf-8")
        assert defect.put_into(source) != source
        assert defect.says


def test_a_passage_that_is_not_there_once_is_an_error() -> None:
    with pytest.raises(ValueError, match="not once"):
        defects()[0].put_into("something else")


def test_the_engine_as_it_is_passes(
    runs: Callable[[str], Ran], record_property: Callable[[str, object], None]
) -> None:
    if AS_IS not in made_today():
        record_property(FAMILY, f"{'none':32} as kept")
        return
    ran = runs(AS_IS)
    assert ran.status == NONE_FAILS, ran.said


@pytest.mark.parametrize("defect", defects(), ids=lambda defect: str(defect.id))
def test_it_is_noticed(
    defect: Defect, runs: Callable[[str], Ran], record_property: Callable[[str, object], None]
) -> None:
    if defect.id not in made_today():
        record_property(FAMILY, f"{defect.id:32} as kept")
        return
    ran = runs(defect.id)
    said = ran.said.strip()
    record_property(FAMILY, f"{defect.id:32} {said[:100]}")
    assert ran.status == (CRASHED if defect.crashes else NOTICED), said
    assert said.split(":")[0] == defect.noticed


if __name__ == "__main__":
    main(sys.argv[1:])
