"""The checks of the engine are checked: each seeded defect is noticed, by the check that is named.

A defect of `engine_defects.toml` changes one passage of a module of the engine.  It is put in on
import, in a process of its own, where `engine_battery` is then run: as a script, this file is that
process.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests import seeding
from tests.checkout import ROOT

LONGEST = 1000
"""Seconds that a battery may take on a machine that is busy with other things."""

NONE_FAILS, NOTICED, CRASHED = 0, 3, 4
"""How the process ends; another status is that of an error outside the checks."""


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


def main() -> int:
    """The battery, with the defect of the given name or without any."""
    first = ""
    for defect in defects():
        if defect.id in sys.argv[1:]:
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


# The tests ---------------------------------------------------------------------------------------

Ran = subprocess.CompletedProcess[str]


def run(*names: str) -> Ran:
    """The process, to its end."""
    command = [sys.executable, "-m", "tests.model.engine.test_engine_defects", *names]
    return subprocess.run(command, cwd=ROOT, timeout=LONGEST, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Ran]]]:
    """The processes of all defects that are to be tested, two at a time."""
    chosen = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_it_is_noticed
    }
    with ThreadPoolExecutor(2) as pool:
        yield {d.id: pool.submit(run, d.id) for d in defects() if d.id in chosen}
        pool.shutdown(cancel_futures=True)


def test_each_is_in_its_file_once_and_says_what_is_wrong() -> None:
    assert len({defect.id for defect in defects()}) == len(defects()) >= 25
    for defect in defects():
        source = (ROOT / defect.file).read_text(encoding="utf-8")
        assert defect.put_into(source) != source
        assert defect.says


def test_a_passage_that_is_not_there_once_is_an_error() -> None:
    with pytest.raises(ValueError, match="not once"):
        defects()[0].put_into("something else")


def test_the_engine_as_it_is_passes() -> None:
    ran = run()
    assert ran.returncode == NONE_FAILS, ran.stdout + ran.stderr


@pytest.mark.parametrize("defect", defects(), ids=lambda defect: str(defect.id))
def test_it_is_noticed(
    defect: Defect, runs: dict[str, Future[Ran]], record_property: Callable[[str, object], None]
) -> None:
    ran = runs[defect.id].result()
    said = ran.stdout.strip()
    record_property("seeded defects of the engine", f"{defect.id:32} {said[:100]}")
    assert ran.returncode == (CRASHED if defect.crashes else NOTICED), said + ran.stderr
    assert said.split(":")[0] == defect.noticed


if __name__ == "__main__":
    sys.exit(main())
